//! Lion.

use super::{
    optimizer::{Optimizer, Update},
    terms::{shrunk, zeros},
};
use crate::{nn::Scope, numbers::Must};

/// Lion, whose steps are all of one length: `p = (1 - lr decay) p - lr sign(β1 m + (1 - β1) g)`,
/// then `m = β2 m + (1 - β2) g`. A good learning rate is 3 to 10 times less than one of
/// [`AdamW`](super::AdamW), and the decay as many times more.
///
/// # Source
///
/// Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675, program 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Lion {
    lr: f64,
    beta1: f64,
    beta2: f64,
    decay: f64,
}

impl Lion {
    /// Creates Lion with this learning rate, the paper's `β1 = 0.9` and `β2 = 0.99`, and no decay.
    pub fn new(lr: f64) -> Self {
        Lion { lr, beta1: 0.9, beta2: 0.99, decay: 0.0 }
    }

    /// Sets the share of the momentum in a direction, and the decay rate of the momentum.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Lion { beta1, beta2, ..self }
    }

    /// Sets the weight decay, which is decoupled from the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Lion { decay, ..self }
    }
}

impl Optimizer for Lion {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("lion", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        for &Update { path, param, gradient } in updates {
            let [m] = zeros(&mut state.child(path), param, ["m"]);
            let direction = m.moment(gradient, self.beta1, 1.0 - self.beta1).sign();
            graph.assign(m, m.moment(gradient, self.beta2, 1.0 - self.beta2));
            let p = shrunk(param, lr, self.decay) - direction * lr;
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}
