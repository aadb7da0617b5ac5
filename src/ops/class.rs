//! What kind of computation an operation is.

use super::{
    binary::BinaryFn, compare::CompareFn, quantize::QuantizeFn, random::Draw, reduce::ReduceFn,
    scalar::Scalar, unary::UnaryFn,
};

/// What kind of computation an operation is on some shapes: all that rewriting and fusing ask.
#[derive(Clone, Debug)]
pub(crate) enum Class {
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
    /// It has a shader and a loop of its own: see `Operation::kernel`.
    Kernel,
    /// It is written in other operations on these shapes: see `Operation::expand`.
    Composite,
}

impl Class {
    /// That of an operation with a kernel for some shapes.
    pub fn kernel_if(is_served: bool) -> Self {
        if is_served { Class::Kernel } else { Class::Composite }
    }
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
    Quantize(QuantizeFn),
    /// Operands: two key words, the counter, and the element's index.
    Random(Draw),
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
            Pointwise::Quantize(function) => function,
            Pointwise::Random(draw) => draw,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::{contract::Subject, samples},
        shape::Meta,
    };

    /// The scheduler asks for a kernel where the class says that there is one.
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
