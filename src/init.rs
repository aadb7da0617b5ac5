//! Initializers of variables.

use crate::{dtype::DType, numbers::Must};
use std::sync::{Mutex, PoisonError};

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
    /// 0 along one index of the first axis, and the rest as another initializer has it: the row of a
    /// table that stands for padding.
    ZeroRow {
        /// The index.
        row: usize,
        /// The initializer of the rest, which depends on no other variable.
        rest: &'static Init,
    },
    /// The seed of the store: two words, the key of all random operations.
    Seed,
}

impl Init {
    /// Whether this initializer is valid for this element type.
    pub(crate) fn accepts(self, dtype: DType) -> bool {
        match self {
            Init::Seed => dtype == DType::U32,
            Init::Zeros | Init::Ones | Init::Constant(_) => true,
            Init::ZeroRow { rest: Init::RowLengths(_) | Init::Seed, .. } => false,
            Init::ZeroRow { rest, .. } => rest.accepts(dtype),
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
            Init::ZeroRow { rest, .. } => rest.numbers(),
            _ => vec![],
        }
    }

    /// This initializer for the rest of one with a row of zeros. Each is kept once, for good: there are
    /// as many as a program has different ones.
    pub(crate) fn kept(self) -> &'static Init {
        static KEPT: Mutex<Vec<&'static Init>> = Mutex::new(Vec::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.iter().find(|known| ***known == self) {
            return known;
        }
        let new: &'static Init = Box::leak(Box::new(self));
        kept.push(new);
        new
    }
}
