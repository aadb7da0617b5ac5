//! Memory in which kernels are verified.

use super::*;
use crate::gpu::verify::BATCH_BYTES;
use std::sync::atomic::Ordering::Relaxed;

fn batches(gpu: &GpuDevice) -> Vec<(usize, usize)> {
    gpu.shared.batches.lock().expect("nothing panics").clone()
}

/// Steps are verified together as long as that takes little memory, and those that take more are
/// verified alone.
#[test]
fn steps_share_a_batch_while_it_is_small() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let gpu = gpu.with_verification(Verification::Full);
    let graph = Graph::new();
    // 1 MiB to 40 MiB, and each is read, written and copied.
    let large = [18, 20, 18, 19, 22, 18, 22, 18, 20, 23, 18];
    let outputs: Vec<_> = (0..large.len())
        .map(|k| {
            let x = graph.input(&format!("x{k}"), [(1 << large[k]) + k], DType::F32);
            x * (k as f64 + 0.5) + 1.0
        })
        .collect();
    graph.compile(&Device::Gpu(gpu.clone()), &outputs)?;
    let batches = batches(&gpu);
    assert_eq!(batches.iter().map(|(steps, _)| steps).sum::<usize>(), outputs.len());
    assert!(
        batches.iter().all(|&(steps, bytes)| steps == 1 || bytes <= BATCH_BYTES),
        "{batches:?}"
    );
    assert!(batches.iter().any(|&(_, bytes)| bytes > BATCH_BYTES), "one is too large: {batches:?}");
    assert!(batches.iter().any(|&(steps, _)| steps > 1), "several fit: {batches:?}");
    Ok(())
}

/// The memory counted for a step is the memory it takes: each buffer once, not once per run in flight.
#[test]
fn memory_of_a_batch_is_what_is_counted() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    // Trusted modules run in a second program, which takes the same memory when the first is gone.
    let gpu = gpu.with_verification(Verification::Full).with_runtime_checks(true);
    let graph = Graph::new();
    let x = graph.input("x", [1 << 20], DType::F32);
    let v = graph.variable("v", [1 << 20], DType::F32, Init::Zeros);
    graph.assign(v, v * 0.25 + x);
    let y = x.reshape([1 << 10, 1 << 10]).sum(1);
    graph.compile(&Device::Gpu(gpu.clone()), &[x * 1.25, y])?;
    let counted: usize = batches(&gpu).iter().map(|(_, bytes)| bytes).sum();
    let allocated = gpu.shared.allocated.load(Relaxed) as usize;
    // A third is host memory, and of the rest a fifth is allocated again for the second run, after
    // the first. Beside it there are the words that memory is poisoned with, uniforms, guard bands
    // and their readbacks.
    let others = (1 << 20) + (64 << 10);
    assert!(allocated <= counted / 5 * 4 + others, "{allocated} of {counted}");
    assert!(counted <= 2 * allocated, "{allocated} of {counted}");
    Ok(())
}
