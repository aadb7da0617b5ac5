//! Rounding to bytes: to multiples of a scale, and of sums of products by a ratio.
//!
//! Both are exact on every device. A float quotient may be off by 2.5 ulp on a GPU, which would
//! move some values across the midpoint of two integers, so the shader does not divide floats. The
//! significands of the operands are 24-bit integers, and the decision fits in 32 bits.

use super::*;
use super::{
    binary::Operand,
    class::Pointwise,
    scalar::{Scalar, Wgsl},
};
use crate::dtype::DType;

/// Rounds pairs of elements to integers from -127 to 127.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantize(pub(crate) QuantizeFn);

/// The roundings.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum QuantizeFn {
    /// `x / scale` for floats.
    Multiples,
    /// `x ratio` for an integer and a float.
    Rescaled,
}
use QuantizeFn::*;

/// The largest magnitude of a byte: symmetric around 0.
const MAX_BYTE: f64 = 127.0;

impl QuantizeFn {
    fn name(self) -> &'static str {
        match self {
            Multiples => "quantize",
            Rescaled => "requantize",
        }
    }
}

/// A number as seen by GPUs: subnormals are flushed to 0.
fn normal(x: f64) -> f64 {
    if x.abs() < f64::from(f32::MIN_POSITIVE) { 0f64.copysign(x) } else { x }
}

/// The nearest byte to a quotient of f32. In f64 the quotient rounds to the midpoint of two
/// integers only if it is exactly that.
#[inline(always)]
fn multiples(x: f32, scale: f32) -> i32 {
    let normal = |x: f32| if x.abs() < f32::MIN_POSITIVE { 0f32.copysign(x) } else { x };
    let y = f64::from(normal(x)) / f64::from(normal(scale));
    // Comparisons that keep NaN, which becomes 0.
    let y = if y > MAX_BYTE { MAX_BYTE } else { y };
    let y = if y < -MAX_BYTE { -MAX_BYTE } else { y };
    // Adding 1.5 * 2^52 pushes the fraction out of the significand.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    ((y + SHIFT) - SHIFT) as i32
}

/// The nearest byte to a product: the significand of the ratio is a 24-bit integer, and its
/// exponent a shift.
#[inline(always)]
fn rescaled(x: i32, ratio: f32) -> i32 {
    let bits = ratio.to_bits();
    let (exponent, fraction) = ((bits >> 23) & 0xff, bits & 0x7f_ffff);
    if exponent == 0 || (exponent == 0xff && fraction != 0) {
        return 0;
    }
    let product = u64::from(x.unsigned_abs()) * u64::from(fraction | 0x80_0000);
    // In halves: product * 2^(exponent - 149). It is below 2^55, so further shifts change nothing;
    // with a shift of 0, anything but 0 exceeds every byte.
    let places = 149u32.saturating_sub(exponent).min(63);
    let (halves, rest) = (product >> places, product & ((1 << places) - 1));
    let up = halves & 1 == 1 && (rest != 0 || halves & 2 == 2);
    let byte = ((halves >> 1) + u64::from(up)).min(127) as i32;
    if (x < 0) == (bits >> 31 == 1) { byte } else { -byte }
}

impl Scalar for QuantizeFn {
    fn wgsl(&self, x: &[&str], _: DType, _: DType) -> Wgsl {
        Wgsl::with(format!("{}({}, {})", self.name(), x[0], x[1]), &["quantize"])
    }

    fn cpu(&self, x: &[&[u32]], _: DType, _: DType, out: &mut [u32]) {
        match self {
            Multiples => {
                math::words2(x, out, |a, b| multiples(f32::from_bits(a), f32::from_bits(b)) as u32)
            }
            Rescaled => {
                math::words2(x, out, |a, b| rescaled(a as i32, f32::from_bits(b)) as u32);
            }
        }
    }

    fn eval(&self, x: &[f64], _: DType, _: DType) -> f64 {
        let y = match self {
            Multiples => normal(x[0]) / normal(x[1]),
            // Where the product rounds to the midpoint of two integers, its error decides.
            Rescaled => {
                let (x, ratio) = (x[0], normal(x[1]));
                let (product, error) = (x * ratio, x.mul_add(ratio, -(x * ratio)));
                if product - product.floor() == 0.5 && error != 0.0 {
                    product + 0.5f64.copysign(error)
                } else {
                    product
                }
            }
        };
        if y.is_nan() { 0.0 } else { y.round_ties_even().clamp(-MAX_BYTE, MAX_BYTE) + 0.0 }
    }

    fn accuracy(&self, _: DType, _: DType) -> (Bound, &'static str) {
        (Bound::Exact, "what decides the rounding is computed in integers")
    }
}

impl<'g> Tensor<'g> {
    /// Quantizes floats to multiples of a scale, from -127 to 127: `round(x / scale)`, ties to
    /// even, in i32. The scale is broadcast: one in total, or one per channel, as
    /// [`quantization_scale`](Self::quantization_scale) returns along any axes.
    ///
    /// # Numerics
    ///
    /// The same integer on every device, nearest to the exact quotient. Numbers below 2^-126 count
    /// as 0; NaN gives 0.
    ///
    /// # Gradient
    ///
    /// None: these are integers.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] for non-floats; [`OpError::DTypes`]; [`OpError::Broadcast`].
    #[doc(alias("quantize_per_tensor", "QuantizeLinear"))]
    #[track_caller]
    pub fn quantize<T: Operand<'g>>(self, scale: T) -> Tensor<'g> {
        // A number may not be a half.
        let x = if T::NUMBER.is_some() { self.widened() } else { self };
        x.rounded(scale.tensor_like(x), Multiples)
    }

    /// Requantizes sums of products of bytes to bytes for the next layer: `round(x ratio)`, ties to
    /// even, from -127 to 127. `x` is i32, and the ratio, which is broadcast, is f32: the scales of
    /// both factors divided by that of the result.
    ///
    /// # Numerics
    ///
    /// The same integer on every device, nearest to the exact product: the 24 bits of the ratio's
    /// significand are an integer multiplier, its exponent a shift. A ratio below 2^-126 counts as
    /// 0; NaN gives 0.
    ///
    /// # Gradient
    ///
    /// None: these are integers.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] unless i32 and f32; [`OpError::Broadcast`].
    ///
    /// # Source
    ///
    /// `QLinearMatMul` and `QLinearConv` of ONNX, without zero points.
    #[track_caller]
    pub fn requantize(self, ratio: Tensor<'g>) -> Tensor<'g> {
        self.rounded(ratio, Rescaled)
    }

    #[track_caller]
    fn rounded(self, other: Tensor<'g>, function: QuantizeFn) -> Tensor<'g> {
        match self.shape().broadcast_with(&other.shape()) {
            Some(shape) => {
                let operands = [self, other].map(|x| x.broadcast_to(shape.clone()));
                self.graph.push(Quantize(function), &operands)
            }
            None => self.graph.refuse(function.name(), &[self, other], OpError::Broadcast),
        }
    }
}

impl std::fmt::Display for Quantize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Operation for Quantize {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, other] = operands else { unreachable!("two operands") };
        match self.0 {
            Multiples if !x.dtype.is_float() => return Err(OpError::DType(x.dtype)),
            Multiples if x.dtype != other.dtype => return Err(OpError::DTypes),
            Rescaled if x.dtype != DType::I32 => return Err(OpError::DType(x.dtype)),
            Rescaled if other.dtype != DType::F32 => return Err(OpError::DType(other.dtype)),
            _ => {}
        }
        // The builder broadcasts, so the shapes are equal.
        if x.shape == other.shape {
            Ok(Meta::new(&x.shape, DType::I32))
        } else {
            Err(OpError::Broadcast)
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, other] = operands else { unreachable!("two operands") };
        let pairs = x.data.iter().zip(&other.data);
        let data = pairs.map(|(&x, &other)| self.0.eval(&[x, other], DType::F32, DType::I32));
        Array64 { data: data.collect(), meta: Meta::new(x.shape(), DType::I32) }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Quantize(self.0))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(8.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |function: QuantizeFn, dims: &[usize], x: Domain, other: Domain| {
            let dtype = if function == Multiples { DType::F32 } else { DType::I32 };
            let (bound, reason) = function.accuracy(dtype, DType::I32);
            Sample::new(Quantize(function), [Meta::new(dims, dtype), Meta::new(dims, DType::F32)])
                .operand(0, x)
                .operand(1, other)
                .bound(bound, reason)
                .without_gradient()
        };
        let values = Domain::Values;
        vec![
            of(Multiples, &[61, 67], Domain::Range(-90.0, 90.0), Domain::Range(0.3, 2.0)),
            // Scales that are not floats of few bits, and odd multiples of half of them: each is a
            // midpoint of two integers, or next to one.
            of(Multiples, &[9, 8], values(TIES), values(SCALES)).named("ties"),
            of(Multiples, &[9, 11], values(EDGES), values(ODD_SCALES)).named("edges"),
            of(Rescaled, &[61, 67], Domain::Range(-9e4, 9e4), Domain::Range(1e-4, 2e-3)),
            of(Rescaled, &[9, 8], values(HALVES), values(POWERS)).named("ties"),
            of(Rescaled, &[9, 5], values(MULTIPLES), values(SMALL_POWERS))
                .named("ties past a word"),
            of(Rescaled, &[9, 11], values(SUMS), values(RATIOS)).named("edges"),
            of(Multiples, &[911], Domain::Magnitudes(-126, 127), Domain::Magnitudes(-126, 127))
                .named("all magnitudes"),
            of(Multiples, &[911], Domain::Magnitudes(0, 7), Domain::Magnitudes(0, 2))
                .named("bytes"),
            of(Rescaled, &[911], Domain::Magnitudes(0, 30), Domain::Magnitudes(-126, 127))
                .named("all magnitudes"),
            of(Rescaled, &[911], Domain::Magnitudes(20, 30), Domain::Magnitudes(-30, -16))
                .named("bytes"),
            of(Multiples, &[5, 7], Domain::Range(-90.0, 90.0), Domain::Range(0.3, 2.0)).of_halves(),
        ]
    }
}

/// Multiples of 1.5, 0.7 (rounded to f32) and 3 by half-integers, and their neighbors.
const TIES: &[f64] = &[
    0.75,
    -2.25,
    1.049_999_952_316_284_2,
    0.349_999_994_039_535_5,
    94.5,
    -94.5,
    190.5,
    -1.75,
    1.749_999_880_790_710_4,
];
const SCALES: &[f64] =
    &[1.5, 1.5, 0.699_999_988_079_071, 0.699_999_988_079_071, 1.5, 3.0, 1.5, 0.7];

/// Zeros, NaN, infinities and flushed numbers, and quotients beyond all bytes.
const EDGES: &[f64] = &[
    0.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e-39,
    -1e30,
    127.5,
    -0.0,
    1.0,
    3e-38,
    -126.5,
];
const ODD_SCALES: &[f64] = &[1.0, 0.0, f64::INFINITY, 1e-39, 3e38, -1.0, 1.0, f64::NAN, 2e-38];

/// Products with powers of 2 that are midpoints, and with other numbers next to a midpoint.
const HALVES: &[f64] = &[5.0, -7.0, 11.0, 1.0, -3.0, 253.0, 255.0, 16_777_217.0, 2_147_483_647.0];
const POWERS: &[f64] =
    &[0.5, 0.25, 1.0, 2.0, 0.500_000_059_604_644_8, 0.499_999_970_197_677_6, 5e-8, 2.980_232_2e-8];

/// Products with powers of 2 whose low word is 0: only the high one tells whether they are midpoints.
const MULTIPLES: &[f64] =
    &[512.0, -1536.0, 2560.0, 3584.0, -7680.0, 129_536.0, 130_560.0, 131_584.0, 66_048.0];
const SMALL_POWERS: &[f64] = &[1.0 / 1024.0, 1.0 / 2048.0, 1.5 / 1024.0, 1.0 / 4096.0, 1.0 / 512.0];

const SUMS: &[f64] = &[
    0.0,
    -2_147_483_648.0,
    2_147_483_647.0,
    1.0,
    -1.0,
    127.0,
    -128.0,
    1_000_003.0,
    -77.0,
    16_711_935.0,
    3.0,
];
const RATIOS: &[f64] =
    &[1.0, 5.9e-8, 1e-39, f64::NAN, f64::INFINITY, 3e38, -0.5, 1e-20, 4.656_612_9e-10];
