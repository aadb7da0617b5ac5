//! The workloads, a file for each kind.

mod attention;
mod convolutions;
mod models;
mod optimizers;
mod products;
mod rows;
mod selections;

use super::workload::Workload;
use crate::{array::Array, autodiff, graph::Tensor};

/// Extents of square products, unless others are asked for.
pub const SIZES: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];

/// All of them; `sizes` are the extents of square products.
pub fn workloads(sizes: &[usize]) -> Vec<Workload> {
    [
        products::workloads(sizes),
        convolutions::workloads(),
        rows::workloads(),
        selections::workloads(),
        attention::workloads(),
        optimizers::workloads(),
        models::workloads(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An element by its row-major index.
fn at(x: &Array, index: usize) -> f64 {
    x.dtype().from_word(x.words()[index])
}

/// A result and the cotangents of what it was made of, for a cotangent of the result.
fn with_gradients<'g>(y: Tensor<'g>, ct: Tensor<'g>, of: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
    [Some(y)].into_iter().chain(autodiff::vjp(y, ct, of)).flatten().collect()
}

/// Bytes of so many words.
fn words(count: usize) -> f64 {
    4.0 * count as f64
}
