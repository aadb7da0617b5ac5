//! Convolution over one, two or three spatial axes, with one shared formula.
//!
//! `y[n, o, t] = sum_{c, k} w[o, c, k] x[n, c', t stride + k dilation - low]` is linear in `w` and
//! in `x`. Multiplied by a cotangent of `y` and summed, it is a sum of products of three factors;
//! each of the three operations here is what remains when one factor is removed. So each is a
//! derivative of the others, to any order. The convolution of bytes has the same formula, and no
//! derivative.

mod cpu;
mod depthwise;
mod direct;
mod direct_weight_grad;
mod geometry;
mod grads;
mod input_grad;
mod int8;
mod int8_cpu;
mod pass;
mod samples;
mod shaders;
#[cfg(test)]
mod tests;
mod units;
mod weight_grad;

pub use geometry::Geometry;
pub(crate) use geometry::{Axis, Problem, same};
pub use grads::ConvolutionGrads;
pub use input_grad::ConvolutionInputGrad;
pub use int8::ConvolutionI8;
pub use units::UnitConvolution;
pub use weight_grad::ConvolutionWeightGrad;

use super::{units::Refusal, *};
use crate::{dtype::DType, shape::Shape};
use geometry::Product;
use matmul::{Matmul, write_flags};
use tiles::Order;

/// `y[n, o, t] = sum_{c, k} w[o, c, k] x[n, c', t stride + k dilation - low]`.
///
/// Operands: `x [n, channels, ..spatial]` and `w [outputs, channels / groups, ..window]`. For an
/// output of group `g`, `c'` is channel `c` of group `g`.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    pub(crate) geometry: Geometry,
    /// How exactly a GPU calculates it; it is the same operation.
    pub(crate) precision: Precision,
}

impl<'g> Tensor<'g> {
    /// Convolution with `weight`, as in neural networks: the window is not flipped.
    ///
    /// `y[n, o, t] = sum_{c, k} w[o, c, k] x[n, c', t stride + k dilation - low]`, where `c'` is
    /// channel `c` of the group of output `o`, and elements outside of `x` are 0.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..spatial] * [outputs, channels / groups, ..window] -> [n, outputs,
    /// ..positions]`, with one, two or three spatial axes and `(low + extent + high - dilation
    /// (window - 1) - 1) / stride + 1` positions along each, rounded down.
    ///
    /// # Numerics
    ///
    /// f32 accumulation. Padding is zeros, which are multiplied: an infinite weight that meets one
    /// gives NaN. So does, in the gradient of the weight, an infinite cotangent. The gradient of the
    /// input sums over elements that meet, and nothing else.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] if numbers of axes or of channels differ; [`OpError::Indivisible`]
    /// channels; [`OpError::Window`] if it is larger than the padded input;
    /// [`OpError::Number`] for a stride, dilation, window or number of groups that is 0;
    /// [`OpError::DTypes`]; [`OpError::DType`] for non-floats.
    #[doc(alias("conv1d", "conv2d", "conv3d"))]
    #[track_caller]
    pub fn convolution(self, weight: Tensor<'g>, geometry: Geometry) -> Tensor<'g> {
        let precision = self.graph.precision();
        self.graph.push(Convolution { geometry, precision }, &[self, weight])
    }
}

/// Checks that both operands have the same float type.
fn check_types(a: &Meta, b: &Meta) -> Result<(), OpError> {
    match a.dtype {
        dtype if dtype != b.dtype => Err(OpError::DTypes),
        dtype if !dtype.is_float() => Err(OpError::DType(dtype)),
        _ => Ok(()),
    }
}

/// Checks a shape against the one implied by the other operands.
fn check_shape(is: &Shape, implied: &Shape) -> Result<(), OpError> {
    if is == implied { Ok(()) } else { Err(OpError::Target(implied.clone())) }
}

impl Problem {
    /// Calls `f` with the indices into `x`, `w` and `y` of each product of three:
    /// the definition of all three operations. Without an index into `x`, it is padding.
    fn each_term(&self, mut f: impl FnMut(Option<usize>, usize, usize)) {
        let Problem { batch, groups, inputs, outputs, axes } = *self;
        let [w, y] = [axes.map(|axis| axis.window), axes.map(|axis| axis.out)];
        let [pixels, taps, positions] = [self.pixels(), self.taps(), self.positions()];
        let leading = Shape::from([batch, groups, outputs, inputs]);
        for c in leading.coordinates() {
            let [image, group, output, input] = [c[0], c[1], c[2], c[3]];
            let x_channel = (image * groups + group) * inputs + input;
            let w_channel = (group * outputs + output) * inputs + input;
            let y_channel = (image * groups + group) * outputs + output;
            // The innermost loop of every definition: in a build that is optimized less, a `map` over
            // the axes takes longer than the rest.
            for (position, [d, h, v]) in triples(y).enumerate() {
                for (tap, [i, j, k]) in triples(w).enumerate() {
                    let [planes, rows, columns] = &axes;
                    let source = (planes.source(d, i), rows.source(h, j), columns.source(v, k));
                    let pixel = match source {
                        (Some(plane), Some(row), Some(column)) => {
                            let pixel = (plane * rows.extent + row) * columns.extent + column;
                            Some(x_channel * pixels + pixel)
                        }
                        _ => None,
                    };
                    f(pixel, w_channel * taps + tap, y_channel * positions + position);
                }
            }
        }
    }
}

/// An element of an input, or the zero of its padding.
fn or_zero(x: &Array64, index: Option<usize>) -> f64 {
    index.map_or(0.0, |index| x.data[index])
}

/// All coordinates of a box, in row-major order.
fn triples([depth, height, width]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..depth)
        .flat_map(move |d| (0..height).map(move |h| (d, h)))
        .flat_map(move |(d, h)| (0..width).map(move |w| [d, h, w]))
}

/// The problem of operands that were checked when their node was built.
fn known(problem: Result<Problem, OpError>) -> Problem {
    problem.unwrap_or_else(|_| unreachable!("checked when the node was built"))
}

impl Convolution {
    pub(crate) fn problem(&self, x: &Shape, w: &Shape) -> Problem {
        known(self.geometry.problem(x, w))
    }
}

impl std::fmt::Display for Convolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "convolution{}", self.geometry)?;
        write_flags(f, &[self.precision.flag()])
    }
}

impl Operation for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, w] = operands else { unreachable!("a convolution has two operands") };
        check_types(x, w)?;
        let problem = self.geometry.problem(&x.shape, &w.shape)?;
        let spatial = &problem.axes.map(|axis| axis.out)[5 - x.shape.rank()..];
        Ok(geometry::meta([problem.batch, w.shape.dims()[0]], spatial, x))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, w] = operands else { unreachable!("a convolution has two operands") };
        let meta = self.infer(&[x.meta.clone(), w.meta.clone()]);
        let meta = meta.unwrap_or_else(|_| unreachable!("checked when the node was built"));
        let mut data = vec![0.0; meta.shape.len()];
        let problem = self.problem(x.shape(), w.shape());
        problem.each_term(|at_x, at_w, at_y| data[at_y] += or_zero(x, at_x) * w.data[at_w]);
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let [x, w] = *operands else { unreachable!("a convolution has two operands") };
        let Convolution { geometry, precision } = self.clone();
        let extents = x.shape().dims()[2..].to_vec();
        let window = w.shape().dims()[2..].to_vec();
        let of_x = ConvolutionInputGrad { geometry: geometry.clone(), precision, extents };
        let of_w = ConvolutionWeightGrad { geometry, precision, window };
        vec![Some(ct.graph.push(of_x, &[w, ct])), Some(ct.graph.push(of_w, &[x, ct]))]
    }

    /// Expands to a matrix product if the convolution is one.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [x, w] = *operands else { unreachable!("a convolution has two operands") };
        let problem = self.problem(&x.shape(), &w.shape());
        let (n, o, terms) = (problem.batch, problem.outputs, problem.terms());
        let y = match problem.is_product()? {
            Product::Rows => {
                let w = w.reshape([o, terms]);
                let op = Matmul { precision: self.precision, ..Matmul::full(false, true) };
                x.graph.push(op, &[x.reshape([n, terms]), w])
            }
            Product::Columns => {
                let x = x.reshape([terms, problem.pixels()]);
                let op = Matmul { precision: self.precision, ..Matmul::full(false, false) };
                x.graph.push(op, &[w.reshape([o, terms]), x])
            }
        };
        let spatial = &problem.axes.map(|axis| axis.out)[5 - x.rank()..];
        Some(y.reshape([&[n, o], spatial].concat()))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        Class::kernel_if(problem.is_product().is_none())
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        match problem.is_product() {
            Some(_) => None,
            None => {
                let bound = problem.forward_order().accuracy(problem.terms()).0;
                let geometry = self.geometry.clone().groups(1);
                let of_group = Convolution { geometry, precision: self.precision };
                let probe = Probe::new(self.clone(), operands, bound)
                    .in_groups(problem.groups, of_group, 1, [1, 0])
                    .along(0, [Some(0), None])
                    .along(1, [None, Some(0)]);
                let refusal = Refusal::of(self.on_units(operands));
                Some(shaders::convolution(problem, probe, refusal))
            }
        }
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = self.problem(&operands[0].shape, &operands[1].shape).flops();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        samples::convolution()
    }
}
