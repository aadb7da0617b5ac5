//! Element types.

use half::f16;

/// Element type of a tensor.
///
/// On a device every element occupies one 32-bit word, except for `F16`, which a GPU stores in 16
/// bits. 64-bit integers exist only in files.
#[doc(alias = "torch.dtype")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16: arithmetic is in f32, results are rounded when stored.
    F16,
    /// Two's complement, wrapping arithmetic.
    I32,
    /// Unsigned, wrapping arithmetic.
    U32,
    /// Boolean: a word that is 0 or 1.
    Bool,
}

impl DType {
    /// All element types.
    pub const ALL: [DType; 5] = [DType::F32, DType::F16, DType::I32, DType::U32, DType::Bool];

    /// Whether this is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16)
    }

    /// Whether this is an integer type.
    pub fn is_int(self) -> bool {
        matches!(self, DType::I32 | DType::U32)
    }

    /// Rounds `x` to the nearest value of this type, returned as f64.
    ///
    /// Floats round to nearest even; integers truncate toward zero and saturate, NaN becomes 0;
    /// a boolean tells whether `x` differs from zero.
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F32 => f64::from(x as f32),
            DType::F16 => f16::from_f64(x).to_f64(),
            DType::I32 => f64::from(x as i32),
            DType::U32 => f64::from(x as u32),
            DType::Bool => f64::from(u8::from(x != 0.0)),
        }
    }

    /// The word that stores `x`, rounded to this type first; f16 is held as its f32 value.
    pub fn to_word(self, x: f64) -> u32 {
        match self {
            DType::F32 => (x as f32).to_bits(),
            DType::F16 => f16::from_f64(x).to_f32().to_bits(),
            DType::I32 => (x as i32) as u32,
            DType::U32 => x as u32,
            DType::Bool => u32::from(x != 0.0),
        }
    }

    /// Whether an integer type has this number, rather than a rounded or saturated one; floats round
    /// any.
    pub(crate) fn holds(self, x: f64) -> bool {
        let between = |least: f64, most: f64| (least..=most).contains(&x) && x.fract() == 0.0;
        match self {
            DType::F32 | DType::F16 => true,
            DType::I32 => between(f64::from(i32::MIN), f64::from(i32::MAX)),
            DType::U32 => between(0.0, f64::from(u32::MAX)),
            DType::Bool => between(0.0, 1.0),
        }
    }

    /// The value stored in a word: the inverse of [`DType::to_word`].
    pub fn from_word(self, word: u32) -> f64 {
        match self {
            DType::F32 | DType::F16 => f64::from(f32::from_bits(word)),
            DType::I32 => f64::from(word as i32),
            DType::U32 => f64::from(word),
            DType::Bool => f64::from(u8::from(word != 0)),
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::Bool => "bool",
        })
    }
}
