//! Transposed convolution: the gradient of a convolution w.r.t. its input, as a forward operation.

use super::definition::f32s;
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::{
        Geometry, PerAxis, Precision,
        contract::{Bound, Function, Sample},
        convolution::ConvolutionInputGrad,
    },
    shape::{Meta, Shape},
};
use std::ops::Range;

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
    /// [`OpError::Number`] unless it is below the stride or the dilation; [`OpError::TooLarge`].
    #[doc(alias("conv_transpose2d", "deconvolution", "conv_transpose1d", "conv_transpose3d"))]
    #[track_caller]
    pub fn transposed_convolution(
        self,
        weight: Tensor<'g>,
        geometry: Geometry,
        output_padding: impl Into<PerAxis<usize>>,
    ) -> Tensor<'g> {
        if self.failed() || weight.failed() {
            return if self.failed() { self } else { weight };
        }
        let more = output_padding.into().along(self.rank().saturating_sub(2));
        let precision = self.graph.precision();
        let (op, parts) = match spread(&self.shape(), &weight.shape(), geometry, precision, &more) {
            Ok(found) => found,
            Err(reason) => {
                let operands = [self, weight];
                return self.graph().refuse("transposed_convolution", &operands, reason);
            }
        };
        let y = self.graph().push(op, &[weight, self]);
        let longer = parts.into_iter().filter(|_| !y.failed());
        longer.fold(y, |y, (axis, part)| {
            let mut pads = vec![(0, 0); y.rank()];
            pads[axis].1 = part.end.saturating_sub(y.dim(axis as i32));
            y.pad(&pads, 0.0).slice(axis as i32, part)
        })
    }
}

/// An axis, and what is taken along it.
type Part = (usize, Range<usize>);

/// The operation, and along which axes what part of its result is taken, with zeros behind the end:
/// with an output padding of a stride or more the result has places for further windows, of which
/// there are none. There the operation makes all of what the windows reach.
fn spread(
    x: &Shape,
    weight: &Shape,
    mut geometry: Geometry,
    precision: Precision,
    padding: &[usize],
) -> Result<(ConvolutionInputGrad, Vec<Part>), OpError> {
    if x.rank() < 3 || weight.rank() < 3 {
        return Err(OpError::Rank { least: 3 });
    }
    let (spatial, window) = (&x.dims()[2..], &weight.dims()[2..]);
    let mut extents = geometry.extents(spatial, window, padding)?;
    let mut parts = vec![];
    for (axis, &more) in padding.iter().enumerate() {
        let [stride, dilation] = [geometry.strides(), geometry.dilations()].map(|of| of[axis]);
        if more >= stride.max(dilation) {
            let (what, must) = ("output padding", "below the stride or the dilation");
            return Err(OpError::Number { what, must, is: more as f64 });
        }
        if more < stride.max(1) {
            continue;
        }
        let Some((low, _)) = geometry.take_padding(axis) else {
            let (what, must) = ("output padding", "below the stride where padding is the same");
            return Err(OpError::Number { what, must, is: more as f64 });
        };
        if extents[axis] == 0 {
            let (what, must) = ("extent of the result", "at least 1");
            return Err(OpError::Number { what, must, is: 0.0 });
        }
        parts.push((2 + axis, low..low + extents[axis]));
        extents[axis] = geometry.extents(spatial, window, &vec![0; padding.len()])?[axis];
    }
    Ok((ConvolutionInputGrad { geometry, precision, extents }, parts))
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    // The windows are 3 by 2.
    let transposed =
        |stride: [usize; 2], dilation: [usize; 2], more: [usize; 2], sizes: [usize; 2]| {
            let geometry = Geometry::new(2).stride(stride).dilation(dilation);
            let function = Function::new(
                "transposed_convolution",
                move |x| x[0].transposed_convolution(x[1], geometry.clone(), more),
                move |x| {
                    let [x, w] = x else { unreachable!("an image and a weight") };
                    let meta = Meta::new([2, 4, sizes[0], sizes[1]], x.meta.dtype);
                    let mut y = Array64::from_fn(meta, |_| 0.0);
                    for c in x.shape().coordinates() {
                        for k in w.shape().coordinates().filter(|k| k[0] == c[1]) {
                            let [row, column] =
                                [0, 1].map(|a| stride[a] * c[2 + a] + dilation[a] * k[2 + a]);
                            let place = y.shape().index(&[c[0], k[1], row, column]);
                            y.data[place] += x.at(&c) * w.at(&k);
                        }
                    }
                    y
                },
            );
            Sample::new(function, [f32s(&[2, 3, 3, 4]), f32s(&[3, 4, 3, 2])])
                .bound(Bound::Terms(18.0), "a sum of up to 12 products")
        };
    vec![
        transposed([2, 1], [1, 1], [1, 0], [8, 5]),
        transposed([1, 2], [3, 1], [2, 1], [11, 9]).named("output padding of a stride"),
    ]
}
