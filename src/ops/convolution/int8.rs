//! Convolution of signed bytes.

use super::*;

/// `y[n, t, o] = sum_{k, c} w[o, k, c] x[n, t stride + k dilation - low, c']` of signed bytes,
/// packed four per word along the last axis; the sums are 32-bit integers, which wrap.
///
/// Operands: `x [n, ..spatial, groups words]` and `w [outputs, ..window, words]`. For an output of
/// group `g`, `c'` is channel `c` of group `g`, and elements outside of `x` are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionI8 {
    pub(crate) geometry: Geometry,
}

impl<'g> Tensor<'g> {
    /// Convolution of packed bytes with a packed weight, channels last: see
    /// [`pack_i8`](Tensor::pack_i8).
    ///
    /// `y[n, t, o] = sum_{k, c} weight[o, k, c] self[n, t stride + k dilation - low, c']`, where
    /// `c'` is channel `c` of the group of output `o`, and elements outside of `self` are 0.
    ///
    /// # Shapes
    ///
    /// `[n, ..spatial, groups words] * [outputs, ..window, words]` in u32 give `[n, ..positions,
    /// outputs]` in i32, with one, two or three spatial axes; each group has its own words. Errors
    /// count words as channels.
    ///
    /// # Numerics
    ///
    /// Exact up to 133,143 terms; sums past 32 bits wrap.
    ///
    /// # Gradient
    ///
    /// None: these are integers.
    ///
    /// # Errors
    ///
    /// As for [`convolution`](Tensor::convolution); [`OpError::DType`] unless u32.
    #[doc(alias("ConvInteger", "qconv2d"))]
    #[track_caller]
    pub fn convolution_i8(self, weight: Tensor<'g>, geometry: Geometry) -> Tensor<'g> {
        self.graph.push(ConvolutionI8 { geometry }, &[self, weight])
    }
}

/// Moves the last axis after the first.
pub(super) fn channels_first(shape: &Shape) -> Result<Shape, OpError> {
    let mut dims = shape.dims().to_vec();
    if dims.len() < 3 {
        return Err(OpError::Rank { least: 3 });
    }
    dims[1..].rotate_right(1);
    Ok(dims.into())
}

impl ConvolutionI8 {
    /// The problem, with words as input channels.
    fn problem(&self, x: &Meta, w: &Meta) -> Result<Problem, OpError> {
        self.geometry.problem(&channels_first(&x.shape)?, &channels_first(&w.shape)?)
    }

    fn known(&self, operands: &[&Meta]) -> Problem {
        known(self.problem(operands[0], operands[1]))
    }
}

/// Whether each position reads just its own element, so that it is a matrix product.
fn is_product(problem: &Problem) -> bool {
    problem.groups == 1 && problem.is_pointwise()
}

impl std::fmt::Display for ConvolutionI8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "convolution_i8{}", self.geometry)
    }
}

impl Operation for ConvolutionI8 {
    fn name(&self) -> &'static str {
        "convolution_i8"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, w] = operands else { unreachable!("a convolution has two operands") };
        if let Some(operand) = operands.iter().find(|operand| operand.dtype != DType::U32) {
            return Err(OpError::DType(operand.dtype));
        }
        let problem = self.problem(x, w)?;
        let spatial = &problem.axes.map(|axis| axis.out)[5 - x.shape.rank()..];
        let dims = [&[problem.batch], spatial, &[problem.groups * problem.outputs]].concat();
        Ok(Meta::new(dims, DType::I32))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, w] = operands else { unreachable!("a convolution has two operands") };
        let Problem { batch, groups, inputs: words, outputs, axes } =
            self.known(&[&x.meta, &w.meta]);
        let byte = |data: &[f64], word: usize, place: usize| {
            i64::from((data[word] as u32).to_le_bytes()[place] as i8)
        };
        let window: usize = axes.iter().map(|axis| axis.window).product();
        let mut data = Vec::new();
        for image in 0..batch {
            for t in triples(axes.map(|axis| axis.out)) {
                for output in 0..groups * outputs {
                    let mut sum = 0;
                    for (tap, k) in triples(axes.map(|axis| axis.window)).enumerate() {
                        let source = [0, 1, 2].map(|a| axes[a].source(t[a], k[a]));
                        let [Some(z), Some(y), Some(column)] = source else { continue };
                        let line = (image * axes[0].extent + z) * axes[1].extent + y;
                        let pixel = line * axes[2].extent + column;
                        for c in 0..4 * words {
                            let x_word = (pixel * groups + output / outputs) * words + c / 4;
                            let w_word = (output * window + tap) * words + c / 4;
                            sum += byte(&x.data, x_word, c % 4) * byte(&w.data, w_word, c % 4);
                        }
                    }
                    data.push(f64::from(sum as i32));
                }
            }
        }
        let meta = self.infer(&[x.meta.clone(), w.meta.clone()]);
        let meta = meta.unwrap_or_else(|_| unreachable!("checked when the node was built"));
        Array64 { meta, data }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    /// Expands to a matrix product if the convolution is one.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [x, w] = *operands else { unreachable!("a convolution has two operands") };
        let problem = self.known(&[&x.meta(), &w.meta()]);
        is_product(&problem).then(|| x.matmul_i8(w.reshape([problem.outputs, problem.inputs])))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        Class::kernel_if(!is_product(&self.known(operands)))
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let problem = self.known(operands);
        if is_product(&problem) {
            return None;
        }
        let last = operands[0].shape.rank() - 1;
        let of_group = ConvolutionI8 { geometry: self.geometry.clone().groups(1) };
        let probe = Probe::new(self.clone(), operands, Bound::Exact)
            .operand(0, Domain::Below(u32::MAX))
            .operand(1, Domain::Below(u32::MAX))
            .in_groups(problem.groups, of_group, last, [last, 0])
            .along(0, [Some(0), None])
            .along(last, [None, Some(0)]);
        Some(shaders::convolution_i8(problem, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Four products per word.
        let flops = 4.0 * self.known(operands).flops();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        samples::convolution_i8()
    }
}
