//! Chooses the batch of a training by what its plans take.

use super::{
    Trainer,
    accumulate::Accumulated,
    auto_batch::{AutoBatch, BatchChoice, Kind, MemoryLimit},
    measured::LATE,
    source::{Drawing, Source, batch_of},
};
use crate::{
    data,
    device::Device,
    error::{Error, TrainError},
    graph::{Graph, Tensor},
    program::{Inputs, planned},
    schedule::Plan,
};
use std::{collections::BTreeMap, iter};

/// The memory that a training takes, by its plans.
#[derive(Default)]
struct Predicted {
    /// Bytes of each variable.
    variables: BTreeMap<String, usize>,
    /// Bytes of everything else of each program.
    programs: Vec<usize>,
}

impl Predicted {
    fn add(&mut self, plan: &Plan) {
        let variables = plan.variable_bytes();
        let kept: usize = variables.iter().map(|(_, bytes)| bytes).sum();
        let own = plan.peak_bytes().saturating_sub(kept);
        let given = plan.given_bytes();
        self.programs.push(own.saturating_add(given.saturating_mul(LATE - 1)));
        self.variables.extend(variables);
    }

    /// Programs share what they calculate in on a device with a memory of its own, and have it each for
    /// itself on others.
    fn bytes(&self, is_shared: bool) -> u64 {
        let variables: usize = self.variables.values().sum();
        let programs = match is_shared {
            true => self.programs.iter().copied().max().unwrap_or(0),
            false => self.programs.iter().copied().fold(0, usize::saturating_add),
        };
        variables.saturating_add(programs) as u64
    }
}

impl Trainer<'_> {
    /// Chooses the batch, if that was asked for and not done yet; `source` are the data, drawn in any way.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoBatchFits`]; an error in a step.
    pub(super) fn choose_batch<'t>(
        &mut self,
        device: &Device,
        source: &dyn Fn(&Drawing) -> Source<'t>,
    ) -> Result<(), Error> {
        let (Some(auto), None) = (self.auto_batch, self.chosen) else { return Ok(()) };
        let choice = match (self.checkpoint_batch()?, auto.kind) {
            (Some([batch, parts]), Kind::Largest { .. }) => {
                BatchChoice::of_checkpoint(batch, parts)
            }
            // The batch is the caller's: another one is an error, as it always is.
            (Some([_, parts]), Kind::Parts) => {
                BatchChoice::of_checkpoint(self.drawing.batch, parts)
            }
            (None, _) => self.fitting_batch(auto, device, source)?,
        };
        log::info!("{choice}");
        (self.drawing.batch, self.drawing.parts) = (choice.batch, choice.parts);
        self.chosen = Some(choice);
        Ok(())
    }

    /// Batch and parts of the checkpoint that the training resumes from.
    fn checkpoint_batch(&self) -> Result<Option<[usize; 2]>, Error> {
        #[cfg(feature = "files")]
        if let (Some(checkpoint), true) = (&self.checkpoint, self.resume != super::Resume::Never)
            && checkpoint.path().exists()
        {
            return checkpoint.batch_and_parts().map(Some);
        }
        Ok(None)
    }

    fn fitting_batch<'t>(
        &self,
        auto: AutoBatch,
        device: &Device,
        source: &dyn Fn(&Drawing) -> Source<'t>,
    ) -> Result<BatchChoice, Error> {
        let (batch, parts) = (self.drawing.batch, self.drawing.parts.max(1));
        // From the most rows at once to the fewest.
        let candidates: Vec<[usize; 2]> = match auto.kind {
            Kind::Largest { most } => {
                let rows = source(&self.drawing).len().unwrap_or(MOST_UNKNOWN);
                let batches = powers_up_to(most.min(rows).max(1)).into_iter().rev();
                batches.map(|batch| [batch, parts]).collect()
            }
            Kind::Parts => powers_up_to(batch.max(1)).into_iter().map(|p| [batch, p]).collect(),
        };
        let limit = match (auto.memory, device.backend().has_own_memory()) {
            (Some(bytes), _) => MemoryLimit::Given(bytes),
            (None, true) => MemoryLimit::Trial,
            (None, false) => {
                let left = available_memory().ok_or(TrainError::UnknownMemory)?;
                MemoryLimit::System(left / 5 * 4)
            }
        };
        // The first that fits: those behind it take less, but for a last batch of fewer rows, whose
        // program comes on top.
        let (mut low, mut high) = (0, candidates.len());
        let (mut chosen, mut least) = (None, 0);
        while low < high {
            let middle = (low + high) / 2;
            let Some(&[batch, parts]) = candidates.get(middle) else { break };
            let drawing = Drawing { batch, parts, ..self.drawing.clone() };
            let bytes = self.predicted(device, &source(&drawing))?;
            let fits = match limit {
                MemoryLimit::Given(limit) | MemoryLimit::System(limit) => bytes <= limit,
                // Drivers and pools take some more.
                _ => device.backend().can_allocate(bytes.saturating_add(bytes / 10)),
            };
            match fits {
                true => (high, chosen) = (middle, Some(([batch, parts], bytes))),
                false => (low, least) = (middle + 1, bytes),
            }
        }
        let Some(([batch, parts], bytes)) = chosen else {
            let limit = match limit {
                MemoryLimit::Given(limit) | MemoryLimit::System(limit) => Some(limit),
                _ => None,
            };
            return Err(TrainError::NoBatchFits { bytes: least, limit }.into());
        };
        // As many as run: ten rows in eight parts are five of two.
        let parts = batch.div_ceil(batch.div_ceil(parts).max(1)).max(1);
        Ok(BatchChoice { batch, parts, bytes: Some(bytes), limit })
    }

    /// Bytes that the programs of a training take together, with those of the evaluation.
    fn predicted(&self, device: &Device, source: &Source<'_>) -> Result<u64, Error> {
        let mut predicted = Predicted::default();
        for objective in &self.objectives {
            let accumulated = (source.parts() > 1).then(Accumulated::default);
            for rows in source.sizes() {
                let graph = Graph::new();
                let batch = batch_of(&source.fields, rows);
                let batch = batch.iter().map(|(name, meta)| (&**name, meta));
                let batch = Inputs::declared(&graph, batch);
                let allows = self.allows_statistics;
                let loss = match &accumulated {
                    None => objective.trace(&graph, &batch),
                    Some(parts) => parts.trace_part(objective, &graph, &batch, allows),
                };
                predicted.add(&planned(&graph, device, &loss.outputs(), true)?);
            }
            if let Some(accumulated) = accumulated {
                let graph = Graph::new();
                let norms = accumulated.trace_update(objective, &graph);
                let norms: Vec<Tensor<'_>> =
                    norms.iter().flat_map(|(_, metric)| metric.parts.iter().copied()).collect();
                predicted.add(&planned(&graph, device, &norms, true)?);
            }
        }
        if let Some(set) = self.validation {
            let (step, fields) = (self.evaluated_step()?, set.fields());
            for rows in data::sizes(set.len(), self.evaluated_at_once(&fields)) {
                let graph = Graph::new();
                let batch = batch_of(&fields, rows);
                let batch = batch.iter().map(|(name, meta)| (&**name, meta));
                // Averages have the sizes of parameters.
                let serving = self.serving_in_precision();
                let batch = Inputs::declared(&graph, batch);
                let loss = step.trace(&mut serving.scope(&graph), &batch);
                predicted.add(&planned(&graph, device, &loss.outputs(), false)?);
            }
        }
        Ok(predicted.bytes(device.backend().has_own_memory()))
    }
}

/// The largest batch that is tried for a stream, whose length is unknown.
const MOST_UNKNOWN: usize = 1 << 16;

/// The powers of 2 below a number, and the number.
fn powers_up_to(most: usize) -> Vec<usize> {
    let powers = iter::successors(Some(1usize), |power| power.checked_mul(2));
    powers.take_while(|power| *power < most).chain([most]).collect()
}

/// Bytes that the system has left for this process; `None` if it does not tell.
fn available_memory() -> Option<u64> {
    #[cfg(feature = "threads")]
    {
        let mut system = sysinfo::System::new();
        system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
        // A container may be granted less than its machine has.
        let granted = system.cgroup_limits().map(|limits| limits.free_memory);
        let left = granted.map_or(u64::MAX, |free| free).min(system.available_memory());
        (left > 0).then_some(left)
    }
    #[cfg(not(feature = "threads"))]
    None
}
