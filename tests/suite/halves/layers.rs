//! Every layer and model in mixed precision: it computes in f16 what it computes in f32, about, and its
//! parameters have gradients.

use crate::initial_values::{Build, layers, models};
use half::f16;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Variables, autodiff,
    nn::{MixedPrecision, Mode, Scope},
};

/// Numbers that halves are, or indices.
fn input(dtype: DType, dims: &[usize]) -> Result<Array, Error> {
    let len: usize = dims.iter().product();
    match dtype {
        DType::U32 => Array::new(dims, &(0..len as u32).map(|k| k * 5 % 7).collect::<Vec<_>>()),
        _ => {
            let number = |k: usize| f16::from_f64(((k * 37) % 41) as f64 / 32.0 - 0.6).to_f32();
            Array::new(dims, &(0..len).map(number).collect::<Vec<_>>())
        }
    }
}

/// The result and the gradients of its mean square, of a layer that starts from one seed.
fn run(build: &Build, mixed: bool, device: &Device) -> Result<(DType, Vec<Vec<f64>>), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    if mixed {
        cx.mixed_precision(&MixedPrecision::new());
    }
    let y = build(&mut cx.child("net"), &graph);
    let params: Vec<_> = cx.params().into_iter().map(|(_, param)| param).collect();
    let loss = y.cast(DType::F32).square().mean(..);
    let outputs = [vec![y], autodiff::grad(loss, &params)].concat();
    let program = graph.compile(device, &outputs)?;
    let inputs = program.inputs().iter();
    let inputs = inputs.map(|(name, meta)| Ok((name, input(meta.dtype, meta.shape.dims())?)));
    let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
    let feeds: Vec<(&str, &dyn Feed)> =
        inputs.iter().map(|(name, array)| (name.as_str(), array as &dyn Feed)).collect();
    let results = program.run(&Variables::new(3), &feeds)?;
    let read = |k| Ok::<_, Error>(results.read_blocking(k)?.to_f64());
    Ok((y.dtype(), (0..outputs.len()).map(read).collect::<Result<_, _>>()?))
}

#[test]
fn every_layer_and_model_computes_in_halves() -> Result<(), Error> {
    let mut in_halves = 0;
    for (name, build) in layers().iter().chain(&models()) {
        let (_, exact) = run(build, false, &Device::cpu())?;
        let (dtype, halves) = run(build, true, &Device::cpu())?;
        in_halves += usize::from(dtype == DType::F16);
        for (k, (exact, halves)) in exact.iter().zip(&halves).enumerate() {
            let largest = exact.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            for (a, b) in exact.iter().zip(halves) {
                // Some dozens of layers round by 2^-11 each; normalizations of few rows enlarge it, and
                // gradients are those of other ReLUs then. That of a bias in front of a normalization is
                // 0, but for that.
                let bound = if k == 0 { 0.06 } else { 0.25 } * largest.max(0.05);
                assert!((a - b).abs() <= bound, "{name}, result {k}: {b}, not {a} of {largest}");
            }
        }
    }
    assert!(in_halves > 30, "{in_halves} of them have results in f16");
    Ok(())
}
