//! Products on matrix units, which take the place of others where [`Precision`] asks for them and the
//! device has units: see `rewrite/units`.

mod shaders;

use super::{
    super::{
        kernel::{CpuKernel, Kernel},
        precision::MatrixUnits,
        units::{LARGEST, check_operand, whole, whole_floats, whole_tensor, whole_values},
        *,
    },
    Matmul, Product, write_flags,
};
use crate::dtype::DType;

/// A product of matrices of halves on matrix units, made by rewriting.
///
/// Operands are f16, as is the result; or each is two halves, `[2, ..]`, of which the first is f32
/// rounded to f16 and the second the rest, and the result is f32, without the products of two rests.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitMatmul {
    /// Which operands are stored transposed.
    pub(crate) product: Matmul,
    /// Whether operands are two halves each.
    pub(crate) is_split: bool,
    /// The units.
    pub(crate) units: MatrixUnits,
}

impl Matmul {
    /// Whether the product is one for matrix units, of split operands or not; or why it is none though
    /// they are asked for.
    pub(crate) fn on_units(&self, operands: &[&Meta]) -> Option<Result<bool, &'static str>> {
        let product = self.product(&operands[0].shape, &operands[1].shape);
        product.extents().on_units(self.precision, operands[0].dtype)
    }
}

impl UnitMatmul {
    fn geometry(&self, operands: &[&Meta]) -> Product {
        let [a, b] = [0, 1].map(|index| whole(operands[index], self.is_split));
        self.product.product(&a.shape, &b.shape)
    }
}

impl std::fmt::Display for UnitMatmul {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let edge = self.units.edge;
        f.write_str(self.name())?;
        write_flags(f, &[&[&*format!("{edge}x{edge}")], self.product.flags()].concat())
    }
}

impl Operation for UnitMatmul {
    fn name(&self) -> &'static str {
        if self.is_split { "matmul_split" } else { "matmul_units" }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        for operand in operands {
            check_operand(operand, self.is_split, 2)?;
        }
        let whole = operands.iter().map(|operand| whole(operand, self.is_split));
        self.product.infer(&whole.collect::<Vec<_>>())
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [a, b] = [0, 1].map(|index| whole_values(operands[index], self.is_split));
        self.product.eval(&[&a, &b])
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [a, b] = [0, 1].map(|index| whole_tensor(operands[index], self.is_split));
        Some(a.graph.push(self.product.clone(), &[a, b]))
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let product = self.geometry(operands);
        let extents = product.extents();
        let is_split = self.is_split;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [a, b] = [0, 1].map(|index| whole_floats(operands[index], is_split));
            let row = start / product.n.max(1);
            product.rows(&a, &b, row, bytemuck::cast_slice_mut(out));
        };
        // One chunk: joining halves takes as long for a row as for all of them.
        let rows = product.batches * product.m;
        let cpu = CpuKernel::new(product.n.max(1) * rows.max(1), 2 * product.k.max(1), compute);
        let batches = whole(operands[0], is_split).shape.rank() - 2;
        let first = usize::from(is_split);
        let a = first + batches + usize::from(self.product.transpose_a);
        let b = first + batches + 1 - usize::from(self.product.transpose_b);
        let mut probe =
            Probe::new(self.clone(), operands, extents.accuracy_on_units(self.units, is_split).0)
                .along(batches, [Some(a), None])
                .along(batches + 1, [None, Some(b)]);
        for axis in 0..batches {
            probe = probe.along(axis, [Some(first + axis); 2]);
        }
        if is_split {
            let domain = Domain::Split(LARGEST);
            probe = probe.operand(0, domain.clone()).operand(1, domain).finite_if(true);
        }
        Some(Kernel {
            order: Some(extents.on_units_in_words(self.units, is_split)),
            parts: extents.order_on_units().parts(product.k),
            ..Kernel::new(self.shaders(product), cpu, probe)
        })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let [a, b] = [0, 1].map(|index| whole(operands[index], self.is_split));
        let Cost { flops, .. } = self.product.cost(&[&a, &b], result);
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for units in MatrixUnits::ALL {
            let sample = |is_split, dims: [usize; 4], transpose_a, transpose_b| {
                let [batches, m, n, k] = dims;
                let matrix = |rows, cols, transposed| {
                    let [rows, cols] = if transposed { [cols, rows] } else { [rows, cols] };
                    let halves: &[usize] = if is_split { &[2] } else { &[] };
                    Meta::new([halves, &[batches, rows, cols]].concat(), DType::F16)
                };
                let product = Matmul::full(transpose_a, transpose_b);
                let op = UnitMatmul { product, is_split, units };
                let operands = [matrix(m, k, transpose_a), matrix(k, n, transpose_b)];
                let extents = op.geometry(&[&operands[0], &operands[1]]).extents();
                let (bound, reason) = extents.accuracy_on_units(units, is_split);
                let sample = Sample::new(op, operands).bound(bound, reason).without_gradient();
                let domain = Domain::Split(LARGEST);
                match is_split {
                    true => sample.operand(0, domain.clone()).operand(1, domain),
                    false => sample,
                }
            };
            let edge = units.edge;
            let tile = 8 * edge;
            for is_split in [false, true] {
                let of = |dims, transpose_a, transpose_b| {
                    sample(is_split, dims, transpose_a, transpose_b)
                };
                samples.extend([
                    of([1, tile, tile, 4 * edge], false, false).named("whole tiles"),
                    of([2, tile + 3, edge + 1, 5 * edge + 3], false, false).named("past a tile"),
                    of([1, edge + 2, tile + 6, 3 * edge + 5], true, false).named("of columns"),
                    of([1, edge, edge + 4, 2 * edge + 4], false, true).named("of rows"),
                    of([1, 7, 9, 11], true, true).named("less than a matrix"),
                    of([1, 3, 4, 0], false, false).named("no terms"),
                    of([2, 9, 10, 1035], true, false).named("parts of the terms"),
                ]);
                if edge == 8 {
                    let many = of([200, 61, 62, 19], false, true);
                    samples.push(many.named("many tiles"));
                }
            }
        }
        samples
    }
}
