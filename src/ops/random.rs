//! Random numbers that are a pure function of key, counter, stream and index.
//!
//! Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): element
//! `i` is word `i mod 4` of the block whose counter is `(i / 4, counter, stream, 0)`. Bits and
//! uniforms are equal on all devices; normals agree within a bound, as logarithm and cosine do.

use super::*;
use super::{
    class::Pointwise,
    scalar::{Scalar, Wgsl},
};
use crate::{dtype::DType, graph::Graph, init::Init, shape::Shape};

/// Draws from a distribution. Operands: two words of key, the counter, the index; all u32.
#[derive(Clone, Debug, PartialEq)]
pub struct Random(pub(crate) Draw);

/// A distribution, and the stream of the graph to draw from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    pub(crate) function: RandomFn,
    pub(crate) stream: u32,
}

/// The distributions.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RandomFn {
    /// Uniform 32-bit words.
    Bits,
    /// Uniform f32 in `[0, 1)`, multiples of 2^-24.
    Uniform,
    /// Normal f32 with mean 0 and variance 1 (Box & Muller 1958).
    Normal,
}

impl RandomFn {
    fn name(self) -> &'static str {
        match self {
            RandomFn::Bits => "random_bits",
            RandomFn::Uniform => "random_uniform",
            RandomFn::Normal => "random_normal",
        }
    }

    fn dtype(self) -> DType {
        match self {
            RandomFn::Bits => DType::U32,
            RandomFn::Uniform | RandomFn::Normal => DType::F32,
        }
    }
}

/// Philox 4x32-10.
pub(crate) fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// Converts the upper 24 bits to a number in `[0, 1)`.
fn unit(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The word of element `index`.
pub(crate) fn draw(
    function: RandomFn,
    key: [u32; 2],
    counter: u32,
    stream: u32,
    index: u32,
) -> u32 {
    let block = philox([index / 4, counter, stream, 0], key);
    let lane = index as usize % 4;
    match function {
        RandomFn::Bits => block[lane],
        RandomFn::Uniform => unit(block[lane]).to_bits(),
        RandomFn::Normal => {
            // Each pair of words gives a pair of normals; 1 - u is never 0.
            let radius = (-2.0 * math::log(1.0 - unit(block[lane & 2]))).sqrt();
            let angle = std::f32::consts::TAU * unit(block[lane | 1]);
            let wave = if lane.is_multiple_of(2) { math::cos(angle) } else { math::sin(angle) };
            (radius * wave).to_bits()
        }
    }
}

impl Scalar for Draw {
    fn wgsl(&self, x: &[&str], _: DType, _: DType) -> Wgsl {
        let [key0, key1, counter, index] = [x[0], x[1], x[2], x[3]];
        let (name, stream) = (self.function.name(), self.stream);
        Wgsl::with(
            format!("{name}(vec2<u32>({key0}, {key1}), {counter}, {stream}u, {index})"),
            &["random"],
        )
    }

    fn cpu(&self, x: &[&[u32]], _: DType, _: DType, out: &mut [u32]) {
        for (k, word) in out.iter_mut().enumerate() {
            *word = draw(self.function, [x[0][k], x[1][k]], x[2][k], self.stream, x[3][k]);
        }
    }

    fn eval(&self, x: &[f64], _: DType, _: DType) -> f64 {
        let [key0, key1, counter, index] = [x[0], x[1], x[2], x[3]].map(|x| x as u32);
        let block = philox([index / 4, counter, self.stream, 0], [key0, key1]);
        let lane = index as usize % 4;
        match self.function {
            RandomFn::Bits => f64::from(block[lane]),
            RandomFn::Uniform => f64::from(unit(block[lane])),
            RandomFn::Normal => {
                let (first, second) = (unit(block[lane & 2]), unit(block[lane | 1]));
                let radius = (-2.0 * (1.0 - f64::from(first)).ln()).sqrt();
                let angle = std::f64::consts::TAU * f64::from(second);
                radius * if lane.is_multiple_of(2) { angle.cos() } else { angle.sin() }
            }
        }
    }

    fn accuracy(&self, _: DType, _: DType) -> (Bound, &'static str) {
        match self.function {
            RandomFn::Bits => (Bound::Exact, "integers are exact"),
            RandomFn::Uniform => (Bound::Exact, "24 bits fit an f32"),
            RandomFn::Normal => {
                let reason = "the angle, up to 6.3, is rounded to 2.4e-7, the radius at most 5.8";
                (Bound::Abs(4e-6), reason)
            }
        }
    }
}

/// Path of the key of all random operations, and of the counter that advances with every run.
const SEED: &str = "rng/seed";
const COUNTER: &str = "rng/counter";

/// Whether a variable is state of the random numbers rather than of a model.
#[cfg(feature = "files")]
pub(crate) fn owns(path: &str) -> bool {
    [SEED, COUNTER].contains(&path)
}

impl Graph {
    /// Both words of the key, and the counter.
    #[track_caller]
    fn random_words(&self) -> [Tensor<'_>; 3] {
        let fresh = !self.inner.borrow().variables.contains_key(COUNTER);
        let seed = self.variable(SEED, [2], DType::U32, Init::Seed);
        let counter = self.variable(COUNTER, [], DType::U32, Init::Zeros);
        if fresh {
            // It advances with every run, also if the run is to change nothing else.
            let before = self.assignments();
            self.assign(counter, counter + 1u32);
            self.settle(before);
        }
        let word = |range| seed.slice(0, range).reshape(Shape::scalar());
        [word(0..1), word(1..2), counter]
    }

    #[track_caller]
    fn random(&self, function: RandomFn, shape: Shape) -> Tensor<'_> {
        let index = self.iota([shape.len()], 0, DType::U32).reshape(shape.clone());
        let [first, second, counter] =
            self.random_words().map(|word| word.broadcast_to(shape.clone()));
        let operands = [first, second, counter, index];
        self.push(Random(Draw { function, stream: self.next_stream() }), &operands)
    }

    /// The state a kernel draws random numbers from, `[..outer, 4]`: both words of the key, the
    /// counter, and the index of the first of `each` numbers, which wraps; and their stream.
    #[track_caller]
    pub(crate) fn drawn(&self, outer: &[usize], each: usize) -> (Tensor<'_>, u32) {
        let count = outer.iter().product::<usize>();
        let first = self.iota([count], 0, DType::U32).reshape(outer) * (each as u32);
        let [a, b, counter] = self.random_words().map(|word| word.broadcast_to(outer));
        (self.stack(&[a, b, counter, first], -1), self.next_stream())
    }

    /// Uniform 32-bit words, new in each run.
    #[doc(alias = "randint")]
    #[track_caller]
    pub fn random_bits(&self, shape: impl Into<Shape>) -> Tensor<'_> {
        self.random(RandomFn::Bits, shape.into())
    }

    /// Uniform numbers in `[0, 1)`, new in each run.
    ///
    /// # Numerics
    ///
    /// Multiples of 2^-24, the same bits on every device.
    #[doc(alias = "rand")]
    #[track_caller]
    pub fn uniform(&self, shape: impl Into<Shape>) -> Tensor<'_> {
        self.random(RandomFn::Uniform, shape.into())
    }

    /// Normal numbers with mean 0 and variance 1, new in each run.
    #[doc(alias("randn", "standard_normal"))]
    #[track_caller]
    pub fn normal(&self, shape: impl Into<Shape>) -> Tensor<'_> {
        self.random(RandomFn::Normal, shape.into())
    }
}

impl std::fmt::Display for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[stream {}]", self.0.function.name(), self.0.stream)
    }
}

impl Operation for Random {
    fn name(&self) -> &'static str {
        self.0.function.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        match operands.iter().find(|operand| operand.dtype != DType::U32) {
            Some(operand) => Err(OpError::DType(operand.dtype)),
            None if operands.iter().any(|operand| operand.shape != operands[0].shape) => {
                Err(OpError::Shapes)
            }
            None => Ok(Meta::new(&operands[0].shape, self.0.function.dtype())),
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let index = operands[3];
        let words = |k: usize| operands.iter().map(|operand| operand.data[k]).collect::<Vec<_>>();
        let dtype = self.0.function.dtype();
        let element = |k: usize| self.0.eval(&words(k), DType::U32, dtype);
        let data = (0..index.data.len()).map(element).collect();
        Array64 { meta: Meta::new(index.shape(), dtype), data }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None; 4]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Random(self.0))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(60.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |function| {
            let operand = Meta::new([3, 7], DType::U32);
            let draw = Draw { function, stream: 3 };
            let (bound, reason) = draw.accuracy(DType::U32, function.dtype());
            Sample::new(Random(draw), vec![operand; 4])
                .operand(0, Domain::Below(u32::MAX))
                .bound(bound, reason)
                .without_gradient()
        };
        [RandomFn::Bits, RandomFn::Uniform, RandomFn::Normal].map(of).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors published by Random123's authors.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let n = 40_000;
        let value = |index| f32::from_bits(draw(RandomFn::Normal, [1, 2], 3, 4, index));
        let values: Vec<f64> = (0..n).map(|index| f64::from(value(index))).collect();
        let moment = |p| values.iter().map(|x| x.powi(p)).sum::<f64>() / f64::from(n);
        // Standard errors of the moments are 0.005, 0.007, 0.02 and 0.05.
        for (p, expected, tolerance) in
            [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.1), (4, 3.0, 0.25)]
        {
            assert!((moment(p) - expected).abs() < tolerance, "moment {p} is {}", moment(p));
        }
    }
}
