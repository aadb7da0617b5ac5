//! Diagonals and triangles of matrices.

use super::definition::{f32s, moving};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

/// Which side of a diagonal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Triangle {
    /// The diagonal and the elements to its left.
    Lower,
    /// The diagonal and the elements to its right.
    Upper,
}

impl<'g> Tensor<'g> {
    /// One triangle of the matrices in the last two axes, and 0 elsewhere. `diagonal` is an offset
    /// to the right of the main diagonal.
    ///
    /// # Source
    ///
    /// PyTorch's `tril` and `triu`.
    #[doc(alias("tril", "triu"))]
    #[track_caller]
    pub fn triangle(self, side: Triangle, diagonal: i32) -> Tensor<'g> {
        if self.rank() < 2 {
            return self.graph().refuse("triangle", &[self], OpError::Rank { least: 2 });
        }
        let graph = self.graph();
        // A diagonal further out is outside of every matrix, and the sum must fit.
        let [rows, columns] = [-2, -1].map(|axis| self.dim(axis) as i32);
        let diagonal = diagonal.max(-rows).min(columns);
        let [row, column] = [-2, -1].map(|axis| graph.iota(self.shape(), axis, DType::I32));
        let stays = match side {
            Triangle::Lower => column.less_equal(row + diagonal),
            Triangle::Upper => column.greater_equal(row + diagonal),
        };
        stays.select(self, self.full_like(0.0))
    }

    /// The main diagonal of the matrices in the last two axes.
    ///
    /// # Shapes
    ///
    /// `[.., m, n]`; the result is `[.., min(m, n)]`.
    ///
    /// # Source
    ///
    /// PyTorch's `diagonal`.
    #[track_caller]
    pub fn diagonal(self) -> Tensor<'g> {
        self.diagonal_at(0)
    }

    /// The diagonal at `offset` to the right of the main one, or to its left if negative.
    ///
    /// # Shapes
    ///
    /// `[.., m, n]`; the result has the elements `[.., i, i + offset]`, and none if the offset is
    /// outside of the matrices.
    ///
    /// # Source
    ///
    /// PyTorch's `diagonal`.
    #[doc(alias = "diag")]
    #[track_caller]
    pub fn diagonal_at(self, offset: i32) -> Tensor<'g> {
        let shape = self.shape();
        let &[ref outer @ .., rows, columns] = shape.dims() else {
            return self.graph().refuse("diagonal", &[self], OpError::Rank { least: 2 });
        };
        let by = offset.unsigned_abs() as usize;
        let (row, column) = if offset < 0 { (by, 0) } else { (0, by) };
        let len = rows.saturating_sub(row).min(columns.saturating_sub(column));
        let flat = self.reshape([outer, &[rows * columns]].concat());
        match len {
            0 => flat.slice(-1, ..0),
            _ => {
                let first = row * columns + column;
                flat.slice_step(-1, first..first + (len - 1) * (columns + 1) + 1, columns + 1)
            }
        }
    }

    /// The sum of the main diagonal of the matrices in the last two axes.
    #[track_caller]
    pub fn trace(self) -> Tensor<'g> {
        self.diagonal().sum(-1)
    }

    /// Outer product of two vectors, `y[i, j] = a[i] b[j]`.
    ///
    /// # Source
    ///
    /// PyTorch's `outer`.
    #[doc(alias = "ger")]
    #[track_caller]
    pub fn outer(self, other: Tensor<'g>) -> Tensor<'g> {
        if (self.rank(), other.rank()) != (1, 1) {
            let reason = OpError::Argument("needs two vectors");
            return self.graph().refuse("outer", &[self, other], reason);
        }
        self.unsqueeze(1) * other.unsqueeze(0)
    }
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let diagonal_at = |offset: i32| {
        let function = Function::new(
            "diagonal_at",
            move |x| x[0].diagonal_at(offset),
            move |x| {
                let (row, column) = (0.max(-offset) as usize, 0.max(offset) as usize);
                let len = (3 - row.min(3)).min(5 - column.min(5));
                let meta = Meta::new([2, len], x[0].meta.dtype);
                Array64::from_fn(meta, |c| x[0].at(&[c[0], c[1] + row, c[1] + column]))
            },
        );
        Sample::new(function, [f32s(&[2, 3, 5])]).bound(Bound::Exact, "moves elements")
    };
    let trace = Function::new(
        "trace",
        |x| x[0].trace(),
        |x| {
            Array64::from_fn(Meta::new([2], x[0].meta.dtype), |c| {
                (0..3).map(|k| x[0].at(&[c[0], k, k])).sum()
            })
        },
    );
    let outer = Function::new(
        "outer",
        |x| x[0].outer(x[1]),
        |x| {
            Array64::from_fn(Meta::new([3, 5], x[0].meta.dtype), |c| {
                x[0].data[c[0]] * x[1].data[c[1]]
            })
        },
    );
    let few = (Bound::Terms(4.0), "a sum of products");
    vec![
        diagonal_at(2),
        diagonal_at(-1),
        diagonal_at(7).named("beside"),
        moving(
            "triangle",
            &[2, 4, 3],
            &[2, 4, 3],
            |x| x.triangle(Triangle::Lower, 1),
            |c| (c[2] <= c[1] + 1).then(|| c.to_vec()),
        ),
        moving(
            "triangle",
            &[3, 4],
            &[3, 4],
            |x| x.triangle(Triangle::Upper, 0),
            |c| (c[1] >= c[0]).then(|| c.to_vec()),
        ),
        moving("diagonal", &[3, 5], &[3], |x| x.diagonal(), |c| Some(vec![c[0], c[0]])),
        Sample::new(trace, [f32s(&[2, 4, 3])]).bound(few.0, few.1),
        Sample::new(outer, [f32s(&[3]), f32s(&[5])]).bound(few.0, few.1),
    ]
}
