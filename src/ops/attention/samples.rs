//! Test samples of attention.

use super::{grad::By, *};
use crate::ops::contract::Subject;

/// Values of `rows` for the derivatives: includes the logarithms, so no weight is large.
pub(super) const ROWS_OF_QUERIES: Domain = Domain::Range(1.0, 3.0);

/// Error bound of attention over this many keys, and its justification.
pub(super) fn accuracy(keys: usize) -> (Bound, &'static str) {
    let reason = "scores below 10 are rounded, their exponentials as well, and sums of lanes";
    (Bound::Abs(4e-6 + 4e-9 * keys as f64), reason)
}

/// Error bound of derivatives that sum this many terms, and its justification.
pub(super) fn grad_accuracy(terms: usize) -> (Bound, &'static str) {
    let reason = "terms below 10 are off as weights and their slopes are, by a few units of 2^-22";
    (Bound::Abs(8e-6 + 4e-7 * terms as f64), reason)
}

/// Heads of queries, heads of keys, the four extents, and the options.
struct Case {
    outer: [usize; 2],
    shared: usize,
    /// Numbers of queries and keys, widths of keys and values.
    sizes: [usize; 4],
    op: Attention,
    mask: Meta,
    /// Values of the mask, if some query sees no key.
    blind: Option<Domain>,
    label: &'static str,
}

/// One row, one past a tile of queries and of keys, prime widths, more queries than keys, vectors
/// too wide for the kernels; masks that repeat along each axis; heads that share keys.
fn cases() -> Vec<Case> {
    let plain = Attention { causal: false, scale: None, masked: false, dropped: None };
    let causal = Attention { causal: true, ..plain.clone() };
    let masked = Attention { masked: true, ..plain.clone() };
    let dropped = Some(Dropped { share: 0.3, stream: 5 });
    let case = |outer: [usize; 2], sizes, op: &Attention, label| Case {
        outer,
        shared: outer[1],
        sizes,
        op: op.clone(),
        mask: nothing(),
        blind: None,
        label,
    };
    let with = |case: Case, dims: &[usize], dtype| Case { mask: Meta::new(dims, dtype), ..case };
    let blind = |case: Case, dims: &[usize], dtype, values| Case {
        blind: Some(Domain::Values(values)),
        ..with(case, dims, dtype)
    };
    vec![
        case([1, 2], [3, 5, 4, 3], &plain, ""),
        case([1, 1], [1, 1, 1, 1], &plain, "one"),
        case([2, 1], [33, 17, 7, 5], &plain, "past a tile"),
        case([1, 2], [35, 35, 8, 33], &causal, "causal"),
        case([1, 1], [40, 7, 3, 2], &causal, "causal, few keys"),
        case([1, 1], [5, 40, 3, 2], &causal, "causal, few queries"),
        case([1, 1], [33, 19, 100, 128], &plain, "wide"),
        case([1, 1], [2, 3, 65, 3], &plain, "past half of the widest"),
        case([1, 1], [2, 3, 5, 97], &plain, "past three quarters of the widest"),
        case([1, 1], [32, 32, 8, 8], &plain, "whole tiles"),
        case([1, 1], [2, 3, 130, 2], &plain, "too wide"),
        case([0, 2], [3, 2, 2, 2], &causal, "no heads"),
        case([1, 2], [3, 5, 4, 3], &Attention { scale: Some(0.7), ..plain.clone() }, "scale"),
        with(case([2, 2], [5, 18, 4, 3], &masked, "a mask of keys"), &[2, 1, 1, 18], DType::Bool),
        with(case([2, 2], [5, 18, 4, 3], &masked, "a mask of heads"), &[1, 2, 1, 18], DType::F32),
        with(case([1, 2], [4, 5, 3, 2], &masked, "numbers"), &[1, 2, 4, 5], DType::F32),
        with(
            case(
                [1, 1],
                [35, 35, 3, 2],
                &Attention { masked: true, ..causal.clone() },
                "causal, masked",
            ),
            &[1, 1, 35, 35],
            DType::Bool,
        ),
        Case { shared: 2, ..case([2, 4], [5, 7, 3, 2], &plain, "shared heads") },
        Case { shared: 1, ..case([1, 3], [35, 35, 4, 3], &causal, "one shared head, causal") },
        case([2, 2], [5, 18, 4, 3], &Attention { dropped, ..plain.clone() }, "dropped"),
        with(
            Case {
                shared: 1,
                ..case(
                    [1, 2],
                    [7, 7, 3, 2],
                    &Attention { masked: true, dropped, ..causal.clone() },
                    "all",
                )
            },
            &[1, 2, 7, 7],
            DType::F32,
        ),
        blind(
            case([1, 2], BLIND, &masked, "a query sees nothing"),
            &[1, 1, 3, 5],
            DType::Bool,
            &[1., 0., 1., 1., 0., 0., 0., 0., 0., 0., 0., 1., 1., 1., 1.],
        ),
        blind(
            case([2, 2], BLIND, &masked, "numbers, a query sees nothing"),
            &[1, 2, 3, 5],
            DType::F32,
            &[0.5, N, -1., 2., N, N, N, N, N, N, N, 1., -0.25, 0., 0.75],
        ),
        blind(
            Case {
                shared: 1,
                ..case([1, 2], BLIND, &Attention { masked: true, dropped, ..causal }, "blind, all")
            },
            &[1, 1, 3, 5],
            DType::Bool,
            &[1., 1., 1., 1., 1., 0., 0., 1., 1., 1., 0., 1., 1., 0., 0.],
        ),
    ]
}

/// The sizes of cases in which the second query sees no key.
const BLIND: [usize; 4] = [3, 5, 4, 2];

/// Hides a key in a mask of numbers.
const N: f64 = f64::NEG_INFINITY;

/// [`ROWS_OF_QUERIES`] for two values per row, where the logarithm of the second query of three is
/// negative infinity.
const ROWS_OF_BLIND: Domain =
    Domain::Values(&[1.5, 2.5, 2.0, 1.25, 1.0, 3.0, N, 0.0, 2.25, 1.75, 1.5, 2.75]);

/// Booleans, some of them true in every row of a mask of 5 or 18; the first of 35 rows starts with
/// true.
const SEEN: Domain = Domain::Values(&[1.0, 1.0, 0.0, 1.0, 0.0]);

/// Placeholder for an unused operand.
fn nothing() -> Meta {
    Meta::new([1], DType::U32)
}

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

impl Case {
    fn of(&self, heads: usize, matrix: &[usize]) -> Meta {
        f32s(&[&[self.outer[0], heads], matrix].concat())
    }

    fn draw(&self) -> Meta {
        match self.op.dropped {
            Some(_) => Meta::new([self.outer[0], self.outer[1], 4], DType::U32),
            None => nothing(),
        }
    }

    /// Queries, keys, values, mask and random draw.
    fn operands(&self) -> Vec<Meta> {
        let [t, s, d, e] = self.sizes;
        let [q, k] = [self.of(self.outer[1], &[t, d]), self.of(self.shared, &[s, d])];
        vec![q, k, self.of(self.shared, &[s, e]), self.mask.clone(), self.draw()]
    }

    /// A sample whose mask is operand `mask`.
    fn sample(&self, op: impl Into<Subject>, operands: Vec<Meta>, mask: usize) -> Sample {
        let sample = Sample::new(op, operands).named(self.label);
        match (&self.blind, self.mask.dtype) {
            (Some(values), _) => sample.operand(mask, values.clone()),
            (None, DType::Bool) => sample.operand(mask, SEEN),
            _ => sample,
        }
    }
}

pub(super) fn attention() -> Vec<Sample> {
    let of = |case: Case| {
        let (bound, reason) = accuracy(case.sizes[1]);
        let sample = case.sample(case.op.clone(), case.operands(), 3).bound(bound, reason);
        // Differences of a mask have no place at infinity.
        if case.blind.is_some() && case.mask.dtype == DType::F32 {
            sample.without_gradient()
        } else {
            sample
        }
    };
    let samples = cases().into_iter().map(of).collect();
    in_halves(samples, &[3])
}

pub(super) fn log_sum_exp() -> Vec<Sample> {
    let of = |case: Case| {
        let (bound, reason) = accuracy(case.sizes[1]);
        let op = AttentionLogSumExp(case.op.clone());
        let sample = case.sample(op, case.operands(), 3).bound(bound, reason);
        if case.blind.is_some() { sample.without_gradient() } else { sample }
    };
    in_halves(cases().into_iter().map(of).collect(), &[3])
}

pub(super) fn grad() -> Vec<Sample> {
    let of = |by: By, case: Case| {
        let [t, s, d, e] = case.sizes;
        let group = case.outer[1] / case.shared.max(1);
        let (bound, reason) = grad_accuracy(if by == By::Queries { s } else { t * group });
        let [q, k] = [case.of(case.outer[1], &[t, d]), case.of(case.shared, &[s, d])];
        let rows = case.of(case.outer[1], &[t, e + 2]);
        let v = case.of(case.shared, &[s, e]);
        let operands = vec![q, k, v, rows, case.mask.clone(), case.draw()];
        let sample = case
            .sample(AttentionGrad { of: case.op.clone(), by }, operands, 4)
            .operand(3, ROWS_OF_QUERIES)
            .bound(bound, reason);
        match case.blind {
            Some(_) => sample.operand(3, ROWS_OF_BLIND).without_gradient(),
            None => sample,
        }
    };
    let all = By::ALL.iter().flat_map(|&by| cases().into_iter().map(move |case| of(by, case)));
    in_halves(all.collect(), &[3, 4])
}

/// Adds f16 versions of some samples, except for operands that are always f32.
fn in_halves(samples: Vec<Sample>, wide: &[usize]) -> Vec<Sample> {
    const LABELS: [&str; 7] = [
        "",
        "past a tile",
        "causal",
        "too wide",
        "a mask of heads",
        "shared heads",
        "a query sees nothing",
    ];
    let of_floats = samples.len();
    let mut all = with_halves(samples, &LABELS);
    for sample in &mut all[of_floats..] {
        for &operand in wide {
            let meta = &mut sample.operands[operand].0;
            if meta.dtype == DType::F16 {
                meta.dtype = DType::F32;
            }
        }
    }
    all
}
