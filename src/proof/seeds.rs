//! Seeded operands of the steps under test.

use crate::{
    dtype::DType,
    ops::{contract::Domain, probe::domain_words},
};

/// Sign of float operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signs {
    /// On both sides of 0.
    Both,
    /// Above 0, for roots and logarithms.
    Positive,
}

/// Words of a tensor of this type, different for each seed.
pub(super) fn words(dtype: DType, len: usize, signs: Signs, seed: usize) -> Vec<u32> {
    let domain = match (dtype, signs) {
        (DType::F32 | DType::F16, Signs::Both) => Domain::Range(-2.0, 2.0),
        (DType::F32 | DType::F16, Signs::Positive) => Domain::Range(0.25, 2.0),
        (DType::I32, _) => Domain::Range(-50.0, 50.0),
        (DType::U32, _) => Domain::Below(100),
        (DType::Bool, _) => Domain::Below(2),
    };
    domain_words(&domain, dtype, len, seed)
}
