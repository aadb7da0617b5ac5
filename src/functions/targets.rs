//! Checks of the targets of losses: equal shapes, and labels that are classes.

use super::precision::loss_in_f32;
use crate::{
    error::OpError,
    graph::{Tensor, indices::Which},
    shape::{AxisError, resolve_axis},
};

/// Calculates `body` of predictions and targets in f32, as [`loss_in_f32`] does.
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
        None => loss_in_f32(function, [x, target], body),
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

/// The axis of the classes of logits: the given one, else the last.
///
/// # Errors
///
/// Recorded in the name of `function`: [`AxisError::Ambiguous`] if none is given and the targets fit
/// logits with classes on axis 1 as well, as PyTorch has them.
#[track_caller]
pub(crate) fn class_axis<'g>(
    function: &'static str,
    [logits, targets]: [Tensor<'g>; 2],
    axis: Option<i32>,
) -> Result<i32, Tensor<'g>> {
    let rank = logits.rank();
    if axis.is_some() || logits.failed() || targets.failed() || rank < 3 {
        return Ok(axis.unwrap_or(-1));
    }
    let fits = |axis: usize| logits.shape().without(&[axis]) == targets.shape();
    let ambiguous = if targets.dtype().is_float() {
        targets.shape() == logits.shape()
    } else {
        fits(1) && fits(rank - 1)
    };
    if ambiguous {
        let reason = AxisError::Ambiguous { axes: [1, rank - 1] };
        return Err(logits.graph().refuse(function, &[logits, targets], reason));
    }
    Ok(-1)
}

impl<'g> Tensor<'g> {
    /// The same elements with the classes on the last axis.
    ///
    /// # Errors
    ///
    /// Recorded in the name of `function`: [`OpError::Rank`] of a scalar, [`OpError::Axis`].
    #[track_caller]
    pub(crate) fn with_classes_last(self, function: &'static str, axis: i32) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        let Some(last) = self.rank().checked_sub(1) else {
            return self.graph().refuse(function, &[self], OpError::Rank { least: 1 });
        };
        match resolve_axis(axis, self.rank()) {
            Ok(axis) if axis == last => self,
            Ok(axis) => {
                let others = (0..=last).filter(|&other| other != axis);
                self.transpose(others.chain([axis]).collect::<Vec<_>>())
            }
            Err(reason) => self.graph().refuse(function, &[self], reason),
        }
    }

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
