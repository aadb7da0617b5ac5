//! Schedules of the learning rate, step by step.

use super::{entries, integer, list, number, numbers, text};
use serde_json::Value;
use wgrad::{
    Error,
    optim::{Clock, OneCycle, Plateau, Schedule, Span},
};

/// PyTorch multiplies most factors by a quotient at each step. A quotient of cosines near their end
/// is off by 2^-53 / (1 + cos), 4e-14 in cycles of 40 steps, and other roundings add up to less.
const RELATIVE: f64 = 1e-13;
/// Its `OneCycleLR` subtracts numbers near 1.
const ABSOLUTE: f64 = f64::EPSILON;

fn one_cycle(case: &Value) -> Schedule {
    let mut cycle = OneCycle::new(Span::steps(integer(&case["total_steps"])));
    if let Some(share) = case.get("pct_start") {
        cycle = cycle.warm_up(number(share));
    }
    if let Some(by) = case.get("div_factor") {
        cycle = cycle.div_factor(number(by));
    }
    if let Some(by) = case.get("final_div_factor") {
        cycle = cycle.final_div_factor(number(by));
    }
    let is_linear = case.get("anneal_strategy").map(text) == Some("linear");
    Schedule::from(if is_linear { cycle.linear() } else { cycle })
}

fn plateau(case: &Value) -> Schedule {
    let mut plateau = match text(&case["mode"]) {
        "min" => Plateau::minimize("metric"),
        _ => Plateau::maximize("metric"),
    };
    plateau = plateau.factor(number(&case["factor"])).patience(integer(&case["patience"]));
    if let Some(threshold) = case.get("threshold").map(number) {
        plateau = match case.get("threshold_mode").map(text) {
            Some("abs") => plateau.absolute_threshold(threshold),
            _ => plateau.relative_threshold(threshold),
        };
    }
    if let Some(epochs) = case.get("cooldown") {
        plateau = plateau.cooldown(integer(epochs));
    }
    if let Some(min) = case.get("min_lr") {
        plateau = plateau.min_factor(number(min));
    }
    plateau.into()
}

fn schedule(case: &Value) -> Schedule {
    let of = |name: &str| number(&case[name]);
    let steps = |name: &str| Span::steps(integer(&case[name]));
    let constant = || Schedule::constant(of("factor")).lasting(steps("total_iters"));
    match text(&case["kind"]) {
        "StepLR" => Schedule::step(steps("step_size"), of("gamma")),
        "MultiStepLR" => {
            let milestones = list(&case["milestones"], integer).into_iter().map(Span::steps);
            Schedule::milestones(milestones, of("gamma"))
        }
        "ExponentialLR" => Schedule::exponential(Span::steps(1), of("gamma")),
        "ConstantLR" => constant().then(Schedule::constant(1.0)),
        "LinearLR" => Schedule::linear(of("start_factor"), of("end_factor"), steps("total_iters")),
        "PolynomialLR" => Schedule::polynomial(of("power"), 1.0, 0.0, steps("total_iters")),
        "CosineAnnealingLR" => Schedule::cosine(1.0, of("eta_min"), steps("T_max")),
        "CosineAnnealingWarmRestarts" => {
            Schedule::cosine_restarts(of("eta_min"), steps("T_0"), of("T_mult"))
        }
        "OneCycleLR" => one_cycle(case),
        "SequentialLR" => {
            Schedule::cosine(1.0, of("eta_min"), steps("T_max")).warm_up(steps("warm_up"))
        }
        "ChainedScheduler" => constant()
            .then(Schedule::constant(1.0))
            .times(Schedule::exponential(Span::steps(1), of("gamma"))),
        "ReduceLROnPlateau" => plateau(case),
        other => unreachable!("{other} is not known"),
    }
}

#[test]
fn schedules_are_those_of_pytorch() -> Result<(), Error> {
    let cases = entries("schedules.json");
    for case in &cases {
        let schedule = schedule(case);
        let mut scheduler = schedule.start(Clock::default())?;
        let metrics = case.get("metrics").map(numbers).unwrap_or_default();
        let mut worst = 0.0f64;
        for (step, expected) in numbers(&case["factors"]).into_iter().enumerate() {
            let got = scheduler.factor(step)?;
            let by = (got - expected).abs() / (RELATIVE * expected + ABSOLUTE);
            assert!(by <= 1.0, "{schedule}, step {step}: {got}, not {expected}");
            worst = worst.max(by);
            if let Some(&metric) = metrics.get(step) {
                scheduler.observe(step + 1, |_| Some(metric))?;
            }
        }
        eprintln!("{worst:.3} of the bound: {schedule}");
    }
    assert_eq!(cases.len(), 26, "cases");
    Ok(())
}
