//! A sample that fails, as it is reported.

use super::{Check, Failure};
use crate::ops::contract::Sample;

/// A sample that fails, and the smallest one that fails in the same way:
/// [`Sample::shrunk`](super::Sample::shrunk).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counterexample {
    /// The check that they fail.
    pub check: Check,
    /// The sample that was found to fail.
    pub found: Sample,
    /// How that one fails.
    pub found_failure: Failure,
    /// The smallest sample, which is `found` if nothing smaller fails.
    pub smallest: Sample,
    /// How the smallest one fails.
    pub failure: Failure,
    /// Number of smaller samples that were run.
    pub attempts: usize,
    /// Whether the search came to its end: none with one extent less fails.
    pub is_smallest: bool,
}

impl Counterexample {
    /// A sample that fails a check, for which no smaller one is looked for.
    pub fn new(sample: &Sample, check: &Check, failure: Failure) -> Self {
        Counterexample {
            check: check.clone(),
            found: sample.clone(),
            found_failure: failure.clone(),
            smallest: sample.clone(),
            failure,
            attempts: 0,
            is_smallest: false,
        }
    }
}

impl std::fmt::Display for Counterexample {
    /// Everything needed to run it again: both samples, the bound, and the operands of the smaller
    /// one with their seeds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counterexample { check, found, smallest, failure, attempts, .. } = self;
        write!(f, "FAILED {check}: {found}\n  {}", self.found_failure)?;
        let [found, smallest_name] = [found, smallest].map(Sample::to_string);
        if found != smallest_name {
            let rest = if self.is_smallest { "" } else { ", and there may be a smaller one" };
            write!(f, "\nSMALLEST of {attempts} tried{rest}: {smallest_name}\n  {failure}")?;
        }
        if let Some(bound) = check.bound(smallest) {
            write!(f, "\n  bound {bound}")?;
        }
        for operand in operands(smallest) {
            write!(f, "\n  {operand}")?;
        }
        Ok(())
    }
}

/// Operands as they are printed: type, domain, seed and the first values.
fn operands(sample: &Sample) -> Vec<String> {
    const SHOWN: usize = 32;
    let values = sample.values().into_iter().zip(&sample.operands).enumerate();
    let line = values.map(|(index, (value, (meta, domain)))| {
        let shown = &value.data[..value.data.len().min(SHOWN)];
        let more = if value.data.len() > SHOWN { " and so on" } else { "" };
        format!("operand {index}: {meta} of {domain:?}, seed {}: {shown:?}{more}", index + 1)
    });
    line.collect()
}
