//! Every function has samples of halves, and derivatives that are rounded once as well.

use super::devices;
use std::collections::BTreeSet;
use wgrad::{
    Array64, DType, Device, Error, Feed, Graph, Tensor, Variables, autodiff,
    testing::{Agreement, Bound, Domain, Gradient, Sample, Subject, compare, evaluate, samples},
};

/// Functions of floats without samples of halves, and why.
const WITHOUT: [(&str, &str); 0] = [];

/// Functions whose derivatives are rounded on the way, and why.
const ROUNDED_TWICE: [(&str, &str); 1] =
    [("lstm_cell", "an operation whose derivative takes the new cell as it has been rounded")];

fn is_in(exceptions: &[(&str, &str)], sample: &Sample) -> bool {
    exceptions.iter().any(|(name, _)| *name == sample.subject.name())
}

fn has(sample: &Sample, dtype: DType) -> bool {
    sample.operands.iter().any(|(meta, _)| meta.dtype == dtype)
}

fn functions() -> Vec<Sample> {
    samples().into_iter().filter(|s| matches!(s.subject, Subject::Function(_))).collect()
}

#[test]
fn every_function_of_floats_has_samples_of_halves() {
    let names = |dtype| -> BTreeSet<&str> {
        functions().iter().filter(|s| has(s, dtype)).map(|s| s.subject.name()).collect()
    };
    let (floats, halves) = (names(DType::F32), names(DType::F16));
    let missing: Vec<&str> = floats.difference(&halves).copied().collect();
    let excepted: Vec<&str> = WITHOUT.iter().map(|(name, _)| *name).collect();
    assert_eq!(missing, excepted, "without samples of halves");
    assert!(halves.len() > 90, "{} functions have samples of halves", halves.len());
}

/// The error that a derivative in f32 may have, relative to its largest element or to 1.
const F32_ERROR: f64 = 5e-6;

/// The cotangents of the operands for a random one of the result: those of f32, rounded once. `None`
/// without derivatives.
fn first_derivatives(sample: &Sample, device: &Device) -> Result<Option<Agreement>, Error> {
    let graph = Graph::new();
    let (inputs, y) = sample.build(&graph);
    let floats: Vec<Tensor> = inputs.iter().copied().filter(|x| x.dtype().is_float()).collect();
    if sample.gradient != Gradient::Smooth || floats.is_empty() || !y.dtype().is_float() {
        return Ok(None);
    }
    let c = graph.input("c", y.shape(), y.dtype());
    let wanted = autodiff::grad((y * c).sum(..), &floats);
    let names = (0..inputs.len()).map(|k| k.to_string()).chain(["c".to_owned()]);
    let c = Domain::Range(-1.0, 1.0).fill(&y.meta(), 100);
    let values: Vec<(String, Array64)> =
        names.zip(sample.values().into_iter().chain([c])).collect();
    let given: Vec<(&str, &Array64)> = values.iter().map(|(name, x)| (name.as_str(), x)).collect();
    let expected = evaluate(&graph, &wanted, &given)?;
    let program = graph.compile_pure(device, &wanted)?;
    let mut arrays = Vec::new();
    for (name, value) in &values {
        if program.inputs().iter().any(|(known, _)| known == name) {
            arrays.push((name.as_str(), value.to_array()?));
        }
    }
    let feeds: Vec<(&str, &dyn Feed)> =
        arrays.iter().map(|(name, array)| (*name, array as &dyn Feed)).collect();
    let outputs = program.run(&Variables::new(0), &feeds)?;
    let mut worst = Agreement::default();
    for (k, expected) in expected.iter().enumerate() {
        let scale = expected.data.iter().fold(1.0, |scale: f64, x| scale.max(x.abs()));
        let bound = Bound::Abs(F32_ERROR * scale);
        let agreement = compare(&outputs.read_blocking(k)?, expected, bound, &[]);
        if agreement.share >= worst.share {
            worst = agreement;
        }
    }
    Ok(Some(worst))
}

#[test]
fn derivatives_of_functions_are_rounded_once_on_the_gpu_too() -> Result<(), Error> {
    let halves: Vec<Sample> = functions().into_iter().filter(|s| has(s, DType::F16)).collect();
    for device in devices() {
        let (mut checked, mut wrong) = (0, Vec::new());
        for sample in halves.iter().filter(|sample| !is_in(&ROUNDED_TWICE, sample)) {
            if let Some(agreement) = first_derivatives(sample, &device)? {
                checked += 1;
                if !agreement.holds() {
                    wrong.push(format!("{sample}: {agreement}"));
                }
            }
        }
        let count = wrong.len();
        assert!(wrong.is_empty(), "{}: {count} of {checked}:\n{}", device.name(), wrong.join("\n"));
        assert!(checked > 100, "{checked} samples have derivatives");
    }
    Ok(())
}
