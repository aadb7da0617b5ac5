//! A network learns real digits: the same curve on every device, the same bits in every run.

use crate::{device, model};
use model::{BATCH, network};
use wgrad::{
    Array, Device, Error, Outputs, Variables,
    data::{Labeled, digits},
    optim::{Adam, Optimizer, Sgd},
    train::Trainer,
};

/// Every variable, by path.
type Weights = Vec<(String, Array)>;

/// Losses of the first steps, and all variables after them.
fn train(
    device: &Device,
    optimizer: &dyn Optimizer,
    steps: usize,
) -> Result<(Vec<f64>, Weights), Error> {
    let data = digits::load()?;
    let (network, variables) = (network(), Variables::new(3));
    let program = Trainer::classifier(&network, optimizer).step(device, &data, BATCH)?;
    program.prepare(&variables)?;
    let outputs: Vec<Outputs> = (0..steps)
        .map(|step| {
            let batch = batch(&data, step)?;
            program.run(&variables, &[("inputs", batch.inputs()), ("targets", batch.targets())])
        })
        .collect::<Result<_, Error>>()?;
    let losses = outputs
        .iter()
        .map(|outputs| Ok(outputs.get(0)?.read_f64()?[0]))
        .collect::<Result<_, Error>>()?;
    Ok((losses, variables.to_arrays()?))
}

fn batch(data: &Labeled, step: usize) -> Result<Labeled, Error> {
    let rows: Vec<usize> = (0..BATCH).map(|row| (step * BATCH + row * 7) % data.len()).collect();
    data.rows(&rows)
}

fn same_curve(device: &Device) -> Result<(), Error> {
    for optimizer in [&Adam::new(2e-3) as &dyn Optimizer, &Sgd::new(0.1).momentum(0.9)] {
        let (expected, _) = train(&Device::Reference, optimizer, 30)?;
        let (got, _) = train(device, optimizer, 30)?;
        for (step, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let name = device.name();
            assert!((got - expected).abs() < 1e-3, "step {step}: {got}, not {expected}, on {name}");
        }
        assert!(expected[29] < 0.9 * expected[0], "nothing was learned: {expected:?}");
    }
    Ok(())
}

#[test]
fn the_cpu_follows_the_curve_of_the_reference() -> Result<(), Error> {
    same_curve(&Device::cpu())
}

#[test]
fn the_gpu_follows_the_curve_of_the_reference() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| same_curve(&device))
}

/// The order of every sum follows from shapes alone.
#[test]
fn the_cpu_gives_the_same_bits_with_any_number_of_threads() -> Result<(), Error> {
    let (_, one) = train(&Device::cpu_with_threads(1)?, &Adam::new(2e-3), 12)?;
    for threads in [1, 2, 3] {
        let (_, other) = train(&Device::cpu_with_threads(threads)?, &Adam::new(2e-3), 12)?;
        assert_eq!(one, other, "{threads} threads");
    }
    Ok(())
}

/// The second run finds every pipeline in the device's cache; the third opens the device anew.
#[test]
fn the_gpu_gives_the_same_bits_with_a_cold_and_a_warm_cache() -> Result<(), Error> {
    let Some(device) = device::gpu() else { return Ok(()) };
    let (_, cold) = train(&device, &Adam::new(2e-3), 6)?;
    let (_, warm) = train(&device, &Adam::new(2e-3), 6)?;
    assert_eq!(cold, warm);
    let Some(fresh) = device::gpu() else { return Ok(()) };
    let (_, again) = train(&fresh, &Adam::new(2e-3), 6)?;
    assert_eq!(cold, again);
    Ok(())
}

/// A step is one submission, and one dispatch updates all parameters and moments.
#[test]
fn one_step_updates_everything() -> Result<(), Error> {
    let data = digits::load()?;
    let (network, adam) = (network(), Adam::new(2e-3));
    let program = Trainer::classifier(&network, &adam).step(&Device::cpu(), &data, BATCH)?;
    let plan = program.plan().map(ToString::to_string).unwrap_or_default();
    let updates: Vec<_> = plan.lines().filter(|line| line.contains("arena0, ")).collect();
    assert_eq!(updates.len(), 1, "{plan}");
    assert!(plan.contains("3 arenas"), "parameters and two moments:\n{plan}");
    Ok(())
}

/// Everything is made in the first step; later ones only record and submit.
#[test]
fn nothing_is_created_after_the_first_step() -> Result<(), Error> {
    let Some(device) = device::gpu() else { return Ok(()) };
    let Device::Gpu(gpu) = &device else { unreachable!("a GPU was asked for") };
    let data = digits::load()?;
    let (network, variables, adam) = (network(), Variables::new(3), Adam::new(2e-3));
    let program = Trainer::classifier(&network, &adam).step(&device, &data, BATCH)?;
    let step = |k| -> Result<f64, Error> {
        let batch = batch(&data, k)?;
        let inputs: [(&str, &dyn wgrad::Feed); 2] =
            [("inputs", batch.inputs()), ("targets", batch.targets())];
        Ok(program.run(&variables, &inputs)?.get(0)?.read_f64()?[0])
    };
    step(0)?;
    let first = gpu.counters();
    for k in 1..6 {
        step(k)?;
    }
    let last = gpu.counters();
    assert_eq!(
        (first.buffers, first.bind_groups, first.pipelines),
        (last.buffers, last.bind_groups, last.pipelines)
    );
    assert_eq!(last.submissions - first.submissions, 5, "one submission a step");
    Ok(())
}
