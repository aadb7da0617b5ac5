//! Convolution on the CPU: products over panels of unfolded input that stay in cache.
//!
//! A panel holds, for a run of neighboring output positions, what every tap of every
//! channel of a group reads: `[channels taps, positions]` (im2col, Chellapilla et al. 2006). With
//! it a convolution is a product of matrices, and so are both of its gradients.

mod depthwise;

use super::Problem;
use crate::gemm::{Matrix, product_into};
use std::{cell::Cell, ops::Range};

/// Elements of a panel: 256 KiB, which leaves room in an L2 cache.
const PANEL: usize = 1 << 16;

/// Minimum number of positions of a panel, for a product to be worth calling.
const MIN_PANEL_POSITIONS: usize = 32;

/// Elements that a tap reads at neighboring positions, equally spaced in the input.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Index of the first one in a channel of the input.
    source: usize,
    /// The tap.
    tap: usize,
    /// Where they are stored, within the panel rows of a channel.
    panel: usize,
    len: usize,
}

/// Positions of the output that share a panel.
#[derive(Clone, Debug)]
struct Strip {
    positions: Range<usize>,
    /// Elements within the input; everything else in the panel is 0.
    runs: Vec<Run>,
    /// Everything else, if there is no panel.
    gaps: Vec<Gap>,
}

/// Neighboring positions at which a tap reads padding.
#[derive(Clone, Debug)]
struct Gap {
    tap: usize,
    /// Counted from the first of the strip.
    positions: Range<usize>,
}

/// A convolution with its index arithmetic precomputed.
#[derive(Clone, Debug)]
pub(crate) struct Unfolded {
    problem: Problem,
    /// Stride of a run in the input.
    step: usize,
    /// Positions of the widest strip.
    width: usize,
    strips: Vec<Strip>,
}

thread_local! {
    /// The panel and the sums next to it, kept between calls.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut panel = SCRATCH.take();
    if panel.len() < len {
        panel.resize(len, 0.0);
    }
    let result = f(&mut panel[..len]);
    SCRATCH.set(panel);
    result
}

/// Channels per block, out of `channels`: a divisor, so that blocks do not cross image or group
/// boundaries. Blocks are few, since each unfolds the input again, and many enough to keep
/// threads busy if there are few `others`.
pub(crate) fn block(channels: usize, others: usize) -> usize {
    let divisors = (1..=channels).filter(|&parts| channels.is_multiple_of(parts));
    let mut chosen = channels;
    for parts in divisors.take_while(|parts| channels / parts >= 16) {
        chosen = channels / parts;
        if parts * others >= 16 {
            break;
        }
    }
    chosen.max(1)
}

impl Unfolded {
    pub fn new(problem: Problem) -> Self {
        let positions = problem.positions();
        let rows = problem.terms().max(1);
        let most = (PANEL / rows).max(MIN_PANEL_POSITIONS);
        let count = positions.div_ceil(most).max(1);
        let width = positions.div_ceil(count).next_multiple_of(16).min(positions);
        let step = problem.axes[2].stride;
        let mut unfolded = Unfolded { problem, step, width, strips: Vec::new() };
        if unfolded.is_depthwise() {
            unfolded.width = positions; // there is no panel
        }
        let width = unfolded.width;
        // Pointwise, the input is its own panel.
        if !problem.is_pointwise() {
            let starts = (0..positions).step_by(width.max(1));
            let strips = starts.map(|start| unfolded.strip(start..positions.min(start + width)));
            unfolded.strips = strips.collect();
        }
        unfolded
    }

    fn strip(&self, positions: Range<usize>) -> Strip {
        let [depth, height, width] = self.problem.axes;
        let (mut runs, mut gaps) = (Vec::new(), Vec::new());
        let taps = (0..depth.window)
            .flat_map(|d| (0..height.window).map(move |h| (d, h)))
            .flat_map(|(d, h)| (0..width.window).map(move |w| (d, h, w)));
        for (tap, (d, h, w)) in taps.enumerate() {
            let mut at = positions.start;
            let mut covered = 0;
            while at < positions.end {
                let (row, first) = (at / width.out, at % width.out);
                let end = width.out.min(first + positions.end - at);
                let source =
                    depth.source(row / height.out, d).zip(height.source(row % height.out, h));
                let inside = |&t: &usize| width.source(t, w).is_some();
                if let Some((plane, line)) = source
                    && let Some(from) = (first..end).find(inside)
                    && let Some(column) = width.source(from, w)
                {
                    let len = (from..end).take_while(inside).count();
                    let source = (plane * height.extent + line) * width.extent + column;
                    let start = at - positions.start + from - first;
                    runs.push(Run { source, tap, panel: tap * positions.len() + start, len });
                    gaps.push(Gap { tap, positions: covered..start });
                    covered = start + len;
                }
                at += end - first;
            }
            gaps.push(Gap { tap, positions: covered..positions.len() });
        }
        let is_needed = self.is_depthwise();
        gaps.retain(|gap| is_needed && !gap.positions.is_empty());
        Strip { positions, runs, gaps }
    }

    /// Copies channels of `x` into their rows of the panel, the rest of which stays 0.
    fn unfold(&self, strip: &Strip, x: &[f32], panel: &mut [f32]) {
        let rows = self.problem.taps() * strip.positions.len();
        // Without pixels there is nothing but padding.
        let channels = x.chunks_exact(self.problem.pixels().max(1));
        pulp::Arch::new().dispatch(|| {
            for (x, panel) in channels.zip(panel.chunks_exact_mut(rows)) {
                for run in &strip.runs {
                    let to = &mut panel[run.panel..][..run.len];
                    if self.step == 1 {
                        copy(to, &x[run.source..][..run.len]);
                    } else {
                        let from = x[run.source..].iter().step_by(self.step);
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        });
    }

    /// Adds the rows of a panel to the elements of `x` they came from.
    fn fold(&self, strip: &Strip, panel: &[f32], x: &mut [f32]) {
        let rows = self.problem.taps() * strip.positions.len();
        let channels = x.chunks_exact_mut(self.problem.pixels());
        pulp::Arch::new().dispatch(|| {
            for (x, panel) in channels.zip(panel.chunks_exact(rows)) {
                for run in &strip.runs {
                    let from = &panel[run.panel..][..run.len];
                    if self.step == 1 {
                        let to = &mut x[run.source..][..run.len];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                    } else {
                        let to = x[run.source..].iter_mut().step_by(self.step);
                        to.zip(from).for_each(|(to, from)| *to += *from);
                    }
                }
            }
        });
    }

    /// Channels of group `number`, counted through all images, with `channels` channels per group.
    fn group<'a>(&self, of: &'a [f32], number: usize, channels: usize, len: usize) -> &'a [f32] {
        &of[number * channels * len..][..channels * len]
    }

    /// Computes channels `first..` of the output, counted through all images.
    pub fn forward(&self, x: &[f32], w: &[f32], first: usize, out: &mut [f32]) {
        let Problem { groups, inputs, outputs, .. } = self.problem;
        let (positions, pixels) = (self.problem.positions(), self.problem.pixels());
        let terms = self.problem.terms();
        if terms == 0 || positions == 0 {
            return out.fill(0.0);
        }
        if self.is_depthwise() {
            for (channel, _, out) in spans(first, 1, positions, out) {
                let x = self.group(x, channel / outputs, 1, pixels);
                self.depthwise_forward(x, &w[channel % (groups * outputs) * terms..], out);
            }
            return;
        }
        // The group of a channel, and the weights of a run of channels.
        let weights = |channel: usize| {
            let first = (channel / outputs % groups * outputs + channel % outputs) * terms;
            Matrix { data: &w[first..], strides: [terms, 1] }
        };
        if self.problem.is_pointwise() {
            for (channel, count, out) in spans(first, outputs, positions, out) {
                let x = self.group(x, channel / outputs, inputs, pixels);
                let x = Matrix { data: x, strides: [pixels, 1] };
                let extents = [count, positions, terms];
                product_into(extents, weights(channel), x, out, positions, false);
            }
            return;
        }
        with_scratch(terms * self.width, |panel| {
            for strip in &self.strips {
                let width = strip.positions.len();
                let panel = &mut panel[..terms * width];
                panel.fill(0.0);
                for (channel, count, out) in spans(first, outputs, positions, &mut *out) {
                    self.unfold(strip, self.group(x, channel / outputs, inputs, pixels), panel);
                    let columns = Matrix { data: panel, strides: [width, 1] };
                    let out = &mut out[strip.positions.start..];
                    let extents = [count, width, terms];
                    product_into(extents, weights(channel), columns, out, positions, false);
                }
            }
        });
    }

    /// Computes channels `first..` of the cotangent of the input, counted through all images.
    pub fn input_grad(&self, w: &[f32], ct: &[f32], first: usize, out: &mut [f32]) {
        let Problem { groups, inputs, outputs, .. } = self.problem;
        let (positions, pixels) = (self.problem.positions(), self.problem.pixels());
        let (taps, terms) = (self.problem.taps(), self.problem.terms());
        out.fill(0.0);
        if outputs == 0 || positions == 0 || pixels == 0 {
            return;
        }
        if self.is_depthwise() {
            for (channel, _, out) in spans(first, 1, pixels, out) {
                for output in 0..outputs {
                    let w = &w[(channel % groups * outputs + output) * taps..];
                    let ct = self.group(ct, channel * outputs + output, 1, positions);
                    self.depthwise_input_grad(w, ct, out);
                }
            }
            return;
        }
        // Rows are the taps of a run of channels, columns the outputs they contribute to.
        let weights = |channel: usize| {
            let group = channel / inputs % groups;
            let first = group * outputs * terms + channel % inputs * taps;
            Matrix { data: &w[first..], strides: [1, terms] }
        };
        let cotangents = |channel: usize, position: usize| {
            let group = self.group(ct, channel / inputs, outputs, positions);
            Matrix { data: &group[position..], strides: [positions, 1] }
        };
        if self.problem.is_pointwise() {
            for (channel, count, out) in spans(first, inputs, pixels, out) {
                let extents = [count, positions, outputs];
                product_into(extents, weights(channel), cotangents(channel, 0), out, pixels, false);
            }
            return;
        }
        with_scratch(terms * self.width, |panel| {
            for strip in &self.strips {
                let (start, width) = (strip.positions.start, strip.positions.len());
                for (channel, count, out) in spans(first, inputs, pixels, &mut *out) {
                    let panel = &mut panel[..count * taps * width];
                    let extents = [count * taps, width, outputs];
                    let ct = cotangents(channel, start);
                    product_into(extents, weights(channel), ct, panel, width, false);
                    self.fold(strip, panel, out);
                }
            }
        });
    }

    /// Computes elements `first..` of the cotangent of the bias, one per output of all groups.
    pub fn bias_grad(&self, ct: &[f32], first: usize, out: &mut [f32]) {
        let Problem { batch, groups, outputs, .. } = self.problem;
        let (channels, positions) = (groups * outputs, self.problem.positions());
        for (output, sum) in out.iter_mut().enumerate() {
            let terms = (0..batch).flat_map(|image| {
                let begin = (image * channels + first + output) * positions;
                &ct[begin..begin + positions]
            });
            *sum = terms.map(|&term| f64::from(term)).sum::<f64>() as f32;
        }
    }

    /// Computes rows `first..` of the cotangent of the weight, one per output of all groups.
    pub fn weight_grad(&self, x: &[f32], ct: &[f32], first: usize, out: &mut [f32]) {
        let Problem { batch, groups, inputs, outputs, .. } = self.problem;
        let (positions, pixels) = (self.problem.positions(), self.problem.pixels());
        let terms = self.problem.terms();
        out.fill(0.0);
        if terms == 0 || positions == 0 {
            return;
        }
        for (row, count, out) in spans(first, outputs, terms, out) {
            let (group, within) = (row / outputs, row % outputs);
            let images = (0..batch).map(|image| {
                let number = image * groups + group;
                let ct = self.group(ct, number, outputs, positions);
                (self.group(x, number, inputs, pixels), &ct[within * positions..])
            });
            if self.is_depthwise() {
                self.depthwise_weight_grad(images, out);
                continue;
            }
            // Both operands are contiguous along the sum. A product packs the operand with the
            // rows of its result, so that should be the smaller one.
            let is_turned = count < terms;
            let panel = if self.problem.is_pointwise() { 0 } else { terms * self.width };
            let sums = if is_turned { terms * count } else { 0 };
            with_scratch(panel + sums, |scratch| {
                let (panel, sums) = scratch.split_at_mut(panel);
                sums.fill(0.0);
                let mut add = |columns: &[f32], column: usize, ct: &[f32], width: usize| {
                    if is_turned {
                        let columns = Matrix { data: columns, strides: [column, 1] };
                        let ct = Matrix { data: ct, strides: [1, positions] };
                        product_into([terms, count, width], columns, ct, sums, count, true);
                    } else {
                        let ct = Matrix { data: ct, strides: [positions, 1] };
                        let columns = Matrix { data: columns, strides: [1, column] };
                        product_into([count, terms, width], ct, columns, out, terms, true);
                    }
                };
                if self.problem.is_pointwise() {
                    images.clone().for_each(|(x, ct)| add(x, pixels, ct, positions));
                }
                for strip in &self.strips {
                    let width = strip.positions.len();
                    let panel = &mut panel[..terms * width];
                    panel.fill(0.0);
                    for (x, ct) in images.clone() {
                        self.unfold(strip, x, panel);
                        add(panel, width, &ct[strip.positions.start..], width);
                    }
                }
                for (term, sums) in sums.chunks_exact(count).enumerate() {
                    for (row, sum) in sums.iter().enumerate() {
                        out[row * terms + term] = *sum;
                    }
                }
            });
        }
    }

    /// Whether each tap of an output is a single product: too little work for unfolding.
    fn is_depthwise(&self) -> bool {
        self.problem.inputs == 1 && !self.problem.is_pointwise()
    }
}

/// Splits rows `first..` of `len` elements at the boundaries of groups of `of` rows: the first row
/// of each piece, its number of rows, and their elements.
fn spans(
    first: usize,
    of: usize,
    len: usize,
    out: &mut [f32],
) -> impl Iterator<Item = (usize, usize, &mut [f32])> {
    let (mut row, mut rest) = (first, out);
    std::iter::from_fn(move || {
        if rest.len() < len || len == 0 {
            return None;
        }
        let count = (of - row % of).min(rest.len() / len);
        let (piece, behind) = std::mem::take(&mut rest).split_at_mut(count * len);
        rest = behind;
        row += count;
        Some((row - count, count, piece))
    })
}

/// Copies a run, typically a dozen elements, in blocks of which the last two may overlap: cheaper
/// than a call of `memcpy`.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    const BLOCK: usize = 8;
    let Some(last) = to.len().checked_sub(BLOCK) else {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        return;
    };
    let (blocks, _) = to.as_chunks_mut::<BLOCK>();
    let (sources, _) = from.as_chunks::<BLOCK>();
    blocks.iter_mut().zip(sources).for_each(|(to, from)| *to = *from);
    to[last..].copy_from_slice(&from[last..]);
}
