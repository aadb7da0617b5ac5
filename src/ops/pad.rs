//! Constant padding.

use super::class::Layout;
use super::*;
use crate::{dtype::DType, shape::Shape};

/// Surrounds the operand with a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// Number of elements inserted before each axis.
    pub(crate) low: Vec<usize>,
    /// Number of elements appended after each axis.
    pub(crate) high: Vec<usize>,
    /// The constant, as [`DType::to_word`] writes it.
    pub(crate) word: u32,
}

impl Pad {
    /// Extents of the result; `None` if one exceeds an `i32`.
    fn dims(&self, shape: &Shape) -> Option<Vec<usize>> {
        let pads = self.low.iter().zip(&self.high);
        let dims = shape.dims().iter().zip(pads).map(|(&dim, (&low, &high))| {
            dim.checked_add(low)?.checked_add(high).filter(|&dim| i32::try_from(dim).is_ok())
        });
        dims.collect()
    }
}

impl std::fmt::Display for Pad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pads: Vec<_> = self.low.iter().zip(&self.high).collect();
        write!(f, "pad{pads:?}")
    }
}

impl<'g> Tensor<'g> {
    /// Pads each axis with `value`, by the given numbers of elements before and after it: what
    /// `Tensor::pad` does with a constant.
    #[track_caller]
    pub(crate) fn pad_constant(self, pads: &[(usize, usize)], value: f64) -> Tensor<'g> {
        if pads.len() == self.rank() && pads.iter().all(|&pad| pad == (0, 0)) {
            return self;
        }
        let dtype = self.dtype();
        if !dtype.holds(value) {
            return self.graph.refuse("pad", &[self], OpError::Unrepresentable { value, dtype });
        }
        let op = Pad {
            low: pads.iter().map(|pad| pad.0).collect(),
            high: pads.iter().map(|pad| pad.1).collect(),
            word: dtype.to_word(value),
        };
        self.graph.push(op, &[self])
    }
}

impl Operation for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        let rank = x.shape.rank();
        if let Some(named) = [&self.low, &self.high].iter().map(|v| v.len()).find(|&n| n != rank) {
            let what = "number of axes and of pads";
            return Err(OpError::Extents { what, lhs: rank, rhs: named });
        }
        self.dims(&x.shape).map(|dims| Meta::new(dims, x.dtype)).ok_or(OpError::TooLarge)
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let dims = self.dims(x.shape()).expect("checked when the node was built");
        let value = x.meta.dtype.from_word(self.word);
        Array64::from_fn(Meta::new(dims, x.meta.dtype), |c| {
            let from: Option<Vec<_>> = (0..c.len())
                .map(|axis| {
                    c[axis].checked_sub(self.low[axis]).filter(|&c| c < x.shape().dims()[axis])
                })
                .collect();
            from.map_or(value, |from| x.at(&from))
        })
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let dims = operands[0].shape();
        let op = slice::Slice {
            starts: self.low.clone(),
            ends: self.low.iter().zip(dims.dims()).map(|(low, dim)| low + dim).collect(),
            steps: vec![1; self.low.len()],
        };
        vec![Some(ct.graph.push(op, &[ct]))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Pad { low: self.low.clone(), value: self.word })
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |shape: Shape, pads: &[(usize, usize)], dtype: DType, value: f64| {
            let op = Pad {
                low: pads.iter().map(|pad| pad.0).collect(),
                high: pads.iter().map(|pad| pad.1).collect(),
                word: dtype.to_word(value),
            };
            Sample::new(op, [Meta::new(shape, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([5].into(), &[(2, 1)], DType::F32, 0.0),
            of([3, 4].into(), &[(0, 2), (1, 0)], DType::F32, -1.5).named("two axes"),
            of([2, 0].into(), &[(1, 1), (0, 3)], DType::F32, 0.5).named("nothing but pad"),
            of([].into(), &[], DType::F32, 1.0).named("scalar"),
            of([2, 3].into(), &[(1, 0), (0, 1)], DType::F32, f64::NEG_INFINITY)
                .without_gradient()
                .named("infinite"),
            of([3, 2].into(), &[(1, 1), (0, 1)], DType::I32, -7.0).without_gradient(),
        ];
        with_halves(samples, &["two axes", "infinite"])
    }
}
