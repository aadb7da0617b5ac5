//! Values with the error a device may make, and how that error propagates through an expression.

use crate::{
    dtype::DType,
    ops::{
        class::Pointwise,
        contract::{Bound, unit_in_last_place},
        reduce::ReduceFn,
    },
    schedule::expr::{Body, Guard, Term},
};

/// A value and the error that a correct device may make in computing it; infinite if any result is
/// acceptable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Approx {
    pub value: f64,
    pub error: f64,
}

/// Values beyond this may or may not overflow to infinity on a device.
const LARGE: f64 = 3e38;
/// f32 values below this, the smallest normal one, may be flushed to 0.
const SMALL: f64 = 1.2e-38;
/// Values from here on overflow to infinity in f16.
const INFINITE_HALF: f64 = 65_520.0;
/// 2^-14: f16 values below it may be flushed to 0.
const SMALL_HALF: f64 = 1.0 / 16_384.0;
/// 2^-24: half the distance from 1 to the next f32.
const EPS: f64 = f32::EPSILON as f64 / 2.0;

impl Approx {
    /// A value that every device computes exactly.
    pub fn exact(value: f64) -> Self {
        Approx { value, error: 0.0 }
    }

    /// An element in memory, which a device may take for 0 if it is denormal.
    fn loaded(value: f64) -> Self {
        Approx { value, error: if is_denormal(value) { SMALL } else { 0.0 } }
    }

    /// A result of this type with the error `spread` inherited from its operands plus what `bound`
    /// allows; `magnitude` is the magnitude that [`Bound::Terms`] refers to.
    pub fn bounded(value: f64, dtype: DType, spread: f64, bound: Bound, magnitude: f64) -> Self {
        if !dtype.is_float() || value.is_nan() || (value.is_infinite() && spread == 0.0) {
            return Approx { value, error: spread };
        }
        let reach = value.abs() + spread;
        let own = match bound {
            Bound::Exact => 0.0,
            Bound::Ulp(n) => f64::from(n) * unit_in_last_place(reach, DType::F32),
            Bound::Terms(c) => c * EPS * magnitude + SMALL,
            Bound::Abs(error) => error,
        };
        let flushed = if value.abs() <= SMALL + spread { SMALL } else { 0.0 };
        let error = spread + own + flushed;
        let error = if error.is_nan() || reach + own > LARGE { f64::INFINITY } else { error };
        Approx { value, error }
    }

    /// The value after it has been stored as this type, or converted to it.
    pub fn rounded_to(self, dtype: DType) -> Self {
        let Approx { value, error } = self;
        if dtype != DType::F16 || value.is_nan() || !self.is_decided() {
            return self;
        }
        let reach = value.abs() + error;
        match () {
            () if value.abs() - error >= INFINITE_HALF => {
                Approx::exact(f64::INFINITY.copysign(value))
            }
            () if reach >= INFINITE_HALF => Approx { value, error: f64::INFINITY },
            () if self == Approx::exact(0.0) => self,
            // It may be flushed to 0.
            () if reach < SMALL_HALF => Approx { value, error: error + SMALL_HALF },
            () if error == 0.0 && dtype.round(value) == value => self,
            () => Approx { value, error: error + unit_in_last_place(reach, dtype) / 2.0 },
        }
    }

    /// Whether the error is finite, so that a result can be checked.
    pub fn is_decided(self) -> bool {
        self.error.is_finite()
    }

    /// Values a device may have instead, used to find the extremes of a function of them.
    ///
    /// 0 is one if it is in reach: many functions jump there, as 0 / x and x * infinity do.
    fn candidates(self, dtype: DType) -> ([f64; 4], usize) {
        let Approx { value, error } = self;
        match () {
            () if error == 0.0 => ([value; 4], 1),
            () if dtype == DType::Bool => ([value, 1.0 - value, value, value], 2),
            () if error.is_infinite() => ([value, f64::NAN, value, value], 2),
            () if value.abs() <= error => ([value, value - error, value + error, 0.0], 4),
            () => ([value, value - error, value + error, value], 3),
        }
    }
}

/// Whether a device may take an f32 for 0.
pub(super) fn is_denormal(x: f64) -> bool {
    x != 0.0 && x.abs() < SMALL
}

/// The distance between two numbers; 0 for two NaN or infinities of the same sign.
pub(super) fn distance(a: f64, b: f64) -> f64 {
    match () {
        () if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        () if a.is_nan() || b.is_nan() => f64::INFINITY,
        () => (a - b).abs(),
    }
}

/// Applies `function` to operands of these types.
fn apply(function: Pointwise, operands: &[(Approx, DType)], result: DType) -> Approx {
    let scalar = function.scalar();
    let dtype = operands.last().map_or(result, |(_, dtype)| *dtype);
    let mut point: Vec<f64> = operands.iter().map(|(x, _)| x.value).collect();
    let value = scalar.eval(&point, dtype, result);
    let candidates: Vec<_> = operands.iter().map(|(x, dtype)| x.candidates(*dtype)).collect();
    let combinations: usize = candidates.iter().map(|(_, count)| count).product();
    let mut spread: f64 = 0.0;
    for number in 1..combinations {
        let mut rest = number;
        for (x, (candidates, count)) in point.iter_mut().zip(&candidates) {
            *x = candidates[rest % count];
            rest /= count;
        }
        spread = spread.max(distance(scalar.eval(&point, dtype, result), value));
    }
    let applied = Approx::bounded(value, result, spread, scalar.accuracy(dtype, result).0, 0.0);
    // All other functions are computed in f32 and rounded when the result is stored.
    if let Pointwise::Cast = function { applied.rounded_to(result) } else { applied }
}

/// Loads an element of an operand, as a number of the given type.
pub(super) type Load<'a> = dyn Fn(usize, i64, DType) -> f64 + 'a;

/// Evaluates every term of a body at a point; `acc` is the result of the kernel or reduction there.
pub(super) fn terms(
    body: &Body,
    point: &[usize],
    acc: Option<Approx>,
    load: &Load<'_>,
) -> Vec<Approx> {
    let holds = |guards: &[Guard]| {
        guards.iter().all(|guard| (0..guard.extent).contains(&guard.coordinate.at(point)))
    };
    let mut values: Vec<Approx> = Vec::with_capacity(body.terms.len());
    for (term, dtype) in &body.terms {
        let value = match term {
            Term::Load { operand, index, guards } if holds(guards) => {
                let value = load(*operand, index.at(point), *dtype);
                let element =
                    if dtype.is_float() { Approx::loaded(value) } else { Approx::exact(value) };
                element.rounded_to(*dtype)
            }
            Term::Load { .. } => Approx::exact(dtype.from_word(0)),
            Term::Acc => acc.unwrap_or(Approx { value: 0.0, error: f64::INFINITY }),
            Term::Const(word) => Approx::exact(dtype.from_word(*word)),
            Term::Coord(index) => Approx::exact(dtype.from_word(index.at(point) as u32)),
            Term::Inside(guards) => Approx::exact(f64::from(u8::from(holds(guards)))),
            Term::Apply(function, operands) => {
                let operands: Vec<_> =
                    operands.iter().map(|&id| (values[id], body.dtype(id))).collect();
                apply(*function, &operands, *dtype)
            }
        };
        values.push(value);
    }
    values
}

/// Combines all values.
pub(super) fn reduce(function: ReduceFn, dtype: DType, values: &[Approx]) -> Approx {
    if values.iter().any(|x| !x.is_decided() || (x.error > 0.0 && !dtype.is_float())) {
        return Approx { value: f64::NAN, error: f64::INFINITY };
    }
    let numbers = || values.iter().map(|x| x.value);
    if !dtype.is_float() {
        let combined = numbers().fold(function.identity(dtype), |acc, x| {
            let mut acc = [acc];
            function.combine_words(dtype, &mut acc, &[dtype.to_word(x)]);
            acc[0]
        });
        return Approx::exact(dtype.from_word(combined));
    }
    let is_nan = numbers().any(f64::is_nan);
    let extremum = |pick: fn(f64, f64) -> f64, none| {
        if is_nan { f64::NAN } else { numbers().fold(none, pick) }
    };
    let worst = values.iter().map(|x| x.error).fold(0.0, f64::max);
    let (value, spread, magnitude) = match function {
        ReduceFn::Sum => {
            let sum = |f: fn(&Approx) -> f64| values.iter().map(f).sum::<f64>();
            (sum(|x| x.value), sum(|x| x.error), sum(|x| x.value.abs() + x.error))
        }
        ReduceFn::Prod => {
            let product = |f: fn(&Approx) -> f64| values.iter().map(f).product::<f64>();
            let reach = product(|x| x.value.abs() + x.error);
            (product(|x| x.value), reach - product(|x| x.value.abs()), 0.0)
        }
        ReduceFn::Max => (extremum(f64::max, f64::NEG_INFINITY), worst, 0.0),
        ReduceFn::Min => (extremum(f64::min, f64::INFINITY), worst, 0.0),
    };
    let (bound, _) = function.accuracy(values.len());
    Approx::bounded(value, dtype, spread, bound, magnitude)
}
