//! The workloads, one file per kind.

mod attention;
mod convolutions;
mod models;
mod optimizers;
mod products;
mod rows;
mod selections;

use super::workload::Workload;

/// Default extents of square products.
pub const SIZES: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];

/// All workloads; `sizes` are the extents of square products.
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
