//! Gradient of a convolution w.r.t. its input: a transposed convolution.

use super::*;

/// `x[n, c', t stride + k dilation - low] += w[o, c, k] ct[n, o, t]`, for all `o`, `k` and `t` for
/// which there is such an element. Nothing is multiplied with the gaps that a stride leaves.
///
/// Operands: the weight of a [`Convolution`] and a cotangent of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionInputGrad {
    pub(crate) geometry: Geometry,
    /// How exactly a GPU calculates it; it is the same operation.
    pub(crate) precision: Precision,
    /// Spatial extents of the result.
    pub(crate) extents: Vec<usize>,
}

impl ConvolutionInputGrad {
    /// Shape of the result: that of the input of the convolution.
    fn input(&self, w: &Shape, ct: &Shape) -> Result<Shape, OpError> {
        if w.rank() < 3 || ct.rank() < 3 {
            return Err(OpError::Rank { least: 3 });
        }
        let channels = w.dims()[1].checked_mul(self.geometry.group_count());
        let channels = channels.ok_or(OpError::TooLarge)?;
        Ok([&[ct.dims()[0], channels], self.extents.as_slice()].concat().into())
    }

    pub(crate) fn problem(&self, w: &Shape, ct: &Shape) -> Problem {
        known(self.input(w, ct).and_then(|x| self.geometry.problem(&x, w)))
    }
}

impl std::fmt::Display for ConvolutionInputGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "convolution_input_grad{}", self.geometry)?;
        write_flags(f, &[self.precision.flag()])?;
        write!(f, " to {:?}", self.extents)
    }
}

impl Operation for ConvolutionInputGrad {
    fn name(&self) -> &'static str {
        "convolution_input_grad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [w, ct] = operands else { unreachable!("it has two operands") };
        check_types(w, ct)?;
        let x = self.input(&w.shape, &ct.shape)?;
        let problem = self.geometry.problem(&x, &w.shape)?;
        let spatial = &problem.axes.map(|axis| axis.out)[5 - x.rank()..];
        let leading = [problem.batch, problem.groups * problem.outputs];
        check_shape(&ct.shape, &[&leading, spatial].concat().into())?;
        Ok(Meta::new(x, w.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [w, ct] = operands else { unreachable!("it has two operands") };
        let meta = self.infer(&[w.meta.clone(), ct.meta.clone()]);
        let meta = meta.unwrap_or_else(|_| unreachable!("checked when the node was built"));
        let mut data = vec![0.0; meta.shape.len()];
        let problem = self.problem(w.shape(), ct.shape());
        problem.each_term(|at_x, at_w, at_y| {
            // What falls on padding is dropped.
            let Some(at_x) = at_x else { return };
            data[at_x] += w.data[at_w] * ct.data[at_y];
        });
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let [w, y] = *operands else { unreachable!("it has two operands") };
        // The cotangent of this operation takes the role of the convolution's input.
        let window = w.shape().dims()[2..].to_vec();
        let (geometry, precision) = (self.geometry.clone(), self.precision);
        let of_w = ConvolutionWeightGrad { geometry: geometry.clone(), precision, window };
        let of_y = Convolution { geometry, precision };
        vec![Some(ct.graph.push(of_w, &[ct, y])), Some(ct.graph.push(of_y, &[ct, w]))]
    }

    /// Expands to a matrix product if the convolution is one.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [w, ct] = *operands else { unreachable!("it has two operands") };
        let problem = self.problem(&w.shape(), &ct.shape());
        let (n, o, terms) = (problem.batch, problem.outputs, problem.terms());
        let w = w.reshape([o, terms]);
        let x = match problem.is_product()? {
            Product::Rows => {
                let op = Matmul { precision: self.precision, ..Matmul::full(false, false) };
                ct.graph.push(op, &[ct.reshape([n, o]), w])
            }
            Product::Columns => {
                let ct = ct.reshape([o, problem.positions()]);
                let op = Matmul { precision: self.precision, ..Matmul::full(true, false) };
                ct.graph.push(op, &[w, ct])
            }
        };
        Some(x.reshape([&[n, problem.inputs], self.extents.as_slice()].concat()))
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
                let (order, terms) = problem.input_order();
                let bound = order.accuracy(terms).0;
                let geometry = self.geometry.clone().groups(1);
                let of_group = ConvolutionInputGrad { geometry, ..self.clone() };
                let probe = Probe::new(self.clone(), operands, bound)
                    .in_groups(problem.groups, of_group, 1, [0, 1])
                    .along(0, [None, Some(0)])
                    .along(1, [Some(1), None]);
                let refusal = Refusal::of(self.on_units(operands));
                Some(shaders::input_grad(problem, probe, refusal))
            }
        }
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = self.problem(&operands[0].shape, &operands[1].shape).flops();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        samples::input_grad()
    }
}
