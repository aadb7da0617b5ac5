//! Connectionist temporal classification: loss of unaligned label sequences.

use super::{precision::loss_in_f32, reduction::Reduction};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Tensor, indices::Which},
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

/// The logarithm of probability 0: finite, so that differences of two are not NaN.
const NEVER: f64 = -1e30;

impl<'g> Tensor<'g> {
    /// Connectionist temporal classification: the negative log probability of `targets` over all
    /// alignments, given the log probabilities of each class at each step. A label may span several
    /// steps, and between labels there may be steps of `blank`; between two equal labels there must
    /// be one.
    ///
    /// # Shapes
    ///
    /// `self` is `[steps, n, classes]`, normalized by [`log_softmax`](Self::log_softmax); `targets`
    /// `[n, longest]` in u32, of which the first of `target_lengths`, `[n]`, count; `lengths`,
    /// `[n]`, are the numbers of steps. Costs are `[n]`.
    ///
    /// # Reduction
    ///
    /// The mean is PyTorch's: each cost is divided by the number of its targets first, or by 1 if it
    /// has none.
    ///
    /// # Numerics
    ///
    /// Infinite if there are too few steps for the targets; the gradient is then 0. NaN if a target
    /// that counts is not a class, or if a length exceeds its axis.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Empty`] without steps; [`OpError::Target`] if shapes do not
    /// fit; [`OpError::Number`] unless `blank` is a class;
    /// [`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange) for targets and lengths that
    /// are inputs and out of range.
    ///
    /// # Source
    ///
    /// Graves et al. 2006, "Connectionist Temporal Classification".
    #[doc(alias("ctc_loss", "CTCLoss"))]
    #[track_caller]
    pub fn ctc(
        self,
        targets: Tensor<'g>,
        lengths: Tensor<'g>,
        target_lengths: Tensor<'g>,
        blank: u32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        self.ctc_or(f64::INFINITY, [targets, lengths, target_lengths], blank, reduction)
    }

    /// [`ctc`](Self::ctc), but 0 if there are too few steps for the targets: such an example costs
    /// nothing instead of spoiling the mean. PyTorch's `zero_infinity`.
    ///
    /// # Source
    ///
    /// PyTorch's `ctc_loss` with `zero_infinity`.
    #[track_caller]
    pub fn ctc_where_possible(
        self,
        targets: Tensor<'g>,
        lengths: Tensor<'g>,
        target_lengths: Tensor<'g>,
        blank: u32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        self.ctc_or(0.0, [targets, lengths, target_lengths], blank, reduction)
    }

    #[track_caller]
    fn ctc_or(
        self,
        impossible: f64,
        [targets, lengths, target_lengths]: [Tensor<'g>; 3],
        blank: u32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        let operands = [self, targets, lengths, target_lengths];
        let graph = self.graph();
        if operands.iter().any(|operand| operand.failed()) {
            return graph.refuse("ctc", &operands, OpError::Empty);
        }
        let &[steps, n, classes] = self.shape().dims() else {
            return graph.refuse("ctc", &operands, OpError::Rank { least: 3 });
        };
        if steps == 0 {
            return graph.refuse("ctc", &operands, OpError::Empty);
        }
        let &[rows, longest] = targets.shape().dims() else {
            return graph.refuse("ctc", &operands, OpError::Rank { least: 2 });
        };
        let per_row = Meta::new([n], DType::U32);
        if rows != n || [lengths, target_lengths].iter().any(|x| x.meta() != per_row) {
            return graph.refuse("ctc", &operands, OpError::Target(per_row.shape));
        }
        if blank as usize >= classes {
            let must = "a class";
            let reason = OpError::Number { what: "blank", must, is: f64::from(blank) };
            return graph.refuse("ctc", &operands, reason);
        }
        let counted = Which::First(target_lengths.id());
        targets.expect_below("ctc", classes, counted, targets);
        lengths.expect_below("ctc", steps + 1, Which::All, lengths);
        target_lengths.expect_below("ctc", longest + 1, Which::All, target_lengths);
        loss_in_f32("ctc", operands, |[x, targets, lengths, target_lengths]| {
            // Targets past their length may be anything.
            let place = graph.iota([n, longest], 1, DType::U32);
            let counts = place.less(target_lengths.unsqueeze(-1));
            let targets = counts.select(targets, targets.full_like(f64::from(blank)));
            // Blanks before, between and after the targets.
            let blanks = targets.full_like(f64::from(blank));
            let pairs = graph.stack(&[blanks, targets], -1).reshape([n, 2 * longest]);
            let end = graph.full([n, 1], DType::U32, f64::from(blank));
            let said = graph.concat(&[pairs, end], 1);
            let places = 2 * longest + 1;
            // A blank may be skipped between two different labels.
            let before = said.pad([(0, 0), (2, 0)], f64::from(blank)).slice(1, ..places);
            let skips = said.not_equal(blank).and(said.not_equal(before));
            let said = said.unsqueeze(0).broadcast_to([steps, n, places]);
            let odds = x.take_along_axis_or_nan(said, 2);
            let place = graph.iota([n, places], 1, DType::U32);
            let first = odds.slice(0, ..1).squeeze(0);
            let never = first.full_like(NEVER);
            let mut paths = place.less(2u32).select(first, never);
            for step in 1..steps {
                let next = paths.pad([(0, 0), (1, 0)], NEVER).slice(1, ..places);
                let skip = paths.pad([(0, 0), (2, 0)], NEVER).slice(1, ..places);
                let ways = [paths, next, skips.select(skip, never)];
                let most = ways[0].maximum(ways[1]).maximum(ways[2]).detach();
                let sum = (ways[0] - most).exp() + (ways[1] - most).exp() + (ways[2] - most).exp();
                let next = most + sum.log() + odds.slice(0, step..step + 1).squeeze(0);
                let lasts = lengths.greater(step as u32).unsqueeze(-1).broadcast_to([n, places]);
                paths = lasts.select(next, paths);
            }
            let last = (target_lengths * 2u32).unsqueeze(-1).broadcast_to([n, places]);
            // The last label, or the blank after it.
            let ends = place.equal(last).or((place + 1u32).equal(last));
            let likely = ends.select(paths, never).log_sum_exp(1);
            let loss = likely.less(NEVER / 2.0).select(impossible, -likely);
            let [steps, longest] = [(lengths, steps), (target_lengths, longest)]
                .map(|(lengths, most)| lengths.nan_unless_below(most + 1, DType::F32));
            let costs = loss * steps * longest;
            if reduction == Reduction::Mean {
                let labels = target_lengths.cast(DType::F32).maximum(1.0);
                return (costs / labels).mean(..);
            }
            reduction.of(costs)
        })
    }
}

/// The sum over all alignments of the targets, enumerated.
fn definition(x: &[&Array64], blank: usize) -> Array64 {
    let [odds, targets, lengths, target_lengths] = x else { unreachable!("four operands") };
    let [n, classes] = [1, 2].map(|axis| odds.shape().dims()[axis]);
    Array64::from_fn(Meta::new([n], DType::F32), |c| {
        let row = c[0];
        let (steps, said) = (lengths.data[row] as u32, target_lengths.data[row] as usize);
        let wanted: Vec<usize> = (0..said).map(|k| targets.at(&[row, k]) as usize).collect();
        let mut total = 0.0;
        for way in 0..classes.pow(steps) {
            let path: Vec<usize> = (0..steps).map(|t| way / classes.pow(t) % classes).collect();
            let mut heard = path.clone();
            heard.dedup();
            heard.retain(|&class| class != blank);
            if heard == wanted {
                let log: f64 = (0..steps as usize).map(|t| odds.at(&[t, row, path[t]])).sum();
                total += log.exp();
            }
        }
        -total.ln()
    })
}

/// Samples, with the definition.
pub(super) fn samples() -> Vec<Sample> {
    let counts = |values: &'static [f64]| crate::ops::contract::Domain::Values(values);
    let ctc = Function::new(
        "ctc",
        |x| x[0].ctc(x[1], x[2], x[3], 1, Reduction::None),
        |x| definition(x, 1),
    );
    let u32s = |dims: &[usize]| Meta::new(dims, DType::U32);
    // Two equal labels do not fit in two steps: there is no blank between them.
    let possible = Function::new(
        "ctc_where_possible",
        |x| x[0].ctc_where_possible(x[1], x[2], x[3], 1, Reduction::None),
        |x| {
            let y = definition(x, 1);
            y.map(DType::F32, |loss| if loss.is_finite() { loss } else { 0.0 })
        },
    );
    vec![
        Sample::new(
            possible,
            [Meta::new([4, 3, 3], DType::F32), u32s(&[3, 2]), u32s(&[3]), u32s(&[3])],
        )
        .operand(1, counts(&[2.0, 2.0, 0.0, 2.0, 0.0, 0.0]))
        .operand(2, counts(&[2.0, 4.0, 2.0]))
        .operand(3, counts(&[2.0, 2.0, 2.0]))
        .bound(Bound::Abs(1e-5), "exponentials and logarithms of sums, step by step"),
        Sample::new(ctc, [Meta::new([5, 3, 3], DType::F32), u32s(&[3, 2]), u32s(&[3]), u32s(&[3])])
            .operand(1, counts(&[2.0, 2.0, 0.0, 2.0, 0.0, 1.0]))
            .operand(2, counts(&[5.0, 4.0, 3.0]))
            .operand(3, counts(&[2.0, 2.0, 1.0]))
            .bound(Bound::Abs(1e-5), "exponentials and logarithms of sums, step by step"),
    ]
}
