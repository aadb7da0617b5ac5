//! Gradients of a dense layer by one pass over its cotangent.

use super::*;
use crate::dtype::DType;
use crate::ops::{composite::Composite, grads::GradOf, sum_in_order::SumInOrder};

/// A gradient of a layer `y = x w + b`, from the operands of the product that is the gradient of its weight, of
/// which the first is the cotangent of `y`.
///
/// The gradient of the bias is the sum of each row of that operand, which the kernel of the product has in
/// workgroup memory anyway. Rewriting makes both where a graph has such a product and such sums.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearGrads {
    /// The gradient of the weight: a product of two matrices.
    pub(crate) weight: Matmul,
    pub(crate) of: GradOf,
}

impl LinearGrads {
    /// The axis of the cotangent along which its terms lie.
    fn terms(&self) -> i32 {
        i32::from(!self.weight.transpose_a)
    }

    /// The gradient of the bias with the same bits, for programs that do not have that of the weight.
    pub(crate) fn bias_alone<'g>(weight: &Matmul, ct: Tensor<'g>, x: &Shape) -> Tensor<'g> {
        let order = weight.product(&ct.shape(), x).extents().order().of_rows();
        let kept = usize::from(weight.transpose_a);
        ct.graph.push(SumInOrder::new(kept, order), &[ct])
    }

    /// Whether some kernel has both gradients of these operands.
    pub(crate) fn is_served(weight: &Matmul, [ct, x]: [&Shape; 2]) -> bool {
        let are_matrices = ct.rank() == 2 && x.rank() == 2;
        are_matrices
            && weight.precision == Precision::Full
            && weight.product(ct, x).vectors().is_none()
    }
}

impl std::fmt::Display for LinearGrads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Composite::name(self))?;
        write_flags(f, &[self.weight.flags(), &[self.of.name()]].concat())
    }
}

impl Composite for LinearGrads {
    fn name(&self) -> &'static str {
        "linear_grads"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let weight = self.weight.infer(operands)?;
        if weight.shape.rank() != 2 {
            return Err(OpError::Rank { least: 2 });
        }
        Ok(match self.of {
            GradOf::Weight => weight,
            GradOf::Bias => Meta::new([weight.shape.dims()[0]], weight.dtype),
        })
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        match self.of {
            GradOf::Weight => operands[0].graph.push(self.weight.clone(), operands),
            GradOf::Bias => operands[0].sum(self.terms()),
        }
    }

    fn has_kernel(&self, operands: &[&Meta], _: &Meta) -> bool {
        LinearGrads::is_served(&self.weight, [&operands[0].shape, &operands[1].shape])
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let product = self.weight.product(&operands[0].shape, &operands[1].shape);
        let Product { m, n, k, a: [down, along], .. } = product;
        let least = self.weight.least_rows(m);
        let compute = move |operands: &[&[u32]], first: usize, outs: &mut [&mut [u32]]| {
            let [a, b] = [0, 1].map(|index| bytemuck::cast_slice(operands[index]));
            let [weight, bias] = outs else { unreachable!("two results") };
            product.rows(a, b, first * least, bytemuck::cast_slice_mut(weight));
            for (row, sum) in bias.iter_mut().enumerate() {
                let terms = (0..k).map(|p| f64::from(a[(first * least + row) * down + p * along]));
                *sum = (terms.sum::<f64>() as f32).to_bits();
            }
        };
        let cpu = CpuKernel::with_siblings([n.max(1) * least, least], 2 * k.max(1), compute);
        let served = product.served_with_bias();
        let (of_ct, of_x) =
            (usize::from(self.weight.transpose_a), 1 - usize::from(self.weight.transpose_b));
        let probe = |of, bound| {
            Probe::new(LinearGrads { of, ..self.clone() }, operands, bound)
                .along(0, [Some(of_ct), None])
        };
        let [of_weight, of_bias] = served.accuracy;
        let results = vec![
            (GradOf::Weight.name(), probe(GradOf::Weight, of_weight).along(1, [None, Some(of_x)])),
            (GradOf::Bias.name(), probe(GradOf::Bias, of_bias)),
        ];
        let kernel = Kernel::with_siblings(served.shaders, cpu, results, self.of as usize);
        Some(Kernel { order: served.order, parts: served.parts, ..kernel })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        match self.of {
            GradOf::Weight => self.weight.cost(operands, result),
            GradOf::Bias => {
                Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
            }
        }
    }

    fn samples() -> Vec<Sample> {
        let of = |[m, n, k]: [usize; 3], [transpose_a, transpose_b]: [bool; 2], of| {
            let dims =
                |rows, cols, transposed| if transposed { [cols, rows] } else { [rows, cols] };
            let operands = [dims(m, k, transpose_a), dims(k, n, transpose_b)];
            let operands = operands.map(|dims| Meta::new(dims, DType::F32));
            let weight = Matmul::full(transpose_a, transpose_b);
            let product = weight.product(&operands[0].shape, &operands[1].shape);
            let (bound, reason) = match of {
                GradOf::Weight => product.served(Terms::Floats).accuracy,
                GradOf::Bias => product.bias_accuracy(),
            };
            Sample::new(LinearGrads { weight, of }, operands).bound(bound, reason)
        };
        let both = |extents, transposed, name| {
            [GradOf::Weight, GradOf::Bias].map(|it| of(extents, transposed, it).named(name))
        };
        let samples = [
            both([33, 35, 34], [true, false], "past a tile"),
            both([66, 129, 9], [false, true], "several tiles").map(Sample::without_gradient),
            both([20, 33, 260], [true, false], "slices of k").map(Sample::without_gradient),
            both([35, 6, 1030], [true, false], "parts of k").map(Sample::without_gradient),
            both([3, 5, 7], [true, true], ""),
            both([3, 40, 300], [true, false], "vectors").map(Sample::without_gradient),
            both([5, 6, 0], [true, false], "no terms"),
        ]
        .concat();
        with_halves(samples, &["past a tile", "parts of k"])
    }
}
