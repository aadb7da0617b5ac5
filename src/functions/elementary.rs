//! Powers, reciprocals, and quotients that are rounded down.

use super::{
    definition::elementwise,
    precision::{in_f32, rounded_once},
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::{
        binary::Operand,
        contract::{Bound, Domain, Function, Sample},
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// `x^2`, of integers too.
    ///
    /// # Gradient
    ///
    /// `2 x`.
    #[track_caller]
    pub fn square(self) -> Tensor<'g> {
        self * self
    }

    /// `1 / x`: infinite at 0, with its sign.
    ///
    /// # Gradient
    ///
    /// `-1 / x^2`, -infinity at 0.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] for non-floats.
    #[doc(alias = "recip")]
    #[track_caller]
    pub fn reciprocal(self) -> Tensor<'g> {
        in_f32("reciprocal", [self], |[x]| 1.0 / x)
    }

    /// `1 / sqrt x`: infinite at 0, NaN below.
    ///
    /// # Gradient
    ///
    /// -infinity at 0.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] for non-floats.
    #[doc(alias("inversesqrt", "inverse_sqrt"))]
    #[track_caller]
    pub fn rsqrt(self) -> Tensor<'g> {
        in_f32("rsqrt", [self], |[x]| 1.0 / x.sqrt())
    }

    /// The remainder of a division that is rounded down: it has the sign of the divisor, as `%` has in
    /// Python. Rust's `%`, which tensors have as well, is C's `fmod`: it has the sign of
    /// `self`.
    ///
    /// # Numerics
    ///
    /// The exact remainder, rounded once. NaN where the divisor is 0 or `self` infinite; for integers,
    /// 0 where the divisor is 0.
    ///
    /// # Gradient
    ///
    /// 1, and `-floor(self / divisor)` w.r.t. the divisor.
    ///
    /// # Errors
    ///
    /// [`OpError::Broadcast`]; [`OpError::DTypes`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `remainder`, NumPy's `mod`.
    #[doc(alias("mod", "modulo", "floormod", "floor_mod", "torch.remainder"))]
    #[track_caller]
    pub fn remainder<T: Operand<'g>>(self, divisor: T) -> Tensor<'g> {
        self.paired("remainder", divisor, |a, b| {
            let rest = a % b;
            is_off_side(rest, b).select(rest + b, rest)
        })
    }

    /// The quotient, rounded down: `-7` by `2` is `-4`. A quotient of integers by `/` is truncated
    /// instead, to `-3`.
    ///
    /// # Numerics
    ///
    /// The exact quotient is rounded down, unlike `(a / b).floor()`: 1 by 0.1 is 9, since 0.1 is rounded up. From
    /// 2^22 on it is within 3 units in the last place. By 0 it is `a / b`; for integers, `a`.
    ///
    /// # Gradient
    ///
    /// Zero everywhere.
    ///
    /// # Errors
    ///
    /// [`OpError::Broadcast`]; [`OpError::DTypes`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's and NumPy's `floor_divide`.
    #[doc(alias("floordiv", "__floordiv__", "floor_div"))]
    #[track_caller]
    pub fn floor_divide<T: Operand<'g>>(self, divisor: T) -> Tensor<'g> {
        self.paired("floor_divide", divisor, |a, b| {
            let (a, b) = (a.detach(), b.detach());
            let rest = a % b;
            if !rest.failed() && rest.dtype().is_int() {
                let quotient = a / b;
                return is_off_side(rest, b).select(quotient - 1.0, quotient);
            }
            // Next to an integer, where only the rounding of the quotient is left.
            let quotient = (a - rest) / b;
            let quotient = is_off_side(rest, b).select(quotient - 1.0, quotient).round();
            b.equal(0.0).select(a / b, quotient)
        })
    }

    /// `ln(e^a + e^b)`, without overflow.
    ///
    /// # Gradient
    ///
    /// The softmax of both; 0 where the result is infinite.
    ///
    /// # Errors
    ///
    /// [`OpError::Broadcast`]; [`OpError::DTypes`]; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's and NumPy's `logaddexp`.
    #[doc(alias = "logaddexp")]
    #[track_caller]
    pub fn log_add_exp<T: Operand<'g>>(self, other: T) -> Tensor<'g> {
        self.of_floats("log_add_exp").paired("log_add_exp", other, |a, b| {
            let is_first = a.greater_equal(b);
            let (high, low) = (is_first.select(a, b), is_first.select(b, a));
            // An infinity cannot be subtracted; NaN remains.
            let is_infinite = high.is_inf().and(low.equal(low));
            let [x, y] = [high, low].map(|x| is_infinite.select(0.0, x));
            is_infinite.select(high.detach(), x + (y - x).exp().log1p())
        })
    }

    /// A function of two tensors of one shape, or of a tensor and a number, in the name of `function`.
    #[track_caller]
    fn paired<T: Operand<'g>>(
        self,
        function: &'static str,
        other: T,
        body: impl FnOnce(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        if self.dtype() == DType::Bool {
            return self.graph().refuse(function, &[self], OpError::DType(DType::Bool));
        }
        if T::NUMBER.is_some() {
            return rounded_once(function, &[self], |x| body(x[0], other.tensor_like(x[0])));
        }
        let other = other.tensor_like(self);
        match self.broadcast_together(other) {
            Some([a, b]) if a.dtype() == b.dtype() => {
                rounded_once(function, &[a, b], |wide| body(wide[0], wide[1]))
            }
            Some(_) => self.graph().refuse(function, &[self, other], OpError::DTypes),
            None => self.graph().refuse(function, &[self, other], OpError::Broadcast),
        }
    }
}

/// Whether a truncated remainder is on the other side of 0 than the divisor.
#[track_caller]
fn is_off_side<'g>(rest: Tensor<'g>, divisor: Tensor<'g>) -> Tensor<'g> {
    rest.not_equal(0.0).and(rest.less(0.0).xor(divisor.less(0.0)))
}

/// The definition of [`Tensor::remainder`] in f64: exact but for one rounding.
fn floored_remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// A function of pairs, by a definition of pairs.
fn of_pairs(
    name: &'static str,
    build: for<'g> fn(&[Tensor<'g>]) -> Tensor<'g>,
    definition: fn(f64, f64) -> f64,
) -> Function {
    Function::new(name, build, move |x| {
        Array64::from_fn(x[0].meta.clone(), |c| definition(x[0].at(&c), x[1].at(&c)))
    })
}

/// Samples on everyday operands, at zeros and infinities, and of integers.
pub(super) fn samples() -> Vec<Sample> {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    let of = |dims: &[usize], dtype| Meta::new(dims, dtype);
    let floats = |dims: &[usize]| of(dims, DType::F32);
    let one = |function: &Function, dims: &[usize]| Sample::new(function.clone(), [floats(dims)]);
    let pair = |function: &Function, dims: &[usize], dtype| {
        Sample::new(function.clone(), [of(dims, dtype), of(dims, dtype)])
    };
    let square = elementwise("square", |x| x.square(), |x| x * x);
    let reciprocal = elementwise("reciprocal", |x| x.reciprocal(), f64::recip);
    let rsqrt = elementwise("rsqrt", |x| x.rsqrt(), |x| 1.0 / x.sqrt());
    let remainder = of_pairs("remainder", |x| x[0].remainder(x[1]), floored_remainder);
    let by_number =
        elementwise("remainder", |x| x.remainder(-0.75), |x| floored_remainder(x, -0.75));
    // By definition, and where both are integers, by that of integers.
    let floor_divide = of_pairs(
        "floor_divide",
        |x| x[0].floor_divide(x[1]),
        |a, b| {
            if b == 0.0 {
                a / b
            } else if b.is_infinite() && a.is_finite() {
                if a != 0.0 && (a < 0.0) != (b < 0.0) { -1.0 } else { 0.0 }
            } else {
                ((a - floored_remainder(a, b)) / b).round()
            }
        },
    );
    let integers = of_pairs(
        "floor_divide",
        |x| x[0].floor_divide(x[1]),
        |a, b| {
            if b == 0.0 { a } else { (a / b).floor() }
        },
    );
    let remainders = of_pairs(
        "remainder",
        |x| x[0].remainder(x[1]),
        |a, b| {
            if b == 0.0 { 0.0 } else { a - b * (a / b).floor() }
        },
    );
    let log_add_exp = of_pairs(
        "log_add_exp",
        |x| x[0].log_add_exp(x[1]),
        |a, b| {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            if a.is_nan() || b.is_nan() {
                NAN
            } else if high.is_infinite() {
                high
            } else {
                high + (low - high).exp().ln_1p()
            }
        },
    );
    let quotient = (Bound::Ulp(3), "WGSL allows 2.5 units for a quotient");
    let root = (Bound::Ulp(9), "a root within 5 units, and a quotient");
    let exact = (Bound::Ulp(1), "exact, and rounded once");
    let rounded = (Bound::Exact, "integers");
    let summed = (Bound::Abs(2e-6), "two functions within 2 units, of numbers up to 3");
    let dividends =
        Domain::Values(&[-7.0, 7.0, 5.5, -5.5, 6.0, -6.0, 0.0, 1e-20, -1e-20, 1e9, INF]);
    let divisors = Domain::Values(&[3.0, -3.0, 0.7, -0.7, INF, -INF, 0.0]);
    let whole = |dtype| {
        let (a, b): (&'static [f64], &'static [f64]) = match dtype {
            DType::I32 => (
                &[-7.0, 7.0, 6.0, -6.0, -2_147_483_647.0],
                &[3.0, -3.0, 2.0, 0.0, 1.0, -2_147_483_648.0],
            ),
            _ => (&[7.0, 6.0, 0.0, 4_294_967_295.0, 5.0], &[3.0, 2.0, 0.0, 4_294_967_295.0]),
        };
        [&remainders, &integers].map(|function| {
            pair(function, &[5, 6], dtype)
                .operand(0, Domain::Values(a))
                .operand(1, Domain::Values(b))
                .bound(rounded.0, rounded.1)
        })
    };
    let ends = &[-INF, INF, NAN, 1e4, -1e4, 0.0, 1.0];
    vec![
        one(&square, &[3, 7]).bound(exact.0, exact.1),
        Sample::new(square, [of(&[9], DType::I32)]).bound(rounded.0, rounded.1),
        one(&reciprocal, &[3, 7]).operand(0, Domain::Range(0.3, 4.0)).bound(quotient.0, quotient.1),
        one(&reciprocal, &[6])
            .operand(0, Domain::Values(&[0.0, -0.0, INF, -INF, NAN, -1e30]))
            .bound(quotient.0, quotient.1)
            .without_gradient()
            .named("ends"),
        one(&rsqrt, &[3, 7]).operand(0, Domain::Range(0.3, 4.0)).bound(root.0, root.1),
        one(&rsqrt, &[6])
            .operand(0, Domain::Values(&[0.0, INF, NAN, -1.0, 1e-30, 1e30]))
            .bound(root.0, root.1)
            .without_gradient()
            .named("ends"),
        // Quotients of about 2.3 and -2.3: neither 0 nor near a jump.
        pair(&remainder, &[3, 7], DType::F32)
            .operand(0, Domain::Values(&[2.3, -2.3, 2.25]))
            .operand(1, Domain::Values(&[1.0, 0.98, -1.02, 1.01]))
            .bound(exact.0, exact.1),
        pair(&remainder, &[7, 11], DType::F32)
            .operand(0, dividends.clone())
            .operand(1, divisors.clone())
            .bound(exact.0, exact.1)
            .without_gradient()
            .named("signs and ends"),
        one(&by_number, &[3, 5])
            .operand(0, Domain::Values(&[1.0, -1.0, 0.5, 2.0]))
            .bound(exact.0, exact.1)
            .named("a number"),
        pair(&floor_divide, &[3, 7], DType::F32)
            .operand(1, Domain::Values(&[0.3, -0.7, 0.1]))
            .bound(rounded.0, rounded.1)
            .without_gradient(),
        pair(&floor_divide, &[7, 11], DType::F32)
            .operand(0, dividends)
            .operand(1, divisors)
            .bound(quotient.0, quotient.1)
            .without_gradient()
            .named("signs and ends"),
        pair(&log_add_exp, &[3, 7], DType::F32).bound(summed.0, summed.1),
        pair(&log_add_exp, &[7, 8], DType::F32)
            .operand(0, Domain::Values(ends))
            .operand(1, Domain::Values(&[-INF, INF, NAN, 1e4, -1e4, 0.0, 1.0, 20.0]))
            .bound(Bound::Ulp(4), "as elsewhere")
            .without_gradient()
            .named("ends"),
        pair(&log_add_exp, &[4], DType::F32)
            .operand(0, Domain::Values(&[0.5]))
            .operand(1, Domain::Values(&[0.5]))
            .bound(summed.0, summed.1)
            .named("ties"),
    ]
    .into_iter()
    .chain(whole(DType::I32))
    .chain(whole(DType::U32))
    .collect()
}
