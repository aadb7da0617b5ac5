//! Options of a benchmark run.

use super::{workload::Workload, workloads::SIZES};
use crate::ops::Precision;

/// Selection and duration of the measurements.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seconds of timing per row.
    pub seconds: f64,
    /// Seconds for the ceilings of each device.
    pub ceilings: f64,
    /// Maximum predicted seconds per row; longer ones use less data, or are skipped.
    pub limit: f64,
    /// Seconds after which only the first workload of each family is still started.
    pub total: f64,
    /// Seconds that the whole run may take: no row starts that could end later, judged by the
    /// longest row so far.
    pub deadline: f64,
    /// Only workloads whose name or family contains one of these; all if empty.
    pub filter: Vec<String>,
    /// Extents of square products.
    pub sizes: Vec<usize>,
    /// How exactly products of matrices and convolutions are calculated: see [`Workload::with_precision`].
    pub precision: Precision,
}

impl Options {
    /// At most two minutes, on however many devices.
    pub fn quick() -> Self {
        Options {
            seconds: 0.2,
            ceilings: 3.0,
            limit: 2.0,
            total: 50.0,
            deadline: 120.0,
            filter: Vec::new(),
            sizes: SIZES.to_vec(),
            precision: Precision::Full,
        }
    }

    /// No limit on the total time.
    pub fn thorough() -> Self {
        Options {
            seconds: 2.0,
            ceilings: 9.0,
            limit: 120.0,
            total: f64::INFINITY,
            deadline: f64::INFINITY,
            filter: Vec::new(),
            sizes: SIZES.to_vec(),
            precision: Precision::Full,
        }
    }

    /// The workloads that pass the filter.
    pub fn workloads(&self) -> Vec<Workload> {
        let mut all = super::workloads(&self.sizes);
        all.retain(|workload| self.wants(workload));
        all.into_iter().map(|workload| workload.with_precision(self.precision)).collect()
    }

    /// Whether a workload passes the filter.
    pub fn wants(&self, workload: &Workload) -> bool {
        let is_it = |text: &String| workload.name.contains(text) || workload.family.contains(text);
        self.filter.is_empty() || self.filter.iter().any(is_it)
    }
}
