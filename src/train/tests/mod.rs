//! Trainings of small networks on the CPU.

mod accumulate;
mod auto_batch;
mod freezing;
mod gradients;
mod metrics;
mod mixed_precision;
mod objectives;
mod resume;
mod schedules;
mod sources;

use super::*;
use crate::{
    Array, Device, Error, RunError, TrainError, Variables,
    data::{ArrayDataset, Dataset, Labeled},
    nn::{self, Activation, Dense, Module, Sequential},
    optim::{Adam, OptimizerExt, Plateau, Schedule, Sgd, Span},
};
use std::{cell::RefCell, ops::ControlFlow};

/// Points in the plane, labeled by whether their coordinates have the same sign: not linearly
/// separable.
fn exclusive_or() -> Result<Labeled, Error> {
    let at = |i: usize| (i as f32 + 0.5) / 4.0 - 1.0;
    let points: Vec<[f32; 2]> = (0..64).map(|i| [at(i / 8), at(i % 8)]).collect();
    let labels: Vec<u32> = points.iter().map(|[x, y]| u32::from(x * y > 0.0)).collect();
    Labeled::new(Array::new([64, 2], points.as_flattened())?, Array::new([64], &labels)?)
}

#[test]
fn a_network_learns_what_a_line_cannot_separate() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Sequential::new().add(Dense::new(16)).add(Activation::tanh()).add(Dense::new(2));
    let variables = Variables::new(1);
    // 64 rows in batches of 24 leave one of 16.
    let mut seen = 0;
    let report = Trainer::classifier(&net, Adam::new(0.03))
        .epochs(60)
        .batch(24)
        .validate(&data)
        .on_epoch(|epoch| {
            seen += 1;
            assert_eq!(epoch.number, seen);
        })
        .fit(&Device::cpu(), &variables, &data)?;
    assert_eq!((report.steps, seen, report.ending), (180, 60, Ending::Completed));
    let confusion = report.confusion().expect("there is a validation");
    assert!(confusion.accuracy() > 0.9, "{confusion}");
    assert_eq!(confusion.total(), 64);
    // A history of them might take much memory.
    let kept = report.epochs.iter().map(|epoch| epoch.validation.as_ref());
    let kept = kept.filter(|measures| measures.is_some_and(|it| it.confusion().is_some()));
    assert_eq!(kept.count(), 1);
    assert!(report.epochs[0].validated("accuracy").is_some());
    assert!(variables.paths().iter().any(|path| path == "net/0:dense/weight"));
    Ok(())
}

#[test]
fn callbacks_end_the_training() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    let report = Trainer::classifier(&net, Adam::new(0.03)).stop_when(|_| true).fit(
        &Device::cpu(),
        &Variables::new(1),
        &data,
    )?;
    assert_eq!((report.epochs.len(), report.ending), (1, Ending::Stopped));
    assert!(report.validation.is_none() && report.confusion().is_none());

    struct Third;
    impl Callback for Third {
        fn on_step(&mut self, step: &Step) -> ControlFlow<()> {
            if step.total == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    let report = Trainer::classifier(&net, Adam::new(0.03)).validate(&data).callback(Third).fit(
        &Device::cpu(),
        &Variables::new(1),
        &data,
    )?;
    assert_eq!((report.epochs.len(), report.steps, report.ending), (1, 3, Ending::Stopped));
    let last = report.last.map(|step| (step.epoch, step.step, step.steps, step.total));
    assert_eq!(last, Some((2, 1, Some(2), 3)));
    assert!(report.validation.is_none(), "that of the first epoch is not that of the third step");
    Ok(())
}

/// So many steps are so many, wherever the epoch ends, and are evaluated.
#[test]
fn a_training_may_be_of_some_steps() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    for (steps, epochs) in [(0, 0), (1, 0), (3, 1), (4, 2), (5, 2), (100, 3)] {
        let variables = Variables::new(1);
        let mut trainer = Trainer::classifier(&net, Adam::new(0.03)).max_steps(steps).epochs(3);
        trainer = trainer.validate(&data);
        let report = trainer.fit(&Device::cpu(), &variables, &data)?;
        assert_eq!((report.steps, report.epochs.len()), (steps.min(6), epochs), "{steps}");
        assert_eq!(report.ending, Ending::Completed);
        let evaluated = trainer.evaluate(&Device::cpu(), &variables, &data)?;
        assert_eq!(report.validation, Some(evaluated));
    }
    Ok(())
}

/// Labels from 1 to 10 of 10 classes, and PyTorch's -100.
#[test]
fn labels_that_are_no_class_are_refused_before_the_first_step() -> Result<(), Error> {
    let of = |labels: [u32; 4]| {
        let images = Array::new([4, 2], &[1.0f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.5, 0.5])?;
        Labeled::new(images, Array::new([4], &labels)?)
    };
    let good = of([0, 1, 2, 2])?;
    let net = Dense::new(3);
    for (label, bad) in [(3, of([1, 2, 3, 1])?), (-100i32 as u32, of([1, 2, -100i32 as u32, 1])?)] {
        for (train, test) in [(&bad, &good), (&good, &bad)] {
            let variables = Variables::new(1);
            let trained = Trainer::classifier(&net, Adam::new(0.03)).validate(test).fit(
                &Device::cpu(),
                &variables,
                train,
            );
            let Err(Error::Run(error)) = trained else { unreachable!("{label} of 3 classes") };
            let (name, position, extent) = ("targets".to_owned(), 2, 3);
            let index = label.into();
            assert_eq!(error, RunError::IndexOutOfRange { name, index, position, extent });
            assert!(variables.paths().is_empty());
        }
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    let fit = |mut trainer: Trainer<'_>, data: &dyn Dataset| {
        let trained = trainer.fit(&Device::cpu(), &Variables::new(1), data);
        trained.expect_err("it makes no sense").to_string()
    };
    let classifier = || Trainer::classifier(&net, Adam::new(0.03));
    let text = fit(classifier().batch(0), &data);
    assert!(text.ends_with("(batch must be positive, not 0)"), "{text}");
    let text = fit(classifier(), &data.rows(&[])?);
    assert_eq!(text, "the data have no rows: there is nothing to train on");
    assert_eq!(fit(Trainer::of([]), &data), "the trainer has no objective");
    let objective = |name: &str| Objective::of(name, Classifier(&net), Sgd::new(0.1)).params("net");
    let text = fit(Trainer::of([objective("a"), objective("a")]), &data);
    assert_eq!(text, "two objectives are named \"a\"");
    let text = fit(Trainer::of([objective("a").params("nett")]), &data);
    let expected = "objective \"a\": no parameter matches \"nett\"; parameters: \"net/bias\", \
                    \"net/weight\"";
    assert_eq!(text, expected);
    let text = fit(Trainer::of([objective("a").every(0)]), &data);
    assert!(text.contains("interval must be positive, not 0"), "{text}");
    let text = fit(classifier().resume(Resume::Exact), &data);
    assert_eq!(text, "there is nothing to resume from: give the trainer a `Checkpoint`");
    // A step that asks for a field that the data do not have.
    let wrong = Trainer::new(|_, batch| batch.get("image").mean(..).into(), Sgd::new(0.1));
    let text = fit(wrong, &data);
    assert!(text.starts_with("there is no input \"image\""), "{text}");
    let wrong = Trainer::new(|_, batch| batch.get("inputs").into(), Sgd::new(0.1));
    let text = fit(wrong, &data);
    assert!(text.contains("is not a single float"), "{text}");
    Ok(())
}

#[test]
fn every_step_is_told() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    let told = RefCell::new(Vec::new());
    let on_step = |step: &Step| {
        let steps = step.steps.unwrap_or_default();
        told.borrow_mut().push((step.epoch, step.step, steps, step.total));
    };
    let on_epoch = |epoch: &Epoch| {
        // All steps of an epoch come before its end.
        let last = told.borrow().last().map(|&(number, step, steps, _)| (number, step, steps));
        assert_eq!(last, Some((epoch.number, 3, 3)));
    };
    Trainer::classifier(&net, Adam::new(0.03))
        .epochs(2)
        .batch(24)
        .on_step(on_step)
        .on_epoch(on_epoch)
        .fit(&Device::cpu(), &Variables::new(1), &data)?;
    let all = [(1, 1, 3, 1), (1, 2, 3, 2), (1, 3, 3, 3), (2, 1, 3, 4), (2, 2, 3, 5), (2, 3, 3, 6)];
    assert_eq!(*told.borrow(), all);
    Ok(())
}

/// Means over batches of 24, 24 and 16 rows are those over 64, and predictions are in order.
#[test]
fn evaluation_and_prediction_are_of_the_whole_set() -> Result<(), Error> {
    let data = exclusive_or()?;
    let many: Vec<usize> = (0..1500).map(|row| row * 7 % 64).collect();
    let data = data.rows(&many)?;
    let net = Dense::new(2);
    let trainer = Trainer::classifier(&net, Adam::new(0.03));
    let (cpu, variables) = (Device::cpu(), Variables::new(1));
    let measures = trainer.evaluate(&cpu, &variables, &data)?;
    let predicted = trainer.predict(&cpu, &variables, &data)?;
    let logits = predicted.get("logits").expect("a classifier predicts them");
    assert_eq!(logits.shape().dims(), [1500, 2]);
    let logits = logits.to_f64();
    let (mut loss, mut right) = (0.0, 0);
    for (logits, &label) in logits.chunks(2).zip(data.targets().words()) {
        let of = |class: usize| logits[class];
        loss += (of(0).exp() + of(1).exp()).ln() - of(label as usize);
        right += usize::from(usize::from(of(1) > of(0)) == label as usize);
    }
    // f32 losses of a batch, summed in f32.
    assert!((measures.loss - loss / 1500.0).abs() < 1e-6, "{measures}");
    assert_eq!(measures.get("accuracy"), Some(right as f64 / 1500.0));
    assert_eq!(measures.get("precision"), None);
    // Without rows there is nothing to say, and no error.
    let empty = data.rows(&[])?;
    let measures = trainer.evaluate(&cpu, &variables, &empty)?;
    assert!(measures.loss.is_nan() && measures.iter().len() == 0);
    let predicted = trainer.predict(&cpu, &variables, &empty)?;
    assert_eq!(
        predicted.get("logits").map(|array| array.shape().dims().to_vec()),
        Some(vec![0, 2])
    );
    // A trainer without a predictor says so.
    let plain = Trainer::new(|_, batch| batch.get("inputs").mean(..).into(), Sgd::new(0.1));
    let refused = plain.predict(&cpu, &variables, &data).expect_err("nothing is said");
    assert!(matches!(refused, Error::Train(TrainError::NoPredictor)));
    Ok(())
}

/// An evaluation may measure another loss than the one that is minimized; the end is told once.
#[test]
fn a_validation_has_a_step_of_its_own() -> Result<(), Error> {
    #[derive(Default)]
    struct Ends(Vec<(Ending, usize)>);
    impl Callback for Ends {
        fn on_end(&mut self, report: &Report) {
            self.0.push((report.ending, report.steps));
        }
    }
    let (data, net, mut ends) = (exclusive_or()?, Dense::new(2), Ends::default());
    let report = Trainer::classifier(&net, Adam::new(0.03))
        .epochs(2)
        .validate(&data)
        .validation_step(|_, batch| {
            let ones = batch.get("targets").cast(crate::DType::F32);
            Loss::new(ones.mean(..)).metric("most", Metric::sums([ones], [], |sums| sums[0]))
        })
        .callback(&mut ends)
        .fit(&Device::cpu(), &Variables::new(1), &data)?;
    let measures = report.validation.expect("there is a validation");
    assert_eq!(
        (measures.loss, measures.get("most"), measures.get("accuracy")),
        (0.5, Some(32.0), None)
    );
    assert_eq!(ends.0, [(Ending::Completed, 4)]);
    Ok(())
}

/// The loss of an epoch counts batches by the weights that the step gives them.
#[test]
fn losses_are_weighted() -> Result<(), Error> {
    // Rows of weight 0 have no loss worth counting; a batch of nothing else has NaN.
    let weights = [1.0f32, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 0.0];
    let values = [5.0f32, 9.0, 6.0, 9.0, 7.0, 9.0, 9.0, 9.0];
    let data = ArrayDataset::new([("w", Array::from(weights)), ("x", Array::from(values))])?;
    let mut report = Trainer::new(
        |cx, batch| {
            let (w, x) = (batch.get("w"), batch.get("x"));
            let free = cx.param("free", [1], crate::Init::Zeros).sum(..) * 0.0;
            Loss::new((w * x).sum(..) / w.sum(..) + free).weight(w.sum(..))
        },
        Sgd::new(0.0),
    )
    .epochs(1)
    .batch(1)
    .fit(&Device::cpu(), &Variables::new(0), &data)?;
    let epoch = report.epochs.pop().expect("there is one");
    assert_eq!(epoch.loss(), (5.0 + 2.0 * 6.0 + 3.0 * 7.0) / 6.0);
    Ok(())
}
