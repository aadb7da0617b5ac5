//! Verifies every dispatch of a program on the device it will run on, before it is chosen.
//!
//! The verification of a program is another program: the same steps with the same shaders, grids
//! and uniforms, each on its own seeded operands, between guard bands. The results are compared
//! with [`Case`], so verification costs about as much as one run. A shader that fails is
//! quarantined, with a message on standard error, and the step's next variant is tried; if none is
//! left, compilation fails.

use crate::{
    error::{CompileError, DeviceError, Error},
    gpu::{
        codegen::{Assembly, assemble},
        device::{
            GpuDevice, Proofs, Verification,
            proof_cache::{self, Entry, Key},
        },
        run::GpuProgram,
    },
    proof::{Case, Isolated},
    schedule::plan::{Step, StepKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Instant,
};

/// Maximum memory for the verifications of one submission, in words.
const BATCH_WORDS: usize = 64 << 20;

/// A step and one of its variants.
struct Candidate {
    /// Index among the steps of the program.
    position: usize,
    variant: usize,
    assemblies: Vec<Assembly>,
    key: Key,
}

impl GpuDevice {
    /// Sets the verification policy for programs compiled for this handle.
    pub fn with_verification(mut self, verification: Verification) -> GpuDevice {
        self.verification = verification;
        self
    }

    /// Verification statistics so far.
    pub fn proofs(&self) -> Proofs {
        self.shared.proofs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, note: impl FnOnce(&mut Proofs)) {
        note(&mut self.shared.proofs.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The dispatches of each step, in a verified variant. `partials` is the slot between them.
    ///
    /// # Errors
    ///
    /// [`CompileError::NoTrustedKernel`]; any fault the device reports.
    pub(crate) fn trusted(
        &self,
        steps: &[Step],
        partials: usize,
    ) -> Result<Vec<Vec<Assembly>>, Error> {
        let candidate = |position: usize, variant: usize| {
            let assemblies = self.assembled(&steps[position], partials, variant);
            Candidate { position, variant, key: proof_cache::key(&assemblies), assemblies }
        };
        let mut chosen: Vec<Candidate> =
            (0..steps.len()).map(|position| candidate(position, 0)).collect();
        if cfg!(target_arch = "wasm32") || self.verification == Verification::Off {
            let dispatched = chosen.iter().filter(|c| !c.assemblies.is_empty()).count();
            self.note(|proofs| proofs.unproved += dispatched as u64);
            return Ok(chosen.into_iter().map(|candidate| candidate.assemblies).collect());
        }
        let started = Instant::now();
        let mut counted = BTreeSet::new();
        loop {
            let mut pending: BTreeMap<Key, usize> = BTreeMap::new();
            for position in 0..chosen.len() {
                let Candidate { key, variant, .. } = chosen[position];
                if chosen[position].assemblies.is_empty() {
                    continue;
                }
                if is_undefined(&steps[position]) {
                    if counted.insert(key) {
                        self.mark_undefined(&steps[position]);
                    }
                    continue;
                }
                match self.entry(key) {
                    None => {
                        pending.entry(key).or_insert(position);
                    }
                    Some(Entry::Proved) => {
                        if counted.insert(key) {
                            self.note(|proofs| proofs.known += 1);
                        }
                    }
                    Some(Entry::Failed(what)) => {
                        let step = &steps[position];
                        if counted.insert(key) {
                            self.quarantine(step, &chosen[position].assemblies, &what);
                        }
                        if variant + 1 == variants(step) {
                            return Err(self.untrusted(step, what));
                        }
                        chosen[position] = candidate(position, variant + 1);
                        // It may be unverified too.
                        pending.entry(chosen[position].key).or_insert(position);
                    }
                }
            }
            pending.retain(|key, _| self.entry(*key).is_none());
            if pending.is_empty() && chosen.iter().all(|c| self.is_trusted(steps, c)) {
                break;
            }
            let unproved: Vec<&Candidate> =
                pending.values().map(|&position| &chosen[position]).collect();
            counted.extend(unproved.iter().map(|candidate| candidate.key));
            self.prove(steps, &unproved)?;
        }
        self.note(|proofs| proofs.seconds += started.elapsed().as_secs_f64());
        Ok(chosen.into_iter().map(|candidate| candidate.assemblies).collect())
    }

    fn is_trusted(&self, steps: &[Step], candidate: &Candidate) -> bool {
        candidate.assemblies.is_empty()
            || is_undefined(&steps[candidate.position])
            || self.entry(candidate.key) == Some(Entry::Proved)
    }

    fn entry(&self, key: Key) -> Option<Entry> {
        let proof_cache = self.shared.proof_cache.lock().unwrap_or_else(PoisonError::into_inner);
        proof_cache.entry(key, self.verification == Verification::Full).cloned()
    }

    fn assembled(&self, step: &Step, partials: usize, variant: usize) -> Vec<Assembly> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests break shaders here"))]
        let mut assemblies = assemble(step, partials, variant);
        #[cfg(test)]
        if let Some(sabotage) = self.sabotage {
            assemblies.iter_mut().for_each(sabotage);
        }
        assemblies
    }

    /// Verifies candidates, as many at a time as fit in memory, and records the outcomes.
    fn prove(&self, steps: &[Step], candidates: &[&Candidate]) -> Result<(), Error> {
        let mut rest = candidates;
        while !rest.is_empty() {
            let mut words = 0;
            let fitting = rest.iter().take_while(|candidate| {
                let step = &steps[candidate.position];
                words += step.reads.iter().chain(&step.writes).map(|r| r.len).sum::<usize>();
                words <= BATCH_WORDS
            });
            let (batch, others) = rest.split_at(fitting.count().max(1));
            self.prove_batch(steps, batch)?;
            rest = others;
        }
        Ok(())
    }

    /// Verifies a batch in one program; if that fails to compile or run, each in a program of its
    /// own.
    fn prove_batch(&self, steps: &[Step], batch: &[&Candidate]) -> Result<(), Error> {
        let verdicts = match (self.verdicts(steps, batch), batch) {
            (Ok(verdicts), _) => verdicts,
            (Err(error), [_]) => vec![Err(blamed(error)?)],
            (Err(error), _) => {
                blamed(error)?;
                return batch.iter().try_for_each(|one| self.prove_batch(steps, &[one]));
            }
        };
        for (candidate, verdict) in batch.iter().zip(verdicts) {
            let step = &steps[candidate.position];
            let entry = match verdict {
                Ok(()) => {
                    self.note(|proofs| proofs.proved += 1);
                    Entry::Proved
                }
                Err(what) => {
                    self.quarantine(step, &candidate.assemblies, &what);
                    Entry::Failed(what)
                }
            };
            let mut proof_cache =
                self.shared.proof_cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(why) = proof_cache.record(candidate.key, entry, &step.label) {
                eprintln!("wgrad: proofs are not kept for other processes: {why}");
            }
        }
        Ok(())
    }

    /// Runs candidates on their cases; returns what is wrong with each, if anything.
    fn verdicts(
        &self,
        steps: &[Step],
        batch: &[&Candidate],
    ) -> Result<Vec<Result<(), String>>, Error> {
        let cases: Vec<Case> = batch.iter().map(|c| Case::new(&steps[c.position])).collect();
        let mut isolated = Isolated::default();
        for (number, (candidate, case)) in batch.iter().zip(&cases).enumerate() {
            let step = with_variant(&steps[candidate.position], candidate.variant);
            isolated.add(number, step, case)?;
        }
        let device = GpuDevice { is_guarded: true, ..self.clone() };
        let program = GpuProgram::new(&device, isolated.plan().into(), |steps, partials| {
            Ok(steps.iter().map(|step| device.assembled(step, partials, 0)).collect())
        })?;
        let written = isolated.run(&program)?;
        let judge = |(case, written): (&Case, &Vec<Vec<u32>>)| {
            let verdict = case.judge(written);
            if verdict.holds() { Ok(()) } else { Err(verdict.to_string()) }
        };
        Ok(cases.iter().zip(&written).map(judge).collect())
    }

    /// Reports that a shader is not used.
    fn quarantine(&self, step: &Step, assemblies: &[Assembly], what: &str) {
        let shader = assemblies.first().map_or("", |assembly| assembly.shader);
        let overrides: Vec<String> = assemblies
            .iter()
            .flat_map(|assembly| &assembly.overrides)
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let of = if overrides.is_empty() {
            String::new()
        } else {
            format!(" of {}", overrides.join(", "))
        };
        let notice =
            format!("{shader}.wgsl{of} for {} is not used on {}: {what}", step.label, self.name());
        eprintln!("wgrad: {notice}");
        self.note(|proofs| proofs.quarantined.push(notice));
    }

    /// Reports, once per step, that its results cannot be checked.
    fn mark_undefined(&self, step: &Step) {
        self.note(|proofs| {
            proofs.unproved += 1;
            if !proofs.undefined.contains(&step.label) {
                eprintln!("wgrad: {} is not verified: it has no definition", step.label);
                proofs.undefined.push(step.label.clone());
            }
        });
    }

    fn untrusted(&self, step: &Step, failure: String) -> Error {
        let (op, shape) = (step.label.clone(), step.shape());
        CompileError::NoTrustedKernel { op, shape, device: self.name(), failure }.into()
    }
}

/// The fault of a shader as a single line, as stored in the proof cache; passes on any other error.
fn blamed(error: Error) -> Result<String, Error> {
    match error {
        Error::Compile(CompileError::Shader { message, .. })
        | Error::Device(DeviceError::Reported { message }) => {
            Ok(message.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        error => Err(error),
    }
}

/// Whether there is no reference for its results.
fn is_undefined(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Kernel { kernel, .. } if !kernel.is_defined())
}

/// Number of variants of a step.
fn variants(step: &Step) -> usize {
    match &step.kind {
        StepKind::Kernel { kernel, .. } => kernel.shaders.len(),
        _ => 1,
    }
}

/// The step with only this variant.
fn with_variant(step: &Step, variant: usize) -> Step {
    let mut step = step.clone();
    if let StepKind::Kernel { kernel, .. } = &mut step.kind {
        kernel.shaders = vec![kernel.shaders[variant].clone()];
    }
    step
}
