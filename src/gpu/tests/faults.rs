//! A fault ends what caused it and nothing else.

use super::*;
use crate::{CompileError, DeviceError, Program, gpu::Assembly};
use std::sync::atomic::Ordering::Relaxed;

/// More workgroups than any device takes, of which the driver is told: a validation error.
fn too_many(assembly: &mut Assembly) {
    assembly.workgroups = [1 << 20, 1, 1];
}

fn broken(assembly: &mut Assembly) {
    assembly.text.push_str("fn broken() {");
}

/// `x a + b`, a kernel of its own for each pair.
fn program(gpu: &GpuDevice, a: f64, b: f64) -> Result<Program, Error> {
    let graph = Graph::new();
    let y = graph.input("x", [100_000], DType::F32) * a + b;
    graph.compile(&Device::Gpu(gpu.clone()), &[y])
}

fn assert_runs(program: &Program, a: f64, b: f64) -> Result<(), Error> {
    let x = ramp(100_000);
    let y = program.run(&Variables::new(0), &[("x", &x)])?.read_blocking(0)?.to_f64();
    for (x, y) in x.to_f64().iter().zip(&y) {
        assert!((y - (x * a + b)).abs() < 1e-5, "{y}");
    }
    Ok(())
}

fn is_reported(error: &Error) -> bool {
    matches!(error, Error::Device(DeviceError::Reported { .. }))
}

fn is_memory(error: &Error) -> bool {
    matches!(error, Error::Device(DeviceError::OutOfMemory { .. }))
}

/// Whatever goes wrong while a program is compiled, run or read: it is an error of the right type
/// once, says nothing of kernels, and the same handle compiles and runs the same and other programs.
#[test]
fn a_device_survives_every_fault_but_its_loss() -> Result<(), Error> {
    let Some(gpu) = own_device().map(|gpu| gpu.with_runtime_checks(true)) else { return Ok(()) };
    let file = own_proofs(&gpu, "faults");
    let healthy = program(&gpu, 2.0, 1.0)?;
    assert_eq!(verdicts(&file), (1, 0));
    let x = ramp(100_000);
    let mut proved = 1;
    let mut recovers = |number: u32| {
        assert_runs(&healthy, 2.0, 1.0)?;
        let b = f64::from(number) + 0.5;
        assert_runs(&program(&gpu, 3.0, b)?, 3.0, b)?;
        gpu.wait_idle()?;
        proved += 1;
        assert_eq!(verdicts(&file), (proved, 0), "after fault {number}");
        Ok::<_, Error>(())
    };

    // A validation error, in a proof and in a run.
    let error = program(&gpu.edited(too_many), 4.0, 1.0).expect_err("it is refused");
    assert!(is_reported(&error), "{error}");
    recovers(0)?;
    let unverified = gpu.edited(too_many).with_verification(Verification::Off);
    let refused = program(&unverified, 4.0, 1.0)?;
    for _ in 0..2 {
        let error = refused.run(&Variables::new(0), &[("x", &x)]).expect_err("it is refused");
        assert!(is_reported(&error), "{error}");
        assert_runs(&healthy, 2.0, 1.0)?;
    }
    recovers(1)?;

    // No memory, in a proof, while a program is compiled, run and read.
    for (number, left) in [(2, 0), (3, 2)] {
        gpu.shared.allocations_left.store(left, Relaxed);
        let error = program(&gpu, 5.0, 1.0).expect_err("there is none");
        gpu.shared.allocations_left.store(i64::MAX, Relaxed);
        assert!(is_memory(&error), "{error}");
        recovers(number)?;
    }
    let starved = program(&gpu, 2.0, 1.0)?;
    gpu.shared.allocations_left.store(0, Relaxed);
    let error = starved.run(&Variables::new(0), &[("x", &x)]).expect_err("there is none");
    gpu.shared.allocations_left.store(i64::MAX, Relaxed);
    assert!(is_memory(&error), "{error}");
    assert_runs(&starved, 2.0, 1.0)?;
    recovers(4)?;
    let outputs = starved.run(&Variables::new(0), &[("x", &x)])?;
    gpu.shared.staging.lock().expect("nothing panics").clear();
    gpu.shared.allocations_left.store(0, Relaxed);
    let error = outputs.read_blocking(0).expect_err("there is none");
    gpu.shared.allocations_left.store(i64::MAX, Relaxed);
    assert!(is_memory(&error), "{error}");
    assert_eq!(outputs.read_blocking(0)?.shape().dims(), [100_000]);
    recovers(5)?;

    // A shader that does not compile, which may well compile the next time.
    let error = program(&gpu.edited(broken), 6.0, 1.0).expect_err("it is refused");
    assert!(matches!(error, Error::Compile(CompileError::Shader { .. })), "{error}");
    recovers(6)?;

    // An error that no scope caught is reported once.
    gpu.shared.faults.record(DeviceError::Reported { message: "a test".to_owned() });
    let error = healthy.run(&Variables::new(0), &[("x", &x)]).expect_err("it is reported");
    assert!(is_reported(&error), "{error}");
    recovers(7)?;
    std::fs::remove_file(file).expect("it was written");
    Ok(())
}

/// A variant that does not compile gives way to the next one, in every compilation anew.
#[test]
fn a_refused_variant_is_not_a_wrong_one() -> Result<(), Error> {
    let first = |assembly: &mut Assembly| {
        if assembly.overrides.contains(&("BM", 32.0)) {
            broken(assembly);
        }
    };
    let Some(gpu) = own_device().map(|gpu| gpu.with_runtime_checks(true)) else { return Ok(()) };
    let file = own_proofs(&gpu, "refused");
    for verification in [Verification::Lazy, Verification::Off] {
        let gpu = gpu.edited(first).with_verification(verification);
        let graph = Graph::new();
        let [a, b] = [("a", [40, 3]), ("b", [3, 50])]
            .map(|(name, dims)| graph.input(name, dims, DType::F32));
        let program = graph.compile(&Device::Gpu(gpu.clone()), &[a.matmul(b)])?;
        let (left, right) = (ramp(120), ramp(150));
        let (left, right) = (
            Array::new([40, 3], &left.to_vec::<f32>()?)?,
            Array::new([3, 50], &right.to_vec::<f32>()?)?,
        );
        let inputs: [(&str, &dyn Feed); 2] = [("a", &left), ("b", &right)];
        let got = program.run(&Variables::new(0), &inputs)?.read_blocking(0)?;
        assert_near(&got, &a.matmul(b).eval(&Device::Reference, &inputs)?, 1e-5);
        assert_eq!(verdicts(&file), (1, 0));
        let notices = gpu.proofs().quarantined;
        assert!(notices.iter().all(|notice| notice.contains("was refused")), "{notices:?}");
    }
    std::fs::remove_file(file).expect("it was written");
    Ok(())
}

/// An error of one thread is not reported to another.
#[test]
fn threads_have_their_own_faults() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    gpu.shared.faults.record(DeviceError::Reported { message: "a test".to_owned() });
    std::thread::scope(|scope| {
        let other = scope.spawn(|| assert_runs(&program(&gpu, 2.0, 1.0)?, 2.0, 1.0));
        other.join().expect("it does not panic")
    })?;
    assert!(gpu.wait_idle().is_err_and(|error| is_reported(&error)));
    gpu.wait_idle()
}
