//! Steps that are skipped.

use super::{
    clip::largest,
    optimizer::{Adaptor, Optimizer, Update},
};
use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope};

/// Name of the variable that counts the steps that were skipped.
pub(crate) const SKIPPED: &str = "skipped";

/// Skips steps in which a gradient is NaN or infinite, and counts them in `skipped`, in u32.
///
/// A step that is skipped changes no variable of the program: no parameter, no moment, no step count,
/// no running statistic. Random numbers go on, so the next step draws others.
#[doc(alias("NaN", "apply_if_finite", "GradScaler"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkipNonFinite;

impl Adaptor for SkipNonFinite {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        skip_non_finite(inner, state, updates);
    }
}

/// A step that is skipped and counted unless all gradients are finite. Returns whether they are;
/// `None` if there are none.
pub(super) fn skip_non_finite<'g>(
    inner: &dyn Optimizer,
    state: &mut Scope<'g>,
    updates: &[Update<'_, 'g>],
) -> Option<Tensor<'g>> {
    let gradients: Vec<_> = updates.iter().map(|update| update.gradient).collect();
    // Of NaN this is false.
    let finite = largest(&gradients).map(|largest| largest.less(f64::INFINITY));
    inner.step(state, updates);
    let graph = state.graph();
    if let Some(finite) = finite {
        graph.assign_only_if(finite);
        let skipped = state.variable(SKIPPED, [], DType::U32, Init::Zeros);
        graph.assign(skipped, finite.select(skipped, skipped + 1u32));
    }
    finite
}
