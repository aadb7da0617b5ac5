//! Every sample of every operation, on every device, against its definition in f64.

use crate::device;
use wgrad::{
    Array64, DType, Device, Error, Graph,
    testing::{Agreement, Sample, Subject, evaluate, samples},
};

fn all_samples_agree(
    device: &Device,
    check: impl Fn(&Sample, &Device) -> Result<Agreement, Error>,
) {
    let (mut failures, mut refused) = (Vec::new(), 0);
    let samples = samples();
    let mut worst: Vec<(f64, String)> = Vec::new();
    for sample in &samples {
        // f16 is for adapters that have it; others say that they have not.
        let needs_f16 = sample.operands.iter().any(|(meta, _)| meta.dtype == DType::F16)
            || sample.expected().is_ok_and(|(y, _)| y.meta.dtype == DType::F16);
        if needs_f16 && matches!(device, Device::Gpu(gpu) if !gpu.has(DType::F16)) {
            let error = sample.run(device).expect_err("there is no f16");
            assert!(error.to_string().contains("no kernels for f16"), "{sample}: {error}");
            refused += 1;
            continue;
        }
        match check(sample, device) {
            Ok(agreement @ Agreement { share, .. }) => {
                if !agreement.holds() {
                    failures.push(format!("{sample}: {agreement} ({:?})", sample.bound));
                }
                worst.push((share, sample.to_string()));
            }
            Err(error) => failures.push(format!("{sample}: {error}")),
        }
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (share, sample) in worst.iter().take(8) {
        eprintln!("{share:.3} of its bound: {sample}");
    }
    if refused > 0 {
        eprintln!("{refused} samples are of f16, which {} has not", device.name());
    }
    if let Device::Gpu(gpu) = device {
        let proofs = gpu.proofs();
        let mistrusted = [proofs.quarantined, proofs.finite_only].concat();
        assert!(mistrusted.is_empty(), "{}", mistrusted.join("\n"));
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} of {}:\n{}", samples.len(), failures.join("\n"));
}

/// The composition of a function equals its formula in f64.
#[test]
fn functions_are_what_their_formulas_say() -> Result<(), Error> {
    let mut wrong = Vec::new();
    for sample in samples().iter().filter(|s| matches!(s.subject, Subject::Function(_))) {
        let graph = Graph::new();
        let (_, y) = sample.build(&graph);
        let values: Vec<(String, Array64)> =
            sample.values().into_iter().enumerate().map(|(k, x)| (k.to_string(), x)).collect();
        let given: Vec<(&str, &Array64)> = values.iter().map(|(k, x)| (k.as_str(), x)).collect();
        let got = evaluate(&graph, &[y], &given)?.remove(0);
        let (expected, _) = sample.expected()?;
        assert_eq!(got.meta, expected.meta, "{sample}");
        for (index, (got, expected)) in got.data.iter().zip(&expected.data).enumerate() {
            let is_near = (got - expected).abs() <= 1e-12 * expected.abs().max(1e-3);
            if !is_near && got != expected && !(got.is_nan() && expected.is_nan()) {
                wrong.push(format!("{sample}, element {index}: {got}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_cpu_agrees_with_the_reference() {
    all_samples_agree(&Device::cpu(), Sample::check);
}

#[test]
fn the_gpu_agrees_with_the_reference() {
    if let Some(device) = device::gpu() {
        all_samples_agree(&device, Sample::check);
    }
}

/// Slots and results start as NaN and lie between words that must not change: what is read before
/// it is written shows in the values, and what is written beside a result is an error. Grids have
/// workgroups to spare, and kernels a consumer that wants to know which element it is given.
#[test]
fn the_gpu_agrees_within_guard_bands() {
    if let Some(Device::Gpu(device)) = device::gpu() {
        let guarded = Device::Gpu(device.with_guards());
        all_samples_agree(&guarded, Sample::check_with_consumer);
    }
}
