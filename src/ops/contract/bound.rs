//! Error bounds of devices.

use crate::dtype::DType;

/// The maximum error of a device against the reference, for its f32 arithmetic. An f16 result may
/// be off by another half unit in the last place, since it is rounded when stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The same value; NaN where the reference has NaN.
    Exact,
    /// Units in the last place of f32, at the reference's value.
    Ulp(u32),
    /// For sums: at most `c * eps * sum |terms|`, where `eps` is 2^-24 and the sum of the
    /// magnitudes of the terms is the same operation on the magnitudes of its operands.
    Terms(f64),
    /// An absolute difference.
    Abs(f64),
}

/// Distance between neighboring numbers of this type at `x`. Below the smallest normal number it
/// is that number, since devices may flush subnormals to zero.
pub(crate) fn unit_in_last_place(x: f64, dtype: DType) -> f64 {
    let (digits, least) = match dtype {
        DType::F16 => (10, -14),
        _ => (23, -126),
    };
    if x.abs() < 2f64.powi(least) {
        return 2f64.powi(least);
    }
    let exponent = ((x.to_bits() >> 52) & 0x7FF) as i32 - 1023;
    2f64.powi(exponent - digits)
}
