//! Stochastic gradient descent.

use super::{
    optimizer::{Optimizer, Update},
    terms::{decayed, zeros},
};
use crate::{nn::Scope, numbers::Must};

/// Stochastic gradient descent: `m = momentum m + g + decay p`, `p = p - lr m`.
///
/// # Source
///
/// Momentum as in PyTorch, without dampening.
#[doc(alias = "SGD")]
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    decay: f64,
}

impl Sgd {
    /// Creates plain gradient descent with this learning rate.
    pub fn new(lr: f64) -> Self {
        Sgd { lr, momentum: 0.0, nesterov: false, decay: 0.0 }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// Looks ahead along the momentum: `p = p - lr (g + decay p + momentum m)`.
    ///
    /// # Source
    ///
    /// Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", in the
    /// form that PyTorch gives it.
    pub fn nesterov(self) -> Self {
        Sgd { nesterov: true, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Sgd { decay, ..self }
    }
}

impl Optimizer for Sgd {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("momentum", self.momentum, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("sgd", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        for &Update { path, param, gradient } in updates {
            let mut direction = decayed(gradient, param, self.decay);
            if self.momentum != 0.0 {
                let [moment] = zeros(&mut state.child(path), param, ["m"]);
                let moved = moment.moment(direction, self.momentum, 1.0);
                graph.assign(moment, moved);
                direction = if self.nesterov { direction + moved * self.momentum } else { moved };
            }
            graph.assign(param, param.sgd(direction, lr));
        }
    }
}
