//! LAMB.

use super::{
    optimizer::{Optimizer, Update},
    terms::{correction, counted, moments},
};
use crate::{nn::Scope, numbers::Must};

/// LAMB, for large batches: with `u = m̂ / (√v̂ + ε) + decay p` of [`Adam`](super::Adam)'s moments,
/// `p = p - lr |p| / |u| u`, so that a step is as long as the parameter, times the learning rate.
/// The trust ratio `|p| / |u|` is 1 where a norm is 0.
///
/// # Source
///
/// You et al. 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
/// arXiv:1904.00962, algorithm 2 with `φ(z) = z`.
#[doc(alias = "LAMB")]
#[derive(Clone, Debug, PartialEq)]
pub struct Lamb {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
}

impl Lamb {
    /// Creates LAMB with this learning rate, the paper's `β1 = 0.9`, `β2 = 0.999` and `ε = 1e-6`,
    /// and a decay of 0.01.
    pub fn new(lr: f64) -> Self {
        Lamb { lr, beta1: 0.9, beta2: 0.999, eps: 1e-6, decay: 0.01 }
    }

    /// Sets the decay rates of both moments.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Lamb { beta1, beta2, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        Lamb { eps, ..self }
    }

    /// Sets the weight decay, which is added to the direction, before its norm is taken.
    pub fn weight_decay(self, decay: f64) -> Self {
        Lamb { decay, ..self }
    }
}

impl Optimizer for Lamb {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("lamb", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        let step = counted(state);
        let share = 1.0 / correction(step, self.beta1);
        let scale = correction(step, self.beta2).sqrt();
        for &Update { path, param, gradient } in updates {
            let [first, second] =
                moments(&mut state.child(path), gradient, [self.beta1, self.beta2]);
            let p = param.widened();
            let adam = first * share / (second.sqrt() / scale + self.eps);
            let direction = if self.decay == 0.0 { adam } else { adam + p * self.decay };
            let norms = [p, direction].map(|x| x.norm(..));
            let are_positive = norms[0].greater(0.0).and(norms[1].greater(0.0));
            let [length, of] = norms.map(|norm| are_positive.select(norm, 1.0));
            let updated = p - direction * (lr * length / of);
            graph.assign(param, updated.cast(param.dtype()));
        }
    }
}
