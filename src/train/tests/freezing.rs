//! Freezing, averages of parameters, and shared weights.

use super::*;
use crate::{
    nn::{BatchNorm, Dropout, Mode, Scope},
    optim::Average,
};

fn net() -> Sequential {
    Sequential::new()
        .add(Dense::new(6))
        .add(BatchNorm::new())
        .add(Dropout::new(0.5))
        .add(Activation::tanh())
        .add(Dense::new(2))
}

/// Frozen scopes keep their parameters and running statistics, and drop nothing; the rest is trained.
#[test]
fn frozen_scopes_stay_as_they_are() -> Result<(), Error> {
    let (net, data) = (net(), exclusive_or()?);
    let variables = Variables::new(3);
    let trainer = || Trainer::classifier(&net, Adam::new(0.05)).batch(16);
    trainer().epochs(1).fit(&Device::cpu(), &variables, &data)?;
    let before = variables.to_arrays()?;
    let frozen = ["net/0:dense", "net/1:batch_norm", "net/2:dropout", "net/4:dense/bias"];
    let mut frozen_trainer = trainer().epochs(2);
    for pattern in frozen {
        frozen_trainer = frozen_trainer.freeze(pattern);
    }
    frozen_trainer.fit(&Device::cpu(), &variables, &data)?;
    let changed: Vec<String> = before
        .into_iter()
        .filter(|(path, value)| {
            path.starts_with("net/") && variables.get(path).ok().as_ref() != Some(value)
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, ["net/4:dense/weight"]);

    // Scopes that are frozen are traced as they serve, others as they are trained.
    let graph = crate::Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    cx.freeze("net/*:dense");
    let mut net = cx.child("net");
    assert_eq!(net.child("0:dense").mode(), Mode::Eval);
    assert_eq!(net.child("0:dense").child("inner").mode(), Mode::Eval);
    assert_eq!(net.child("0:dens").mode(), Mode::Train);

    let wrong = trainer().freeze("net/5:dense").fit(&Device::cpu(), &variables, &data);
    let text = wrong.expect_err("there is none").to_string();
    assert!(text.starts_with("no scope and no parameter matches \"net/5:dense\""), "{text}");
    let nothing = trainer().freeze("net").fit(&Device::cpu(), &variables, &data);
    let text = nothing.expect_err("all is frozen").to_string();
    let expected =
        "objective \"train\": no parameter matches \"**\"; parameters: \"net/0:dense/bias\"";
    assert!(text.starts_with(expected), "{text}");
    Ok(())
}

/// An evaluation with averages is that of a model whose parameters are the averages.
#[test]
fn averages_are_evaluated() -> Result<(), Error> {
    let (net, data, cpu) = (net(), exclusive_or()?, Device::cpu());
    let optimizer = || Adam::new(0.05).with(Average::new(0.8).named("slow"));
    let trainer = || Trainer::classifier(&net, optimizer()).batch(16).epochs(3);
    let variables = Variables::new(3);
    let report = trainer().averaged("slow").validate(&data).fit(&cpu, &variables, &data)?;
    let plain = trainer().evaluate(&cpu, &variables, &data)?;
    let averaged = trainer().averaged("slow").evaluate(&cpu, &variables, &data)?;
    let predicted = trainer().averaged("slow").predict(&cpu, &variables, &data)?;
    assert_eq!(report.validation.as_ref(), Some(&averaged));
    assert_ne!(plain.loss, averaged.loss);
    for (path, average) in variables.to_arrays_below("slow/")? {
        variables.set(&path["slow/".len()..], average)?;
    }
    assert_eq!(trainer().evaluate(&cpu, &variables, &data)?, averaged);
    assert_eq!(trainer().predict(&cpu, &variables, &data)?, predicted);
    Ok(())
}

/// Parameters without an average serve themselves: those that are frozen, or another objective's. Before
/// the first step, averages are the parameters.
#[test]
fn parameters_without_averages_serve_themselves() -> Result<(), Error> {
    let (net, data, cpu) = (net(), exclusive_or()?, Device::cpu());
    let average =
        || Trainer::classifier(&net, Adam::new(0.05).average(0.5)).batch(16).averaged("ema");
    let variables = Variables::new(3);
    let report =
        average().epochs(2).freeze("net/0:dense").validate(&data).fit(&cpu, &variables, &data)?;
    assert!(!variables.paths().iter().any(|path| path.starts_with("ema/net/0:dense")));
    for (path, value) in variables.to_arrays_below("ema/")? {
        variables.set(&path["ema/".len()..], value)?;
    }
    let own = Trainer::classifier(&net, Adam::new(0.05)).evaluate(&cpu, &variables, &data)?;
    assert_eq!(report.validation, Some(own));

    let fresh = Variables::new(4);
    let report = average().max_steps(0).validate(&data).fit(&cpu, &fresh, &data)?;
    let own = Trainer::classifier(&net, Adam::new(0.05)).evaluate(&cpu, &fresh, &data)?;
    assert_eq!(report.validation, Some(own));

    for trainer in
        [average().averaged("eam"), Trainer::classifier(&net, Adam::new(0.05)).averaged("ema")]
    {
        let mut trainer = trainer.validate(&data).epochs(1);
        let error = trainer.fit(&cpu, &Variables::new(0), &data).expect_err("there are none");
        assert!(matches!(error, Error::Train(TrainError::NoAverages { .. })), "{error}");
        let error = trainer.predict(&cpu, &Variables::new(0), &data).expect_err("there are none");
        assert!(matches!(error, Error::Train(TrainError::NoAverages { .. })), "{error}");
    }
    Ok(())
}

/// A module that is entered twice has one set of parameters, and their gradients are added.
#[test]
fn weights_are_shared() -> Result<(), Error> {
    let layer = Dense::new(2).without_bias();
    let data = ArrayDataset::new([("x", Array::from([[1.0f32, 2.0], [3.0, -1.0]]))])?;
    let twice = Trainer::new(
        |cx, batch| {
            let once = layer.forward(&mut cx.child("shared"), batch.get("x"));
            Loss::new(layer.forward(&mut cx.child("shared"), once).sum(..))
        },
        Sgd::new(0.1),
    );
    let variables = Variables::new(1);
    let weight = Array::from([[0.5f32, -1.0], [2.0, 0.25]]);
    variables.insert("shared/weight", weight)?;
    let gradients = twice.gradients(&Device::cpu(), &variables, "train", &data.get(&[0, 1])?)?;
    let [(path, gradient)] = &gradients[..] else { unreachable!("one parameter") };
    assert_eq!(path, "shared/weight");
    // For y = W W x, summed: 1 (W x)^T + W^T 1 x^T, over both rows, whose sum is s = (4, 1):
    // W s = (1, 8.25), and W^T 1 = (2.5, -0.75).
    let expected = [1.0 + 10.0, 8.25 + 2.5, 1.0 - 3.0, 8.25 - 0.75];
    assert_eq!(gradient.to_f64(), expected);
    let error = twice.gradients(&Device::cpu(), &variables, "other", &data.get(&[0])?);
    let is_it = matches!(&error, Err(Error::Train(TrainError::UnknownObjective { known, .. })) if known == &["train"]);
    assert!(is_it, "{error:?}");
    Ok(())
}
