//! Transposed convolution: the gradient of a convolution w.r.t. its input, as a forward operation.

use super::definition::f32s;
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::{
        Geometry,
        contract::{Bound, Function, Sample},
        convolution::ConvolutionInputGrad,
    },
    shape::{Meta, Shape},
};

impl<'g> Tensor<'g> {
    /// Transposed convolution: the adjoint of [`convolution`](Tensor::convolution) with the same
    /// weight and geometry, which spreads each element over a window.
    ///
    /// `y[n, c', t stride + k dilation - low] += w[o, c, k] x[n, o, t]`, for all of them that there
    /// are; gaps of the stride are not multiplied.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..spatial] * [channels, outputs / groups, ..window] -> [n, outputs,
    /// ..extents]`, where `extents` are the least that convolve to `spatial`, that is `(spatial -
    /// 1) stride + dilation (window - 1) + 1 - low - high`, plus `output_padding`.
    ///
    /// # Errors
    ///
    /// As for a convolution; [`OpError::Extents`] unless there is an output padding for each axis;
    /// [`OpError::Number`] unless it is below the stride; [`OpError::TooLarge`].
    #[doc(alias("conv_transpose2d", "deconvolution", "conv_transpose1d", "conv_transpose3d"))]
    #[track_caller]
    pub fn transposed_convolution(
        self,
        weight: Tensor<'g>,
        geometry: Geometry,
        output_padding: impl AsRef<[usize]>,
    ) -> Tensor<'g> {
        let extents = if self.failed() || weight.failed() {
            Ok(vec![])
        } else {
            transposed_extents(&self.shape(), &weight.shape(), &geometry, output_padding.as_ref())
        };
        match extents {
            Ok(extents) => {
                let op = ConvolutionInputGrad { geometry, extents };
                self.graph().push(op, &[weight, self])
            }
            Err(reason) => self.graph().refuse("transposed_convolution", &[self, weight], reason),
        }
    }
}

/// Spatial extents of the result.
fn transposed_extents(
    x: &Shape,
    weight: &Shape,
    geometry: &Geometry,
    padding: &[usize],
) -> Result<Vec<usize>, OpError> {
    if x.rank() < 3 || weight.rank() < 3 {
        return Err(OpError::Rank { least: 3 });
    }
    let mut extents = geometry.extents(&x.dims()[2..], &weight.dims()[2..])?;
    if padding.len() != extents.len() {
        let what = "number of spatial axes and of output paddings";
        return Err(OpError::Extents { what, lhs: extents.len(), rhs: padding.len() });
    }
    for ((extent, &more), &stride) in extents.iter_mut().zip(padding).zip(geometry.strides()) {
        if more >= stride {
            let (what, must) = ("output padding", "below the stride");
            return Err(OpError::Number { what, must, is: more as f64 });
        }
        *extent = extent.checked_add(more).ok_or(OpError::TooLarge)?;
    }
    Ok(extents)
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let transposed = Function::new(
        "transposed_convolution",
        |x| x[0].transposed_convolution(x[1], Geometry::new(2).stride([2, 1]), [1, 0]),
        |x| {
            let [x, w] = x else { unreachable!("an image and a weight") };
            let mut y = Array64::from_fn(Meta::new([2, 4, 8, 5], x.meta.dtype), |_| 0.0);
            for c in x.shape().coordinates() {
                for k in w.shape().coordinates().filter(|k| k[0] == c[1]) {
                    let place = y.shape().index(&[c[0], k[1], 2 * c[2] + k[2], c[3] + k[3]]);
                    y.data[place] += x.at(&c) * w.at(&k);
                }
            }
            y
        },
    );
    vec![
        Sample::new(transposed, [f32s(&[2, 3, 3, 4]), f32s(&[3, 4, 3, 2])])
            .bound(Bound::Terms(18.0), "a sum of up to 12 products"),
    ]
}
