//! Products on matrix units, which take the place of others where [`Precision`] asks for them and the
//! device has units: see `rewrite/units.rs`.

mod shaders;

use super::{
    super::{
        kernel::{CpuKernel, Kernel},
        precision::MatrixUnits,
        *,
    },
    Matmul, Precision, Product, write_flags,
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

/// The largest magnitude of a scaled operand is between this and twice this.
pub(crate) const LARGEST: f64 = 16_384.0;

/// Terms that a tile has of its operands at a time, in edges.
const STEP: usize = 2;

/// Terms of an element from which units have enough of them, and those of all elements together from
/// which two reductions and four maps around the product take less than what units save: on an H100 by
/// estimates, 10 of 20 microseconds.
const LEAST_TERMS: usize = 64;
const LEAST_WORK: usize = 1 << 27;

impl Matmul {
    /// Whether the product is one for matrix units, of split operands or not; or why it is none though
    /// they are asked for.
    pub(crate) fn on_units(&self, operands: &[&Meta]) -> Option<Result<bool, &'static str>> {
        let is_split = match (self.precision, operands[0].dtype) {
            (Precision::Full, _) => return None,
            (_, DType::F16) => false,
            (Precision::Units, _) => return Some(Err("in full precision: f32 is not split")),
            (Precision::Split, _) => true,
        };
        let Product { batches, m, n, k, .. } = self.product(&operands[0].shape, &operands[1].shape);
        let work = [batches, m, n, k].into_iter().fold(1, usize::saturating_mul);
        Some(if k < LEAST_TERMS {
            Err("in full precision: less than 64 terms")
        } else if is_split && work < LEAST_WORK {
            Err("in full precision: less than 2^27 terms in all")
        } else {
            Ok(is_split)
        })
    }
}

impl UnitMatmul {
    /// The type of a whole operand: without the axis of the halves, in f32.
    fn whole(&self, operand: &Meta) -> Meta {
        match self.is_split {
            true => Meta::new(&operand.shape.dims()[1..], DType::F32),
            false => operand.clone(),
        }
    }

    fn geometry(&self, operands: &[&Meta]) -> Product {
        let [a, b] = [0, 1].map(|index| self.whole(operands[index]));
        self.product.product(&a.shape, &b.shape)
    }

    /// Error bound for `k` terms, and its justification.
    fn accuracy(&self, k: usize) -> (Bound, &'static str) {
        if self.is_split {
            let steps = k as f64 / self.units.edge as f64;
            let reason = "12 for the rounding of the second halves and for their products, 8 for what a \
                          unit truncates within a step, and a rounding of partial sums for each step, \
                          which stay below a quarter of the magnitudes";
            return (Bound::Terms(20.0 + steps / 4.0), reason);
        }
        let reason = "k partial sums, which a unit may truncate rather than round, and which stay below \
                      a quarter of the magnitudes";
        (Bound::Terms(6.0 + k as f64 / 2.0), reason)
    }
}

/// Adds the first half of the elements and the second.
fn sum_of_halves(x: &[f32]) -> Vec<f32> {
    let (high, low) = x.split_at(x.len() / 2);
    high.iter().zip(low).map(|(high, low)| high + low).collect()
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
            if operand.dtype != DType::F16 {
                return Err(OpError::DType(operand.dtype));
            }
            if self.is_split && operand.shape.rank() < 3 {
                return Err(OpError::Rank { least: 3 });
            }
            if self.is_split && operand.shape.dims()[0] != 2 {
                let lhs = operand.shape.dims()[0];
                return Err(OpError::Extents { what: "halves", lhs, rhs: 2 });
            }
        }
        self.product.infer(&operands.iter().map(|operand| self.whole(operand)).collect::<Vec<_>>())
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let whole = |x: &Array64| {
            let (high, low) = x.data.split_at(x.data.len() / 2);
            let data = high.iter().zip(low).map(|(high, low)| high + low).collect();
            Array64 { meta: self.whole(&x.meta), data }
        };
        if !self.is_split {
            return self.product.eval(operands);
        }
        self.product.eval(&[&whole(operands[0]), &whole(operands[1])])
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let whole = |x: Tensor<'g>| if self.is_split { x.cast(DType::F32).sum(0) } else { x };
        let [a, b] = [0, 1].map(|index| whole(operands[index]));
        Some(a.graph.push(self.product.clone(), &[a, b]))
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let product = self.geometry(operands);
        let is_split = self.is_split;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [a, b] = [0, 1].map(|index| bytemuck::cast_slice::<u32, f32>(operands[index]));
            let row = start / product.n.max(1);
            let out = bytemuck::cast_slice_mut(out);
            match is_split {
                true => product.rows(&sum_of_halves(a), &sum_of_halves(b), row, out),
                false => product.rows(a, b, row, out),
            }
        };
        // One chunk: joining halves takes as long for a row as for all of them.
        let rows = product.batches * product.m;
        let cpu = CpuKernel::new(product.n.max(1) * rows.max(1), 2 * product.k.max(1), compute);
        let whole = [0, 1].map(|index| self.whole(operands[index]).shape.rank() - 2);
        let batches = whole[0];
        let first = usize::from(is_split);
        let a = first + batches + usize::from(self.product.transpose_a);
        let b = first + batches + 1 - usize::from(self.product.transpose_b);
        let mut probe = Probe::new(self.clone(), operands, self.accuracy(product.k).0)
            .along(batches, [Some(a), None])
            .along(batches + 1, [None, Some(b)]);
        for axis in 0..batches {
            probe = probe.along(axis, [Some(first + axis); 2]);
        }
        if is_split {
            let domain = Domain::Split(LARGEST);
            probe = probe.operand(0, domain.clone()).operand(1, domain).finite_if(true);
        }
        let edge = self.units.edge;
        let halves = if is_split { ", f32 as two halves" } else { "" };
        let order = format!("on matrix units of {edge} x {edge}{halves}");
        let kernel = Kernel::new(self.shaders(product), cpu, probe);
        Some(Kernel { order: Some(order), ..kernel })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let [a, b] = [0, 1].map(|index| self.whole(operands[index]));
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
                let (bound, reason) = op.accuracy(k);
                let operands = [matrix(m, k, transpose_a), matrix(k, n, transpose_b)];
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
