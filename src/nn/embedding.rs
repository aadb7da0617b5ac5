//! The embedding table.

use super::{Module, Scope};
use crate::{graph::Tensor, init::Init, numbers::Must};
use std::panic::Location;

/// A vector for each of a number of symbols: `y[.., :] = W[x[..], :]`.
///
/// An out-of-range index is an error if it is an input of the program
/// ([`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange)); if computed on a device, it
/// yields zeros, and no gradient.
///
/// # Shapes
///
/// `x` is `[..]` of u32, `weight` `[count, width]`, `y` `[.., width]`.
#[derive(Clone, Debug)]
pub struct Embedding {
    count: usize,
    width: usize,
    init: Init,
    line: &'static Location<'static>,
}

impl Embedding {
    /// Creates a table of `count` symbols with vectors of `width`; the weight is initialized with
    /// standard normal numbers.
    #[track_caller]
    pub fn new(count: usize, width: usize) -> Self {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding { count, width, init, line: Location::caller() }
    }

    /// Sets the initialization of the weight.
    pub fn init(self, init: Init) -> Self {
        Embedding { init, ..self }
    }
}

impl Module for Embedding {
    fn name(&self) -> &str {
        "embedding"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [
            ("count", self.count as f64, Must::BePositive),
            ("width", self.width as f64, Must::BePositive),
        ];
        if let Some(refused) = cx.graph().refuse_invalid("embedding", &[x], &numbers) {
            return refused;
        }
        cx.param("weight", [self.count, self.width], self.init).index_select(x, 0)
    }
}
