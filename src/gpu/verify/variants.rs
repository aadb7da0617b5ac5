//! The variants of a kernel one by one: whether each is right, and how long it takes.

use super::{batch::Outcome, prove::with_modules};
use crate::{
    backend::{Executable, RunTime},
    error::Error,
    gpu::{
        codegen::{Assembly, ModuleKind},
        device::{GpuDevice, proof_cache::Entry},
        run::GpuProgram,
    },
    proof::{Case, Isolated},
    schedule::plan::{Plan, Step},
    variables::Variables,
};
use std::sync::Arc;

/// A variant of a step that runs alone, on operands that stay on the device.
pub(crate) struct Alone {
    program: GpuProgram,
    variables: Variables,
}

impl Alone {
    /// Runs it once and waits.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    pub fn run(&self) -> Result<RunTime, Error> {
        Ok(self.program.run_timed(&mut self.variables.lock(), &[])?.1)
    }
}

/// The judgment of a variant of a step.
pub(crate) struct Judged {
    /// Its dispatches, with the modules that may serve.
    pub assemblies: Vec<Assembly>,
    pub verdict: Entry,
    /// Why its modules keep their runtime checks, if they were tried without.
    pub distrust: Option<String>,
}

impl GpuDevice {
    /// Proves a variant of a step. Nothing is recorded.
    ///
    /// # Errors
    ///
    /// Any that the device reports, and that of a shader that does not compile.
    pub(crate) fn judge_variant(&self, step: &Step, variant: usize) -> Result<Judged, Error> {
        let Outcome { checked, trusted } = self.outcome_of(step, variant)?;
        let (module, distrust) = match trusted {
            Some(Entry::Proved) => (ModuleKind::Trusted, None),
            Some(Entry::Failed(what) | Entry::Finite(what)) => (ModuleKind::Checked, Some(what)),
            None => (ModuleKind::Checked, None),
        };
        let assemblies = with_modules(&self.assembled(step, 0, variant), module);
        Ok(Judged { assemblies, verdict: checked, distrust })
    }

    /// A program of a step alone, in one of its variants and with modules of this kind.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    pub(crate) fn alone(
        &self,
        step: &Step,
        variant: usize,
        module: ModuleKind,
    ) -> Result<Alone, Error> {
        let case = Case::operands(step);
        let mut isolated = Isolated::resident();
        isolated.add(0, step.clone(), &case, case.words.clone())?;
        let plan: Arc<Plan> = isolated.plan().into();
        let program = GpuProgram::new(self, plan, |steps, partials| {
            let assembled = |step| with_modules(&self.assembled(step, partials, variant), module);
            Ok(steps.iter().map(assembled).collect())
        })?;
        Ok(Alone { program, variables: isolated.variables()? })
    }
}
