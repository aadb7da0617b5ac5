//! From images to rows.

use super::{Module, Scope};
use crate::graph::Tensor;
use std::panic::Location;

/// Merges all axes but the first: `[n, a, b, ..]` becomes `[n, a b ..]`.
#[derive(Clone, Debug)]
pub struct Flatten {
    line: &'static Location<'static>,
}

impl Flatten {
    /// The only one there is.
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
