//! Sorting.

use super::definition::{by_rows, f32s};
use crate::{
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Domain, Function, Sample},
};

impl<'g> Tensor<'g> {
    /// Sorts the elements along `axis`, in the order of [`Tensor::argsort`].
    ///
    /// # Gradient
    ///
    /// The cotangent, moved back to the original positions.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    ///
    /// # Source
    ///
    /// PyTorch's `sort`.
    #[track_caller]
    pub fn sort(self, axis: i32, descending: bool) -> Tensor<'g> {
        self.take_along_axis(self.argsort(axis, descending), axis)
    }

    /// The `k` largest elements along `axis` in descending order, and their indices, as u32. The
    /// first of equal elements comes first; NaN counts as the largest, as in PyTorch. For the
    /// smallest see [`bottom_k`](Self::bottom_k).
    ///
    /// # Gradient
    ///
    /// Elements get their cotangents at their original positions; indices have none.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Range`] if there are fewer.
    ///
    /// # Source
    ///
    /// PyTorch's `topk`.
    #[doc(alias = "topk")]
    #[track_caller]
    pub fn top_k(self, k: usize, axis: i32) -> (Tensor<'g>, Tensor<'g>) {
        self.sorted_k("top_k", k, axis, true)
    }

    /// The `k` smallest elements along `axis` in ascending order, and their indices, as u32. The
    /// first of equal elements comes first; NaN counts as the largest, as in PyTorch.
    ///
    /// # Gradient
    ///
    /// Elements get their cotangents at their original positions; indices have none.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Range`] if there are fewer.
    ///
    /// # Source
    ///
    /// PyTorch's `topk` with `largest=False`.
    #[doc(alias("topk", "largest", "min_k"))]
    #[track_caller]
    pub fn bottom_k(self, k: usize, axis: i32) -> (Tensor<'g>, Tensor<'g>) {
        self.sorted_k("bottom_k", k, axis, false)
    }

    #[track_caller]
    fn sorted_k(
        self,
        function: &'static str,
        k: usize,
        axis: i32,
        descending: bool,
    ) -> (Tensor<'g>, Tensor<'g>) {
        let extent = self.dim(axis);
        if k > extent {
            let reason = OpError::Range { start: 0, end: k, step: 1, extent };
            let failed = self.graph().refuse(function, &[self], reason);
            return (failed, failed);
        }
        let indices = self.argsort(axis, descending).slice(axis, ..k);
        (self.take_along_axis(indices, axis), indices)
    }
}

/// Sorts in increasing order.
pub(super) fn sorted(row: &[f64]) -> Vec<f64> {
    let mut row = row.to_vec();
    row.sort_by(f64::total_cmp);
    row
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let sort = |descending: bool| {
        Function::new(
            "sort",
            move |x| x[0].sort(1, descending),
            move |x| {
                by_rows(x[0], 7, |row| {
                    if descending { sorted(row).into_iter().rev().collect() } else { sorted(row) }
                })
            },
        )
    };
    let top = Function::new(
        "top_k",
        |x| x[0].top_k(3, 1).0,
        |x| by_rows(x[0], 3, |row| sorted(row).into_iter().rev().take(3).collect()),
    );
    let bottom = Function::new(
        "bottom_k",
        |x| x[0].bottom_k(3, 1).0,
        |x| by_rows(x[0], 3, |row| sorted(row).into_iter().take(3).collect()),
    );
    let rows = |function| {
        let sample = Sample::new(function, [f32s(&[3, 7])]).operand(0, Domain::Distinct);
        sample.bound(Bound::Exact, "moves elements")
    };
    vec![rows(sort(false)), rows(sort(true)), rows(top), rows(bottom)]
}
