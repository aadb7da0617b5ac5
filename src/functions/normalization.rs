//! Normalization along the last axes, with scale and shift.

use super::{
    definition::{by_rows, f32s},
    precision::{in_f32, rounded_once},
};
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::{Meta, Shape},
};

impl<'g> Tensor<'g> {
    /// Layer normalization: mean 0 and variance 1 along the last axes, then a scale and a shift
    /// for each of their elements. Either may be `None`; without both,
    /// [`normalize`](Self::normalize) takes the axes.
    ///
    /// # Shapes
    ///
    /// `x` is `[.., ..shape]`, `scale` and `shift` are `[..shape]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Target`] unless `scale` and `shift` have the shape of the last axes;
    /// [`OpError::Argument`] if there is neither; [`OpError::DTypes`]; [`OpError::DType`] for
    /// non-floats; [`OpError::Number`] if `eps` is negative or NaN.
    ///
    /// # Source
    ///
    /// Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450.
    #[doc(alias = "normalized_shape")]
    #[track_caller]
    pub fn layer_norm(
        self,
        scale: impl Into<Option<Tensor<'g>>>,
        shift: impl Into<Option<Tensor<'g>>>,
        eps: f64,
    ) -> Tensor<'g> {
        let affine = Affine { scale: scale.into(), shift: shift.into() };
        let axes = match trailing(self, &affine.given()) {
            Ok(axes) => axes,
            Err(reason) => {
                return self.graph().refuse("layer_norm", &affine.behind(&[self]), reason);
            }
        };
        affine.applied("layer_norm", [self], |[x]| x.normalize(axes.as_slice(), eps), |_, of| of)
    }

    /// RMS normalization: mean square 1 along the last axes, then a scale for each of their
    /// elements.
    ///
    /// # Shapes
    ///
    /// `x` is `[.., ..shape]`, `scale` is `[..shape]`.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::layer_norm`].
    ///
    /// # Source
    ///
    /// Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467.
    #[track_caller]
    pub fn rms_norm(self, scale: Tensor<'g>, eps: f64) -> Tensor<'g> {
        match trailing(self, &[scale]) {
            Ok(axes) => in_f32("rms_norm", [self, scale], |[x, scale]| {
                x.normalize_rms(axes.as_slice(), eps) * scale
            }),
            Err(reason) => self.graph().refuse("rms_norm", &[self, scale], reason),
        }
    }
}

/// A scale and a shift of what is normalized.
#[derive(Clone, Copy)]
pub(super) struct Affine<'g> {
    pub scale: Option<Tensor<'g>>,
    pub shift: Option<Tensor<'g>>,
}

impl<'g> Affine<'g> {
    /// Those that there are.
    pub fn given(self) -> Vec<Tensor<'g>> {
        self.scale.into_iter().chain(self.shift).collect()
    }

    /// All operands of a function.
    pub fn behind(self, operands: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
        [operands, &self.given()].concat()
    }

    /// Scales and shifts what `normal` makes of the operands, all of it in f32; `placed` gives a scale
    /// or a shift the axes of the result.
    #[track_caller]
    pub fn applied<const N: usize>(
        self,
        function: &'static str,
        operands: [Tensor<'g>; N],
        normal: impl FnOnce([Tensor<'g>; N]) -> Tensor<'g>,
        placed: impl Fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let x = operands[0].of_floats(function);
        if x.failed() {
            return x;
        }
        rounded_once(function, &self.behind(&operands), |wide| {
            let y = normal(std::array::from_fn(|k| wide[k]));
            let mut given = wide[N..].iter().map(|&of| placed(y, of));
            let mut next = |of: Option<_>| of.and_then(|_| given.next());
            let (scale, shift) = (next(self.scale), next(self.shift));
            let y = scale.map_or(y, |scale| y * scale);
            shift.map_or(y, |shift| y + shift)
        })
    }
}

/// Checks a scale, a shift or a statistic.
pub(super) fn same(is: &Meta, wanted: &Meta) -> Result<(), OpError> {
    match is.dtype == wanted.dtype {
        false => Err(OpError::DTypes),
        true if is.shape != wanted.shape => Err(OpError::Target(wanted.shape.clone())),
        true => Ok(()),
    }
}

/// The last axes of `x`, whose extents are those of each of `scales`.
fn trailing(x: Tensor<'_>, scales: &[Tensor<'_>]) -> Result<Vec<i32>, OpError> {
    let Some(first) = scales.first() else {
        return Err(OpError::Argument("needs a scale or a shift, whose shape says which axes"));
    };
    let (x, rank) = (x.meta(), first.rank());
    let Some(outer) = x.shape.rank().checked_sub(rank) else {
        return Err(OpError::Rank { least: rank });
    };
    let last = Meta::new(Shape::from(&x.shape.dims()[outer..]), x.dtype);
    scales.iter().try_for_each(|scale| same(&scale.meta(), &last))?;
    Ok((outer as i32..x.shape.rank() as i32).collect())
}

/// Added to variances in samples: rounded like a constant of a graph.
pub(super) const EPS: f64 = 1e-5f32 as f64;

/// The definition: elements with mean 0 and variance 1.
pub(super) fn normal(row: &[f64]) -> Vec<f64> {
    let n = row.len() as f64;
    let mean = row.iter().sum::<f64>() / n;
    let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    row.iter().map(|x| (x - mean) / (var + EPS).sqrt()).collect()
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let layer = Function::new(
        "layer_norm",
        |x| x[0].layer_norm(x[1], x[2], EPS),
        |x| {
            let y = by_rows(x[0], 6, normal);
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) * x[1].at(&c[1..]) + x[2].at(&c[1..]))
        },
    );
    let rms = Function::new(
        "rms_norm",
        |x| x[0].rms_norm(x[1], EPS),
        |x| {
            let y = by_rows(x[0], 6, |row| {
                let square = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
                row.iter().map(|x| x / (square + EPS).sqrt()).collect()
            });
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) * x[1].at(&c[1..]))
        },
    );
    let shifted = Function::new(
        "layer_norm",
        |x| x[0].layer_norm(None, x[1], EPS),
        |x| {
            let data: Vec<f64> = x[0].data.chunks(6).flat_map(normal).collect();
            let y = Array64 { meta: x[0].meta.clone(), data };
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) + x[1].at(&c[1..]))
        },
    );
    let few = "a mean, a root and a quotient of numbers below 3";
    vec![
        Sample::new(layer, [f32s(&[4, 6]), f32s(&[6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(rms, [f32s(&[4, 6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(shifted, [f32s(&[2, 2, 3]), f32s(&[2, 3])]).bound(Bound::Abs(4e-6), few),
    ]
}
