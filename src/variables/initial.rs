//! Initial values of variables.
//!
//! They are generated on the host, from the seed of the store and the path of the variable: bitwise
//! identical on every device, independent of the rest of the model.

use crate::{
    array::Array,
    error::{Error, VariableError},
    init::Init,
    ops::random::{self, RandomFn},
    shape::{Meta, Shape},
};

/// The initial values of the variable at this path in a store with this seed.
///
/// # Errors
///
/// [`VariableError::Missing`] for [`RowLengths`](Init::RowLengths), which depends on another
/// variable.
pub(crate) fn values(init: Init, meta: &Meta, seed: u64, path: &str) -> Result<Array, Error> {
    let key = key(seed, path);
    let (fan_in, fan_out) = fans(&meta.shape);
    let constant = |value| Array::from_values(meta, |_| value);
    let draw = |function, scale: f64, shift: f64| {
        let value = |index: usize| random::draw(function, key, 0, 0, index as u32);
        Array::from_values(meta, |index| f64::from(f32::from_bits(value(index))) * scale + shift)
    };
    let normal = |variance: f64| draw(RandomFn::Normal, variance.sqrt(), 0.0);
    // A uniform distribution of half-width w has variance w^2 / 3.
    let uniform = |variance: f64| {
        let width = (3.0 * variance).sqrt();
        draw(RandomFn::Uniform, 2.0 * width, -width)
    };
    match init {
        Init::Zeros => constant(0.0),
        Init::Ones => constant(1.0),
        Init::Constant(value) => constant(value),
        Init::Uniform { low, high } => draw(RandomFn::Uniform, high - low, low),
        Init::Normal { mean, std } => draw(RandomFn::Normal, std, mean),
        Init::HeNormal => normal(2.0 / fan_in),
        Init::HeUniform => uniform(2.0 / fan_in),
        Init::GlorotNormal => normal(2.0 / (fan_in + fan_out)),
        Init::GlorotUniform => uniform(2.0 / (fan_in + fan_out)),
        Init::RowLengths(name) => {
            Err(VariableError::Missing { path: beside(path, name), similar: vec![] }.into())
        }
        Init::ZeroRow { row, rest } => {
            let all = values(*rest, meta, seed, path)?.to_f64();
            let columns = meta.shape.dims().iter().skip(1).product::<usize>().max(1);
            Array::from_values(meta, |index| if index / columns == row { 0.0 } else { all[index] })
        }
        Init::Seed => {
            Array::from_values(meta, |word| f64::from((seed >> (32 * (word % 2))) as u32))
        }
    }
}

/// The path of the variable with this name in the same scope.
pub(crate) fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((scope, _)) => format!("{scope}/{name}"),
        None => name.to_owned(),
    }
}

/// Values of [`Init::RowLengths`] for this variable.
///
/// # Errors
///
/// Same as [`Array::from_f64`], if there is not one length per row.
pub(crate) fn row_lengths(meta: &Meta, of: &Array) -> Result<Array, Error> {
    let (rows, words) = (of.shape().dims().first().copied().unwrap_or(1), of.words());
    let columns = words.len() / rows.max(1);
    let value = |&word: &u32| of.dtype().from_word(word);
    let length = |row: &[u32]| row.iter().map(value).map(|x| x * x).sum::<f64>().sqrt();
    let lengths: Vec<f64> = match columns {
        0 => vec![0.0; rows],
        _ => words.chunks(columns).map(length).collect(),
    };
    Array::from_f64(meta.clone(), &lengths)
}

/// Fan-in and fan-out: inputs per output, and outputs per input.
fn fans(shape: &Shape) -> (f64, f64) {
    let (fan_in, fan_out) = match *shape.dims() {
        [] => (1, 1),
        [n] => (n, n),
        [outputs, inputs, ref window @ ..] => {
            let size: usize = window.iter().product();
            (inputs * size, outputs * size)
        }
    };
    (fan_in.max(1) as f64, fan_out.max(1) as f64)
}

/// A Philox key for a path: the seed, and FNV-1a of the path.
fn key(seed: u64, path: &str) -> [u32; 2] {
    let hash = path.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mixed = hash ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    [mixed as u32, (mixed >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn variance_is_what_the_papers_say() -> Result<(), Error> {
        let meta = Meta::new([200, 300], DType::F32);
        for (init, variance) in [
            (Init::HeNormal, 2.0 / 300.0),
            (Init::HeUniform, 2.0 / 300.0),
            (Init::GlorotNormal, 2.0 / 500.0),
            (Init::GlorotUniform, 2.0 / 500.0),
            (Init::Normal { mean: 0.0, std: 0.5 }, 0.25),
        ] {
            let drawn = values(init, &meta, 7, "net/weight")?.to_f64();
            let n = drawn.len() as f64;
            let mean = drawn.iter().sum::<f64>() / n;
            let measured = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            // The standard error of a variance over 60,000 values is at most 0.6%.
            assert!((measured / variance - 1.0).abs() < 0.03, "{init:?}: {measured}");
            assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "{init:?}: mean {mean}");
        }
        Ok(())
    }

    #[test]
    fn values_depend_on_seed_and_path_only() -> Result<(), Error> {
        let meta = Meta::new([4], DType::F32);
        let of = |seed, path| values(Init::HeNormal, &meta, seed, path);
        assert_eq!(of(1, "a")?, of(1, "a")?);
        assert_ne!(of(1, "a")?, of(1, "b")?);
        assert_ne!(of(1, "a")?, of(2, "a")?);
        Ok(())
    }
}
