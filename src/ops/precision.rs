//! How exactly products and convolutions are calculated, and the units that calculate inexact ones.

/// How exactly a GPU calculates products of matrices and convolutions.
///
/// A graph has one at a time, [`Graph::set_precision`](crate::Graph::set_precision), and operations keep
/// the one they were built under, as do those of their derivatives. Matrix units are reached through
/// Vulkan, with `VK_KHR_cooperative_matrix`. Other devices calculate in full precision whatever was asked
/// for, as does the CPU; `wgrad plan` and [`Plan`](crate::schedule::Plan) say so, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias("allow_tf32", "set_float32_matmul_precision", "fast_math"))]
pub enum Precision {
    /// One `fma` in f32 for every term, in an order that the shape decides.
    #[default]
    Full,
    /// Products and convolutions of f16 tensors run on matrix units, from 64 terms on. These multiply
    /// exactly, but where they add, they may truncate to f32 in place of rounding, and a few terms at once.
    /// An infinite weight or cotangent may give NaN in the gradient of a convolution's input where it meets
    /// nothing. Those of f32 tensors are calculated in full precision.
    Units,
    /// Those of f32 tensors run on matrix units too, where they have 2^27 terms or more in all elements
    /// together, and 64 in each: both operands are split into two halves, of 22 bits together, and three of
    /// the four products are summed.
    ///
    /// Each row of the left operand, and each column of the right one, is scaled by a power of 2 for that, so
    /// rows and columns may be of any magnitude. Errors are about those of f32 arithmetic for elements
    /// above 2^-18 of the largest one of their row (column); below, bits are lost to it. A row (column)
    /// with infinity or NaN may give NaN where it gave infinity. In a convolution, channels of the weight
    /// and images are scaled; in the gradient of a weight, channels of the cotangent and of the input.
    ///
    /// A product or a convolution takes as much memory again as its operands.
    Split,
}

impl Precision {
    /// Its name among the flags of an operation; [`Full`](Precision::Full) is none.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Precision::Full => "",
            Precision::Units => "units",
            Precision::Split => "split",
        }
    }
}

/// The matrix units of a GPU: products of square matrices of halves, summed in f32, by a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MatrixUnits {
    /// Rows and columns of a matrix: 8 or 16.
    pub edge: usize,
    /// Invocations of a subgroup: what a driver is likely to choose, and what else it may.
    pub lanes: [usize; 2],
}

impl MatrixUnits {
    /// One for each size of matrices: those of NVIDIA's and AMD's GPUs, and smaller ones.
    pub const ALL: [MatrixUnits; 2] =
        [MatrixUnits { edge: 16, lanes: [32, 64] }, MatrixUnits { edge: 8, lanes: [32; 2] }];

    /// Those for the same matrices among `others`.
    pub(crate) fn of_edge(edge: usize, others: &[MatrixUnits]) -> Option<MatrixUnits> {
        others.iter().copied().find(|units| units.edge == edge)
    }
}
