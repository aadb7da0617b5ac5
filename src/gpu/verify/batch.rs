//! Runs steps on operands of their own and compares what they write with f64.
//!
//! The verification of a program is other programs: the same steps with the same shaders, grids and
//! uniforms, each on its own seeded operands, between guard bands. The results are compared with
//! [`Case`], so verification costs about as much as one run. Programs are small enough that their
//! memory does not matter: what one takes is given back before the next.

use super::prove::{Candidate, with_modules};
use crate::{
    error::{CompileError, DeviceError, Error},
    gpu::{
        codegen::ModuleKind,
        device::{GpuDevice, proof_cache::Entry},
        run::GpuProgram,
    },
    ops::contract::Agreement,
    proof::{Case, Isolated},
    schedule::plan::{Plan, Step, StepKind},
};
use std::{
    mem,
    sync::{Arc, PoisonError},
};

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

/// The words of each region that a step writes, by step.
type Written = Vec<Vec<Vec<u32>>>;

/// The verdicts on a candidate.
pub(super) struct Outcome {
    pub checked: Entry,
    /// Whether its trusted modules gave the same bits, if they were tried.
    pub trusted: Option<Entry>,
}

/// Whether an error says something of a shader, and nothing of the device.
fn is_of_a_shader(error: &Error) -> bool {
    matches!(
        error,
        Error::Device(DeviceError::StrayWrite { .. }) | Error::Compile(CompileError::Shader { .. })
    )
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

    /// Verifies a batch in one program; if a step of it writes outside its result, or does not compile
    /// without runtime checks, each in a program of its own.
    fn prove_batch(&self, steps: &[Step], batch: Batch<'_>) -> Result<(), Error> {
        #[cfg(test)]
        {
            let mut batches = self.shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
            batches.push((batch.candidates.len(), batch.bytes));
        }
        let candidates = batch.candidates.clone();
        match (self.outcomes(steps, batch), &candidates[..]) {
            (Ok(outcomes), _) => {
                let judged = candidates.iter().zip(outcomes);
                judged.for_each(|(candidate, outcome)| self.keep(steps, candidate, outcome));
                Ok(())
            }
            (Err(Error::Device(error @ DeviceError::StrayWrite { .. })), [one]) => {
                let checked = Entry::Failed(error.to_string());
                self.keep(steps, one, Outcome { checked, trusted: None });
                Ok(())
            }
            (Err(error), [_, _, ..]) if is_of_a_shader(&error) => {
                candidates.iter().try_for_each(|&one| self.prove(steps, &[one]))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Runs candidates on their cases, everyday ones and special ones, and judges each. Those that are
    /// right run once more without runtime checks.
    fn outcomes(&self, steps: &[Step], mut batch: Batch<'_>) -> Result<Vec<Outcome>, Error> {
        let everyday = isolated(steps, &mut batch)?;
        let everyday_cases = batch.cases;
        let special_case =
            |(candidate, case): (&&Candidate, &Case)| case.special(&steps[candidate.position]);
        batch.cases = batch.candidates.iter().zip(&everyday_cases).map(special_case).collect();
        let special = isolated(steps, &mut batch)?;
        let plan: Arc<Plan> = everyday.plan().into();
        // The memory of one program is given back before the next.
        let written = |is_trusted: &[bool]| {
            let device = GpuDevice { is_guarded: true, ..self.clone() };
            let program = GpuProgram::new(&device, plan.clone(), |steps, partials| {
                let module = |is_trusted: &bool| match is_trusted {
                    true => ModuleKind::Trusted,
                    false => ModuleKind::Checked,
                };
                let assembled = |(step, is_trusted)| {
                    with_modules(&device.assembled(step, partials, 0), module(is_trusted))
                };
                Ok(steps.iter().zip(is_trusted).map(assembled).collect())
            })?;
            Ok((everyday.run(&program)?, special.run(&program)?))
        };

        let checked: (Written, Written) = written(&vec![false; batch.candidates.len()])?;
        let judged = |cases: &[Case], written: &Written| -> Vec<Agreement> {
            cases.iter().zip(written).map(|(case, written)| case.judge(written)).collect()
        };
        let entry = |(everyday, special): (Agreement, Agreement)| match () {
            () if !everyday.holds() => Entry::Failed(everyday.to_string()),
            () if !special.holds() => Entry::Finite(special.to_string()),
            () => Entry::Proved,
        };
        let agreements =
            judged(&everyday_cases, &checked.0).into_iter().zip(judged(&batch.cases, &checked.1));
        let entries: Vec<Entry> = agreements.map(entry).collect();

        let may_be_trusted: Vec<bool> = entries
            .iter()
            .zip(&batch.candidates)
            .map(|(entry, candidate)| {
                !matches!(entry, Entry::Failed(_)) && self.may_trust(&candidate.assemblies)
            })
            .collect();
        let mut trusted = vec![None; entries.len()];
        if may_be_trusted.contains(&true) {
            match (written(&may_be_trusted), &mut trusted[..]) {
                (Ok(unchecked), trusted) => {
                    for (k, outcome) in
                        trusted.iter_mut().enumerate().filter(|(k, _)| may_be_trusted[*k])
                    {
                        let difference = everyday_cases[k]
                            .difference(&checked.0[k], &unchecked.0[k])
                            .or_else(|| batch.cases[k].difference(&checked.1[k], &unchecked.1[k]));
                        *outcome = Some(difference.map_or(Entry::Proved, Entry::Failed));
                    }
                }
                (Err(error), [one]) if is_of_a_shader(&error) => {
                    *one = Some(Entry::Failed(error.to_string()));
                }
                (Err(error), _) => return Err(error),
            }
        }
        let outcome = |(checked, trusted)| Outcome { checked, trusted };
        Ok(entries.into_iter().zip(trusted).map(outcome).collect())
    }

    /// Verifies a variant of a step, of which nothing is recorded.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    #[cfg(feature = "bench")]
    pub(super) fn outcome_of(&self, step: &Step, variant: usize) -> Result<Outcome, Error> {
        let assemblies = self.assembled(step, 0, variant);
        let candidate = Candidate { position: 0, variant, assemblies, key: 0 };
        let case = Case::new(step);
        let batch = Batch { candidates: vec![&candidate], bytes: case.bytes(), cases: vec![case] };
        match self.outcomes(std::slice::from_ref(step), batch) {
            Ok(mut outcomes) => Ok(outcomes.remove(0)),
            Err(Error::Device(error @ DeviceError::StrayWrite { .. })) => {
                Ok(Outcome { checked: Entry::Failed(error.to_string()), trusted: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Verifies the preferred variant of a step, with runtime checks only; nothing of it is recorded.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    #[cfg(feature = "cli")]
    pub(crate) fn verdict(&self, step: &Step, variant: usize) -> Result<Entry, Error> {
        Ok(self.clone().with_runtime_checks(true).outcome_of(step, variant)?.checked)
    }

    /// Records what came out.
    fn keep(&self, steps: &[Step], candidate: &Candidate, outcome: Outcome) {
        let step = &steps[candidate.position];
        let Outcome { checked, trusted } = outcome;
        match &checked {
            Entry::Proved => self.note(|proofs| proofs.proved += 1),
            // Whether it is used depends on the other variants.
            Entry::Finite(_) => self.note(|proofs| proofs.proved += 1),
            Entry::Failed(what) => self.quarantine(step, &candidate.assemblies, what),
        }
        let mut proof_cache =
            self.shared.proof_cache.lock().unwrap_or_else(PoisonError::into_inner);
        // In this order: checked modules of which there is a verdict are not proved again.
        let entries = trusted.map(|entry| (candidate.trusted_key(), entry));
        for (key, entry) in entries.into_iter().chain([(candidate.key, checked)]) {
            if let Err(why) = proof_cache.record(key, entry, &step.label) {
                log::warn!("proofs are not kept for other processes: {why}");
            }
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
