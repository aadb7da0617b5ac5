//! Operators and conversions, as WGSL defines them where Rust would panic.

use super::{layout::Kind, value::Words};
use half::f16;
use naga::{BinaryOperator, RelationalFunction, ScalarKind, UnaryOperator};

#[inline(always)]
pub(super) fn float(word: u32) -> f32 {
    f32::from_bits(word)
}

/// The word of a float, rounded to its type.
#[inline(always)]
pub(super) fn rounded(kind: Kind, value: f32) -> u32 {
    if kind == Kind::Half { f16::from_f32(value).to_f32().to_bits() } else { value.to_bits() }
}

pub(super) fn unary(op: UnaryOperator, kind: Kind, a: &Words) -> Option<Words> {
    Some(match (op, kind) {
        (UnaryOperator::Negate, Kind::Sint) => a.map(u32::wrapping_neg),
        (UnaryOperator::Negate, Kind::Float | Kind::Half) => a.map(|a| a ^ (1 << 31)),
        (UnaryOperator::LogicalNot, Kind::Bool) => a.map(|a| a ^ 1),
        (UnaryOperator::BitwiseNot, Kind::Sint | Kind::Uint) => a.map(|a| !a),
        _ => return None,
    })
}

fn floats(kind: Kind, a: &Words, b: &Words, f: impl Fn(f32, f32) -> f32) -> Words {
    a.zip(b, |a, b| rounded(kind, f(float(a), float(b))))
}

fn signed(a: &Words, b: &Words, f: impl Fn(i32, i32) -> i32) -> Words {
    a.zip(b, |a, b| f(a as i32, b as i32) as u32)
}

/// An operator between values of one type; the result of a comparison is a boolean.
pub(super) fn binary(op: BinaryOperator, kind: Kind, a: &Words, b: &Words) -> Option<Words> {
    match kind {
        Kind::Float | Kind::Half => of_floats(op, kind, a, b),
        Kind::Sint => of_signed(op, a, b),
        Kind::Uint => of_unsigned(op, a, b),
        Kind::Bool => of_booleans(op, a, b),
    }
}

fn of_floats(op: BinaryOperator, kind: Kind, a: &Words, b: &Words) -> Option<Words> {
    use BinaryOperator as B;
    Some(match op {
        B::Add => floats(kind, a, b, |a, b| a + b),
        B::Subtract => floats(kind, a, b, |a, b| a - b),
        B::Multiply => floats(kind, a, b, |a, b| a * b),
        B::Divide => floats(kind, a, b, |a, b| a / b),
        B::Modulo => floats(kind, a, b, |a, b| a % b),
        B::Equal => a.zip(b, |a, b| u32::from(float(a) == float(b))),
        B::NotEqual => a.zip(b, |a, b| u32::from(float(a) != float(b))),
        B::Less => a.zip(b, |a, b| u32::from(float(a) < float(b))),
        B::LessEqual => a.zip(b, |a, b| u32::from(float(a) <= float(b))),
        B::Greater => a.zip(b, |a, b| u32::from(float(a) > float(b))),
        B::GreaterEqual => a.zip(b, |a, b| u32::from(float(a) >= float(b))),
        _ => return None,
    })
}

fn of_signed(op: BinaryOperator, a: &Words, b: &Words) -> Option<Words> {
    use BinaryOperator as B;
    Some(match op {
        B::Add
        | B::Subtract
        | B::Multiply
        | B::And
        | B::InclusiveOr
        | B::ExclusiveOr
        | B::Equal
        | B::NotEqual
        | B::ShiftLeft => return of_unsigned(op, a, b),
        B::Divide => signed(a, b, |a, b| if b == 0 { a } else { a.wrapping_div(b) }),
        B::Modulo => signed(a, b, |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) }),
        B::ShiftRight => signed(a, b, |a, b| a.wrapping_shr(b as u32)),
        B::Less => signed(a, b, |a, b| i32::from(a < b)),
        B::LessEqual => signed(a, b, |a, b| i32::from(a <= b)),
        B::Greater => signed(a, b, |a, b| i32::from(a > b)),
        B::GreaterEqual => signed(a, b, |a, b| i32::from(a >= b)),
        B::LogicalAnd | B::LogicalOr => return None,
    })
}

fn of_unsigned(op: BinaryOperator, a: &Words, b: &Words) -> Option<Words> {
    use BinaryOperator as B;
    Some(match op {
        B::Add => a.zip(b, |a, b| a.wrapping_add(b)),
        B::Subtract => a.zip(b, |a, b| a.wrapping_sub(b)),
        B::Multiply => a.zip(b, |a, b| a.wrapping_mul(b)),
        B::Divide => a.zip(b, |a, b| a.checked_div(b).unwrap_or(a)),
        B::Modulo => a.zip(b, |a, b| a.checked_rem(b).unwrap_or(0)),
        B::And => a.zip(b, |a, b| a & b),
        B::InclusiveOr => a.zip(b, |a, b| a | b),
        B::ExclusiveOr => a.zip(b, |a, b| a ^ b),
        B::ShiftLeft => a.zip(b, |a, b| a.wrapping_shl(b)),
        B::ShiftRight => a.zip(b, |a, b| a.wrapping_shr(b)),
        B::Equal => a.zip(b, |a, b| u32::from(a == b)),
        B::NotEqual => a.zip(b, |a, b| u32::from(a != b)),
        B::Less => a.zip(b, |a, b| u32::from(a < b)),
        B::LessEqual => a.zip(b, |a, b| u32::from(a <= b)),
        B::Greater => a.zip(b, |a, b| u32::from(a > b)),
        B::GreaterEqual => a.zip(b, |a, b| u32::from(a >= b)),
        B::LogicalAnd | B::LogicalOr => return None,
    })
}

fn of_booleans(op: BinaryOperator, a: &Words, b: &Words) -> Option<Words> {
    use BinaryOperator as B;
    Some(match op {
        B::And | B::LogicalAnd => a.zip(b, |a, b| a & b),
        B::InclusiveOr | B::LogicalOr => a.zip(b, |a, b| a | b),
        B::ExclusiveOr | B::NotEqual => a.zip(b, |a, b| a ^ b),
        B::Equal => a.zip(b, |a, b| a ^ b ^ 1),
        _ => return None,
    })
}

pub(super) fn relational(fun: RelationalFunction, a: &Words) -> Words {
    let folded = |f: fn(u32, u32) -> u32| {
        let first = a.chosen(std::iter::once(0));
        (1..a.width).fold(first, |all, number| all.zip(&a.chosen(std::iter::once(number)), f))
    };
    match fun {
        RelationalFunction::All => folded(|a, b| a & b),
        RelationalFunction::Any => folded(|a, b| a | b),
        RelationalFunction::IsNan => a.map(|a| float(a).is_nan().into()),
        RelationalFunction::IsInf => a.map(|a| float(a).is_infinite().into()),
    }
}

/// A conversion of values, or with `convert` absent of bits.
pub(super) fn convert(from: Kind, to: ScalarKind, convert: Option<u8>, a: &Words) -> Option<Words> {
    let Some(width) = convert else {
        // f16 is not kept as its bits.
        return (from != Kind::Half && from != Kind::Bool).then(|| a.clone());
    };
    let to = Kind::new(to, width)?;
    Some(match (from, to) {
        (from, to) if from == to => a.clone(),
        (Kind::Float | Kind::Half, Kind::Bool) => a.map(|a| u32::from(float(a) != 0.0)),
        (_, Kind::Bool) => a.map(|a| u32::from(a != 0)),
        // Values beyond the range become its ends.
        (Kind::Float | Kind::Half, Kind::Sint) => a.map(|a| float(a) as i32 as u32),
        (Kind::Float | Kind::Half, Kind::Uint) => a.map(|a| float(a) as u32),
        (Kind::Float | Kind::Half, _) => a.map(|a| rounded(to, float(a))),
        (Kind::Sint, Kind::Float | Kind::Half) => a.map(|a| rounded(to, a as i32 as f32)),
        (_, Kind::Float | Kind::Half) => a.map(|a| rounded(to, a as f32)),
        (_, Kind::Sint | Kind::Uint) => a.clone(),
    })
}
