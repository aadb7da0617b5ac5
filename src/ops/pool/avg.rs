//! Average pooling, and its adjoint.

use super::{geometry::Geometry, *};
use crate::dtype::DType::F32;
use crate::ops::kernel::shader_file;

/// The mean of each window of `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool {
    pub(crate) windows: Vec<Window>,
    /// Whether padding counts as zeros, or is excluded.
    pub(crate) count_padding: bool,
}

/// The adjoint of [`AvgPool`]: for each cell, the sum of `ct / divisor` over its windows.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPoolGrad {
    pub(crate) windows: Vec<Window>,
    pub(crate) count_padding: bool,
    /// Spatial extents of the result.
    pub(crate) extents: Vec<usize>,
}

impl<'g> Tensor<'g> {
    /// The mean of each window.
    ///
    /// `sum of its cells / number of its cells`. With `count_padding`, padding counts as zeros;
    /// cells past the padding (see [`Window::ceil_mode`]) never count. A window without counted
    /// cells gives 0.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..spatial]` with one, two or three spatial axes, and a [`Window`] for each.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::max_pool`].
    ///
    /// # Source
    ///
    /// PyTorch's `avg_pool2d`.
    #[doc(alias("avg_pool2d", "avg_pool1d", "avg_pool3d"))]
    #[track_caller]
    pub fn avg_pool(self, windows: &[Window], count_padding: bool) -> Tensor<'g> {
        self.graph.push(AvgPool { windows: windows.to_vec(), count_padding }, &[self])
    }
}

/// Label, extents, windows, whether padding counts, and the maximum number of terms of a sum.
type Case = (&'static str, Vec<usize>, Vec<Window>, bool, f64);

/// Every case without counting the padding, and those that have some with counting it as well.
fn counted_cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (label, dims, windows) in cases() {
        let terms = terms(&windows);
        if windows.iter().any(|window| window.low + window.high > 0) {
            all.push((label, dims.clone(), windows.clone(), true, terms));
        }
        all.push((label, dims, windows, false, terms));
    }
    all.push(("windows of padding", vec![1, 2, 2], vec![Window::new(1).padding(1)], false, 1.0));
    all
}

/// Maximum number of terms of a sum.
fn terms(windows: &[Window]) -> f64 {
    windows.iter().map(|window| window.extent as f64).product()
}

/// Error bound for sums of this many terms, and its justification.
fn accuracy(terms: f64) -> (Bound, &'static str) {
    (Bound::Terms(terms + 3.0), "one rounding a term, and a quotient of 2.5 ulp")
}

impl AvgPool {
    /// The definition: the divisor of window `c`.
    fn divisor(&self, x: &Shape, c: &[usize]) -> f64 {
        let counted = if self.count_padding {
            padded_cells(&self.windows, x, c)
        } else {
            cells(&self.windows, x, c).len()
        };
        counted.max(1) as f64
    }
}

impl std::fmt::Display for AvgPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = if self.count_padding { "; padding counts" } else { "" };
        write!(f, "avg_pool[{}{counted}]", list(&self.windows))
    }
}

impl Operation for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        pooled(&self.windows, &operands[0])
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let meta = pooled(&self.windows, &x.meta).unwrap_or_else(|_| x.meta.clone());
        Array64::from_fn(meta, |c| {
            let cells = cells(&self.windows, x.shape(), &c).into_iter();
            cells.map(|cell| x.data[cell]).sum::<f64>() / self.divisor(x.shape(), &c)
        })
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let AvgPool { windows, count_padding } = self.clone();
        let extents = operands[0].shape().dims()[2..].to_vec();
        vec![Some(ct.graph.push(AvgPoolGrad { windows, count_padding, extents }, &[ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let geometry = Geometry::new(&self.windows, &operands[0].shape, &result.shape)
            .counting_padding(self.count_padding);
        let (all, x_plane, y_plane) = (geometry.clone(), geometry.x_plane(), geometry.y_plane());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let x: &[f32] = bytemuck::cast_slice(operands[0]);
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let planes = x.chunks_exact(x_plane).skip(start / y_plane);
            for (y, x) in out.chunks_exact_mut(y_plane).zip(planes) {
                all.fold(x, y, 0.0, |a, b| a + b);
                all.for_each_window(|index, window| y[index] /= Geometry::divisor(window));
            }
        };
        let file = shader_file!("pool/avg_pool", ["window"]);
        let probe = Probe::new(self.clone(), operands, accuracy(terms(&self.windows)).0);
        Some(geometry.kernel(file, geometry.y, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(terms(&self.windows), operands, result)
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, dims, windows, count_padding, terms): Case| {
            Sample::new(AvgPool { windows, count_padding }, [Meta::new(dims, F32)])
                .bound(accuracy(terms).0, accuracy(terms).1)
                .named(label)
        };
        let samples = counted_cases().into_iter().map(sample).collect();
        with_halves(samples, &["overlapping", "volume"])
    }
}

impl AvgPoolGrad {
    fn adjoint(&self) -> AvgPool {
        AvgPool { windows: self.windows.clone(), count_padding: self.count_padding }
    }

    /// The meta of the pooling's input, given the cotangent of its output.
    fn result(&self, ct: &Meta) -> Meta {
        let outer = ct.shape.dims().iter().take(2).copied();
        Meta::new(outer.chain(self.extents.iter().copied()).collect::<Vec<_>>(), ct.dtype)
    }
}

impl std::fmt::Display for AvgPoolGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = if self.count_padding { "; padding counts" } else { "" };
        write!(f, "avg_pool_grad[{}{counted}]", list(&self.windows))
    }
}

impl Operation for AvgPoolGrad {
    fn name(&self) -> &'static str {
        "avg_pool_grad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = self.result(&operands[0]);
        expect(&operands[0], &pooled(&self.windows, &x)?)?;
        Ok(x)
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let ct = operands[0];
        let mut dx = Array64::from_fn(self.result(&ct.meta), |_| 0.0);
        for (c, ct) in ct.shape().coordinates().zip(&ct.data) {
            let share = ct / self.adjoint().divisor(dx.shape(), &c);
            for cell in cells(&self.windows, dx.shape(), &c) {
                dx.data[cell] += share;
            }
        }
        dx
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![Some(ct.graph.push(self.adjoint(), &[ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let geometry = Geometry::new(&self.windows, &result.shape, &operands[0].shape)
            .counting_padding(self.count_padding);
        let (all, x_plane, y_plane) = (geometry.clone(), geometry.x_plane(), geometry.y_plane());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let ct: &[f32] = bytemuck::cast_slice(operands[0]);
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let planes = ct.chunks_exact(y_plane).skip(start / x_plane);
            for (dx, ct) in out.chunks_exact_mut(x_plane).zip(planes) {
                dx.fill(0.0);
                all.for_each_window(|index, window| {
                    let share = ct[index] / Geometry::divisor(window);
                    all.for_each_cell(window, |cell| dx[cell] += share);
                });
            }
        };
        let file = shader_file!("pool/avg_pool_grad", ["window"]);
        let probe = Probe::new(self.clone(), operands, accuracy(terms(&self.windows)).0);
        Some(geometry.kernel(file, geometry.x, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = operands[0].shape.len() as f64 * (terms(&self.windows) + 1.0);
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let sample = |(label, dims, windows, count_padding, terms): Case| {
            let x = Meta::new(dims, F32);
            let ct = pooled(&windows, &x).unwrap_or_else(|_| x.clone());
            let extents = x.shape.dims()[2..].to_vec();
            Sample::new(AvgPoolGrad { windows, count_padding, extents }, [ct])
                .bound(accuracy(terms).0, accuracy(terms).1)
                .named(label)
        };
        let samples = counted_cases().into_iter().map(sample).collect();
        with_halves(samples, &["overlapping", "volume"])
    }
}
