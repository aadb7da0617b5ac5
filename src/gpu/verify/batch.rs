//! Runs steps on operands of their own and compares what they write with f64.
//!
//! The verification of a program is other programs: the same steps with the same shaders, grids and
//! uniforms, each on its own seeded operands, between guard bands. The results are compared with
//! [`Case`], so verification costs about as much as one run. Programs are small enough that their
//! memory does not matter: what one takes is given back before the next.

use super::prove::Candidate;
use crate::{
    error::{DeviceError, Error},
    gpu::{
        device::{GpuDevice, proof_cache::Entry},
        run::GpuProgram,
    },
    ops::contract::Agreement,
    proof::{Case, Isolated},
    schedule::plan::{Step, StepKind},
};
use std::{mem, sync::PoisonError};

/// Memory of the steps that are verified together, in bytes. A step that needs more is verified
/// alone.
pub(crate) const BATCH_BYTES: usize = 96 << 20;

/// Candidates with what they are verified on.
#[derive(Default)]
struct Batch<'a> {
    candidates: Vec<&'a Candidate>,
    cases: Vec<Case>,
    bytes: usize,
}

impl GpuDevice {
    /// Verifies candidates, as many at a time as fit in memory, and records the outcomes.
    ///
    /// # Errors
    ///
    /// Any that the device reports. They say nothing of the candidates, of which nothing is
    /// recorded then.
    pub(super) fn prove(&self, steps: &[Step], candidates: &[&Candidate]) -> Result<(), Error> {
        let mut batch = Batch::default();
        for &candidate in candidates {
            let step = &steps[candidate.position];
            let case = Case::new(step);
            let bytes = case.bytes() + transfers(step);
            if !batch.candidates.is_empty() && batch.bytes + bytes > BATCH_BYTES {
                self.prove_batch(steps, mem::take(&mut batch))?;
            }
            batch.candidates.push(candidate);
            batch.cases.push(case);
            batch.bytes += bytes;
        }
        if batch.candidates.is_empty() { Ok(()) } else { self.prove_batch(steps, batch) }
    }

    /// Verifies a batch in one program; if a step of it writes outside its result, each in a
    /// program of its own.
    fn prove_batch(&self, steps: &[Step], batch: Batch<'_>) -> Result<(), Error> {
        #[cfg(test)]
        {
            let mut batches = self.shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
            batches.push((batch.candidates.len(), batch.bytes));
        }
        let candidates = batch.candidates.clone();
        match (self.verdicts(steps, batch), &candidates[..]) {
            (Ok(verdicts), _) => {
                let judged = candidates.iter().zip(verdicts);
                judged.for_each(|(candidate, entry)| self.keep(steps, candidate, entry));
                Ok(())
            }
            (Err(Error::Device(error @ DeviceError::StrayWrite { .. })), [one]) => {
                self.keep(steps, one, Entry::Failed(error.to_string()));
                Ok(())
            }
            (Err(Error::Device(DeviceError::StrayWrite { .. })), all) => {
                all.iter().try_for_each(|&one| self.prove(steps, &[one]))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Runs candidates on their cases and judges each: first on everyday operands, then on special
    /// ones.
    fn verdicts(&self, steps: &[Step], mut batch: Batch<'_>) -> Result<Vec<Entry>, Error> {
        let alone = isolated(steps, &mut batch)?;
        let device = GpuDevice { is_guarded: true, ..self.clone() };
        let program = GpuProgram::new(&device, alone.plan().into(), |steps, partials| {
            Ok(steps.iter().map(|step| device.assembled(step, partials, 0)).collect())
        })?;
        let judged = |cases: &[Case], written: Vec<Vec<Vec<u32>>>| -> Vec<Agreement> {
            cases.iter().zip(&written).map(|(case, written)| case.judge(written)).collect()
        };
        let everyday = judged(&batch.cases, alone.run(&program)?);
        for (candidate, case) in batch.candidates.iter().zip(&mut batch.cases) {
            *case = case.special(&steps[candidate.position]);
        }
        let written = isolated(steps, &mut batch)?.run(&program)?;
        let special = judged(&batch.cases, written);
        let entry = |(everyday, special): (Agreement, Agreement)| match () {
            () if !everyday.holds() => Entry::Failed(everyday.to_string()),
            () if !special.holds() => Entry::Finite(special.to_string()),
            () => Entry::Proved,
        };
        Ok(everyday.into_iter().zip(special).map(entry).collect())
    }

    /// Verifies the preferred variant of a step, of which nothing is recorded.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    #[cfg(feature = "cli")]
    pub(crate) fn verdict(&self, step: &Step) -> Result<Entry, Error> {
        let candidate = Candidate { position: 0, variant: 0, assemblies: vec![], key: 0 };
        let case = Case::new(step);
        let batch = Batch { candidates: vec![&candidate], bytes: case.bytes(), cases: vec![case] };
        match self.verdicts(std::slice::from_ref(step), batch) {
            Ok(mut entries) => Ok(entries.remove(0)),
            Err(Error::Device(error @ DeviceError::StrayWrite { .. })) => {
                Ok(Entry::Failed(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Records what came out.
    fn keep(&self, steps: &[Step], candidate: &Candidate, entry: Entry) {
        let step = &steps[candidate.position];
        match &entry {
            Entry::Proved => self.note(|proofs| proofs.proved += 1),
            // Whether it is used depends on the other variants.
            Entry::Finite(_) => self.note(|proofs| proofs.proved += 1),
            Entry::Failed(what) => self.quarantine(step, &candidate.assemblies, what),
        }
        let mut proof_cache =
            self.shared.proof_cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(why) = proof_cache.record(candidate.key, entry, &step.label) {
            log::warn!("proofs are not kept for other processes: {why}");
        }
    }
}

/// The steps of a batch with the operands of its cases, which are taken from them.
fn isolated(steps: &[Step], batch: &mut Batch<'_>) -> Result<Isolated, Error> {
    let mut isolated = Isolated::default();
    for (number, (candidate, case)) in batch.candidates.iter().zip(&mut batch.cases).enumerate() {
        let step = with_variant(&steps[candidate.position], candidate.variant);
        let words = mem::take(&mut case.words);
        isolated.add(number, step, case, words)?;
    }
    Ok(isolated)
}

/// Memory in which operands of a step go to the device and its results come back, in bytes: each in
/// a buffer there, in one between, and a result again on the host.
fn transfers(step: &Step) -> usize {
    let words = |regions: &[crate::schedule::plan::Region]| {
        regions.iter().map(|region| region.len).sum::<usize>()
    };
    8 * words(&step.reads) + 12 * words(&step.writes)
}

/// The step with only this variant.
fn with_variant(step: &Step, variant: usize) -> Step {
    let mut step = step.clone();
    if let StepKind::Kernel { kernel, .. } = &mut step.kind {
        kernel.shaders = vec![kernel.shaders[variant].clone()];
    }
    step
}
