//! Data that are drawn, transformed and streamed, and what has no influence on the result.

use super::*;
use crate::{
    DType, DataError, Meta,
    data::{
        Batch, Pieces, Sampling, ShuffleBuffer, Stream, Subset,
        augment::{
            Augmented, ColorJitter, Compose, MixUp, RandomAffine, RandomCrop, RandomErasing,
            RandomFlip,
        },
    },
    nn::Flatten,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Points with noise of their own in each epoch.
struct Noisy(Labeled);

impl Dataset for Noisy {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        self.0.fields()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        self.0.get(rows)
    }

    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        let batch = self.0.rows(rows)?;
        let turns = turns.iter().map(|&turn| turn as usize);
        let noise =
            rows.iter().zip(turns).flat_map(|(row, turn)| [row * 7 + turn, row * 3 + turn * turn]);
        let noise: Vec<f64> = noise.map(|k| (k % 11) as f64 / 50.0).collect();
        let inputs = batch
            .inputs()
            .to_f64()
            .iter()
            .zip(noise)
            .map(|(x, noise)| x + noise)
            .collect::<Vec<_>>();
        let inputs = Array::from_f64(batch.inputs().meta().clone(), &inputs)?;
        Ok(Batch::new([("inputs", inputs), ("targets", batch.targets().clone())]))
    }
}

#[test]
fn workers_change_no_bit() -> Result<(), Error> {
    let data = Noisy(exclusive_or()?);
    let net = Sequential::new().add(Dense::new(8)).add(Activation::tanh()).add(Dense::new(2));
    let trained = |workers: usize, prefetch: usize| {
        let variables = Variables::new(3);
        let report = Trainer::classifier(&net, Adam::new(0.03))
            .epochs(3)
            .batch(24)
            .workers(workers)
            .prefetch(prefetch)
            .validate(&data)
            .fit(&Device::cpu(), &variables, &data)?;
        let losses: Vec<_> = report.epochs.iter().map(|epoch| epoch.loss().to_bits()).collect();
        Ok::<_, Error>((variables.to_arrays()?, losses))
    };
    let expected = trained(0, 1)?;
    assert_eq!(trained(1, 1)?, expected);
    assert_eq!(trained(5, 3)?, expected);
    // Without the noise the result is another.
    let variables = Variables::new(3);
    let mut trainer = Trainer::classifier(&net, Adam::new(0.03)).epochs(3).batch(24);
    trainer.fit(&Device::cpu(), &variables, &data.0)?;
    assert_ne!(variables.to_arrays()?, expected.0);
    Ok(())
}

/// Images that are cropped, turned, colored and mixed: a run that was stopped ends with the bits of one
/// that was not, whatever the number of workers is afterwards.
#[test]
fn transforms_resume_with_other_workers() -> Result<(), Error> {
    let pixels: Vec<f32> = (0..20 * 3 * 36).map(|k| (k * 7 % 101) as f32 / 100.0).collect();
    let classes: Vec<u32> = (0..20).map(|k| k % 3).collect();
    let data = Labeled::new(Array::new([20, 3, 6, 6], &pixels)?, Array::from(classes))?;
    let transforms = Compose::new()
        .add(RandomCrop::new([6, 6]).padding(2, 0.0))
        .add(RandomFlip::horizontal())
        .add(RandomAffine::rotation(20.0))
        .add(ColorJitter::new().brightness(0.3).hue(0.2))
        .add(RandomErasing::new().noise());
    let data = MixUp::new(Augmented::new(&data, transforms, 4)?, 3, 0.5, 4)?;
    let net = Sequential::new().add(Flatten::new()).add(Dense::new(3));
    let file = std::env::temp_dir().join(format!("wgrad-{}-mixed.safetensors", std::process::id()));
    let trainer =
        |workers| Trainer::classifier(&net, Adam::new(0.03)).epochs(3).batch(6).workers(workers);
    let cpu = Device::cpu();
    let whole = Variables::new(2);
    trainer(3).validate(&data).fit(&cpu, &whole, &data)?;
    for (stop_at, before, after) in [(2, 3, 0), (5, 0, 2), (9, 1, 4)] {
        let checkpoint = Checkpoint::new(&file);
        let mut first = trainer(before).max_steps(stop_at).checkpoint(checkpoint.clone());
        first.fit(&cpu, &Variables::new(2), &data)?;
        let resumed = Variables::new(7);
        let mut second = trainer(after).checkpoint(checkpoint).resume(Resume::Exact);
        assert_eq!(second.fit(&cpu, &resumed, &data)?.steps, 12 - stop_at);
        assert_eq!(resumed.to_arrays()?, whole.to_arrays()?, "after {stop_at} steps");
    }
    std::fs::remove_file(&file).expect("it was written");
    Ok(())
}

/// The rows of a set one after another.
struct Rows<D>(D, AtomicUsize);

impl<D: Dataset> Stream for Rows<D> {
    fn fields(&self) -> Vec<(String, Meta)> {
        self.0.fields()
    }

    fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        // Pieces of one to five rows.
        let begins =
            (0..self.0.len()).step_by(15).flat_map(|at| [at, at + 1, at + 3, at + 6, at + 10]);
        let len = self.0.len();
        Ok(Box::new(begins.enumerate().filter(move |(_, at)| *at < len).map(move |(k, at)| {
            let rows: Vec<usize> = (at..(at + 1 + k % 5).min(len)).collect();
            self.0.draw(&rows, &vec![epoch as u64; rows.len()])
        })))
    }
}

#[test]
fn a_stream_is_the_set_that_it_reads() -> Result<(), Error> {
    let data = Noisy(exclusive_or()?);
    let net = Dense::new(2);
    let trainer = || Trainer::classifier(&net, Adam::new(0.03)).epochs(3).batch(24).accumulate(2);
    let stream = Rows(&data, AtomicUsize::new(0));
    let cpu = Device::cpu();
    let [of_set, of_stream, inline] = [0; 3].map(|_| Variables::new(3));
    let report = trainer().shuffle(false).fit(&cpu, &of_set, &data)?;
    let mut known = vec![];
    let streamed = trainer()
        .on_step(|step| known.push((step.step, step.steps)))
        .fit_stream(&cpu, &of_stream, &stream)?;
    assert_eq!(of_stream.to_arrays()?, of_set.to_arrays()?);
    assert_eq!((streamed.steps, stream.1.load(Ordering::Relaxed)), (report.steps, 3));
    // The number of steps is known once an epoch has ended.
    assert_eq!(known[..4], [(1, None), (2, None), (3, None), (1, Some(3))]);
    trainer().workers(0).fit_stream(&cpu, &inline, &stream)?;
    assert_eq!(inline.to_arrays()?, of_set.to_arrays()?);
    Ok(())
}

#[test]
fn a_stream_resumes_within_an_epoch() -> Result<(), Error> {
    let data = exclusive_or()?;
    let stream = ShuffleBuffer::new(Rows(&data, AtomicUsize::new(0)), 20, 5);
    let net = Dense::new(2);
    let file =
        std::env::temp_dir().join(format!("wgrad-{}-stream.safetensors", std::process::id()));
    let trainer = || {
        let checkpoint = Checkpoint::new(&file).every_steps(1);
        Trainer::classifier(&net, Adam::new(0.03)).epochs(2).batch(10).checkpoint(checkpoint)
    };
    let cpu = Device::cpu();
    let [whole, resumed] = [0; 2].map(|_| Variables::new(3));
    let report = trainer().fit_stream(&cpu, &whole, &stream)?;
    assert_eq!((report.steps, report.ending), (14, Ending::Completed));
    for stop_at in [3, 7, 9] {
        trainer().max_steps(stop_at).fit_stream(&cpu, &Variables::new(3), &stream)?;
        let report = trainer().resume(Resume::Exact).fit_stream(&cpu, &resumed, &stream)?;
        assert_eq!(report.steps, 14 - stop_at);
        assert_eq!(resumed.to_arrays()?, whole.to_arrays()?, "after {stop_at} steps");
    }
    let error = trainer().resume(Resume::Exact).fit(&cpu, &resumed, &data);
    let error = error.expect_err("it is a set").to_string();
    let expected =
        "making of the rows: as they are, shuffled within 20 rows, seed 5, not as they are";
    assert!(error.ends_with(expected), "{error}");
    std::fs::remove_file(&file).expect("it was written");
    Ok(())
}

/// A stream whose epochs have so many rows, and which cannot be read at one of them, or past the last.
struct Faulty {
    rows: &'static [usize],
    broken: Option<usize>,
}

impl Stream for Faulty {
    fn fields(&self) -> Vec<(String, Meta)> {
        let inputs = ("inputs".to_owned(), Meta::new([2], DType::F32));
        vec![inputs, ("targets".to_owned(), Meta::new([], DType::U32))]
    }

    fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
        let broken = self.broken;
        let row = move |row: usize| {
            if broken == Some(row) {
                return Err(DataError::NoWeight { sum: 0.0 }.into());
            }
            let inputs = Array::new([1, 2], &[row as f32 / 8.0, 1.0])?;
            Ok(Batch::new([("inputs", inputs), ("targets", Array::from([row as u32 % 2]))]))
        };
        match self.rows.get(epoch - 1) {
            Some(&rows) => Ok(Box::new((0..rows).map(row))),
            None => Err(DataError::NoWeight { sum: 1.0 }.into()),
        }
    }
}

#[test]
fn a_stream_that_is_another_at_a_resume_is_an_error() -> Result<(), Error> {
    let net = Dense::new(2);
    let file =
        std::env::temp_dir().join(format!("wgrad-{}-faulty.safetensors", std::process::id()));
    let trainer = || {
        let checkpoint = Checkpoint::new(&file).every_steps(1);
        Trainer::classifier(&net, Adam::new(0.03)).epochs(2).batch(4).checkpoint(checkpoint)
    };
    let cpu = Device::cpu();
    let fit = |trainer: Trainer<'_>, rows: &'static [usize], broken| {
        let (mut trainer, variables) = (trainer, Variables::new(3));
        let report = trainer.fit_stream(&cpu, &variables, &Faulty { rows, broken })?;
        Ok::<_, Error>((report, variables.to_arrays()?))
    };
    // The second epoch is longer than the first, and is left after more steps than that has.
    let (whole, arrays) = fit(trainer(), &[6, 17], None)?;
    assert_eq!((whole.steps, whole.epochs.len()), (7, 2));
    let stopped = trainer().max_steps(6);
    let (report, _) = fit(stopped, &[6, 17], None)?;
    let last = report.last.map(|step| (step.epoch, step.step, step.steps));
    assert_eq!((report.ending, last), (Ending::Completed, Some((2, 4, Some(2)))));
    let resume = || trainer().resume(Resume::Exact);
    let short = fit(resume(), &[6, 12], None).expect_err("it ends too early").to_string();
    assert_eq!(
        short,
        "the stream ends after 3 steps, and 4 were done when the checkpoint was written"
    );
    let broken = fit(resume(), &[6, 17], Some(5)).expect_err("it cannot be read");
    assert!(matches!(broken, Error::Data(DataError::NoWeight { .. })), "{broken}");
    let (resumed, same) = fit(resume(), &[6, 17], None)?;
    assert_eq!((resumed.steps, same), (1, arrays));
    std::fs::remove_file(&file).expect("it was written");
    Ok(())
}

/// A stream may wait for its next row, which is not asked for in vain.
#[test]
fn a_stream_is_read_no_further_than_it_is_trained_on() -> Result<(), Error> {
    let net = Dense::new(2);
    let trainer = || Trainer::classifier(&net, Adam::new(0.03)).epochs(9).batch(4);
    let fit = |trainer: Trainer<'_>, rows: &'static [usize], broken| {
        let mut trainer = trainer;
        trainer.fit_stream(&Device::cpu(), &Variables::new(3), &Faulty { rows, broken })
    };
    for workers in [0, 1] {
        // The row after the second batch cannot be read, and there is no second epoch.
        let report = fit(trainer().max_steps(2).workers(workers), &[9], Some(8))?;
        assert_eq!((report.steps, report.ending), (2, Ending::Completed));
        let report = fit(trainer().max_steps(3).workers(workers), &[12], None)?;
        assert_eq!(report.steps, 3);
        let error = fit(trainer().workers(workers), &[8, 0], None).expect_err("nothing is there");
        assert!(matches!(error, Error::Train(TrainError::NoRows)), "{error}");
    }
    Ok(())
}

#[test]
fn a_checkpoint_knows_how_rows_are_made() -> Result<(), Error> {
    let images = Array::full([8, 1, 4, 4], 0.5f32)?;
    let data = Labeled::new(images, Array::full([8], 1u32)?)?;
    let net = Sequential::new().add(Flatten::new()).add(Dense::new(2));
    let file = std::env::temp_dir().join(format!("wgrad-{}-made.safetensors", std::process::id()));
    let fit = |resume, padding, seed, rows: [usize; 4]| {
        let crop = RandomCrop::new([4, 4]).padding(padding, 0.0);
        let augmented = Augmented::new(&data, crop, seed)?;
        let part = Subset::new(MixUp::new(augmented, 2, 0.3, 1)?, rows.to_vec())?;
        let checkpoint = Checkpoint::new(&file);
        let mut trainer =
            Trainer::classifier(&net, Adam::new(0.03)).epochs(1).checkpoint(checkpoint);
        trainer = trainer.resume(resume);
        trainer.fit(&Device::cpu(), &Variables::new(0), &part)
    };
    fit(Resume::Never, 1, 7, [0, 1, 2, 3])?;
    fit(Resume::Exact, 1, 7, [0, 1, 2, 3])?;
    for (padding, seed, rows) in [(2, 7, [0, 1, 2, 3]), (1, 8, [0, 1, 2, 3]), (1, 7, [0, 1, 2, 4])]
    {
        let error = fit(Resume::Exact, padding, seed, rows).expect_err("it is another");
        let is_making = |name: &str| name == "making of the rows";
        let Error::Train(TrainError::OtherSetting { name, .. }) = &error else {
            panic!("{error}");
        };
        assert!(is_making(name), "{error}");
    }
    std::fs::remove_file(&file).expect("it was written");
    Ok(())
}

#[test]
fn what_cannot_be_drawn_ends_the_training() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Dense::new(2);
    let fit = |sampling: Sampling| {
        let mut trainer = Trainer::classifier(&net, Adam::new(0.03)).epochs(1).sampling(sampling);
        trainer.fit(&Device::cpu(), &Variables::new(0), &data)
    };
    let error = fit(Sampling::weighted([1.0; 63])?).expect_err("there are 64 rows");
    assert!(matches!(error, Error::Data(DataError::Weights { weights: 63, rows: 64 })), "{error}");
    assert_eq!(fit(Sampling::balanced(data.targets().words())?)?.steps, 2);

    /// A file that cannot be read.
    struct Broken(usize);
    impl Dataset for Broken {
        fn len(&self) -> usize {
            40
        }

        fn fields(&self) -> Vec<(String, Meta)> {
            let inputs = ("inputs".to_owned(), Meta::new([2], DType::F32));
            vec![inputs, ("targets".to_owned(), Meta::new([], DType::U32))]
        }

        fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
            if rows.contains(&self.0) {
                return Err(DataError::NoWeight { sum: 0.0 }.into());
            }
            let inputs = Array::full([rows.len(), 2], 1.0f32)?;
            Ok(Batch::new([("inputs", inputs), ("targets", Array::full([rows.len()], 0u32)?)]))
        }
    }
    for workers in [0, 3] {
        let mut steps = 0;
        let error = Trainer::classifier(&net, Adam::new(0.03))
            .batch(4)
            .shuffle(false)
            .workers(workers)
            .on_step(|_| steps += 1)
            .fit(&Device::cpu(), &Variables::new(0), &Broken(30));
        assert!(matches!(error, Err(Error::Data(DataError::NoWeight { .. }))), "{error:?}");
        assert_eq!(steps, 7);
        let evaluated = Trainer::classifier(&net, Adam::new(0.03)).workers(workers).evaluate(
            &Device::cpu(),
            &Variables::new(0),
            &Subset::new(Broken(30), (0..30).collect())?,
        );
        assert!(evaluated.is_ok(), "{evaluated:?}");
    }
    Ok(())
}
