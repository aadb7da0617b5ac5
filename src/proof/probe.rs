//! Parts of a kernel's problem, computed by the definition of its operation.

use super::error_bound::Approx;
use crate::{
    array64::Array64,
    dtype::DType,
    ops::{
        contract::{Bound, Noise},
        probe::Probe,
    },
    shape::{Meta, Shape},
};
use std::collections::BTreeSet;

impl Probe {
    /// Computes some of the results, by row-major index.
    pub(super) fn results(&self, words: &[&[u32]]) -> Vec<(usize, Approx)> {
        let Ok(result) = self.op.infer(&self.operands) else { return vec![] };
        if result.shape.is_empty() {
            return vec![];
        }
        let length = self.length(&result);
        let mut results = Vec::new();
        for starts in self.starts(&result, &length) {
            self.part(&result, &starts, &length, words, &mut results);
        }
        results
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
    fn length(&self, result: &Meta) -> Vec<usize> {
        const CHEAP: f64 = 3e5;
        let mut length = vec![1; self.free.len()];
        loop {
            let before = length.clone();
            for index in (0..length.len()).rev() {
                let extent = result.shape.dims()[self.free[index].result];
                let mut longer = length.clone();
                longer[index] = (2 * length[index]).min(extent);
                if self.work(&longer) <= CHEAP {
                    length = longer;
                }
            }
            if length == before {
                return length;
            }
        }
    }

    /// Work of the definition on a part.
    fn work(&self, length: &[usize]) -> f64 {
        let operands = self.narrowed(length);
        let metas: Vec<&Meta> = operands.iter().collect();
        let Ok(result) = self.op.infer(&operands) else { return f64::INFINITY };
        let cost = self.op.cost(&metas, &result);
        cost.flops + cost.bytes
    }

    /// The operands of a part.
    fn narrowed(&self, length: &[usize]) -> Vec<Meta> {
        let mut operands = self.operands.clone();
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

    /// Start coordinates of the parts: the first, the last, and some in between.
    fn starts(&self, result: &Meta, length: &[usize]) -> BTreeSet<Vec<usize>> {
        const BUDGET: f64 = 3e6;
        let count = (BUDGET / self.work(length).max(1.0)).clamp(2.0, 8.0) as usize;
        let axes = self.free.iter().zip(length);
        let last: Vec<usize> =
            axes.map(|(free, length)| result.shape.dims()[free.result] - length).collect();
        let mut starts = BTreeSet::from([vec![0; last.len()], last.clone()]);
        let mut noise = Noise::new(7);
        for _ in 2..count {
            let between = |&last: &usize| (noise.unit() * (last + 1) as f64) as usize;
            starts.insert(last.iter().map(between).collect());
        }
        starts
    }

    /// Computes the results of the part that starts at `starts`, by the definition.
    fn part(
        &self,
        result: &Meta,
        starts: &[usize],
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
                let places = self.free.iter().zip(starts);
                let places =
                    places.filter_map(|(free, &start)| Some((free.operands[operand]?, start)));
                let offset = offset(shape, places);
                let indices = meta.shape.coordinates().map(|c| offset + shape.index(&c));
                let dtype = meta.dtype;
                let data = indices.map(|index| dtype.from_word(words[operand][index])).collect();
                Array64 { meta, data }
            })
            .collect();
        let exact = self.op.eval(&operands.iter().collect::<Vec<_>>());
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
                self.op.eval(&magnitudes.iter().collect::<Vec<_>>()).data
            }
            _ => vec![0.0; exact.data.len()],
        };
        let places = self.free.iter().zip(starts).map(|(free, &start)| (free.result, start));
        let offset = offset(&result.shape, places);
        let indices = exact.shape().coordinates().map(|c| offset + result.shape.index(&c));
        let values = exact.data.iter().zip(magnitudes);
        results.extend(indices.zip(values).map(|(index, (&value, magnitude))| {
            (index, Approx::bounded(value, result.dtype, 0.0, bound, magnitude))
        }));
    }
}

/// The row-major index of a point that is 0 along all axes except the given ones.
fn offset(shape: &Shape, places: impl Iterator<Item = (usize, usize)>) -> usize {
    let mut coordinate = vec![0; shape.rank()];
    places.for_each(|(axis, place)| coordinate[axis] = place);
    shape.index(&coordinate)
}

/// The same tensor with floats replaced by their absolute values.
fn magnitude(x: &Array64) -> Array64 {
    match x.meta.dtype {
        DType::F32 | DType::F16 => x.map(x.meta.dtype, f64::abs),
        _ => x.clone(),
    }
}
