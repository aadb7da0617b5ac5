//! A device that is lost in mid-training, and what goes on from the last checkpoint.

use super::*;
use crate::{
    DeviceError, Outputs, Program, RunError, VariableError,
    data::Labeled,
    io::safetensors,
    nn::{Activation, Dense, Dropout, Mode, Module, Scope, Sequential, mean_squared_error},
    optim::{Adam, Optimizer},
    train::{Callback, Checkpoint, Resume, Step, Trainer},
};
use std::{path::PathBuf, sync::Barrier};

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Device(DeviceError::Lost { .. }))
}

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("wgrad-{}-{name}.safetensors", std::process::id());
        File(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The last epoch whose checkpoint was written.
#[derive(Default)]
struct Saved(usize);

impl Callback for Saved {
    fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
        assert!(written.is_ok());
        self.0 = last.epoch;
    }
}

/// Points of a grid and whether their coordinates have the same sign.
fn quadrants() -> Result<Labeled, Error> {
    let at = |i: usize| (i as f32 + 0.5) / 2.0 - 1.0;
    let points: Vec<[f32; 2]> = (0..16).map(|i| [at(i / 4), at(i % 4)]).collect();
    let labels: Vec<u32> = points.iter().map(|[x, y]| u32::from(x * y > 0.0)).collect();
    Labeled::new(Array::new([16, 2], points.as_flattened())?, Array::new([16], &labels)?)
}

/// Moments, counters and random numbers are all in the checkpoint, and the order of the rows follows
/// from the number of the epoch: what was resumed ends with the bits of what was not interrupted.
#[test]
fn a_training_goes_on_from_its_checkpoint() -> Result<(), Error> {
    let (Some(gpu), Some(first), Some(next)) = (device(), own_device(), own_device()) else {
        return Ok(());
    };
    let data = quadrants()?;
    let net = Sequential::new()
        .add(Dense::new(6))
        .add(Activation::tanh())
        .add(Dropout::new(0.25))
        .add(Dense::new(2));
    let trainer =
        || Trainer::classifier(&net, Adam::new(0.03)).epochs(4).batch(6).seed(5).validate(&data);
    let uninterrupted = Variables::new(3);
    trainer().fit(&Device::Gpu(gpu.clone()), &uninterrupted, &data)?;

    let file = File::new("epochs");
    let (variables, mut saved) = (Variables::new(3), Saved::default());
    let lose = |step: &Step| {
        if (step.epoch, step.step) == (3, 2) {
            first.lose();
        }
    };
    let interrupted = trainer()
        .checkpoint(Checkpoint::new(&file.0))
        .callback(&mut saved)
        .on_step(lose)
        .fit(&Device::Gpu(first.clone()), &variables, &data);
    assert!(interrupted.is_err_and(|error| is_lost(&error)));
    assert_eq!(saved.0, 2);
    let backup = File::new("backup");
    std::fs::copy(&file.0, &backup.0).expect("it was written");

    // Into the same store, whose values are on the device that is gone; and into a new one.
    for variables in [variables, Variables::new(3)] {
        let resumed = trainer()
            .checkpoint(Checkpoint::new(&file.0))
            .resume(Resume::Exact)
            .stop_when(|epoch| epoch.number == 3)
            .fit(&Device::Gpu(next.clone()), &variables, &data)?;
        assert_eq!((resumed.epochs.len(), resumed.steps), (1, 3));
        let resumed = trainer().checkpoint(Checkpoint::new(&file.0)).resume(Resume::Exact).fit(
            &Device::Gpu(next.clone()),
            &variables,
            &data,
        )?;
        assert_eq!((resumed.epochs.len(), resumed.steps), (1, 3));
        assert_eq!(variables.to_arrays()?, uninterrupted.to_arrays()?);
        // The second store starts from the loss again.
        std::fs::copy(&backup.0, &file.0).expect("it was copied");
    }
    Ok(())
}

/// A step of regression with weights, moments, a counter of random numbers and a learning rate.
fn step(gpu: &GpuDevice) -> Result<Program, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [8, 4], DType::F32);
    let mut cx = Scope::new(&graph, Mode::Train);
    let net = Sequential::new().add(Dense::new(5)).add(Dropout::new(0.25)).add(Dense::new(1));
    let y = net.forward(&mut cx.child("net"), x);
    let loss = mean_squared_error(y, x.mean_keepdims(1));
    Adam::new(0.02).update(&mut cx, loss);
    graph.compile(&Device::Gpu(gpu.clone()), &[("loss", loss), ("y", y.sum(..))])
}

fn batch(k: u32) -> Array {
    let values: Vec<f32> = (0..32).map(|i| ((i * 7 + k * 5) % 11) as f32 / 8.0 - 0.5).collect();
    Array::new([8, 4], &values).expect("as many as there are")
}

fn run(program: &Program, variables: &Variables, k: u32) -> Result<Outputs, Error> {
    program.run(variables, &[("x", &batch(k))])
}

/// Every thread is told, whether it runs, reads or awaits, and none of them hangs.
#[test]
fn all_threads_are_told_of_a_loss() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let (program, ready) = (step(&gpu)?, Barrier::new(4));
    let trains = |last: &(dyn Fn(Outputs) -> Result<(), Error> + Sync)| {
        let (program, variables) = (step(&gpu)?, Variables::new(1));
        run(&program, &variables, 0)?.scalar("loss")?;
        ready.wait();
        // It ends, as the device does.
        for k in 1.. {
            last(run(&program, &variables, k)?)?;
        }
        Ok::<(), Error>(())
    };
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| trains(&|outputs| outputs.scalar("loss").map(drop)));
        let awaits =
            scope.spawn(|| trains(&|outputs| pollster::block_on(outputs.read("y")).map(drop)));
        let submits = scope.spawn(|| trains(&|_| Ok(())));
        let outputs = run(&program, &Variables::new(2), 0)?;
        ready.wait();
        gpu.lose();
        let error = outputs.read_blocking("y").expect_err("it is lost");
        assert!(is_lost(&error), "{error}");
        for thread in [reads, awaits, submits] {
            let error = thread.join().expect("it does not panic").expect_err("it is lost");
            assert!(is_lost(&error), "{error}");
        }
        Ok(())
    })
}

/// A store is loaded onto the next device as it is; a setting is the code's, and was never lost.
#[test]
fn a_store_moves_on_from_a_lost_device() -> Result<(), Error> {
    let (Some(gpu), Some(next)) = (own_device(), own_device()) else { return Ok(()) };
    let checkpoint = File::new("steps");
    let (variables, whole) = (Variables::new(4), Variables::new(4));
    let rate = Array::from(0.01f32);
    let old = step(&gpu)?;
    for k in 0..2 {
        run(&old, &variables, k)?;
    }
    variables.set("optim/lr", rate.clone())?;
    safetensors::save(&checkpoint.0, &variables, "")?;
    let outputs = run(&old, &variables, 9)?;
    gpu.lose();

    // Each error says what is to be done.
    let error = variables.get("net/0:dense/weight").expect_err("it is lost");
    let Error::Variable(VariableError::Lost { path, .. }) = &error else {
        unreachable!("{error:?}")
    };
    assert_eq!(path, "net/0:dense/weight");
    assert!(error.to_string().contains("load the last checkpoint into the store"), "{error}");
    assert_eq!(variables.get("optim/lr")?, rate);
    assert!(variables.to_arrays().is_err());
    assert!(safetensors::save(&checkpoint.0, &variables, "").is_err());
    assert!(run(&old, &variables, 3).is_err_and(|error| is_lost(&error)));
    let new = step(&next)?;
    let error = run(&new, &variables, 3).expect_err("nothing is made up");
    assert!(matches!(&error, Error::Variable(VariableError::Lost { .. })), "{error}");
    // A value of the device that is gone is none of the next one.
    let graph = Graph::new();
    let loss = graph.input("loss", [], DType::F32);
    let doubled = graph.compile(&Device::Gpu(next.clone()), &[loss * 2.0])?;
    let foreign = doubled.run(&Variables::new(0), &[("loss", outputs.get("loss")?)]);
    assert!(matches!(foreign, Err(Error::Run(RunError::ForeignValue { .. }))));

    safetensors::load(&checkpoint.0, &variables)?;
    for k in 2..4 {
        run(&new, &variables, k)?;
    }
    let program = step(&next)?;
    for k in 0..4 {
        if k == 2 {
            whole.set("optim/lr", rate.clone())?;
        }
        run(&program, &whole, k)?;
    }
    assert_eq!(variables.to_arrays()?, whole.to_arrays()?);
    drop((old, outputs, gpu));
    // What a program assigns is no longer the code's alone.
    let graph = Graph::new();
    let rate = graph.setting("optim/lr", 0.02);
    graph.assign(rate, rate * 0.5);
    let decay = graph.compile(&Device::Gpu(next.clone()), &[])?;
    decay.run(&variables, &[])?;
    assert_eq!(variables.get("optim/lr")?.item(), Some(f64::from(0.005f32)));
    next.lose();
    let error = variables.get("optim/lr").expect_err("it is lost");
    assert!(matches!(&error, Error::Variable(VariableError::Lost { .. })), "{error}");
    variables.set("optim/lr", Array::from(0.5f32))?;
    assert_eq!(variables.get("optim/lr")?.item(), Some(0.5));
    Ok(())
}
