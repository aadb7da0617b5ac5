//! Chooses the batch of a training by what its plans take.

use super::{
    Objective, Trainer,
    accumulate::Accumulated,
    auto_batch::{AutoBatch, BatchChoice, Kind, MemoryLimit},
    source::batch_of,
};
use crate::{
    device::Device,
    error::{Error, TrainError},
    graph::{Graph, Tensor},
    program::{Inputs, planned},
    schedule::Plan,
    shape::Meta,
};
use std::{collections::BTreeMap, iter};

/// What a training takes, of memory, by its plans.
#[derive(Default)]
struct Predicted {
    /// Bytes of each variable.
    variables: BTreeMap<String, usize>,
    /// Bytes of everything else of each program.
    programs: Vec<usize>,
}

/// Number of runs whose inputs and results are in flight at once.
const IN_FLIGHT: usize = 3;

impl Predicted {
    fn add(&mut self, plan: &Plan) {
        let variables = plan.variable_bytes();
        let own = plan.peak_bytes() - variables.iter().map(|(_, bytes)| bytes).sum::<usize>();
        let given = plan.given_bytes();
        self.programs.push(own.saturating_add(given.saturating_mul(IN_FLIGHT - 1)));
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
    /// Chooses the batch, if that was asked for and not done yet; for data of these fields, of so many rows
    /// if that is known.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoBatchFits`]; an error in a step.
    pub(super) fn choose_batch(
        &mut self,
        device: &Device,
        fields: &[(String, Meta)],
        rows: Option<usize>,
    ) -> Result<(), Error> {
        let (Some(auto), None) = (self.auto_batch, self.chosen) else { return Ok(()) };
        let choice = match self.checkpoint_batch()? {
            Some([batch, parts]) => {
                BatchChoice { batch, parts, bytes: None, limit: MemoryLimit::Checkpoint }
            }
            None => self.fitting_batch(auto, device, fields, rows)?,
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

    fn fitting_batch(
        &self,
        auto: AutoBatch,
        device: &Device,
        fields: &[(String, Meta)],
        rows: Option<usize>,
    ) -> Result<BatchChoice, Error> {
        // From the most rows at once to a single one.
        let candidates: Vec<[usize; 2]> = match auto.kind {
            Kind::Largest { most } => {
                let most = most.min(rows.unwrap_or(LARGEST)).clamp(1, LARGEST);
                powers_up_to(most).into_iter().rev().map(|batch| [batch, 1]).collect()
            }
            Kind::Parts => {
                let batch = self.drawing.batch.max(1);
                powers_up_to(batch).into_iter().map(|parts| [batch, parts]).collect()
            }
        };
        let limit = match (auto.memory, device.backend().has_own_memory()) {
            (Some(bytes), _) => MemoryLimit::Given(bytes),
            (None, true) => MemoryLimit::Trial,
            (None, false) => {
                let left = available_memory().ok_or(TrainError::UnknownMemory)?;
                MemoryLimit::System(left / 5 * 4)
            }
        };
        let fits = |[batch, parts]: [usize; 2]| {
            let bytes = self.predicted(device, fields, rows, [batch, parts])?;
            let fits = match limit {
                MemoryLimit::Given(limit) | MemoryLimit::System(limit) => bytes <= limit,
                // Drivers and pools take some more.
                _ => device.backend().can_allocate(bytes.saturating_add(bytes / 10)),
            };
            Ok::<_, Error>((bytes, fits))
        };
        // The first candidate that fits: what follows takes less, but for a last batch of fewer rows, whose
        // program comes on top.
        let (mut low, mut high, mut chosen) = (0, candidates.len(), None);
        let mut least = 0;
        while low < high {
            let middle = (low + high) / 2;
            match fits(candidates[middle])? {
                (bytes, true) => (high, chosen) = (middle, Some((candidates[middle], bytes))),
                (bytes, false) => (low, least) = (middle + 1, bytes),
            }
        }
        let Some(([batch, parts], bytes)) = chosen else {
            let limit = match limit {
                MemoryLimit::Given(limit) | MemoryLimit::System(limit) => Some(limit),
                _ => None,
            };
            return Err(TrainError::NoBatchFits { bytes: least, limit }.into());
        };
        Ok(BatchChoice { batch, parts, bytes: Some(bytes), limit })
    }

    /// Bytes that the programs of a training take together, with those of the evaluation.
    fn predicted(
        &self,
        device: &Device,
        fields: &[(String, Meta)],
        rows: Option<usize>,
        [batch, parts]: [usize; 2],
    ) -> Result<u64, Error> {
        let mut predicted = Predicted::default();
        let part = batch.div_ceil(parts);
        // The last batch of an epoch may have fewer rows, in a program of its own.
        let last = rows.map_or(0, |rows| rows % batch).min(part);
        for objective in &self.objectives {
            for rows in [part, last].into_iter().filter(|rows| *rows > 0) {
                self.add_training(&mut predicted, device, objective, fields, [rows, parts])?;
            }
        }
        if let Some(set) = self.validation {
            let fields = set.fields();
            let rows = self.evaluated_at_once(&fields).min(set.len()).max(1);
            let graph = Graph::new();
            let inputs = batch_of(&fields, rows);
            let inputs = inputs.iter().map(|(name, meta)| (&**name, meta));
            let outputs = self.evaluated(&graph, &Inputs::declared(&graph, inputs))?;
            predicted.add(&planned(&graph, device, &outputs, false)?);
        }
        Ok(predicted.bytes(device.backend().has_own_memory()))
    }

    /// Adds the programs of an objective for so many rows.
    fn add_training(
        &self,
        predicted: &mut Predicted,
        device: &Device,
        objective: &Objective<'_>,
        fields: &[(String, Meta)],
        [rows, parts]: [usize; 2],
    ) -> Result<(), Error> {
        let graph = Graph::new();
        let inputs = batch_of(fields, rows);
        let inputs = inputs.iter().map(|(name, meta)| (&**name, meta));
        let inputs = Inputs::declared(&graph, inputs);
        if parts == 1 {
            let loss = objective.trace(&graph, &inputs);
            predicted.add(&planned(&graph, device, &loss.outputs(), true)?);
            return Ok(());
        }
        let accumulated = Accumulated::default();
        let loss = accumulated.trace_part(objective, &graph, &inputs, self.allows_statistics);
        predicted.add(&planned(&graph, device, &loss.outputs(), true)?);
        let graph = Graph::new();
        let norms = accumulated.trace_update(objective, &graph);
        let norms: Vec<Tensor<'_>> =
            norms.iter().flat_map(|(_, metric)| metric.parts.iter().copied()).collect();
        predicted.add(&planned(&graph, device, &norms, true)?);
        Ok(())
    }
}

/// No batch is larger unless that is asked for: its gradient would be no better.
const LARGEST: usize = 1 << 16;

/// The powers of 2 below a number, and the number.
fn powers_up_to(most: usize) -> Vec<usize> {
    let powers = iter::successors(Some(1usize), |power| power.checked_mul(2));
    powers.take_while(|power| *power < most).chain([most]).collect()
}

/// Bytes that the system has left for this process; `None` where nobody says.
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
