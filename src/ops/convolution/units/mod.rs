//! Convolutions on matrix units, which take the place of others where [`Precision`] asks for them and the
//! device has units: see `rewrite/units/convolutions.rs`.

mod samples;
mod shaders;

use super::{
    super::{
        kernel::CpuKernel,
        precision::MatrixUnits,
        units::{LARGEST, check_operand, whole, whole_floats, whole_tensor, whole_values},
    },
    cpu::Unfolded,
    int8::channels_first,
    *,
};

/// A convolution of halves on matrix units, made by rewriting: each of the three passes is one.
///
/// `y[n, o, t] = sum_{k, c} w[o, k, c] x[n, t stride + k dilation - low, c']`, where `c'` is channel `c`
/// of the group of output `o`. Operands: `w [groups outputs, ..window, inputs]` and
/// `x [n, ..spatial, groups inputs]`, with channels last; the result has them first.
///
/// Operands are f16, as is the result; or each is two halves, `[2, ..]`, of which the first is f32
/// rounded to f16 and the second the rest, and the result is f32, without the products of two rests.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitConvolution {
    pub(crate) geometry: Geometry,
    /// Whether operands are two halves each.
    pub(crate) is_split: bool,
    /// The units.
    pub(crate) units: MatrixUnits,
}

/// Outputs, and positions, that are enough to fill a part of a tile that is worth it.
const LEAST_LINES: usize = 8;

/// Taps that are multiplied for each that there is, where kinds of pixels are channels: with more of them, units
/// are no faster than multiply-adds.
const MOST_WASTE: f64 = 4.0;

/// Whether the products of a convolution are for units, as [`tiles::Extents::on_units`] has it. One that expands
/// to a product is none.
fn on_units(
    problem: &Problem,
    extents: &tiles::Extents,
    precision: Precision,
    operand: &Meta,
) -> Option<Result<bool, &'static str>> {
    if problem.is_product().is_some() {
        return None;
    }
    let served = extents.on_units(precision, operand.dtype)?;
    let is_thin = extents.rows.min(extents.columns) < LEAST_LINES;
    let is_padding = problem.axes.iter().any(|axis| axis.extent == 0 || axis.low >= axis.reach());
    Some(served.and_then(|is_split| match (is_thin, is_padding) {
        (true, _) => Err("in full precision: less than 8 channels of a group"),
        (_, true) => Err("in full precision: nothing but padding"),
        _ => Ok(is_split),
    }))
}

impl Convolution {
    /// Whether the convolution is one for matrix units, of split operands or not; or why it is none though
    /// they are asked for.
    pub(crate) fn on_units(&self, operands: &[&Meta]) -> Option<Result<bool, &'static str>> {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        on_units(&problem, &problem.forward_extents(), self.precision, operands[0])
    }
}

impl ConvolutionWeightGrad {
    /// The same of a gradient.
    pub(crate) fn on_units(&self, operands: &[&Meta]) -> Option<Result<bool, &'static str>> {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        on_units(&problem, &problem.weight_extents(), self.precision, operands[0])
    }
}

impl ConvolutionInputGrad {
    /// The same of a gradient: all kinds of pixels are channels of one convolution.
    pub(crate) fn on_units(&self, operands: &[&Meta]) -> Option<Result<bool, &'static str>> {
        let problem = self.problem(&operands[0].shape, &operands[1].shape);
        let served =
            on_units(&problem, &problem.channels_of_phases(), self.precision, operands[0])?;
        let is_mixed = problem.axes.iter().any(|axis| axis.stride > 1 && axis.dilation > 1);
        let waste = problem.axes.iter().map(|axis| {
            axis.window.next_multiple_of(axis.stride) as f64 / axis.window.max(1) as f64
        });
        let is_sparse = waste.product::<f64>() > MOST_WASTE;
        Some(served.and_then(|is_split| match (is_mixed, is_sparse) {
            (true, _) => Err("in full precision: a stride and a dilation"),
            (_, true) => Err("in full precision: a stride that is much larger than the window"),
            _ => Ok(is_split),
        }))
    }
}

impl UnitConvolution {
    /// The problem of these operands, with channels first.
    fn problem(&self, operands: &[&Meta]) -> Result<Problem, OpError> {
        let [w, x] = [0, 1].map(|index| whole(operands[index], self.is_split).shape);
        self.geometry.problem(&channels_first(&x)?, &channels_first(&w)?)
    }

    fn known(&self, operands: &[&Meta]) -> Problem {
        known(self.problem(operands))
    }
}

/// The type of the result.
fn result_type(is_split: bool) -> DType {
    if is_split { DType::F32 } else { DType::F16 }
}

/// `[outer, middle, inner]` as `[outer, inner, middle]`.
fn transposed<T: Copy>(data: &[T], [outer, middle, inner]: [usize; 3]) -> Vec<T> {
    let line = middle * inner;
    let places = (0..outer)
        .flat_map(|n| (0..inner).map(move |c| (n, c)))
        .flat_map(|(n, c)| (0..middle).map(move |p| n * line + p * inner + c));
    places.map(|place| data[place]).collect()
}

/// Both operands with channels first.
fn both_channels_first<T: Copy>(problem: &Problem, w: &[T], x: &[T]) -> [Vec<T>; 2] {
    let Problem { batch, groups, inputs, outputs, .. } = *problem;
    let w = transposed(w, [groups * outputs, problem.taps(), inputs]);
    [w, transposed(x, [batch, problem.pixels(), groups * inputs])]
}

impl std::fmt::Display for UnitConvolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let edge = self.units.edge;
        write!(f, "{}[{edge}x{edge}]{}", self.name(), self.geometry)
    }
}

impl Operation for UnitConvolution {
    fn name(&self) -> &'static str {
        if self.is_split { "convolution_split" } else { "convolution_units" }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        for operand in operands {
            check_operand(operand, self.is_split, 3)?;
        }
        let [w, x] = operands else { unreachable!("a convolution has two operands") };
        let problem = self.problem(&[w, x])?;
        let rank = x.shape.rank() - usize::from(self.is_split);
        let spatial = &problem.axes.map(|axis| axis.out)[5 - rank..];
        let dims = [&[problem.batch, problem.groups * problem.outputs], spatial].concat();
        Ok(Meta::new(dims, result_type(self.is_split)))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let problem = self.known(&[&operands[0].meta, &operands[1].meta]);
        let meta = self.infer(&[operands[0].meta.clone(), operands[1].meta.clone()]);
        let meta = meta.unwrap_or_else(|_| unreachable!("checked when the node was built"));
        let [w, x] = [0, 1].map(|index| whole_values(operands[index], self.is_split).data);
        let [w, x] = both_channels_first(&problem, &w, &x);
        let mut data = vec![0.0; meta.shape.len()];
        problem.each_term(|at_x, at_w, at_y| {
            data[at_y] += at_x.map_or(0.0, |at_x| x[at_x]) * w[at_w];
        });
        Array64 { meta, data }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let first = |index: usize| whole_tensor(operands[index], self.is_split).move_axis(-1, 1);
        let op = Convolution { geometry: self.geometry.clone(), precision: Precision::Full };
        Some(operands[0].graph.push(op, &[first(1), first(0)]))
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let problem = self.known(operands);
        let extents = problem.forward_extents();
        let (is_split, units) = (self.is_split, self.units);
        let unfolded = Unfolded::new(problem);
        // One chunk: laying operands out takes as long for a part as for all of them.
        let cpu =
            CpuKernel::new(result.shape.len(), 2 * problem.terms(), move |operands, _, out| {
                let [w, x] = [0, 1].map(|index| whole_floats(operands[index], is_split));
                let [w, x] = both_channels_first(&problem, &w, &x);
                unfolded.forward(&x, &w, 0, bytemuck::cast_slice_mut(out));
            });
        let first = usize::from(is_split);
        let channels = operands[1].shape.rank() - 1;
        let geometry = self.geometry.clone().groups(1);
        let of_group = UnitConvolution { geometry, ..self.clone() };
        let bound = extents.accuracy_on_units(units, is_split).0;
        let mut probe = Probe::new(self.clone(), operands, bound)
            .in_groups(problem.groups, of_group, 1, [first, channels])
            .along(0, [None, Some(first)])
            .along(1, [Some(first), None]);
        if is_split {
            let domain = Domain::Split(LARGEST);
            probe = probe.operand(0, domain.clone()).operand(1, domain).finite_if(true);
        }
        Some(Kernel {
            order: Some(extents.on_units_in_words(units, is_split)),
            parts: extents.order_on_units().parts(extents.terms),
            ..Kernel::new(self.shaders(&problem), cpu, probe)
        })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = self.known(operands).flops();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        samples::samples()
    }
}
