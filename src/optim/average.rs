//! Moving averages of parameters.

use super::optimizer::{Adaptor, Optimizer, Update};
use crate::{dtype::DType, init::Init, nn::Scope, numbers::Must};

/// Keeps an exponential moving average of the parameters: `a = decay a + (1 - decay) p` after each
/// step, from the first values of `p` after a step on. It is in f32, and the average of the parameter
/// `net/weight` lies at `ema/net/weight`.
///
/// A trainer [evaluates](crate::train::Trainer::averaged) with averages. Parameters that are not updated have
/// none. A module traced below
/// `cx.child("ema")` has them for parameters too, and variables of its own for the rest.
///
/// # Source
///
/// Polyak & Juditsky 1992; the first step as PyTorch's `AveragedModel`, and the warm-up as TensorFlow's
/// `ExponentialMovingAverage`.
#[doc(alias("ExponentialMovingAverage", "AveragedModel", "use_ema"))]
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    name: String,
    decay: f64,
    warms_up: bool,
}

impl Average {
    /// Creates an average with this decay, such as 0.999.
    pub fn new(decay: f64) -> Self {
        Average { name: "ema".to_owned(), decay, warms_up: false }
    }

    /// Sets the scope of the averages; `ema` by default.
    pub fn named(self, name: &str) -> Self {
        Average { name: name.to_owned(), ..self }
    }

    /// Decays faster at first: by `(1 + n) / (10 + n)` after `n` steps, as long as that is less.
    pub fn warm_up(self) -> Self {
        Average { warms_up: true, ..self }
    }
}

impl Adaptor for Average {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        inner.step(state, updates);
        let graph = state.graph();
        let number = [("decay", self.decay, Must::BeFraction)];
        if graph.refuse_invalid("average", &[], &number).is_some() {
            return;
        }
        let mut averages = state.root().child(&self.name);
        // Counted in f32, exact up to 2^24: long before that, both decays are what they stay.
        let steps = state.child(&self.name).variable("steps", [], DType::F32, Init::Zeros);
        graph.assign(steps, steps + 1.0);
        let mut decay = steps.full_like(self.decay);
        if self.warms_up {
            decay = decay.minimum((steps + 1.0) / (steps + 10.0));
        }
        let decay = steps.equal(0.0).select(0.0, decay);
        for update in updates {
            let now = graph.after_run(update.param).widened();
            let shape = update.param.shape();
            let average = averages.variable(update.path, shape, DType::F32, Init::Zeros);
            graph.assign(average, average * decay + now * (1.0 - decay));
        }
    }
}
