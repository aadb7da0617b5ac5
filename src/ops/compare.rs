//! Comparisons: `y[i] = a[i] < b[i]`, a boolean.
//!
//! As in IEEE 754, every comparison with NaN is false except `!=`.

use super::*;
use super::{
    binary::Operand,
    class::Pointwise,
    scalar::{Scalar, Wgsl, functions},
};
use crate::dtype::DType;

/// Compares pairs of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare(pub(crate) CompareFn);

functions! {
    /// The comparisons.
    CompareFn {
        /// `a == b`
        Equal "equal",
        /// `a != b`
        NotEqual "not_equal",
        /// `a < b`
        Less "less",
        /// `a <= b`
        LessEqual "less_equal",
        /// `a > b`
        Greater "greater",
        /// `a >= b`
        GreaterEqual "greater_equal",
    }
}
use CompareFn::*;

impl CompareFn {
    fn symbol(self) -> &'static str {
        match self {
            Equal => "==",
            NotEqual => "!=",
            Less => "<",
            LessEqual => "<=",
            Greater => ">",
            GreaterEqual => ">=",
        }
    }

    #[inline(always)]
    fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Equal => a == b,
            NotEqual => a != b,
            Less => a < b,
            LessEqual => a <= b,
            Greater => a > b,
            GreaterEqual => a >= b,
        }
    }
}

impl Scalar for CompareFn {
    fn wgsl(&self, x: &[&str], dtype: DType, _: DType) -> Wgsl {
        let (a, b, symbol) = (x[0], x[1], self.symbol());
        match (self, dtype.is_float()) {
            (NotEqual, true) => {
                Wgsl::with(format!("({a} != {b} || is_nan({a}) || is_nan({b}))"), &["nan"])
            }
            // Fast-math compilers assume there is no NaN, and may turn `<` into not `>=`.
            (_, true) => {
                Wgsl::with(format!("({a} {symbol} {b} && !is_nan({a}) && !is_nan({b}))"), &["nan"])
            }
            (_, false) => Wgsl::new(format!("({a} {symbol} {b})")),
        }
    }

    fn cpu(&self, x: &[&[u32]], dtype: DType, _: DType, out: &mut [u32]) {
        use math::{floats_to_bool2 as floats, words_to_bool2 as words};
        match (dtype, self) {
            (DType::F32 | DType::F16, Equal) => floats(x, out, |a, b| a == b),
            (DType::F32 | DType::F16, NotEqual) => floats(x, out, |a, b| a != b),
            (DType::F32 | DType::F16, Less) => floats(x, out, |a, b| a < b),
            (DType::F32 | DType::F16, LessEqual) => floats(x, out, |a, b| a <= b),
            (DType::F32 | DType::F16, Greater) => floats(x, out, |a, b| a > b),
            (DType::F32 | DType::F16, GreaterEqual) => floats(x, out, |a, b| a >= b),
            (DType::I32, _) => words(x, out, |a, b| self.holds(a as i32, b as i32)),
            (DType::U32 | DType::Bool, _) => words(x, out, |a, b| self.holds(a, b)),
        }
    }

    fn eval(&self, x: &[f64], _: DType, _: DType) -> f64 {
        f64::from(u8::from(self.holds(x[0], x[1])))
    }

    fn accuracy(&self, _: DType, _: DType) -> (Bound, &'static str) {
        (Bound::Exact, "a truth value")
    }
}

macro_rules! builders {
    ($($(#[$doc:meta])* $method:ident $function:ident,)*) => {
        impl<'g> Tensor<'g> {
            $($(#[$doc])*
            #[track_caller]
            pub fn $method(self, other: impl Operand<'g>) -> Tensor<'g> {
                self.compare($function, other.tensor_like(self))
            })*
        }
    };
}
builders! {
    /// `self == other`, element by element.
    #[doc(alias = "eq")]
    equal Equal,
    /// `self != other`, element by element; true where either is NaN.
    #[doc(alias = "ne")]
    not_equal NotEqual,
    /// `self < other`, element by element.
    #[doc(alias = "lt")]
    less Less,
    /// `self <= other`, element by element.
    #[doc(alias = "le")]
    less_equal LessEqual,
    /// `self > other`, element by element.
    #[doc(alias = "gt")]
    greater Greater,
    /// `self >= other`, element by element.
    #[doc(alias = "ge")]
    greater_equal GreaterEqual,
}

impl<'g> Tensor<'g> {
    #[track_caller]
    fn compare(self, function: CompareFn, other: Tensor<'g>) -> Tensor<'g> {
        match self.broadcast_together(other) {
            Some([a, b]) => self.graph.push(Compare(function), &[a, b]),
            None => self.graph.refuse(function.name(), &[self, other], OpError::Broadcast),
        }
    }
}

impl std::fmt::Display for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Operation for Compare {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [a, b] = operands else { unreachable!("comparisons have two operands") };
        if a.dtype != b.dtype {
            return Err(OpError::DTypes);
        }
        if a.dtype == DType::Bool && !matches!(self.0, Equal | NotEqual) {
            return Err(OpError::DType(DType::Bool));
        }
        // The builder broadcasts, so the shapes are equal.
        if a.shape == b.shape {
            Ok(Meta::new(&a.shape, DType::Bool))
        } else {
            Err(OpError::Broadcast)
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [a, b] = operands else { unreachable!("comparisons have two operands") };
        let pairs = a.data.iter().zip(&b.data);
        let dtype = a.meta.dtype;
        let data = pairs.map(|(&a, &b)| self.0.eval(&[a, b], dtype, DType::Bool)).collect();
        Array64 { meta: Meta::new(a.shape(), DType::Bool), data }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Compare(self.0))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(1.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        const HARD: Domain =
            Domain::Values(&[0.0, f64::NAN, -0.0, 1.0, f64::INFINITY, -1.0, f64::NEG_INFINITY]);
        let mut samples = Vec::new();
        for &function in CompareFn::ALL {
            let of = |dtype| {
                let operand = Meta::new([7, 7], dtype);
                Sample::new(Compare(function), [operand.clone(), operand])
                    .bound(Bound::Exact, "a truth value")
                    .without_gradient()
            };
            samples.push(of(DType::F32).operand(0, Domain::Ties).operand(1, Domain::Ties));
            samples.push(of(DType::I32).operand(0, Domain::Ties).operand(1, Domain::Ties));
            samples.push(of(DType::U32).operand(0, Domain::Below(3)).operand(1, Domain::Below(3)));
            let mut hard = of(DType::F32).named("NaN, infinities, zeros");
            hard.operands[0].0 = Meta::new([6, 7], DType::F32);
            hard.operands[1].0 = Meta::new([6, 7], DType::F32);
            // Periods of 7 and 6: every pair occurs once.
            let shorter =
                Domain::Values(&[f64::NAN, 0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, -1.0]);
            samples.push(hard.operand(0, HARD).operand(1, shorter));
        }
        with_halves(samples, &["", "NaN, infinities, zeros"])
    }
}
