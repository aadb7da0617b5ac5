//! Convolutions with a bias for each output channel.

use super::{definition::f32s, precision::in_f32};
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::{
        Geometry, PerAxis,
        contract::{Bound, Function, Sample},
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// [`convolution`](Self::convolution), and a bias for each output channel.
    ///
    /// # Shapes
    ///
    /// As there; the bias is `[outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`convolution`](Self::convolution); [`OpError::Target`] for a bias of another shape.
    #[doc(alias("conv1d", "conv2d", "conv3d"))]
    #[track_caller]
    pub fn convolution_with_bias(
        self,
        weight: Tensor<'g>,
        bias: Tensor<'g>,
        geometry: Geometry,
    ) -> Tensor<'g> {
        let operands = [self, weight, bias];
        if let Err(reason) = check(operands, weight.dim(0)) {
            return self.graph().refuse("convolution", &operands, reason);
        }
        in_f32("convolution", operands, |[x, weight, bias]| {
            x.convolution(weight, geometry).plus_bias(bias)
        })
    }

    /// [`transposed_convolution`](Self::transposed_convolution), and a bias for each output channel.
    ///
    /// # Shapes
    ///
    /// As there; the bias is `[outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`transposed_convolution`](Self::transposed_convolution); [`OpError::Target`] for a
    /// bias of another shape.
    #[doc(alias("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"))]
    #[track_caller]
    pub fn transposed_convolution_with_bias(
        self,
        weight: Tensor<'g>,
        bias: Tensor<'g>,
        geometry: Geometry,
        output_padding: impl Into<PerAxis<usize>>,
    ) -> Tensor<'g> {
        let operands = [self, weight, bias];
        let outputs = weight.dim(1).saturating_mul(geometry.group_count());
        if let Err(reason) = check(operands, outputs) {
            return self.graph().refuse("transposed_convolution", &operands, reason);
        }
        in_f32("transposed_convolution", operands, |[x, weight, bias]| {
            x.transposed_convolution(weight, geometry, output_padding).plus_bias(bias)
        })
    }

    /// Adds a bias for each channel, which are along axis 1.
    #[track_caller]
    pub(crate) fn plus_bias(self, bias: Tensor<'g>) -> Tensor<'g> {
        let spatial = vec![1; self.rank().saturating_sub(2)];
        self + bias.reshape([bias.shape().dims(), &spatial].concat())
    }
}

/// Checks a bias of this many channels.
fn check([x, weight, bias]: [Tensor<'_>; 3], outputs: usize) -> Result<(), OpError> {
    if x.rank() < 3 || weight.rank() < 3 {
        return Err(OpError::Rank { least: 3 });
    }
    if bias.dtype() != x.dtype() {
        return Err(OpError::DTypes);
    }
    let wanted = [outputs];
    if bias.shape().dims() == wanted { Ok(()) } else { Err(OpError::Target(wanted.into())) }
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let convolved = Function::new(
        "convolution_with_bias",
        |x| {
            let geometry = Geometry::new(2).stride([2, 1]).padding([(1, 0), (0, 1)]);
            x[0].convolution_with_bias(x[1], x[2], geometry)
        },
        |x| {
            let [x, w, bias] = x else { unreachable!("three operands") };
            Array64::from_fn(Meta::new([2, 3, 3, 4], x.meta.dtype), |c| {
                let mut sum = bias.data[c[1]];
                for k in w.shape().coordinates().filter(|k| k[0] == c[1]) {
                    let (row, column) = (2 * c[2] + k[2], c[3] + k[3]);
                    if (1..=5).contains(&row) && column < 4 {
                        sum += w.at(&k) * x.at(&[c[0], k[1], row - 1, column]);
                    }
                }
                sum
            })
        },
    );
    let spread = Function::new(
        "transposed_convolution_with_bias",
        |x| {
            let geometry = Geometry::new(1).stride([2]).groups(2);
            x[0].transposed_convolution_with_bias(x[1], x[2], geometry, [1])
        },
        |x| {
            let [x, w, bias] = x else { unreachable!("three operands") };
            let mut y = Array64::from_fn(Meta::new([2, 4, 10], x.meta.dtype), |c| bias.data[c[1]]);
            for c in x.shape().coordinates() {
                for k in w.shape().coordinates().filter(|k| k[0] == c[1]) {
                    let channel = c[1] / 2 * 2 + k[1];
                    let place = y.shape().index(&[c[0], channel, 2 * c[2] + k[2]]);
                    y.data[place] += x.at(&c) * w.at(&k);
                }
            }
            y
        },
    );
    vec![
        Sample::new(convolved, [f32s(&[2, 2, 5, 4]), f32s(&[3, 2, 2, 2]), f32s(&[3])])
            .bound(Bound::Terms(12.0), "a sum of 8 products, and a bias"),
        Sample::new(spread, [f32s(&[2, 4, 4]), f32s(&[4, 2, 3]), f32s(&[4])])
            .bound(Bound::Terms(12.0), "a sum of up to 6 products, and a bias"),
    ]
}
