//! What attention is tested on.

use super::{grad::By, *};

/// Where logarithms of sums of exponentials may lie: no weight is large.
pub(super) const LOGS: Domain = Domain::Range(1.0, 3.0);

/// How far attention over so many keys may be off, and why.
pub(super) fn accuracy(keys: usize) -> (Bound, &'static str) {
    let reason = "scores below 10 are rounded, their exponentials as well, and sums of lanes";
    (Bound::Abs(4e-6 + 4e-9 * keys as f64), reason)
}

/// How far its derivatives may be off, which are sums of so many terms, and why.
pub(super) fn grad_accuracy(terms: usize) -> (Bound, &'static str) {
    let reason = "terms below 10 are off as weights and their slopes are, by a few units of 2^-22";
    (Bound::Abs(8e-6 + 4e-7 * terms as f64), reason)
}

/// Heads, queries, keys, elements of keys, elements of values, and whether it is causal.
type Sizes = ([usize; 2], [usize; 4], bool, &'static str);

/// One row, one past a tile of queries and of keys, prime widths, more queries than keys, and what the
/// kernels do not hold.
const SIZES: [Sizes; 8] = [
    ([1, 2], [3, 5, 4, 3], false, ""),
    ([1, 1], [1, 1, 1, 1], false, "one"),
    ([2, 1], [33, 17, 7, 5], false, "past a tile"),
    ([1, 2], [35, 35, 8, 33], true, "causal"),
    ([1, 1], [40, 7, 3, 2], true, "causal, few keys"),
    ([1, 1], [5, 40, 3, 2], true, "causal, few queries"),
    ([1, 1], [2, 3, 130, 2], false, "too wide"),
    ([0, 2], [3, 2, 2, 2], true, "no heads"),
];

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

/// What is tested in halves too.
const HALVES: [&str; 4] = ["", "past a tile", "causal", "too wide"];

fn operands(outer: [usize; 2], [t, s, d, e]: [usize; 4]) -> [Meta; 3] {
    [[t, d], [s, d], [s, e]].map(|matrix| f32s(&[outer, matrix].concat()))
}

pub(super) fn attention() -> Vec<Sample> {
    let of = |&(outer, sizes, causal, name): &Sizes| {
        let (bound, reason) = accuracy(sizes[1]);
        Sample::new(Attention { causal }, operands(outer, sizes)).bound(bound, reason).named(name)
    };
    with_halves(SIZES.iter().map(of).collect(), &HALVES)
}

pub(super) fn logs() -> Vec<Sample> {
    let of = |&(outer, sizes, causal, name): &Sizes| {
        let (bound, reason) = accuracy(sizes[1]);
        let [q, k, _] = operands(outer, sizes);
        Sample::new(AttentionLogs(Attention { causal }), [q, k]).bound(bound, reason).named(name)
    };
    with_halves(SIZES.iter().map(of).collect(), &HALVES)
}

pub(super) fn grad() -> Vec<Sample> {
    let of = |by: By, &(outer, sizes, causal, name): &Sizes| {
        let [t, s, _, e] = sizes;
        let (bound, reason) = grad_accuracy(if by == By::Queries { s } else { t });
        let row = f32s(&[&outer[..], &[t]].concat());
        let ct = f32s(&[&outer[..], &[t, e]].concat());
        let [q, k, v] = operands(outer, sizes);
        Sample::new(AttentionGrad { of: Attention { causal }, by }, [q, k, v, row.clone(), ct, row])
            .operand(3, LOGS)
            .bound(bound, reason)
            .named(name)
    };
    let samples = By::ALL.iter().flat_map(|&by| SIZES.iter().map(move |sizes| of(by, sizes)));
    let mut samples = with_halves(samples.collect(), &HALVES);
    // The logarithms and the sums are f32 in any case.
    for sample in &mut samples {
        [3, 5].into_iter().for_each(|row| sample.operands[row].0.dtype = DType::F32);
    }
    samples
}
