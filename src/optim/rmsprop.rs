//! RMSprop.

use super::{
    optimizer::{Optimizer, Update},
    terms::{decayed, zeros},
};
use crate::{nn::Scope, numbers::Must};

/// RMSprop, which divides gradients by the root of their mean square: `v = α v + (1 - α) g²`,
/// `p = p - lr g / (√v + ε)`.
///
/// # Source
///
/// Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"; options, and `ε`
/// beside the root, as in PyTorch.
#[doc(alias("RMSprop", "RMSProp"))]
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    lr: f64,
    alpha: f64,
    eps: f64,
    momentum: f64,
    centered: bool,
    decay: f64,
}

impl RmsProp {
    /// Creates RMSprop with this learning rate, `α = 0.99` and `ε = 1e-8`.
    pub fn new(lr: f64) -> Self {
        RmsProp { lr, alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, decay: 0.0 }
    }

    /// Sets the decay rate of the mean square.
    #[doc(alias = "rho")]
    pub fn alpha(self, alpha: f64) -> Self {
        RmsProp { alpha, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        RmsProp { eps, ..self }
    }

    /// Sets the momentum, of quotients: `m = momentum m + g / (√v + ε)`, `p = p - lr m`.
    pub fn momentum(self, momentum: f64) -> Self {
        RmsProp { momentum, ..self }
    }

    /// Divides by the standard deviation: by the root of `v - a²`, where `a = α a + (1 - α) g`.
    ///
    /// # Source
    ///
    /// Graves 2013, "Generating Sequences With Recurrent Neural Networks", arXiv:1308.0850.
    pub fn centered(self) -> Self {
        RmsProp { centered: true, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        RmsProp { decay, ..self }
    }
}

impl Optimizer for RmsProp {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("alpha", self.alpha, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("momentum", self.momentum, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("rmsprop", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        for &Update { path, param, gradient } in updates {
            let mut own = state.child(path);
            let gradient = decayed(gradient, param, self.decay);
            let [v] = zeros(&mut own, param, ["v"]);
            let mut square = v.second_moment(gradient, self.alpha);
            graph.assign(v, square);
            if self.centered {
                let [average] = zeros(&mut own, param, ["average"]);
                let mean = average.moment(gradient, self.alpha, 1.0 - self.alpha);
                graph.assign(average, mean);
                // Rounded, it may be below 0 where gradients hardly change.
                square = (square - mean * mean).maximum(0.0);
            }
            let mut direction = gradient / (square.sqrt() + self.eps);
            if self.momentum != 0.0 {
                let [m] = zeros(&mut own, param, ["m"]);
                direction = m.moment(direction, self.momentum, 1.0);
                graph.assign(m, direction);
            }
            let p = param.widened() - direction * lr;
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}
