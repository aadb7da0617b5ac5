//! The programs of an objective.

use super::{Objective, Trainer, accumulate::Accumulated, measured::Measured};
use crate::{
    data::{self, Dataset},
    device::Device,
    error::Error,
    program::Program,
};
use std::sync::Arc;

/// The programs of an objective, ready for all batches of a training.
pub(super) struct Stage<'t> {
    pub every: usize,
    pub measured: Measured<'t>,
    /// One for each number of rows.
    pub programs: Vec<Arc<Program>>,
    /// Updates by the gradients of the parts of a batch, where it has several.
    pub update: Option<Program>,
}

impl<'t> Stage<'t> {
    /// Compiles the programs for batches of these numbers of rows.
    pub fn compile(
        trainer: &Trainer<'_>,
        device: &Device,
        objective: &'t Objective<'_>,
        (data, sizes): (&dyn Dataset, &[usize]),
    ) -> Result<Self, Error> {
        let check_finite = trainer.check_finite;
        let accumulated = (trainer.parts > 1).then(Arc::<Accumulated>::default);
        let measured = match &accumulated {
            None => Measured::training(device, objective, check_finite),
            Some(accumulated) => {
                let options = (accumulated.clone(), trainer.allows_statistics);
                Measured::parts(device, objective, check_finite, options)
            }
        };
        let programs = sizes.iter().map(|&rows| measured.program(data, rows));
        let programs = programs.collect::<Result<_, Error>>()?;
        let update = accumulated.map(|accumulated| accumulated.update(objective, device));
        let update = update.transpose()?;
        Ok(Stage { every: objective.every, measured, programs, update })
    }
}

/// The different numbers of rows that run at once, for batches of so many out of `len`, in parts of at
/// most `part`. That of a full batch comes first.
pub(super) fn sizes(len: usize, batch: usize, part: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    for rows in data::sizes(len, batch) {
        for rows in data::sizes(rows, part) {
            if !sizes.contains(&rows) {
                sizes.push(rows);
            }
        }
    }
    sizes
}
