//! Elementwise functions of two tensors: `y[i] = f(a[i], b[i])`.
//!
//! Operands broadcast as in NumPy and have one element type. Integers wrap: the least one divided by
//! -1 is itself. A quotient of integers is truncated, and a remainder has the sign of `a`; where `b`
//! is 0 the quotient is `a` and the remainder 0. `a << b` and `a >> b`
//! shift by any number of bits: by 32 or more, or by a negative number, nothing is left, except
//! the sign in a right shift.

mod pow;
mod samples;

pub use pow::Pow;

use super::*;
use super::{
    class::Pointwise,
    scalar::{Scalar, Wgsl, functions},
};
use crate::dtype::DType;

/// Applies a function to pairs of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary(pub(crate) BinaryFn);

functions! {
    /// The functions. To add one, add a line here and an arm in each table below.
    BinaryFn {
        /// `a + b`
        Add "add",
        /// `a - b`
        Sub "sub",
        /// `a b`
        Mul "mul",
        /// `a / b`; for integers, truncated, and `a` where `b` is 0, as in WGSL.
        Div "div",
        /// `a - b trunc(a / b)`, with the sign of `a`; for integers, 0 where `b` is 0, as in WGSL.
        Rem "rem",
        /// `a` to the power of `b`, for floats; NaN where `a < 0` and `b` is not an integer.
        Pow "pow",
        /// The larger one; NaN if either is.
        Max "maximum",
        /// The smaller one; NaN if either is.
        Min "minimum",
        /// Logical and of booleans; bitwise for integers.
        And "and",
        /// Logical or of booleans; bitwise for integers.
        Or "or",
        /// Exclusive or of booleans; bitwise for integers.
        Xor "xor",
        /// `a` shifted left by `b` bits; 0 from 32 bits on.
        Shl "shl",
        /// `a` shifted right by `b` bits, with sign extension.
        Shr "shr",
        /// The angle of the point `(b, a)`, from -pi to pi.
        Atan2 "atan2",
    }
}
use BinaryFn::*;

impl BinaryFn {
    fn accepts(self, dtype: DType) -> bool {
        match self {
            Add | Sub | Mul | Div | Rem | Max | Min => dtype != DType::Bool,
            Pow | Atan2 => dtype.is_float(),
            And | Or | Xor => !dtype.is_float(),
            Shl | Shr => dtype.is_int(),
        }
    }

    /// The definition.
    fn eval(self, a: f64, b: f64) -> f64 {
        match self {
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Rem => a % b,
            Pow => a.powf(b),
            Atan2 => a.atan2(b),
            _ if a.is_nan() || b.is_nan() => f64::NAN,
            Max => a.max(b),
            Min => a.min(b),
            And | Or | Xor | Shl | Shr => unreachable!("not defined on floats"),
        }
    }

    /// The definition on integers: the low 32 bits of the exact result.
    fn eval_int(self, a: i64, b: i64) -> i64 {
        match self {
            Add => a + b,
            Sub => a - b,
            Mul => a.wrapping_mul(b),
            Div => a.checked_div(b).unwrap_or(a),
            Rem => a.checked_rem(b).unwrap_or(0),
            Max => a.max(b),
            Min => a.min(b),
            And => a & b,
            Or => a | b,
            Xor => a ^ b,
            Shl if (0..32).contains(&b) => a << b,
            Shl => 0,
            Shr => a >> if (0..32).contains(&b) { b } else { 63 },
            Pow | Atan2 => unreachable!("not defined on integers"),
        }
    }

    /// Cotangents of `a` and `b`. At ties of max and min each gets half, as in PyTorch.
    fn vjp<'g>(
        self,
        [a, b]: [Tensor<'g>; 2],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> [Option<Tensor<'g>>; 2] {
        match self {
            Add => [Some(ct), Some(ct)],
            Sub => [Some(ct), Some(-ct)],
            Mul => [Some(ct * b), Some(ct * a)],
            Div => [Some(ct / b), Some(-(ct * y) / b)],
            Rem => [Some(ct), Some(-ct * (a / b).trunc())],
            Pow => {
                let zero = a.full_like(0.0);
                // 0 to the power of b: the derivative w.r.t. b is 0 for b >= 0, not 0 * ln 0. For b
                // < 0, the power is infinite, and so is its derivative.
                let flat = a.equal(zero).and(b.greater_equal(zero));
                let by_exponent = y * flat.select(a.full_like(1.0), a).log();
                // The power to 0 is 1, and so are those that its derivatives are made of.
                let by_base = b * a.pow(b.equal(zero).select(zero, b - 1.0));
                [Some(ct * by_base), Some(ct * by_exponent)]
            }
            Max | Min => {
                // Share of the elements that did not lose: if either is NaN, neither did.
                let share = |x: Tensor<'g>, other: Tensor<'g>| {
                    let loses = if self == Max { x.less(other) } else { x.greater(other) };
                    let [all, half, none] = [1.0, 0.5, 0.0].map(|share| ct.full_like(share));
                    ct * x.equal(other).select(half, loses.select(none, all))
                };
                [Some(share(a, b)), Some(share(b, a))]
            }
            Atan2 => {
                let square = a * a + b * b;
                [Some(ct * (b / square)), Some(-(ct * (a / square)))]
            }
            And | Or | Xor | Shl | Shr => [None, None],
        }
    }
}

impl Scalar for BinaryFn {
    fn wgsl(&self, x: &[&str], dtype: DType, _: DType) -> Wgsl {
        let [a, b] = [x[0], x[1]];
        let infix = |symbol| Wgsl::new(format!("({a} {symbol} {b})"));
        let call = |name, lib| Wgsl::with(format!("{name}({a}, {b})"), lib);
        match (self, dtype) {
            (Add, _) => infix("+"),
            (Sub, _) => infix("-"),
            (Mul, _) => infix("*"),
            (Div, DType::I32) => call("divide_i32", &["integer_divide"]),
            (Div, DType::U32) => call("divide_u32", &["integer_divide"]),
            (Div, _) => infix("/"),
            (Rem, DType::I32) => call("remainder_i32", &["integer_divide"]),
            (Rem, DType::U32) => call("remainder_u32", &["integer_divide"]),
            (Rem, _) => call("remainder", &["remainder"]),
            (Pow, _) => call("power", &["power"]),
            (Max, _) if dtype.is_float() => call("max_or_nan", &["nan"]),
            (Min, _) if dtype.is_float() => call("min_or_nan", &["nan"]),
            (Max, _) => call("max", &[]),
            (Min, _) => call("min", &[]),
            (And, _) => infix("&"),
            (Or, _) => infix("|"),
            (Xor, DType::Bool) => infix("!="),
            (Xor, _) => infix("^"),
            (Shl, DType::I32) => Wgsl::with(
                format!("bitcast<i32>(shift_left(bitcast<u32>({a}), bitcast<u32>({b})))"),
                &["shift"],
            ),
            (Shl, _) => call("shift_left", &["shift"]),
            (Shr, DType::I32) => {
                Wgsl::with(format!("shift_right_signed({a}, bitcast<u32>({b}))"), &["shift"])
            }
            (Shr, _) => call("shift_right", &["shift"]),
            (Atan2, _) => call("angle_of", &["arctangent"]),
        }
    }

    fn cpu(&self, x: &[&[u32]], dtype: DType, _: DType, out: &mut [u32]) {
        use math::{floats2, words2};
        match (self, dtype) {
            (Add, DType::F32 | DType::F16) => floats2(x, out, |a, b| a + b),
            (Sub, DType::F32 | DType::F16) => floats2(x, out, |a, b| a - b),
            (Mul, DType::F32 | DType::F16) => floats2(x, out, |a, b| a * b),
            (Div, DType::F32 | DType::F16) => floats2(x, out, |a, b| a / b),
            (Rem, DType::F32 | DType::F16) => floats2(x, out, |a, b| a % b),
            (Pow, _) => floats2(x, out, math::power),
            (Max, DType::F32 | DType::F16) => {
                floats2(x, out, |a, b| if a > b || a.is_nan() { a } else { b });
            }
            (Min, DType::F32 | DType::F16) => {
                floats2(x, out, |a, b| if a < b || a.is_nan() { a } else { b });
            }
            (Add, _) => words2(x, out, u32::wrapping_add),
            (Sub, _) => words2(x, out, u32::wrapping_sub),
            (Mul, _) => words2(x, out, u32::wrapping_mul),
            (Div, DType::I32) => words2(x, out, |a, b| match b {
                0 => a,
                b => (a as i32).wrapping_div(b as i32) as u32,
            }),
            (Div, _) => words2(x, out, |a, b| a.checked_div(b).unwrap_or(a)),
            (Rem, DType::I32) => words2(x, out, |a, b| match b {
                0 => 0,
                b => (a as i32).wrapping_rem(b as i32) as u32,
            }),
            (Rem, _) => words2(x, out, |a, b| a.checked_rem(b).unwrap_or(0)),
            (Max, DType::I32) => words2(x, out, |a, b| (a as i32).max(b as i32) as u32),
            (Min, DType::I32) => words2(x, out, |a, b| (a as i32).min(b as i32) as u32),
            (Max, _) => words2(x, out, u32::max),
            (Min, _) => words2(x, out, u32::min),
            (And, _) => words2(x, out, |a, b| a & b),
            (Or, _) => words2(x, out, |a, b| a | b),
            (Xor, _) => words2(x, out, |a, b| a ^ b),
            (Shl, _) => words2(x, out, |a, b| if b < 32 { a << b } else { 0 }),
            (Shr, DType::I32) => words2(x, out, |a, b| (a as i32 >> b.min(31)) as u32),
            (Shr, _) => words2(x, out, |a, b| if b < 32 { a >> b } else { 0 }),
            (Atan2, _) => floats2(x, out, math::atan2),
        }
    }

    fn eval(&self, x: &[f64], dtype: DType, _: DType) -> f64 {
        if dtype.is_float() {
            BinaryFn::eval(*self, x[0], x[1])
        } else {
            dtype.from_word(self.eval_int(x[0] as i64, x[1] as i64) as u32)
        }
    }

    fn accuracy(&self, dtype: DType, _: DType) -> (Bound, &'static str) {
        match self {
            _ if !dtype.is_float() => (Bound::Exact, "integers are exact"),
            Div => (Bound::Ulp(3), "WGSL allows 2.5 units for a quotient"),
            Rem => (Bound::Ulp(3), "the quotient is exact where it is small"),
            Pow => (Bound::Ulp(16), "the logarithm carries 8 extra bits"),
            Atan2 => (Bound::Ulp(5), "2 units, and WGSL allows 2.5 for a quotient"),
            Max | Min => (Bound::Exact, "one of the operands"),
            Add | Sub | Mul => (Bound::Ulp(1), "correctly rounded but for flushed denormals"),
            And | Or | Xor | Shl | Shr => unreachable!("not defined on floats"),
        }
    }
}

impl<'g> Tensor<'g> {
    /// Broadcasts both operands to their common shape, and applies the function.
    #[track_caller]
    fn binary(self, function: BinaryFn, other: Tensor<'g>) -> Tensor<'g> {
        match self.broadcast_together(other) {
            Some([a, b]) => self.graph.push(Binary(function), &[a, b]),
            None => self.graph.refuse(function.name(), &[self, other], OpError::Broadcast),
        }
    }

    /// Applies the function to a tensor or a number. A number is not rounded to f16: the function
    /// of it and of halves is calculated in f32, and rounded.
    #[track_caller]
    fn binary_with<T: Operand<'g>>(self, function: BinaryFn, other: T) -> Tensor<'g> {
        let x = if T::NUMBER.is_some() { self.widened() } else { self };
        x.binary(function, other.tensor_like(x)).narrowed_to(self)
    }

    /// The result of a function of `x`, as a half if `x` is.
    #[track_caller]
    fn narrowed_to(self, x: Tensor<'g>) -> Tensor<'g> {
        if x.dtype() == DType::F16 { self.cast(DType::F16) } else { self }
    }

    /// `self` to the power of `exponent`, for floats. For a number to the power of a tensor see
    /// [`Pow`](crate::ops::Pow).
    ///
    /// # Numerics
    ///
    /// NaN where `self < 0` and the exponent is not an integer.
    ///
    /// # Gradient
    ///
    /// W.r.t. the exponent, where `self` is 0: 0 unless the exponent is negative.
    #[doc(alias = "float_power")]
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'g>) -> Tensor<'g> {
        self.binary_with(Pow, exponent)
    }

    /// The angle of the point `(x, self)` from -pi to pi: the arc tangent of `self / x`, in the
    /// quadrant given by their signs.
    ///
    /// # Numerics
    ///
    /// The sign is that of `self`, even for zeros; an infinity counts as a direction.
    ///
    /// # Gradient
    ///
    /// `x / (self^2 + x^2)` and `-self / (self^2 + x^2)`: NaN where both are 0, as in PyTorch.
    #[doc(alias = "arctan2")]
    #[track_caller]
    pub fn atan2(self, x: impl Operand<'g>) -> Tensor<'g> {
        self.binary_with(Atan2, x)
    }

    /// The larger of each pair; NaN if either is.
    ///
    /// # Gradient
    ///
    /// At ties each gets half; where either is NaN, both get the whole cotangent, as in PyTorch.
    #[doc(alias = "elementwise max")]
    #[track_caller]
    pub fn maximum(self, other: impl Operand<'g>) -> Tensor<'g> {
        self.binary_with(Max, other)
    }

    /// The smaller of each pair; NaN if either is.
    ///
    /// # Gradient
    ///
    /// At ties each gets half; where either is NaN, both get the whole cotangent, as in PyTorch.
    #[doc(alias = "elementwise min")]
    #[track_caller]
    pub fn minimum(self, other: impl Operand<'g>) -> Tensor<'g> {
        self.binary_with(Min, other)
    }

    /// Logical and of booleans, or bitwise of integers.
    #[doc(alias("logical_and", "bitwise_and"))]
    #[track_caller]
    pub fn and(self, other: Tensor<'g>) -> Tensor<'g> {
        self.binary(And, other)
    }

    /// Logical or of booleans, or bitwise of integers.
    #[doc(alias("logical_or", "bitwise_or"))]
    #[track_caller]
    pub fn or(self, other: Tensor<'g>) -> Tensor<'g> {
        self.binary(Or, other)
    }

    /// Exclusive or of booleans, or bitwise of integers.
    #[doc(alias("logical_xor", "bitwise_xor"))]
    #[track_caller]
    pub fn xor(self, other: Tensor<'g>) -> Tensor<'g> {
        self.binary(Xor, other)
    }
}

/// A tensor, or a number that converts to the element type of the other operand; in arithmetic with
/// halves it stays f32, and the result is rounded.
pub trait Operand<'g> {
    /// The element type of a number beside which there is no tensor; none of a tensor.
    const NUMBER: Option<DType>;

    /// Its value, if it is a number.
    fn number(&self) -> Option<f64>;

    /// Converts to a tensor that matches `other`.
    fn tensor_like(self, other: Tensor<'g>) -> Tensor<'g>;
}

impl<'g> Operand<'g> for Tensor<'g> {
    const NUMBER: Option<DType> = None;

    fn number(&self) -> Option<f64> {
        None
    }

    fn tensor_like(self, _: Tensor<'g>) -> Tensor<'g> {
        self
    }
}

macro_rules! numbers {
    ($($Number:ty, $dtype:ident;)*) => {$(
        impl<'g> Operand<'g> for $Number {
            const NUMBER: Option<DType> = Some(DType::$dtype);

            fn number(&self) -> Option<f64> {
                Some(f64::from(*self))
            }

            #[track_caller]
            fn tensor_like(self, other: Tensor<'g>) -> Tensor<'g> {
                other.full_like(f64::from(self))
            }
        }
    )*};
}
numbers! {
    f64, F32;
    f32, F32;
    i32, I32;
    u32, U32;
}

macro_rules! operators {
    ($($Trait:ident $method:ident $function:ident,)*) => {$(
        impl<'g, T: Operand<'g>> std::ops::$Trait<T> for Tensor<'g> {
            type Output = Tensor<'g>;
            #[track_caller]
            fn $method(self, other: T) -> Tensor<'g> {
                self.binary_with($function, other)
            }
        }
        // No f32: with one type of floats a literal has it, and `(1.0 - x).relu()` needs no more.
        operators!(@numbers $Trait $method $function: f64 i32 u32);
    )*};
    (@numbers $Trait:ident $method:ident $function:ident: $($Number:ty)*) => {$(
        impl<'g> std::ops::$Trait<Tensor<'g>> for $Number {
            type Output = Tensor<'g>;
            #[track_caller]
            fn $method(self, other: Tensor<'g>) -> Tensor<'g> {
                let x = other.widened();
                self.tensor_like(x).binary($function, x).narrowed_to(other)
            }
        }
    )*};
}
operators! {
    Add add Add,
    Sub sub Sub,
    Mul mul Mul,
    Div div Div,
    Rem rem Rem,
    Shl shl Shl,
    Shr shr Shr,
}

impl std::fmt::Display for Binary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Operation for Binary {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [a, b] = operands else { unreachable!("binary functions have two operands") };
        if a.dtype != b.dtype {
            return Err(OpError::DTypes);
        }
        if !self.0.accepts(a.dtype) {
            return Err(OpError::DType(a.dtype));
        }
        // The builder broadcasts, so the shapes are equal.
        if a.shape == b.shape { Ok(a.clone()) } else { Err(OpError::Broadcast) }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [a, b] = operands else { unreachable!("binary functions have two operands") };
        let dtype = a.meta.dtype;
        let pairs = a.data.iter().zip(&b.data);
        let data = pairs.map(|(&a, &b)| Scalar::eval(&self.0, &[a, b], dtype, dtype));
        Array64 { meta: a.meta.clone(), data: data.collect() }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        self.0.vjp([operands[0], operands[1]], y, ct).into()
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Binary(self.0))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(1.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        samples::all()
    }
}
