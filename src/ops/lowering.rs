//! What an operation tells the scheduler and the devices.

use super::{
    binary::BinaryFn, compare::CompareFn, quantise::QuantiseFn, random::Draw, reduce::ReduceFn,
    unary::UnaryFn,
};
use super::{contract::Bound, probe::Probe};
use crate::dtype::DType;
use std::sync::Arc;

/// How a device computes an operation.
#[derive(Clone, Debug)]
pub(crate) enum Lowering {
    /// It is there before the run: an input or a variable.
    Source,
    /// Every element is this word.
    Full(u32),
    /// Every element is its coordinate along this axis.
    Iota(usize),
    /// Each element of the result is a function of the elements of the operands at its index.
    Pointwise(Pointwise),
    /// Each element of the result is one of an operand, or a constant.
    Layout(Layout),
    /// Elements are combined along axes, which are kept with extent 1.
    Reduce {
        /// How two are combined.
        function: ReduceFn,
        /// Along which axes, in increasing order.
        axes: Vec<usize>,
    },
    /// A shader and a loop of its own.
    Kernel(Kernel),
    /// It is written in other operations on these shapes: see `Operation::expand`.
    Expand,
}

/// A function of elements at one index. What it means on each device is in the op's file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// Of one operand.
    Unary(UnaryFn),
    /// Of two operands of one type.
    Binary(BinaryFn),
    /// Two operands of one type give a truth value.
    Compare(CompareFn),
    /// `if a { b } else { c }`.
    Select,
    /// Conversion to the type of the result.
    Cast,
    /// Two operands are rounded to a byte, in i32.
    Quantise(QuantiseFn),
    /// Operands: two key words, the counter, and the element's index.
    Random(Draw),
}

/// A function on the words of a device: text for one, loops over blocks for the other.
pub(crate) trait Scalar {
    /// The result as a WGSL expression of the operands, and the fragments of `shaders/lib` it
    /// calls. In shaders truth values are `bool`; they are words only in storage.
    fn wgsl(&self, operands: &[&str], dtype: DType, result: DType) -> Wgsl;

    /// Computes a block: `dtype` is the type of the last operand, `result` that of the result.
    fn cpu(&self, operands: &[&[u32]], dtype: DType, result: DType, out: &mut [u32]);

    /// The definition, in f64.
    fn eval(&self, operands: &[f64], dtype: DType, result: DType) -> f64;

    /// How far a device may be off where it gets the exact operands, and why.
    fn accuracy(&self, dtype: DType, result: DType) -> (Bound, &'static str);
}

/// A WGSL expression and what it needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wgsl {
    /// The expression.
    pub text: String,
    /// Fragments of `shaders/lib` it calls.
    pub lib: &'static [&'static str],
}

impl Wgsl {
    /// An expression of WGSL's own functions.
    pub fn new(text: impl Into<String>) -> Self {
        Wgsl { text: text.into(), lib: &[] }
    }

    /// An expression that calls these fragments.
    pub fn with(text: impl Into<String>, lib: &'static [&'static str]) -> Self {
        Wgsl { text: text.into(), lib }
    }
}

/// Where an element comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// The same elements in the same row-major order.
    Reshape,
    /// Axis `i` of the result is axis `axes[i]` of the operand.
    Transpose(Vec<usize>),
    /// Axes are aligned at the last one; missing ones and those of extent 1 repeat.
    Broadcast,
    /// Coordinate `start + step * c` of each axis.
    Slice {
        /// First coordinates.
        starts: Vec<usize>,
        /// Distances, at least 1.
        steps: Vec<usize>,
    },
    /// Coordinate `extent - 1 - c` along these axes.
    Flip(Vec<usize>),
    /// Coordinate `c - low[axis]` where that exists, else `value`.
    Pad {
        /// How many are put in front of each axis.
        low: Vec<usize>,
        /// The word that surrounds the operand.
        value: u32,
    },
    /// The operands one after another along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
}

/// An operation with a shader and a CPU loop of its own. Operands and result are contiguous.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// For GPUs: one or several ways, the preferred one first. They agree bit for bit, so that
    /// whichever is trusted may serve.
    pub shaders: Vec<Shader>,
    /// For the CPU; `None` of an operation of another crate that has neither loop nor definition.
    pub cpu: Option<CpuKernel>,
    /// How it is proved; `None` of an operation without definition, which nobody can prove.
    pub probe: Option<Arc<Probe>>,
}

impl Kernel {
    /// One that is defined, as all of this crate are.
    pub fn new(shaders: Vec<Shader>, cpu: CpuKernel, probe: Probe) -> Self {
        Kernel { shaders, cpu: Some(cpu), probe: Some(probe.into()) }
    }
}

/// One dispatch of a WGSL file.
///
/// The file declares, in group 0, `Params` as uniform at binding 0, then the operands in order as
/// `array<Elem>` (or a concrete type, where not all are of the type of the first), then the result
/// as `array<Out>`, and an entry point `main`. Operands and result are contiguous; truth values are
/// words. It stores an element as `y[index] = epilogue(value, index)`, where `value` is an `Acc`:
/// what becomes of the result is fused there. `Elem`, `Acc`, `Out`, `epilogue`, and the fragments of
/// `shaders/lib` that a comment `// Lib name, name` at its beginning asks for, are appended by the
/// host. Where elements are f16, so are `Elem` and `Out`, but `Acc` is f32: what is loaded is converted,
/// as in `Acc(x[i])`, or `Wide(x[i])` where the result is of another type than the elements. Every file of `shaders/` without `lib` is an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shader {
    /// The file's name without its ending.
    pub name: &'static str,
    /// The file.
    pub source: &'static str,
    /// Values of its overrides, all of them.
    pub overrides: Vec<(&'static str, f64)>,
    /// Its `Params`.
    pub params: Vec<u8>,
    /// Extent of the grid; x is already folded into y where it passes 65,535.
    pub workgroups: [u32; 3],
}

impl Shader {
    /// A file without overrides. `params` are the bytes of `Params`: a multiple of 4, at least 4.
    /// The grid has at least `groups` workgroups, which are numbered
    /// `workgroup_id.x + workgroup_id.y * num_workgroups.x`; there may be more of them.
    pub fn new(name: &'static str, source: &'static str, params: &[u8], groups: usize) -> Self {
        let (overrides, params) = (Vec::new(), params.to_vec());
        Shader { name, source, overrides, params, workgroups: fold(groups) }
    }

    /// Gives an override a value.
    pub fn with_override(mut self, name: &'static str, value: f64) -> Self {
        self.overrides.push((name, value));
        self
    }
}

/// A loop over elements of the result.
#[derive(Clone)]
#[non_exhaustive]
pub struct CpuKernel {
    /// Chunks of the result start and end at multiples of this many elements.
    pub granule: usize,
    /// Operations an element costs, to choose the size of chunks.
    pub work: usize,
    /// Computes elements `start..start + out.len()` of the result from the whole operands.
    pub compute: Arc<Compute>,
}

impl CpuKernel {
    /// A loop whose results come in groups of `granule` elements, each of which takes about `work`
    /// operations. `compute` gets the words of the operands and of some groups of results: floats
    /// as their bits, which `bytemuck::cast_slice` takes for `f32`.
    pub fn new(
        granule: usize,
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
    ) -> Self {
        CpuKernel { granule: granule.max(1), work: work.max(1), compute: Arc::new(compute) }
    }
}

/// The type of [`CpuKernel::compute`].
pub type Compute = dyn Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync;

impl std::fmt::Debug for CpuKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CpuKernel {{ granule: {}, work: {} }}", self.granule, self.work)
    }
}

/// What an operation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Arithmetic operations; a multiply-add counts as two.
    pub flops: f64,
    /// Bytes read and written at least, everything being read once.
    pub bytes: f64,
}

impl Cost {
    /// `flops` for each element of the result; every operand is read and the result written once.
    pub fn elementwise(
        flops: f64,
        operands: &[&crate::shape::Meta],
        result: &crate::shape::Meta,
    ) -> Self {
        Cost { flops: flops * result.shape.len() as f64, ..Cost::moved(operands, result) }
    }

    /// Every operand is read and the result written once.
    pub fn moved(operands: &[&crate::shape::Meta], result: &crate::shape::Meta) -> Self {
        let elements: usize = operands.iter().chain([&result]).map(|meta| meta.shape.len()).sum();
        Cost { flops: 0.0, bytes: 4.0 * elements as f64 }
    }
}

impl std::ops::Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}

/// The largest grid along an axis that every adapter accepts.
pub(crate) const MAX_GROUPS: u32 = 65_535;

/// A grid of at least `groups` workgroups, numbered `wid.x + wid.y * groups.x`.
pub(crate) fn fold(groups: usize) -> [u32; 3] {
    let groups = groups.max(1) as u32;
    if groups <= MAX_GROUPS {
        return [groups, 1, 1];
    }
    let y = groups.div_ceil(MAX_GROUPS);
    [groups.div_ceil(y), y, 1]
}

impl Pointwise {
    /// What it means on each device.
    pub(crate) fn scalar(&self) -> &dyn Scalar {
        match self {
            Pointwise::Unary(function) => function,
            Pointwise::Binary(function) => function,
            Pointwise::Compare(function) => function,
            Pointwise::Select => &super::select::Select,
            Pointwise::Cast => &super::cast::ToResult,
            Pointwise::Quantise(function) => function,
            Pointwise::Random(draw) => draw,
        }
    }
}
