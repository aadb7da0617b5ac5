//! Learning rates that follow a schedule.

use super::*;
use crate::{
    Init, Inputs, ScheduleError,
    nn::Scope,
    optim::{Clock, Optimizer},
};

/// A parameter whose gradient is 1 at every step, so that it falls by the rate.
fn falling<'g>(cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g> {
    let p = cx.param("p", [], Init::Zeros);
    Loss::new(p * batch.get("x").mean(..))
}

fn ones(rows: usize) -> Result<ArrayDataset, Error> {
    ArrayDataset::new([("x", Array::full([rows, 1], 1.0f32)?)])
}

fn trainer<'a>(optimizer: impl Optimizer + 'a) -> Trainer<'a> {
    Trainer::new(falling, optimizer).batch(4)
}

/// Every step has the rate of its schedule, also in groups, from the first to the last.
#[test]
fn rates_are_those_of_the_schedule() -> Result<(), Error> {
    let data = ones(10)?;
    let schedule = || {
        let cosine = Schedule::cosine(1.0, 0.0, Span::rest());
        cosine.warm_up(Span::epochs(0.5)).times(Schedule::step(Span::epochs(1.0), 0.5))
    };
    // 3 steps an epoch.
    let clock = Clock { steps_per_epoch: Some(3), steps: Some(12) };
    let scheduler = schedule().start(clock)?;
    let factors = (0..12).map(|step| scheduler.factor(step)).collect::<Result<Vec<_>, _>>()?;
    let expected: f64 = factors.iter().map(|factor| -0.5 * factor).sum();
    let variables = Variables::new(0);
    let grouped = Sgd::new(9.0).group("slow", "p", Sgd::new(0.5));
    let mut rates = vec![];
    trainer(grouped)
        .epochs(4)
        .schedule(schedule())
        .on_epoch(|_| rates.push(variables.get("optim/slow/lr").map(|rate| rate.item())))
        .fit(&Device::cpu(), &variables, &data)?;
    // Twelve rounded differences of numbers below 2.
    let off = variables.get("p")?.item().unwrap_or(f64::NAN) - expected;
    assert!(off.abs() < 12.0 * 2f64.powi(-24), "{off:e}");
    for (epoch, rate) in rates.into_iter().enumerate() {
        let last = 0.5 * factors[3 * epoch + 2];
        assert_eq!(rate?, Some(f64::from(last as f32)));
    }
    assert_eq!(variables.get("optim/slow/lr")?.item(), Some(0.5), "that of the code");
    // So a second training has them too, and not what the first has made of them.
    let before = variables.get("p")?.item().unwrap_or(f64::NAN);
    let grouped = Sgd::new(9.0).group("slow", "p", Sgd::new(0.5));
    trainer(grouped).epochs(4).schedule(schedule()).fit(&Device::cpu(), &variables, &data)?;
    let off = variables.get("p")?.item().unwrap_or(f64::NAN) - before - expected;
    assert!(off.abs() < 24.0 * 2f64.powi(-24), "{off:e}");
    Ok(())
}

/// An objective has its own schedule, or that of the trainer; intervals do not matter.
#[test]
fn objectives_have_schedules() -> Result<(), Error> {
    let objective = |name: &'static str| {
        Objective::new(name, |cx, batch| falling(&mut cx.child(name), batch), Sgd::new(1.0))
            .params(name)
    };
    let own = objective("b").schedule(Schedule::constant(0.25)).every(2);
    let variables = Variables::new(0);
    Trainer::of([objective("a"), own])
        .batch(4)
        .epochs(1)
        .schedule(Schedule::milestones([Span::steps(2)], 0.5))
        .fit(&Device::cpu(), &variables, &ones(16)?)?;
    assert_eq!(variables.get("a/p")?.item(), Some(-1.0 - 1.0 - 0.5 - 0.5));
    assert_eq!(variables.get("b/p")?.item(), Some(-0.25 - 0.25));
    Ok(())
}

/// A plateau watches the validation if there is one, else the training.
#[test]
fn plateaus_watch_metrics() -> Result<(), Error> {
    let (data, cpu) = (ones(8)?, Device::cpu());
    let plateau = |metric: &str| Plateau::minimize(metric).patience(1).factor(0.5);
    // The loss falls for ever, while that of the validation stays.
    let stays = Trainer::new(falling, Sgd::new(1.0))
        .validation_step(|_, batch| Loss::new(batch.get("x").mean(..)));
    let rates = |trainer: Trainer<'_>, metric: &str| {
        let (variables, mut rates) = (Variables::new(0), vec![]);
        let mut trainer = trainer.batch(8).epochs(6).schedule(plateau(metric)).on_epoch(|_| {
            rates.push(variables.get("optim/lr").ok().and_then(|rate| rate.item()));
        });
        trainer.fit(&cpu, &variables, &data)?;
        drop(trainer);
        Ok::<_, Error>(rates.into_iter().flatten().collect::<Vec<_>>())
    };
    assert_eq!(rates(Trainer::new(falling, Sgd::new(1.0)), "loss")?, [1.0; 6]);
    // The first epoch sets the mark, and two more without improvement halve the rate.
    assert_eq!(rates(stays.validate(&data), "loss")?, [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
    let error = rates(Trainer::new(falling, Sgd::new(1.0)), "accuracy").expect_err("no metric");
    let is_it = matches!(&error, Error::Schedule(ScheduleError::NoMetric { names, known })
            if names == &["accuracy"] && known == &["loss"]);
    assert!(is_it, "{error:?}");
    Ok(())
}

/// Without rates, lengths or sense a schedule is refused before the first step.
#[test]
fn schedules_without_sense_are_refused() -> Result<(), Error> {
    struct Still;
    impl Optimizer for Still {
        fn step<'g>(&self, _: &mut Scope<'g>, _: &[crate::optim::Update<'_, 'g>]) {}
    }
    let data = ones(8)?;
    let refused = |mut trainer: Trainer<'_>| {
        let variables = Variables::new(0);
        let error = trainer.fit(&Device::cpu(), &variables, &data).expect_err("it has no sense");
        error.to_string()
    };
    let text = refused(trainer(Still).schedule(Schedule::constant(0.5)));
    assert!(text.ends_with("there is no setting optim/lr"), "{text}");
    let text = refused(trainer(Sgd::new(1.0)).schedule(Schedule::constant(f64::NAN)));
    assert!(text.contains("must be") && text.ends_with("NaN"), "{text}");
    let text = refused(trainer(Sgd::new(1.0)).schedule(Schedule::cosine(1.0, 0.0, Span::steps(0))));
    assert!(text.contains("number of steps must be positive"), "{text}");
    Ok(())
}

/// Objectives that share an optimizer share its schedule, and the number of its skipped steps.
#[test]
fn a_shared_optimizer_has_one_schedule() -> Result<(), Error> {
    let x = Array::new([4, 1], &[1.0f32, f32::NAN, 1.0, 1.0])?;
    let data = ArrayDataset::new([("x", x)])?;
    let objective = |name: &str| Objective::new(name, falling, Sgd::new(1.0).skip_non_finite());
    let fit = |first: Objective<'_>, second: Objective<'_>| {
        let variables = Variables::new(0);
        let mut trainer =
            Trainer::of([first, second.sharing("a")]).batch(1).shuffle(false).epochs(1);
        let report = trainer.fit(&Device::cpu(), &variables, &data)?;
        Ok::<_, Error>((variables.get("p")?.item(), report.skipped))
    };
    let half = || Schedule::constant(0.5);
    assert_eq!(fit(objective("a").schedule(half()), objective("b"))?, (Some(-3.0), 2));
    assert_eq!(
        fit(objective("a").schedule(half()), objective("b").schedule(half()))?,
        (Some(-3.0), 2)
    );
    for first in [objective("a"), objective("a").schedule(Schedule::constant(0.25))] {
        let error = fit(first, objective("b").schedule(half())).expect_err("there is one rate");
        assert!(matches!(error, Error::Schedule(ScheduleError::Shared { .. })), "{error}");
    }
    Ok(())
}

/// An objective that has no step in an epoch has nothing that its schedule could watch.
#[test]
fn a_plateau_waits_for_its_objective() -> Result<(), Error> {
    let rare = Objective::new("b", |cx, batch| falling(&mut cx.child("b"), batch), Sgd::new(1.0));
    let often = Objective::new("a", |cx, batch| falling(&mut cx.child("a"), batch), Sgd::new(1.0));
    let plateau = Plateau::minimize("loss").patience(0).factor(0.5);
    let (variables, mut rates) = (Variables::new(0), vec![]);
    Trainer::of([often, rare.every(8).schedule(plateau)])
        .batch(4)
        .epochs(5)
        .on_epoch(|_| rates.push(variables.get("train/b/optim/lr").map(|rate| rate.item())))
        .fit(&Device::cpu(), &variables, &ones(16)?)?;
    // It runs in the first, third and fifth epoch, each time with a smaller loss.
    for rate in rates {
        assert_eq!(rate?, Some(1.0));
    }
    Ok(())
}
