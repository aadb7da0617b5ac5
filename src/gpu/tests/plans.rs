//! Hand-written plans with steps that the scheduler rarely produces.

use super::{device, ramp};
use crate::{
    DType, Device, Error, Fed, Graph, Variables,
    backend::Executable,
    gpu::codegen::hazards,
    ops::{binary::BinaryFn, class::Pointwise, cost::Cost},
    schedule::{
        expr::{Affine, Body, Term},
        plan::{Plan, Region, Step, StepKind, Storage},
        siblings::tests::{kernels, results},
    },
    shape::Meta,
};
use std::sync::Arc;

const LEN: usize = 100;

fn region(storage: Storage, offset: usize) -> Region {
    Region { storage, offset, len: LEN, dtype: DType::F32 }
}

fn step(kind: StepKind, reads: Vec<Region>, writes: Vec<Region>) -> Step {
    Step { label: "test".to_owned(), kind, reads, writes, cost: Cost::default(), place: None }
}

/// Both writes are the sum of all reads at the same index.
fn sum(reads: Vec<Region>, writes: Vec<Region>) -> Step {
    let mut body = Body::default();
    let mut total = None;
    for operand in 0..reads.len() {
        let index = Affine::coordinate(0, 1);
        let load = body.push(Term::Load { operand, index, guards: vec![] }, DType::F32);
        total = Some(match total {
            None => load,
            Some(total) => {
                let add = Pointwise::Binary(BinaryFn::Add);
                body.push(Term::Apply(add, vec![total, load]), DType::F32)
            }
        });
    }
    let roots = vec![total.expect("there are reads"); writes.len()];
    let cost = Cost { flops: 1e6, bytes: 1e6 };
    Step { cost, ..step(StepKind::Map { space: vec![LEN], body, roots }, reads, writes) }
}

#[test]
fn hazards_within_one_buffer_go_through_a_scratch_slot() -> Result<(), Error> {
    let (input, output, slot) = (Storage::Input(0), Storage::Output(0), Storage::Slot(0));
    let plan = Plan {
        checks_finite: false,
        half_bytes: 2,
        steps: vec![
            // Two results in one buffer.
            sum(vec![region(input, 0)], vec![region(slot, 0), region(slot, 128)]),
            // A copy within a buffer.
            step(StepKind::Copy, vec![region(slot, 128)], vec![region(slot, 256)]),
            // In place, and together with another part of the buffer: x + x + x.
            sum(
                vec![region(slot, 0), region(slot, 128), region(slot, 256)],
                vec![region(slot, 128)],
            ),
            // Only in place: 3x + 3x.
            sum(vec![region(slot, 128), region(slot, 128)], vec![region(slot, 128)]),
            step(StepKind::Copy, vec![region(slot, 128)], vec![region(output, 0)]),
        ],
        slots: vec![384],
        inputs: vec![("x".to_owned(), Meta::new([LEN], DType::F32))],
        variables: vec![],
        constants: vec![],
        assigned: vec![],
        arenas: vec![],
        outputs: vec![Meta::new([LEN], DType::F32)],
    };
    let steps = hazards::bindable(&plan).steps;
    assert_eq!(steps.len(), plan.steps.len() + 2);
    let copies: Vec<_> = steps.iter().filter(|step| step.label.contains("copied out")).collect();
    assert_eq!(copies.len(), 2);
    // A copy does no arithmetic: it reads and writes four bytes per element.
    let bytes = 8.0 * LEN as f64;
    assert!(copies.iter().all(|copy| (copy.cost.flops, copy.cost.bytes) == (0.0, bytes)));
    let Some(device) = device() else { return Ok(()) };
    let x = ramp(LEN);
    let expected: Vec<f64> = x.to_f64().iter().map(|x| 6.0 * x).collect();
    let plan = Arc::new(plan);
    for device in [device.clone(), device.clone().with_guards()] {
        let program = device.program(plan.clone())?;
        let values = program.run(&mut Variables::new(0).lock(), &[Fed::Host(&x)])?;
        assert_eq!(values[0].read_blocking(&plan.outputs[0])?.to_f64(), expected);
    }
    Ok(())
}

#[test]
fn a_band_that_was_overwritten_is_reported() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let device = device.clone().with_guards();
    let beside = Region { offset: 64, ..region(Storage::Output(0), 0) };
    let plan = Plan {
        checks_finite: false,
        half_bytes: 2,
        // The region extends 28 words past the result.
        steps: vec![sum(vec![region(Storage::Input(0), 0)], vec![beside])],
        slots: vec![],
        inputs: vec![("x".to_owned(), Meta::new([LEN], DType::F32))],
        variables: vec![],
        constants: vec![],
        assigned: vec![],
        arenas: vec![],
        outputs: vec![Meta::new([LEN], DType::F32)],
    };
    let program = device.program(Arc::new(plan))?;
    let x = ramp(LEN);
    let outcome = program.run(&mut Variables::new(0).lock(), &[Fed::Host(&x)]);
    let error = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("test wrote behind its result"), "{error}");
    Ok(())
}

/// A kernel with several results writes those that are wanted, each with its epilogue.
#[test]
fn siblings_are_one_dispatch() -> Result<(), Error> {
    let Some(device) = device() else { return Ok(()) };
    let device = Device::Gpu(device.clone());
    let graph = Graph::new();
    let [output, logs] = results(&graph);
    assert_eq!(kernels(&device, &[logs])?, [vec![1]]);
    let wanted = [output + 1.0, logs * 2.0];
    assert_eq!(kernels(&device, &wanted)?, [vec![0, 1]]);
    Ok(())
}
