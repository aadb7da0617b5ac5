//! Flattening of images to rows, and the inverse.

use super::{Module, Scope};
use crate::{graph::Tensor, shape::Integers};
use std::panic::Location;

/// Merges all axes but the first: `[n, a, b, ..]` becomes `[n, a b ..]`.
#[derive(Clone, Debug)]
pub struct Flatten {
    line: &'static Location<'static>,
}

impl Flatten {
    /// Creates the layer.
    #[track_caller]
    pub fn new() -> Self {
        Flatten { line: Location::caller() }
    }
}

impl Default for Flatten {
    #[track_caller]
    fn default() -> Self {
        Flatten::new()
    }
}

impl Module for Flatten {
    fn name(&self) -> &str {
        "flatten"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.flatten(1)
    }
}

/// Splits the second axis: `[n, a b ..]` becomes `[n, a, b, ..]`.
#[doc(alias = "Reshape")]
#[derive(Clone, Debug)]
pub struct Unflatten {
    dims: Vec<i64>,
    line: &'static Location<'static>,
}

impl Unflatten {
    /// Splits into these extents, one of which may be -1: it follows from the others.
    #[track_caller]
    pub fn new(dims: impl Integers) -> Self {
        Unflatten { dims: dims.integers(), line: Location::caller() }
    }
}

impl Module for Unflatten {
    fn name(&self) -> &str {
        "unflatten"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.reshape([&[x.dim(0) as i64], self.dims.as_slice()].concat())
    }
}
