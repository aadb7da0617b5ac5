//! Floats as decimal numbers.

use crate::dtype::DType;
use half::f16;

/// The shortest decimal number that a floating-point type rounds to a finite value.
pub(super) struct Decimal {
    value: f64,
    /// Digits, without a point: the first stands for units of `10^exponent`, and the last is not 0.
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// The shortest digits of a finite value of this type.
    pub fn of(dtype: DType, value: f64) -> Self {
        let text = match dtype {
            DType::F16 => half(value),
            _ => format!("{:e}", value as f32),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
        Decimal { value, digits, exponent: exponent.parse().unwrap_or(0) }
    }

    /// As Rust prints a float for debugging: `1.0`, `0.1`, `1e-7`.
    pub fn plain(&self) -> String {
        let text = format!("{}e{}", self.digits, self.exponent - self.digits.len() as i32 + 1);
        let shortest: f64 = text.parse().unwrap_or(self.value);
        format!("{:?}", shortest.copysign(self.value))
    }

    /// Number of its digits after the point, if there may be so many at most.
    pub fn places(&self, most: usize) -> usize {
        let own = usize::try_from(self.digits.len() as i32 - 1 - self.exponent).unwrap_or(0);
        if own <= most { own } else { places_of(&fixed(self.value, most)) }
    }

    /// The same where the point is behind the first digit.
    pub fn scientific_places(&self, most: usize) -> usize {
        let own = self.digits.len() - 1;
        let rounded = || format!("{:.most$e}", self.value);
        if own <= most { own } else { places_of(rounded().split('e').next().unwrap_or_default()) }
    }
}

/// `12.50`, with so many digits after the point.
pub(super) fn fixed(value: f64, places: usize) -> String {
    pointed(format!("{value:.places$}"))
}

/// `1.25e+01`, with so many digits after the point.
pub(super) fn scientific(value: f64, places: usize) -> String {
    let text = format!("{value:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{}e{sign}{exponent:0>2}", pointed(mantissa.to_owned()))
}

/// A number that ends in a point if it has none.
fn pointed(mut number: String) -> String {
    if !number.contains('.') {
        number.push('.');
    }
    number
}

/// Number of digits after the point, without zeros at the end.
fn places_of(number: &str) -> usize {
    let (_, behind) = number.split_once('.').unwrap_or_default();
    behind.trim_end_matches('0').len()
}

/// The shortest decimal number that f16 rounds to this value; five digits always do.
fn half(value: f64) -> String {
    let bits = f16::from_f64(value).to_bits();
    let rounds = |text: &String| text.parse().is_ok_and(|x| f16::from_f64(x).to_bits() == bits);
    let shortest = (0..5).map(|places| format!("{value:.places$e}")).find(rounds);
    shortest.unwrap_or_else(|| format!("{value:e}"))
}
