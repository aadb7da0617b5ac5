//! The fully connected layer.

use super::{Module, Scope};
use crate::{graph::Tensor, init::Init};
use std::panic::Location;

/// A fully connected layer: `y = x W^T + b` along the last axis.
///
/// # Shapes
///
/// `x` is `[.., inputs]`, `weight` `[units, inputs]`, `bias` `[units]`, `y` `[.., units]`. The
/// number of inputs is that of the `x` it is traced on.
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    init: Init,
    bias: bool,
    line: &'static Location<'static>,
}

impl Dense {
    /// With this many outputs; the weight begins as [`Init::HeNormal`], the bias at 0.
    #[track_caller]
    pub fn new(units: usize) -> Self {
        Dense { units, init: Init::HeNormal, bias: true, line: Location::caller() }
    }

    /// Sets how the weight begins.
    pub fn init(self, init: Init) -> Self {
        Dense { init, ..self }
    }

    /// Leaves out the bias.
    pub fn without_bias(self) -> Self {
        Dense { bias: false, ..self }
    }
}

impl Module for Dense {
    fn name(&self) -> &str {
        "dense"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let weight = cx.param("weight", [self.units, x.dim(-1)], self.init);
        let y = x.matmul(weight.swap_axes(-1, -2));
        if !self.bias {
            return y;
        }
        y + cx.param("bias", [self.units], Init::Zeros)
    }
}
