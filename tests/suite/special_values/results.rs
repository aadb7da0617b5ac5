//! NaN and infinities in one element of one operand: every device gives them where the definition
//! in f64 does, and its other elements are as close as ever.

use super::is_refused;
use crate::device;
use std::collections::BTreeMap;
use wgrad::{
    Array, Array64, Device, Error, Feed, Graph, Variables,
    testing::{Bound, Sample, compare, evaluate, samples},
};

const SPECIALS: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// Operands with more products than this are tried with one special value only.
const MANY: usize = 20_000;

/// Why a sample is not tried.
pub(super) fn skipped(sample: &Sample) -> Option<&'static str> {
    let (name, about) = (sample.subject.name(), sample.to_string());
    let is_causal = about.contains("causal") || about.contains("blind, all");
    Some(match (name, sample.label) {
        _ if name.starts_with("attention") && is_causal => {
            "where whole tiles of pairs are hidden, their products with 0 are left out"
        }
        (_, "gates that are shut or open") | ("cross_entropy_grad", "large") => {
            "a factor that is tiny in f64 is 0 in f32, and 0 times infinity is NaN"
        }
        _ => return None,
    })
}

/// Places of a tensor of `len` elements: its ends, and some between.
fn places(len: usize) -> Vec<usize> {
    let mut places = vec![0, len / 3, len / 2, (2 * len / 3 + 1).min(len - 1), len - 1];
    places.dedup();
    places
}

/// The operands with special values, one each.
fn spoiled(sample: &Sample) -> Vec<(String, Vec<Array64>)> {
    let values = sample.values();
    let size: usize = values.iter().map(|x| x.data.len()).sum();
    let mut all = Vec::new();
    for (operand, x) in values.iter().enumerate() {
        if x.data.is_empty() || !x.meta.dtype.is_float() {
            continue;
        }
        let specials = if size > MANY { &SPECIALS[1..2] } else { &SPECIALS };
        for &special in specials {
            for place in places(x.data.len()) {
                let mut values = values.clone();
                values[operand].data[place] = special;
                all.push((format!("{special} at {place} of operand {operand}"), values));
            }
        }
    }
    all
}

/// What is wrong on a device, and the number of comparisons.
fn failures(sample: &Sample, device: &Device) -> Result<(Vec<String>, usize), Error> {
    let graph = Graph::new();
    let (_, y) = sample.build(&graph);
    let magnitudes = match sample.bound {
        Bound::Terms(_) => sample.expected()?.1,
        _ => vec![],
    };
    let program = graph.compile_pure(device, &[y])?;
    let names: Vec<String> = (0..sample.operands.len()).map(|k| k.to_string()).collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (label, values) in spoiled(sample) {
        let given: Vec<_> = names.iter().map(String::as_str).zip(&values).collect();
        let expected = evaluate(&graph, &[y], &given)?.remove(0);
        let arrays: Vec<Array> =
            values.iter().map(Array64::to_array).collect::<Result<_, Error>>()?;
        // A program does not take inputs that the result does not depend on.
        let taken = |name: &str| program.inputs().iter().any(|(known, _)| known == name);
        let named = names.iter().zip(&arrays).filter(|(name, _)| taken(name));
        let inputs: Vec<(&str, &dyn Feed)> =
            named.map(|(name, array)| (name.as_str(), array as &dyn Feed)).collect();
        let got = program.run(&Variables::new(0), &inputs)?.read_blocking(0)?;
        let agreement = compare(&got, &expected, sample.bound, &magnitudes);
        count += 1;
        if !agreement.holds() {
            wrong.push(format!("{sample}, {label}: {agreement}"));
        }
    }
    Ok((wrong, count))
}

fn all_agree(device: &Device) -> Result<(), Error> {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let mut untried = BTreeMap::<&str, usize>::new();
    for sample in samples() {
        if let Some(reason) = skipped(&sample) {
            *untried.entry(reason).or_default() += 1;
            continue;
        }
        if is_refused(&sample, device) {
            *untried.entry("of f16, which the adapter has not").or_default() += 1;
            continue;
        }
        let (failures, more) = failures(&sample, device)?;
        wrong.extend(failures);
        count += more;
    }
    eprintln!("{count} comparisons on {}; samples that are left out: {untried:?}", device.name());
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 5_000, "only {count} comparisons");
    Ok(())
}

#[test]
fn the_cpu_spreads_what_is_not_finite_as_the_definition_does() -> Result<(), Error> {
    all_agree(&Device::cpu())
}

#[test]
fn the_gpu_spreads_what_is_not_finite_as_the_definition_does() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| all_agree(&device))
}
