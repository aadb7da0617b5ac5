//! Coordinates mapped through layout changes: from those of the result to those of the operand.

use super::expr::{Affine, Guard};
use crate::shape::Shape;

/// The row-major index of a point of `shape`.
pub(super) fn linear(coords: &[Affine], shape: &Shape, rank: usize) -> Affine {
    let strides = shape.strides();
    coords.iter().zip(strides).fold(Affine::constant(0, rank), |sum, (coord, stride)| {
        coord.scaled_add(stride as i64, &sum)
    })
}

/// The coordinates in `shape` of the element at row-major index `index`, if each of them is an
/// affine function, i.e. if no term of the index ever carries from one axis into another.
pub(super) fn split(index: &Affine, shape: &Shape, space: &[usize]) -> Option<Vec<Affine>> {
    let mut rest = index.clone();
    let mut coords = Vec::with_capacity(shape.rank());
    for (stride, &extent) in shape.strides().into_iter().zip(shape.dims()) {
        let rank = index.coefs.len();
        if extent == 1 {
            coords.push(Affine::constant(0, rank));
            continue;
        }
        let stride = stride as i64;
        let mut coord = Affine::constant(0, rank);
        for (own, left) in coord.coefs.iter_mut().zip(&mut rest.coefs) {
            if *left % stride == 0 {
                *own = *left / stride;
                *left = 0;
            }
        }
        let (low, high) = rest.range(space);
        coord.offset = low.div_euclid(stride);
        rest.offset -= coord.offset * stride;
        if high - coord.offset * stride >= stride {
            return None;
        }
        coords.push(coord);
    }
    Some(coords)
}

/// Coordinates of a broadcast operand: axes are aligned at the last one, axes of extent 1 repeat.
pub(super) fn broadcast(coords: &[Affine], operand: &Shape) -> Vec<Affine> {
    let missing = coords.len() - operand.rank();
    let aligned = coords[missing..].iter().zip(operand.dims());
    aligned
        .map(|(coord, &extent)| match extent {
            1 => Affine::constant(0, coord.coefs.len()),
            _ => coord.clone(),
        })
        .collect()
}

/// The guard that keeps a coordinate within an axis; `None` if it can never leave it.
pub(super) fn guard(coordinate: &Affine, extent: usize, space: &[usize]) -> Option<Guard> {
    let extent = extent as i64;
    let (low, high) = coordinate.range(space);
    (low < 0 || high >= extent).then(|| Guard { coordinate: coordinate.clone(), extent })
}

/// An iteration space with fewer dimensions: dimensions of extent 1 are dropped, and adjacent ones
/// that every affine function traverses as one are merged.
pub(super) struct Compaction {
    /// The remaining extents.
    pub space: Vec<usize>,
    /// For each of them, the old dimension whose coefficient it takes: the innermost.
    from: Vec<usize>,
}

impl Compaction {
    /// Compacts the dimensions `dims` of a space for these functions over the whole space.
    pub fn new(space: &[usize], dims: std::ops::Range<usize>, affines: &[&Affine]) -> Self {
        let mut compaction = Compaction { space: vec![], from: vec![] };
        for dim in dims.filter(|&dim| space[dim] != 1) {
            let joins = |last: usize| {
                affines.iter().all(|a| a.coefs[last] == a.coefs[dim] * space[dim] as i64)
            };
            match (compaction.space.last_mut(), compaction.from.last_mut()) {
                (Some(extent), Some(last)) if joins(*last) => {
                    *extent *= space[dim];
                    *last = dim;
                }
                _ => {
                    compaction.space.push(space[dim]);
                    compaction.from.push(dim);
                }
            }
        }
        compaction
    }

    /// The coefficients of a function in the new space.
    pub fn coefs(&self, affine: &Affine) -> Vec<i64> {
        self.from.iter().map(|&dim| affine.coefs[dim]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splitting agrees with division at every point.
    #[test]
    fn split_agrees_with_division() {
        let space = [2, 3, 4];
        let index = linear(
            &(0..3).map(|dim| Affine::coordinate(dim, 3)).collect::<Vec<_>>(),
            &Shape::from(space),
            3,
        );
        for shape in [[6, 4].as_slice(), &[2, 12], &[24], &[2, 1, 3, 4], &[1, 24], &[2, 3, 2, 2]] {
            let shape = Shape::from(shape);
            let coords = split(&index, &shape, &space);
            if shape.dims() == [2, 3, 2, 2] {
                assert_eq!(coords, None, "4 cannot be split into 2 x 2 by affine functions");
                continue;
            }
            let coords = coords.expect("no carries");
            for (k, point) in Shape::from(space).coordinates().enumerate() {
                let at: Vec<usize> = coords.iter().map(|c| c.at(&point) as usize).collect();
                assert_eq!(shape.index(&at), k);
                assert!(at.iter().zip(shape.dims()).all(|(c, extent)| c < extent));
            }
        }
    }
}
