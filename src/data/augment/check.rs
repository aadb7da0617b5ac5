//! Checks of the settings of a transform.

use super::image::{len, refused};
use crate::{
    error::{Error, OpError},
    numbers::Must,
};
use std::ops::RangeInclusive;

/// Name of a transform, and the extents of an image that it is to be applied to.
#[derive(Clone, Copy)]
pub(super) struct Check(pub &'static str, pub [usize; 3]);

impl Check {
    /// The error with this reason.
    pub fn refuse<T>(self, reason: OpError) -> Result<T, Error> {
        Err(refused(self.0, self.1, reason))
    }

    /// Refuses a number that is not as it must be.
    pub fn number(self, what: &'static str, is: f64, must: Must) -> Result<(), Error> {
        match must.allows(is) {
            true => Ok(()),
            false => self.refuse(OpError::Number { what, must: must.text(), is }),
        }
    }

    /// Refuses a value of a pixel that is not finite in f32.
    pub fn pixel(self, what: &'static str, is: f64) -> Result<(), Error> {
        self.number(what, is, Must::BeFinite)?;
        match (is as f32).is_finite() {
            true => Ok(()),
            false => self.refuse(OpError::Number { what, must: "finite in f32", is }),
        }
    }

    /// Refuses a range that is reversed, or one of whose ends is not as it must be.
    pub fn range(
        self,
        what: &'static str,
        range: &RangeInclusive<f64>,
        must: Must,
    ) -> Result<(), Error> {
        let (&low, &high) = (range.start(), range.end());
        self.number(what, low, must)?;
        self.number(what, high, must)?;
        match low <= high {
            true => Ok(()),
            false => {
                self.refuse(OpError::Number { what, must: "a range from low to high", is: low })
            }
        }
    }

    /// The extents of a result of this size; refuses one without pixels, or too large for an index.
    pub fn size(self, [rows, columns]: [usize; 2]) -> Result<[usize; 3], Error> {
        self.number("rows", rows as f64, Must::BePositive)?;
        self.number("columns", columns as f64, Must::BePositive)?;
        let extents = [self.1[0], rows, columns];
        match len(extents) {
            Some(len) if i32::try_from(len).is_ok() => Ok(extents),
            _ => self.refuse(OpError::TooLarge),
        }
    }
}
