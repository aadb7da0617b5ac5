//! What an operation promises: on which operands it is tried, what they hold, and by how much a
//! device may differ from the definition.
//!
//! An operation states this in its own file; tests, `verify` and proofs only read it.

mod agreement;
mod bound;
mod domain;
mod sample;
mod subject;

pub use agreement::Agreement;
pub use bound::Bound;
pub(crate) use bound::unit_in_last_place;
pub use domain::{Domain, Noise};
pub(crate) use sample::with_halves;
pub use sample::{Gradient, Sample};
pub use subject::{Function, Subject};
