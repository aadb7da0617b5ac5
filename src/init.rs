//! Initializers of variables.

use crate::{dtype::DType, numbers::Must};

/// Initializer of a variable: see [`Graph::variable`](crate::Graph::variable).
///
/// The fans are those of a weight `[outputs, inputs, ..window]`, each times the size of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// 0 everywhere.
    #[doc(alias = "zeros_")]
    Zeros,
    /// 1 everywhere.
    #[doc(alias = "ones_")]
    Ones,
    /// This number everywhere.
    #[doc(alias = "constant_")]
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
    #[doc(alias("kaiming_normal_", "he_normal"))]
    HeNormal,
    /// Uniform with variance `2 / fan_in`.
    #[doc(alias("kaiming_uniform_", "he_uniform"))]
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot & Bengio 2010): for tanh and sigmoid.
    #[doc(alias("xavier_normal_", "glorot_normal"))]
    GlorotNormal,
    /// Uniform with variance `2 / (fan_in + fan_out)`.
    #[doc(alias("xavier_uniform_", "glorot_uniform"))]
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

    /// Its numbers, and what they must be.
    pub(crate) fn numbers(self) -> Vec<(&'static str, f64, Must)> {
        match self {
            Init::Constant(value) => vec![("constant", value, Must::BeANumber)],
            Init::Uniform { low, high } => vec![
                ("low", low, Must::BeFinite),
                ("high", high, Must::BeFinite),
                ("high - low", high - low, Must::BeAtLeast0),
            ],
            Init::Normal { mean, std } => {
                vec![("mean", mean, Must::BeFinite), ("std", std, Must::BeAtLeast0)]
            }
            _ => vec![],
        }
    }
}
