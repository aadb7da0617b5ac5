//! Strided slices.

use super::class::Layout;
use super::*;
use crate::{
    extents::ends,
    shape::{Section, Shape, resolve_axis},
};

/// Elements `starts, starts + steps, ..` before `ends`, along each axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    pub(crate) starts: Vec<usize>,
    pub(crate) ends: Vec<usize>,
    pub(crate) steps: Vec<usize>,
}

impl std::fmt::Display for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("slice[")?;
        for (axis, start) in self.starts.iter().enumerate() {
            let comma = if axis > 0 { ", " } else { "" };
            write!(f, "{comma}{start}..{}", self.ends[axis])?;
            if self.steps[axis] != 1 {
                write!(f, " step {}", self.steps[axis])?;
            }
        }
        f.write_str("]")
    }
}

impl<'g> Tensor<'g> {
    /// Selects a range of one axis, which is kept. Negative numbers count from its end, as in Python.
    ///
    /// ```
    /// use wgrad::{DType, Graph};
    /// let graph = Graph::new();
    /// let x = graph.input("x", [2, 7], DType::F32);
    /// assert_eq!(x.slice(1, -3..).shape().dims(), [2, 3]);
    /// assert_eq!(x.slice(1, 1..-1).shape().dims(), [2, 5]);
    /// ```
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Range`], or [`OpError::Number`] for a negative number, if the range
    /// does not lie in the axis: it is not cut off at its ends, as Python does.
    #[doc(alias("narrow", "getitem"))]
    #[track_caller]
    pub fn slice(self, axis: i32, range: impl Section) -> Tensor<'g> {
        self.slice_step(axis, range, 1)
    }

    /// The first elements along each axis.
    #[track_caller]
    pub(crate) fn first(self, extents: &[usize]) -> Tensor<'g> {
        let shape = self.shape();
        let longer =
            (0..).zip(shape.dims().iter().zip(extents)).filter(|(_, (own, most))| own > most);
        longer.fold(self, |x, (axis, (_, &most))| x.slice(axis, ..most))
    }

    /// Selects every `step`-th element of a range of one axis, starting with the first.
    ///
    /// # Errors
    ///
    /// Those of [`slice`](Self::slice); [`OpError::Range`] if the step is 0.
    #[doc(alias = "strided_slice")]
    #[track_caller]
    pub fn slice_step(self, axis: i32, range: impl Section, step: usize) -> Tensor<'g> {
        let shape = self.shape();
        let axis = match resolve_axis(axis, shape.rank()) {
            Ok(axis) => axis,
            Err(reason) => return self.graph.refuse("slice", &[self], reason),
        };
        let mut op = Slice {
            starts: vec![0; shape.rank()],
            ends: shape.dims().to_vec(),
            steps: vec![1; shape.rank()],
        };
        [op.starts[axis], op.ends[axis]] = match ends(range, shape.dims()[axis]) {
            Ok(ends) => ends,
            Err(reason) => return self.graph.refuse("slice", &[self], reason),
        };
        op.steps[axis] = step;
        self.graph.push(op, &[self])
    }
}

impl Operation for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        let rank = x.shape.rank();
        if let Some(named) =
            [&self.starts, &self.ends, &self.steps].iter().map(|v| v.len()).find(|&n| n != rank)
        {
            let what = "number of axes and of ranges";
            return Err(OpError::Extents { what, lhs: rank, rhs: named });
        }
        let mut dims = Vec::with_capacity(rank);
        for (axis, &extent) in x.shape.dims().iter().enumerate() {
            let (start, end, step) = (self.starts[axis], self.ends[axis], self.steps[axis]);
            if start > end || end > extent || step == 0 {
                return Err(OpError::Range { start, end, step, extent });
            }
            dims.push((end - start).div_ceil(step));
        }
        Ok(Meta::new(dims, x.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let count = |axis: usize| (self.ends[axis] - self.starts[axis]).div_ceil(self.steps[axis]);
        let dims: Vec<usize> = (0..x.shape().rank()).map(count).collect();
        Array64::from_fn(Meta::new(dims, x.meta.dtype), |c| {
            let along = |(axis, c)| self.starts[axis] + self.steps[axis] * c;
            x.at(&c.into_iter().enumerate().map(along).collect::<Vec<_>>())
        })
    }

    /// Fills the skipped positions with zeros: between the elements by padding a separate axis and
    /// merging it, around them by padding.
    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let extents = operands[0].shape();
        let mut apart = Vec::new();
        let mut gaps = Vec::new();
        let mut merged = Vec::new();
        for (&count, &step) in y.shape().dims().iter().zip(&self.steps) {
            let step = if count > 1 { step } else { 1 };
            apart.push(count);
            gaps.push((0, 0));
            if step > 1 {
                apart.push(1);
                gaps.push((0, step - 1));
            }
            merged.push(count * step);
        }
        let spread = ct.reshape(apart).pad_constant(&gaps, 0.0).reshape(merged.as_slice());
        // The gap after the last element may reach past the end of the axis.
        let room = extents.dims().iter().zip(&self.starts).map(|(extent, start)| extent - start);
        let ends: Vec<usize> = merged.into_iter().zip(room).map(|(n, room)| n.min(room)).collect();
        let around: Vec<_> = (0..ends.len())
            .map(|axis| {
                let low = self.starts[axis];
                (low, extents.dims()[axis] - low - ends[axis])
            })
            .collect();
        let trimmed = if spread.shape().dims() == ends.as_slice() {
            spread
        } else {
            let rank = ends.len();
            let trim = Slice { starts: vec![0; rank], ends, steps: vec![1; rank] };
            ct.graph.push(trim, &[spread])
        };
        vec![Some(trimmed.pad_constant(&around, 0.0))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Slice { starts: self.starts.clone(), steps: self.steps.clone() })
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, _: &[&Meta], result: &Meta) -> Cost {
        // Only the selected elements are read.
        Cost::moved(&[result], result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{F32, U32};
        let of = |shape: Shape, ranges: &[(usize, usize, usize)], dtype| {
            let op = Slice {
                starts: ranges.iter().map(|range| range.0).collect(),
                ends: ranges.iter().map(|range| range.1).collect(),
                steps: ranges.iter().map(|range| range.2).collect(),
            };
            Sample::new(op, [Meta::new(shape, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([7].into(), &[(2, 5, 1)], F32),
            of([5, 4].into(), &[(1, 4, 1), (0, 3, 1)], F32).named("two axes"),
            of([11, 3].into(), &[(1, 11, 3), (0, 3, 1)], F32).named("steps past the end"),
            of([7, 6].into(), &[(0, 7, 2), (1, 6, 4)], F32).named("steps along two axes"),
            of([4].into(), &[(3, 4, 9)], F32).named("one element"),
            of([3, 4].into(), &[(0, 3, 1), (2, 2, 2)], F32).named("nothing"),
            of([3, 8].into(), &[(1, 3, 1), (0, 8, 3)], U32).without_gradient(),
        ];
        with_halves(samples, &["", "steps past the end"])
    }
}
