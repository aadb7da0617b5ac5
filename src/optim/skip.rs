//! Steps that are skipped.

use super::optimizer::{Adaptor, Optimizer, Update};
use crate::nn::Scope;

/// Skips steps in which a gradient is NaN or infinite, and counts them in `skipped`, in u32.
///
/// Gradients are judged as they come, before any adaptor has changed them. A step that is skipped changes
/// no variable of the program: no parameter, no moment, no average, no running statistic. Random numbers
/// go on, so the next step draws others.
#[doc(alias("NaN", "apply_if_finite", "GradScaler"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkipNonFinite;

impl Adaptor for SkipNonFinite {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        inner.step(state, updates);
    }

    fn skips_non_finite(&self) -> bool {
        true
    }
}
