//! A step, the operands it is checked on, and some of its results.

use super::{
    error_bound::{self, Approx},
    seeds::{self, Signs},
    special,
};
use crate::{
    dtype::DType,
    ops::contract::{Agreement, Noise},
    schedule::{
        expr::Body,
        plan::{Epilogue, KernelWrite, Region, Step, StepKind},
    },
};
use std::collections::BTreeSet;

/// Seeded operands of a step and the expected results.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Regions read or written, each once.
    pub regions: Vec<Region>,
    /// The words of each region before the step; empty if it is only written.
    pub words: Vec<Vec<u32>>,
    results: Vec<Expected>,
    signs: Signs,
}

/// One expected result.
#[derive(Clone, Copy, Debug)]
struct Expected {
    region: usize,
    index: usize,
    dtype: DType,
    value: Approx,
}

/// What the results of a case may cost.
#[derive(Clone, Copy)]
struct Effort {
    /// Evaluations of terms.
    terms: usize,
    /// Parts of a kernel's problem.
    parts: usize,
}

const EVERYDAY: Effort = Effort { terms: 1 << 17, parts: 8 };
/// The first and the last part of a problem have the special values.
const SPECIAL: Effort = Effort { terms: 1 << 15, parts: 2 };
/// Maximum number of results compared.
const MAX_RESULTS: usize = 512;

impl Case {
    /// Creates the case of a step on seeded operands.
    pub fn new(step: &Step) -> Self {
        let both = Case::seeded(step, Signs::Both);
        let decided = |case: &Case| case.results.iter().filter(|r| r.is_telling()).count();
        // Roots and logarithms are undefined on one side of 0.
        if 10 * decided(&both) >= 9 * both.results.len() {
            return both;
        }
        let positive = Case::seeded(step, Signs::Positive);
        if decided(&positive) > decided(&both) { positive } else { both }
    }

    fn seeded(step: &Step, signs: Signs) -> Self {
        let mut case = Case::on_seeds(step, signs);
        case.results = case.expected(step, EVERYDAY);
        case
    }

    /// The same step on the same operands with NaN, infinities and the like among them.
    pub fn special(&self, step: &Step) -> Self {
        let mut case = Case::on_seeds(step, self.signs);
        for (region, words) in case.regions.iter().zip(&mut case.words) {
            special::scatter(step, *region, words);
        }
        case.results = case.expected(step, SPECIAL);
        case
    }

    /// The same step and results where a device takes every denormal it loads for 0.
    #[cfg(test)]
    pub fn flushed(&self, step: &Step) -> Self {
        let mut case = self.clone();
        for (region, words) in case.regions.iter().zip(&mut case.words) {
            let is_denormal = |word: u32| (1..1 << 23).contains(&(word & !(1 << 31)));
            if region.dtype == DType::F32 {
                words.iter_mut().filter(|w| is_denormal(**w)).for_each(|w| *w &= 1 << 31);
            }
        }
        case.results = case.expected(step, SPECIAL);
        case
    }

    /// The seeded operands alone.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn operands(step: &Step) -> Self {
        Case::on_seeds(step, Signs::Both)
    }

    /// A case without results.
    fn on_seeds(step: &Step, signs: Signs) -> Self {
        let mut case = Case { regions: vec![], words: vec![], results: vec![], signs };
        if let StepKind::Kernel { kernel, operands, writes } = &step.kind {
            let probe = &kernel.results[writes[0].result].probe;
            let words = probe.as_ref().map(|probe| probe.words()).unwrap_or_default();
            for (read, words) in step.reads[..*operands].iter().zip(words) {
                case.add(*read, || words);
            }
        }
        for (seed, read) in step.reads.iter().enumerate() {
            case.add(*read, || seeds::words(read.dtype, read.len, signs, seed + 11));
        }
        for write in &step.writes {
            case.add(*write, Vec::new);
        }
        case
    }

    /// Creates the case of a step on the current words of its regions.
    pub fn at(step: &Step, words: impl Fn(Region) -> Vec<u32>) -> Self {
        let signs = Signs::Both;
        let mut case = Case { regions: vec![], words: vec![], results: vec![], signs };
        step.reads.iter().for_each(|read| _ = case.add(*read, || words(*read)));
        step.writes.iter().for_each(|write| _ = case.add(*write, Vec::new));
        case.results = case.expected(step, EVERYDAY);
        case
    }

    /// The index of a region; a new one is added with the given words.
    fn add(&mut self, region: Region, words: impl FnOnce() -> Vec<u32>) -> usize {
        self.position(region).unwrap_or_else(|| {
            self.regions.push(region);
            self.words.push(words());
            self.regions.len() - 1
        })
    }

    /// The index of the region that occupies the same words, of whatever type.
    pub fn position(&self, region: Region) -> Option<usize> {
        self.regions.iter().position(|known| known.aliases(&region))
    }

    fn words_of(&self, region: Region) -> &[u32] {
        self.position(region).map_or(&[], |position| &self.words[position])
    }

    fn expected(&self, step: &Step, effort: Effort) -> Vec<Expected> {
        let load = |operand: usize, index: i64, dtype: DType| {
            let words = self.words_of(step.reads[operand]);
            let word = usize::try_from(index).ok().and_then(|index| words.get(index));
            dtype.from_word(word.copied().unwrap_or_default())
        };
        let result = |write: usize, index: usize, value: Approx| {
            let region = self.position(step.writes[write]).unwrap_or_default();
            Expected { region, index, dtype: step.writes[write].dtype, value }
        };
        match &step.kind {
            StepKind::Copy => vec![],
            StepKind::Map { space, body, roots } => {
                let points = points(space, effort.terms / body.terms.len().max(1));
                let at = |index: usize| {
                    let values = error_bound::terms(body, &unravel(index, space), None, &load);
                    let roots = roots.iter().enumerate();
                    roots.map(|(k, &root)| result(k, index, values[root])).collect::<Vec<_>>()
                };
                points.into_iter().flat_map(at).collect()
            }
            StepKind::Reduce { function, outer, inner, body, value, epilogue, .. } => {
                let len: usize = inner.iter().product();
                let points = points(outer, effort.terms / (len * body.terms.len()).max(1));
                let at = |index: usize| {
                    let place = unravel(index, outer);
                    let combined = (0..len)
                        .map(|within| {
                            let point = [place.as_slice(), &unravel(within, inner)].concat();
                            error_bound::terms(body, &point, None, &load)[*value]
                        })
                        .collect::<Vec<_>>();
                    let acc = error_bound::reduce(*function, body.dtype(*value), &combined);
                    let value = error_bound::terms(&epilogue.body, &place, Some(acc), &load);
                    result(0, index, value[epilogue.root])
                };
                points.into_iter().map(at).collect()
            }
            StepKind::Kernel { kernel, operands, writes } => {
                let words: Vec<&[u32]> =
                    step.reads[..*operands].iter().map(|&read| self.words_of(read)).collect();
                let of_write = |(k, write): (usize, &KernelWrite)| {
                    let Epilogue { body, root } = &write.epilogue;
                    // Without a definition there is nothing to compare with.
                    let probe = &kernel.results[write.result].probe;
                    let results = probe.as_ref().map(|probe| probe.results(&words, effort.parts));
                    let at = |(index, acc): (usize, Approx)| {
                        let place = unravel(index, &write.space);
                        let value = error_bound::terms(body, &place, Some(acc), &load);
                        result(k, index, value[*root])
                    };
                    let accs = thinned(results.unwrap_or_default(), body, effort.terms);
                    accs.into_iter().map(at).collect::<Vec<_>>()
                };
                writes.iter().enumerate().flat_map(of_write).collect()
            }
        }
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let words: usize = self.words.iter().map(Vec::len).sum();
        size_of::<u32>() * words + size_of::<Expected>() * self.results.len()
    }

    /// Region, index, type and value of each result that is decided.
    #[cfg(test)]
    pub fn expected_values(&self) -> Vec<(usize, usize, DType, f64)> {
        let decided = self.results.iter().filter(|result| result.value.is_decided());
        decided.map(|r| (r.region, r.index, r.dtype, r.value.value)).collect()
    }

    /// Compares what a device has left in each region.
    pub fn judge(&self, written: &[Vec<u32>]) -> Agreement {
        let mut agreement = Agreement::default();
        for &Expected { region, index, dtype, value: Approx { value, error } } in &self.results {
            if error.is_finite() {
                let got =
                    written[region].get(index).map_or(f64::NAN, |&word| dtype.from_word(word));
                agreement.note(index, got, value, error, dtype);
            }
        }
        agreement
    }

    /// The first element at which two runs of the step left other bits, if there is one. All NaN are
    /// alike.
    pub fn difference(&self, left: &[Vec<u32>], right: &[Vec<u32>]) -> Option<String> {
        let regions = self.regions.iter().zip(left.iter().zip(right));
        regions.into_iter().find_map(|(region, (left, right))| {
            let is_nan =
                |word: u32| region.dtype.is_float() && region.dtype.from_word(word).is_nan();
            let differ = |(&a, &b): (&u32, &u32)| a != b && !(is_nan(a) && is_nan(b));
            let index = left.iter().zip(right).position(differ)?;
            let [a, b] = [left[index], right[index]];
            let [of_a, of_b] = [a, b].map(|word| region.dtype.from_word(word));
            Some(format!("element {index} is {of_b:e} ({b:#010x}), not {of_a:e} ({a:#010x})"))
        })
    }
}

impl Expected {
    /// Whether a wrong result would be detected.
    fn is_telling(&self) -> bool {
        self.value.is_decided() && self.value.value.is_finite()
    }
}

/// Row-major indices of some points of a space: all if there are few, else the corners, points on
/// faces, and arbitrary points.
fn points(space: &[usize], most: usize) -> BTreeSet<usize> {
    let len: usize = space.iter().product();
    let most = most.clamp(2, MAX_RESULTS);
    if len <= most {
        return (0..len).collect();
    }
    let mut points = BTreeSet::from([0, len - 1]);
    let mut noise = Noise::new(3);
    for _ in 2..most {
        let coordinate = |&extent: &usize| match (8.0 * noise.unit()) as usize {
            0 => 0,
            1 => extent - 1,
            _ => (noise.unit() * extent as f64) as usize,
        };
        let point: Vec<usize> = space.iter().map(coordinate).collect();
        points.insert(point.iter().zip(space).fold(0, |index, (c, extent)| index * extent + c));
    }
    points
}

/// Thins out results evenly where the epilogue is too long to evaluate them all.
fn thinned(results: Vec<(usize, Approx)>, epilogue: &Body, terms: usize) -> Vec<(usize, Approx)> {
    let most = (terms / epilogue.terms.len().max(1)).max(2);
    let step = results.len().div_ceil(most).max(1);
    results.into_iter().step_by(step).collect()
}

/// The point at a row-major index.
fn unravel(mut index: usize, space: &[usize]) -> Vec<usize> {
    let mut point = vec![0; space.len()];
    for (c, extent) in point.iter_mut().zip(space).rev() {
        *c = index % extent;
        index /= extent;
    }
    point
}
