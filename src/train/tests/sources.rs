//! Data that are drawn, transformed and streamed, and what has no influence on the result.

use super::*;
use crate::{
    DType, DataError, Meta,
    data::{Batch, Pieces, Sampling, ShuffleBuffer, Stream, Subset},
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

    fn draw(&self, rows: &[usize], epoch: usize) -> Result<Batch, Error> {
        let batch = self.0.rows(rows)?;
        let noise = rows.iter().flat_map(|row| [row * 7 + epoch, row * 3 + epoch * epoch]);
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
            self.0.draw(&rows, epoch)
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
    // A set has a number of rows, and a stream none.
    let error = trainer().resume(Resume::Exact).fit(&cpu, &resumed, &data);
    let error = error.expect_err("it is a set").to_string();
    assert!(error.contains("number of rows: unknown, not 64"), "{error}");
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
                return Err(DataError::NoWeight.into());
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
        assert!(matches!(error, Err(Error::Data(DataError::NoWeight))), "{error:?}");
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
