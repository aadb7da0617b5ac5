//! What checks of an operation of another crate found.

use super::{Check, Counterexample, Outcome};
use crate::ops::contract::Sample;

/// What a check found on all samples.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checked {
    /// The check.
    pub check: Check,
    /// Number of samples that passed.
    pub passed: usize,
    /// Number of samples of element types that it is not for.
    pub unsupported: usize,
    /// The samples that failed.
    pub failed: Vec<Sample>,
    /// The first of these, and the smallest sample that fails like it.
    pub counterexample: Option<Counterexample>,
}

impl Checked {
    /// Asks all samples; the first that fails is shrunk.
    pub(super) fn new(check: Check, samples: &[Sample]) -> Self {
        let (mut passed, mut unsupported, mut failed, mut first) = (0, 0, vec![], None);
        for sample in samples {
            match check.run(sample) {
                Outcome::Passed(_) => passed += 1,
                Outcome::Inapplicable => {}
                Outcome::Unsupported => unsupported += 1,
                Outcome::Failed(failure) => {
                    failed.push(sample.clone());
                    first.get_or_insert((sample, failure));
                }
            }
        }
        let counterexample = first.map(|(sample, failure)| sample.shrunk(&check, failure));
        Checked { check, passed, unsupported, failed, counterexample }
    }

    /// Whether no sample failed, and not all had nothing to check.
    pub fn passes(&self) -> bool {
        self.failed.is_empty() && self.passed + self.unsupported > 0
    }
}

/// What the checks of an operation found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpReport {
    /// Name of the operation.
    pub op: &'static str,
    /// Each check on each device.
    pub parts: Vec<Checked>,
    /// What the operation or its checks lack, so that nothing was run.
    pub lack: Option<&'static str>,
}

impl OpReport {
    /// Whether all checks passed.
    pub fn passes(&self) -> bool {
        self.lack.is_none() && self.parts.iter().all(Checked::passes)
    }
}

impl std::fmt::Display for OpReport {
    /// What failed, a check after another; or how many samples passed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(lack) = self.lack {
            return write!(f, "{}: {lack}", self.op);
        }
        for (number, part) in self.parts.iter().enumerate() {
            let (before, Checked { check, passed, .. }) =
                (if number > 0 { "\n" } else { "" }, part);
            write!(f, "{before}{}, {check}: {passed} samples passed", self.op)?;
            match &part.counterexample {
                Some(first) => write!(f, ", {} failed\n{first}", part.failed.len())?,
                None if part.unsupported > 0 => {
                    write!(f, ", {} are of types that it is not for", part.unsupported)?;
                }
                None if *passed == 0 => {
                    f.write_str(": no sample has anything to check (is one of floats?)")?;
                }
                None => {}
            }
            for other in part.failed.iter().skip(1) {
                write!(f, "\nFAILED too: {other}")?;
            }
        }
        Ok(())
    }
}
