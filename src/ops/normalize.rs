//! Normalization to mean 0 and variance 1 along axes: the common part of layer, group, batch and
//! RMS normalization.
//!
//! Scale and shift are separate products and sums, which the scheduler fuses into the same
//! step.

use super::kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold, shader_file};
use super::{rows::row_sum, *};
use crate::ops::params::params;
use crate::{
    dtype::DType,
    shape::{Axes, AxisError},
};

/// `(x - m) / sqrt(v + eps)`, with `m` the mean along the axes, or 0, and `v` the mean of
/// `(x - m)^2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// In increasing order.
    pub(crate) axes: Vec<usize>,
    pub(crate) eps: f64,
    /// Whether the mean is subtracted.
    pub(crate) centered: bool,
}

/// The cotangent of `x` in [`Normalize`], from `(x, ct)`.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalizeGrad(pub(crate) Normalize);

impl<'g> Tensor<'g> {
    /// Normalizes to mean 0 and variance 1 along `axes`.
    ///
    /// `(x - m) / sqrt(v + eps)` with `m` the mean along the axes and `v` the mean of `(x - m)^2`.
    ///
    /// # Numerics
    ///
    /// `m` is the mean of differences from the first element, so that little is lost where the mean
    /// is far from 0.
    ///
    /// # Gradient
    ///
    /// `(ct - mean ct - y mean (ct y)) / sqrt(v + eps)`
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats;
    /// [`OpError::Number`] if `eps` is negative or NaN.
    #[doc(alias = "standardize")]
    #[track_caller]
    pub fn normalize(self, axes: impl Axes, eps: f64) -> Tensor<'g> {
        self.normalize_as("normalize", axes, eps, true)
    }

    /// Normalizes to mean square 1 along `axes`: `x / sqrt(mean x^2 + eps)`.
    ///
    /// # Gradient
    ///
    /// `(ct - y mean (ct y)) / sqrt(mean x^2 + eps)`
    ///
    /// # Errors
    ///
    /// As for [`Tensor::normalize`].
    #[track_caller]
    pub fn normalize_rms(self, axes: impl Axes, eps: f64) -> Tensor<'g> {
        self.normalize_as("normalize_rms", axes, eps, false)
    }

    #[track_caller]
    fn normalize_as(
        self,
        name: &'static str,
        axes: impl Axes,
        eps: f64,
        centered: bool,
    ) -> Tensor<'g> {
        match axes.resolve(self.rank()) {
            Ok(axes) => self.graph.push(Normalize { axes, eps, centered }, &[self]),
            Err(reason) => self.graph.refuse(name, &[self], reason),
        }
    }
}

/// The deviations from the mean along axes, and the mean, which keeps the axes with extent 1.
///
/// The mean is that of the differences from the first element: rounded to their size, not to that of
/// the elements. What is subtracted on the way cancels in every derivative.
#[track_caller]
pub(crate) fn deviations<'g>(x: Tensor<'g>, axes: &[i32]) -> [Tensor<'g>; 2] {
    let is_empty = axes.iter().any(|&axis| x.dim(axis) == 0);
    if is_empty || axes.is_empty() {
        let mean = x.mean_keepdims(axes);
        return [x - mean, mean];
    }
    let first = axes.iter().fold(x, |first, &axis| first.slice(axis, 0..1)).detach();
    let differences = x - first;
    let mean = differences.mean_keepdims(axes);
    [differences - mean, first + mean]
}

/// Values whose consecutive elements are far apart.
const SPREAD: &[f64] = &[-1.0, 0.75, -0.5, 1.0, 0.25, -0.875, 0.625, -0.25, 0.875, 0.0, 0.5];

/// f32 of 10,000 and a few units in the last place, 2^-10, more.
const NEAR_TEN_THOUSAND: &[f64] = &[
    10_000.0 + 3.0 / 1024.0,
    10_000.0,
    10_000.0 + 14.0 / 1024.0,
    10_000.0 + 1.0 / 1024.0,
    10_000.0 + 9.0 / 1024.0,
    10_000.0 - 6.0 / 1024.0,
    10_000.0 + 11.0 / 1024.0,
];

/// Error bound for rows of `cols` elements, and its justification.
fn accuracy(cols: usize) -> (Bound, &'static str) {
    let reason = "results below 4, a few roundings of 2^-22 at most, and those of a lane";
    (Bound::Abs(2e-6 + 8e-9 * cols as f64), reason)
}

/// Error bound of the gradient, and its justification.
fn grad_accuracy(cols: usize) -> (Bound, &'static str) {
    let reason = "terms below 20, a few roundings of 2^-22 of them, and those of a lane";
    (Bound::Abs(1e-5 + 4e-8 * cols as f64), reason)
}

impl Normalize {
    /// The axes as builders take them.
    fn axes(&self) -> Vec<i32> {
        self.axes.iter().map(|&axis| axis as i32).collect()
    }

    /// `x - m`, and `sqrt(v + eps)`.
    fn parts<'g>(&self, x: Tensor<'g>) -> [Tensor<'g>; 2] {
        let axes = self.axes();
        let d = if self.centered { deviations(x, &axes)[0] } else { x };
        [d, ((d * d).mean_keepdims(axes.as_slice()) + self.eps).sqrt()]
    }

    /// Number of rows and columns, if the normalized elements are contiguous.
    fn rows(&self, x: &Meta) -> Option<[usize; 2]> {
        let dims = x.shape.dims();
        let mut outside = dims.iter().enumerate().filter(|(axis, _)| !self.axes.contains(axis));
        let first = self.axes.iter().find(|&&axis| dims[axis] != 1);
        let between =
            |(axis, dim): (usize, &usize)| first.is_some_and(|&first| axis > first) && *dim != 1;
        if outside.clone().any(between) {
            return None;
        }
        let cols: usize = self.axes.iter().map(|&axis| dims[axis]).product();
        let rows = outside.try_fold(1usize, |rows, (_, dim)| rows.checked_mul(*dim))?;
        Some(if cols == 0 { [0, 0] } else { [rows, cols] })
    }

    fn row_kernel(
        &self,
        [rows, cols]: [usize; 2],
        file: ShaderFile,
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
        rank: usize,
        probe: Probe,
    ) -> Kernel {
        let params = params! { rows, cols, eps: self.eps as f32 };
        let shader = Shader {
            file,
            overrides: vec![
                ("WG_SIZE", cols.next_power_of_two().clamp(32, 256) as f64),
                ("CENTERED", f64::from(u8::from(self.centered))),
            ],
            params,
            workgroups: fold(rows),
        };
        let cpu = CpuKernel::new(cols, work, compute);
        // A few random values may be so close to each other that their differences are mostly
        // rounding error.
        let probe = match cols {
            0..16 => probe.operand(0, Domain::Values(SPREAD)),
            _ => probe,
        };
        let probe = probe.along_all((0..rank).filter(|axis| !self.axes.contains(axis)));
        Kernel::new(vec![shader], cpu, probe)
    }

    /// The mean of a row, or 0; `scratch` is as long as the row.
    fn center(&self, x: &[f32], scratch: &mut [f32]) -> Center {
        let Some(&first) = x.first().filter(|_| self.centered) else { return Center::default() };
        for (difference, x) in scratch.iter_mut().zip(x) {
            *difference = x - first;
        }
        Center { first, mean: row_sum(scratch) / x.len() as f32 }
    }

    /// `1 / sqrt(v + eps)` of a row; `scratch` is as long as the row.
    fn scale(&self, x: &[f32], center: Center, scratch: &mut [f32]) -> f32 {
        for (square, &x) in scratch.iter_mut().zip(x) {
            let d = center.deviation(x);
            *square = d * d;
        }
        1.0 / (row_sum(scratch) / x.len() as f32 + self.eps as f32).sqrt()
    }
}

/// The mean of a row, as its first element and the mean of the differences from it.
#[derive(Clone, Copy, Default)]
struct Center {
    first: f32,
    mean: f32,
}

impl Center {
    #[inline(always)]
    fn deviation(self, x: f32) -> f32 {
        (x - self.first) - self.mean
    }
}

impl std::fmt::Display for Normalize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?} eps {:e}", self.name(), self.axes, self.eps)
    }
}

impl composite::Composite for Normalize {
    fn name(&self) -> &'static str {
        if self.centered { "normalize" } else { "normalize_rms" }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        let rank = x.shape.rank();
        if let Some(&axis) = self.axes.iter().find(|&&axis| axis >= rank) {
            return Err(AxisError::missing(axis, rank).into());
        }
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            return Err(OpError::Number { what: "eps", must: "at least 0", is: self.eps });
        }
        if x.dtype.is_float() { Ok(x.clone()) } else { Err(OpError::DType(x.dtype)) }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        Some(vec![Some(ct.graph.push(NormalizeGrad(self.clone()), &[operands[0], ct]))])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [d, root] = self.parts(operands[0]);
        d / root
    }

    fn has_kernel(&self, operands: &[&Meta], _: &Meta) -> bool {
        self.rows(operands[0]).is_some()
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = self.rows(operands[0])?;
        let (op, cols) = (self.clone(), rows[1]);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let x: &[f32] = bytemuck::cast_slice(operands[0]);
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let rows = x.chunks_exact(cols).skip(start / cols);
            for (y, x) in out.chunks_exact_mut(cols).zip(rows) {
                let center = op.center(x, y);
                let scale = op.scale(x, center, y);
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = center.deviation(x) * scale);
            }
        };
        let file = shader_file!("normalize", ["rows"]);
        let probe = Probe::new(self.clone(), operands, accuracy(cols).0);
        Some(self.row_kernel(rows, file, 8, compute, operands[0].shape.rank(), probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Sum, difference, square, sum, product.
        Cost::elementwise(if self.centered { 5.0 } else { 3.0 }, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], axes: &[usize], centered| {
            let op = Normalize { axes: axes.to_vec(), eps: 1e-5, centered };
            let (bound, reason) = accuracy(axes.iter().map(|&axis| dims[axis]).product());
            Sample::new(op, [Meta::new(dims, DType::F32)]).bound(bound, reason)
        };
        let mut samples = Vec::new();
        for centered in [true, false] {
            let of = |dims: &[usize], axes: &[usize]| of(dims, axes, centered);
            samples.extend([
                of(&[4, 7], &[1]),
                of(&[2, 3, 5], &[1, 2]).named("two last axes"),
                of(&[9, 3], &[0]).named("columns"),
                of(&[3, 2, 4, 3], &[0, 2, 3]).named("all but the second"),
                of(&[3, 5, 1], &[1]).named("behind it extents of 1"),
                of(&[2, 1, 6], &[0, 2]).named("between them an extent of 1"),
                of(&[2, 1000], &[1]).named("long rows"),
                of(&[0, 3], &[1]).named("no rows"),
                of(&[3, 0], &[1]).named("empty rows"),
                of(&[2, 7], &[1])
                    .operand(0, Domain::Values(&[1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0, 7.0, 0.5]))
                    .without_gradient()
                    .named("NaN"),
            ]);
        }
        samples.extend([
            of(&[2, 257], &[1], true)
                .operand(0, Domain::Range(1000.0, 1001.0))
                .without_gradient()
                .named("far from 0"),
            of(&[3, 16], &[1], true)
                .operand(0, Domain::Values(NEAR_TEN_THOUSAND))
                .without_gradient()
                .named("apart by a few units in the last place"),
            of(&[9, 2], &[0], true)
                .operand(0, Domain::Values(NEAR_TEN_THOUSAND))
                .without_gradient()
                .named("columns apart by a few units in the last place"),
            of(&[2, 7], &[1], true)
                .operand(0, Domain::Values(&[3.0]))
                .bound(Bound::Exact, "no element differs from the first")
                .without_gradient()
                .named("all alike"),
            of(&[65_537, 3], &[1], false)
                .operand(0, Domain::Range(0.5, 1.0))
                .without_gradient()
                .named("past 65,535 groups"),
        ]);
        with_halves(samples, &["", "columns", "long rows", "NaN"])
    }
}

impl std::fmt::Display for NormalizeGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?} eps {:e}", self.name(), self.0.axes, self.0.eps)
    }
}

impl composite::Composite for NormalizeGrad {
    fn name(&self) -> &'static str {
        if self.0.centered { "normalize_grad" } else { "normalize_rms_grad" }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, ct] = operands else { unreachable!("it has two operands") };
        let y = Operation::infer(&self.0, std::slice::from_ref(x))?;
        if ct.dtype != y.dtype {
            return Err(OpError::DTypes);
        }
        if ct.shape == y.shape { Ok(y) } else { Err(OpError::Target(y.shape)) }
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [x, ct] = *operands else { unreachable!("it has two operands") };
        let axes = self.0.axes();
        let [d, root] = self.0.parts(x);
        let y = d / root;
        let along = y * (ct * y).mean_keepdims(axes.as_slice());
        let centered = if self.0.centered { ct - ct.mean_keepdims(axes.as_slice()) } else { ct };
        (centered - along) / root
    }

    fn has_kernel(&self, operands: &[&Meta], _: &Meta) -> bool {
        self.0.rows(operands[0]).is_some()
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let rows = self.0.rows(operands[0])?;
        let (op, cols) = (self.0.clone(), rows[1]);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [x, ct] = [0, 1].map(|k| bytemuck::cast_slice::<u32, f32>(operands[k]));
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let rows = x.chunks_exact(cols).zip(ct.chunks_exact(cols)).skip(start / cols);
            for (dx, (x, ct)) in out.chunks_exact_mut(cols).zip(rows) {
                let mean_ct = if op.centered { row_sum(ct) / cols as f32 } else { 0.0 };
                let center = op.center(x, dx);
                let scale = op.scale(x, center, dx);
                let y = |x: f32| center.deviation(x) * scale;
                for ((product, &x), ct) in dx.iter_mut().zip(x).zip(ct) {
                    *product = ct * y(x);
                }
                let along = row_sum(dx) / cols as f32;
                for ((dx, &x), ct) in dx.iter_mut().zip(x).zip(ct) {
                    *dx = scale * (ct - mean_ct - y(x) * along);
                }
            }
        };
        let file = shader_file!("normalize_grad", []);
        let probe = Probe::new(self.clone(), operands, grad_accuracy(cols).0);
        Some(self.0.row_kernel(rows, file, 16, compute, operands[0].shape.rank(), probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Besides those of the normalized x: two sums, two products, two differences, a quotient.
        Cost::elementwise(if self.0.centered { 12.0 } else { 8.0 }, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], axes: &[usize], centered| {
            let op = Normalize { axes: axes.to_vec(), eps: 1e-5, centered };
            let (bound, reason) = grad_accuracy(axes.iter().map(|&axis| dims[axis]).product());
            Sample::new(NormalizeGrad(op), vec![Meta::new(dims, DType::F32); 2])
                .bound(bound, reason)
        };
        let mut samples = Vec::new();
        for centered in [true, false] {
            let of = |dims: &[usize], axes: &[usize]| of(dims, axes, centered);
            samples.extend([
                of(&[4, 7], &[1]),
                of(&[2, 3, 5], &[1, 2]).named("two last axes"),
                of(&[9, 3], &[0]).named("columns"),
                of(&[3, 2, 4, 3], &[0, 2, 3]).named("all but the second"),
                of(&[2, 1000], &[1]).named("long rows"),
                of(&[0, 3], &[1]).named("no rows"),
                of(&[3, 0], &[1]).named("empty rows"),
            ]);
        }
        with_halves(samples, &["", "columns", "long rows"])
    }
}
