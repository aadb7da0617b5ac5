//! Trainings in f16, with parameters in f32.

use super::*;
use crate::{
    DType, Init, Inputs,
    nn::{BatchNorm, MixedPrecision, Scope},
    optim::{LossScale, Optimizer},
};

fn net() -> Sequential {
    Sequential::new()
        .add(Dense::new(16))
        .add(BatchNorm::new())
        .add(Activation::tanh())
        .add(Dense::new(2))
}

/// A network learns in f16 as in f32, and its parameters and moments are f32.
#[test]
fn a_network_learns_in_halves() -> Result<(), Error> {
    let (net, data) = (net(), exclusive_or()?);
    let variables = Variables::new(1);
    let report = Trainer::classifier(&net, Adam::new(0.03))
        .mixed_precision(MixedPrecision::new())
        .epochs(60)
        .batch(16)
        .validate(&data)
        .fit(&Device::cpu(), &variables, &data)?;
    let accuracy = report.validation.as_ref().and_then(|measures| measures.get("accuracy"));
    assert!(accuracy > Some(0.9), "{accuracy:?}");
    for (path, array) in variables.to_arrays()? {
        assert_ne!(array.dtype(), DType::F16, "{path}");
    }
    assert!(variables.get("optim/loss_scale")?.item() >= Some(1.0));
    // The model computes otherwise than in f32, also where it is evaluated.
    let in_f32 = Trainer::classifier(&net, Adam::new(0.03));
    let in_f32 = in_f32.evaluate(&Device::cpu(), &variables, &data)?;
    assert_ne!(Some(in_f32.loss), report.validation.map(|measures| measures.loss));
    Ok(())
}

/// A loss whose gradient is no half without a scale, because it is too small or too large for it: a line
/// is fitted with errors weighted by `weight`, with a rate that makes up for it.
fn fitted(weight: f64, optimizer: impl Optimizer) -> Result<(f64, usize), Error> {
    let layer = Dense::new(1).init(Init::Zeros).without_bias();
    let x: Vec<f32> = (0..32).map(|i| i as f32 / 32.0).collect();
    let y: Vec<f32> = x.iter().map(|x| 3.0 * x).collect();
    let data = [("x", Array::new([32, 1], &x)?), ("y", Array::new([32, 1], &y)?)];
    let data = ArrayDataset::new(data)?;
    let variables = Variables::new(0);
    let report = Trainer::new(
        |cx, batch: &Inputs<'_>| {
            let y = layer.forward(&mut cx.child("line"), batch.get("x"));
            Loss::new(nn::mean_squared_error(y, batch.get("y")) * weight)
        },
        optimizer,
    )
    .mixed_precision(MixedPrecision::new())
    .epochs(150)
    .batch(8)
    .fit(&Device::cpu(), &variables, &data)?;
    Ok((variables.get("line/weight")?.item().unwrap_or(f64::NAN), report.skipped))
}

#[test]
fn losses_are_scaled_into_the_range_of_halves() -> Result<(), Error> {
    let near = |weight: f64| (weight - 3.0).abs() < 0.01;
    for weight in [1e-9, 1e9] {
        let rate = 0.3 / weight;
        let (found, skipped) = fitted(weight, Sgd::new(rate))?;
        assert!(near(found), "{weight:e}: {found}, {skipped} steps skipped");
        // A fixed scale of 1 is none: nothing moves, or nothing is finite.
        let unscaled = Sgd::new(rate).scale_loss(LossScale::fixed(1.0));
        let (found, skipped) = fitted(weight, unscaled)?;
        assert!(!near(found), "{weight:e}: {found} without a scale");
        assert_eq!(skipped, if weight > 1.0 { 600 } else { 0 });
    }
    Ok(())
}

/// Scopes may be excepted, by patterns that match.
#[test]
fn scopes_are_excepted() -> Result<(), Error> {
    let graph = crate::Graph::new();
    let mut cx = Scope::new(&graph, nn::Mode::Train);
    cx.mixed_precision(&MixedPrecision::new().except("net/*/out").except("**/f32"));
    let x = graph.input("x", [2, 4], DType::F32);
    let mut forward = |path: &[&str], x| {
        let mut scope = cx.child("net");
        for name in path {
            scope = scope.child(name);
        }
        Dense::new(4).forward(&mut scope, x)
    };
    let halves = forward(&["a"], x);
    assert_eq!(halves.dtype(), DType::F16);
    assert_eq!(forward(&["a", "out"], halves).dtype(), DType::F32);
    assert_eq!(forward(&["a", "f32", "deep"], halves).dtype(), DType::F32);
    assert_eq!(forward(&["out"], halves).dtype(), DType::F16);
    let labels = graph.input("labels", [2], DType::U32);
    assert_eq!(nn::cross_entropy(halves, labels).dtype(), DType::F32);
    graph.check()?;

    let (net, data) = (net(), exclusive_or()?);
    let except = |pattern: &str| {
        let mixed = MixedPrecision::new().except(pattern);
        let mut trainer = Trainer::classifier(&net, Adam::new(0.03).skip_non_finite()).epochs(1);
        trainer = trainer.mixed_precision(mixed);
        trainer.fit(&Device::cpu(), &Variables::new(1), &data)
    };
    except("net/1:batch_norm")?;
    let error = except("net/1:batch_nrom").expect_err("there is none");
    assert!(matches!(error, Error::Train(TrainError::UnusedPattern(_))), "{error}");
    Ok(())
}
