//! Spans, combinations, ends, states and errors, by formulas: PyTorch has no numbers for them.

use super::{Clock, OneCycle, Plateau, Schedule, Scheduler, Span};
use crate::error::{Error, ScheduleError};
use std::f64::consts::PI;

const CLOCK: Clock = Clock { steps_per_epoch: Some(8), steps: Some(80) };

fn started(schedule: Schedule) -> Result<Scheduler, Error> {
    schedule.start(CLOCK)
}

fn refusal(schedule: impl Into<Schedule>, clock: Clock) -> String {
    schedule.into().start(clock).expect_err("it is refused").to_string()
}

/// Equal but for a few roundings of numbers up to 1.
fn assert_near(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 4.0 * f64::EPSILON, "{got}, not {expected}");
}

/// The epochs after each of which these are the values, all of 8 steps.
fn observe(scheduler: &mut Scheduler, from: usize, values: &[f64]) -> Result<(), Error> {
    for (epoch, value) in (from + 1..).zip(values) {
        scheduler.observe(8 * epoch, |_| Some(*value))?;
    }
    Ok(())
}

#[test]
fn spans_are_the_nearest_whole_steps_and_at_least_one() -> Result<(), Error> {
    let cases = [
        (Span::steps(5), 5),
        (Span::epochs(2.0), 16),
        (Span::epochs(0.7), 6),
        (Span::epochs(0.001), 1),
        (Span::share(0.3), 24),
        (Span::share(1.0), 80),
        (Span::rest(), 80),
    ];
    for (span, steps) in cases {
        let scheduler = started(Schedule::linear(1.0, 0.0, span))?;
        assert!(scheduler.factor(steps - 1)? > 0.0, "{span}");
        assert_eq!(scheduler.factor(steps)?, 0.0, "{span}");
    }
    Ok(())
}

#[test]
fn the_rest_is_what_is_left_behind_what_came_before() -> Result<(), Error> {
    // 8 steps of warm-up, 16 of a constant, and 56 to the end.
    let scheduler = started(
        Schedule::constant(1.0)
            .lasting(Span::epochs(2.0))
            .then(Schedule::cosine(1.0, 0.2, Span::rest()))
            .warm_up(Span::share(0.1)),
    )?;
    for step in 0..100 {
        let expected = match step {
            0..8 => (step + 1) as f64 / 9.0,
            8..24 => 1.0,
            24..80 => 0.2 + 0.8 * (1.0 + (PI * (step - 24) as f64 / 56.0).cos()) / 2.0,
            _ => 0.2,
        };
        assert_near(scheduler.factor(step)?, expected);
    }
    let within = started(Schedule::linear(1.0, 0.0, Span::rest()).lasting(Span::steps(10)))?;
    assert_eq!([within.factor(5)?, within.factor(10)?], [0.5, 0.0]);
    Ok(())
}

#[test]
fn a_warm_up_rises_to_the_first_factor_of_what_follows() -> Result<(), Error> {
    let scheduler = started(Schedule::linear(0.5, 0.0, Span::steps(4)).warm_up(Span::steps(3)))?;
    let factors = [0.125, 0.25, 0.375, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0];
    for (step, expected) in factors.into_iter().enumerate() {
        assert_near(scheduler.factor(step)?, expected);
    }
    Ok(())
}

#[test]
fn ramps_and_cycles_keep_their_last_factor() -> Result<(), Error> {
    let span = Span::steps(10);
    let linear = OneCycle::new(span).linear();
    for (schedule, last) in [
        (Schedule::cosine(1.0, 0.0, span), 0.0),
        (Schedule::cosine(0.25, 1.5, span), 1.5),
        (Schedule::polynomial(3.0, 1.0, 0.125, span), 0.125),
        (Schedule::one_cycle(span), 4e-6),
        (linear.into(), 4e-6),
    ] {
        let scheduler = started(schedule)?;
        for step in [10, 11, 19, 20, usize::MAX] {
            assert_eq!(scheduler.factor(step)?, last);
        }
    }
    Ok(())
}

#[test]
fn polynomials_end_where_they_are_told() -> Result<(), Error> {
    let scheduler = started(Schedule::polynomial(2.0, 1.0, 0.1, Span::steps(8)))?;
    for step in 0..8 {
        let left = (8 - step) as f64 / 8.0;
        assert_near(scheduler.factor(step)?, 0.1 + 0.9 * left * left);
    }
    Ok(())
}

#[test]
fn cycles_that_restart_may_grow_by_any_factor() -> Result<(), Error> {
    // They begin at 0, 4, 10 and 19, and the next one at 32.5.
    let scheduler = started(Schedule::cosine_restarts(0.0, Span::steps(4), 1.5))?;
    for (step, begin, length) in
        [(0, 0.0, 4.0), (3, 0.0, 4.0), (4, 4.0, 6.0), (18, 10.0, 9.0), (32, 19.0, 13.5)]
    {
        let progress = (step as f64 - begin) / length;
        assert_near(scheduler.factor(step)?, (1.0 + (PI * progress).cos()) / 2.0);
    }
    let begun = 0.5 / 20.25;
    assert_near(scheduler.factor(33)?, (1.0 + (PI * begun).cos()) / 2.0);
    Ok(())
}

#[test]
fn cycles_restart_at_their_first_step_however_many_there_were() -> Result<(), Error> {
    for (first, growth, cycles) in [(1, 2, 35), (7, 2, 32), (3, 3, 20), (10, 1, 1000), (1, 1, 9)] {
        let span = Span::steps(first);
        let scheduler = started(Schedule::cosine_restarts(0.0, span, growth as f64))?;
        let (mut begin, mut length) = (0, first);
        for _ in 0..cycles {
            assert!((1.0 - scheduler.factor(begin)?) < 1e-12, "{first} {growth}: {begin}");
            let last = (PI / (2.0 * length as f64)).sin().powi(2);
            assert!((scheduler.factor(begin + length - 1)? - last).abs() < 1e-12, "{begin}");
            (begin, length) = (begin + length, length * growth);
        }
    }
    // A million cycles, each longer than the last one by 1e-12, take half a cycle more
    // than as many that do not grow.
    let scheduler = started(Schedule::cosine_restarts(0.0, Span::steps(4), 1.0 + 1e-12))?;
    assert!((scheduler.factor(4_000_004)? - 0.5).abs() < 1e-3);
    assert!(scheduler.factor(usize::MAX).is_ok());
    Ok(())
}

#[test]
fn once_an_epoch_and_at_every_step_agree_where_epochs_begin() -> Result<(), Error> {
    let every = Span::epochs(1.0);
    let [steps, smooth] = [Schedule::step(every, 0.9), Schedule::exponential(every, 0.9)];
    let (steps, smooth) = (started(steps)?, started(smooth)?);
    for step in 0..80 {
        let (epoch, within) = (step / 8, (step % 8) as f64 / 8.0);
        let expected = 0.9f64.powi(epoch);
        assert_near(steps.factor(step as usize)?, expected);
        assert_near(smooth.factor(step as usize)?, expected * (within * 0.9f64.ln()).exp());
    }
    Ok(())
}

#[test]
fn a_product_ends_when_all_of_it_has_ended() -> Result<(), Error> {
    let [short, long] = [4, 6].map(|steps| Schedule::linear(1.0, 0.5, Span::steps(steps)));
    let scheduler = started(short.times(long).then(Schedule::constant(7.0)))?;
    assert_near(scheduler.factor(2)?, 0.75 * (1.0 - 0.5 / 3.0));
    assert_eq!([scheduler.factor(5)? < 0.5, scheduler.factor(6)? == 7.0], [true; 2]);
    Ok(())
}

#[test]
fn functions_count_from_where_they_begin_and_know_the_clock() -> Result<(), Error> {
    let epoch = Schedule::of(|step, clock| (step / clock.steps_per_epoch.unwrap_or(1)) as f64);
    assert_eq!(epoch, epoch.clone());
    assert_ne!(epoch, Schedule::of(|_, _| 1.0));
    let scheduler = started(Schedule::linear(1.0, 1.0, Span::steps(4)).then(epoch))?;
    assert_eq!(
        [4, 11, 12, 20].map(|step| scheduler.factor(step).ok()),
        [Some(0.0), Some(0.0), Some(1.0), Some(2.0)]
    );
    Ok(())
}

#[test]
fn a_factor_that_is_none_names_its_step() -> Result<(), Error> {
    for wrong in [f64::NAN, f64::INFINITY, -0.5] {
        let scheduler = started(Schedule::of(move |step, _| if step == 3 { wrong } else { 1.0 }))?;
        assert_eq!(scheduler.factor(2)?, 1.0);
        let text = scheduler.factor(3).expect_err("it is no factor").to_string();
        let must = "must be finite and at least 0";
        assert_eq!(text, format!("the factor of the learning rate at step 3 {must}, not {wrong}"));
    }
    let overflow = started(Schedule::exponential(Span::steps(1), 1e200))?;
    assert!(overflow.factor(1).is_ok() && overflow.factor(2).is_err());
    Ok(())
}

#[test]
fn a_plateau_counts_only_epochs_of_its_own() -> Result<(), Error> {
    let plateau = Schedule::from(Plateau::minimize("loss").factor(0.5).patience(0));
    // Two epochs of warm-up, three of the plateau.
    let schedule = plateau
        .lasting(Span::epochs(3.0))
        .then(Schedule::constant(3.0).lasting(Span::steps(8)))
        .warm_up(Span::epochs(2.0));
    let mut scheduler = started(schedule)?;
    observe(&mut scheduler, 0, &[0.1, 0.2])?;
    assert_eq!(scheduler.factor(16)?, 1.0);
    // The first one of its own is the best so far, although it is worse than those before.
    observe(&mut scheduler, 2, &[0.5, 0.6, 0.6])?;
    assert_eq!(scheduler.factor(39)?, 0.25);
    observe(&mut scheduler, 5, &[0.7, 0.8])?;
    assert_eq!([scheduler.factor(39)?, scheduler.factor(40)?], [0.25, 3.0]);
    Ok(())
}

#[test]
fn negative_values_must_improve_as_much_as_positive_ones() -> Result<(), Error> {
    let plateau = |goal: fn(&str) -> Plateau| {
        started(goal("metric").relative_threshold(0.1).patience(0).into())
    };
    let mut falls = plateau(Plateau::minimize)?;
    observe(&mut falls, 0, &[-1.0, -1.125])?;
    assert_eq!(falls.factor(0)?, 1.0);
    observe(&mut falls, 2, &[-1.2])?;
    assert_eq!(falls.factor(0)?, 0.1, "a fall by less than a tenth is none");
    let mut rises = plateau(Plateau::maximize)?;
    observe(&mut rises, 0, &[-1.0, -0.875])?;
    assert_eq!(rises.factor(0)?, 1.0);
    observe(&mut rises, 2, &[-0.8])?;
    assert_eq!(rises.factor(0)?, 0.1, "a rise by less than a tenth is none");
    Ok(())
}

#[test]
fn nan_is_never_better_and_infinity_always_worse() -> Result<(), Error> {
    let mut scheduler = started(Plateau::minimize("loss").patience(1).into())?;
    observe(&mut scheduler, 0, &[f64::NAN, f64::INFINITY, 5.0, f64::NAN])?;
    assert_eq!(scheduler.factor(0)?, 1.0);
    observe(&mut scheduler, 4, &[f64::INFINITY])?;
    assert_eq!(scheduler.factor(0)?, 0.1);
    Ok(())
}

/// Two plateaus in one chain.
fn chained() -> Schedule {
    Schedule::from(Plateau::minimize("loss").factor(0.3).patience(1).cooldown(2))
        .times(Plateau::maximize("accuracy").factor(0.7).patience(0).min_factor(0.1))
        .times(Schedule::cosine(1.0, 0.0, Span::rest()))
}

#[test]
fn metrics_that_are_missing_are_named_and_nothing_is_observed() -> Result<(), Error> {
    let mut scheduler = started(chained())?;
    assert_eq!(scheduler.metrics().collect::<Vec<_>>(), ["loss", "accuracy"]);
    let before = scheduler.clone();
    let error = scheduler.observe(8, |name| (name == "loss").then_some(1.0));
    let names = vec!["accuracy".to_owned()];
    let expected = ScheduleError::NoMetric { names, known: vec![] };
    assert!(matches!(error, Err(Error::Schedule(error)) if error == expected));
    assert_eq!(scheduler, before);
    Ok(())
}

#[test]
fn a_training_that_resumes_goes_on_as_if_nothing_had_happened() -> Result<(), Error> {
    let value = |epoch: usize, name: &str| {
        let x = 1.0 / 3.0 + (epoch * if name == "loss" { 7 } else { 5 } % 11) as f64 / 7.0;
        (epoch != 4).then_some(x).or(Some(f64::NAN))
    };
    let mut whole = started(chained())?;
    for epoch in 1..=10 {
        let mut resumed = started(chained())?;
        resumed.load(&whole.save())?;
        assert_eq!(resumed, whole, "after {} epochs", epoch - 1);
        whole.observe(8 * epoch, |name| value(epoch, name))?;
    }
    assert!(whole.factor(0)? < 0.1, "both have fallen");
    Ok(())
}

#[test]
fn hostile_states_are_errors_and_change_nothing() -> Result<(), Error> {
    let mut scheduler = started(chained())?;
    scheduler.observe(8, |_| Some(0.1))?;
    let before = scheduler.clone();
    let good = scheduler.save();
    assert_eq!(
        good,
        "factor 1 best 0.1 bad_epochs 0 cooldown 0\nfactor 1 best 0.1 bad_epochs 0 cooldown 0\n"
    );
    let second = |line: &str| format!("factor 1 best none bad_epochs 0 cooldown 0\n{line}\n");
    for line in [
        "",
        "factor 1",
        "factor 1 best 0.1 bad_epochs 0 cooldown 0 more",
        "factor  1 best 0.1 bad_epochs 0 cooldown 0",
        "factor 2 best 0.1 bad_epochs 0 cooldown 0",
        "factor -1 best 0.1 bad_epochs 0 cooldown 0",
        "factor NaN best 0.1 bad_epochs 0 cooldown 0",
        "factor inf best 0.1 bad_epochs 0 cooldown 0",
        "factor 1 best NaN bad_epochs 0 cooldown 0",
        "factor 1 best some bad_epochs 0 cooldown 0",
        "factor 1 best 0.1 bad_epochs -1 cooldown 0",
        "factor 1 best 0.1 bad_epochs 0.5 cooldown 0",
        "factor 1 best 0.1 bad_epochs 0 cooldown 99999999999999999999999",
        "bad_epochs 0 best 0.1 factor 1 cooldown 0",
    ] {
        let error = scheduler.load(&second(line));
        let expected = ScheduleError::State { line: 2 };
        assert!(matches!(error, Err(Error::Schedule(error)) if error == expected), "{line}");
        assert_eq!(scheduler, before, "{line}");
    }
    for (text, is) in [("", 0), (&*good.repeat(2), 4)] {
        let error = scheduler.load(text).expect_err("it is of another schedule").to_string();
        assert_eq!(error, format!("a state of {is} plateaus is not that of a schedule with 2"));
    }
    // Counts without end are those of a text that someone has changed: they do not overflow.
    let most = usize::MAX;
    scheduler.load(&second(&format!("factor 1 best inf bad_epochs {most} cooldown {most}")))?;
    scheduler.observe(16, |_| Some(0.0))?;
    Ok(())
}

#[test]
fn every_invalid_number_is_named() {
    let (steps, nan) = (Span::steps(4), f64::NAN);
    let fine = || Plateau::minimize("loss");
    let cases: Vec<(Schedule, &str)> = vec![
        (Schedule::constant(nan), "factor must be at least 0, not NaN"),
        (Schedule::constant(-1.0), "factor must be at least 0, not -1"),
        (Schedule::linear(nan, 0.0, steps), "factor at the beginning must be at least 0, not NaN"),
        (Schedule::cosine(1.0, -0.1, steps), "factor at the end must be at least 0, not -0.1"),
        (Schedule::polynomial(0.0, 1.0, 0.0, steps), "power must be positive, not 0"),
        (Schedule::step(steps, 0.0), "gamma must be positive, not 0"),
        (Schedule::milestones([steps], nan), "gamma must be positive, not NaN"),
        (Schedule::exponential(steps, -2.0), "gamma must be positive, not -2"),
        (Schedule::cosine_restarts(0.0, steps, 0.5), "growth must be at least 1, not 0.5"),
        (
            Schedule::cosine_restarts(0.0, steps, f64::INFINITY),
            "growth must be at least 1, not inf",
        ),
        (
            Schedule::cosine_restarts(nan, steps, 2.0),
            "factor at the end must be at least 0, not NaN",
        ),
        (OneCycle::new(steps).warm_up(1.5).into(), "warm-up must be in [0, 1], not 1.5"),
        (OneCycle::new(steps).div_factor(0.0).into(), "div_factor must be positive, not 0"),
        (
            OneCycle::new(steps).final_div_factor(nan).into(),
            "final_div_factor must be positive, not NaN",
        ),
        (fine().factor(1.0).into(), "factor must be in [0, 1), not 1"),
        (fine().min_factor(2.0).into(), "min_factor must be in [0, 1], not 2"),
        (fine().relative_threshold(1.0).into(), "threshold must be in [0, 1), not 1"),
        (fine().absolute_threshold(-1.0).into(), "threshold must be at least 0, not -1"),
        (Schedule::step(Span::steps(0), 0.1), "number of steps must be positive, not 0"),
        (Schedule::step(Span::epochs(nan), 0.1), "number of epochs must be positive, not NaN"),
        (
            Schedule::milestones([steps, Span::epochs(-1.0)], 0.1),
            "number of epochs must be positive, not -1",
        ),
        (Schedule::one_cycle(Span::share(0.0)), "share of the training must be positive, not 0"),
        (
            Schedule::exponential(Span::share(1.1), 0.1),
            "share of the training must be in [0, 1], not 1.1",
        ),
        (Schedule::default().warm_up(Span::steps(0)), "number of steps must be positive, not 0"),
        (Schedule::default().lasting(Span::steps(0)), "number of steps must be positive, not 0"),
    ];
    for (wrong, what) in cases {
        // It is the part that is refused, wherever it stands.
        let text = format!("{wrong}: {what}");
        assert_eq!(refusal(wrong.clone(), CLOCK), text);
        let chain = Schedule::linear(1.0, 0.5, steps).then(wrong.times(Schedule::default()));
        assert_eq!(refusal(chain.warm_up(steps), CLOCK), text);
    }
}

#[test]
fn what_the_clock_does_not_know_cannot_be_a_span() {
    let unknown = Clock::default();
    for (span, unit) in [
        (Span::epochs(1.0), "an epoch"),
        (Span::share(0.5), "the training"),
        (Span::rest(), "the training"),
    ] {
        let text = format!(
            "cosine to 0 over {span}: the number of steps in {unit} is not known, so give the span \
             in steps"
        );
        assert_eq!(refusal(Schedule::cosine(1.0, 0.0, span), unknown), text);
    }
    assert!(
        Schedule::cosine(1.0, 0.0, Span::rest()).lasting(Span::steps(5)).start(unknown).is_ok()
    );
}

#[test]
fn what_would_never_begin_is_an_error() {
    let cosine = || Schedule::cosine(1.0, 0.0, Span::rest());
    for steps in [80, 81, usize::MAX] {
        assert_eq!(
            refusal(cosine().warm_up(Span::steps(steps)), CLOCK),
            format!("cosine to 0 over the rest: nothing is left for it after {steps} steps")
        );
    }
    assert_eq!(
        refusal(Schedule::constant(0.5).then(cosine()), CLOCK),
        "constant 0.5: has no end, and cosine to 0 over the rest would never begin: give it one by \
         `Schedule::lasting`"
    );
}

#[test]
fn a_schedule_says_all_that_it_does() {
    let cases: [(Schedule, &str); 8] = [
        (
            Schedule::cosine(1.0, 0.0, Span::rest()).warm_up(Span::steps(500)),
            "warm-up of 500 steps, then cosine to 0 over the rest",
        ),
        (
            Schedule::milestones([Span::epochs(30.0), Span::share(0.5)], 0.1),
            "steps by 0.1 at 30 epochs and 0.5 of the training",
        ),
        (
            Schedule::constant(0.5).lasting(Span::epochs(1.0)).then(Schedule::default()),
            "constant 0.5 for 1 epoch, then constant 1",
        ),
        (
            Schedule::linear(0.1, 1.0, Span::steps(1)).then(Schedule::of(|_, _| 1.0)),
            "linear from 0.1 to 1 over 1 step, then a function",
        ),
        (
            Schedule::step(Span::epochs(2.5), 0.1)
                .warm_up(Span::steps(9))
                .times(Schedule::exponential(Span::epochs(1.0), 0.9)),
            "(warm-up of 9 steps, then steps by 0.1 every 2.5 epochs) times exponential by 0.9 in \
             1 epoch",
        ),
        (
            Schedule::cosine_restarts(0.0, Span::epochs(10.0), 2.0),
            "cosine to 0 over 10 epochs with restarts growing by 2",
        ),
        (
            OneCycle::new(Span::rest()).linear().into(),
            "one linear cycle over the rest (warm-up 0.3, div_factor 25, final_div_factor 10000)",
        ),
        (
            Plateau::maximize("accuracy").patience(1).cooldown(3).min_factor(0.01).into(),
            "steps by 0.1 when accuracy has not risen by 0.0001 of itself for more than 1 epoch, \
             with a cooldown of 3 epochs, down to 0.01",
        ),
    ];
    for (schedule, text) in cases {
        assert_eq!(schedule.to_string(), text);
        assert_eq!(format!("{schedule:?}"), format!("Schedule({text})"));
    }
}
