//! Errors of data sets.

use super::similar::quoted;

/// Data cannot be split, drawn or transformed as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Fractions are not those of a whole.
    #[error(
        "fractions {0:?} are not parts of a whole: expected numbers from 0 that add up to at most 1"
    )]
    Fractions(Vec<f64>),
    /// There are too few rows or groups for so many folds.
    #[error(
        "{of} {unit} cannot make {folds} folds: expected 2 or more, each with {unit} of its own"
    )]
    Folds {
        /// The number of folds.
        folds: usize,
        /// The number of rows or groups.
        of: usize,
        /// `rows` or `groups`.
        unit: &'static str,
    },
    /// A weight is negative or not finite.
    #[error("weight {index} is {weight}: expected a finite number from 0")]
    Weight {
        /// Position of the weight.
        index: usize,
        /// The weight.
        weight: f64,
    },
    /// There are no weights, all are 0, or their sum is infinite.
    #[error("the weights add up to {sum}: expected a finite sum above 0")]
    NoWeight {
        /// The sum.
        sum: f64,
    },
    /// The number of weights is not that of the rows.
    #[error("{weights} weights do not fit {rows} rows: expected one for each")]
    Weights {
        /// The number of weights.
        weights: usize,
        /// The number of rows.
        rows: usize,
    },
    /// The data have no field of this name.
    #[error("the data have no field {name:?}{}", quoted("; they have ", known))]
    NoField {
        /// The name.
        name: String,
        /// Names of the fields.
        known: Vec<String>,
    },
}
