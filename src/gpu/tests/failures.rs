//! Failing devices: out-of-memory errors and lost adapters.

use super::*;
use crate::{DeviceError, Program, VariableError};
use std::sync::atomic::Ordering::Relaxed;

/// `v` grows by the mean of `x`; the output is `sum(exp(x) v)`, which needs a slot.
fn program(device: &GpuDevice) -> Result<Program, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [64, 32], DType::F32);
    let v = graph.variable("v", [32], DType::F32, Init::Ones);
    let y = (x.exp().cumsum(0) * v).sum(..);
    graph.assign(v, v + x.mean(0));
    graph.compile(&Device::Gpu(device.clone()), &[y])
}

fn halves() -> Array {
    Array::new([64, 32], &[0.5f32; 64 * 32]).expect("as many as there are")
}

/// `sum of e^0.5 (1 + .. + 64)` over 32 columns.
const EXPECTED: f64 = 1.648_721_270_700_128 * 2080.0 * 32.0;

fn assert_runs(program: &Program, variables: &Variables, factor: f64) -> Result<(), Error> {
    let y = program.run(variables, &[("x", &halves())])?.read_blocking(0)?.to_f64()[0];
    assert!((y / (factor * EXPECTED) - 1.0).abs() < 1e-5, "{y}");
    Ok(())
}

/// Every allocation in a program's lifetime fails once: each time the error states the requested
/// size, nothing is lost, and afterwards the same device works.
#[test]
fn memory_may_run_out_at_any_time_on_a_gpu() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let variables = Variables::new(0);
    variables.insert("v", Array::new([32], &[1f32; 32])?)?;
    let mut refused = 0;
    loop {
        gpu.shared.allocations_left.store(refused, Relaxed);
        let outcome = program(&gpu).and_then(|program| {
            program.prepare(&variables)?;
            assert_runs(&program, &variables, 1.0)
        });
        gpu.shared.allocations_left.store(i64::MAX, Relaxed);
        match outcome {
            Ok(()) => break,
            Err(Error::Device(DeviceError::OutOfMemory { bytes: Some(bytes) })) => {
                assert!(bytes > 0);
                // If it failed after the run was submitted, only the readback may have failed.
                let v = variables.get("v")?.to_f64()[0];
                assert!(v == 1.0 || v == 1.5, "allocation {refused}: {v}");
                variables.set("v", Array::new([32], &[1f32; 32])?)?;
            }
            Err(error) => return Err(error),
        }
        refused += 1;
    }
    assert!(
        refused > 8,
        "{refused} allocations: proofs, slots, uniforms, inputs, outputs, staging"
    );
    assert_runs(&program(&gpu)?, &variables, 1.5)
}

/// Errors reported by wgpu are passed on.
#[test]
fn what_the_driver_says_is_kept() {
    use crate::gpu::device::faults::fault;
    let source = || Box::new(std::fmt::Error) as Box<dyn std::error::Error + Send + Sync>;
    let memory = wgpu::Error::OutOfMemory { source: source() };
    assert_eq!(fault(memory, Some(64)), DeviceError::OutOfMemory { bytes: Some(64) });
    let description = "it is broken".to_owned();
    let internal = wgpu::Error::Internal { source: source(), description: description.clone() };
    assert_eq!(fault(internal, None), DeviceError::Reported { message: description });
}

/// An adapter is lost with a result in flight and a variable in its memory: errors, no panic and no
/// hang; a device opened afterwards continues from the saved state.
#[test]
fn the_next_gpu_goes_on_where_one_is_lost() -> Result<(), Error> {
    let (Some(gpu), Some(next)) = (own_device(), own_device()) else { return Ok(()) };
    let variables = Variables::new(0);
    let lost_program = program(&gpu)?;
    assert_runs(&lost_program, &variables, 1.0)?;
    let saved = variables.to_arrays()?;
    let on_its_way = lost_program.run(&variables, &[("x", &halves())])?;
    gpu.lose();

    let is_lost = |error: Error| matches!(error, Error::Device(DeviceError::Lost { .. }));
    let inputs = halves();
    assert!(on_its_way.read_blocking(0).is_err_and(is_lost));
    assert!(lost_program.run(&variables, &[("x", &inputs)]).is_err_and(is_lost));
    assert!(lost_program.prepare(&variables).is_err_and(is_lost));
    assert!(program(&gpu).is_err_and(is_lost));
    assert!(gpu.wait_idle().is_err_and(is_lost));
    let is_gone = |error: Error| match error {
        Error::Variable(VariableError::Lost { path, .. }) => path == "v",
        _ => false,
    };
    assert!(variables.get("v").is_err_and(is_gone), "its value is gone");
    let next_program = program(&next)?;
    let orphaned = next_program.run(&variables, &[("x", &inputs)]);
    assert!(orphaned.is_err_and(is_gone), "nothing is made up in place of what is gone");
    drop(lost_program);
    drop(on_its_way);

    variables.set_all(saved)?;
    assert_runs(&next_program, &variables, 1.5)?;
    assert_eq!(variables.get("v")?.to_f64(), [2.0; 32]);
    // The CPU continues as well.
    let graph = Graph::new();
    let v = graph.variable("v", [32], DType::F32, Init::Ones);
    let sum = graph.compile(&Device::cpu(), &[v.sum(..)])?;
    assert_eq!(sum.run(&variables, &[])?.read_blocking(0)?.to_f64(), [64.0]);
    Ok(())
}
