//! Conversion between element types.

use super::*;
use super::{
    class::Pointwise,
    scalar::{Scalar, Wgsl},
};
use crate::dtype::DType;
use half::{f16, slice::HalfFloatSliceExt};

/// Converts each element.
#[derive(Clone, Debug, PartialEq)]
pub struct Cast {
    pub(crate) to: DType,
}

/// The conversion on words, to the element type of the result.
pub(crate) struct ToResult;

impl Scalar for ToResult {
    fn wgsl(&self, x: &[&str], dtype: DType, result: DType) -> Wgsl {
        let x = x[0];
        let call = |name: &str| Wgsl::with(format!("{name}({x})"), &["cast"]);
        match (dtype, result) {
            (DType::F32 | DType::F16, DType::I32) => call("float_to_i32"),
            (DType::F32 | DType::F16, DType::U32) => call("float_to_u32"),
            (DType::I32, DType::U32) => Wgsl::new(format!("u32(max({x}, 0i))")),
            (DType::U32, DType::I32) => Wgsl::new(format!("i32(min({x}, 0x7fffffffu))")),
            (DType::Bool, DType::Bool) => Wgsl::new(x),
            (DType::F16, DType::F16) | (_, DType::F32) => Wgsl::new(format!("f32({x})")),
            (_, DType::F16) => Wgsl::with(format!("round_to_half(f32({x}))"), &["half"]),
            (_, DType::I32) => Wgsl::new(format!("i32({x})")),
            (_, DType::U32) => Wgsl::new(format!("u32({x})")),
            (DType::F32 | DType::F16, DType::Bool) => {
                Wgsl::with(format!("({x} != 0.0 || is_nan({x}))"), &["nan"])
            }
            (DType::I32, DType::Bool) => Wgsl::new(format!("({x} != 0i)")),
            (DType::U32, DType::Bool) => Wgsl::new(format!("({x} != 0u)")),
        }
    }

    fn cpu(&self, x: &[&[u32]], dtype: DType, result: DType, out: &mut [u32]) {
        use math::words1;
        let rounded = |x: f32| f16::from_f32(x).to_f32().to_bits();
        match (dtype, result) {
            (DType::F32 | DType::F16, DType::F32) | (DType::F16, DType::F16) => {
                out.copy_from_slice(x[0]);
            }
            (DType::F32, DType::F16) => round_to_half(x[0], out),
            (DType::F32 | DType::F16, DType::I32) => {
                words1(x, out, |x| (f32::from_bits(x) as i32) as u32);
            }
            (DType::F32 | DType::F16, DType::U32) => words1(x, out, |x| f32::from_bits(x) as u32),
            (DType::F32 | DType::F16, DType::Bool) => {
                words1(x, out, |x| u32::from(f32::from_bits(x) != 0.0));
            }
            // Rounded once: integers that are inexact in f32 overflow f16.
            (DType::I32, DType::F16) => words1(x, out, |x| rounded(x as i32 as f32)),
            (DType::U32 | DType::Bool, DType::F16) => words1(x, out, |x| rounded(x as f32)),
            (DType::I32, DType::F32) => words1(x, out, |x| (x as i32 as f32).to_bits()),
            (DType::U32 | DType::Bool, DType::F32) => words1(x, out, |x| (x as f32).to_bits()),
            (DType::I32, DType::U32) => words1(x, out, |x| (x as i32).max(0) as u32),
            (DType::U32, DType::I32) => words1(x, out, |x| x.min(i32::MAX as u32)),
            (DType::I32 | DType::U32, DType::Bool) => words1(x, out, |x| u32::from(x != 0)),
            (DType::I32, DType::I32) | (DType::U32, DType::U32) | (DType::Bool, _) => {
                out.copy_from_slice(x[0]);
            }
        }
    }

    fn eval(&self, x: &[f64], _: DType, result: DType) -> f64 {
        // The reference does not round floats, so rounding is part of a device's error.
        if result.is_float() { x[0] } else { result.round(x[0]) }
    }

    fn accuracy(&self, _: DType, result: DType) -> (Bound, &'static str) {
        if result.is_float() {
            (Bound::Ulp(1), "the nearest float")
        } else {
            (Bound::Exact, "defined for every value")
        }
    }
}

/// Rounds f32 words to the nearest f16 value, ties to even, with the processor's instructions.
fn round_to_half(x: &[u32], out: &mut [u32]) {
    let mut halves = [f16::ZERO; 64];
    for (x, out) in x.chunks(halves.len()).zip(out.chunks_mut(halves.len())) {
        let halves = &mut halves[..x.len()];
        halves.convert_from_f32_slice(bytemuck::cast_slice(x));
        halves.convert_to_f32_slice(bytemuck::cast_slice_mut(out));
    }
}

impl<'g> Tensor<'g> {
    /// Converts the elements to another type.
    ///
    /// # Numerics
    ///
    /// To a float: to nearest, ties to even; magnitudes from 65,520 on overflow f16 to infinity. To
    /// an integer: toward zero, saturating, 0 for NaN.
    /// To bool: whether it differs from 0. From bool: 0 or 1.
    ///
    /// # Gradient
    ///
    /// Between floats, the cotangent cast back; otherwise none.
    #[doc(alias("to", "astype", "float", "half", "type_as"))]
    #[track_caller]
    pub fn cast(self, to: DType) -> Tensor<'g> {
        if self.failed() || self.dtype() == to {
            return self;
        }
        self.graph.push(Cast { to }, &[self])
    }

    /// The same numbers in f32, rounded to f16 first if `x` is f16: as operands of a product with
    /// halves, which a kernel then reads as such.
    #[track_caller]
    pub(crate) fn rounded_for(self, x: Tensor<'g>) -> Tensor<'g> {
        if x.dtype() == DType::F16 { self.cast(DType::F16).widened() } else { self }
    }

    /// The same numbers in f32 if they are halves.
    #[track_caller]
    pub(crate) fn widened(self) -> Tensor<'g> {
        if self.dtype() == DType::F16 { self.cast(DType::F32) } else { self }
    }
}

impl std::fmt::Display for Cast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cast[{}]", self.to)
    }
}

impl Operation for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        Ok(Meta::new(&operands[0].shape, self.to))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let dtype = operands[0].meta.dtype;
        operands[0].map(self.to, |x| ToResult.eval(&[x], dtype, self.to))
    }

    fn vjp<'g>(&self, x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        let smooth = x[0].dtype().is_float() && self.to.is_float();
        vec![smooth.then(|| ct.cast(x[0].dtype()))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Cast)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(1.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for from in DType::ALL {
            for to in DType::ALL.into_iter().filter(|&to| to != from) {
                let sample = Sample::new(Cast { to }, [Meta::new([3, 7], from)]);
                let sample = if from.is_float() && !to.is_float() {
                    sample.operand(0, Domain::Range(-90.0, 90.0))
                } else {
                    sample
                };
                let (bound, reason) = ToResult.accuracy(from, to);
                samples.push(sample.bound(bound, reason));
            }
        }
        const EDGES: Domain = Domain::Values(&[
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.9,
            3e9,
            -3e9,
            5e9,
            2_147_483_520.0,
            0.0,
        ]);
        for (from, to) in [DType::F32, DType::F16]
            .into_iter()
            .flat_map(|from| [DType::I32, DType::U32, DType::Bool].map(|to| (from, to)))
        {
            let sample = Sample::new(Cast { to }, [Meta::new([9], from)])
                .operand(0, EDGES)
                .bound(Bound::Exact, "defined for every value")
                .named("edges");
            samples.push(sample);
        }
        let half = |values, bound, reason| {
            Sample::new(Cast { to: DType::F16 }, [Meta::new([12], DType::F32)])
                .operand(0, Domain::Values(values))
                .bound(bound, reason)
                .without_gradient()
        };
        // 65520 is the tie between the largest f16 and the next value past it.
        const ENDS: &[f64] = &[
            1.0 + 1.0 / 2048.0,
            1.0 + 3.0 / 2048.0,
            -1.0 - 5.0 / 2048.0,
            65_504.0,
            65_519.996,
            65_520.0,
            -65_520.0,
            1e30,
            f64::INFINITY,
            f64::NAN,
            -0.0,
            1.0 / 16_384.0,
        ];
        // In units of 2^-24, the smallest f16: ties, and neighbors of ties.
        const SMALL: &[f64] =
            &[0.5 * TINY, 1.5 * TINY, -2.5 * TINY, 0.50001 * TINY, 1023.5 * TINY, -1e-30];
        const TINY: f64 = 1.0 / 16_777_216.0;
        let normal = Sample::new(Cast { to: DType::F16 }, [Meta::new([911], DType::F32)])
            .operand(0, Domain::Magnitudes(-14, 17))
            .bound(Bound::Exact, "to nearest even")
            .without_gradient();
        samples.push(normal.named("all magnitudes"));
        samples.push(half(ENDS, Bound::Exact, "to nearest even").named("ties and overflow"));
        samples.push(half(SMALL, Bound::Ulp(1), "denormals may be flushed").named("denormals"));
        for from in [DType::I32, DType::U32] {
            let sample = Sample::new(Cast { to: DType::F16 }, [Meta::new([6], from)])
                .operand(0, Domain::Values(&[2049.0, 2051.0, 65_519.0, 65_520.0, 1e9, 0.0]))
                .bound(Bound::Exact, "to nearest even")
                .named("ties and overflow");
            samples.push(sample);
        }
        samples
    }
}
