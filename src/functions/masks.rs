//! Replacing elements: by labels, and by masks.

use super::definition::f32s;
use crate::{
    array64::Array64,
    dtype::DType,
    graph::{Tensor, indices::Which},
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// One-hot encoding in f32: 1 at the class of the label, 0 elsewhere.
    ///
    /// A label that is not a class is an error if it is visible to the host, in an input or a
    /// constant; if computed on a device, it gives zeros.
    ///
    /// # Shapes
    ///
    /// Labels `[..]` in u32; the result is `[.., classes]`.
    ///
    /// # Source
    ///
    /// PyTorch's `one_hot`.
    #[doc(alias = "to_categorical")]
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Tensor<'g> {
        let shape = [self.shape().dims(), &[classes]].concat();
        let class = self.graph().iota(shape, -1, DType::U32);
        let hot = self.unsqueeze(-1).equal(class).cast(DType::F32);
        self.expect_below("one_hot", classes, Which::All, hot)
    }

    /// Replaces elements by `value` where the mask is true, which is broadcast to this shape.
    ///
    /// # Source
    ///
    /// PyTorch's `masked_fill`.
    #[track_caller]
    pub fn masked_fill(self, mask: Tensor<'g>, value: f64) -> Tensor<'g> {
        mask.broadcast_to(self.shape()).select(self.full_like(value), self)
    }
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let one_hot = Function::new(
        "one_hot",
        // Some labels are no class; they must reach the device.
        |x| (x[0] + 0u32).one_hot(4),
        |x| {
            let meta = Meta::new([x[0].data.len(), 4], DType::F32);
            Array64::from_fn(meta, |c| f64::from(u8::from(x[0].data[c[0]] == c[1] as f64)))
        },
    );
    let masked = Function::new(
        "masked_fill",
        |x| x[0].masked_fill(x[1], -7.0),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                if x[1].data[c[1]] == 0.0 { x[0].at(&c) } else { -7.0 }
            })
        },
    );
    vec![
        Sample::new(one_hot, [Meta::new([6], DType::U32)])
            .operand(0, Domain::Below(5))
            .bound(Bound::Exact, "compares integers")
            .without_gradient(),
        Sample::new(masked, [f32s(&[3, 4]), Meta::new([4], DType::Bool)])
            .bound(Bound::Exact, "moves elements"),
    ]
}
