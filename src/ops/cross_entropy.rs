//! Cross-entropy of rows of logits against class indices.

use super::*;
use super::{
    rows::{EXP_WORK, Rows, exp_sum, exponentials, row_max, row_sum},
    softmax::log_accuracy,
};
use crate::ops::kernel::shader_file;
use crate::{dtype::DType, shape::Shape};

/// `y[..] = log(sum_j exp(x[.., j])) - x[.., label]`, and NaN where the label is not a class.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy;

/// Cotangent of the logits of [`CrossEntropy`]: `ct (softmax(x) - onehot(label))`, and NaN where
/// the label is not a class. Operands: logits, labels, cotangents of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropyGrad;

impl<'g> Tensor<'g> {
    /// [`cross_entropy`](Self::cross_entropy) of each row, along the last axis.
    #[track_caller]
    pub(crate) fn cross_entropy_of_rows(self, labels: Tensor<'g>) -> Tensor<'g> {
        self.graph.push(CrossEntropy, &[self, labels])
    }
}

/// The shape of the result: that of the logits without the last axis.
fn infer_rows(logits: &Meta, labels: &Meta) -> Result<Shape, OpError> {
    let Some(last) = logits.shape.rank().checked_sub(1) else {
        return Err(OpError::Rank { least: 1 });
    };
    let rows = logits.shape.without(&[last]);
    if !logits.dtype.is_float() {
        return Err(OpError::DType(logits.dtype));
    }
    if labels.dtype != DType::U32 {
        return Err(OpError::DType(labels.dtype));
    }
    if labels.shape != rows {
        return Err(OpError::Target(rows));
    }
    if logits.shape.dims()[last] == 0 && !rows.is_empty() {
        return Err(OpError::Empty);
    }
    Ok(rows)
}

fn rows_of(logits: &Meta, labels: &Meta) -> Rows {
    let cols = logits.shape.dims().last().copied().unwrap_or(1);
    Rows { rows: labels.shape.len() as u32, cols: cols as u32 }
}

/// A mask of the label of each row.
fn hot<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    logits.graph.iota(logits.shape(), -1, DType::U32).equal(labels.unsqueeze(-1))
}

/// 1 for rows whose label is a class, and NaN for others: a factor, so that derivatives have it too.
fn or_nan<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    labels.nan_unless_below(logits.dim(-1), logits.dtype())
}

impl std::fmt::Display for CrossEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cross_entropy")
    }
}

impl composite::Composite for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [logits, labels] = operands else { unreachable!("it has two operands") };
        infer_rows(logits, labels).map(|rows| Meta::new(rows, logits.dtype))
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [logits, labels] = *operands else { unreachable!("it has two operands") };
        Some(vec![Some(ct.graph.push(CrossEntropyGrad, &[logits, labels, ct])), None])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [logits, labels] = *operands else { unreachable!("it has two operands") };
        let z = logits.less_its_max(logits.rank() - 1);
        let picked = hot(logits, labels).select(z, z.full_like(0.0)).sum(-1);
        (z.exp().sum(-1).log() - picked) * or_nan(logits, labels)
    }

    fn has_kernel(&self, _: &[&Meta], _: &Meta) -> bool {
        true
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = rows_of(operands[0], operands[1]);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start..).zip(out) {
                let x = rows.row(operands[0], row);
                let max = row_max(x);
                let loss = x
                    .get(operands[1][row] as usize)
                    .map_or(f32::NAN, |picked| math::log(exp_sum(x, max)) - (picked - max));
                *y = loss.to_bits();
            }
        };
        let file = shader_file!("cross_entropy", ["exp", "log", "nan", "rows"]);
        let work = rows.cols as usize * (EXP_WORK + 2);
        // Some labels are not a class.
        let classes = Domain::Below(rows.cols + 1);
        let probe = Probe::new(CrossEntropy, operands, log_accuracy(rows.cols as usize).0)
            .along_all(0..operands[1].shape.rank())
            .operand(1, classes);
        Some(rows.kernel(file, 1, work.max(1), compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Maximum, difference, exponential, sum.
        Cost { flops: 4.0 * operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], classes| {
            let (cols, rows) = dims.split_last().expect("there is a row");
            let operands = [Meta::new(dims, DType::F32), Meta::new(rows, DType::U32)];
            let (bound, reason) = log_accuracy(*cols);
            Sample::new(CrossEntropy, operands)
                .operand(1, Domain::Below(classes))
                .bound(bound, reason)
        };
        let samples = vec![
            of(&[4, 7], 7),
            of(&[2, 3, 5], 5).named("two axes of rows"),
            of(&[1000], 1000).named("one long row"),
            of(&[3, 1], 1).named("one class"),
            of(&[0, 3], 3).named("no rows"),
            of(&[9, 3], 6).without_gradient().named("labels out of range"),
            of(&[3, 257], 257)
                .operand(0, Domain::Range(-1000.0, 1000.0))
                .bound(Bound::Abs(3e-4), "losses below 2000, rounded twice, and the logarithm")
                .without_gradient()
                .named("large"),
        ];
        with_halves(samples, &["", "one long row", "labels out of range", "large"])
    }
}

/// Error bound of the gradient, and its justification.
fn grad_accuracy(cols: usize) -> (Bound, &'static str) {
    let reason = "results below 1, a dozen roundings of 2^-24 at most, and those of a lane";
    (Bound::Abs(1e-6 + 4e-9 * cols as f64), reason)
}

impl std::fmt::Display for CrossEntropyGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cross_entropy_grad")
    }
}

impl composite::Composite for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [logits, labels, ct] = operands else { unreachable!("it has three operands") };
        let rows = infer_rows(logits, labels)?;
        if ct.dtype != logits.dtype {
            return Err(OpError::DTypes);
        }
        if ct.shape != rows {
            return Err(OpError::Target(rows));
        }
        Ok(logits.clone())
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [logits, labels, ct] = *operands else { unreachable!("it has three operands") };
        let onehot = hot(logits, labels).select(1.0, logits.full_like(0.0));
        let ct = (ct * or_nan(logits, labels)).unsqueeze(-1);
        (logits.softmax(-1) - onehot) * ct
    }

    fn has_kernel(&self, _: &[&Meta], _: &Meta) -> bool {
        true
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = rows_of(operands[0], operands[1]);
        let cols = rows.cols as usize;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start / cols..).zip(out.chunks_exact_mut(cols)) {
                let x = rows.row(operands[0], row);
                let y: &mut [f32] = bytemuck::cast_slice_mut(y);
                let label = operands[1][row] as usize;
                if label >= cols {
                    y.fill(f32::NAN);
                    continue;
                }
                let ct = f32::from_bits(operands[2][row]);
                exponentials(x, row_max(x), y);
                let sum = row_sum(y);
                let hot = ct * (y[label] / sum - 1.0);
                y.iter_mut().for_each(|y| *y = ct * (*y / sum));
                y[label] = hot;
            }
        };
        let file = shader_file!("cross_entropy_grad", ["exp", "nan", "rows"]);
        let probe = Probe::new(CrossEntropyGrad, operands, grad_accuracy(cols).0)
            .along_all(0..operands[1].shape.rank())
            .operand(1, Domain::Below(rows.cols + 1));
        Some(rows.kernel(file, cols, EXP_WORK + 6, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Maximum, difference, exponential, sum, quotient, difference, product.
        Cost::elementwise(7.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], classes| {
            let (cols, rows) = dims.split_last().expect("there is a row");
            let operands = [
                Meta::new(dims, DType::F32),
                Meta::new(rows, DType::U32),
                Meta::new(rows, DType::F32),
            ];
            let (bound, reason) = grad_accuracy(*cols);
            Sample::new(CrossEntropyGrad, operands)
                .operand(1, Domain::Below(classes))
                .bound(bound, reason)
        };
        let samples = vec![
            of(&[4, 7], 7),
            of(&[2, 3, 5], 5).named("two axes of rows"),
            of(&[1000], 1000).named("one long row"),
            of(&[3, 1], 1).named("one class"),
            of(&[0, 3], 3).named("no rows"),
            of(&[9, 3], 6).without_gradient().named("labels out of range"),
            of(&[3, 257], 257)
                .operand(0, Domain::Range(-1000.0, 1000.0))
                .without_gradient()
                .named("large"),
        ];
        with_halves(samples, &["", "one long row", "labels out of range"])
    }
}
