//! The operations: one file each, or one per family, and the list of them.
//!
//! The file of an operation has everything specific to it: the shape rule, the definition in f64,
//! the derivative in terms of other operations, the device implementations, the cost, and the
//! samples that every test runs on.

pub(crate) mod arg_reduce;
pub(crate) mod argsort;
pub(crate) mod attention;
pub(crate) mod binary;
pub(crate) mod broadcast;
pub(crate) mod cast;
pub(crate) mod class;
pub(crate) mod compare;
pub(crate) mod composite;
pub(crate) mod concat;
pub(crate) mod constant;
pub mod contract;
pub(crate) mod convolution;
pub(crate) mod cost;
pub(crate) mod cross_entropy;
pub(crate) mod cumsum;
pub(crate) mod custom;
pub(crate) mod detach;
pub(crate) mod flip;
pub(crate) mod full;
pub(crate) mod gather;
pub(crate) mod grads;
pub(crate) mod iota;
pub(crate) mod kernel;
pub(crate) mod library;
pub(crate) mod math;
pub(crate) mod matmul;
pub(crate) mod normalize;
pub(crate) mod pad;
pub(crate) mod params;
mod per_axis;
pub(crate) mod pool;
pub(crate) mod precision;
pub(crate) mod probe;
pub(crate) mod quantize;
pub(crate) mod radix;
pub(crate) mod random;
pub(crate) mod recurrent;
pub(crate) mod reduce;
pub(crate) mod reshape;
pub(crate) mod rows;
pub(crate) mod scalar;
pub(crate) mod scatter_add;
pub(crate) mod scatter_extreme;
pub(crate) mod segment;
pub(crate) mod select;
pub(crate) mod slice;
pub(crate) mod softmax;
pub(crate) mod source;
pub(crate) mod sum_in_order;
mod tiles;
pub(crate) mod transpose;
pub(crate) mod unary;
pub(crate) mod units;

pub use binary::Pow;
pub(crate) use constant::SharedConstant;
pub use constant::{IntoConstant, Numbers};
pub use pool::Window;

pub use convolution::Geometry;
pub use cost::Cost;
pub use custom::Custom;
pub use kernel::{CpuKernel, Shader, ShaderFile};
pub(crate) use math::erf_f64;
pub use params::Params;
pub use per_axis::{Ends, PerAxis, Sizes};
pub use precision::Precision;

use self::{
    attention::AttentionLogSumExp,
    contract::{Bound, Domain, Sample, with_halves},
    convolution::ConvolutionGrads,
    matmul::LinearGrads,
    probe::Probe,
};
use crate::{array64::Array64, error::OpError, graph::Tensor, shape::Meta};
use class::Class;
use kernel::Kernel;

/// The interface of an operation to the engine.
///
/// No method has a default: a forgotten rule does not compile, and the absence of one is stated
/// explicitly (`None`, [`Class::Composite`]).
pub(crate) trait Operation {
    /// Name in errors and test output.
    fn name(&self) -> &'static str;

    /// Shape and element type of the result. Builders pass the right number of operands, so
    /// implementations may match on it.
    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError>;

    /// The definition, in f64: plain loops over the formula, written independently of the shader.
    fn eval(&self, operands: &[&Array64]) -> Array64;

    /// The cotangent of each operand, as graph nodes; `None` where it is zero by definition.
    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>>;

    /// The expansion into other operations, unless this is a primitive.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>>;

    /// The kind of computation on these shapes. Called often, so it must not build anything.
    fn class(&self, operands: &[&Meta], result: &Meta) -> Class;

    /// The device implementation on these shapes: present exactly if the class is
    /// [`Class::Kernel`].
    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel>;

    /// The cost on these shapes.
    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost;

    /// The samples to test it on, with the error bound of a device.
    fn samples() -> Vec<Sample>;
}

/// Declares the enum [`Op`] over the given types, and forwards [`Operation`] to them.
///
/// The modules are declared by hand: rustfmt does not follow a `mod` that a macro emits.
macro_rules! operations {
    ($($module:ident::$Name:ident,)*) => {
        /// The operation of a node.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each is documented where it is declared")]
        pub enum Op { $($Name($module::$Name),)* }

        $(impl From<$module::$Name> for Op {
            fn from(op: $module::$Name) -> Self { Op::$Name(op) }
        })*

        impl Op {
            /// Name of the operation.
            pub fn name(&self) -> &'static str {
                match self { $(Op::$Name(op) => Operation::name(op),)* }
            }

            /// Name and attributes, as graph dumps show them.
            pub fn describe(&self) -> String {
                match self { $(Op::$Name(op) => op.to_string(),)* }
            }

            pub(crate) fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
                match self { $(Op::$Name(op) => op.infer(operands),)* }
            }

            pub(crate) fn eval(&self, operands: &[&Array64]) -> Array64 {
                match self { $(Op::$Name(op) => op.eval(operands),)* }
            }

            pub(crate) fn vjp<'g>(&self, operands: &[Tensor<'g>], y: Tensor<'g>, ct: Tensor<'g>)
                -> Vec<Option<Tensor<'g>>> {
                match self { $(Op::$Name(op) => op.vjp(operands, y, ct),)* }
            }

            pub(crate) fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
                match self { $(Op::$Name(op) => op.expand(operands),)* }
            }

            pub(crate) fn class(&self, operands: &[&Meta], result: &Meta) -> Class {
                match self { $(Op::$Name(op) => op.class(operands, result),)* }
            }

            pub(crate) fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
                match self { $(Op::$Name(op) => op.kernel(operands, result),)* }
            }

            /// The cost of the operation on these shapes.
            pub fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
                match self { $(Op::$Name(op) => op.cost(operands, result),)* }
            }
        }

        /// The samples of every operation.
        pub fn samples() -> Vec<Sample> {
            [$($module::$Name::samples()),*].concat()
        }
    };
}

operations! {
    source::Input,
    source::Variable,
    full::Full,
    constant::Constant,
    iota::Iota,
    random::Random,
    unary::Unary,
    binary::Binary,
    compare::Compare,
    select::Select,
    quantize::Quantize,
    cast::Cast,
    detach::Detach,
    reshape::Reshape,
    transpose::Transpose,
    broadcast::Broadcast,
    slice::Slice,
    pad::Pad,
    concat::Concat,
    flip::Flip,
    reduce::Reduce,
    sum_in_order::SumInOrder,
    arg_reduce::ArgReduce,
    cumsum::Cumsum,
    argsort::Argsort,
    radix::RadixCount,
    radix::RadixScatter,
    gather::Gather,
    scatter_add::ScatterAdd,
    scatter_extreme::ScatterExtreme,
    segment::SegmentTails,
    segment::SegmentSum,
    matmul::Matmul,
    matmul::LinearGrads,
    matmul::UnitMatmul,
    matmul::MatmulI8,
    convolution::Convolution,
    convolution::ConvolutionInputGrad,
    convolution::ConvolutionWeightGrad,
    convolution::ConvolutionGrads,
    convolution::UnitConvolution,
    convolution::ConvolutionI8,
    softmax::Softmax,
    softmax::LogSoftmax,
    attention::Attention,
    attention::AttentionLogSumExp,
    attention::AttentionGrad,
    cross_entropy::CrossEntropy,
    cross_entropy::CrossEntropyGrad,
    recurrent::LstmCell,
    recurrent::LstmCellGrad,
    recurrent::GruCell,
    recurrent::GruCellGrad,
    normalize::Normalize,
    normalize::NormalizeGrad,
    pool::MaxPool,
    pool::MaxPoolGrad,
    pool::MaxPoolSelect,
    pool::AvgPool,
    pool::AvgPoolGrad,
    custom::Custom,
}

impl Op {
    /// The operation whose result the same kernel may have beside this one's, from the same operands.
    pub(crate) fn sibling(&self) -> Option<Op> {
        Some(match self.clone() {
            Op::LinearGrads(op) => LinearGrads { of: op.of.other(), ..op }.into(),
            Op::ConvolutionGrads(op) => ConvolutionGrads { of: op.of.other(), ..op }.into(),
            Op::Attention(op) => AttentionLogSumExp(op).into(),
            Op::AttentionLogSumExp(AttentionLogSumExp(op)) => op.into(),
            _ => return None,
        })
    }

    /// The operand that holds indices or labels, and the number they are below.
    pub(crate) fn indexes(&self, operands: &[&Meta]) -> Option<(usize, usize)> {
        match self {
            Op::Gather(op) => Some((1, *operands[0].shape.dims().get(op.axis)?)),
            Op::ScatterAdd(op) => Some((1, op.extent)),
            Op::ScatterExtreme(_) => Some((2, operands[0].shape.len())),
            Op::CrossEntropy(_) | Op::CrossEntropyGrad(_) => {
                Some((1, *operands[0].shape.dims().last()?))
            }
            _ => None,
        }
    }
}
