//! The checker accepts correct results and detects wrong ones: on the CPU, whose results are at
//! hand.

use super::Case;
use crate::{
    DType, Device, Graph,
    array::Array,
    autodiff::grad,
    error::Error,
    ops::contract::Sample,
    schedule::plan::{Step, StepKind},
    shape::Meta,
    testing::samples,
};

fn steps(sample: &Sample) -> Result<Vec<Step>, Error> {
    let graph = Graph::new();
    let (_, y) = sample.build(&graph);
    let program = graph.compile_pure(&Device::cpu(), &[y])?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    Ok(steps.into_iter().filter(|step| !matches!(step.kind, StepKind::Copy)).collect())
}

/// A case accepts its own expected values; with 1 plus a thousandth of the value added, it rejects
/// them.
#[test]
fn wrong_results_are_noticed() -> Result<(), Error> {
    let (mut cases, mut silent) = (0, Vec::new());
    for sample in samples() {
        for step in steps(&sample)? {
            let case = Case::new(&step);
            let written = |wrong: bool| -> Vec<Vec<u32>> {
                let regions = case.regions.iter();
                let mut written: Vec<Vec<u32>> = regions.map(|r| vec![0; r.len]).collect();
                for (region, index, dtype, value) in case.expected_values() {
                    let off = if wrong { 1.0 + value.abs() / 1000.0 } else { 0.0 };
                    written[region][index] = dtype.to_word(match dtype {
                        DType::Bool if wrong => 1.0 - value,
                        _ => value + off,
                    });
                }
                written
            };
            let right = case.judge(&written(false));
            assert!(right.holds(), "{sample}: {right}");
            cases += 1;
            match right.compared {
                0 => silent.push(sample.to_string()),
                _ => assert!(!case.judge(&written(true)).holds(), "{sample} notices nothing"),
            }
        }
    }
    assert!(silent.is_empty(), "of {cases} these compare nothing:\n{}", silent.join("\n"));
    Ok(())
}

/// A device may take denormals for 0: where that makes another number, none is demanded. An NVIDIA
/// H200 does, and 0 / 1e-40 is NaN there.
#[test]
fn flushed_denormals_are_no_mistake() -> Result<(), Error> {
    let (mut differ, mut demanding) = (0, Vec::new());
    let mut compare = |step: &Step, name: String| {
        let case = Case::new(step).special(step);
        let flushed = case.flushed(step);
        let regions = case.regions.iter();
        // NaN where anything is right.
        let mut written: Vec<Vec<u32>> =
            regions.map(|r| vec![r.dtype.to_word(f64::NAN); r.len]).collect();
        for (region, index, dtype, value) in flushed.expected_values() {
            written[region][index] = dtype.to_word(value);
        }
        differ += usize::from(case.words != flushed.words);
        let agreement = case.judge(&written);
        if !agreement.holds() {
            demanding.push(format!("{name}: {agreement}"));
        }
    };
    for sample in samples() {
        for step in steps(&sample)? {
            compare(&step, sample.to_string());
        }
    }
    // Specials of two operands meet where one of them is broadcast, and in batches of rows.
    let graph = Graph::new();
    let input = |name, dims: [usize; 2]| graph.input(name, dims, DType::F32);
    let quotient = input("x", [8, 59]) / input("y", [1, 59]);
    let (gates, h, c) = (input("gates", [32, 512]), input("h", [32, 128]), input("c", [32, 128]));
    let [hidden, cell] = gates.lstm_cell(input("cell", [32, 128]));
    let by_gates = grad((hidden * h + cell * c).sum(..), &[gates])[0];
    let program = graph.compile_pure(&Device::cpu(), &[quotient, by_gates])?;
    for step in &program.plan().expect("a CPU has plans").steps {
        if !matches!(step.kind, StepKind::Copy) {
            compare(step, "a quotient of rows, or a step of an LSTM".into());
        }
    }
    assert!(differ > 100, "only {differ} cases have denormals");
    assert!(demanding.is_empty(), "{} of {differ}:\n{}", demanding.len(), demanding.join("\n"));
    Ok(())
}

/// A wrong element is noticed in whichever result of a kernel it is.
#[test]
fn each_of_several_results_is_judged() -> Result<(), Error> {
    let graph = Graph::new();
    let wanted = crate::schedule::siblings::tests::results(&graph);
    let program = graph.compile_pure(&Device::cpu(), &wanted)?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    let [step] = &steps[..] else { panic!("one pass writes both") };
    let case = Case::new(step);
    let mut right: Vec<Vec<u32>> = case.regions.iter().map(|region| vec![0; region.len]).collect();
    for (region, index, dtype, value) in case.expected_values() {
        right[region][index] = dtype.to_word(value);
    }
    assert!(case.judge(&right).holds());
    for write in &step.writes {
        let region = case.position(*write).expect("it is of the case");
        let mut wrong = right.clone();
        wrong[region][write.len / 2] ^= 1 << 20;
        assert!(!case.judge(&wrong).holds(), "{write:?}");
    }
    Ok(())
}

/// Results of parts equal those of the whole problem.
#[test]
fn parts_agree_with_the_whole() -> Result<(), Error> {
    let mut parted = 0;
    for sample in samples() {
        for step in steps(&sample)? {
            let StepKind::Kernel { kernel, .. } = &step.kind else { continue };
            let Some(probe) = &kernel.results[kernel.result].probe else { continue };
            let words = probe.words();
            let words: Vec<&[u32]> = words.iter().map(Vec::as_slice).collect();
            let whole = probe.whole(&words);
            for (index, part) in probe.results(&words, 8) {
                let (part, whole) = (part.value, whole[index]);
                let near = (part - whole).abs() <= 1e-12 * whole.abs().max(1.0);
                let alike = part == whole || (part.is_nan() && whole.is_nan());
                assert!(near || alike, "{sample}: element {index} is {part}, not {whole}");
                parted += 1;
            }
        }
    }
    assert!(parted > 1000, "only {parted} results");
    Ok(())
}

/// The types agree with those a program would be given.
#[test]
fn operands_fit_their_regions() -> Result<(), Error> {
    for sample in samples() {
        for step in steps(&sample)? {
            let case = Case::new(&step);
            for (region, words) in case.regions.iter().zip(&case.words) {
                let is_read = step.reads.iter().any(|read| {
                    case.position(*read).is_some_and(|p| std::ptr::eq(&case.regions[p], region))
                });
                assert_eq!(words.len(), if is_read { region.len } else { 0 }, "{sample}");
                if is_read {
                    Array::from_words(Meta::new([region.len], region.dtype), words.clone())?;
                }
            }
        }
    }
    Ok(())
}

/// The sums of an embedding's derivative are checked in a few columns, not in all: checking all
/// once took ten minutes.
#[test]
fn large_problems_are_proved_on_small_parts() -> Result<(), Error> {
    let graph = Graph::new();
    let updates = graph.input("updates", [4096, 256], DType::F32);
    let indices = graph.input("indices", [4096], DType::U32);
    let program = graph.compile_pure(&Device::cpu(), &[updates.scatter_add(indices, 0, 9000)])?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    let kernels = steps.iter().filter_map(|step| match &step.kind {
        StepKind::Kernel { kernel, .. } => kernel.results[kernel.result].probe.as_ref(),
        _ => None,
    });
    let mut proved = 0;
    for probe in kernels {
        let words = probe.words();
        let results = probe.results(&words.iter().map(Vec::as_slice).collect::<Vec<_>>(), 8);
        assert!(results.len() <= 100_000, "{} results of {probe:?}", results.len());
        proved += 1;
    }
    assert!(proved > 2, "{proved} kernels: indices are sorted, and runs of them summed");
    Ok(())
}

/// A long sum that misses a part of its terms is noticed, wide as its bound is: a driver may cut off
/// loops.
#[test]
fn missing_terms_of_long_sums_are_noticed() -> Result<(), Error> {
    const TERMS: usize = 100_000;
    let graph = Graph::new();
    let x = graph.input("x", [3, TERMS], DType::F32);
    let y = graph.input("y", [TERMS, 5], DType::F32);
    let program = graph.compile_pure(&Device::cpu(), &[x.matmul(y)])?;
    let plan = program.plan().expect("a CPU has plans");
    let case = Case::new(&plan.steps[0]);
    let result = case.regions.iter().position(|region| region.len == 15).expect("there is one");
    let [x, y] = [3, 5].map(|extent| {
        let of = |words: &&Vec<u32>| words.len() == extent * TERMS;
        case.words.iter().find(of).expect("an operand").as_slice()
    });
    let at = |words: &[u32], index: usize| f64::from(f32::from_bits(words[index]));
    for (terms, is_right) in [(TERMS, true), (TERMS - TERMS / 50, false)] {
        let sum = |row: usize, column: usize| -> f64 {
            (0..terms).map(|k| at(x, row * TERMS + k) * at(y, k * 5 + column)).sum()
        };
        let mut written = vec![vec![]; case.regions.len()];
        written[result] = (0..15).map(|k| DType::F32.to_word(sum(k / 5, k % 5))).collect();
        let agreement = case.judge(&written);
        assert_eq!(agreement.holds(), is_right, "of {terms} terms: {agreement}");
    }
    Ok(())
}
