//! The built-in functions.

use super::{
    arithmetic::{float, rounded},
    layout::Kind,
    value::Words,
};
use half::f16;
use naga::MathFunction;

/// A built-in function of up to three arguments, whose components are of the given type; `None` if
/// it is not supported.
pub(super) fn math(fun: MathFunction, kind: Kind, args: &[&Words]) -> Option<Words> {
    match (kind, args) {
        (Kind::Float | Kind::Half, [a]) => float1(fun, kind, a),
        (Kind::Float | Kind::Half, [a, b]) => float2(fun, kind, a, b),
        (Kind::Float | Kind::Half, [a, b, c]) => float3(fun, kind, a, b, c),
        (Kind::Sint | Kind::Uint, args) => integer(fun, kind, args),
        _ => None,
    }
}

fn float1(fun: MathFunction, kind: Kind, a: &Words) -> Option<Words> {
    use MathFunction as M;
    let function: fn(f32) -> f32 = match fun {
        M::Abs => f32::abs,
        M::Saturate => |a| a.clamp(0.0, 1.0),
        M::Cos => f32::cos,
        M::Cosh => f32::cosh,
        M::Sin => f32::sin,
        M::Sinh => f32::sinh,
        M::Tan => f32::tan,
        M::Tanh => f32::tanh,
        M::Acos => f32::acos,
        M::Asin => f32::asin,
        M::Atan => f32::atan,
        M::Asinh => f32::asinh,
        M::Acosh => f32::acosh,
        M::Atanh => f32::atanh,
        M::Radians => f32::to_radians,
        M::Degrees => f32::to_degrees,
        M::Ceil => f32::ceil,
        M::Floor => f32::floor,
        M::Round => f32::round_ties_even,
        M::Fract => |a| a - a.floor(),
        M::Trunc => f32::trunc,
        M::Exp => f32::exp,
        M::Exp2 => f32::exp2,
        M::Log => f32::ln,
        M::Log2 => f32::log2,
        M::Sign => |a| if a == 0.0 { a } else { a.signum() },
        M::Sqrt => f32::sqrt,
        M::InverseSqrt => |a| 1.0 / a.sqrt(),
        M::QuantizeToF16 => |a| f16::from_f32(a).to_f32(),
        M::Length => return Some(length(kind, a)),
        M::Normalize => {
            let length = length(kind, a);
            return Some(a.zip(&length, |a, length| rounded(kind, float(a) / float(length))));
        }
        M::Pack2x16float => {
            let [low, high] = [0, 1].map(|number| a.chosen(std::iter::once(number)));
            let bits = |word| u32::from(f16::from_f32(float(word)).to_bits());
            return Some(low.zip(&high, |low, high| bits(low) | bits(high) << 16));
        }
        _ => return None,
    };
    Some(a.map(|a| rounded(kind, function(float(a)))))
}

fn float2(fun: MathFunction, kind: Kind, a: &Words, b: &Words) -> Option<Words> {
    use MathFunction as M;
    let function: fn(f32, f32) -> f32 = match fun {
        M::Min => f32::min,
        M::Max => f32::max,
        M::Atan2 => f32::atan2,
        M::Pow => f32::powf,
        M::Step => |edge, a| f32::from(u8::from(edge <= a)),
        M::Dot => return Some(dot(kind, a, b)),
        M::Distance => {
            let between = a.zip(b, |a, b| rounded(kind, float(a) - float(b)));
            return Some(length(kind, &between));
        }
        M::Ldexp => return Some(a.zip(b, |a, b| rounded(kind, scaled(float(a), b as i32)))),
        _ => return None,
    };
    Some(a.zip(b, |a, b| rounded(kind, function(float(a), float(b)))))
}

fn float3(fun: MathFunction, kind: Kind, a: &Words, b: &Words, c: &Words) -> Option<Words> {
    use MathFunction as M;
    let function: fn(f32, f32, f32) -> f32 = match fun {
        M::Clamp => |a, low, high| a.max(low).min(high),
        M::Fma => {
            let fma = |a, b, c| rounded(kind, float(a).mul_add(float(b), float(c)));
            return Some(a.zip3(b, c, fma));
        }
        M::Mix => |a, b, part| a * (1.0 - part) + b * part,
        M::SmoothStep => |low, high, a| {
            let part = ((a - low) / (high - low)).clamp(0.0, 1.0);
            part * part * (3.0 - 2.0 * part)
        },
        _ => return None,
    };
    Some(a.zip3(b, c, |a, b, c| rounded(kind, function(float(a), float(b), float(c)))))
}

fn scaled(a: f32, exponent: i32) -> f32 {
    (f64::from(a) * f64::from(exponent.clamp(-400, 400)).exp2()) as f32
}

fn dot(kind: Kind, a: &Words, b: &Words) -> Words {
    let products = a.zip(b, |a, b| rounded(kind, float(a) * float(b)));
    sum(&products, |a, b| rounded(kind, float(a) + float(b)))
}

fn length(kind: Kind, a: &Words) -> Words {
    dot(kind, a, a).map(|square| rounded(kind, float(square).sqrt()))
}

fn sum(parts: &Words, add: impl Fn(u32, u32) -> u32) -> Words {
    let first = parts.chosen(std::iter::once(0));
    (1..parts.width).fold(first, |sum, k| sum.zip(&parts.chosen(std::iter::once(k)), &add))
}

fn integer(fun: MathFunction, kind: Kind, args: &[&Words]) -> Option<Words> {
    use MathFunction as M;
    let is_signed = kind == Kind::Sint;
    let signed = |f: fn(i32, i32) -> i32| move |a: u32, b: u32| f(a as i32, b as i32) as u32;
    Some(match (fun, args) {
        (M::Abs, [a]) if is_signed => a.map(|a| (a as i32).wrapping_abs() as u32),
        (M::Abs, [a]) => (*a).clone(),
        (M::Sign, [a]) => a.map(|a| (a as i32).signum() as u32),
        (M::Min, [a, b]) if is_signed => a.zip(b, signed(i32::min)),
        (M::Min, [a, b]) => a.zip(b, u32::min),
        (M::Max, [a, b]) if is_signed => a.zip(b, signed(i32::max)),
        (M::Max, [a, b]) => a.zip(b, u32::max),
        (M::Clamp, [a, low, high]) if is_signed => {
            a.zip(low, signed(i32::max)).zip(high, signed(i32::min))
        }
        (M::Clamp, [a, low, high]) => a.zip(low, u32::max).zip(high, u32::min),
        (M::Dot, [a, b]) => sum(&a.zip(b, u32::wrapping_mul), u32::wrapping_add),
        (M::Dot4I8Packed, [a, b]) => a.zip(b, |a, b| {
            let products = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
            products.map(|(a, b)| i32::from(a as i8) * i32::from(b as i8)).sum::<i32>() as u32
        }),
        (M::Dot4U8Packed, [a, b]) => a.zip(b, |a, b| {
            let products = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
            products.map(|(a, b)| u32::from(a) * u32::from(b)).sum()
        }),
        (M::CountOneBits, [a]) => a.map(u32::count_ones),
        (M::CountLeadingZeros, [a]) => a.map(u32::leading_zeros),
        (M::CountTrailingZeros, [a]) => a.map(u32::trailing_zeros),
        (M::ReverseBits, [a]) => a.map(u32::reverse_bits),
        (M::FirstTrailingBit, [a]) => a.map(|a| if a == 0 { u32::MAX } else { a.trailing_zeros() }),
        (M::FirstLeadingBit, [a]) => a.map(|a| {
            let a = if is_signed && (a as i32) < 0 { !a } else { a };
            31u32.wrapping_sub(a.leading_zeros())
        }),
        (M::Unpack2x16float, [a]) => {
            let half =
                |shift: u32| a.map(|a| f16::from_bits((a >> shift) as u16).to_f32().to_bits());
            Words::joined(&[&half(0), &half(16)])
        }
        (M::Pack4xI8 | M::Pack4xU8, [a]) => {
            let bytes: Vec<Words> = (0..4)
                .map(|k| a.chosen(std::iter::once(k)).map(|a| (a & 0xff) << (8 * k)))
                .collect();
            sum(&Words::joined(&bytes.iter().collect::<Vec<_>>()), |a, b| a | b)
        }
        (M::Unpack4xI8, [a]) => {
            let byte = |k: usize| a.map(|a| i32::from(a.to_le_bytes()[k] as i8) as u32);
            Words::joined(&[&byte(0), &byte(1), &byte(2), &byte(3)])
        }
        (M::Unpack4xU8, [a]) => {
            let byte = |k: usize| a.map(|a| u32::from(a.to_le_bytes()[k]));
            Words::joined(&[&byte(0), &byte(1), &byte(2), &byte(3)])
        }
        _ => return None,
    })
}
