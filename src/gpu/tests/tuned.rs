//! A variant that was measured to be the fastest is tried first, and gives the same bits.

use super::{own_device, own_proofs};
use crate::{
    Array, DType, Device, Error, Feed, Graph, Variables,
    gpu::{GpuDevice, codegen::Assembly},
    schedule::plan::StepKind,
};
use std::sync::{Arc, Mutex};

/// A product of numbers whose sums are rounded, and the overrides of the variants that were assembled.
fn product(gpu: &GpuDevice) -> Result<(Vec<u32>, Vec<String>), Error> {
    let seen = Arc::new(Mutex::new(vec![]));
    let noted = seen.clone();
    let gpu = gpu.edited(move |assembly: &mut Assembly| {
        noted.lock().expect("nothing panics").push(format!("{:?}", assembly.overrides));
    });
    let graph = Graph::new();
    let x = graph.input("x", [40, 30], DType::F32);
    let values: Vec<f32> = (0..1200).map(|k| (k % 17) as f32 / 7.0 - 1.0).collect();
    let x_values = Array::new([40, 30], &values)?;
    let program = graph.compile(&Device::Gpu(gpu), &[x.matmul(x.t())])?;
    let y = program.run(&Variables::new(0), &[("x", &x_values as &dyn Feed)])?.read_blocking(0)?;
    let seen = seen.lock().expect("nothing panics").clone();
    Ok((y.to_f64().iter().map(|&y| (y as f32).to_bits()).collect(), seen))
}

#[test]
fn the_fastest_variant_comes_first_and_changes_no_bit() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let path = own_proofs(&gpu, "tuned");
    let graph = Graph::new();
    let x = graph.input("x", [40, 30], DType::F32);
    let program = graph.compile(&Device::cpu(), &[x.matmul(x.t())])?;
    let steps = &program.plan().expect("it has one").steps;
    let [StepKind::Kernel { kernel, .. }] = &steps.iter().map(|s| &s.kind).collect::<Vec<_>>()[..]
    else {
        panic!("a product is one kernel: {steps:?}")
    };
    let (bits, first) = product(&gpu)?;
    assert!(kernel.shaders.len() > 1);
    for best in 0..kernel.shaders.len() {
        gpu.tune(&kernel.shaders, best, "a product");
        let (again, assembled) = product(&gpu)?;
        assert_eq!(assembled[0], format!("{:?}", kernel.shaders[best].overrides));
        assert_eq!(again, bits, "{assembled:?} differs from {first:?}");
    }
    let _ = std::fs::remove_file(path);
    Ok(())
}
