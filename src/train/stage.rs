//! The programs of an objective.

use super::{
    Objective, Trainer, accumulate::Accumulated, measured::Measured, resident::ResidentSet,
    source::Source,
};
use crate::{device::Device, error::Error, program::Program};
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
        let programs = programs.collect::<Result<_, Error>>()?;
        let update = accumulated.map(|accumulated| accumulated.update(objective, device));
        let update = update.transpose()?;
        Ok(Stage { every: objective.every, measured, programs, update })
    }
}
