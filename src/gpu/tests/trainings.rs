//! Trainings on a GPU.

use super::*;
use crate::{
    data::Labeled,
    nn::{Activation, Dense, Module, Sequential},
    optim::{Adam, Sgd},
    train::{Checkpoint, Classifier, Objective, Trainer},
};

/// After its first epoch a training creates no buffer, bind group or pipeline: not with several objectives
/// and intervals, a last batch of its own, parts, evaluations, and checkpoints.
#[test]
fn a_training_allocates_in_its_first_epoch_only() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let points: Vec<f32> = (0..44).map(|i| ((i * 13) % 23) as f32 / 23.0).collect();
    let labels: Vec<u32> = (0..22).map(|i| i % 2).collect();
    let data = Labeled::new(Array::from_vec([22, 2], points)?, Array::from(labels))?;
    let net = Sequential::new().add(Dense::new(4)).add(Activation::tanh()).add(Dense::new(2));
    let shrink = Objective::new(
        "shrink",
        |cx, batch| {
            let logits = net.forward(&mut cx.child("net"), batch.get("inputs"));
            logits.square().mean(..).into()
        },
        Sgd::new(0.1),
    );
    let classify = Objective::of("classify", Classifier(&net), Adam::new(0.01));
    let name = format!("wgrad-{}-allocates.safetensors", std::process::id());
    let file = std::env::temp_dir().join(name);
    let mut counted = vec![];
    // 22 rows: batches of 8 in two parts, and one of 6.
    let report = Trainer::of([classify, shrink.every(2)])
        .epochs(4)
        .batch(8)
        .accumulate(2)
        .validate(&data)
        .checkpoint(Checkpoint::new(&file).every_steps(2))
        .on_epoch(|_| counted.push(gpu.counters()))
        .fit(&Device::Gpu(gpu.clone()), &Variables::new(1), &data);
    let _ = std::fs::remove_file(&file);
    assert_eq!(report?.steps, 12);
    let made = counted.iter().map(|all| (all.buffers, all.bind_groups, all.pipelines));
    let made: Vec<_> = made.collect();
    assert_eq!(made[1..], [made[0]; 3]);
    Ok(())
}

/// A set that stays on the device gives the bits of one that is fed, and a step is fed row numbers only.
#[test]
fn where_the_set_lies_changes_no_bit() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let device = Device::Gpu(gpu.clone());
    let points: Vec<f32> = (0..44).map(|i| ((i * 13) % 23) as f32 / 23.0).collect();
    let labels: Vec<u32> = (0..22).map(|i| i % 2).collect();
    let data = Labeled::new(Array::from_vec([22, 2], points)?, Array::from(labels))?;
    let net = Sequential::new().add(Dense::new(4)).add(Activation::tanh()).add(Dense::new(2));
    let trained = |bytes: u64| -> Result<_, Error> {
        let variables = Variables::new(1);
        let mut trainer =
            Trainer::classifier(&net, Adam::new(0.01)).epochs(2).batch(8).resident(bytes);
        let report = trainer.fit(&device, &variables, &data)?;
        let losses: Vec<u64> = report.epochs.iter().map(|epoch| epoch.loss().to_bits()).collect();
        Ok((variables.to_arrays()?, losses))
    };
    // 22 rows of three words.
    let fed = trained(263)?;
    let known = |gpu: &GpuDevice| gpu.shared.constants.lock().map(|known| known.len()).unwrap_or(0);
    let before = known(&gpu);
    assert_eq!(trained(264)?, fed);
    // Two programs, for 8 rows and for 6, have both fields in common.
    assert_eq!(known(&gpu), before + 2);
    // A label that is no class is an error before anything runs, as it is for rows that are fed.
    let wrong = Labeled::new(Array::full([4, 2], 0.5f32)?, Array::from([0u32, 1, 2, 1]))?;
    for bytes in [0, 1000] {
        let mut trainer = Trainer::classifier(&net, Adam::new(0.01)).resident(bytes);
        let error = trainer.fit(&device, &Variables::new(1), &wrong).expect_err("there are two");
        let error = error.to_string();
        assert!(error.contains("targets") && error.contains('2'), "{error}");
    }
    Ok(())
}
