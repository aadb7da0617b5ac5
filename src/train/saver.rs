//! The checkpoints of a training under way.

use super::{
    Callback, Trainer,
    checkpoint::{CHOSEN, Checkpoint, Identity, Read, Resume},
    position::Position,
    rates::{clock, described},
    source::{Source, batch_of},
};
use crate::{
    array::Array,
    device::Device,
    error::Error,
    io::{self, safetensors},
    variables::Variables,
};
use std::{path::Path, time::Instant};

/// Writes the checkpoints of a training.
pub(super) struct Saver<'t> {
    checkpoint: &'t Checkpoint,
    identity: Identity,
    /// When one was last written or could not be.
    last: Instant,
    /// The epoch and step that it is of.
    at: [usize; 2],
    /// Why the last could not be written.
    pub failed: Option<Error>,
}

impl<'t> Saver<'t> {
    /// For a trainer that writes checkpoints; its steps run on so many rows.
    pub fn new(trainer: &'t Trainer<'_>, device: &Device, source: &Source<'_>) -> Option<Self> {
        let checkpoint = trainer.checkpoint.as_ref()?;
        let batch = batch_of(&source.fields, source.full_batch());
        let settings = [
            (CHOSEN[0], trainer.drawing.batch.into()),
            (CHOSEN[1], trainer.drawing.parts.max(1).into()),
            ("seed", trainer.drawing.seed.into()),
        ];
        let made = source.description().map(|(name, is)| (name, is.into()));
        let texts = trainer.objectives.iter().map(|objective| objective.text(&batch));
        let clock = clock(trainer, source);
        let schedules = trainer.objectives.iter().map(|objective| {
            let schedule = trainer.schedule_of(objective);
            schedule.map_or_else(String::new, |schedule| described(schedule, clock))
        });
        let settings = settings.into_iter().chain(made);
        let identity =
            Identity::new(checkpoint, device.numerics(), texts, settings, schedules.collect());
        io::remove_leftovers(checkpoint.path());
        Some(Saver { checkpoint, identity, last: Instant::now(), at: [0; 2], failed: None })
    }

    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }

    /// Whether one is due after so many steps.
    pub fn is_due(&self, total: usize) -> bool {
        self.checkpoint.is_due(total, self.last)
    }

    /// Takes up the checkpoint, if that is wanted. Returns where the training stands, and the values of
    /// settings that count more than what the code says they are.
    pub fn resume(
        &self,
        resume: Resume,
        variables: &Variables,
        start: Position,
        callbacks: &mut [Box<dyn Callback + '_>],
    ) -> Result<(Position, Vec<(String, Array)>), Error> {
        if resume == Resume::Never {
            return Ok((start, vec![]));
        }
        let Read { arrays, position, callbacks: states } =
            self.identity.read(self.path(), resume, &start)?;
        // Settings are scalars. Other scalars get the value that they have already.
        let numbers = arrays.iter().filter(|(_, array)| array.shape().rank() == 0);
        let settings = if resume == Resume::Exact { numbers.cloned().collect() } else { vec![] };
        safetensors::set(self.path(), variables, arrays)?;
        for callback in callbacks {
            let state = states.iter().find(|(key, _)| callback.key() == Some(key));
            if let Some((_, state)) = state {
                callback.load(state);
            }
        }
        Ok((position, settings))
    }

    /// Writes a checkpoint, unless it is written already, and tells callbacks.
    pub fn save(
        &mut self,
        variables: &Variables,
        position: &Position,
        callbacks: &mut [Box<dyn Callback + '_>],
    ) {
        let at = [position.epoch, position.step];
        if self.at == at && self.failed.is_none() {
            return;
        }
        let saved = self.identity.save(self.path(), variables, position, callbacks);
        (self.last, self.at) = (Instant::now(), at);
        if let Some(step) = position.last() {
            let written = saved.as_ref().copied();
            callbacks.iter_mut().for_each(|callback| callback.on_checkpoint(&step, written));
        }
        self.failed = saved.err();
    }
}
