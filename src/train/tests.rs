use super::*;
use crate::{
    Array,
    nn::{Activation, Dense, Sequential},
    optim::Adam,
};

/// Points in the plane, labeled by whether their coordinates have the same sign: not linearly
/// separable.
fn exclusive_or() -> Result<Dataset, Error> {
    let at = |i: usize| (i as f32 + 0.5) / 4.0 - 1.0;
    let points: Vec<[f32; 2]> = (0..64).map(|i| [at(i / 8), at(i % 8)]).collect();
    let labels: Vec<u32> = points.iter().map(|[x, y]| u32::from(x * y > 0.0)).collect();
    Dataset::new(Array::new([64, 2], points.as_flattened())?, Array::new([64], &labels)?)
}

#[test]
fn a_network_learns_what_a_line_cannot_separate() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Sequential::new().add(Dense::new(16)).add(Activation::tanh()).add(Dense::new(2));
    let variables = Variables::new(1);
    // 64 rows in batches of 24 leave one of 16.
    let optimizer = Adam::new(0.03);
    let trainer = Trainer::new(&net, &optimizer).epochs(60).batch(24);
    let mut seen = 0;
    let report =
        trainer.fit(&Device::cpu(), &variables, (&data, &data), &mut |epoch: &Epoch| {
            seen += 1;
            assert_eq!(epoch.number, seen);
            ControlFlow::Continue(())
        })?;
    assert_eq!((report.steps, seen), (180, 60));
    assert!(report.confusion.accuracy() > 0.9, "{}", report.confusion);
    assert!(variables.paths().iter().any(|path| path == "net/0:dense/weight"));
    Ok(())
}

#[test]
fn the_callback_ends_the_training() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    let optimizer = Adam::new(0.03);
    let report = Trainer::new(&net, &optimizer).fit(
        &Device::cpu(),
        &Variables::new(1),
        (&data, &data),
        &mut |_| ControlFlow::Break(()),
    )?;
    assert_eq!(report.epochs.len(), 1);
    Ok(())
}

/// Labels from 1 to 10 of 10 classes, and PyTorch's -100.
#[test]
fn labels_that_are_no_class_are_refused_before_the_first_step() -> Result<(), Error> {
    let of = |labels: [u32; 4]| {
        let images = Array::new([4, 2], &[1.0f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.5, 0.5])?;
        Dataset::new(images, Array::new([4], &labels)?)
    };
    let good = of([0, 1, 2, 2])?;
    let (net, optimizer) = (Dense::new(3), Adam::new(0.03));
    for (label, bad) in [(3, of([1, 2, 3, 1])?), (-100i32 as u32, of([1, 2, -100i32 as u32, 1])?)] {
        for (name, sets) in [("training targets", (&bad, &good)), ("test targets", (&good, &bad))] {
            let variables = Variables::new(1);
            let trained =
                Trainer::new(&net, &optimizer)
                    .fit(&Device::cpu(), &variables, sets, &mut |_| ControlFlow::Continue(()));
            let Err(Error::Run(error)) = trained else { unreachable!("{label} of 3 classes") };
            let (name, position, extent) = (name.to_owned(), 2, 3);
            assert_eq!(
                error,
                RunError::IndexOutOfRange { name, index: label.into(), position, extent }
            );
            assert!(variables.paths().is_empty());
        }
    }
    Ok(())
}

#[test]
fn a_batch_has_images() -> Result<(), Error> {
    let data = exclusive_or()?;
    let (net, optimizer) = (Dense::new(2), Adam::new(0.03));
    let trained = Trainer::new(&net, &optimizer).batch(0).fit(
        &Device::cpu(),
        &Variables::new(1),
        (&data, &data),
        &mut |_| ControlFlow::Continue(()),
    );
    let text = trained.expect_err("there is nothing to learn from").to_string();
    assert!(text.ends_with("(batch must be positive, not 0)"), "{text}");
    Ok(())
}

#[test]
fn every_step_is_told() -> Result<(), Error> {
    let data = exclusive_or()?;
    let (net, optimizer) = (Dense::new(2), Adam::new(0.03));
    let told = std::cell::RefCell::new(Vec::new());
    let on_step = |step: Step| told.borrow_mut().push((step.epoch, step.step, step.steps));
    let trainer = Trainer::new(&net, &optimizer).epochs(2).batch(24).on_step(&on_step);
    let mut on_epoch = |epoch: &Epoch| {
        // All steps of an epoch come before its end.
        assert_eq!(told.borrow().last(), Some(&(epoch.number, 3, 3)));
        ControlFlow::Continue(())
    };
    trainer.fit(&Device::cpu(), &Variables::new(1), (&data, &data), &mut on_epoch)?;
    let all = [(1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3)];
    assert_eq!(*told.borrow(), all);
    Ok(())
}
