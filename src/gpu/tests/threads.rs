//! Threads on one device, where one of them makes the driver report errors.

use super::*;
use crate::{DeviceError, Program, gpu::Assembly};
use std::sync::Barrier;

const STEPS: usize = 6;

/// More workgroups than any device takes, of which the driver is told: a validation error.
fn too_many(assembly: &mut Assembly) {
    assembly.workgroups = [1 << 20, 1, 1];
}

/// `w` becomes a mean of itself and of `x`.
fn step(gpu: &GpuDevice) -> Result<Program, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [64], DType::F32);
    let w = graph.variable("w", [64], DType::F32, Init::Normal { mean: 0.0, std: 1.0 });
    let next = w * 0.75 + x * 0.25;
    graph.assign(w, next);
    graph.compile(&Device::Gpu(gpu.clone()), &[next.sum(..)])
}

/// Trains, with `meet` ahead of each step and between its run and its read.
fn trained(program: &Program, meet: &dyn Fn()) -> (Result<Vec<Array>, Error>, Variables) {
    let variables = Variables::new(1);
    let steps = (0..STEPS).map(|k| {
        meet();
        let outputs = program.run(&variables, &[("x", &Array::full([64], k as f32 / 8.0)?)]);
        meet();
        outputs?.read_blocking(0)
    });
    // All of them, so that the other thread is never left waiting.
    let steps: Vec<_> = steps.collect();
    (steps.into_iter().collect(), variables)
}

/// A run that is refused, a proof that is, and an error outside of any operation: ahead of each step of
/// another thread, and while it has a run in flight.
#[test]
fn an_error_of_the_driver_is_that_of_its_thread() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let program = step(gpu)?;
    let (serial, expected) = trained(&program, &|| ());
    let sabotaged = gpu.edited(too_many);
    let refused = step(&sabotaged.clone().with_verification(Verification::Off))?;
    let is_reported = |error: Error| matches!(error, Error::Device(DeviceError::Reported { .. }));
    let meet = Barrier::new(2);
    std::thread::scope(|scope| {
        let trains = scope.spawn(|| trained(&program, &|| _ = meet.wait()));
        let (variables, zeros) = (Variables::new(1), Array::full([64], 0.0f32)?);
        let mut outcomes = Vec::new();
        for k in 0..=2 * STEPS {
            if k < 2 * STEPS {
                meet.wait();
            }
            let read = |was_recorded: bool| gpu.wait_idle().is_err() == was_recorded;
            outcomes.push(match k % 4 {
                // What was recorded in the round before the last is still there.
                0 => {
                    read(k > 0) && refused.run(&variables, &[("x", &zeros)]).is_err_and(is_reported)
                }
                1 => {
                    let graph = Graph::new();
                    let x = graph.input("x", [64], DType::F32);
                    let y = x * (k as f64 + 0.5);
                    graph.compile(&Device::Gpu(sabotaged.clone()), &[y]).is_err_and(is_reported)
                }
                2 => {
                    let message = "a test".to_owned();
                    gpu.shared.faults.record(DeviceError::Reported { message });
                    true
                }
                // The other thread has a whole round.
                _ => true,
            });
        }
        let (got, trained) = trains.join().expect("it does not panic");
        assert_eq!(got?, serial?);
        assert_eq!(trained.get("w")?, expected.get("w")?);
        assert_eq!(outcomes, [true; 2 * STEPS + 1]);
        Ok(())
    })
}

/// Threads that prove and compile the same kernels at once have the same program.
#[test]
fn threads_may_prove_the_same_kernels_at_once() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let (serial, expected) = trained(&step(gpu)?, &|| ());
    let serial = serial?;
    let fresh = gpu.clone().with_verification(Verification::Full);
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        let train = || {
            start.wait();
            let (losses, variables) = trained(&step(&fresh)?, &|| ());
            Ok::<_, Error>((losses?, variables.get("w")?))
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(train)).collect();
        for thread in threads {
            let (losses, w) = thread.join().expect("it does not panic")?;
            assert_eq!((losses, w), (serial.clone(), expected.get("w")?));
        }
        Ok(())
    })
}

/// They see the same ones, and nothing panics, in OpenGL neither.
#[test]
fn threads_may_look_for_adapters_at_once() {
    let look = || pollster::block_on(crate::gpu::adapters());
    let expected = look();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..6 {
                    assert_eq!(look(), expected);
                }
            });
        }
    });
}
