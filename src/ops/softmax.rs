//! Softmax and log-softmax along one axis.

use super::rows::{EXP_WORK, Rows, exp_sum, exponentials, row_max, row_sum};
use super::*;
use crate::ops::kernel::shader_file;
use crate::{
    dtype::DType,
    shape::{AxisError, resolve_axis},
};

/// `y[i] = exp(x[i] - m) / sum_j exp(x[j] - m)`, with `m` the maximum along the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    pub(crate) axis: usize,
}

/// `y[i] = x[i] - m - log(sum_j exp(x[j] - m))`, with `m` the maximum along the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSoftmax {
    pub(crate) axis: usize,
}

impl<'g> Tensor<'g> {
    /// Softmax along `axis`: exponentials scaled to sum to one.
    ///
    /// `y[i] = exp(x[i] - m) / sum_j exp(x[j] - m)` with `m = max_j x[j]`. Subtracting the
    /// maximum leaves the value unchanged and keeps the exponential from overflowing.
    ///
    /// # Numerics
    ///
    /// A line that contains NaN or infinity, or only negative infinity, becomes NaN.
    ///
    /// # Gradient
    ///
    /// `y (ct - sum_j ct[j] y[j])`
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats.
    #[track_caller]
    pub fn softmax(self, axis: i32) -> Tensor<'g> {
        match resolve_axis(axis, self.rank()) {
            Ok(axis) => self.graph.push(Softmax { axis }, &[self]),
            Err(reason) => self.graph.refuse("softmax", &[self], reason),
        }
    }

    /// Logarithm of the softmax along `axis`, without computing the softmax.
    ///
    /// `y[i] = x[i] - m - log(sum_j exp(x[j] - m))` with `m = max_j x[j]`.
    ///
    /// # Numerics
    ///
    /// A line that contains NaN or infinity, or only negative infinity, becomes NaN.
    ///
    /// # Gradient
    ///
    /// `ct - exp(y) sum_j ct[j]`
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats.
    #[track_caller]
    pub fn log_softmax(self, axis: i32) -> Tensor<'g> {
        match resolve_axis(axis, self.rank()) {
            Ok(axis) => self.graph.push(LogSoftmax { axis }, &[self]),
            Err(reason) => self.graph.refuse("log_softmax", &[self], reason),
        }
    }

    /// `x - max x` along `axis`; the maximum is a constant for the derivative, since no softmax
    /// depends on it.
    #[track_caller]
    pub(super) fn less_its_max(self, axis: usize) -> Tensor<'g> {
        self - self.amax_keepdims(axis as i32).detach()
    }
}

/// Error bound of a softmax of `cols` numbers below 1, and its justification.
fn accuracy(cols: usize) -> (Bound, &'static str) {
    let reason = "difference, exponential and quotient: 2, 2 and 3 roundings, and those of a lane";
    (Bound::Ulp(12 + (cols / 16) as u32), reason)
}

/// Error bound of a log-softmax, and so of a cross-entropy, and its justification.
pub(super) fn log_accuracy(cols: usize) -> (Bound, &'static str) {
    let reason = "results below 10, a few roundings of 2^-21 at most, and those of a lane";
    (Bound::Abs(4e-6 + 4e-9 * cols as f64), reason)
}

fn infer(operands: &[Meta], axis: usize) -> Result<Meta, OpError> {
    let x = &operands[0];
    let rank = x.shape.rank();
    if axis >= rank {
        return Err(AxisError::missing(axis, rank).into());
    }
    if x.dtype.is_float() { Ok(x.clone()) } else { Err(OpError::DType(x.dtype)) }
}

impl std::fmt::Display for Softmax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "softmax[{}]", self.axis)
    }
}

impl composite::Composite for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        infer(operands, self.axis)
    }

    fn vjp<'g>(
        &self,
        _: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [y, ct] = [y, ct].map(Tensor::widened);
        Some(vec![Some(y * (ct - (ct * y).sum_keepdims(self.axis as i32)))])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let x = operands[0];
        if x.shape().is_empty() {
            return x; // There is no maximum to subtract.
        }
        let e = x.less_its_max(self.axis).exp();
        e / e.sum_keepdims(self.axis as i32)
    }

    fn has_kernel(&self, operands: &[&Meta], _: &Meta) -> bool {
        Rows::along(operands[0], self.axis).is_some()
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = Rows::along(operands[0], self.axis)?;
        let cols = rows.cols as usize;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start / cols..).zip(out.chunks_exact_mut(cols)) {
                let x = rows.row(operands[0], row);
                let y: &mut [f32] = bytemuck::cast_slice_mut(y);
                exponentials(x, row_max(x), y);
                let sum = row_sum(y);
                y.iter_mut().for_each(|y| *y /= sum);
            }
        };
        let file = shader_file!("softmax", ["exp", "rows"]);
        let probe = Probe::new(self.clone(), operands, accuracy(cols).0)
            .along_all((0..operands[0].shape.rank()).filter(|&axis| axis != self.axis));
        Some(rows.kernel(file, cols, EXP_WORK + 4, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Maximum, difference, exponential, sum, quotient.
        Cost::elementwise(5.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of =
            |dims: &[usize], axis| Sample::new(Softmax { axis }, [Meta::new(dims, DType::F32)]);
        let near = |dims: &[usize], axis: usize| {
            let (bound, reason) = accuracy(dims[axis]);
            of(dims, axis).bound(bound, reason)
        };
        let samples = vec![
            near(&[4, 7], 1),
            near(&[3, 5, 2], 1).named("middle axis"),
            near(&[7, 3], 0).named("columns"),
            near(&[5, 1], 1).named("rows of one"),
            near(&[2, 3, 1], 1).named("behind it extents of 1"),
            near(&[0, 3], 1).named("no rows"),
            near(&[3, 0], 1).named("empty rows"),
            near(&[2, 1000], 1).named("long rows"),
            of(&[29, 257], 1)
                .operand(0, Domain::Range(-1000.0, 1000.0))
                .bound(Bound::Abs(1e-6), "d exp(-d) < 0.4 times the rounding of d, and 10 more")
                .without_gradient()
                .named("large"),
            of(&[2, 4], 1)
                .operand(0, Domain::Values(&[0.5, f64::NEG_INFINITY, -3e38, 0.25]))
                .bound(Bound::Abs(1e-6), "a masked element is exactly 0")
                .without_gradient()
                .named("masked"),
        ];
        with_halves(samples, &["", "middle axis", "columns", "long rows", "large", "masked"])
    }
}

impl std::fmt::Display for LogSoftmax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log_softmax[{}]", self.axis)
    }
}

impl composite::Composite for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        infer(operands, self.axis)
    }

    fn vjp<'g>(
        &self,
        _: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [y, ct] = [y, ct].map(Tensor::widened);
        Some(vec![Some(ct - y.exp() * ct.sum_keepdims(self.axis as i32))])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let x = operands[0];
        if x.shape().is_empty() {
            return x; // There is no maximum to subtract.
        }
        let z = x.less_its_max(self.axis);
        z - z.exp().sum_keepdims(self.axis as i32).log()
    }

    fn has_kernel(&self, operands: &[&Meta], _: &Meta) -> bool {
        Rows::along(operands[0], self.axis).is_some()
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = Rows::along(operands[0], self.axis)?;
        let cols = rows.cols as usize;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start / cols..).zip(out.chunks_exact_mut(cols)) {
                let x = rows.row(operands[0], row);
                let max = row_max(x);
                let log_sum = math::log(exp_sum(x, max));
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (x - max - log_sum).to_bits();
                }
            }
        };
        let file = shader_file!("log_softmax", ["exp", "log", "rows"]);
        let probe = Probe::new(self.clone(), operands, log_accuracy(cols).0)
            .along_all((0..operands[0].shape.rank()).filter(|&axis| axis != self.axis));
        Some(rows.kernel(file, cols, EXP_WORK + 4, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Maximum, difference, exponential, sum, difference.
        Cost::elementwise(5.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], axis: usize| {
            let (bound, reason) = log_accuracy(dims[axis]);
            Sample::new(LogSoftmax { axis }, [Meta::new(dims, DType::F32)]).bound(bound, reason)
        };
        let samples = vec![
            of(&[4, 7], 1),
            of(&[3, 5, 2], 1).named("middle axis"),
            of(&[7, 3], 0).named("columns"),
            of(&[5, 1], 1).named("rows of one"),
            of(&[0, 3], 1).named("no rows"),
            of(&[3, 0], 1).named("empty rows"),
            of(&[2, 1000], 1).named("long rows"),
            of(&[29, 257], 1)
                .operand(0, Domain::Range(-1000.0, 1000.0))
                .bound(Bound::Abs(3e-4), "results below 2000, rounded twice, and the logarithm")
                .without_gradient()
                .named("large"),
            of(&[2, 4], 1)
                .operand(0, Domain::Values(&[0.5, f64::NEG_INFINITY, -80.0, 0.25]))
                .bound(Bound::Abs(2e-5), "results below 81 but for one that is infinite")
                .without_gradient()
                .named("masked"),
        ];
        with_halves(samples, &["", "columns", "long rows", "large", "masked"])
    }
}
