//! Affine indices over a block of an iteration space: runs of constant stride, and the part of each
//! run where the guards hold.

use crate::schedule::expr::{Affine, Guard};
use std::ops::Range;

/// An affine function and its guards over a space, reduced to the dimensions they distinguish.
#[derive(Clone, Debug)]
pub(super) struct Indexed {
    dims: Vec<usize>,
    index: Affine,
    guards: Vec<Guard>,
}

/// Points that differ only in the last coordinate.
pub(super) struct Run {
    /// Their range in the block.
    pub out: Range<usize>,
    /// The subrange of the run, counted from its first point, where all guards hold.
    pub inside: Range<usize>,
    /// The index of the first point.
    pub first: i64,
    /// The increment of the index.
    pub stride: i64,
}

impl Indexed {
    /// `index` under `guards`, over a space without empty dimensions.
    pub fn new(index: &Affine, guards: &[Guard], space: &[usize]) -> Self {
        let holds = |guard: &Guard| {
            let (low, high) = guard.coordinate.range(space);
            0 <= low && high < guard.extent
        };
        let guards: Vec<&Guard> = guards.iter().filter(|guard| !holds(guard)).collect();
        let affines = || guards.iter().map(|guard| &guard.coordinate).chain([index]);
        // A dimension is its extent and the coordinate of the space that steps through it.
        let mut dims: Vec<(usize, usize)> = Vec::with_capacity(space.len());
        for (dim, &extent) in space.iter().enumerate().filter(|&(_, &extent)| extent != 1) {
            let continues = |outer: usize| {
                affines().all(|affine| affine.coefs[outer] == affine.coefs[dim] * extent as i64)
            };
            match dims.last_mut() {
                Some((merged, outer)) if continues(*outer) => {
                    *merged *= extent;
                    *outer = dim;
                }
                _ => dims.push((extent, dim)),
            }
        }
        let narrow = |affine: &Affine| Affine {
            offset: affine.offset,
            coefs: dims.iter().map(|&(_, dim)| affine.coefs[dim]).collect(),
        };
        let narrow_guard =
            |guard: &&Guard| Guard { coordinate: narrow(&guard.coordinate), extent: guard.extent };
        Indexed {
            index: narrow(index),
            guards: guards.iter().map(narrow_guard).collect(),
            dims: dims.iter().map(|&(extent, _)| extent).collect(),
        }
    }

    /// Whether both index and guards are constant.
    pub fn is_uniform(&self) -> bool {
        self.index.is_constant() && self.guards.iter().all(|guard| guard.coordinate.is_constant())
    }

    /// The index at the origin, if it counts up by 1 and no guard can fail.
    pub fn contiguous(&self) -> Option<usize> {
        let steps_by_one = self.index.coefs == [1] && self.guards.is_empty();
        steps_by_one.then(|| usize::try_from(self.index.offset).ok())?
    }

    /// Whether a guard may fail somewhere.
    pub fn is_guarded(&self) -> bool {
        !self.guards.is_empty()
    }

    /// The innermost stride, an indicator of memory access efficiency; 0 if only one element is
    /// read.
    pub fn stride(&self) -> i64 {
        self.index.coefs.last().copied().unwrap_or(0)
    }

    /// Calls `f` for each run of the points `start..start + len` in row-major order. `point` is
    /// scratch space.
    pub fn runs(&self, start: usize, len: usize, point: &mut Vec<usize>, mut f: impl FnMut(Run)) {
        let rank = self.dims.len();
        let width = self.dims.last().copied().unwrap_or(len.max(1));
        let outer = rank.saturating_sub(1);
        point.clear();
        point.resize(rank, 0);
        let mut rest = start;
        for (coordinate, &extent) in point.iter_mut().zip(&self.dims).rev() {
            *coordinate = rest % extent;
            rest /= extent;
        }
        let mut at = 0;
        while at < len {
            let column = point.last().copied().unwrap_or(0);
            let count = (width - column).min(len - at);
            let mut inside = 0..count;
            for guard in &self.guards {
                inside = guard.within(point, inside);
            }
            f(Run {
                out: at..at + count,
                inside,
                first: self.index.at(point),
                stride: self.stride(),
            });
            at += count;
            // The next row: the last coordinate resets and the others count up.
            if let Some(column) = point.last_mut() {
                *column = 0;
            }
            for (coordinate, &extent) in point[..outer].iter_mut().zip(&self.dims).rev() {
                *coordinate += 1;
                if *coordinate < extent {
                    break;
                }
                *coordinate = 0;
            }
        }
    }

    /// Fills `out` with the elements of `operand` for points from `start` on; 0 where a guard
    /// fails.
    ///
    /// # Panics
    ///
    /// If an index that is read lies outside `operand`.
    pub fn gather(&self, operand: &[u32], start: usize, point: &mut Vec<usize>, out: &mut [u32]) {
        self.runs(start, out.len(), point, |run| {
            let out = &mut out[run.out];
            if run.inside.is_empty() {
                return out.fill(0);
            }
            let reach = |steps: usize| run.first + run.stride * steps as i64;
            let (low, high) = (reach(run.inside.start), reach(run.inside.end - 1));
            let slice = &operand[low.min(high) as usize..=low.max(high) as usize];
            out[..run.inside.start].fill(0);
            out[run.inside.end..].fill(0);
            let out = &mut out[run.inside];
            match run.stride {
                1 => out.copy_from_slice(slice),
                0 => out.fill(slice[0]),
                2.. => copy(out, slice.iter().step_by(run.stride as usize)),
                _ => copy(out, slice.iter().rev().step_by(run.stride.unsigned_abs() as usize)),
            }
        });
    }

    /// Fills `out` with the index itself.
    pub fn coordinates(&self, start: usize, point: &mut Vec<usize>, out: &mut [u32]) {
        self.runs(start, out.len(), point, |run| {
            for (step, word) in out[run.out].iter_mut().enumerate() {
                *word = (run.first + run.stride * step as i64) as u32;
            }
        });
    }

    /// Fills `out` with 1 where all guards hold, else 0.
    pub fn truths(&self, start: usize, point: &mut Vec<usize>, out: &mut [u32]) {
        self.runs(start, out.len(), point, |run| {
            let out = &mut out[run.out];
            out.fill(0);
            out[run.inside].fill(1);
        });
    }

    /// Zeroes `out` where a guard fails.
    pub fn mask(&self, start: usize, point: &mut Vec<usize>, out: &mut [u32]) {
        self.runs(start, out.len(), point, |run| {
            let out = &mut out[run.out];
            out[..run.inside.start].fill(0);
            out[run.inside.end..].fill(0);
        });
    }
}

fn copy<'a>(out: &mut [u32], words: impl Iterator<Item = &'a u32>) {
    for (y, &x) in out.iter_mut().zip(words) {
        *y = x;
    }
}

impl Guard {
    /// The subrange of `steps` along the last coordinate, counted from `point`, where it holds.
    fn within(&self, point: &[usize], steps: Range<usize>) -> Range<usize> {
        let first = self.coordinate.at(point);
        let coef = self.coordinate.coefs.last().copied().unwrap_or(0);
        let ceil = |a: i64, b: i64| a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0);
        // 0 <= first + coef * step < extent
        let (low, high) = match coef {
            0 if (0..self.extent).contains(&first) => return steps,
            0 => (0, 0),
            1.. => (ceil(-first, coef), ceil(self.extent - first, coef)),
            _ => (ceil(first - self.extent + 1, -coef), ceil(first + 1, -coef)),
        };
        let clamp = |step: i64| step.clamp(steps.start as i64, steps.end as i64) as usize;
        let (start, end) = (clamp(low), clamp(high));
        start..end.max(start)
    }
}
