//! Functions of halves against their formulas in f64, where counts, squares, sums or constants on
//! the way are no halves.

use super::devices;
use half::f16;
use wgrad::{
    Array, AttentionOptions, DType, Device, Error, Feed, Graph, Reduction, Tensor, Variables,
};

/// Halves nearest to these numbers.
pub(super) fn halves(dims: &[usize], of: impl Fn(usize) -> f64) -> Result<Array, Error> {
    let len = dims.iter().product();
    let data: Vec<f16> = (0..len).map(|k| f16::from_f64(of(k))).collect();
    Array::new(dims, &data)
}

/// Half the distance between neighboring halves at a number.
fn half_unit(x: f64) -> f64 {
    let exponent = x.abs().max(2f64.powi(-14)).log2().floor();
    2f64.powf(exponent - 11.0)
}

/// The error that f32 may make before the result is rounded to a half, relative to it, or to what it is made of.
const F32_ERROR: f64 = 1e-5;

/// Checks that a result in f16 is the formula's number, rounded once, on every device.
pub(super) fn agree(
    what: &str,
    operands: &[Array],
    build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g>,
    expected: &[f64],
) -> Result<(), Error> {
    agree_within(F32_ERROR, what, operands, build, expected)
}

/// [`agree`], where f32 may lose more.
pub(super) fn agree_within(
    error: f64,
    what: &str,
    operands: &[Array],
    build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g>,
    expected: &[f64],
) -> Result<(), Error> {
    agree_as(DType::F16, error, what, operands, build, expected)
}

/// [`agree`], for a loss, which stays in f32.
pub(super) fn agree_in_f32(
    what: &str,
    operands: &[Array],
    build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g>,
    expected: &[f64],
) -> Result<(), Error> {
    agree_as(DType::F32, F32_ERROR, what, operands, build, expected)
}

fn agree_as(
    dtype: DType,
    error: f64,
    what: &str,
    operands: &[Array],
    build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g>,
    expected: &[f64],
) -> Result<(), Error> {
    let names: Vec<String> = (0..operands.len()).map(|k| k.to_string()).collect();
    for device in devices().into_iter().chain([Device::Reference]) {
        let graph = Graph::new();
        let inputs: Vec<Tensor> = names
            .iter()
            .zip(operands)
            .map(|(name, array)| graph.input(name, array.shape(), array.dtype()))
            .collect();
        let y = build(&inputs);
        let program = graph.compile_pure(&device, &[y])?;
        assert_eq!(y.dtype(), dtype, "{what}");
        let feeds: Vec<(&str, &dyn Feed)> = names
            .iter()
            .zip(operands)
            .map(|(name, array)| (name.as_str(), array as &dyn Feed))
            .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name))
            .collect();
        let got = program.run(&Variables::new(0), &feeds)?.read_blocking(0)?.to_f64();
        assert_eq!(got.len(), expected.len(), "{what}");
        for (index, (got, &expected)) in got.into_iter().zip(expected).enumerate() {
            let off = (got - expected).abs();
            let rounding = if dtype == DType::F16 { half_unit(expected) } else { 0.0 };
            let is_right =
                off <= rounding + error * expected.abs().max(0.05) || got == dtype.round(expected);
            let name = device.name();
            assert!(is_right, "{what} on {name}: element {index} is {got:e}, not {expected:e}");
        }
    }
    Ok(())
}

/// `x[k] = (k % 7) / 4 - 1`.
fn steps(k: usize) -> f64 {
    (k % 7) as f64 / 4.0 - 1.0
}

/// 65,536, their number, is no half.
#[test]
fn statistics_of_many_halves_on_the_gpu_too() -> Result<(), Error> {
    const N: usize = 65_536;
    let x = [halves(&[N], steps)?];
    let all: Vec<f64> = (0..N).map(steps).collect();
    let mean = all.iter().sum::<f64>() / N as f64;
    let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
    let variances = [squares / N as f64, squares / (N - 1) as f64];
    agree("variance", &x, |x| x[0].variance(.., 0), &variances[..1])?;
    agree("sample variance", &x, |x| x[0].variance(.., 1), &variances[1..])?;
    let deviation = variances[1].sqrt();
    agree("deviation", &x, |x| x[0].standard_deviation(.., 1), &[deviation])?;
    agree("mean", &x, |x| x[0].mean(..), &[mean])?;
    let logarithm = all.iter().map(|x| x.exp()).sum::<f64>().ln();
    agree("log_sum_exp", &x, |x| x[0].log_sum_exp(..), &[logarithm])?;
    // Deviations of 300 have squares of 90,000.
    let far = [halves(&[4], |k| if k % 2 == 0 { 300.0 } else { -300.0 })?];
    agree("far deviation", &far, |x| x[0].standard_deviation(.., 0), &[300.0])
}

#[test]
fn norms_of_large_halves_on_the_gpu_too() -> Result<(), Error> {
    let x = [halves(&[2], |_| 300.0)?];
    agree("norm", &x, |x| x[0].norm(..), &[300.0 * 2f64.sqrt()])?;
    agree("norm_p 2", &x, |x| x[0].norm_p(2.0, ..), &[300.0 * 2f64.sqrt()])?;
    agree("norm_p 3", &x, |x| x[0].norm_p(3.0, ..), &[300.0 * 2f64.cbrt()])?;
    agree("norm_l1", &x, |x| x[0].norm_l1(..), &[600.0])?;
    // The square of a sum of roots.
    let x = [halves(&[101], |_| 4.1)?];
    let root = x[0].to_f64()[0].sqrt();
    agree("norm_p 0.5", &x, |x| x[0].norm_p(0.5, ..), &[(101.0 * root).powi(2)])
}

/// Squares of 2^-13 are too small for a half, as are the 1e-8 that keep the quotient finite.
#[test]
fn angles_of_large_and_of_small_halves_on_the_gpu_too() -> Result<(), Error> {
    let x = halves(&[4, 2], |k| [300.0, 200.0, 2e-4, 1e-4, 0.0, 0.0, 1.0, 2.0][k])?;
    let y = halves(&[4, 2], |k| [250.0, 300.0, -1e-4, 3e-4, 1.0, 1.0, 0.0, 0.0][k])?;
    let (a, b) = (x.to_f64(), y.to_f64());
    let cosine = |row: usize, least: f64| {
        let [a, b] = [&a, &b].map(|x| [x[2 * row], x[2 * row + 1]]);
        let length = |x: [f64; 2]| (x[0] * x[0] + x[1] * x[1]).sqrt().max(least);
        (a[0] * b[0] + a[1] * b[1]) / (length(a) * length(b))
    };
    let expected: Vec<f64> = (0..4).map(|row| cosine(row, 1e-8)).collect();
    agree("cosine_similarity", &[x, y], |x| x[0].cosine_similarity(x[1], -1), &expected)
}

#[test]
fn powers_and_functions_of_large_halves_on_the_gpu_too() -> Result<(), Error> {
    let x = [halves(&[5], |k| [300.0, 1000.0, -5000.0, 60_000.0, 2.0][k])?];
    let of = |f: fn(f64) -> f64| x[0].to_f64().into_iter().map(f).collect::<Vec<_>>();
    agree("asinh", &x, |x| x[0].asinh(), &of(f64::asinh))?;
    agree("softsign", &x, |x| x[0].softsign(), &of(|x| x / (1.0 + x.abs())))?;
    agree("hard_swish", &x, |x| x[0].hard_swish(), &of(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)))?;
    let cube = |x: f64| 0.797_884_560_802_865_4 * (x + 0.044715 * x.powi(3));
    let gelu = of(|x| x).into_iter().map(|x| 0.5 * x * (1.0 + cube(x).tanh())).collect::<Vec<_>>();
    agree("gelu_tanh", &x, |x| x[0].gelu_tanh(), &gelu)?;
    let x = [halves(&[3], |k| [11.5, -11.0, 0.5][k])?];
    let of = |f: fn(f64) -> f64| x[0].to_f64().into_iter().map(f).collect::<Vec<_>>();
    agree("sinh", &x, |x| x[0].sinh(), &of(f64::sinh))?;
    agree("cosh", &x, |x| x[0].cosh(), &of(f64::cosh))?;
    // A product of some of the factors is no half.
    let factors = [halves(&[4], |k| [300.0, 0.25, 300.0, 0.001][k])?];
    let mut product = 1.0;
    let running: Vec<f64> = factors[0]
        .to_f64()
        .into_iter()
        .map(|x| {
            product *= x;
            product
        })
        .collect();
    agree("cumprod", &factors, |x| x[0].cumprod(0), &running)
}

/// 100,000, the length of a row, is no half.
#[test]
fn long_rows_are_normalized_on_the_gpu_too() -> Result<(), Error> {
    const N: usize = 100_000;
    let x = [halves(&[1, N], steps)?, halves(&[N], |_| 1.1)?, halves(&[N], |_| 0.3)?];
    let all: Vec<f64> = (0..N).map(steps).collect();
    let mean = all.iter().sum::<f64>() / N as f64;
    let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64;
    let [scale, shift] = [1.1, 0.3].map(|x| f16::from_f64(x).to_f64());
    let normal: Vec<f64> = all.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()).collect();
    let layer: Vec<f64> = normal.iter().map(|x| x * scale + shift).collect();
    agree("layer_norm", &x, |x| x[0].layer_norm(x[1], x[2], 1e-5), &layer)?;
    let square = all.iter().map(|x| x * x).sum::<f64>() / N as f64;
    let rms: Vec<f64> = all.iter().map(|x| x / (square + 1e-5).sqrt() * scale).collect();
    agree("rms_norm", &x[..2], |x| x[0].rms_norm(x[1], 1e-5), &rms)?;
    agree(
        "group_norm",
        &x[..1],
        |x| x[0].reshape([1, 2, N / 2]).group_norm(1, None, None, 1e-5).reshape([1, N]),
        &normal,
    )?;
    // With an epsilon too small for a half, a row of equal numbers is 0.
    let equal = [halves(&[1, 8], |_| 2.0)?];
    agree("equal", &equal, |x| x[0].normalize(-1, 1e-12), &[0.0; 8])
}

/// Sums and products of several operands, which are no halves before the last.
#[test]
fn products_of_several_operands_on_the_gpu_too() -> Result<(), Error> {
    let x = halves(&[2], |_| 300.0)?;
    let small = halves(&[2], |_| 1.0 / 512.0)?;
    let three = [x.clone(), x.clone(), small.clone()];
    let product = 300.0 * 300.0 / 512.0;
    agree("i,i,i->", &three, |x| x[0].graph().einsum("i,i,i->", x), &[2.0 * product])?;
    agree("i,i,i->i", &three, |x| x[0].graph().einsum("i,i,i->i", x), &[product; 2])?;
    agree("i,j,k->k", &three, |x| x[0].graph().einsum("i,j,k->k", x), &[4.0 * product; 2])?;
    // A sum of halves before a product, and a product of two, each of which is rounded by itself.
    let many = [halves(&[300], |_| 300.0)?, halves(&[300], |_| 1.0 / 4096.0)?];
    let sum = 300.0 * 300.0 / 4096.0;
    agree("i,i->", &many, |x| x[0].graph().einsum("i,i->", x), &[sum])?;
    agree("i,j->", &many, |x| x[0].graph().einsum("i,j->", x), &[300.0 * sum])?;
    // Updates of 2049 in all are no half, but what is left of them is.
    let held = halves(&[2], |k| [-2048.0, 1.0][k])?;
    let updates = halves(&[2], |k| [2048.0, 1.0][k])?;
    let at = Array::new([2, 1], &[0u32, 0])?;
    let operands = [held, at, updates];
    agree("scatter_nd", &operands, |x| x[0].scatter_nd(x[1], x[2]), &[1.0, 1.0])
}

/// Scores of 5625 are halves only in steps of 4. Keys and values of fewer axes have no kernel.
#[test]
fn large_scores_are_compared_in_f32_on_the_gpu_too() -> Result<(), Error> {
    let q = halves(&[2, 1, 4], |_| 300.0)?;
    let keys = halves(&[2, 4], |k| if k < 4 { 300.0 } else { 299.75 })?;
    let values = halves(&[2, 2], |k| [1.0, 0.0, 0.0, 1.0][k])?;
    let scores = [300f64, 299.75].map(|key| 4.0 * 300.0 * key / 64.0);
    let first = 1.0 / (1.0 + (scores[1] - scores[0]).exp());
    let options = AttentionOptions { scale: Some(1.0 / 64.0), ..Default::default() };
    agree_within(
        1e-3,
        "attention",
        &[q, keys, values],
        |x| x[0].attention(x[1], x[2], options),
        &[first, 1.0 - first, first, 1.0 - first],
    )
}

/// Angles are not rounded to halves, of which there are few at 5,000.
#[test]
fn vectors_are_turned_at_far_positions_on_the_gpu_too() -> Result<(), Error> {
    const FIRST: usize = 5000;
    let turned = |x: &[f64], place: usize, d: usize| -> Vec<f64> {
        (0..d)
            .map(|k| {
                let i = k % (d / 2);
                let angle = place as f64 * 10_000f64.powf(-2.0 * i as f64 / d as f64);
                let (a, b) = (x[i], x[i + d / 2]);
                if k < d / 2 {
                    a * angle.cos() - b * angle.sin()
                } else {
                    b * angle.cos() + a * angle.sin()
                }
            })
            .collect()
    };
    // An angle of thousands has an error of 2^-12 in f32.
    const ERROR: f64 = 1e-3;
    let x = halves(&[1, 4], |k| 0.5 + k as f64 / 8.0)?;
    let first = Array::scalar(FIRST as u32);
    let expected = turned(&x.to_f64(), FIRST, 4);
    agree_within(ERROR, "rotary_from", &[x, first], |x| x[0].rotary_from(1e4, x[1]), &expected)?;
    let x = halves(&[FIRST + 1, 2], |k| 0.5 + (k % 8) as f64 / 8.0)?;
    let all = x.to_f64();
    let expected: Vec<f64> =
        all.chunks(2).enumerate().flat_map(|(place, x)| turned(x, place, 2)).collect();
    agree_within(ERROR, "rotary", &[x], |x| x[0].rotary(1e4), &expected)
}

/// 100,000 is no half, but its product with the scale is; a scale below the least half is 1.
#[test]
fn integers_are_scaled_in_f32_on_the_gpu_too() -> Result<(), Error> {
    let x = Array::new([3], &[100_000i32, -2049, 3])?;
    let scale = halves(&[1], |_| 1.0 / 1024.0)?;
    let expected = [100_000.0, -2049.0, 3.0].map(|x| x / 1024.0);
    agree("dequantize", &[x, scale], |x| x[0].dequantize(x[1]), &expected)?;
    let x = halves(&[2, 2], |k| [100.0, -50.0, 1e-6, 0.0][k])?;
    agree("scale", &[x], |x| x[0].quantization_scale(1), &[100.0 / 127.0, 1.0])
}

/// Mixed types are refused by name, as are integers; but losses take predictions in f16 with targets in
/// f32.
#[test]
fn halves_beside_f32_are_refused() -> Result<(), Error> {
    let graph = Graph::new();
    let [x, y] = [DType::F16, DType::F32].map(|dtype| graph.input(&dtype.to_string(), [3], dtype));
    assert_eq!(x.huber(y, 1.0, Reduction::None).dtype(), DType::F32);
    graph.check()?;
    let _ = x.cosine_similarity(y, -1);
    let error = graph.check().map_err(|error| error.to_string());
    assert!(error.is_err_and(|error| error.starts_with("cosine_similarity: [3] f16 x [3]")));
    Ok(())
}
