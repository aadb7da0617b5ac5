//! Outputs as callers ask for them: by position, or with names.

use crate::graph::Tensor;

/// The outputs of a program: `&[loss, logits]`, or with names `&[("loss", loss), ("logits",
/// logits)]`. Slices and vectors of either will do.
pub trait IntoOutputs<'g>: sealed::Sealed {
    /// The tensors, and their names if they have any.
    #[doc(hidden)]
    fn requested(self) -> Requested<'g>;
}

mod sealed {
    pub trait Sealed {}
}

/// Tensors, and as many names or none.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Requested<'g> {
    pub(super) tensors: Vec<Tensor<'g>>,
    pub(super) names: Vec<String>,
}

impl sealed::Sealed for &[Tensor<'_>] {}
impl<'g> IntoOutputs<'g> for &[Tensor<'g>] {
    fn requested(self) -> Requested<'g> {
        Requested { tensors: self.to_vec(), names: vec![] }
    }
}

impl<S: AsRef<str>> sealed::Sealed for &[(S, Tensor<'_>)] {}
impl<'g, S: AsRef<str>> IntoOutputs<'g> for &[(S, Tensor<'g>)] {
    fn requested(self) -> Requested<'g> {
        let names = self.iter().map(|(name, _)| name.as_ref().to_owned()).collect();
        Requested { tensors: self.iter().map(|(_, tensor)| *tensor).collect(), names }
    }
}

/// The same by reference to what is no slice yet.
macro_rules! as_slice {
    ($([$($param:tt)*] $Type:ty;)*) => {$(
        impl<'g, $($param)*> sealed::Sealed for &$Type {}
        impl<'g, $($param)*> IntoOutputs<'g> for &$Type {
            fn requested(self) -> Requested<'g> {
                self[..].requested()
            }
        }
    )*};
}
as_slice! {
    [const N: usize] [Tensor<'g>; N];
    [] Vec<Tensor<'g>>;
    [S: AsRef<str>] Vec<(S, Tensor<'g>)>;
}

/// Each number of names has an implementation of its own: with one for all of them, 0 included, the
/// compiler could not tell what `&[]` has none of.
macro_rules! arrays_of_names {
    ($($len:literal)*) => {
        as_slice! { $([S: AsRef<str>] [(S, Tensor<'g>); $len];)* }
    };
}
arrays_of_names! { 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 }
