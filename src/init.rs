//! Initializers of variables.

use crate::dtype::DType;

/// Initializer of a variable: see [`Graph::variable`](crate::Graph::variable).
///
/// The fans are those of a weight `[outputs, inputs, ..window]`, each times the size of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// 0 everywhere.
    Zeros,
    /// 1 everywhere.
    Ones,
    /// This number everywhere.
    Constant(f64),
    /// Uniform in `[low, high)`.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound, exclusive.
        high: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Normal with variance `2 / fan_in` (He et al. 2015): keeps the scale through ReLUs.
    HeNormal,
    /// Uniform with variance `2 / fan_in`.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot & Bengio 2010): for tanh and sigmoid.
    GlorotNormal,
    /// Uniform with variance `2 / (fan_in + fan_out)`.
    GlorotUniform,
    /// The L2 norms of the rows of the sibling variable of this name: roots of the sums of squares
    /// over all its axes but the first.
    RowLengths(&'static str),
    /// The seed of the store: two words, the key of all random operations.
    Seed,
}

impl Init {
    /// Whether this initializer is valid for this element type.
    pub(crate) fn accepts(self, dtype: DType) -> bool {
        match self {
            Init::Seed => dtype == DType::U32,
            Init::Zeros | Init::Ones | Init::Constant(_) => true,
            _ => dtype.is_float(),
        }
    }
}
