//! Elementwise functions of one tensor: `y[i] = f(x[i])`.

mod samples;

use super::*;
use super::{
    class::Pointwise,
    full::constant,
    scalar::{Scalar, Wgsl, functions},
};
use crate::dtype::DType;
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LN_10};

/// Applies a function to each element.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary(pub(crate) UnaryFn);

functions! {
    /// The functions. To add one, add a line here and an arm in each table below.
    UnaryFn {
        /// `-x`
        Neg "neg",
        /// `|x|`
        Abs "abs",
        /// -1, 0 or 1; NaN for NaN.
        Sign "sign",
        /// The largest integer that is not above `x`.
        Floor "floor",
        /// The smallest integer that is not below `x`.
        Ceil "ceil",
        /// The nearest integer, ties to even.
        Round "round",
        /// `x` without its fraction.
        Trunc "trunc",
        /// `sqrt x`
        Sqrt "sqrt",
        /// `e^x`
        Exp "exp",
        /// `2^x`
        Exp2 "exp2",
        /// `ln x`
        Log "log",
        /// The logarithm to base 2.
        Log2 "log2",
        /// The logarithm to base 10.
        Log10 "log10",
        /// `ln(1 + x)`
        Log1p "log1p",
        /// `sin x`
        Sin "sin",
        /// `cos x`
        Cos "cos",
        /// `tanh x`
        Tanh "tanh",
        /// `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`
        Erf "erf",
        /// `1 / (1 + e^-x)`
        Sigmoid "sigmoid",
        /// `max(x, 0)`; NaN for NaN.
        Relu "relu",
        /// Logical not of booleans; bitwise for integers.
        Not "not",
        /// Whether `x` is NaN.
        IsNan "is_nan",
    }
}
use UnaryFn::*;

impl UnaryFn {
    fn accepts(self, dtype: DType) -> bool {
        match self {
            Neg | Abs | Sign => dtype != DType::Bool,
            Not => !dtype.is_float(),
            _ => dtype.is_float(),
        }
    }

    fn result(self, dtype: DType) -> DType {
        if self == IsNan { DType::Bool } else { dtype }
    }

    /// The definition.
    fn eval(self, x: f64) -> f64 {
        match self {
            Neg => -x,
            Abs => x.abs(),
            Sign if x == 0.0 => x,
            Sign => x.signum(),
            Floor => x.floor(),
            Ceil => x.ceil(),
            Round => x.round_ties_even(),
            Trunc => x.trunc(),
            Sqrt => x.sqrt(),
            Exp => x.exp(),
            Exp2 => x.exp2(),
            Log => x.ln(),
            Log2 => x.log2(),
            Log10 => x.log10(),
            Log1p => x.ln_1p(),
            Sin => x.sin(),
            Cos => x.cos(),
            Tanh => x.tanh(),
            Erf => erf_f64(x),
            Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Relu if x < 0.0 => 0.0,
            Relu => x,
            IsNan => f64::from(u8::from(x.is_nan())),
            Not => unreachable!("not defined on floats"),
        }
    }

    /// The definition on integers: the low 32 bits of the exact result.
    fn eval_int(self, x: i64) -> i64 {
        match self {
            Neg => -x,
            Abs => x.abs(),
            Sign => x.signum(),
            Not => !x,
            _ => unreachable!("not defined on integers"),
        }
    }

    /// Cotangent of `x`, given `y = f(x)`. Kinks follow PyTorch: 0 at 0.
    fn vjp<'g>(self, x: Tensor<'g>, y: Tensor<'g>, ct: Tensor<'g>) -> Option<Tensor<'g>> {
        Some(match self {
            Neg => -ct,
            Abs => ct * x.sign(),
            Sqrt => ct * 0.5 / y,
            Exp => ct * y,
            Exp2 => ct * (y * constant(y, LN_2)),
            Log => ct / x,
            Log2 => ct / (x * constant(x, LN_2)),
            Log10 => ct / (x * constant(x, LN_10)),
            Log1p => ct / (x + 1.0),
            Sin => ct * x.cos(),
            Cos => -(ct * x.sin()),
            Tanh => ct * (1.0 - y * y),
            // As a sum of two f32, so that the reference has it to 48 bits; devices fold it.
            Erf => {
                let high = f64::from(FRAC_2_SQRT_PI as f32);
                let slope = x.full_like(high) + (FRAC_2_SQRT_PI - high);
                ct * ((-(x * x)).exp() * slope)
            }
            Sigmoid => ct * (y * (1.0 - y)),
            // From y, so that x need not be kept; NaN lets the cotangent pass.
            Relu => y.less_equal(0.0).select(ct.full_like(0.0), ct),
            Sign | Floor | Ceil | Round | Trunc | Not | IsNan => return None,
        })
    }
}

impl Scalar for UnaryFn {
    fn wgsl(&self, x: &[&str], dtype: DType, _: DType) -> Wgsl {
        let x = x[0];
        let call = |name, lib| Wgsl::with(format!("{name}({x})"), lib);
        match (self, dtype) {
            // WGSL cannot negate unsigned integers.
            (Neg, DType::U32) => Wgsl::new(format!("(0u - {x})")),
            (Neg, _) => Wgsl::new(format!("(-({x}))")),
            (Abs, _) => call("abs", &[]),
            (Sign, DType::U32) => Wgsl::new(format!("min({x}, 1u)")),
            (Sign, DType::I32) => call("sign", &[]),
            (Sign, _) => call("sign_or_nan", &["nan"]),
            (Floor, _) => call("floor", &[]),
            (Ceil, _) => call("ceil", &[]),
            (Round, _) => call("round", &[]),
            (Trunc, _) => call("trunc", &[]),
            (Sqrt, _) => call("square_root", &["nan"]),
            (Exp, _) => call("exponential", &["exp"]),
            (Exp2, _) => call("power_of_two_of", &["exp2"]),
            (Log, _) => call("logarithm", &["log"]),
            (Log2, _) => call("binary_logarithm", &["log_bases"]),
            (Log10, _) => call("decimal_logarithm", &["log_bases"]),
            (Log1p, _) => call("logarithm_of_one_plus", &["log1p"]),
            (Sin, _) => call("sine", &["sine"]),
            (Cos, _) => call("cosine", &["sine"]),
            (Tanh, _) => call("hyperbolic_tangent", &["tanh"]),
            (Erf, _) => call("error_function", &["erf"]),
            (Sigmoid, _) => call("sigmoid", &["sigmoid"]),
            (Relu, _) => Wgsl::with(format!("max_or_nan({x}, 0.0)"), &["nan"]),
            (Not, DType::Bool) => Wgsl::new(format!("(!({x}))")),
            (Not, _) => Wgsl::new(format!("(~({x}))")),
            (IsNan, _) => call("is_nan", &["nan"]),
        }
    }

    fn cpu(&self, x: &[&[u32]], dtype: DType, _: DType, out: &mut [u32]) {
        use math::{floats_to_bool1, floats1, periodic, words1};
        match (self, dtype) {
            (Neg, DType::F32 | DType::F16) => floats1(x, out, |a| -a),
            (Neg, _) => words1(x, out, u32::wrapping_neg),
            (Abs, DType::F32 | DType::F16) => floats1(x, out, f32::abs),
            (Abs, DType::I32) => words1(x, out, |a| (a as i32).wrapping_abs() as u32),
            (Abs, _) => words1(x, out, |a| a),
            (Sign, DType::F32 | DType::F16) => floats1(x, out, |a| {
                let y = if a > 0.0 { 1.0 } else { a };
                if a < 0.0 { -1.0 } else { y }
            }),
            (Sign, DType::I32) => words1(x, out, |a| (a as i32).signum() as u32),
            (Sign, _) => words1(x, out, |a| a.min(1)),
            (Floor, _) => floats1(x, out, math::floor),
            (Ceil, _) => floats1(x, out, math::ceil),
            (Round, _) => floats1(x, out, math::round),
            (Trunc, _) => floats1(x, out, math::trunc),
            (Sqrt, _) => floats1(x, out, f32::sqrt),
            (Exp, _) => floats1(x, out, math::exp),
            (Exp2, _) => floats1(x, out, math::exp2),
            (Log, _) => floats1(x, out, math::log),
            (Log2, _) => floats1(x, out, math::log2),
            (Log10, _) => floats1(x, out, math::log10),
            (Log1p, _) => floats1(x, out, math::log1p),
            (Sin, _) => periodic(x, out, math::sin, f64::sin),
            (Cos, _) => periodic(x, out, math::cos, f64::cos),
            (Tanh, _) => floats1(x, out, math::tanh),
            (Erf, _) => floats1(x, out, math::erf),
            (Sigmoid, _) => floats1(x, out, math::sigmoid),
            (Relu, _) => floats1(x, out, |a| if a < 0.0 { 0.0 } else { a }),
            (Not, DType::Bool) => words1(x, out, |a| a ^ 1),
            (Not, _) => words1(x, out, |a| !a),
            (IsNan, _) => floats_to_bool1(x, out, f32::is_nan),
        }
    }

    fn eval(&self, x: &[f64], dtype: DType, _: DType) -> f64 {
        match dtype {
            DType::F32 | DType::F16 => UnaryFn::eval(*self, x[0]),
            DType::I32 | DType::U32 => dtype.from_word(self.eval_int(x[0] as i64) as u32),
            // Only the low bit of a boolean counts.
            DType::Bool => dtype.from_word(self.eval_int(x[0] as i64) as u32 & 1),
        }
    }

    fn accuracy(&self, dtype: DType, _: DType) -> (Bound, &'static str) {
        match (dtype, self) {
            (DType::I32 | DType::U32 | DType::Bool, _) => (Bound::Exact, "integers are exact"),
            (_, Sqrt) => (Bound::Ulp(5), "WGSL allows a reciprocal of an inverse square root"),
            (_, Exp | Exp2 | Log) => (Bound::Ulp(2), "our polynomial, within 1.1 units"),
            (_, Log1p | Log2 | Log10 | Erf) => (Bound::Ulp(3), "our polynomial, within 2 units"),
            (_, Sin | Cos) => (Bound::Ulp(3), "our polynomial, within 2 units"),
            (_, Tanh | Sigmoid) => (Bound::Ulp(4), "2 units, and WGSL allows 2.5 for a quotient"),
            (_, Neg | Abs | Sign | Floor | Ceil | Round | Trunc | Relu | Not | IsNan) => {
                (Bound::Exact, "no rounding")
            }
        }
    }
}

/// Builders of functions without extra checks.
macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident $function:ident,)*) => {
        impl<'g> Tensor<'g> {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(self) -> Tensor<'g> {
                self.graph.push(Unary($function), &[self])
            }
        )*}
    };
}
methods! {
    /// The magnitude; for the smallest i32, itself.
    ///
    /// # Gradient
    ///
    /// 0 at 0.
    #[doc(alias = "absolute")]
    abs Abs,
    /// -1, 0 or 1; NaN for NaN.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    #[doc(alias = "sgn")]
    sign Sign,
    /// The largest integer that is not above each element.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    floor Floor,
    /// The smallest integer that is not below each element.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    ceil Ceil,
    /// The integer nearest to each element, ties to even.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    #[doc(alias = "rint")]
    round Round,
    /// Each element without its fraction.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    #[doc(alias = "fix")]
    trunc Trunc,
    /// The square root; NaN below 0.
    ///
    /// # Gradient
    ///
    /// Infinite at 0.
    sqrt Sqrt,
    /// `e^x`.
    ///
    /// # Numerics
    ///
    /// Infinity from 88.73 on; below -87.3 devices may flush the result to 0.
    exp Exp,
    /// `2^x`, exact for integers.
    ///
    /// # Numerics
    ///
    /// Within 1.1 units in the last place, which WGSL's own function does not promise. Infinity
    /// from 128 on; below -126 devices may flush the result to 0.
    exp2 Exp2,
    /// The natural logarithm: -infinity at 0, NaN below.
    #[doc(alias = "ln")]
    log Log,
    /// The logarithm to base 2, exact for powers of 2: -infinity at 0, NaN below.
    ///
    /// # Numerics
    ///
    /// Within 2 units in the last place, near 1 too.
    log2 Log2,
    /// The logarithm to base 10: -infinity at 0, NaN below.
    ///
    /// # Numerics
    ///
    /// Within 2 units in the last place, near 1 too; exact for those powers of 10 that are f32.
    log10 Log10,
    /// `ln(1 + x)`, accurate for small `x`: -infinity at -1, NaN below.
    log1p Log1p,
    /// `sin x`, accurate for every finite `x`.
    sin Sin,
    /// `cos x`, accurate for every finite `x`.
    cos Cos,
    /// The hyperbolic tangent.
    tanh Tanh,
    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`.
    erf Erf,
    /// The logistic function `1 / (1 + e^-x)`.
    #[doc(alias("expit", "logistic"))]
    sigmoid Sigmoid,
    /// The larger of each element and 0; NaN for NaN.
    ///
    /// # Gradient
    ///
    /// 0 at 0.
    relu Relu,
    /// Whether each float is NaN, as booleans.
    #[doc(alias = "isnan")]
    is_nan IsNan,
}

impl<'g> std::ops::Neg for Tensor<'g> {
    type Output = Tensor<'g>;
    #[track_caller]
    fn neg(self) -> Tensor<'g> {
        self.graph.push(Unary(Neg), &[self])
    }
}

impl<'g> std::ops::Not for Tensor<'g> {
    type Output = Tensor<'g>;
    #[track_caller]
    fn not(self) -> Tensor<'g> {
        self.graph.push(Unary(Not), &[self])
    }
}

impl std::fmt::Display for Unary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Operation for Unary {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x] = operands else { unreachable!("unary functions have one operand") };
        if !self.0.accepts(x.dtype) {
            return Err(OpError::DType(x.dtype));
        }
        Ok(Meta { shape: x.shape.clone(), dtype: self.0.result(x.dtype) })
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x] = operands else { unreachable!("unary functions have one operand") };
        let (dtype, result) = (x.meta.dtype, self.0.result(x.meta.dtype));
        x.map(result, |x| Scalar::eval(&self.0, &[x], dtype, result))
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        vec![self.0.vjp(operands[0], y, ct)]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Unary(self.0))
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
