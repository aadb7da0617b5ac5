//! Position encodings.

use super::{Module, Scope};
use crate::{
    error::OpError, functions::precision::in_f32, graph::Tensor, init::Init, numbers::Must,
};
use std::panic::Location;

/// Adds a learned vector per position: `y[.., p, :] = x[.., p, :] + W[p, :]`.
///
/// # Shapes
///
/// `x` and `y` are `[.., t, d]`, `weight` is `[longest, d]`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Range`] for a longer sequence; [`OpError::Rank`].
#[doc(alias = "PositionEmbedding")]
#[derive(Clone, Debug)]
pub struct LearnedPositions {
    longest: usize,
    init: Init,
    line: &'static Location<'static>,
}

impl LearnedPositions {
    /// Supports sequences up to this length; the weight is initialized with standard normal
    /// numbers.
    #[track_caller]
    pub fn new(longest: usize) -> Self {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        LearnedPositions { longest, init, line: Location::caller() }
    }

    /// Sets the initialization of the weight.
    pub fn init(self, init: Init) -> Self {
        LearnedPositions { init, ..self }
    }
}

impl Module for LearnedPositions {
    fn name(&self) -> &str {
        "positions"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [("longest", self.longest as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("positions", &[x], &numbers) {
            return refused;
        }
        if !x.failed() && x.rank() < 2 {
            return cx.graph().refuse("positions", &[x], OpError::Rank { least: 2 });
        }
        let x = cx.cast(x);
        let weight = cx.param("weight", [self.longest, x.dim(-1)], self.init);
        in_f32("positions", [x], |[x]| x + weight.slice(0, ..x.dim(-2)))
    }
}

/// Adds sinusoids of the position: `sin(p / 10000^(2 i / d))` to element `2 i`, and the cosine to
/// element `2 i + 1`.
///
/// # Shapes
///
/// `x` and `y` are `[.., t, d]`, `d` even.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Indivisible`]; [`OpError::Rank`].
///
/// # Source
///
/// Vaswani et al. 2017.
#[doc(alias("SinePositionEncoding", "positional_encoding"))]
#[derive(Clone, Debug)]
pub struct SinusoidalPositions {
    line: &'static Location<'static>,
}

impl SinusoidalPositions {
    /// Supports sequences of any length.
    #[track_caller]
    pub fn new() -> Self {
        SinusoidalPositions { line: Location::caller() }
    }
}

impl Default for SinusoidalPositions {
    #[track_caller]
    fn default() -> Self {
        SinusoidalPositions::new()
    }
}

impl Module for SinusoidalPositions {
    fn name(&self) -> &str {
        "positions"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let angles = match x.angles(10_000.0) {
            Ok(angles) => angles,
            Err(reason) => return cx.graph().refuse("positions", &[x], reason),
        };
        let waves = cx.graph().stack(&[angles.sin(), angles.cos()], -1);
        in_f32("positions", [x], |[x]| x + waves.reshape([x.dim(-2), x.dim(-1)]))
    }
}
