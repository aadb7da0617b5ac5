//! Parts of a kernel's problem, computed by the definition of its operation.

use super::error_bound::{Approx, distance, is_denormal};
use crate::{
    array64::Array64,
    dtype::DType,
    ops::{
        Op,
        contract::{Bound, Noise},
        probe::Probe,
    },
    shape::{Meta, Shape},
};
use std::collections::BTreeSet;

impl Probe {
    /// Computes some of the results, by row-major index: those of at most `parts` parts.
    pub(super) fn results(&self, words: &[&[u32]], parts: usize) -> Vec<(usize, Approx)> {
        let Ok(result) = self.op.infer(&self.operands) else { return vec![] };
        if result.shape.is_empty() {
            return vec![];
        }
        let length = self.length();
        let mut results = Vec::new();
        for start in self.starts(&length, parts) {
            self.part(&result, &start, &length, words, &mut results);
        }
        results
    }

    /// Work of computing the results.
    #[cfg(test)]
    pub(crate) fn total_work(&self) -> f64 {
        let length = self.length();
        self.work(&length) * self.starts(&length, 8).len() as f64
    }

    /// Computes every result from the whole problem at once.
    #[cfg(test)]
    pub(super) fn whole(&self, words: &[&[u32]]) -> Vec<f64> {
        let operands = self.operands.iter().zip(words).map(|(meta, words)| {
            let data = words.iter().map(|&word| meta.dtype.from_word(word)).collect();
            Array64 { meta: meta.clone(), data }
        });
        let operands: Vec<Array64> = operands.collect();
        self.op.eval(&operands.iter().collect::<Vec<_>>()).data
    }

    /// The extent of a part along each free axis: at least one, extended as long as that is cheap.
    fn length(&self) -> Vec<usize> {
        const PART_WORK: f64 = 3e5;
        let extents = self.extents();
        let mut length = vec![1; self.free.len()];
        loop {
            let before = length.clone();
            for index in (0..length.len()).rev() {
                let mut longer = length.clone();
                longer[index] = (2 * length[index]).min(extents[index]);
                if self.work(&longer) <= PART_WORK {
                    length = longer;
                }
            }
            if length == before {
                return length;
            }
        }
    }

    /// The definition of a group.
    fn definition(&self) -> &Op {
        self.groups.as_ref().map_or(&self.op, |groups| &groups.op)
    }

    /// The extent of each free axis, within a group.
    fn extents(&self) -> Vec<usize> {
        let Ok(result) = self.definition().infer(&self.group()) else { return vec![] };
        self.free.iter().map(|free| result.shape.dims()[free.result]).collect()
    }

    /// Work of the definition on a part.
    fn work(&self, length: &[usize]) -> f64 {
        let operands = self.narrowed(length);
        let metas: Vec<&Meta> = operands.iter().collect();
        let op = self.definition();
        let Ok(result) = op.infer(&operands) else { return f64::INFINITY };
        let cost = op.cost(&metas, &result);
        cost.flops + cost.bytes
    }

    /// The operands of a group.
    fn group(&self) -> Vec<Meta> {
        let mut operands = self.operands.clone();
        if let Some(groups) = &self.groups {
            for (operand, &axis) in operands.iter_mut().zip(&groups.operands) {
                let mut dims = operand.shape.dims().to_vec();
                dims[axis] /= groups.count;
                operand.shape = dims.into();
            }
        }
        operands
    }

    /// The operands of a part.
    fn narrowed(&self, length: &[usize]) -> Vec<Meta> {
        let mut operands = self.group();
        for (free, &length) in self.free.iter().zip(length) {
            for (operand, axis) in operands.iter_mut().zip(&free.operands) {
                if let Some(axis) = *axis {
                    let mut dims = operand.shape.dims().to_vec();
                    dims[axis] = length;
                    operand.shape = dims.into();
                }
            }
        }
        operands
    }

    /// Where the parts start: the first, the last, and some in between.
    fn starts(&self, length: &[usize], most: usize) -> BTreeSet<Start> {
        const TOTAL_WORK: f64 = 3e6;
        let count = (TOTAL_WORK / self.work(length).max(1.0)).clamp(2.0, most as f64) as usize;
        let last: Vec<usize> =
            self.extents().iter().zip(length).map(|(extent, length)| extent - length).collect();
        let groups = self.groups.as_ref().map_or(1, |groups| groups.count);
        let last = Start { group: groups - 1, at: last };
        let first = Start { group: 0, at: vec![0; last.at.len()] };
        let mut starts = BTreeSet::from([first, last.clone()]);
        let mut noise = Noise::new(7);
        for _ in 2..count {
            let mut between = |last: usize| (noise.unit() * (last + 1) as f64) as usize;
            let at = last.at.iter().map(|&last| between(last)).collect();
            starts.insert(Start { group: between(last.group), at });
        }
        starts
    }

    /// Computes the results of the part that starts there, by the definition.
    fn part(
        &self,
        result: &Meta,
        start: &Start,
        length: &[usize],
        words: &[&[u32]],
        results: &mut Vec<(usize, Approx)>,
    ) {
        let narrowed = self.narrowed(length);
        let operands: Vec<Array64> = narrowed
            .into_iter()
            .enumerate()
            .map(|(operand, meta)| {
                let shape = &self.operands[operand].shape;
                let places = self.free.iter().zip(&start.at);
                let places = places.filter_map(|(free, &at)| Some((free.operands[operand]?, at)));
                let group = self.groups.as_ref().map(|groups| groups.operands[operand]);
                let offset = self.origin(shape, group, start) + offset(shape, places);
                let indices = meta.shape.coordinates().map(|c| offset + shape.index(&c));
                let dtype = meta.dtype;
                let data = indices.map(|index| dtype.from_word(words[operand][index])).collect();
                Array64 { meta, data }
            })
            .collect();
        let op = self.definition();
        let exact = op.eval(&operands.iter().collect::<Vec<_>>());
        let flushed = flushed(&operands).map(|x| op.eval(&x.iter().collect::<Vec<_>>()).data);
        let flushed = flushed.as_deref().unwrap_or(&exact.data);
        // These bounds hold for operands of magnitude up to 1, and grow with them.
        let scale = operands.iter().filter(|x| x.meta.dtype.is_float()).flat_map(|x| &x.data);
        let scale = scale.filter(|x| x.is_finite()).fold(1.0, |scale: f64, x| scale.max(x.abs()));
        let bound = match self.bound {
            Bound::Ulp(n) => Bound::Ulp((f64::from(n) * scale).min(1e9) as u32),
            Bound::Abs(error) => Bound::Abs(error * scale),
            bound => bound,
        };
        let magnitudes = match self.bound {
            Bound::Terms(_) => {
                let magnitudes: Vec<_> = operands.iter().map(magnitude).collect();
                op.eval(&magnitudes.iter().collect::<Vec<_>>()).data
            }
            _ => vec![0.0; exact.data.len()],
        };
        let places = self.free.iter().zip(&start.at).map(|(free, &at)| (free.result, at));
        let group = self.groups.as_ref().map(|groups| groups.result);
        let offset = self.origin(&result.shape, group, start) + offset(&result.shape, places);
        let indices = exact.shape().coordinates().map(|c| offset + result.shape.index(&c));
        let values = exact.data.iter().zip(flushed).zip(magnitudes);
        results.extend(indices.zip(values).map(|(index, ((&value, &flushed), magnitude))| {
            let spread = distance(value, flushed);
            (index, Approx::bounded(value, result.dtype, spread, bound, magnitude))
        }));
    }

    /// The row-major index at which the group of a part starts, if groups lie along this axis.
    fn origin(&self, shape: &Shape, axis: Option<usize>, start: &Start) -> usize {
        let (Some(axis), Some(groups)) = (axis, &self.groups) else { return 0 };
        offset(shape, [(axis, start.group * (shape.dims()[axis] / groups.count))])
    }
}

/// Where a part starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    group: usize,
    /// The coordinate along each free axis, within the group.
    at: Vec<usize>,
}

/// The row-major index of a point that is 0 along all axes except the given ones.
fn offset(shape: &Shape, places: impl IntoIterator<Item = (usize, usize)>) -> usize {
    let mut coordinate = vec![0; shape.rank()];
    places.into_iter().for_each(|(axis, place)| coordinate[axis] = place);
    shape.index(&coordinate)
}

/// Operands as a device sees them that takes denormals for 0; none if there are no denormals.
fn flushed(operands: &[Array64]) -> Option<Vec<Array64>> {
    let flushes =
        |x: &Array64| x.meta.dtype == DType::F32 && x.data.iter().any(|&x| is_denormal(x));
    let flush = |x: f64| if is_denormal(x) { 0f64.copysign(x) } else { x };
    operands.iter().any(flushes).then(|| {
        let each = operands.iter();
        each.map(|x| if flushes(x) { x.map(DType::F32, flush) } else { x.clone() }).collect()
    })
}

/// The same tensor with floats replaced by their absolute values.
fn magnitude(x: &Array64) -> Array64 {
    match x.meta.dtype {
        DType::F32 | DType::F16 => x.map(x.meta.dtype, f64::abs),
        _ => x.clone(),
    }
}
