//! Callbacks of a training.

use super::{Epoch, Report, Step};
use crate::{error::Error, variables::Variables};
use std::ops::ControlFlow;

/// Is told of the steps and epochs of a training, and may end it.
///
/// No method has to be written. Closures are added by [`Trainer::on_step`](super::Trainer::on_step),
/// [`on_epoch`](super::Trainer::on_epoch) and [`stop_when`](super::Trainer::stop_when).
#[doc(alias("keras.callbacks.Callback", "EarlyStopping", "ModelCheckpoint"))]
pub trait Callback {
    /// Called after each step. The device may still be working on it.
    fn on_step(&mut self, step: &Step) -> ControlFlow<()> {
        let _ = step;
        ControlFlow::Continue(())
    }

    /// Called after each epoch and its evaluation, with the variables as they are then. A checkpoint
    /// is written after it.
    fn on_epoch(&mut self, epoch: &Epoch, variables: &Variables) -> ControlFlow<()> {
        let _ = (epoch, variables);
        ControlFlow::Continue(())
    }

    /// Called for each checkpoint that is written, or could not be. The training goes on either way,
    /// and the file that was there before stays until another is complete.
    fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
        let _ = (last, written);
    }

    /// Called at the end.
    fn on_end(&mut self, report: &Report) {
        let _ = report;
    }

    /// Name of its state in checkpoints; `None` if it has none.
    fn key(&self) -> Option<&str> {
        None
    }

    /// Its state as text, for [`load`](Self::load).
    fn save(&self) -> String {
        String::new()
    }

    /// Restores the state that is in the checkpoint a training resumes from.
    fn load(&mut self, state: &str) {
        let _ = state;
    }
}

impl<C: Callback + ?Sized> Callback for &mut C {
    fn on_step(&mut self, step: &Step) -> ControlFlow<()> {
        (**self).on_step(step)
    }

    fn on_epoch(&mut self, epoch: &Epoch, variables: &Variables) -> ControlFlow<()> {
        (**self).on_epoch(epoch, variables)
    }

    fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
        (**self).on_checkpoint(last, written);
    }

    fn on_end(&mut self, report: &Report) {
        (**self).on_end(report);
    }

    fn key(&self) -> Option<&str> {
        (**self).key()
    }

    fn save(&self) -> String {
        (**self).save()
    }

    fn load(&mut self, state: &str) {
        (**self).load(state);
    }
}

/// A closure that is called after each step.
pub(super) struct OnStep<F>(pub F);

impl<F: FnMut(&Step)> Callback for OnStep<F> {
    fn on_step(&mut self, step: &Step) -> ControlFlow<()> {
        (self.0)(step);
        ControlFlow::Continue(())
    }
}

/// A closure that is called after each epoch.
pub(super) struct OnEpoch<F>(pub F);

impl<F: FnMut(&Epoch)> Callback for OnEpoch<F> {
    fn on_epoch(&mut self, epoch: &Epoch, _: &Variables) -> ControlFlow<()> {
        (self.0)(epoch);
        ControlFlow::Continue(())
    }
}

/// A closure that ends the training after an epoch.
pub(super) struct StopWhen<F>(pub F);

impl<F: FnMut(&Epoch) -> bool> Callback for StopWhen<F> {
    fn on_epoch(&mut self, epoch: &Epoch, _: &Variables) -> ControlFlow<()> {
        if (self.0)(epoch) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
