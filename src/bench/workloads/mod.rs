//! The workloads, a file for each kind.

mod attention;
mod convolutions;
mod models;
mod optimizers;
mod products;
mod rows;
mod selections;

use super::workload::Workload;

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
