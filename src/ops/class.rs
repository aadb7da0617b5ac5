//! Classification of operations by kind of computation.

use super::{
    binary::BinaryFn, compare::CompareFn, quantize::QuantizeFn, random::Draw, reduce::ReduceFn,
    scalar::Scalar, unary::UnaryFn,
};

/// The kind of computation of an operation on given shapes: all that rewriting and fusion look at.
#[derive(Clone, Debug)]
pub(crate) enum Class {
    /// An input or a variable: it exists before the run.
    Source,
    /// Every element is this word.
    Full(u32),
    /// Every element is its coordinate along this axis.
    Iota(usize),
    /// Each element of the result is a function of the operands' elements at the same index.
    Pointwise(Pointwise),
    /// Each element of the result is an element of an operand, or a constant.
    Layout(Layout),
    /// Elements are combined along axes, which are kept with extent 1.
    Reduce {
        /// How two elements are combined.
        function: ReduceFn,
        /// The axes, in increasing order.
        axes: Vec<usize>,
    },
    /// It has its own shader and CPU loop: see `Operation::kernel`.
    Kernel,
    /// It expands into other operations on these shapes: see `Operation::expand`.
    Composite,
}

impl Class {
    /// The class of an operation whose kernel supports only some shapes.
    pub fn kernel_if(is_served: bool) -> Self {
        if is_served { Class::Kernel } else { Class::Composite }
    }
}

/// A function of elements at one index. The file of the op implements it for each device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// One operand.
    Unary(UnaryFn),
    /// Two operands of one type.
    Binary(BinaryFn),
    /// Compares two operands of one type; the result is a boolean.
    Compare(CompareFn),
    /// `if a { b } else { c }`.
    Select,
    /// Conversion to the type of the result.
    Cast,
    /// Rounds two operands to a byte, as i32.
    Quantize(QuantizeFn),
    /// Operands: two key words, the counter, and the element's index.
    Random(Draw),
}

impl Pointwise {
    /// Whether the function of halves is exactly a half, and needs no rounding.
    pub(crate) fn keeps_halves(&self) -> bool {
        use UnaryFn::{Abs, Ceil, Floor, Neg, Relu, Round, Sign, Trunc};
        match self {
            Pointwise::Unary(Abs | Ceil | Floor | Neg | Relu | Round | Sign | Trunc)
            | Pointwise::Binary(BinaryFn::Max | BinaryFn::Min | BinaryFn::Rem)
            | Pointwise::Select
            // It is the rounding.
            | Pointwise::Cast => true,
            _ => false,
        }
    }

    /// The implementation for each device.
    pub(crate) fn scalar(&self) -> &dyn Scalar {
        match self {
            Pointwise::Unary(function) => function,
            Pointwise::Binary(function) => function,
            Pointwise::Compare(function) => function,
            Pointwise::Select => &super::select::Select,
            Pointwise::Cast => &super::cast::ToResult,
            Pointwise::Quantize(function) => function,
            Pointwise::Random(draw) => draw,
        }
    }
}

/// Mapping from an element of the result to an element of an operand.
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
        /// Start coordinates.
        starts: Vec<usize>,
        /// Steps, at least 1.
        steps: Vec<usize>,
    },
    /// Coordinate `extent - 1 - c` along these axes.
    Flip(Vec<usize>),
    /// Coordinate `c - low[axis]` if that exists, otherwise `value`.
    Pad {
        /// Number of elements inserted before each axis.
        low: Vec<usize>,
        /// The padding word.
        value: u32,
    },
    /// Concatenates the operands along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::{contract::Subject, samples},
        shape::Meta,
    };

    /// The scheduler requests a kernel exactly where the class promises one.
    #[test]
    fn there_is_a_kernel_exactly_where_the_class_says_so() {
        for sample in samples() {
            let Subject::Op(op) = &sample.subject else { continue };
            let operands: Vec<Meta> =
                sample.operands.iter().map(|(meta, _)| meta.clone()).collect();
            let result = op.infer(&operands).expect("a sample is in order");
            let operands: Vec<&Meta> = operands.iter().collect();
            let says = matches!(op.class(&operands, &result), Class::Kernel);
            assert_eq!(op.kernel(&operands, &result).is_some(), says, "{sample}");
        }
    }
}
