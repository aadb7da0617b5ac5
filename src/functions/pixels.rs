//! Moving channels to pixels, and back.

use super::definition::moving;
use crate::{error::OpError, graph::Tensor, ops::contract::Sample};

impl<'g> Tensor<'g> {
    /// Moves channels to pixels: `[n, c r r, h, w]` to `[n, c, h r, w r]`, as PyTorch's
    /// `PixelShuffle`: channel `c r r + i r + j` becomes the pixels `(i, j)` of the blocks of channel
    /// `c`. TensorFlow's function of this name has channels last, and reads them as `(i r + j) c`.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] unless there are four axes; [`OpError::Number`] for an `r` larger than
    /// any image, or 0; [`OpError::Indivisible`].
    #[doc(alias("pixel_shuffle", "PixelShuffle"))]
    #[track_caller]
    pub fn depth_to_space(self, r: usize) -> Tensor<'g> {
        let shape = self.shape();
        let &[n, channels, h, w] = shape.dims() else {
            let reason = OpError::Argument("needs [n, channels, height, width]");
            return self.graph().refuse("depth_to_space", &[self], reason);
        };
        if let Err(reason) = check_block(r) {
            return self.graph().refuse("depth_to_space", &[self], reason);
        }
        if !channels.is_multiple_of(r * r) {
            let reason = OpError::Indivisible { what: "channels", number: channels, by: r * r };
            return self.graph().refuse("depth_to_space", &[self], reason);
        }
        let c = channels / (r * r);
        let parts = self.reshape([n, c, r, r, h, w]).transpose([0, 1, 4, 2, 5, 3]);
        parts.reshape([n, c, h * r, w * r])
    }

    /// Moves pixels to channels: the inverse of [`depth_to_space`](Self::depth_to_space).
    ///
    /// # Shapes
    ///
    /// `[n, c, h r, w r]` to `[n, c r r, h, w]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] unless there are four axes; [`OpError::Number`] for an `r` larger than
    /// any image, or 0; [`OpError::Indivisible`].
    ///
    /// # Source
    ///
    /// PyTorch's `pixel_unshuffle`.
    #[doc(alias("pixel_unshuffle", "PixelUnshuffle"))]
    #[track_caller]
    pub fn space_to_depth(self, r: usize) -> Tensor<'g> {
        let shape = self.shape();
        let &[n, c, height, width] = shape.dims() else {
            let reason = OpError::Argument("needs [n, channels, height, width]");
            return self.graph().refuse("space_to_depth", &[self], reason);
        };
        if let Err(reason) = check_block(r) {
            return self.graph().refuse("space_to_depth", &[self], reason);
        }
        let odd = [height, width].into_iter().find(|side| !side.is_multiple_of(r));
        if let Some(number) = odd {
            let reason = OpError::Indivisible { what: "pixels", number, by: r };
            return self.graph().refuse("space_to_depth", &[self], reason);
        }
        let (h, w) = (height / r, width / r);
        let parts = self.reshape([n, c, h, r, w, r]).transpose([0, 1, 3, 5, 2, 4]);
        parts.reshape([n, c * r * r, h, w])
    }
}

/// Checks the block size: small enough that products of extents do not overflow.
fn check_block(r: usize) -> Result<(), OpError> {
    match r {
        1..=32_768 => Ok(()),
        _ => Err(OpError::Number { what: "r", must: "from 1 to 32768", is: r as f64 }),
    }
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    vec![
        moving(
            "depth_to_space",
            &[1, 8, 2, 3],
            &[1, 2, 4, 6],
            |x| x.depth_to_space(2),
            |c| Some(vec![0, 4 * c[1] + 2 * (c[2] % 2) + c[3] % 2, c[2] / 2, c[3] / 2]),
        ),
        moving(
            "space_to_depth",
            &[1, 2, 4, 6],
            &[1, 8, 2, 3],
            |x| x.space_to_depth(2),
            |c| Some(vec![0, c[1] / 4, 2 * c[2] + c[1] / 2 % 2, 2 * c[3] + c[1] % 2]),
        ),
    ]
}
