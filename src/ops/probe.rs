//! How a kernel is verified: the values of its operands, and the independent parts of its problem.

use super::{
    Op,
    contract::{Bound, Domain, Noise},
};
use crate::{array64::Array64, dtype::DType, shape::Meta};
use std::sync::{Arc, LazyLock};

/// How a kernel is verified: its definition, the values of its operands, and the axes along which
/// its problem splits into independent parts.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub op: Op,
    pub operands: Vec<Meta>,
    pub groups: Option<Groups>,
    pub free: Vec<Free>,
    seeds: Seeds,
    pub bound: Bound,
    /// Whether NaN and infinities among the operands have their place in the results.
    pub has_special_values: bool,
}

/// Equal problems of which the whole one consists: they lie one after another along an axis of the
/// result and of every operand.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    /// Number of problems.
    pub count: usize,
    /// The definition of one of them.
    pub op: Op,
    /// The axis of the result.
    pub result: usize,
    /// The axis of each operand.
    pub operands: Vec<usize>,
}

/// An axis of the result along which elements depend only on operands at the same coordinate of
/// these axes; within a group, if there are several.
#[derive(Clone, Debug)]
pub(crate) struct Free {
    pub result: usize,
    pub operands: Vec<Option<usize>>,
}

/// Roundings from which a sum is long: its bound is so wide that thousands of missing terms might
/// cancel within it if they had both signs.
const LONG: f64 = 1024.0;

impl Probe {
    /// A probe of the whole operation at once, on operands of everyday values; of long sums, on
    /// operands whose sums grow with each term.
    pub fn new(op: impl Into<Op>, operands: &[&Meta], bound: Bound) -> Self {
        let operands: Vec<Meta> = operands.iter().map(|&meta| meta.clone()).collect();
        let is_long = matches!(bound, Bound::Terms(roundings) if roundings >= LONG);
        let domain = |meta: &Meta| match meta.dtype.is_float() && is_long {
            true => Domain::Range(-0.25, 1.0),
            false => Domain::everyday(meta.dtype),
        };
        let domains = operands.iter().map(domain).collect();
        let seeds = Seeds::Domains(domains);
        let (groups, free, has_special_values) = (None, vec![], true);
        Probe { op: op.into(), operands, groups, free, seeds, bound, has_special_values }
    }

    /// Declares that a kernel may leave out products with 0, so that NaN and infinities are not
    /// always in the results where the definition has them.
    pub fn finite_if(self, is_finite: bool) -> Self {
        Probe { has_special_values: !is_finite, ..self }
    }

    /// Sets the values of operand `index`.
    pub fn operand(mut self, index: usize, domain: Domain) -> Self {
        if let Seeds::Domains(domains) = &mut self.seeds {
            domains[index] = domain;
        }
        self
    }

    /// Sets the values of all operands, if they must be consistent with each other; none of them is
    /// replaced by a special one.
    pub fn operands(self, make: impl Fn() -> Vec<Array64> + Send + Sync + 'static) -> Self {
        Probe { seeds: Seeds::Made(Arc::new(make)), has_special_values: false, ..self }
    }

    /// Declares the problem as `count` problems, each defined by `op`, which lie one after another
    /// along these axes of the result and of the operands.
    pub fn in_groups<const N: usize>(
        self,
        count: usize,
        op: impl Into<Op>,
        result: usize,
        operands: [usize; N],
    ) -> Self {
        let groups = Groups { count, op: op.into(), result, operands: operands.into() };
        Probe { groups: Some(groups), ..self }
    }

    /// Declares an axis of the result as free, with the corresponding axes of the operands.
    pub fn along<const N: usize>(self, result: usize, operands: [Option<usize>; N]) -> Self {
        self.along_axes(result, operands.into())
    }

    /// Like [`along`](Self::along), for any number of operands.
    pub fn along_axes(mut self, result: usize, operands: Vec<Option<usize>>) -> Self {
        self.free.push(Free { result, operands });
        self
    }

    /// Declares these axes as free, the same in the result and in every operand.
    pub fn along_all(mut self, axes: impl IntoIterator<Item = usize>) -> Self {
        let count = self.operands.len();
        let free = |axis| Free { result: axis, operands: vec![Some(axis); count] };
        self.free.extend(axes.into_iter().map(free));
        self
    }

    /// The type of the result.
    pub(crate) fn dtype(&self) -> DType {
        self.op.infer(&self.operands).map_or(DType::F32, |result| result.dtype)
    }

    /// The words of each operand.
    pub(crate) fn words(&self) -> Vec<Vec<u32>> {
        self.seeds.words(&self.operands)
    }
}

/// Length of the noise table; a prime, so that no extent divides it.
const PERIOD: usize = 65_521;

/// Noise in [0, 1), repeated in larger tensors.
static NOISE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut noise = Noise::new(0);
    (0..PERIOD).map(|_| noise.unit() as f32).collect()
});

/// Words of a tensor whose elements lie in a domain.
pub(crate) fn domain_words(domain: &Domain, dtype: DType, len: usize, seed: usize) -> Vec<u32> {
    let scaled = |low: f64, span: f64| -> Vec<u32> {
        // For f16, no values that a device may flush to zero.
        let least = if dtype == DType::F16 { 1.0 / 16_384.0 } else { 0.0 };
        let number = |x: f32| low + span * f64::from(x);
        let kept = |x: f64| if x.abs() < least { 0.0 } else { x };
        let period = NOISE.iter().map(|&x| dtype.to_word(kept(number(x))));
        let period: Vec<u32> = period.collect();
        let start = seed.wrapping_mul(7_919) % PERIOD;
        period[start..].iter().chain(period.iter().cycle()).copied().take(len).collect()
    };
    match *domain {
        Domain::Range(low, high) => scaled(low, high - low),
        Domain::Below(n) => scaled(0.0, f64::from(n)),
        Domain::Split(most) => {
            let numbers = domain_words(&Domain::Range(-most, most), DType::F32, len / 2, seed);
            let numbers = || numbers.iter().map(|&word| f64::from(f32::from_bits(word)));
            let rests = numbers().map(|x| x - DType::F16.round(x));
            numbers().chain(rests).map(|x| dtype.to_word(x)).collect()
        }
        // Rare, and only for small tensors.
        _ => array_words(&domain.fill(&Meta::new([len], dtype), seed as u64)),
    }
}

/// The words of a tensor.
fn array_words(array: &Array64) -> Vec<u32> {
    array.data.iter().map(|&x| array.meta.dtype.to_word(x)).collect()
}

/// Values of the operands of a kernel.
#[derive(Clone)]
enum Seeds {
    /// Independent domains.
    Domains(Vec<Domain>),
    /// Values that are consistent with each other.
    Made(Arc<dyn Fn() -> Vec<Array64> + Send + Sync>),
}

impl Seeds {
    /// The words of each operand.
    fn words(&self, operands: &[Meta]) -> Vec<Vec<u32>> {
        match self {
            Seeds::Made(make) => make().iter().map(array_words).collect(),
            Seeds::Domains(domains) => {
                let operands = operands.iter().zip(domains).enumerate();
                operands
                    .map(|(seed, (meta, domain))| {
                        domain_words(domain, meta.dtype, meta.shape.len(), seed)
                    })
                    .collect()
            }
        }
    }
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Seeds::Domains(domains) => domains.fmt(f),
            Seeds::Made(_) => f.write_str("made to fit together"),
        }
    }
}
