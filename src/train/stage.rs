//! The programs of an objective.

use super::{
    Objective, Trainer, accumulate::Accumulated, measured::Measured, measures::Described,
    resident::ResidentSet, source::Source,
};
use crate::{device::Device, error::Error, optim::SKIPPED, program::Program, variables::Variables};
use std::sync::Arc;

/// The programs of an objective, ready for all batches of a training.
pub(super) struct Stage<'t> {
    pub every: usize,
    pub measured: Measured<'t>,
    /// One for each number of rows, and one for updates.
    pub programs: Vec<Arc<Program>>,
    /// Updates by the gradients of the parts of a batch, where it has several.
    pub update: Option<Measured<'t>>,
    /// Path of the number of steps that were skipped, where some may be.
    pub skipped: Option<String>,
}

impl<'t> Stage<'t> {
    /// Compiles the programs for batches of these numbers of rows.
    pub fn compile(
        trainer: &Trainer<'_>,
        device: &Device,
        objective: &'t Objective<'_>,
        (source, resident): (&Source<'_>, Option<&Arc<ResidentSet>>),
    ) -> Result<Self, Error> {
        let check_finite = trainer.check_finite;
        let accumulated = (trainer.drawing.parts > 1).then(Arc::<Accumulated>::default);
        let measured = match &accumulated {
            None => Measured::training(device, objective, check_finite, resident),
            Some(accumulated) => {
                let options = (accumulated.clone(), trainer.allows_statistics);
                Measured::parts(device, objective, check_finite, resident, options)
            }
        };
        let sizes = source.sizes().into_iter();
        let programs = sizes.map(|rows| measured.program(&source.fields, rows));
        let programs = programs.collect::<Result<Vec<_>, Error>>()?;
        let mut programs: Vec<Arc<Program>> = programs;
        let update = accumulated
            .map(|accumulated| Measured::updates(device, objective, check_finite, accumulated));
        if let Some(update) = &update {
            programs.push(update.program(&[], 0)?);
        }
        let skipped = format!("{}{SKIPPED}", objective.optimizer_scope());
        let skipped =
            programs.iter().any(|program| program.assigned().contains(&skipped)).then_some(skipped);
        Ok(Stage { every: objective.every, measured, programs, update, skipped })
    }

    /// All that it measures.
    pub fn metrics(&self) -> Vec<Described> {
        let update = self.update.iter().flat_map(Measured::metrics);
        self.measured.metrics().into_iter().chain(update).collect()
    }

    /// Number of its steps that were skipped, ever.
    pub fn skipped(&self, variables: &Variables) -> Result<usize, Error> {
        let Some(path) = &self.skipped else { return Ok(0) };
        Ok(variables.get(path)?.item().map_or(0, |count| count as usize))
    }
}
