//! Operands for proofs: the same at each call, cheap to make at any size.

use crate::{
    dtype::DType,
    reference::Array64,
    shape::Meta,
    testing::{Domain, Noise},
};
use std::sync::LazyLock;

/// So many different numbers; a prime, so that no extent divides it.
const PERIOD: usize = 65_521;

/// Noise of [0, 1), which larger tensors repeat.
static NOISE: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut noise = Noise::new(0);
    (0..PERIOD).map(|_| noise.unit() as f32).collect()
});

/// Where the numbers of operands lie that are floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signs {
    /// On both sides of 0.
    Both,
    /// Above it, for roots and logarithms.
    Positive,
}

/// Words of a tensor of this type, different for each seed.
pub(super) fn words(dtype: DType, len: usize, signs: Signs, seed: usize) -> Vec<u32> {
    let domain = match (dtype, signs) {
        (DType::F32 | DType::F16, Signs::Both) => Domain::Range(-2.0, 2.0),
        (DType::F32 | DType::F16, Signs::Positive) => Domain::Range(0.25, 2.0),
        (DType::I32, _) => Domain::Range(-50.0, 50.0),
        (DType::U32, _) => Domain::Below(100),
        (DType::Bool, _) => Domain::Below(2),
    };
    of_domain(&domain, dtype, len, seed)
}

/// Words of a tensor whose elements lie in a domain.
fn of_domain(domain: &Domain, dtype: DType, len: usize, seed: usize) -> Vec<u32> {
    let scaled = |low: f64, span: f64| -> Vec<u32> {
        // Of halves none that a device may flush.
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
        // Rare, and of small tensors.
        _ => array_words(&domain.fill(&Meta::new([len], dtype), seed as u64)),
    }
}

/// The words of a tensor.
pub(super) fn array_words(array: &Array64) -> Vec<u32> {
    array.data.iter().map(|&x| array.meta.dtype.to_word(x)).collect()
}

/// What the operands of a kernel hold.
#[derive(Clone)]
pub(crate) enum Seeds {
    /// Each a domain of its own.
    Domains(Vec<Domain>),
    /// Values that fit together.
    Made(std::sync::Arc<dyn Fn() -> Vec<Array64> + Send + Sync>),
}

impl Seeds {
    /// The words of each operand.
    pub fn words(&self, operands: &[Meta]) -> Vec<Vec<u32>> {
        match self {
            Seeds::Made(make) => make().iter().map(array_words).collect(),
            Seeds::Domains(domains) => {
                let operands = operands.iter().zip(domains).enumerate();
                operands
                    .map(|(seed, (meta, domain))| {
                        of_domain(domain, meta.dtype, meta.shape.len(), seed)
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
