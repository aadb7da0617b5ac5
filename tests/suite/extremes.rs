//! The ends of what arguments may be, swept: everything dropped, one value to normalize, output paddings
//! of a stride or more, indices of few lines, orders of norms, sizes whose products pass 2^31.

mod dropped;
mod lines;
mod norms;
mod one_value;
mod output_paddings;
mod sizes;

use crate::device;
use wgrad::{Array, Device, Error, Feed, Graph, Tensor, Variables};

/// Every device there is.
fn devices() -> Vec<Device> {
    [Device::Reference, Device::cpu()].into_iter().chain(device::gpu()).collect()
}

/// What tensors of a graph are, given those of its inputs that they depend on.
fn values(
    device: &Device,
    graph: &Graph,
    outputs: &[Tensor<'_>],
    inputs: &[(&str, &Array)],
) -> Result<Vec<Vec<f64>>, Error> {
    let program = graph.compile(device, outputs)?;
    let feeds: Vec<(&str, &dyn Feed)> = inputs
        .iter()
        .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name))
        .map(|&(name, array)| (name, array as &dyn Feed))
        .collect();
    let results = program.run(&Variables::new(0), &feeds)?;
    (0..outputs.len()).map(|k| results.get(k)?.read_f64()).collect()
}

/// Multiples of 1/8 between -2 and 2 that look random.
fn eighths(len: usize) -> Vec<f64> {
    (0..len).map(|k| ((k * k * 5 + k * 13 + 3) % 33) as f64 / 8.0 - 2.0).collect()
}
