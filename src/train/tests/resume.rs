//! Trainings that go on from a checkpoint.

use super::*;
use crate::{
    DType,
    io::{safetensors, write_atomically},
    nn::{Dropout, Mode},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("it can be made");
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Counts what it is told, and ends the training after some step or epoch.
#[derive(Default)]
struct Counter {
    steps: usize,
    losses: String,
    stop_at: Option<usize>,
    stop_after: Option<usize>,
}

impl Callback for Counter {
    fn on_step(&mut self, step: &Step) -> ControlFlow<()> {
        self.steps += 1;
        match self.stop_at == Some(step.total) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn on_epoch(&mut self, epoch: &Epoch, _: &Variables) -> ControlFlow<()> {
        self.losses += format!("{epoch:?}").split("seconds").next().expect("text");
        match self.stop_after == Some(epoch.number) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn key(&self) -> Option<&str> {
        Some("counter")
    }

    fn save(&self) -> String {
        format!("{}:{}", self.steps, self.losses)
    }

    fn load(&mut self, state: &str) {
        let (steps, losses) = state.split_once(':').expect("it was saved");
        (self.steps, self.losses) = (steps.parse().expect("a number"), losses.to_owned());
    }
}

/// [`constant`] with a schedule that has a plateau.
fn trainer<'a>(net: &'a Sequential, data: &'a Labeled, rate: f64) -> Trainer<'a> {
    let plateau = Plateau::minimize("loss").patience(0).absolute_threshold(1.0);
    let cosine = Schedule::cosine(1.0, 0.1, Span::steps(9));
    constant(net, data, rate).schedule(cosine.times(plateau))
}

/// Two objectives with dropout, momentum, an interval, noise, metrics of every kind, weights and averages.
fn constant<'a>(net: &'a Sequential, data: &'a Labeled, rate: f64) -> Trainer<'a> {
    let classify = Objective::new(
        "classify",
        |cx, batch| {
            let (x, labels) = (batch.get("inputs"), batch.get("targets"));
            let x = if cx.mode() == Mode::Train { x + cx.normal(x.shape()) * 0.1 } else { x };
            let logits = net.forward(&mut cx.child("net"), x);
            let ones = labels.cast(DType::F32).sum(..);
            Loss::new(nn::cross_entropy(logits, labels))
                .weight(ones)
                .metric("accuracy", Metric::accuracy(logits, labels))
                .metric("f1", Metric::f1(logits, labels, Average::Macro))
                .metric("auc", Metric::auc(logits.slice(1, 1..2).reshape([-1]), labels))
        },
        Adam::new(rate).average(0.9).skip_non_finite(),
    );
    let shrink = Objective::new(
        "shrink",
        |cx, batch| {
            let logits = net.forward(&mut cx.child("net"), batch.get("inputs"));
            (logits * logits).mean(..).into()
        },
        Sgd::new(0.01).momentum(0.9),
    );
    Trainer::of([classify, shrink.every(3)]).batch(24).seed(4).validate(data)
}

fn net() -> Sequential {
    Sequential::new()
        .add(Dense::new(5))
        .add(Activation::tanh())
        .add(Dropout::new(0.25))
        .add(Dense::new(2))
}

fn told(report: &Report) -> String {
    let epoch = report.epochs.last().expect("an epoch ended");
    format!("{:?} {:?} {:?}", epoch.objectives, epoch.validation, report.confusion())
}

/// Wherever it is interrupted, a training ends with the bits of one that was not: variables, losses,
/// metrics, and what its callbacks know.
#[test]
fn a_training_goes_on_from_any_step() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("any-step"), exclusive_or()?, net());
    let cpu = Device::cpu();
    let (whole, mut counted) = (Variables::new(2), Counter::default());
    // 64 rows in batches of 24: 3 steps an epoch.
    let report =
        trainer(&net, &data, 0.02).epochs(3).callback(&mut counted).fit(&cpu, &whole, &data)?;
    let expected = (whole.to_arrays()?, told(&report), counted.save());
    for stop_at in 1..9 {
        let checkpoint = || Checkpoint::new(folder.file()).setting("data", "exclusive or");
        let mut first = Counter { stop_at: Some(stop_at), ..Counter::default() };
        let stopped = trainer(&net, &data, 0.02)
            .epochs(3)
            .callback(&mut first)
            .checkpoint(checkpoint())
            .fit(&cpu, &Variables::new(2), &data)?;
        assert_eq!((stopped.ending, stopped.steps), (Ending::Stopped, stop_at));
        let summary = Checkpoint::summary(&folder.file())?;
        assert_eq!((summary.total, summary.epochs), (stop_at, (stop_at - 1) / 3));
        // The seed of the store counts for nothing any more: all that was drawn is in the file.
        let (resumed, mut second) = (Variables::new(77), Counter::default());
        let report = trainer(&net, &data, 0.02)
            .epochs(3)
            .callback(&mut second)
            .checkpoint(checkpoint())
            .resume(Resume::Exact)
            .fit(&cpu, &resumed, &data)?;
        assert_eq!(report.steps, 9 - stop_at);
        // The seed of random numbers is a variable as well.
        assert_eq!((resumed.to_arrays()?, told(&report), second.save()), expected, "{stop_at}");
        fs::remove_file(folder.file()).expect("it is there");
    }
    Ok(())
}

/// After an epoch, and when all are done: nothing is left but the evaluation.
#[test]
fn a_training_goes_on_after_an_epoch() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("epochs"), exclusive_or()?, net());
    let (cpu, whole) = (Device::cpu(), Variables::new(2));
    let with = || trainer(&net, &data, 0.02).checkpoint(Checkpoint::new(folder.file()));
    let complete = trainer(&net, &data, 0.02).epochs(2).fit(&cpu, &whole, &data)?;
    with().epochs(1).fit(&cpu, &Variables::new(2), &data)?;
    let resumed = Variables::new(2);
    let report = with().epochs(2).resume(Resume::Exact).fit(&cpu, &resumed, &data)?;
    assert_eq!(report.epochs.iter().map(|epoch| epoch.number).collect::<Vec<_>>(), [2]);
    assert_eq!(resumed.to_arrays()?, whole.to_arrays()?);
    assert_eq!(told(&report), told(&complete));
    let again = with().epochs(2).resume(Resume::Exact).fit(&cpu, &Variables::new(2), &data)?;
    assert_eq!((again.steps, again.epochs.len(), again.ending), (0, 0, Ending::Completed));
    assert_eq!(again.validation, complete.validation);
    assert_eq!(again.last.map(|step| (step.epoch, step.step)), Some((2, 3)));
    Ok(())
}

/// With gradients that are accumulated as well; in other parts it is another training.
#[test]
fn a_training_in_parts_goes_on() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("parts"), exclusive_or()?, net());
    let (cpu, whole) = (Device::cpu(), Variables::new(2));
    let with = || trainer(&net, &data, 0.02).epochs(2).accumulate(3);
    let file = || Checkpoint::new(folder.file());
    with().fit(&cpu, &whole, &data)?;
    for steps in 1..6 {
        with().max_steps(steps).checkpoint(file()).fit(&cpu, &Variables::new(2), &data)?;
        let resumed = Variables::new(2);
        with().checkpoint(file()).resume(Resume::Exact).fit(&cpu, &resumed, &data)?;
        assert_eq!(resumed.to_arrays()?, whole.to_arrays()?, "{steps}");
    }
    let other = with().accumulate(2).checkpoint(file()).resume(Resume::Exact);
    let error = { other }.fit(&cpu, &Variables::new(2), &data).expect_err("they differ");
    assert!(error.to_string().ends_with(" is of another number of parts: 3, not 2"), "{error}");
    Ok(())
}

/// Checkpoints come at their interval, and each is one of that step.
#[test]
fn checkpoints_are_written_when_they_are_due() -> Result<(), Error> {
    struct Told(Vec<usize>);
    impl Callback for Told {
        fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
            assert!(written.is_ok());
            self.0.push(last.total);
        }
    }
    let (folder, data, net) = (Folder::new("due"), exclusive_or()?, net());
    let mut told = Told(vec![]);
    trainer(&net, &data, 0.02)
        .epochs(3)
        .callback(&mut told)
        .checkpoint(Checkpoint::new(folder.file()).every_steps(2))
        .fit(&Device::cpu(), &Variables::new(2), &data)?;
    // At 6 one is due and an epoch ends: it holds the sums of the epoch, then none.
    assert_eq!(told.0, [2, 3, 4, 6, 6, 8, 9]);
    let mut all = Told(vec![]);
    trainer(&net, &data, 0.02)
        .epochs(1)
        .callback(&mut all)
        .checkpoint(Checkpoint::new(folder.file()).every(std::time::Duration::ZERO))
        .fit(&Device::cpu(), &Variables::new(2), &data)?;
    assert_eq!(all.0, [1, 2, 3, 3]);
    Ok(())
}

/// A flag that another thread sets ends the training before the next step, with a checkpoint.
#[test]
fn a_training_stops_when_it_is_asked_to() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("asked"), exclusive_or()?, net());
    let stop = AtomicBool::new(false);
    let report = trainer(&net, &data, 0.02)
        .epochs(3)
        .stop_on(&stop)
        .on_step(|step| stop.store(step.total == 5, Ordering::Relaxed))
        .checkpoint(Checkpoint::new(folder.file()))
        .fit(&Device::cpu(), &Variables::new(2), &data)?;
    assert_eq!((report.ending, report.steps, report.epochs.len()), (Ending::Interrupted, 5, 1));
    assert!(report.unsaved.is_none());
    assert_eq!(Checkpoint::summary(&folder.file())?.total, 5);
    Ok(())
}

/// A learning rate that was changed on the way is that of the checkpoint; what the code says counts
/// only if it is another computation.
#[test]
fn settings_are_those_of_the_checkpoint() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("settings"), exclusive_or()?, net());
    let cpu = Device::cpu();
    let rate = "train/classify/optim/lr";
    struct Halve<'a>(&'a str);
    impl Callback for Halve<'_> {
        fn on_epoch(&mut self, _: &Epoch, variables: &Variables) -> ControlFlow<()> {
            let rate = variables.get(self.0).expect("it is there").to_f64()[0] as f32;
            variables.set(self.0, Array::from(rate / 2.0)).expect("it is there");
            ControlFlow::Continue(())
        }
    }
    // Without a schedule, which would set it again.
    let with = |rate| constant(&net, &data, rate).checkpoint(Checkpoint::new(folder.file()));
    let whole = Variables::new(2);
    constant(&net, &data, 0.5).epochs(3).callback(Halve(rate)).fit(&cpu, &whole, &data)?;
    with(0.5).epochs(2).callback(Halve(rate)).fit(&cpu, &Variables::new(2), &data)?;
    let resumed = Variables::new(2);
    with(0.5).epochs(3).callback(Halve(rate)).resume(Resume::Exact).fit(&cpu, &resumed, &data)?;
    assert_eq!(resumed.get(rate)?, Array::from(0.0625f32));
    assert_eq!(resumed.to_arrays()?, whole.to_arrays()?);

    let other = with(0.25).epochs(4).resume(Resume::Exact).fit(&cpu, &Variables::new(2), &data);
    assert!(matches!(other, Err(Error::Train(TrainError::OtherComputation { .. }))), "{other:?}");
    let variables = Variables::new(2);
    with(0.25).epochs(4).resume(Resume::Anyway).fit(&cpu, &variables, &data)?;
    assert_eq!(variables.get(rate)?, Array::from(0.25f32));
    Ok(())
}

/// The checkpoint of another training is refused, and changes nothing.
#[test]
fn other_checkpoints_are_refused() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("others"), exclusive_or()?, net());
    let (cpu, file) = (Device::cpu(), folder.file());
    let checkpoint = |setting: &str| Checkpoint::new(&file).setting("data", setting);
    let with = |setting: &str| trainer(&net, &data, 0.02).epochs(2).checkpoint(checkpoint(setting));
    let refused = |mut trainer: Trainer<'_>, device: &Device, data: &Labeled| {
        let variables = Variables::new(2);
        let error = trainer.fit(device, &variables, data).expect_err("it is another");
        assert!(variables.paths().is_empty(), "{error}");
        error.to_string()
    };
    let missing = refused(with("a").resume(Resume::Exact), &cpu, &data);
    assert!(missing.starts_with(&format!("{}: ", file.display())), "{missing}");
    with("a").epochs(1).fit(&cpu, &Variables::new(2), &data)?;
    let ends = |text: String, end: &str| assert!(text.ends_with(end), "{text}");
    for resume in [Resume::Exact, Resume::Anyway] {
        ends(refused(with("b").resume(resume), &cpu, &data), " is of another data: a, not b");
        let seed = with("a").seed(5).resume(resume);
        ends(refused(seed, &cpu, &data), " is of another seed: 4, not 5");
        let batch = with("a").batch(25).resume(resume);
        ends(refused(batch, &cpu, &data), " is of another batch size: 24, not 25");
        let fewer = data.rows(&(0..60).collect::<Vec<_>>())?;
        let rows = with("a").resume(resume);
        ends(refused(rows, &cpu, &fewer), " is of another number of rows: 64, not 60");
        let sole = Trainer::of([Objective::of("classify", Classifier(&net), Adam::new(0.02))]);
        let sole = sole.batch(24).seed(4).checkpoint(checkpoint("a")).resume(resume);
        ends(refused(sole, &cpu, &data), " is of another number of objectives: 2, not 1");
    }
    let other = with("a").schedule(Schedule::constant(0.5)).resume(Resume::Exact);
    ends(refused(other, &cpu, &data), "more than 0 epochs), not constant 0.5");
    let reference = refused(with("a").resume(Resume::Exact), &Device::Reference, &data);
    assert!(reference.contains("is of another device"), "{reference}");
    // Who asks for it may go on there.
    let moved = with("a").epochs(1).resume(Resume::Anyway);
    let report = { moved }.fit(&Device::Reference, &Variables::new(2), &data)?;
    assert_eq!(report.steps, 0);

    // Another version, no checkpoint at all, and every way to damage one.
    let (arrays, note) = safetensors::read_with_note(&file)?;
    let store = Variables::new(0);
    store.insert_all(arrays)?;
    let note: Value = serde_json::from_str(&note.expect("it has one")).expect("JSON");
    let save = |note: &Value| safetensors::save_with_note(&file, &store, "", &note.to_string());
    let mut newer = note.clone();
    newer["wgrad checkpoint"] = 3.into();
    save(&newer)?;
    let text = refused(with("a").resume(Resume::Exact), &cpu, &data);
    ends(text, " is a checkpoint of version 3, and this is version 2");
    let keys: Vec<String> = note.as_object().expect("an object").keys().cloned().collect();
    for key in keys {
        for value in [Value::Null, (-1).into(), "text".into(), Value::Array(vec![Value::Null])] {
            let mut damaged = note.clone();
            damaged[&key] = value;
            save(&damaged)?;
            let text = refused(with("a").resume(Resume::Exact), &cpu, &data);
            assert!(text.starts_with(&*file.to_string_lossy()), "{key}: {text}");
        }
    }
    save(&Value::Null)?;
    ends(
        refused(with("a").resume(Resume::Exact), &cpu, &data),
        " is no checkpoint of a training run",
    );
    write_atomically(&file, b"")?;
    refused(with("a").resume(Resume::Exact), &cpu, &data);
    Ok(())
}

/// A position or sums that no training has, in a file that is otherwise right, end in an error or a
/// number, never in a panic.
#[test]
fn hostile_positions_do_no_harm() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("hostile"), exclusive_or()?, net());
    let (cpu, file) = (Device::cpu(), folder.file());
    let with = || trainer(&net, &data, 0.02).epochs(2).checkpoint(Checkpoint::new(&file));
    let mut stop = Counter { stop_at: Some(2), ..Counter::default() };
    with().callback(&mut stop).fit(&cpu, &Variables::new(2), &data)?;
    let (arrays, note) = safetensors::read_with_note(&file)?;
    let note: Value = serde_json::from_str(&note.expect("it has one")).expect("JSON");
    for (path, value) in [
        ("/epoch", u64::MAX.into()),
        ("/step", u64::MAX.into()),
        ("/step", 4.into()),
        ("/total", u64::MAX.into()),
        ("/sums/0/metrics/0/sums", serde_json::json!([])),
        ("/sums/0/metrics/1/classes", 0.into()),
        ("/sums/0/metrics/1/counts", serde_json::json!([[0, 1, u64::MAX], [0, 1, 7]])),
        ("/sums/0/metrics/2/rows", serde_json::json!([])),
        ("/sums/0/metrics/2/rows", serde_json::json!([["NaN"], []])),
        ("/sums/0/metrics", serde_json::json!([])),
        ("/sums/0/weight", "-inf".into()),
    ] {
        let mut hostile = note.clone();
        *hostile.pointer_mut(path).expect("it is there") = value;
        let store = Variables::new(0);
        store.insert_all(arrays.clone())?;
        safetensors::save_with_note(&file, &store, "", &hostile.to_string())?;
        let _ = with().resume(Resume::Exact).fit(&cpu, &Variables::new(2), &data);
    }
    // A variable of another shape.
    let store = Variables::new(0);
    store.insert_all(arrays)?;
    let path = "net/0:dense/bias";
    let others = store.to_arrays()?.into_iter().filter(|(known, _)| known != path);
    let wrong = Variables::new(0);
    wrong.insert_all(others.chain([(path.to_owned(), Array::full([7], 0.0f32)?)]))?;
    safetensors::save_with_note(&file, &wrong, "", &note.to_string())?;
    let error = with().resume(Resume::Exact).fit(&cpu, &Variables::new(2), &data);
    let error = error.expect_err("it does not fit").to_string();
    assert!(error.contains(path), "{error}");
    Ok(())
}

/// A run that was killed behind the last step of an epoch, before the epoch ended, and is to have fewer
/// steps than it has already.
#[test]
fn fewer_steps_than_are_done_are_no_harm() -> Result<(), Error> {
    struct Copy<'a>(&'a Path, PathBuf);
    impl Callback for Copy<'_> {
        fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
            assert!(written.is_ok());
            if last.step == 3 && !self.1.exists() {
                fs::copy(self.0, &self.1).expect("it was written");
            }
        }
    }
    let (folder, data, net) = (Folder::new("fewer"), exclusive_or()?, net());
    let (file, cpu) = (folder.0.join("checkpoint.safetensors"), Device::cpu());
    let killed = folder.0.join("killed.safetensors");
    let variables = Variables::new(2);
    let whole = trainer(&net, &data, 0.02).batch(24).epochs(1);
    whole
        .callback(Copy(&file, killed.clone()))
        .checkpoint(Checkpoint::new(&file).every_steps(1))
        .fit(&cpu, &variables, &data)?;
    let resumed = Variables::new(2);
    let report = trainer(&net, &data, 0.02)
        .batch(24)
        .epochs(4)
        .max_steps(1)
        .checkpoint(Checkpoint::new(&killed))
        .resume(Resume::Exact)
        .fit(&cpu, &resumed, &data)?;
    assert_eq!((report.steps, report.epochs.len(), report.ending), (0, 1, Ending::Completed));
    assert_eq!(resumed.to_arrays()?, variables.to_arrays()?);
    Ok(())
}

/// A file that cannot be written is told before the first step; one that cannot be written later
/// leaves the one before, and does not end the training.
#[test]
fn a_full_disk_loses_nothing() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("full"), exclusive_or()?, net());
    let cpu = Device::cpu();
    let nowhere = folder.0.join("none/checkpoint.safetensors");
    let mut counter = Counter::default();
    let error = trainer(&net, &data, 0.02)
        .callback(&mut counter)
        .checkpoint(Checkpoint::new(&nowhere))
        .fit(&cpu, &Variables::new(2), &data)
        .expect_err("there is no such folder");
    assert!(error.to_string().starts_with(&*nowhere.to_string_lossy()), "{error}");
    assert_eq!(counter.steps, 0);

    struct Vanish<'a>(&'a Path, Vec<bool>);
    impl Callback for Vanish<'_> {
        fn on_epoch(&mut self, epoch: &Epoch, _: &Variables) -> ControlFlow<()> {
            let away = self.0.with_extension("away");
            match epoch.number {
                2 => fs::rename(self.0, away).expect("it is there"),
                3 => fs::rename(away, self.0).expect("it is there"),
                _ => {}
            }
            ControlFlow::Continue(())
        }

        fn on_checkpoint(&mut self, _: &Step, written: Result<(), &Error>) {
            self.1.push(written.is_ok());
        }
    }
    let inner = folder.0.join("inner");
    fs::create_dir(&inner).expect("it can be made");
    let file = inner.join("checkpoint.safetensors");
    let mut vanish = Vanish(&inner, vec![]);
    let report = trainer(&net, &data, 0.02)
        .epochs(3)
        .callback(&mut vanish)
        .checkpoint(Checkpoint::new(&file))
        .fit(&cpu, &Variables::new(2), &data)?;
    assert_eq!((vanish.1, report.unsaved.is_none()), (vec![true, false, true], true));
    assert_eq!(Checkpoint::summary(&file)?.epochs, 3);
    let mut vanish = Vanish(&inner, vec![]);
    let report = trainer(&net, &data, 0.02)
        .epochs(2)
        .callback(&mut vanish)
        .checkpoint(Checkpoint::new(&file))
        .fit(&cpu, &Variables::new(2), &data)?;
    assert!(report.unsaved.is_some_and(|error| error.to_string().contains("checkpoint")));
    Ok(())
}

/// Variables of the user's own, which no program declares, are in a checkpoint too.
#[test]
fn all_variables_of_the_store_are_kept() -> Result<(), Error> {
    let (folder, data, net) = (Folder::new("own"), exclusive_or()?, net());
    let (cpu, variables) = (Device::cpu(), Variables::new(2));
    variables.insert("notes/age", Array::from(41.5f32))?;
    let with = || trainer(&net, &data, 0.02).checkpoint(Checkpoint::new(folder.file()));
    with().epochs(1).fit(&cpu, &variables, &data)?;
    let resumed = Variables::new(2);
    with().epochs(2).resume(Resume::Exact).fit(&cpu, &resumed, &data)?;
    assert_eq!(resumed.get("notes/age")?, Array::from(41.5f32));
    Ok(())
}
