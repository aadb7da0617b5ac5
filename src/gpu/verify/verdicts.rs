//! The verdict on every kernel of a plan, for those who ask for it and do not want to run it.

use super::prove::{is_undefined, with_modules};
use crate::{
    error::Error,
    gpu::{
        codegen::ModuleKind,
        device::{
            GpuDevice, Verification,
            proof_cache::{self, Entry},
        },
        run::GpuProgram,
    },
    schedule::plan::Plan,
};
use std::sync::Arc;

/// The verdict on a kernel that may serve.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Its results were right.
    Proved,
    /// They were right, but for those of NaN, infinities and other special values.
    Finite(String),
    /// Nobody can tell, for want of a definition.
    Undefined,
}

impl GpuDevice {
    /// Compiles a plan, every kernel proved in this process, and returns the verdicts on those that
    /// were chosen. The statistics of the device are shared with whatever else it compiles; these
    /// are not.
    ///
    /// # Errors
    ///
    /// Those of compiling the plan, that of a kernel that is not trusted among them.
    pub(crate) fn verdicts_on(&self, plan: Arc<Plan>) -> Result<Vec<Verdict>, Error> {
        let device = self.clone().with_verification(Verification::Full);
        let mut verdicts = vec![];
        GpuProgram::new(&device, plan, |steps, partials| {
            let chosen = device.trusted(steps, partials)?;
            for (step, assemblies) in steps.iter().zip(&chosen) {
                if assemblies.is_empty() {
                    continue;
                }
                let checked = with_modules(assemblies, ModuleKind::Checked);
                verdicts.push(match device.entry(proof_cache::key(&checked)) {
                    _ if is_undefined(step) => Verdict::Undefined,
                    Some(Entry::Proved) => Verdict::Proved,
                    Some(Entry::Finite(what)) => Verdict::Finite(what),
                    // Another thread proved it again, and it came out otherwise.
                    Some(Entry::Failed(what)) => return Err(device.untrusted(step, what)),
                    None => return Err(device.untrusted(step, "it was not proved".to_owned())),
                });
            }
            Ok(chosen)
        })?;
        Ok(verdicts)
    }
}
