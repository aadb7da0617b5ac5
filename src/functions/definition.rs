//! Shared code of functions: helpers for their definitions, and a check of their operands.

use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// This tensor if it has floats; otherwise an error in the name of `function`.
    #[track_caller]
    pub(crate) fn of_floats(self, function: &'static str) -> Tensor<'g> {
        if self.failed() || self.dtype().is_float() {
            self
        } else {
            self.graph().refuse(function, &[self], OpError::DType(self.dtype()))
        }
    }
}

/// A function of each element.
pub(super) fn elementwise(
    name: &'static str,
    build: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    definition: fn(f64) -> f64,
) -> Function {
    Function::new(name, move |x| build(x[0]), move |x| x[0].map(x[0].meta.dtype, definition))
}

/// A function of each row of matrices, or of matrices and vectors.
pub(super) fn of_rows(
    name: &'static str,
    build: for<'g> fn(&[Tensor<'g>]) -> Tensor<'g>,
    definition: fn(&[&[f64]]) -> f64,
) -> Function {
    Function::new(name, build, move |x| by_row(x, x[0].meta.dtype, definition))
}

/// The cost of each row of matrices, or of matrices and vectors, which is f32.
pub(super) fn costs_of_rows(
    name: &'static str,
    build: for<'g> fn(&[Tensor<'g>]) -> Tensor<'g>,
    definition: fn(&[&[f64]]) -> f64,
) -> Function {
    Function::new(name, build, move |x| by_row(x, DType::F32, definition))
}

fn by_row(x: &[&Array64], dtype: DType, definition: fn(&[&[f64]]) -> f64) -> Array64 {
    let rows = x[0].shape().dims()[0];
    Array64::from_fn(Meta::new([rows], dtype), |c| {
        let row = |x: &&Array64| {
            let cols = x.data.len() / rows;
            x.data[c[0] * cols..(c[0] + 1) * cols].to_vec()
        };
        let operands: Vec<Vec<f64>> = x.iter().map(row).collect();
        definition(&operands.iter().map(Vec::as_slice).collect::<Vec<_>>())
    })
}

/// Maps a matrix row by row to `cols` elements each.
pub(super) fn by_rows(x: &Array64, cols: usize, of: impl Fn(&[f64]) -> Vec<f64>) -> Array64 {
    let rows = x.data.chunks(x.shape().dims()[1]).map(of);
    let data: Vec<f64> = rows.flatten().collect();
    Array64 { meta: Meta::new([x.shape().dims()[0], cols], x.meta.dtype), data }
}

/// Maps a coordinate of the result to its source; `None` for a constant.
pub(super) type Source = fn(&[usize]) -> Option<Vec<usize>>;

/// A function of one tensor that moves its elements, or inserts 0, and a sample of it.
pub(super) fn moving(
    name: &'static str,
    from: &'static [usize],
    to: &'static [usize],
    build: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    source: Source,
) -> Sample {
    let function = Function::new(
        name,
        move |x| build(x[0]),
        move |x| {
            Array64::from_fn(Meta::new(to, x[0].meta.dtype), |c| {
                source(&c).map_or(0.0, |from| x[0].at(&from))
            })
        },
    );
    Sample::new(function, [f32s(from)]).bound(Bound::Exact, "moves elements")
}

/// Meta of an f32 tensor.
pub(super) fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

/// Meta of a u32 tensor.
pub(super) fn u32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::U32)
}
