//! Evaluation and prediction.

use super::{
    Measures, TrainStep, Trainer,
    measured::{LATE, Measured},
    measures::Sums,
    serving::Serving,
};
use crate::{
    data::{Batch, Dataset},
    device::Device,
    error::{Error, TrainError},
    program::Programs,
    shape::Meta,
    variables::Variables,
};
use std::collections::VecDeque;

impl Trainer<'_> {
    /// Rows evaluated at once, if they are not too large; more would only use more memory.
    const EVALUATED: usize = 1024;
    /// Bytes of rows evaluated at once.
    const EVALUATED_BYTES: usize = 64 << 20;

    /// The step of an evaluation.
    pub(super) fn evaluated_step(&self) -> Result<&dyn TrainStep, Error> {
        let first = || self.objectives.first().map(|objective| &*objective.step);
        Ok(self.validation_step.as_deref().or_else(first).ok_or(TrainError::NoObjective)?)
    }

    /// How models are traced when they serve, but for averages.
    pub(super) fn serving_in_precision(&self) -> Serving {
        Serving { averages: None, mixed_precision: self.mixed_precision.clone() }
    }

    /// How models are traced when they serve; there are variables at these paths.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoAverages`].
    pub(super) fn serving(&self, paths: &[String]) -> Result<Serving, Error> {
        let serving = self.serving_in_precision();
        let Some(scope) = &self.averaged else { return Ok(serving) };
        let below = paths.iter().filter_map(|path| path.strip_prefix(scope)?.strip_prefix('/'));
        let averaged: Vec<String> = below.map(str::to_owned).collect();
        if averaged.is_empty() {
            return Err(TrainError::NoAverages { scope: scope.clone() }.into());
        }
        Ok(Serving { averages: Some((scope.clone(), averaged)), ..serving })
    }

    /// The programs of an evaluation; there are variables at these paths.
    pub(super) fn evaluation(
        &self,
        device: &Device,
        paths: &[String],
    ) -> Result<Measured<'_>, Error> {
        let (step, serving) = (self.evaluated_step()?, self.serving(paths)?);
        Ok(Measured::evaluation(device, step, serving, self.check_finite))
    }

    /// The mean loss and the metrics over a data set.
    ///
    /// # Errors
    ///
    /// Same as [`fit`](Self::fit).
    pub fn evaluate(
        &self,
        device: &Device,
        variables: &Variables,
        data: &dyn Dataset,
    ) -> Result<Measures, Error> {
        let evaluation = self.evaluation(device, &variables.paths())?;
        evaluate(self, &evaluation, variables, data)
    }

    /// Results of the [predictor](Self::predictor) for all rows of a data set, in their order.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoPredictor`]; [`VariableError::Array`](crate::VariableError::Array) if a
    /// prediction has no rows; those of the data and the device.
    pub fn predict(
        &self,
        device: &Device,
        variables: &Variables,
        data: &dyn Dataset,
    ) -> Result<Batch, Error> {
        let predictor = self.predictor.as_ref().ok_or(TrainError::NoPredictor)?;
        let serving = self.serving(&variables.paths())?;
        let programs =
            Programs::new(device, |graph, inputs| predictor(&mut serving.scope(graph), inputs));
        let programs = programs.pure();
        let mut parts: Vec<Batch> = vec![];
        self.in_turn(data, |batches| {
            // An empty set has predictions too, without rows.
            for batch in batches.chain(data.is_empty().then(|| data.get(&[]))) {
                let batch = batch?;
                let inputs = batch.iter().map(|(name, array)| (name, array.meta().clone()));
                let program = programs.program(inputs)?;
                let outputs = program.run(variables, &batch.feeds())?;
                let read = |(index, name): (usize, &String)| {
                    Ok::<_, Error>((name.clone(), outputs.read_blocking(index)?))
                };
                let names = program.output_names().iter().enumerate();
                parts.push(Batch::new(names.map(read).collect::<Result<Vec<_>, Error>>()?));
            }
            Ok::<_, Error>(())
        })?;
        Batch::concat(parts)
    }

    /// Number of rows of these fields that are evaluated at once.
    pub(super) fn evaluated_at_once(&self, fields: &[(String, Meta)]) -> usize {
        let bytes = fields.iter().map(|(_, meta)| meta.shape.len().saturating_mul(4));
        let row = bytes.fold(0, usize::saturating_add);
        (Trainer::EVALUATED_BYTES / row.max(1)).clamp(1, Trainer::EVALUATED)
    }

    /// Hands all rows of a set to `read`, in their order and as they are.
    pub(super) fn in_turn<R>(
        &self,
        data: &dyn Dataset,
        read: impl FnOnce(&mut dyn Iterator<Item = Result<Batch, Error>>) -> R,
    ) -> R {
        let most = self.evaluated_at_once(&data.fields());
        let len = data.len();
        let get = |index: usize| {
            let rows: Vec<usize> = (index * most..len.min((index + 1) * most)).collect();
            data.get(&rows)
        };
        self.drawing.workers_for(data).run(len.div_ceil(most), get, read)
    }
}

/// The mean loss and the metrics over a data set.
pub(super) fn evaluate(
    trainer: &Trainer<'_>,
    evaluation: &Measured<'_>,
    variables: &Variables,
    data: &dyn Dataset,
) -> Result<Measures, Error> {
    let (mut sums, mut pending) = (Sums::default(), VecDeque::new());
    trainer.in_turn(data, |batches| {
        for batch in batches {
            pending.push_back(evaluation.run(variables, &batch?)?);
            if pending.len() > LATE
                && let Some(submitted) = pending.pop_front()
            {
                submitted.add_to(&mut sums, false)?;
            }
        }
        Ok::<_, Error>(())
    })?;
    pending.into_iter().try_for_each(|submitted| submitted.add_to(&mut sums, false))?;
    Ok(sums.measures(&evaluation.metrics()))
}
