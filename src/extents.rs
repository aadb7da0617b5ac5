//! Extents and ranges as callers write them, of tensors and of arrays: with -1 for an extent that
//! follows from the others, and negative numbers that count from the end.

use crate::{
    error::OpError,
    shape::{Section, Shape},
};
use std::ops::Bound;

/// The shape of `len` elements, of whose extents one may be -1.
pub(crate) fn inferred(extents: &[i64], len: usize) -> Result<Shape, OpError> {
    if let Some(&is) = extents.iter().find(|&&extent| extent < -1) {
        let (what, must) = ("extent", "at least 0, or -1 for one that follows");
        return Err(OpError::Number { what, must, is: is as f64 });
    }
    let known: Vec<usize> = (extents.iter().filter(|&&extent| extent >= 0))
        .map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX))
        .collect();
    if known.len() == extents.len() {
        return Ok(known.into());
    }
    if known.len() + 1 < extents.len() {
        return Err(OpError::Argument("only one extent can follow from the others"));
    }
    let rest = match Shape::from(known.as_slice()).checked_len() {
        None => return Err(OpError::TooLarge),
        Some(0) => return Err(OpError::Argument("an extent of -1 could be any beside one of 0")),
        Some(by) if !len.is_multiple_of(by) => {
            return Err(OpError::Indivisible { what: "elements", number: len, by });
        }
        Some(by) => len / by,
    };
    let mut known = known.into_iter();
    let all = extents.iter().map(|&extent| if extent < 0 { Some(rest) } else { known.next() });
    Ok(all.flatten().collect::<Vec<_>>().into())
}

/// The first element of a range along an axis, and one past its last.
pub(crate) fn ends(range: impl Section, extent: usize) -> Result<[usize; 2], OpError> {
    let place = |what, number: i64| {
        let from_start = if number < 0 { number + extent as i64 } else { number };
        let must = "within the axis";
        usize::try_from(from_start).map_err(|_| OpError::Number { what, must, is: number as f64 })
    };
    let [start, end] = range.bounds();
    let (first, last) = ("start of the range", "end of the range");
    let start = match start {
        Bound::Included(start) => place(first, start)?,
        Bound::Excluded(before) => place(first, before)?.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match end {
        Bound::Included(element) => place(last, element)?.saturating_add(1),
        Bound::Excluded(end) => place(last, end)?,
        Bound::Unbounded => extent,
    };
    Ok([start, end])
}
