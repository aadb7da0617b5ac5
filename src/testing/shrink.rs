//! The search for the smallest sample that fails.
//!
//! Extents are lowered as long as the sample fails in the same way, one after another, and those that
//! must agree together: all axes of one extent, then fewer of them. Which of these make a sample is
//! the business of the graph, which refuses the others, so nothing is known here of any operation.
//! Between an extent that passes and one that fails the search halves, as those of QuickCheck
//! (Claessen and Hughes 2000) and its successors do, and ends where no single step down fails.
//!
//! No extent becomes 0: an empty axis is a case of its own, and not a small one of the same.

use super::{
    Check, Counterexample, Failure, Outcome,
    check::is_valid,
    compare::evaluate,
    extents::{Place, dims, places, resized, ties},
};
use crate::{
    array64::Array64,
    graph::{Graph, Tensor},
    ops::contract::{Sample, Subject},
};
use std::collections::BTreeSet;

/// How many samples a search runs at most: each is a program to compile, and on a GPU its pipeline.
const ATTEMPTS: usize = 100;

/// How far from the middle a search looks for an extent that the graph takes.
const NEAR: usize = 64;

impl Sample {
    /// The smallest sample that fails a check as this one does: with smaller extents, and otherwise
    /// the same. `failure` is how this one fails, from [`Check::run`].
    ///
    /// At most 100 samples are run. An error that says nothing of the sample, such as a lack of
    /// memory, is not looked into.
    pub fn shrunk(&self, check: &Check, failure: Failure) -> Counterexample {
        let mut search = Search {
            check,
            smallest: composed(self),
            failure: failure.clone(),
            passed: BTreeSet::new(),
            attempts: 0,
        };
        let is_of_the_sample = failure.is_of_the_sample();
        if is_of_the_sample {
            search.run();
        }
        Counterexample {
            is_smallest: is_of_the_sample && search.attempts < ATTEMPTS,
            attempts: search.attempts,
            smallest: search.smallest,
            failure: search.failure,
            ..Counterexample::new(self, check, failure)
        }
    }
}

/// The sample of a function, defined by the operations that it is written in: the formula of a sample
/// may hold for its extents only.
fn composed(sample: &Sample) -> Sample {
    let Subject::Function(function) = &sample.subject else { return sample.clone() };
    let own = sample.clone();
    let definition = move |operands: &[&Array64]| {
        let graph = Graph::new();
        let names: Vec<String> = (0..operands.len()).map(|k| k.to_string()).collect();
        let given: Vec<(&str, &Array64)> =
            names.iter().map(String::as_str).zip(operands.iter().copied()).collect();
        let inputs: Vec<Tensor> =
            given.iter().map(|(name, x)| graph.input(name, x.shape(), x.meta.dtype)).collect();
        let y = own.apply(&graph, &inputs);
        match evaluate(&graph, &[y], &given) {
            Ok(mut values) => values.remove(0),
            // No device agrees with that.
            Err(_) => Array64 { data: vec![f64::NAN; y.meta().shape.len()], meta: y.meta() },
        }
    };
    Sample { subject: function.clone().defined(definition).into(), ..sample.clone() }
}

struct Search<'a> {
    check: &'a Check,
    /// The smallest that fails so far, and how.
    smallest: Sample,
    failure: Failure,
    /// Extents that were tried and do not fail, or not in this way.
    passed: BTreeSet<Vec<Vec<usize>>>,
    attempts: usize,
}

impl Search<'_> {
    fn run(&mut self) {
        // A kernel that is wrong everywhere needs no more than this.
        let all: Vec<Place> = places(&self.smallest)
            .into_iter()
            .filter(|(n, _)| *n > 1)
            .flat_map(|(_, p)| p)
            .collect();
        let least = resized(&self.smallest, &all, 1);
        if !all.is_empty() && is_valid(&least) && self.fails(&least) {
            return;
        }
        while self.attempts < ATTEMPTS && self.lower_one() {}
    }

    /// Lowers the first extent that can be lowered.
    fn lower_one(&mut self) -> bool {
        // The largest first: they take the most time.
        let by_extent = places(&self.smallest).into_iter().rev().filter(|(extent, _)| *extent > 1);
        let all: Vec<_> =
            by_extent.flat_map(|(n, p)| ties(&p).into_iter().map(move |t| (n, t))).collect();
        all.into_iter().any(|(extent, tie)| self.lower(&tie, extent))
    }

    /// Lowers the extent of these axes as far as it still fails, and says whether it does at all.
    fn lower(&mut self, tie: &[Place], extent: usize) -> bool {
        let (mut passes, mut fails) = (0usize, extent);
        while self.attempts < ATTEMPTS {
            let middle = if passes == 0 { 1 } else { passes.midpoint(fails) };
            let down = (passes + 1..=middle).rev().take(NEAR);
            let mut near = down.chain((middle + 1..fails).take(NEAR));
            let next = near.find_map(|extent| {
                let sample = resized(&self.smallest, tie, extent);
                (extent < fails && is_valid(&sample)).then_some((extent, sample))
            });
            match next {
                None => break,
                Some((next, sample)) if self.fails(&sample) => fails = next,
                Some((next, _)) => passes = next,
            }
        }
        fails < extent
    }

    /// Whether a smaller sample fails too; if so, it is the smallest from now on.
    fn fails(&mut self, sample: &Sample) -> bool {
        let extents = dims(sample);
        if self.passed.contains(&extents) {
            return false;
        }
        self.attempts += 1;
        match self.check.run(sample) {
            Outcome::Failed(failure) if failure.is_like(&self.failure) => {
                (self.smallest, self.failure) = (sample.clone(), failure);
                true
            }
            _ => {
                self.passed.insert(extents);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check::caught, samples};
    use std::collections::BTreeMap;

    /// A definition takes whatever the graph takes, so that a search does not run into a panic, as it may
    /// in operations of other crates.
    #[test]
    fn definitions_take_all_that_the_shape_rules_take() {
        // The values of their second operand are a permutation of their rows.
        const PERMUTED: [&str; 2] = ["radix_count", "radix_scatter"];
        let is_small =
            |sample: &Sample| sample.operands.iter().all(|(meta, _)| meta.shape.len() <= 256);
        let (mut seen, mut count, mut wrong) = (BTreeMap::<&str, usize>::new(), 0, vec![]);
        for sample in samples().iter().filter(|sample| is_small(sample)).map(composed) {
            let name = sample.subject.name();
            let before = seen.entry(name).or_default();
            *before += 1;
            if *before > 2 || PERMUTED.contains(&name) {
                continue;
            }
            for (extent, places) in places(&sample).into_iter().filter(|(extent, _)| *extent > 1) {
                for tie in ties(&places).into_iter().filter(|tie| tie.len() != 3) {
                    for smaller in BTreeSet::from([1, extent - 1]) {
                        let smaller = resized(&sample, &tie, smaller);
                        if is_valid(&smaller) {
                            let expected = caught(|| smaller.expected().map(drop));
                            if !matches!(expected, Ok(Ok(()))) {
                                wrong.push(format!("{smaller}: {expected:?}"));
                            }
                            count += 1;
                        }
                    }
                }
            }
        }
        assert!(count > 1000, "only {count}");
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    }
}
