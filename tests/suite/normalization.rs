//! Layers of normalization against sums by hand, and what they remember.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Variables, autodiff,
    nn::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Mode, Module, RmsNorm, Scope},
};

fn devices() -> Vec<Device> {
    [Device::Reference, Device::cpu()].into_iter().chain(device::gpu()).collect()
}

/// Two rows of two channels of three positions.
const IMAGES: [f32; 12] = [1., 2., 3., 10., 20., 30., 4., 5., 9., 40., 0., -10.];

/// The outputs of a layer; effects are kept in training.
fn forward(
    layer: &dyn Module,
    mode: Mode,
    device: &Device,
    variables: &Variables,
) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [2, 2, 3], DType::F32);
    let y = layer.forward(&mut Scope::new(&graph, mode), x);
    let program = graph.compile(device, &[y])?;
    let value = Array::new([2, 2, 3], &IMAGES)?;
    let outputs = program.run(variables, &[("x", &value as &dyn Feed)])?;
    Ok(outputs.read_blocking(0)?.to_f64())
}

fn close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 2e-5 * expected.abs().max(1.0), "{got}, not {expected}");
    }
}

/// Elements by the mean and the biased variance of those given.
fn normalized(row: &[f64], of: &[f64]) -> Vec<f64> {
    let [mean, var] = moments(of);
    row.iter().map(|x| (x - mean) / (var + 1e-5).sqrt()).collect()
}

fn moments(of: &[f64]) -> [f64; 2] {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    [mean, of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n]
}

/// The planes of the images, row by row, and all elements of each channel.
fn parts() -> (Vec<Vec<f64>>, [Vec<f64>; 2]) {
    let images = IMAGES.map(f64::from);
    let planes: Vec<Vec<f64>> = images.chunks(3).map(<[f64]>::to_vec).collect();
    let channels = [0, 1].map(|c| [planes[c].clone(), planes[2 + c].clone()].concat());
    (planes, channels)
}

#[test]
fn batch_norm_follows_the_statistics_of_batches() -> Result<(), Error> {
    let (planes, channels) = parts();
    for device in devices() {
        let variables = Variables::new(0);
        let layer = BatchNorm::new();
        let by_batch: Vec<f64> =
            (0..4).flat_map(|k| normalized(&planes[k], &channels[k % 2])).collect();
        let (mut mean, mut var) = ([0.0; 2], [1.0; 2]);
        for _ in 0..2 {
            close(&forward(&layer, Mode::Train, &device, &variables)?, &by_batch);
            for c in 0..2 {
                let [batch_mean, batch_var] = moments(&channels[c]);
                mean[c] = 0.9 * mean[c] + 0.1 * batch_mean;
                var[c] = 0.9 * var[c] + 0.1 * batch_var * 6.0 / 5.0;
            }
            close(&variables.get("running_mean")?.to_f64(), &mean);
            close(&variables.get("running_var")?.to_f64(), &var);
        }
        let by_running: Vec<f64> = (0..12)
            .map(|k| {
                let c = k / 3 % 2;
                (f64::from(IMAGES[k]) - mean[c]) / (var[c] + 1e-5).sqrt()
            })
            .collect();
        close(&forward(&layer, Mode::Eval, &device, &variables)?, &by_running);
        close(&variables.get("running_mean")?.to_f64(), &mean);
    }
    Ok(())
}

/// If a layer is applied twice in a graph, the second application sees the effects of the first.
#[test]
fn batch_norm_may_be_applied_twice() -> Result<(), Error> {
    let (_, channels) = parts();
    for device in devices() {
        for cumulative in [false, true] {
            let layer = BatchNorm::new().without_affine();
            let layer = if cumulative { layer.cumulative() } else { layer };
            let (graph, variables) = (Graph::new(), Variables::new(0));
            let mut cx = Scope::new(&graph, Mode::Train);
            let x = graph.input("x", [2, 2, 3], DType::F32);
            let ys = [layer.forward(&mut cx, x), layer.forward(&mut cx, x * 2.0 + 1.0)];
            let program = graph.compile(&device, &ys)?;
            let value = Array::new([2, 2, 3], &IMAGES)?;
            program.run(&variables, &[("x", &value as &dyn Feed)])?;
            for (key, index, begin) in [("running_mean", 0, 0.0), ("running_var", 1, 1.0)] {
                let expected = channels.each_ref().map(|channel| {
                    let twice: Vec<f64> = channel.iter().map(|x| 2.0 * x + 1.0).collect();
                    let [a, b] = [channel, &twice].map(|of| moments(of)[index]);
                    let [a, b] = if index == 1 { [a * 1.2, b * 1.2] } else { [a, b] };
                    if cumulative { (a + b) / 2.0 } else { 0.9 * (0.9 * begin + 0.1 * a) + 0.1 * b }
                });
                close(&variables.get(key)?.to_f64(), &expected);
            }
            if cumulative {
                assert_eq!(variables.get("num_batches_tracked")?.to_f64(), [2.0]);
            }
        }
    }
    Ok(())
}

/// The means over examples of the statistics of each, which take their place in evaluation.
#[test]
fn instance_norm_may_keep_statistics() -> Result<(), Error> {
    let (planes, _) = parts();
    for device in devices() {
        let variables = Variables::new(0);
        let layer = InstanceNorm::new().affine().running(0.1);
        let own: Vec<f64> = planes.iter().flat_map(|plane| normalized(plane, plane)).collect();
        close(&forward(&layer, Mode::Train, &device, &variables)?, &own);
        let of = |channel: usize| [moments(&planes[channel]), moments(&planes[2 + channel])];
        let mean = [0, 1].map(|c| 0.1 * (of(c)[0][0] + of(c)[1][0]) / 2.0);
        let var = [0, 1].map(|c| 0.9 + 0.1 * 1.5 * (of(c)[0][1] + of(c)[1][1]) / 2.0);
        close(&variables.get("running_mean")?.to_f64(), &mean);
        close(&variables.get("running_var")?.to_f64(), &var);
        let running: Vec<f64> = (0..12)
            .map(|k| (f64::from(IMAGES[k]) - mean[k / 3 % 2]) / (var[k / 3 % 2] + 1e-5).sqrt())
            .collect();
        close(&forward(&layer, Mode::Eval, &device, &variables)?, &running);
    }
    Ok(())
}

#[test]
fn layers_are_their_formulas() -> Result<(), Error> {
    let (planes, _) = parts();
    let rows: Vec<f64> = planes.iter().flat_map(|plane| normalized(plane, plane)).collect();
    let images: Vec<f64> =
        planes.chunks(2).flat_map(|image| normalized(&image.concat(), &image.concat())).collect();
    let rms = |row: &Vec<f64>| {
        let mean = row.iter().map(|x| x * x).sum::<f64>() / 3.0;
        row.iter().map(|x| x / (mean + 1e-5).sqrt()).collect::<Vec<_>>()
    };
    let by_rms: Vec<f64> = planes.iter().flat_map(rms).collect();
    for device in devices() {
        let of = |layer: &dyn Module| forward(layer, Mode::Train, &device, &Variables::new(0));
        close(&of(&LayerNorm::new())?, &rows);
        close(&of(&LayerNorm::new().axes(2))?, &images);
        close(&of(&LayerNorm::new().axes(2).without_affine())?, &images);
        close(&of(&GroupNorm::new(2))?, &rows);
        close(&of(&GroupNorm::new(1))?, &images);
        close(&of(&RmsNorm::new().eps(1e-5))?, &by_rms);
    }
    Ok(())
}

/// The sum of what is normalized does not depend on the input, nor that of its squares, but for
/// eps.
#[test]
fn what_is_normalized_away_has_no_gradient() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        let x = graph.input("x", [2, 2, 3], DType::F32);
        let y = BatchNorm::new().forward(&mut Scope::new(&graph, Mode::Train), x);
        let z = LayerNorm::new().forward(&mut Scope::new(&graph, Mode::Train).child("z"), x);
        let losses = [y.sum(..), (y * y).sum(..), z.sum(..), (z * z).sum(..)];
        let gradients = losses.map(|loss| autodiff::grad(loss, &[x])[0]);
        let program = graph.compile_pure(&device, &gradients)?;
        let value = Array::new([2, 2, 3], &IMAGES)?;
        let outputs = program.run(&Variables::new(0), &[("x", &value as &dyn Feed)])?;
        for k in 0..gradients.len() {
            let gradient = outputs.read_blocking(k)?.to_f64();
            assert!(gradient.iter().all(|g| g.abs() < 5e-5), "{k}: {gradient:?}");
        }
    }
    Ok(())
}

#[test]
fn mistakes_name_the_layer() {
    let refused = |layer: &dyn Module, dims: &[usize]| {
        let graph = Graph::new();
        let x = graph.input("x", dims, DType::F32);
        layer.forward(&mut Scope::new(&graph, Mode::Train), x);
        graph.check().expect_err("it cannot be built").to_string()
    };
    assert!(refused(&GroupNorm::new(3), &[2, 4, 5]).starts_with("group_norm: [2, 4, 5] f32, made"));
    assert!(
        refused(&LayerNorm::new().axes(3), &[2, 4]).starts_with("layer_norm: [2, 4] f32, made")
    );
    assert!(refused(&BatchNorm::new(), &[4]).starts_with("batch_norm: [4] f32, made"));
    assert!(refused(&BatchNorm::new(), &[0, 4]).starts_with("batch_norm: [0, 4] f32, made"));
    let negative = LayerNorm::new().eps(-1.0);
    assert!(refused(&negative, &[2, 4]).contains("eps must be at least 0, not -1"));
}
