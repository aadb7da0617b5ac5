//! The ways in which a sample fails a check.

use super::GradCheck;
use crate::{
    error::{CompileError, DeviceError, Error},
    ops::contract::Agreement,
};
use std::mem::discriminant;

/// Why a sample fails a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// An element of a device is off by more than it may be.
    Wrong(Agreement),
    /// A derivative is not the slope of what it is the derivative of.
    Slope {
        /// Both of them.
        check: GradCheck,
        /// The largest [`GradCheck::error`] of this order.
        allowed: f64,
    },
    /// A kernel of a GPU would serve without a complete proof; why.
    Unproved(String),
    /// A shader has a race, or an index past an end; which.
    Hazard(String),
    /// It could not be built, compiled or run.
    Error(Error),
    /// A closure of the operation panicked, with this message.
    Panicked(String),
}

impl Failure {
    /// Whether a smaller sample can say anything about it: a lack of memory, say, ends elsewhere.
    pub(super) fn is_of_the_sample(&self) -> bool {
        match self {
            Failure::Wrong(_) | Failure::Slope { .. } => true,
            Failure::Unproved(_) | Failure::Hazard(_) | Failure::Panicked(_) => true,
            Failure::Error(error) => matches!(
                error,
                Error::Compile(CompileError::NoTrustedKernel { .. } | CompileError::Shader { .. })
                    | Error::Device(DeviceError::StrayWrite { .. })
                    | Error::Run(_)
            ),
        }
    }

    /// Whether both fail in the same way, values and texts aside.
    pub(super) fn is_like(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Error(Error::Compile(a)), Failure::Error(Error::Compile(b))) => {
                discriminant(a) == discriminant(b)
            }
            (Failure::Error(Error::Device(a)), Failure::Error(Error::Device(b))) => {
                discriminant(a) == discriminant(b)
            }
            (Failure::Error(Error::Run(a)), Failure::Error(Error::Run(b))) => {
                discriminant(a) == discriminant(b)
            }
            (Failure::Error(a), Failure::Error(b)) => discriminant(a) == discriminant(b),
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Wrong(agreement) => agreement.fmt(f),
            Failure::Slope { check, allowed } => write!(
                f,
                "the derivative is {:e} and differences give {:e}: {:.1e} of the sum of magnitudes, \
                 and {allowed:.0e} is allowed",
                check.analytic,
                check.numeric,
                check.error()
            ),
            Failure::Unproved(why) | Failure::Hazard(why) => f.write_str(why),
            Failure::Error(error) => error.fmt(f),
            Failure::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}
