//! Extents of attention: numbers of heads and vectors, and strides of a mask.

use super::*;
use crate::ops::params::params;

/// How a mask applies to scores; the numbers are those of `shaders/lib/mask.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masking {
    None = 0,
    /// Hides scores where it is false.
    Truth = 1,
    /// Is added to the scores.
    Numbers = 2,
}

/// Numbers of heads, queries and keys, widths of keys and values, and the options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents {
    pub heads: usize,
    pub t: usize,
    pub s: usize,
    pub d: usize,
    pub e: usize,
    pub causal: bool,
    pub scale: f32,
    /// Heads of queries per head of keys and values.
    pub group: usize,
    pub masking: Masking,
    /// Extent of the last axis before the matrices: heads per batch.
    whole: usize,
    /// Strides of the mask between batches, heads, queries and keys.
    mask: [usize; 4],
    pub dropped: Option<Dropped>,
}

/// The last two extents of a matrix, or of a stack of them.
pub(super) fn matrix(x: &Meta) -> Option<[usize; 2]> {
    x.shape.dims().last_chunk().copied()
}

/// The extents before the last two.
pub(super) fn outer(x: &Meta) -> &[usize] {
    &x.shape.dims()[..x.shape.rank().saturating_sub(2)]
}

/// Number of heads of queries per head of keys.
fn group(q: &Meta, k: &Meta) -> Option<usize> {
    match (outer(q).split_last(), outer(k).split_last()) {
        _ if outer(q) == outer(k) => Some(1),
        (Some((&heads, batches)), Some((&shared, of_keys))) if batches == of_keys => {
            (shared > 0 && heads.is_multiple_of(shared)).then(|| heads / shared)
        }
        _ => None,
    }
}

/// The strides of a mask that is broadcast to `t` queries and `s` keys.
fn distances(mask: &Meta, q: &Meta, [t, s]: [usize; 2]) -> Option<[usize; 4]> {
    let (of_mask, of_q) = (outer(mask), outer(q));
    let [rows, keys] = matrix(mask)?;
    let [(&heads, batches), (&all, whole)] = match (of_mask.split_last(), of_q.split_last()) {
        (Some(mask), Some(q)) => [mask, q],
        (None, None) => [(&1, &[][..]); 2],
        _ => return None,
    };
    let fits = |own: usize, all: usize| own == 1 || own == all;
    let repeats = batches.iter().all(|&extent| extent == 1) && batches.len() == whole.len();
    if !(fits(rows, t) && fits(keys, s) && fits(heads, all) && (repeats || batches == whole)) {
        return None;
    }
    let step = |extent: usize, distance: usize| if extent == 1 { 0 } else { distance };
    Some([
        if repeats { 0 } else { heads * rows * keys },
        step(heads, rows * keys),
        step(rows, keys),
        step(keys, 1),
    ])
}

impl Attention {
    /// The extents of matching queries, keys and values; mask and random draw are checked if used.
    pub(super) fn extents(&self, [q, k, v, mask, draw]: [&Meta; 5]) -> Result<Extents, OpError> {
        let (Some([t, d]), Some([s, width]), Some([values, e])) = (matrix(q), matrix(k), matrix(v))
        else {
            return Err(OpError::Rank { least: 2 });
        };
        if [k, v].iter().any(|x| x.dtype != q.dtype) {
            return Err(OpError::DTypes);
        }
        if !q.dtype.is_float() {
            return Err(OpError::DType(q.dtype));
        }
        let agree = |what, lhs, rhs| {
            if lhs == rhs { Ok(()) } else { Err(OpError::Extents { what, lhs, rhs }) }
        };
        agree("elements of queries and keys", d, width)?;
        agree("numbers of keys and values", s, values)?;
        let group = group(q, k).filter(|_| outer(k) == outer(v)).ok_or(OpError::Broadcast)?;
        let masking = match mask.dtype {
            _ if !self.masked => Masking::None,
            DType::Bool => Masking::Truth,
            DType::F32 => Masking::Numbers,
            dtype => return Err(OpError::DType(dtype)),
        };
        let distances = match masking {
            Masking::None => [0; 4],
            _ => distances(mask, q, [t, s]).ok_or(OpError::Broadcast)?,
        };
        if self.dropped.is_some() {
            let expected = Meta::new([outer(q), &[4]].concat(), DType::U32);
            if *draw != expected {
                return Err(OpError::Target(expected.shape));
            }
        }
        Ok(Extents {
            heads: outer(q).iter().product(),
            t,
            s,
            d,
            e,
            causal: self.causal,
            scale: self.scale_of(d) as f32,
            group,
            masking,
            whole: outer(q).last().copied().unwrap_or(1),
            mask: distances,
            dropped: self.dropped,
        })
    }
}

impl Extents {
    /// Whether the kernels apply: nothing is empty, and the vectors fit.
    pub fn is_served(&self, dtype: DType) -> bool {
        let some = [self.heads, self.t, self.s, self.d, self.e].iter().all(|&extent| extent > 0);
        some && self.d.max(self.e) <= WIDEST && dtype.is_float()
    }

    /// A shader with one workgroup for some rows of each head.
    pub fn shader(&self, file: ShaderFile, heads: usize, rows: usize) -> Shader {
        let [mask_batch, mask_head, mask_row, mask_key] = self.mask;
        let params = params! {
            heads: self.heads,
            t: self.t,
            s: self.s,
            d: self.d,
            e: self.e,
            causal: u32::from(self.causal),
            scale: self.scale,
            group: self.group,
            whole: self.whole.max(1),
            mask_batch,
            mask_head,
            mask_row,
            mask_key,
            stream: self.dropped.map_or(0, |dropped| dropped.stream),
            dropped: self.dropped.map_or(0.0, |dropped| dropped.share as f32),
        };
        let overrides =
            vec![("WIDTH", self.d.max(self.e) as f64), ("MASK", f64::from(self.masking as u8))];
        Shader { file, overrides, params, workgroups: fold(heads * rows.div_ceil(ROWS)) }
    }

    /// Start of the mask of a query, and the stride of keys in it.
    pub fn mask_of(&self, head: usize, query: usize) -> (usize, usize) {
        let [batch, of_head, row, key] = self.mask;
        let (number, within) = (head / self.whole, head % self.whole);
        (number * batch + within * of_head + query * row, key)
    }

    /// Flops of a matrix product with all scores.
    pub fn product(&self, width: usize) -> f64 {
        2.0 * (self.heads * self.t * self.s * width) as f64
    }

    /// The axes before the matrices along which a problem splits into parts, with the axis of each
    /// operand: all of the first `ours` operands, queries, keys and the like, have it; mask and
    /// random draw only in some cases.
    pub fn parts(
        &self,
        operands: &[&Meta],
        ours: usize,
    ) -> impl Iterator<Item = (usize, Vec<Option<usize>>)> {
        let heads = operands[0].shape.rank() - 2;
        // The heads of a group belong together.
        let free = if self.group == 1 { heads } else { heads - 1 };
        let (masking, dropped) = (self.masking, self.dropped.is_some());
        let metas: Vec<Meta> = operands.iter().map(|&meta| meta.clone()).collect();
        (0..free).map(move |axis| {
            let of = |(index, meta): (usize, &Meta)| match index.checked_sub(ours) {
                None => Some(axis),
                Some(0) => {
                    (masking != Masking::None && meta.shape.dims()[axis] != 1).then_some(axis)
                }
                Some(_) => dropped.then_some(axis),
            };
            (axis, metas.iter().enumerate().map(of).collect())
        })
    }

    /// Whether the position of a query does not matter: then some queries can be computed alone.
    pub fn is_anywhere(&self) -> bool {
        !self.causal && self.dropped.is_none()
    }

    /// The axis of the queries in a mask, if it has one.
    pub fn mask_rows(&self, mask: &Meta) -> Option<usize> {
        let axis = mask.shape.rank().checked_sub(2)?;
        (self.masking != Masking::None && mask.shape.dims()[axis] != 1).then_some(axis)
    }

    /// The axis of the keys in a mask, if it has one.
    pub fn mask_keys(&self, mask: &Meta) -> Option<usize> {
        let axis = mask.shape.rank().checked_sub(1)?;
        (self.masking != Masking::None && mask.shape.dims()[axis] != 1).then_some(axis)
    }
}
