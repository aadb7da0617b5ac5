//! Numbers to the power of tensors.

use super::{BinaryFn, Operand};
use crate::graph::Tensor;

/// A number to the power of each element of a tensor: `2f64.pow(x)`, or `Pow::pow(2.0, x)`.
///
/// A literal needs its type, as Rust looks for the methods of `2.0` before it knows what that is.
///
/// ```
/// use wgrad::{DType, Device, Graph, ops::Pow};
///
/// let graph = Graph::new();
/// let x = graph.full([2], DType::F32, 3.0);
/// assert_eq!(2f64.pow(x).eval(&Device::Reference, &[])?.to_vec::<f32>()?, [8.0, 8.0]);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("__rpow__", "rpow"))]
pub trait Pow<'g> {
    /// This number to the power of each element, under the rules of [`Tensor::pow`].
    fn pow(self, exponent: Tensor<'g>) -> Tensor<'g>;
}

macro_rules! bases {
    ($($Number:ty)*) => {$(
        impl<'g> Pow<'g> for $Number {
            #[track_caller]
            fn pow(self, exponent: Tensor<'g>) -> Tensor<'g> {
                let x = exponent.widened();
                self.tensor_like(x).binary(BinaryFn::Pow, x).narrowed_to(exponent)
            }
        }
    )*};
}
bases!(f64 f32);
