//! Several objectives over one store.

use super::*;
use crate::nn::Scope;

/// Sixteen rows of three numbers.
fn numbers() -> Result<ArrayDataset, Error> {
    let values: Vec<f32> = (0..48).map(|i| ((i * 29) % 31) as f32 / 31.0).collect();
    ArrayDataset::new([("x", Array::from_vec([16, 3], values)?)])
}

fn encoded<'g>(cx: &mut Scope<'g>, name: &str, batch: &crate::Inputs<'g>) -> crate::Tensor<'g> {
    Dense::new(2).forward(&mut cx.child(name), batch.get("x"))
}

/// Moves the encoder of this name toward another.
fn toward<'a>(name: &'a str, other: &'a str) -> Objective<'a> {
    Objective::new(
        name,
        move |cx, batch| {
            let (own, aim) = (encoded(cx, name, batch), encoded(cx, other, batch));
            nn::mean_squared_error(own, aim).into()
        },
        Adam::new(0.01),
    )
    .params(name)
}

/// A penalty on the outputs of an encoder.
fn small(name: &str) -> Objective<'_> {
    Objective::new(
        "small",
        move |cx, batch| {
            let y = encoded(cx, name, batch);
            (y * y).mean(..).into()
        },
        Adam::new(0.01),
    )
    .params(name)
}

/// Every objective runs at its interval, trains its own parameters, and has a step count of its own or
/// shares one.
#[test]
fn each_has_its_interval_parameters_and_state() -> Result<(), Error> {
    let (data, variables) = (numbers()?, Variables::new(3));
    let mut trainer = Trainer::of([
        toward("a", "b"),
        toward("b", "c").every(2),
        small("a").every(3).sharing("a"),
    ]);
    // 16 rows in batches of 5: 4 steps an epoch, 8 in all.
    trainer = trainer.epochs(2).batch(5);
    let report = trainer.fit(&Device::cpu(), &variables, &data)?;
    assert_eq!(report.steps, 8);
    let names: Vec<&str> =
        report.epochs[1].objectives.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "small"]);
    assert!(report.epochs[1].objective("small").is_some_and(|small| small.loss > 0.0));
    // Steps 0 to 7: each, 0 2 4 6, and 0 3 6, which count with those of a.
    let count = |name: &str| {
        let paths = variables.paths();
        let of = format!("train/{name}/optim/");
        let step = paths.iter().find(|path| path.starts_with(&of) && path.ends_with("/step"));
        step.map(|path| variables.get(path).map(|value| value.to_f64()[0])).transpose()
    };
    assert_eq!(count("a")?, Some(11.0), "{:?}", variables.paths());
    assert_eq!((count("b")?, count("small")?), (Some(4.0), None));
    // Nothing trains c.
    let fresh = Variables::new(3);
    Trainer::of([toward("c", "a")]).epochs(0).fit(&Device::cpu(), &fresh, &data)?;
    for name in ["weight", "bias"] {
        let path = |encoder: &str| format!("{encoder}/{name}");
        assert_eq!(variables.get(&path("c"))?, fresh.get(&path("c"))?);
        assert_ne!(variables.get(&path("a"))?, fresh.get(&path("a"))?);
    }
    Ok(())
}

/// A training is its programs, run by hand in the same order.
#[test]
fn a_training_is_the_loop_that_one_would_write() -> Result<(), Error> {
    use crate::{
        Graph,
        data::Loader,
        nn::Mode,
        optim::{Optimizer, OptimizerExt},
    };
    let (data, trained, by_hand) = (numbers()?, Variables::new(3), Variables::new(3));
    let cpu = Device::cpu();
    Trainer::of([toward("a", "b"), small("b").every(3)])
        .epochs(2)
        .batch(4)
        .seed(9)
        .fit(&cpu, &trained, &data)?;
    let programs = [("a", "b"), ("b", "b")].map(|(own, other)| {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let x = graph.input("x", [4, 3], crate::DType::F32);
        let y = Dense::new(2).forward(&mut cx.child(own), x);
        let loss = match own == other {
            true => (y * y).mean(..),
            false => nn::mean_squared_error(y, Dense::new(2).forward(&mut cx.child(other), x)),
        };
        let params: Vec<_> =
            cx.params().into_iter().filter(|(path, _)| path.starts_with(own)).collect();
        let name = if own == other { "train/small/optim" } else { "train/a/optim" };
        Adam::new(0.01).named(name).update_params(&mut cx, loss, &params);
        graph.compile(&cpu, &[("loss", loss)])
    });
    let [first, second] = programs;
    let (first, second) = (first?, second?);
    let loader = Loader::new(&data, 4).seed(9);
    let mut step = 0;
    for epoch in 1..=2 {
        for batch in loader.epoch(epoch)? {
            let batch = batch?;
            first.run(&by_hand, &batch.feeds())?;
            if step % 3 == 0 {
                second.run(&by_hand, &batch.feeds())?;
            }
            step += 1;
        }
    }
    assert_eq!(trained.to_arrays()?, by_hand.to_arrays()?);
    Ok(())
}
