//! The contract of an operation: the operands it is tested on, their values, and the error allowed
//! for a device.
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
