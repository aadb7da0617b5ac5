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
    // A second training has the rates of the code again, not what the first has made of them.
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
    let rate = |trainer: Trainer<'_>, metric: &str| {
        let variables = Variables::new(0);
        let mut trainer = trainer.batch(8).epochs(6).schedule(plateau(metric));
        trainer.fit(&cpu, &variables, &data)?;
        Ok::<_, Error>(variables.get("optim/lr")?.item())
    };
    assert_eq!(rate(Trainer::new(falling, Sgd::new(1.0)), "loss")?, Some(1.0));
    // The first epoch sets the mark, two more without improvement halve the rate, and two more again;
    // the last epoch is observed after its step.
    assert_eq!(rate(stays.validate(&data), "loss")?, Some(0.25));
    let error = rate(Trainer::new(falling, Sgd::new(1.0)), "accuracy").expect_err("no metric");
    let is_it = matches!(&error, Error::Schedule(ScheduleError::NoMetric { names }) if names == &["accuracy"]);
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
