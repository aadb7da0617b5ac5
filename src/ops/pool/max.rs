//! Max pooling.
//!
//! Three operations that differentiate into one another: the largest value of each window, the
//! cotangent scattered back to its position, and another tensor gathered at its position.

use super::{
    geometry::{Geometry, Span},
    *,
};
use crate::dtype::DType::F32;
use crate::ops::kernel::shader_file;
use std::hint::select_unpredictable;

/// The largest cell of each window of `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool {
    pub(crate) windows: Vec<Window>,
}

/// From `(x, ct)`: the cotangent of each window at its largest cell of `x`, summed over windows.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPoolGrad {
    pub(crate) windows: Vec<Window>,
}

/// From `(x, v)`: `v` at the largest cell of each window of `x`; 0 if a window has only padding.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPoolSelect {
    pub(crate) windows: Vec<Window>,
}

impl<'g> Tensor<'g> {
    /// Reads this tensor at the position of the largest element of each window of `x`.
    #[track_caller]
    pub(crate) fn max_pool_select_of(self, x: Tensor<'g>, windows: &[Window]) -> Tensor<'g> {
        self.graph.push(MaxPoolSelect { windows: windows.to_vec() }, &[x, self])
    }

    /// The largest element of each window; padding is never the largest, and NaN always is.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..spatial]` with one, two or three spatial axes, and a [`Window`] for each.
    ///
    /// # Numerics
    ///
    /// A window over nothing but padding gives negative infinity.
    ///
    /// # Gradient
    ///
    /// To the first of the largest elements in row-major order, and to the last of several NaN, as
    /// in PyTorch.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there is a window for each spatial axis; [`OpError::Number`]
    /// if an extent, a stride or a dilation is 0; [`OpError::Window`] if one is
    /// larger than the padded axis; [`OpError::Empty`] along an axis without elements;
    /// [`OpError::TooLarge`]; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's `max_pool2d`.
    #[doc(alias("max_pool2d", "max_pool1d", "max_pool3d"))]
    #[track_caller]
    pub fn max_pool(self, windows: &[Window]) -> Tensor<'g> {
        self.graph.push(MaxPool { windows: windows.to_vec() }, &[self])
    }
}

/// The definition: row-major index in `x` of the largest cell of window `c`: the first of equal
/// cells, the last of several NaN.
fn largest(windows: &[Window], x: &Array64, c: &[usize]) -> Option<usize> {
    let takes_over = |b: f64, a: f64| b.is_nan() || b > a;
    let cells = cells(windows, x.shape(), c).into_iter();
    cells.reduce(|best, cell| if takes_over(x.data[cell], x.data[best]) { cell } else { best })
}

impl Geometry {
    /// Index in its plane of the largest cell of a window.
    fn largest(&self, x: &[f32], window: [Span; 3]) -> Option<usize> {
        let mut best = self.first_cell(window)?;
        let mut value = x[best];
        // Branch-free: branches on random cells would be mispredicted.
        self.for_each_cell(window, |cell| {
            let rival = x[cell];
            let takes_over = (rival > value) | rival.is_nan();
            best = select_unpredictable(takes_over, cell, best);
            value = select_unpredictable(takes_over, rival, value);
        });
        Some(best)
    }
}

impl std::fmt::Display for MaxPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "max_pool[{}]", list(&self.windows))
    }
}

impl Operation for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        pooled(&self.windows, &operands[0])
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let meta = pooled(&self.windows, &x.meta).unwrap_or_else(|_| x.meta.clone());
        Array64::from_fn(meta, |c| {
            largest(&self.windows, x, &c).map_or(f64::NEG_INFINITY, |cell| x.data[cell])
        })
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let windows = self.windows.clone();
        vec![Some(ct.graph.push(MaxPoolGrad { windows }, &[operands[0], ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let geometry = Geometry::new(&self.windows, &operands[0].shape, &result.shape);
        let (all, x_plane, y_plane) = (geometry.clone(), geometry.x_plane(), geometry.y_plane());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let x: &[f32] = bytemuck::cast_slice(operands[0]);
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let planes = x.chunks_exact(x_plane).skip(start / y_plane);
            for (y, x) in out.chunks_exact_mut(y_plane).zip(planes) {
                // If the larger one is NaN, nothing compares greater, so it stays.
                all.fold(x, y, f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a });
            }
        };
        let file = shader_file!("pool/max_pool", ["nan", "window"]);
        let probe = Probe::new(self.clone(), operands, Bound::Exact);
        Some(geometry.kernel(file, geometry.y, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(per_window(&self.windows), operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], windows: &[Window]| {
            let op = MaxPool { windows: windows.to_vec() };
            Sample::new(op, [Meta::new(dims, F32)])
                .operand(0, Domain::Distinct)
                .bound(Bound::Exact, "one of the elements")
        };
        let cases = cases().into_iter();
        let mut samples: Vec<Sample> =
            cases.map(|(label, dims, windows)| of(&dims, &windows).named(label)).collect();
        samples.extend([
            of(&[1, 1, 2, 4], &[Window::new(2); 2])
                .operand(0, Domain::Values(&[1.0, 3.0, 3.0, 0.0, 3.0, 2.0, 0.0, 0.0]))
                .convention(0, [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
                .named("ties"),
            of(&[1, 1, 3, 6], &[Window::new(3), Window::new(3)])
                .operand(0, Domain::Values(HARD))
                .convention(0, HARD_GRADIENT)
                .named("NaN and infinite"),
            of(&[1, 2, 2], &[Window::new(1).padding(1)])
                .without_gradient()
                .named("windows of padding"),
        ]);
        with_halves(samples, &["overlapping", "volume", "NaN and infinite"])
    }
}

/// Two windows of 3x3: one with three NaN, one with all cells equal.
const HARD: &[f64] =
    &[1.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];

/// The resulting cotangents.
const HARD_GRADIENT: [f64; 18] =
    [0., 0., 0., 1., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0.];

/// Cells of a window, padding included.
fn per_window(windows: &[Window]) -> f64 {
    windows.iter().map(|window| window.extent as f64).product()
}

/// Error bound for sums of cotangents below 1, and its justification.
fn grad_accuracy(windows: &[Window]) -> (Bound, &'static str) {
    (Bound::Abs(6e-8 * per_window(windows)), "at most so many terms below 1, of which few meet")
}

impl std::fmt::Display for MaxPoolGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "max_pool_grad[{}]", list(&self.windows))
    }
}

impl Operation for MaxPoolGrad {
    fn name(&self) -> &'static str {
        "max_pool_grad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, ct] = operands else { unreachable!("it has two operands") };
        expect(ct, &pooled(&self.windows, x)?)?;
        Ok(x.clone())
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, ct] = operands else { unreachable!("it has two operands") };
        let mut dx = x.map(x.meta.dtype, |_| 0.0);
        for (c, ct) in ct.shape().coordinates().zip(&ct.data) {
            if let Some(cell) = largest(&self.windows, x, &c) {
                dx.data[cell] += ct;
            }
        }
        dx
    }

    /// The positions of the largest cells are constant almost everywhere.
    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let windows = self.windows.clone();
        vec![None, Some(ct.graph.push(MaxPoolSelect { windows }, &[operands[0], ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let geometry = Geometry::new(&self.windows, &result.shape, &operands[1].shape);
        let (all, x_plane, y_plane) = (geometry.clone(), geometry.x_plane(), geometry.y_plane());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [x, ct] = [0, 1].map(|k| bytemuck::cast_slice::<u32, f32>(operands[k]));
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let planes = x.chunks_exact(x_plane).zip(ct.chunks_exact(y_plane));
            for (dx, (x, ct)) in out.chunks_exact_mut(x_plane).zip(planes.skip(start / x_plane)) {
                dx.fill(0.0);
                all.for_each_window(|index, window| {
                    if let Some(cell) = all.largest(x, window) {
                        dx[cell] += ct[index];
                    }
                });
            }
        };
        let file = shader_file!("pool/max_pool_grad", ["nan", "window"]);
        let probe = Probe::new(self.clone(), operands, grad_accuracy(&self.windows).0);
        Some(geometry.kernel(file, geometry.x, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = operands[1].shape.len() as f64 * (per_window(&self.windows) + 1.0);
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], windows: &[Window]| {
            let x = Meta::new(dims, F32);
            let ct = pooled(windows, &x).unwrap_or_else(|_| x.clone());
            let (bound, reason) = grad_accuracy(windows);
            Sample::new(MaxPoolGrad { windows: windows.to_vec() }, [x, ct])
                .operand(0, Domain::Distinct)
                .bound(bound, reason)
        };
        let cases = cases().into_iter();
        let mut samples: Vec<Sample> =
            cases.map(|(label, dims, windows)| of(&dims, &windows).named(label)).collect();
        samples.extend([
            of(&[2, 2, 6, 7], &[Window::new(3).stride(1); 2])
                .operand(0, Domain::Ties)
                .without_gradient()
                .named("ties"),
            of(&[1, 1, 3, 6], &[Window::new(2).stride(1); 2])
                .operand(0, Domain::Values(HARD))
                .without_gradient()
                .named("NaN and infinite"),
            of(&[1, 2, 2], &[Window::new(1).padding(1)]).named("windows of padding"),
        ]);
        with_halves(samples, &["overlapping", "volume", "ties"])
    }
}

impl std::fmt::Display for MaxPoolSelect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "max_pool_select[{}]", list(&self.windows))
    }
}

impl Operation for MaxPoolSelect {
    fn name(&self) -> &'static str {
        "max_pool_select"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, v] = operands else { unreachable!("it has two operands") };
        expect(v, x)?;
        pooled(&self.windows, x)
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, v] = operands else { unreachable!("it has two operands") };
        let meta = pooled(&self.windows, &x.meta).unwrap_or_else(|_| x.meta.clone());
        let at = |c: Vec<usize>| largest(&self.windows, x, &c).map_or(0.0, |cell| v.data[cell]);
        Array64::from_fn(meta, at)
    }

    /// The positions of the largest cells are constant almost everywhere.
    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let windows = self.windows.clone();
        vec![None, Some(ct.graph.push(MaxPoolGrad { windows }, &[operands[0], ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let geometry = Geometry::new(&self.windows, &operands[0].shape, &result.shape);
        let (all, x_plane, y_plane) = (geometry.clone(), geometry.x_plane(), geometry.y_plane());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [x, v] = [0, 1].map(|k| bytemuck::cast_slice::<u32, f32>(operands[k]));
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let planes = x.chunks_exact(x_plane).zip(v.chunks_exact(x_plane));
            for (y, (x, v)) in out.chunks_exact_mut(y_plane).zip(planes.skip(start / y_plane)) {
                all.for_each_window(|index, window| {
                    y[index] = all.largest(x, window).map_or(0.0, |cell| v[cell]);
                });
            }
        };
        let file = shader_file!("pool/max_pool_select", ["nan", "window"]);
        let probe = Probe::new(self.clone(), operands, Bound::Exact);
        Some(geometry.kernel(file, geometry.y, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(per_window(&self.windows), operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], windows: &[Window]| {
            let op = MaxPoolSelect { windows: windows.to_vec() };
            Sample::new(op, vec![Meta::new(dims, F32); 2])
                .operand(0, Domain::Distinct)
                .bound(Bound::Exact, "one of the elements")
        };
        let cases = cases().into_iter();
        let mut samples: Vec<Sample> =
            cases.map(|(label, dims, windows)| of(&dims, &windows).named(label)).collect();
        samples.extend([
            of(&[2, 2, 6, 7], &[Window::new(3).stride(1); 2])
                .operand(0, Domain::Ties)
                .without_gradient()
                .named("ties"),
            of(&[1, 1, 3, 6], &[Window::new(2).stride(1); 2])
                .operand(0, Domain::Values(HARD))
                .without_gradient()
                .named("NaN and infinite"),
            of(&[1, 2, 2], &[Window::new(1).padding(1)]).named("windows of padding"),
        ]);
        with_halves(samples, &["overlapping", "volume", "ties"])
    }
}
