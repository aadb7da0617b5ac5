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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, error::Error, schedule::plan::StepKind};

    /// A proof of a kernel costs little next to its work: 24 seconds of a benchmark went into the proof
    /// of one convolution whose groups were computed all at once.
    #[test]
    fn proofs_of_large_kernels_are_cheap() -> Result<(), Error> {
        let mut dear = Vec::new();
        for workload in workloads(&SIZES) {
            let program = workload.program(&Device::cpu())?;
            for step in program.plan().iter().flat_map(|plan| &plan.steps) {
                let StepKind::Kernel { kernel, .. } = &step.kind else { continue };
                let probes = kernel.results.iter().filter_map(|result| result.probe.as_ref());
                let work: f64 = probes.map(|probe| probe.total_work()).sum();
                if work > 3e8 {
                    dear.push(format!("{}: {work:.1e} for {}", workload.name, step.label));
                }
            }
        }
        assert!(dear.is_empty(), "{}", dear.join("\n"));
        Ok(())
    }
}
