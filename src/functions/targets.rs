//! Checks of the targets of losses: equal shapes, and labels that are classes.

use super::precision::in_f32;
use crate::{
    error::OpError,
    graph::{Tensor, indices::Which},
};

/// Calculates `body` of predictions and targets in f32, as [`in_f32`] does.
///
/// # Errors
///
/// Recorded in the name of `function`: [`OpError::Shapes`] unless the shapes are equal, or the
/// target is a single number. Broadcasting `[n, 1]` and `[n]` would make `[n, n]`.
#[track_caller]
pub(crate) fn paired<'g>(
    function: &'static str,
    [x, target]: [Tensor<'g>; 2],
    body: impl FnOnce([Tensor<'g>; 2]) -> Tensor<'g>,
) -> Tensor<'g> {
    match refuse_unequal_shapes(function, x, target) {
        Some(refused) => refused,
        None => in_f32(function, [x, target], body),
    }
}

/// The failure of `function`, unless `target` is a single number or has the shape of `x`.
#[track_caller]
pub(crate) fn refuse_unequal_shapes<'g>(
    function: &'static str,
    x: Tensor<'g>,
    target: Tensor<'g>,
) -> Option<Tensor<'g>> {
    let any_failed = x.failed() || target.failed();
    if any_failed || target.rank() == 0 || x.shape() == target.shape() {
        None
    } else {
        Some(x.graph().refuse(function, &[x, target], OpError::Shapes))
    }
}

impl<'g> Tensor<'g> {
    /// The element of each row, along the last axis, at its label. NaN if that is not a class, and
    /// that of the first class where it is `ignored`.
    ///
    /// # Errors
    ///
    /// Recorded in the name of `function`: [`OpError::Index`] for constant labels out of range;
    /// those of [`take_along_axis`](Self::take_along_axis).
    #[track_caller]
    pub(crate) fn at_labels(
        self,
        function: &'static str,
        labels: Tensor<'g>,
        ignored: Option<u32>,
    ) -> Tensor<'g> {
        let Some(last) = self.rank().checked_sub(1) else {
            return self.graph().refuse(function, &[self, labels], OpError::Rank { least: 1 });
        };
        let counted = match ignored {
            Some(ignored) => {
                let counted = counted(labels, ignored);
                labels.expect_below(function, self.dim(-1), Which::AllBut(ignored), counted)
            }
            None => labels.expect_below(function, self.dim(-1), Which::All, labels),
        };
        self.take_along_axis_or_nan(counted.unsqueeze(-1), last).squeeze(-1)
    }
}

/// Labels with class 0 where they are ignored.
#[track_caller]
pub(crate) fn counted(labels: Tensor<'_>, ignored: u32) -> Tensor<'_> {
    labels.equal(ignored).select(0u32, labels)
}
