//! Reversed axes.

use super::class::Layout;
use super::*;
use crate::shape::{Axes, Shape};

/// Reverses the order along axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// In increasing order.
    pub(crate) axes: Vec<usize>,
}

impl std::fmt::Display for Flip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "flip{:?}", self.axes)
    }
}

impl<'g> Tensor<'g> {
    /// Reverses the order along `axes`: coordinate `c` becomes `extent - 1 - c`.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    #[doc(alias("flipud", "reverse", "fliplr"))]
    #[track_caller]
    pub fn flip(self, axes: impl Axes) -> Tensor<'g> {
        match axes.resolve(self.rank()) {
            Ok(axes) => self.graph.push(Flip { axes }, &[self]),
            Err(reason) => self.graph.refuse("flip", &[self], reason),
        }
    }
}

impl Operation for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        Ok(operands[0].clone())
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        Array64::from_fn(x.meta.clone(), |mut c| {
            for &axis in &self.axes {
                c[axis] = x.shape().dims()[axis] - 1 - c[axis];
            }
            x.at(&c)
        })
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![Some(ct.graph.push(self.clone(), &[ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Flip(self.axes.clone()))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{F32, I32};
        let of = |shape: Shape, axes: &[usize], dtype| {
            Sample::new(Flip { axes: axes.to_vec() }, [Meta::new(shape, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([7].into(), &[0], F32),
            of([2, 3, 5].into(), &[0, 2], F32).named("outer axes"),
            of([3, 1, 2].into(), &[1], F32).named("extent 1"),
            of([3, 0].into(), &[0, 1], F32).named("empty"),
            of([4, 3].into(), &[0], I32).without_gradient(),
        ];
        with_halves(samples, &["outer axes"])
    }
}
