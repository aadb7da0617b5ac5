//! Batches that are chosen by memory.

use super::*;
use crate::{io::safetensors, nn::BatchNorm};

fn net() -> Sequential {
    Sequential::new().add(Dense::new(64)).add(Activation::tanh()).add(Dense::new(2))
}

fn rows(count: usize) -> Result<Labeled, Error> {
    let inputs: Vec<f32> = (0..count * 8).map(|k| (k % 17) as f32 / 17.0).collect();
    let labels: Vec<u32> = (0..count as u32).map(|row| row % 2).collect();
    Labeled::new(Array::new([count, 8], &inputs)?, Array::new([count], &labels)?)
}

fn chosen(trainer: Trainer<'_>, data: &Labeled) -> Result<BatchChoice, Error> {
    let mut trainer = trainer.max_steps(1);
    let report = trainer.fit(&Device::cpu(), &Variables::new(0), data)?;
    Ok(report.auto_batch.expect("it was asked for"))
}

/// The batch is the largest power of 2 that fits, and what it takes is what its plan says.
#[test]
fn the_largest_batch_fits() -> Result<(), Error> {
    let (net, data, cpu) = (net(), rows(256)?, Device::cpu());
    let trainer = || Trainer::classifier(&net, Adam::new(0.1));
    let choose = |memory: u64| {
        let choice = chosen(trainer().auto_batch(AutoBatch::largest().memory(memory)), &data)?;
        assert_eq!(choice.limit, MemoryLimit::Given(memory));
        Ok::<_, Error>((choice.batch, choice.parts, choice.bytes.expect("it was predicted")))
    };
    let bytes = |batch| choose_exactly(trainer(), &data, batch);
    for batch in [1, 8, 64, 256] {
        let enough = bytes(batch)?;
        assert_eq!(choose(enough)?, (batch, 1, enough));
        if batch > 1 {
            assert_eq!(choose(enough - 1)?, (batch / 2, 1, bytes(batch / 2)?));
        }
    }
    // All rows, if they fit.
    let (batch, parts, all) = choose(1 << 30)?;
    assert_eq!((batch, parts), (256, 1));
    let plan = trainer().step(&cpu, &data, 256)?.plan().map(|plan| plan.peak_bytes() as u64);
    // Three batches and three losses are in flight, of which the plan has one.
    assert_eq!(Some(all), plan.map(|plan| plan + 2 * (256 * 9 * 4 + 4)));
    let most = chosen(trainer().auto_batch(AutoBatch::at_most(50).memory(1 << 30)), &data)?;
    assert_eq!(most.batch, 50);
    assert!(most.to_string().ends_with(" of 1.0 GiB, as given"), "{most}");

    let uneven = chosen(trainer().auto_batch(AutoBatch::largest().memory(1 << 30)), &rows(300)?)?;
    assert_eq!(uneven.batch, 300);

    let error = choose(1000).expect_err("the weights alone take more");
    let is_it = matches!(
        error,
        Error::Train(TrainError::NoBatchFits { bytes, limit: Some(1000) }) if bytes > 1000
    );
    assert!(is_it, "{error:?}");
    Ok(())
}

/// Bytes of a training with a batch, by a limit that anything fits.
fn choose_exactly(trainer: Trainer<'_>, data: &Labeled, batch: usize) -> Result<u64, Error> {
    let choice = chosen(trainer.auto_batch(AutoBatch::at_most(batch).memory(u64::MAX)), data)?;
    assert_eq!(choice.batch, batch);
    Ok(choice.bytes.expect("it was predicted"))
}

/// A batch that does not fit runs in parts that do; where its statistics count, that is refused.
#[test]
fn a_batch_runs_in_parts_that_fit() -> Result<(), Error> {
    let (net, data) = (net(), rows(256)?);
    let trainer =
        || Trainer::classifier(&net, Sgd::new(0.1)).batch(256).auto_batch(AutoBatch::in_parts());
    let with = |memory: u64| {
        Trainer::classifier(&net, Sgd::new(0.1))
            .batch(256)
            .auto_batch(AutoBatch::in_parts().memory(memory))
    };
    let whole = chosen(trainer(), &data)?;
    assert_eq!((whole.batch, whole.parts), (256, 1));
    assert!(matches!(whole.limit, MemoryLimit::System(_)), "{whole}");
    assert!(whole.to_string().contains("four fifths of what the system has left"), "{whole}");
    let bytes = whole.bytes.expect("it was predicted");
    let split = chosen(with(bytes / 2), &data)?;
    assert!(split.parts > 1 && split.bytes <= Some(bytes / 2), "{split}");
    assert!(
        split.to_string().starts_with(&format!("batches of 256 rows in {} parts: ", split.parts))
    );

    let normalized = Sequential::new().add(Dense::new(64)).add(BatchNorm::new()).add(Dense::new(2));
    let trainer = Trainer::classifier(&normalized, Sgd::new(0.1)).batch(256);
    let refused = chosen(trainer.auto_batch(AutoBatch::in_parts().memory(60_000)), &data);
    assert!(matches!(refused, Err(Error::Graph(crate::GraphError::BatchStatistics { .. }))));
    Ok(())
}

/// The parts of a trainer stay, a batch of many rows may be asked for, and no batch of 0 is mended.
#[test]
fn what_was_said_of_batches_stays() -> Result<(), Error> {
    let (net, data) = (Dense::new(2), rows(100)?);
    let trainer = || Trainer::classifier(&net, Sgd::new(0.1));
    let choice =
        chosen(trainer().accumulate(3).auto_batch(AutoBatch::largest().memory(1 << 30)), &data)?;
    assert_eq!((choice.batch, choice.parts), (100, 3));
    let one = Labeled::new(Array::full([70_000, 1], 1f32)?, Array::full([70_000], 0u32)?)?;
    let most = chosen(trainer().auto_batch(AutoBatch::at_most(1 << 20).memory(1 << 30)), &one)?;
    assert_eq!(most.batch, 70_000);
    let largest = chosen(trainer().auto_batch(AutoBatch::largest().memory(1 << 30)), &one)?;
    assert_eq!(largest.batch, 65_536);
    // 100 rows in 64 parts would be two each: 50 parts.
    let split = chosen(trainer().batch(100).auto_batch(AutoBatch::in_parts().memory(900)), &data);
    if let Ok(split) = split {
        assert_eq!(split.parts, 100usize.div_ceil(100usize.div_ceil(split.parts)));
    }
    let none = chosen(trainer().batch(0).auto_batch(AutoBatch::in_parts().memory(1 << 30)), &data);
    assert!(none.is_err_and(|error| error.to_string().contains("batch must be positive")));
    Ok(())
}

/// A training that resumes has the batch of its checkpoint, however much memory there is now.
#[test]
fn a_resume_does_not_choose_again() -> Result<(), Error> {
    let (net, data, cpu) = (net(), rows(256)?, Device::cpu());
    let file = std::env::temp_dir().join(format!("wgrad-auto-{}.safetensors", std::process::id()));
    let with = |memory: u64| {
        Trainer::classifier(&net, Adam::new(0.1))
            .checkpoint(Checkpoint::new(&file))
            .auto_batch(AutoBatch::largest().memory(memory))
    };
    let first = with(60_000).epochs(1).fit(&cpu, &Variables::new(0), &data)?;
    let batch = first.auto_batch.map(|choice| choice.batch);
    let variables = Variables::new(0);
    let second = with(1 << 30).epochs(2).resume(Resume::Exact).fit(&cpu, &variables, &data)?;
    let choice = second.auto_batch.expect("it was asked for");
    assert_eq!((Some(choice.batch), choice.limit), (batch, MemoryLimit::Checkpoint));
    assert!(choice.to_string().ends_with(", as the checkpoint has it"), "{choice}");
    assert!(batch < Some(256) && second.steps == first.steps, "{batch:?}");

    // A file that says no batch is no checkpoint.
    let (arrays, note) = safetensors::read_with_note(&file)?;
    let store = Variables::new(0);
    store.insert_all(arrays)?;
    let note = note.expect("it has one").replace("\"batch size\":", "\"badge size\":");
    safetensors::save_with_note(&file, &store, "", &note)?;
    let refused = with(1 << 30).resume(Resume::Exact).fit(&cpu, &Variables::new(0), &data);
    assert!(matches!(refused, Err(Error::Train(TrainError::NotACheckpoint { .. }))), "{refused:?}");
    std::fs::remove_file(&file).expect("it was written");
    Ok(())
}
