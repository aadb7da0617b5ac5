//! Normalization layers as functions: with scale and shift, or by groups of channels.

use super::{
    definition::{by_rows, f32s},
    precision::in_f32,
};
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Layer normalization: mean 0 and variance 1 along the last axes, then a scale and a shift
    /// for each of their elements.
    ///
    /// # Shapes
    ///
    /// `x` is `[.., ..shape]`, `scale` and `shift` are `[..shape]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Target`] unless `scale` and `shift` have the shape of the last axes;
    /// [`OpError::DTypes`]; [`OpError::DType`] for non-floats; [`OpError::Number`] if `eps`
    /// is negative or NaN.
    ///
    /// # Source
    ///
    /// Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450.
    #[track_caller]
    pub fn layer_norm(self, scale: Tensor<'g>, shift: Tensor<'g>, eps: f64) -> Tensor<'g> {
        match trailing(self, &[scale, shift]) {
            Ok(axes) => in_f32("layer_norm", [self, scale, shift], |[x, scale, shift]| {
                x.normalize(axes.as_slice(), eps) * scale + shift
            }),
            Err(reason) => self.graph().refuse("layer_norm", &[self, scale, shift], reason),
        }
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

    /// Group normalization without scale and shift: the channels of each example are divided into
    /// `groups`, each of which is normalized to mean 0 and variance 1 over its channels and the
    /// axes after them.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, channels, ..]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Indivisible`] unless the groups are equal;
    /// [`OpError::Number`] for one example with one value in each group, as in PyTorch; otherwise as
    /// for [`Tensor::normalize`].
    ///
    /// # Source
    ///
    /// Wu & He 2018, "Group Normalization", arXiv:1803.08494.
    #[track_caller]
    pub fn group_norm(self, groups: usize, eps: f64) -> Tensor<'g> {
        let shape = self.shape();
        let &[n, channels, ..] = shape.dims() else {
            return self.graph().refuse("group_norm", &[self], OpError::Rank { least: 2 });
        };
        if groups == 0 || channels % groups != 0 {
            let reason = OpError::Indivisible { what: "channels", number: channels, by: groups };
            return self.graph().refuse("group_norm", &[self], reason);
        }
        let group = channels / groups * shape.dims()[2..].iter().product::<usize>();
        if n == 1 && group == 1 {
            let (what, must) = ("number of values per group", "more than 1 in a batch");
            let reason = OpError::Number { what, must, is: 1.0 };
            return self.graph().refuse("group_norm", &[self], reason);
        }
        self.reshape([n, groups, group]).normalize(-1, eps).reshape(shape)
    }
}

/// The last axes of `x`, whose extents are those of each of `scales`.
fn trailing(x: Tensor<'_>, scales: &[Tensor<'_>]) -> Result<Vec<i32>, OpError> {
    let (x, scale) = (x.meta(), scales[0].shape());
    let Some(outer) = x.shape.rank().checked_sub(scale.rank()) else {
        return Err(OpError::Rank { least: scale.rank() });
    };
    let last = Meta::new(&x.shape.dims()[outer..], x.dtype);
    for scale in scales.iter().map(|scale| scale.meta()) {
        if scale.dtype != last.dtype {
            return Err(OpError::DTypes);
        }
        if scale.shape != last.shape {
            return Err(OpError::Target(last.shape));
        }
    }
    Ok((outer as i32..x.shape.rank() as i32).collect())
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    // Rounded like a constant of a graph.
    const EPS: f64 = 1e-5f32 as f64;
    fn normal(row: &[f64]) -> Vec<f64> {
        let n = row.len() as f64;
        let mean = row.iter().sum::<f64>() / n;
        let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        row.iter().map(|x| (x - mean) / (var + EPS).sqrt()).collect()
    }
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
    let group = Function::new(
        "group_norm",
        |x| x[0].group_norm(2, EPS),
        |x| {
            let data = x[0].data.chunks(10).flat_map(normal).collect();
            Array64 { meta: x[0].meta.clone(), data }
        },
    );
    let few = "a mean, a root and a quotient of numbers below 3";
    vec![
        Sample::new(layer, [f32s(&[4, 6]), f32s(&[6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(rms, [f32s(&[4, 6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(group, [f32s(&[2, 4, 5])]).bound(Bound::Abs(4e-6), few),
    ]
}
