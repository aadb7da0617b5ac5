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
