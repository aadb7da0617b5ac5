//! Sums with the bits of a kernel that has them beside another result.

use super::{
    composite::Composite,
    kernel::{CpuKernel, Kernel, Shader, shader_file},
    params::params,
    tiles::Order,
    *,
};
use crate::dtype::DType;

/// `y[r] = sum_{o, i} x[o, r, i]` over all axes but one, on a GPU term by term, in parts if there are any: as the
/// kernel of a weight's gradient sums for the bias, for programs that need only this.
#[derive(Clone, Debug, PartialEq)]
pub struct SumInOrder {
    /// The axis that is left.
    pub(crate) kept: usize,
    /// Terms of a part, if there are several.
    pub(crate) part: Option<usize>,
}

impl SumInOrder {
    /// Sums in the order in which tiles sum rows of an operand.
    pub(super) fn new(kept: usize, order: Order) -> Self {
        let part = if let Order::Parts(length) = order { Some(length) } else { None };
        SumInOrder { kept, part }
    }

    fn order(&self) -> Order {
        self.part.map_or(Order::Sequential, Order::Parts)
    }

    /// Elements before, along and behind the axis that is left.
    fn extents(&self, x: &Meta) -> [usize; 3] {
        let dims = x.shape.dims();
        let product = |dims: &[usize]| dims.iter().product::<usize>();
        [product(&dims[..self.kept]), dims[self.kept], product(&dims[self.kept + 1..])]
    }
}

impl std::fmt::Display for SumInOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[all but {}]", Composite::name(self), self.kept)
    }
}

impl Composite for SumInOrder {
    fn name(&self) -> &'static str {
        "sum_in_order"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        if !x.dtype.is_float() {
            return Err(OpError::DType(x.dtype));
        }
        let extent = x.shape.dims().get(self.kept).ok_or(OpError::Rank { least: self.kept + 1 })?;
        Ok(Meta::new([*extent], x.dtype))
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let axes = (0..operands[0].rank() as i32).filter(|&axis| axis != self.kept as i32);
        operands[0].sum(axes.collect::<Vec<i32>>().as_slice())
    }

    fn has_kernel(&self, _: &[&Meta], _: &Meta) -> bool {
        true
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let [outer, rows, inner] = self.extents(operands[0]);
        let (terms, order) = (outer * inner, self.order());
        let (parts, part) = (order.parts(terms), order.length(terms));
        let len = rows * parts;
        let params = params! { rows, inner, terms, part, len };
        let shader = Shader::of(shader_file!("reduce_in_order", []), params, len.div_ceil(256));
        let cpu = CpuKernel::new(1, terms, move |operands, first, out| {
            let x: &[f32] = bytemuck::cast_slice(operands[0]);
            for (row, sum) in out.iter_mut().enumerate() {
                let lines = (0..outer).map(|line| (line * rows + first + row) * inner);
                let terms = lines.flat_map(|begin| &x[begin..begin + inner]);
                *sum = (terms.map(|&term| f64::from(term)).sum::<f64>() as f32).to_bits();
            }
        });
        let probe =
            Probe::new(self.clone(), operands, order.accuracy(terms).0).along(0, [Some(self.kept)]);
        let order = (parts > 1).then(|| format!("in {parts} parts of {part} terms"));
        Some(Kernel { order, parts, ..Kernel::new(vec![shader], cpu, probe) })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |dims: &[usize], kept, part| {
            let op = SumInOrder { kept, part };
            let x = Meta::new(dims, DType::F32);
            let [outer, _, inner] = op.extents(&x);
            let (bound, reason) = op.order().accuracy(outer * inner);
            Sample::new(op, [x]).bound(bound, reason)
        };
        let samples = vec![
            of(&[7, 5], 1, None),
            of(&[5, 9], 0, None).named("rows"),
            of(&[3, 300, 2, 4], 1, None).without_gradient().named("several workgroups"),
            of(&[70, 5], 1, Some(32)).named("parts"),
            of(&[2, 6, 33, 35], 1, Some(96)).without_gradient().named("many parts"),
            of(&[0, 4], 1, None).named("no terms"),
            of(&[4, 0], 1, None).named("no rows"),
        ];
        with_halves(samples, &["", "parts"])
    }
}
