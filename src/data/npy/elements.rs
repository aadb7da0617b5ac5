//! How elements are stored, and how they become words.

use crate::dtype::DType;
use half::f16;

/// Kind of an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
}

/// Type of the elements of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Format {
    pub kind: Kind,
    /// Bytes per element.
    pub size: usize,
    pub big_endian: bool,
}

impl Format {
    /// The format that elements of this type are written in.
    pub fn of(dtype: DType) -> Self {
        let (kind, size) = match dtype {
            DType::F32 => (Kind::Float, 4),
            DType::F16 => (Kind::Float, 2),
            DType::I32 => (Kind::Signed, 4),
            DType::U32 => (Kind::Unsigned, 4),
            DType::Bool => (Kind::Bool, 1),
        };
        Format { kind, size, big_endian: false }
    }

    /// The format of this name: `<f4` is a little-endian float of four bytes.
    pub fn parse(name: &str) -> Option<Self> {
        let (order, name) = name.split_at_checked(1)?;
        let (kind, size) = match name {
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "b1" => (Kind::Bool, 1),
            _ => return None,
        };
        let big_endian = match order {
            "<" => false,
            ">" => true,
            "|" if size == 1 => false,
            _ => return None,
        };
        Some(Format { kind, size, big_endian })
    }

    /// Its name, as in a header.
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Float => 'f',
            Kind::Signed => 'i',
            Kind::Unsigned => 'u',
            Kind::Bool => 'b',
        };
        let order = match (self.size, self.big_endian) {
            (1, _) => '|',
            (_, true) => '>',
            (_, false) => '<',
        };
        format!("{order}{kind}{}", self.size)
    }

    /// The type that its elements are converted to.
    pub fn dtype(self) -> DType {
        match self.kind {
            Kind::Float if self.size == 2 => DType::F16,
            Kind::Float => DType::F32,
            Kind::Signed => DType::I32,
            Kind::Unsigned => DType::U32,
            Kind::Bool => DType::Bool,
        }
    }

    /// The word of an element, or the reason why it has none.
    pub fn word(self, element: &[u8]) -> Result<u32, String> {
        let shifted = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
        let bits = match self.big_endian {
            true => element.iter().fold(0, shifted),
            false => element.iter().rev().fold(0, shifted),
        };
        match (self.kind, self.size) {
            (Kind::Float, 2) => Ok(f16::from_bits(bits as u16).to_f32().to_bits()),
            (Kind::Float, 4) => Ok(bits as u32),
            (Kind::Float, _) => {
                let (x, rounded) = (f64::from_bits(bits), f64::from_bits(bits) as f32);
                if rounded.is_infinite() && x.is_finite() {
                    return Err(format!("{x:e} does not fit into f32"));
                }
                Ok(rounded.to_bits())
            }
            (Kind::Signed, size) => {
                let unused = 64 - 8 * size as u32;
                let x = (bits << unused) as i64 >> unused;
                let word = i32::try_from(x).map(|x| x as u32);
                word.map_err(|_| format!("{x} does not fit into i32"))
            }
            (Kind::Unsigned, _) => {
                u32::try_from(bits).map_err(|_| format!("{bits} does not fit into u32"))
            }
            (Kind::Bool, _) if bits > 1 => Err(format!("expected 0 or 1, found {bits}")),
            (Kind::Bool, _) => Ok(bits as u32),
        }
    }

    /// Appends an element in the format of [`of`](Self::of).
    pub fn append(self, word: u32, bytes: &mut Vec<u8>) {
        match (self.kind, self.size) {
            (Kind::Float, 2) => bytes.extend(f16::from_f32(f32::from_bits(word)).to_le_bytes()),
            (Kind::Bool, _) => bytes.push(u8::from(word != 0)),
            _ => bytes.extend(word.to_le_bytes()),
        }
    }
}
