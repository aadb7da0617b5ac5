//! Gradient of a convolution w.r.t. its weight.

use super::*;

/// `w[o, c, k] = sum_{n, t} ct[n, o, t] x[n, c', t stride + k dilation - low]`, where elements
/// outside of `x` are 0, and are multiplied.
///
/// Operands: the input of a [`Convolution`] and a cotangent of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionWeightGrad {
    pub(crate) geometry: Geometry,
    /// How exactly a GPU calculates it; it is the same operation.
    pub(crate) precision: Precision,
    /// Spatial extents of the result.
    pub(crate) window: Vec<usize>,
}

/// Tiles of the partial sums, 64 rows by 64 columns, that keep a device busy: two for each of the
/// 132 multiprocessors of an H100.
const TILES: usize = 264;

/// Minimum number of terms per element of a partial sum that justify writing and rereading it.
const LEAST_TERMS: usize = 256;

impl ConvolutionWeightGrad {
    /// Shape of the result: that of the weight of the convolution.
    fn weight(&self, x: &Shape, ct: &Shape) -> Result<Shape, OpError> {
        if x.rank() < 3 || ct.rank() < 3 {
            return Err(OpError::Rank { least: 3 });
        }
        // With 0 groups there is no weight; the geometry reports that error.
        let inputs = x.dims()[1] / self.geometry.group_count().max(1);
        Ok([&[ct.dims()[1], inputs], self.window.as_slice()].concat().into())
    }

    pub(crate) fn problem(&self, x: &Shape, ct: &Shape) -> Problem {
        known(self.weight(x, ct).and_then(|w| self.geometry.problem(x, &w)))
    }

    /// Extents of the result.
    pub(super) fn dims(&self, x: Tensor<'_>, ct: Tensor<'_>) -> Vec<usize> {
        let problem = self.problem(&x.shape(), &ct.shape());
        let leading = [problem.groups * problem.outputs, problem.inputs];
        [&leading, self.window.as_slice()].concat()
    }

    /// The product of matrices that it is, if the convolution is one, and the shapes of its operands: of the
    /// cotangent, then of the input.
    pub(super) fn as_product(&self, x: &Shape, ct: &Shape) -> Option<(Matmul, [Shape; 2])> {
        let problem = self.problem(x, ct);
        let (n, o, terms) = (problem.batch, problem.outputs, problem.terms());
        let (op, shapes) = match problem.is_product()? {
            Product::Rows => (Matmul::full(true, false), [[n, o], [n, terms]]),
            Product::Columns => {
                let operands = [[o, problem.positions()], [terms, problem.pixels()]];
                (Matmul::full(false, true), operands)
            }
        };
        Some((Matmul { precision: self.precision, ..op }, shapes.map(Shape::from)))
    }

    /// The gradient of each part of the images, as groups of one operation, and the number of parts; `None` if
    /// there is one part.
    pub(super) fn in_parts<'g>(
        &self,
        x: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<(Self, [Tensor<'g>; 2], usize)> {
        let problem = self.problem(&x.shape(), &ct.shape());
        let parts = parts(&problem);
        let geometry = self.geometry.clone().groups(parts * problem.groups);
        let operands = || [apart(x, parts), apart(ct, parts)];
        (parts > 1).then(|| (Self { geometry, ..self.clone() }, operands(), parts))
    }
}

/// A tensor of so many parts of its images: `[n, c]` has the same memory layout as `[n / parts, parts c]`, so every
/// part becomes a group of the channels.
pub(super) fn apart(tensor: Tensor<'_>, parts: usize) -> Tensor<'_> {
    let shape = tensor.shape();
    let (images, channels) = (shape.dims()[0], shape.dims()[1]);
    tensor.reshape([&[images / parts, parts * channels], &shape.dims()[2..]].concat())
}

/// Number of partial sums over fewer images: results are small and their sums long, so a single
/// sum would use few processors. A divisor of the number of images: the smallest that makes
/// enough tiles, or else the largest that leaves enough terms.
///
/// Splitting a part again gives 1: a larger divisor had too few terms.
pub(super) fn parts(problem: &Problem) -> usize {
    let tiles = problem.outputs.div_ceil(64) * problem.terms().div_ceil(64) * problem.groups;
    if tiles == 0 || tiles >= TILES {
        return 1;
    }
    let terms = problem.batch * problem.positions();
    let divisors = (1..=problem.batch).filter(|&parts| problem.batch.is_multiple_of(parts));
    let mut chosen = 1;
    for parts in divisors.take_while(|parts| terms / parts >= LEAST_TERMS) {
        chosen = parts;
        if tiles * parts >= TILES {
            break;
        }
    }
    chosen
}

impl std::fmt::Display for ConvolutionWeightGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "convolution_weight_grad{}", self.geometry)?;
        write_flags(f, &[self.precision.flag()])?;
        write!(f, " to {:?}", self.window)
    }
}

impl Operation for ConvolutionWeightGrad {
    fn name(&self) -> &'static str {
        "convolution_weight_grad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, ct] = operands else { unreachable!("it has two operands") };
        check_types(x, ct)?;
        let w = self.weight(&x.shape, &ct.shape)?;
        let problem = self.geometry.problem(&x.shape, &w)?;
        let spatial = &problem.axes.map(|axis| axis.out)[5 - w.rank()..];
        let leading = [problem.batch, problem.groups * problem.outputs];
        check_shape(&ct.shape, &[&leading, spatial].concat().into())?;
        Ok(Meta::new(w, x.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, ct] = operands else { unreachable!("it has two operands") };
        let meta = self.infer(&[x.meta.clone(), ct.meta.clone()]);
        let meta = meta.unwrap_or_else(|_| unreachable!("checked when the node was built"));
        let mut data = vec![0.0; meta.shape.len()];
        let problem = self.problem(x.shape(), ct.shape());
        problem.each_term(|at_x, at_w, at_y| data[at_w] += or_zero(x, at_x) * ct.data[at_y]);
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let [x, y] = *operands else { unreachable!("it has two operands") };
        // The cotangent of this operation takes the role of the convolution's weight.
        let extents = x.shape().dims()[2..].to_vec();
        let (geometry, precision) = (self.geometry.clone(), self.precision);
        let of_x = ConvolutionInputGrad { geometry: geometry.clone(), precision, extents };
        let of_y = Convolution { geometry, precision };
        vec![Some(ct.graph.push(of_x, &[ct, y])), Some(ct.graph.push(of_y, &[x, ct]))]
    }

    /// Expands to a matrix product if the convolution is one, or else to a sum of such gradients,
    /// each over a part of the images.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [x, ct] = *operands else { unreachable!("it has two operands") };
        let dims = self.dims(x, ct);
        if let Some((product, [of_ct, of_x])) = self.as_product(&x.shape(), &ct.shape()) {
            let operands = [ct.reshape(of_ct), x.reshape(of_x)];
            return Some(x.graph.push(product, &operands).reshape(dims));
        }
        let (of_parts, operands, parts) = self.in_parts(x, ct)?;
        let sums = x.graph.push(of_parts, &operands);
        Some(sums.reshape([&[parts], dims.as_slice()].concat()).sum(0))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        Class::kernel_if(problem.is_product().is_none() && parts(&problem) == 1)
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        match problem.is_product() {
            None if parts(&problem) == 1 => {
                let bound = problem.weight_accuracy().0;
                let geometry = self.geometry.clone().groups(1);
                let of_group = ConvolutionWeightGrad { geometry, ..self.clone() };
                let probe = Probe::new(self.clone(), operands, bound)
                    .in_groups(problem.groups, of_group, 0, [1, 1])
                    .along(0, [None, Some(1)])
                    .along(1, [Some(1), None]);
                let refusal = Refusal::of(self.on_units(operands));
                Some(shaders::weight_grad(problem, probe, refusal))
            }
            _ => None,
        }
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = self.problem(&operands[0].shape, &operands[1].shape).flops();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        samples::weight_grad()
    }
}
