//! Expressions that compilers fold.

use super::{Case, is_alike};
use crate::device;
use wgrad::{
    Array, Array64, DType, Device, Error, Feed, Graph, Meta, Tensor, Variables, nn::CrossEntropy,
};

/// Expressions that a compiler folds, reorders or makes choices of if it assumes that there is
/// neither NaN nor infinity; Mesa's rules were the start of the list.
#[expect(clippy::eq_op, reason = "that is what they are")]
fn foldable<'g>(x: Tensor<'g>, y: Tensor<'g>) -> Vec<(&'static str, Tensor<'g>)> {
    let holds = x.less(y);
    let mask = holds.cast(DType::F32);
    let square = |x: Tensor<'g>| x * x;
    vec![
        ("x 0", x * 0.0),
        ("0 x", 0.0 * x),
        ("x -0", x * -0.0),
        ("0 / x", 0.0 / x),
        ("x / 0", x / 0.0),
        ("0 - x", 0.0 - x),
        ("1 / (0 - x)", 1.0 / (0.0 - x)),
        ("1 / (x + 0)", 1.0 / (x + 0.0)),
        ("x inf", x * f64::INFINITY),
        ("inf - x", f64::INFINITY - x),
        ("x / inf", x / f64::INFINITY),
        ("inf / x", f64::INFINITY / x),
        ("x NaN", x * f64::NAN),
        ("x - x", x - x),
        ("is_nan(x - x)", (x - x).is_nan().cast(DType::F32)),
        ("x + -x", x + -x),
        ("-x + x", -x + x),
        ("x / x", x / x),
        ("(1 / x) x", (1.0 / x) * x),
        ("(x / y) y", (x / y) * y),
        ("x y / y", x * y / y),
        ("x (y / x)", x * (y / x)),
        ("x % x", x % x),
        ("(x + y) - x", (x + y) - x),
        ("(x - y) + y", (x - y) + y),
        ("x - (x + y)", x - (x + y)),
        ("x + (y - x)", x + (y - x)),
        ("(x + y) - (y + x)", (x + y) - (y + x)),
        ("x y - y x", x * y - y * x),
        ("2 x - (x + x)", x * 2.0 - (x + x)),
        ("x y + x", x * y + x),
        ("2 x - x", x * 2.0 - x),
        ("x y - x", x * y - x),
        ("x^2 - y^2", square(x) - square(y)),
        ("sqrt(x)^2", square(x.sqrt())),
        ("|x| - x", x.abs() - x),
        ("x + 0 y", x + y * 0.0),
        ("mask x", mask * x),
        ("(1 - mask) x", (1.0 - mask) * x),
        ("(1 - mask) x + mask y", (1.0 - mask) * x + mask * y),
        ("x + mask (y - x)", x + mask * (y - x)),
        ("select(c, 1, 0) x", holds.select(x.full_like(1.0), x.full_like(0.0)) * x),
        ("select(c, 2, 0) x", holds.select(x.full_like(2.0), x.full_like(0.0)) * x),
        ("select(c, 0, y) x", holds.select(x.full_like(0.0), y) * x),
        ("select(x < y, x, y)", holds.select(x, y)),
        ("select(x < y, y, x)", holds.select(y, x)),
        ("select(x >= y, x, y)", x.greater_equal(y).select(x, y)),
        ("select(!(x < y), x, y)", (!holds).select(x, y)),
        ("!(x < y)", (!holds).cast(DType::F32)),
        ("x == x", x.equal(x).cast(DType::F32)),
        ("x != x", x.not_equal(x).cast(DType::F32)),
        ("x + y < x", (x + y).less(x).cast(DType::F32)),
        ("x + y == x", (x + y).equal(x).cast(DType::F32)),
        ("x - y < 0", (x - y).less(0.0).cast(DType::F32)),
        ("x - x < 1", (x - x).less(1.0).cast(DType::F32)),
        ("x + 1 == 1", (x + 1.0).equal(1.0).cast(DType::F32)),
        ("|x| > 0", x.abs().greater(0.0).cast(DType::F32)),
        ("max(x, -inf)", x.maximum(f64::NEG_INFINITY)),
        ("min(max(x, 0), 1)", x.maximum(0.0).minimum(1.0)),
        ("max(min(x, y), y)", x.minimum(y).maximum(y)),
        ("log(exp(x))", x.exp().log()),
        ("exp(log(x))", x.log().exp()),
        ("pow(x, 0)", x.pow(0.0)),
        ("pow(x, 2)", x.pow(2.0)),
        ("sign(x) x", x.sign() * x),
        ("floor(x) - x", x.floor() - x),
        ("tanh(x) 0", x.tanh() * 0.0),
        ("mean of nothing", x.slice(0, 0..0).mean(..) + y),
        ("sum of x 0", (x.unsqueeze(1) * 0.0).sum(1)),
    ]
}

fn folds(device: &Device) -> Result<(), Error> {
    const VALUES: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.75,
        -2.5,
        3e38,
        -3e38,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1e20,
    ];
    let pairs: Vec<(f64, f64)> =
        VALUES.iter().flat_map(|&x| VALUES.iter().map(move |&y| (x, y))).collect();
    let of =
        |values: Vec<f64>| Array64 { meta: Meta::new([values.len()], DType::F32), data: values };
    let values = [
        of(pairs.iter().map(|pair| pair.0).collect()),
        of(pairs.iter().map(|pair| pair.1).collect()),
    ]
    .map(|x| Array64::from(&x.to_array().expect("it fits")));
    let graph = Graph::new();
    let [x, y] = ["0", "1"].map(|name| graph.input(name, [pairs.len()], DType::F32));
    let (names, wanted): (Vec<_>, Vec<_>) = foldable(x, y).into_iter().unzip();
    let case = Case { graph: &graph, wanted, names: vec!["0".to_owned(), "1".to_owned()] };
    let program = graph.compile_pure(device, &case.wanted)?;
    let got = case.run(&program, &values)?;
    let expected = case.expected(&values)?;
    let mut wrong = Vec::new();
    for ((name, got), expected) in names.iter().zip(&got).zip(&expected) {
        for ((&got, &expected), pair) in got.iter().zip(&expected.data).zip(&pairs) {
            // Where f64 does not overflow or cancel as f32 does, there is nothing to compare.
            let is_large = [pair.0, pair.1].iter().any(|x| x.is_finite() && x.abs() > 1e19);
            let off = (got - expected).abs() / expected.abs().max(1e-3);
            let is_right = is_alike(got, expected, DType::F32) && !(off.is_finite() && off > 1e-4);
            if !is_large && !is_right {
                wrong.push(format!("{name} of {pair:?} is {got} instead of {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn the_cpu_folds_nothing_away() -> Result<(), Error> {
    folds(&Device::cpu())
}

#[test]
fn the_gpu_folds_nothing_away() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| folds(&device))
}

/// The mean of no numbers is 0 / 0, wherever the 0 comes from.
#[test]
fn means_of_nothing_are_nan_on_cpu_and_gpu() -> Result<(), Error> {
    let devices = [Device::Reference, Device::cpu()].into_iter().chain(device::gpu());
    for device in devices {
        let graph = Graph::new();
        let nothing = graph.input("nothing", [0, 3], DType::F32);
        let no_labels = graph.input("no labels", [0], DType::U32);
        let x = graph.input("x", [2, 3], DType::F32);
        let labels = graph.input("labels", [2], DType::U32);
        let wanted = [
            nothing.mean(..),
            CrossEntropy::new().loss(nothing, no_labels),
            CrossEntropy::new().ignoring(1).loss(x, labels),
            (x.sum(..) * 0.0) / (x.sum(..) * 0.0),
        ];
        let program = graph.compile_pure(&device, &wanted)?;
        let empty = Array::new([0, 3], &[0f32; 0])?;
        let no_labels = Array::new([0], &[0u32; 0])?;
        let x = Array::new([2, 3], &[0.5f32; 6])?;
        let labels = Array::new([2], &[1u32; 2])?;
        let inputs: [(&str, &dyn Feed); 4] =
            [("nothing", &empty), ("no labels", &no_labels), ("x", &x), ("labels", &labels)];
        let taken = |name: &str| program.inputs().iter().any(|(known, _)| known == name);
        let inputs: Vec<_> = inputs.into_iter().filter(|(name, _)| taken(name)).collect();
        let results = program.run(&Variables::new(0), &inputs)?;
        for k in 0..wanted.len() {
            let y = results.read_blocking(k)?.to_f64();
            assert!(y[0].is_nan(), "mean {k} is {y:?} on {}", device.name());
        }
    }
    Ok(())
}
