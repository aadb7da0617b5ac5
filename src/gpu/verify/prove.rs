//! Verifies every dispatch of a program on the device it will run on, before it is chosen.
//!
//! A shader with a wrong result, or one that writes outside its result, is quarantined, with a
//! warning in the log, and the step's next variant is tried; if none is left, compilation
//! fails. One that is wrong only on special values, such as NaN, serves if no variant is right, with
//! a message too: some compilers assume that there are none, and everything would fail there.
//!
//! A shader that the driver refuses gives way as well, but that may be a matter of the moment and is
//! kept nowhere. Any other error is one of the compilation, and says nothing of a kernel.

use crate::{
    error::{CompileError, Error},
    gpu::{
        codegen::{Assembly, ModuleKind, assemble},
        device::{
            GpuDevice, Proofs, Verification,
            proof_cache::{self, Entry, Key},
        },
        run::check_bindings,
    },
    schedule::plan::{Step, StepKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Instant,
};

/// A step and one of its variants.
pub(super) struct Candidate {
    /// Index among the steps of the program.
    pub position: usize,
    pub variant: usize,
    pub assemblies: Vec<Assembly>,
    /// The key of its checked modules.
    pub key: Key,
}

impl Candidate {
    /// The key of its trusted modules.
    pub fn trusted_key(&self) -> Key {
        proof_cache::key(&with_modules(&self.assemblies, ModuleKind::Trusted))
    }
}

/// The dispatches with modules of this kind.
pub(super) fn with_modules(assemblies: &[Assembly], module: ModuleKind) -> Vec<Assembly> {
    assemblies.iter().map(|assembly| Assembly { module, ..assembly.clone() }).collect()
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

    pub(super) fn note(&self, note: impl FnOnce(&mut Proofs)) {
        note(&mut self.shared.proofs.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The dispatches of each step, in a verified variant, and without runtime checks where that gave
    /// the same bits. `partials` is the slot between them.
    ///
    /// # Errors
    ///
    /// [`CompileError::NoTrustedKernel`], or [`CompileError::Shader`] if the last variant of a step
    /// does not compile; [`CompileError::BindingTooLarge`]; any fault the device reports.
    pub(crate) fn trusted(
        &self,
        steps: &[Step],
        partials: usize,
    ) -> Result<Vec<Vec<Assembly>>, Error> {
        let mut choice = Choice::new(self, steps, partials);
        let is_proving = !cfg!(target_arch = "wasm32") && self.verification != Verification::Off;
        loop {
            if is_proving {
                choice.prove()?;
                choice.choose_modules();
            }
            if choice.compile()? {
                break;
            }
        }
        if !is_proving {
            let dispatched = choice.chosen.iter().filter(|c| !c.assemblies.is_empty()).count();
            self.note(|proofs| proofs.unproved += dispatched as u64);
        }
        Ok(choice.chosen.into_iter().map(|candidate| candidate.assemblies).collect())
    }

    pub(super) fn entry(&self, key: Key) -> Option<Entry> {
        let proof_cache = self.shared.proof_cache.lock().unwrap_or_else(PoisonError::into_inner);
        proof_cache.entry(key, self.verification == Verification::Full).cloned()
    }

    pub(crate) fn assembled(&self, step: &Step, partials: usize, variant: usize) -> Vec<Assembly> {
        #[cfg_attr(
            not(any(test, feature = "cli")),
            expect(unused_mut, reason = "shaders are made wrong here")
        )]
        let mut assemblies = assemble(step, partials, variant);
        #[cfg(any(test, feature = "cli"))]
        if let Some(edit) = &self.edit {
            assemblies.iter_mut().for_each(|assembly| edit.apply(assembly));
        }
        assemblies
    }

    /// The variants of a step, the one that was measured to be the fastest first. They agree bit for
    /// bit, so that the order changes no result.
    ///
    /// A driver in software takes longer to compile a large tile than to run a small one many times: on
    /// one, variants with little workgroup memory come first.
    fn preference(&self, step: &Step) -> Vec<usize> {
        let fastest: Option<usize> = match &step.kind {
            #[cfg(feature = "files")]
            StepKind::Kernel { kernel, .. } if step.variants() > 1 => self.tuned(&kernel.shaders),
            _ => None,
        };
        let mut others: Vec<usize> =
            (0..step.variants()).filter(|&variant| Some(variant) != fastest).collect();
        if let StepKind::Kernel { kernel, .. } = &step.kind
            && self.kind() == "software-gpu"
        {
            others.sort_by_key(|&variant| kernel.shaders[variant].workgroups.memory);
        }
        fastest.into_iter().chain(others).collect()
    }

    /// Whether shaders take no more workgroup memory than there is.
    pub(crate) fn fits(&self, assemblies: &[Assembly]) -> bool {
        let limit = self.shared.limits.max_compute_workgroup_storage_size;
        assemblies.iter().all(|assembly| assembly.workgroup_memory <= limit)
    }

    /// Whether shaders may run without runtime checks if they give the same bits.
    pub(super) fn may_trust(&self, assemblies: &[Assembly]) -> bool {
        let are_ours = assemblies.iter().all(|assembly| assembly.may_be_trusted);
        !self.is_checked && are_ours && !assemblies.is_empty()
    }

    /// Reports, once, that a shader keeps its runtime checks because it differs without them.
    fn distrust(&self, step: &Step, assemblies: &[Assembly], what: &str) {
        let notice = self.notice(step, assemblies, "keeps its runtime checks", what);
        self.note(|proofs| {
            if !proofs.checked_only.contains(&notice) {
                log::warn!("{notice}");
                proofs.checked_only.push(notice);
            }
        });
    }

    /// Reports that a shader is not used.
    pub(super) fn quarantine(&self, step: &Step, assemblies: &[Assembly], what: &str) {
        let notice = self.notice(step, assemblies, "is not used", what);
        log::warn!("{notice}");
        self.note(|proofs| proofs.quarantined.push(notice));
    }

    /// Reports, once, that a shader is used for want of one that is right on special values too.
    fn settle(&self, step: &Step, assemblies: &[Assembly], what: &str) {
        let notice = self.notice(step, assemblies, "is right only on finite values", what);
        self.note(|proofs| {
            if !proofs.finite_only.contains(&notice) {
                log::warn!("{notice}");
                proofs.finite_only.push(notice);
            }
        });
    }

    /// What the user is told about a shader.
    fn notice(&self, step: &Step, assemblies: &[Assembly], verdict: &str, what: &str) -> String {
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
        format!("{shader}.wgsl{of} for {} {verdict} on {}: {what}", step.label, self.name())
    }

    /// Reports, once per step, that its results cannot be checked.
    fn mark_undefined(&self, step: &Step) {
        self.note(|proofs| {
            proofs.unproved += 1;
            if !proofs.undefined.contains(&step.label) {
                log::warn!("{} is not verified: it has no definition", step.label);
                proofs.undefined.push(step.label.clone());
            }
        });
    }

    pub(super) fn untrusted(&self, step: &Step, failure: String) -> Error {
        let (op, shape) = (step.label.clone(), step.shape());
        CompileError::NoTrustedKernel { op, shape, device: self.name(), failure }.into()
    }
}

/// The variants of a program's steps, while they are chosen.
struct Choice<'a> {
    device: &'a GpuDevice,
    steps: &'a [Step],
    partials: usize,
    /// By step.
    chosen: Vec<Candidate>,
    /// Variants of each step in order of preference.
    order: Vec<Vec<usize>>,
    /// Variants of steps that are wrong only on special values, and how.
    finite: BTreeMap<usize, (usize, String)>,
    /// Steps for which such a variant is used.
    settled: BTreeSet<usize>,
    /// What the driver does not compile, and why.
    refused: BTreeMap<Key, Error>,
    /// What is in the statistics.
    counted: BTreeSet<Key>,
}

impl<'a> Choice<'a> {
    fn new(device: &'a GpuDevice, steps: &'a [Step], partials: usize) -> Self {
        let (refused, counted) = (BTreeMap::new(), BTreeSet::new());
        let (finite, settled) = (BTreeMap::new(), BTreeSet::new());
        let order: Vec<Vec<usize>> = steps.iter().map(|step| device.preference(step)).collect();
        let chosen = vec![];
        let mut choice =
            Choice { device, steps, partials, chosen, order, finite, settled, refused, counted };
        choice.chosen = (0..steps.len()).map(|position| choice.first(position)).collect();
        choice
    }

    /// The preferred variant of a step that fits the device; the last one if none does, which the driver
    /// then refuses.
    fn first(&self, position: usize) -> Candidate {
        let order = &self.order[position];
        self.fitting(position, order)
            .unwrap_or_else(|| self.candidate(position, order[order.len() - 1]))
    }

    /// The first of these variants of a step that fits the device.
    fn fitting(&self, position: usize, variants: &[usize]) -> Option<Candidate> {
        let candidates = variants.iter().map(|&variant| self.candidate(position, variant));
        candidates.into_iter().find(|candidate| self.device.fits(&candidate.assemblies))
    }

    fn candidate(&self, position: usize, variant: usize) -> Candidate {
        let assemblies = self.device.assembled(&self.steps[position], self.partials, variant);
        Candidate { position, variant, key: proof_cache::key(&assemblies), assemblies }
    }

    /// Goes on to the next variant of a step; `error` is why this one is not used.
    fn give_up(&mut self, position: usize, error: Error) -> Result<(), Error> {
        if self.settled.contains(&position) {
            return Err(error);
        }
        let order = &self.order[position];
        let tried = order.iter().position(|&variant| variant == self.chosen[position].variant);
        let left = tried.and_then(|tried| order.get(tried + 1..)).unwrap_or_default();
        if let Some(next) = self.fitting(position, left) {
            self.chosen[position] = next;
            return Ok(());
        }
        // None is right; one may be on finite values.
        let Some((variant, what)) = self.finite.remove(&position) else { return Err(error) };
        self.chosen[position] = self.candidate(position, variant);
        self.settled.insert(position);
        self.device.settle(&self.steps[position], &self.chosen[position].assemblies, &what);
        Ok(())
    }

    /// Verifies candidates until one of each step has passed.
    fn prove(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let pending = self.pending()?;
            if pending.is_empty() {
                break;
            }
            let candidates = pending.iter().map(|&position| &self.chosen[position]);
            self.device.compile_all(candidates.flat_map(|candidate| &candidate.assemblies));
            let mut compiled = Vec::new();
            for position in pending {
                if self.is_compiled(position)? {
                    compiled.push(position);
                    self.counted.insert(self.chosen[position].key);
                }
            }
            let compiled: Vec<&Candidate> = compiled.iter().map(|&p| &self.chosen[p]).collect();
            self.device.prove(self.steps, &compiled)?;
        }
        let elapsed = started.elapsed();
        log::debug!("kernels for {} were looked at in {elapsed:.1?}", self.device.name());
        self.device.note(|proofs| proofs.seconds += elapsed.as_secs_f64());
        Ok(())
    }

    /// Gives up what has failed; returns the steps whose candidates are to be verified, one of each
    /// key.
    fn pending(&mut self) -> Result<Vec<usize>, Error> {
        let mut pending: BTreeMap<Key, usize> = BTreeMap::new();
        for (position, step) in self.steps.iter().enumerate() {
            loop {
                let key = self.chosen[position].key;
                if self.chosen[position].assemblies.is_empty() || self.settled.contains(&position) {
                    break;
                }
                if let Some(error) = self.refused.get(&key).cloned() {
                    self.give_up(position, error)?;
                    continue;
                }
                if is_undefined(step) {
                    if self.counted.insert(key) {
                        self.device.mark_undefined(step);
                    }
                    break;
                }
                match self.device.entry(key) {
                    None => {
                        pending.entry(key).or_insert(position);
                        break;
                    }
                    Some(Entry::Proved) => {
                        if let Some((variant, what)) = self.finite.remove(&position) {
                            let other = self.candidate(position, variant);
                            self.device.quarantine(step, &other.assemblies, &what);
                        }
                        if self.counted.insert(key) {
                            self.device.note(|proofs| proofs.known += 1);
                        }
                        break;
                    }
                    Some(Entry::Finite(what)) => {
                        if self.counted.insert(key) {
                            self.device.note(|proofs| proofs.known += 1);
                        }
                        let variant = self.chosen[position].variant;
                        self.finite.entry(position).or_insert((variant, what.clone()));
                        self.give_up(position, self.device.untrusted(step, what))?;
                    }
                    Some(Entry::Failed(what)) => {
                        if self.counted.insert(key) {
                            self.device.quarantine(step, &self.chosen[position].assemblies, &what);
                        }
                        self.give_up(position, self.device.untrusted(step, what))?;
                    }
                }
            }
        }
        Ok(pending.into_values().collect())
    }

    /// Chooses trusted modules for every candidate that gave the same bits with them.
    fn choose_modules(&mut self) {
        for (candidate, step) in self.chosen.iter_mut().zip(self.steps) {
            if !self.device.may_trust(&candidate.assemblies) {
                continue;
            }
            let key = candidate.trusted_key();
            let module = match self.device.entry(key) {
                Some(Entry::Proved) if !self.refused.contains_key(&key) => ModuleKind::Trusted,
                Some(Entry::Failed(what)) => {
                    self.device.distrust(step, &candidate.assemblies, &what);
                    ModuleKind::Checked
                }
                _ => ModuleKind::Checked,
            };
            candidate.assemblies = with_modules(&candidate.assemblies, module);
        }
    }

    /// Compiles the shaders of all candidates; where that fails checked modules or the next variant
    /// take their place, and the answer is no.
    fn compile(&mut self) -> Result<bool, Error> {
        self.device.compile_all(self.chosen.iter().flat_map(|candidate| &candidate.assemblies));
        let mut all = true;
        for position in 0..self.chosen.len() {
            if !self.is_compiled(position)? {
                all = false;
                let key = self.chosen[position].key;
                if let Some(error) = self.refused.get(&key).cloned() {
                    self.give_up(position, error)?;
                }
            }
        }
        Ok(all)
    }

    /// Compiles the shaders of a candidate; what is refused is marked as such.
    fn is_compiled(&mut self, position: usize) -> Result<bool, Error> {
        let candidate = &self.chosen[position];
        let assemblies = &candidate.assemblies;
        let is_trusted = assemblies.iter().any(|a| a.module == ModuleKind::Trusted);
        let key = if is_trusted { candidate.trusted_key() } else { candidate.key };
        if self.refused.contains_key(&key) {
            return Ok(false);
        }
        let compile = |assembly: &Assembly| {
            check_bindings(self.device, assembly)?;
            self.device.pipeline(assembly).map(drop)
        };
        match assemblies.iter().try_for_each(compile) {
            Ok(()) => Ok(true),
            Err(error @ Error::Compile(CompileError::Shader { .. })) => {
                let what = error.to_string();
                let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
                if is_trusted {
                    self.device.distrust(&self.steps[position], assemblies, &what);
                } else {
                    self.device.quarantine(&self.steps[position], assemblies, &what);
                }
                self.refused.insert(key, error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether there is no reference for its results.
pub(super) fn is_undefined(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Kernel { kernel, .. } if !kernel.is_defined())
}
