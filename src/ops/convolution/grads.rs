//! Gradients of a convolution's weight and bias by one pass over its cotangent.

use super::*;
use crate::ops::{
    composite::Composite, grads::GradOf, matmul::LinearGrads, sum_in_order::SumInOrder,
};

/// A gradient of `y = x * w + b`, from the operands of the gradient of `w`: the input and a cotangent of `y`.
///
/// The gradient of `b` is the sum of the cotangent over images and positions, which the kernel of the other has in
/// workgroup memory anyway. Rewriting makes both where a graph has such a gradient and such sums.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionGrads {
    /// The gradient of the weight.
    pub(crate) weight: ConvolutionWeightGrad,
    pub(crate) of: GradOf,
}

impl ConvolutionGrads {
    /// The gradient of the bias with the same bits, for programs that do not have that of the weight.
    pub(crate) fn bias_alone<'g>(
        weight: &ConvolutionWeightGrad,
        ct: Tensor<'g>,
        x: &Shape,
    ) -> Tensor<'g> {
        if let Some((product, [of_ct, of_x])) = weight.as_product(x, &ct.shape()) {
            return LinearGrads::bias_alone(&product, ct.reshape(of_ct), &of_x);
        }
        let problem = weight.problem(x, &ct.shape());
        let parts = weight_grad::parts(&problem);
        let order = problem.apart(parts).weight_order().of_rows();
        let sums = |ct: Tensor<'g>| ct.graph.push(SumInOrder::new(1, order), &[ct]);
        if parts == 1 {
            return sums(ct);
        }
        // The sums of parts are not rounded to f16.
        let sums = sums(weight_grad::apart(ct.widened(), parts));
        sums.reshape([parts, sums.dim(0) / parts]).sum(0).cast(ct.dtype())
    }

    /// Whether some kernel has both gradients of these operands.
    pub(crate) fn is_served(weight: &ConvolutionWeightGrad, [x, ct]: [&Meta; 2]) -> bool {
        if let Some((product, shapes)) = weight.as_product(&x.shape, &ct.shape) {
            return LinearGrads::is_served(&product, shapes.each_ref());
        }
        let problem = weight.problem(&x.shape, &ct.shape);
        weight.precision == Precision::Full && !problem.has_few_channels()
    }
}

impl std::fmt::Display for ConvolutionGrads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConvolutionWeightGrad { geometry, window, .. } = &self.weight;
        write!(f, "{}{geometry} to {window:?}, {}", Composite::name(self), self.of.name())
    }
}

impl Composite for ConvolutionGrads {
    fn name(&self) -> &'static str {
        "convolution_grads"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let weight = self.weight.infer(operands)?;
        Ok(match self.of {
            GradOf::Weight => weight,
            GradOf::Bias => Meta::new([weight.shape.dims()[0]], weight.dtype),
        })
    }

    /// Gradients of a product, if the convolution is one, or sums of those over parts of the images; or else what
    /// it is defined by.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [x, ct] = *operands else { unreachable!("it has two operands") };
        let (graph, of) = (x.graph, self.of);
        if let Some((weight, [of_ct, of_x])) = self.weight.as_product(&x.shape(), &ct.shape()) {
            let operands = [ct.reshape(of_ct), x.reshape(of_x)];
            let y = graph.push(LinearGrads { weight, of }, &operands);
            return match of {
                GradOf::Weight => y.reshape(self.weight.dims(x, ct)),
                GradOf::Bias => y,
            };
        }
        if let Some((weight, operands, parts)) = self.weight.in_parts(x, ct) {
            let y = graph.push(ConvolutionGrads { weight, of }, &operands);
            let dims = match of {
                GradOf::Weight => self.weight.dims(x, ct),
                GradOf::Bias => vec![ct.shape().dims()[1]],
            };
            return y.reshape([&[parts], dims.as_slice()].concat()).sum(0);
        }
        match of {
            GradOf::Weight => graph.push(self.weight.clone(), operands),
            GradOf::Bias => {
                let axes: Vec<i32> = (0..ct.rank() as i32).filter(|&axis| axis != 1).collect();
                ct.sum(axes.as_slice())
            }
        }
    }

    fn has_kernel(&self, operands: &[&Meta], result: &Meta) -> bool {
        ConvolutionGrads::is_served(&self.weight, [operands[0], operands[1]])
            && matches!(self.weight.class(operands, result), Class::Kernel)
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let problem = self.weight.problem(&operands[0].shape, &operands[1].shape);
        let of_group = || {
            let geometry = self.weight.geometry.clone().groups(1);
            ConvolutionWeightGrad { geometry, ..self.weight.clone() }
        };
        let probe = |of, bound| {
            Probe::new(ConvolutionGrads { of, ..self.clone() }, operands, bound)
                .in_groups(problem.groups, ConvolutionGrads { weight: of_group(), of }, 0, [1, 1])
                .along(0, [None, Some(1)])
        };
        let of_weight = probe(GradOf::Weight, problem.weight_accuracy().0);
        let of_weight = of_weight.along(1, [Some(1), None]);
        let probes = [of_weight, probe(GradOf::Bias, problem.bias_accuracy().0)];
        Some(shaders::grads(problem, probes, self.of))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        match self.of {
            GradOf::Weight => self.weight.cost(operands, result),
            GradOf::Bias => {
                Cost { flops: operands[1].shape.len() as f64, ..Cost::moved(operands, result) }
            }
        }
    }

    fn samples() -> Vec<Sample> {
        samples::grads()
    }
}
