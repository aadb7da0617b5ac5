//! Adadelta.

use super::{
    optimizer::{Optimizer, Update},
    terms::{decayed, zeros},
};
use crate::{nn::Scope, numbers::Must};

/// Adadelta, whose steps have the scale of those before: `v = ρ v + (1 - ρ) g²`,
/// `d = √(u + ε) / √(v + ε) g`, `u = ρ u + (1 - ρ) d²`, `p = p - lr d`.
///
/// # Source
///
/// Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, algorithm 1, in
/// which the learning rate is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Adadelta {
    lr: f64,
    rho: f64,
    eps: f64,
    decay: f64,
}

impl Adadelta {
    /// Creates Adadelta with this learning rate, 1 in the paper, `ρ = 0.9` and `ε = 1e-6`.
    pub fn new(lr: f64) -> Self {
        Adadelta { lr, rho: 0.9, eps: 1e-6, decay: 0.0 }
    }

    /// Sets the decay rate of both averages.
    pub fn rho(self, rho: f64) -> Self {
        Adadelta { rho, ..self }
    }

    /// Sets the epsilon, which decides how long first steps are.
    pub fn eps(self, eps: f64) -> Self {
        Adadelta { eps, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Adadelta { decay, ..self }
    }
}

impl Optimizer for Adadelta {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("rho", self.rho, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("adadelta", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        for &Update { path, param, gradient } in updates {
            let gradient = decayed(gradient, param, self.decay);
            let [v, u] = zeros(&mut state.child(path), param, ["v", "u"]);
            let second = v.second_moment(gradient, self.rho);
            graph.assign(v, second);
            let delta = gradient * (u + self.eps).sqrt() / (second + self.eps).sqrt();
            graph.assign(u, u.second_moment(delta, self.rho));
            let p = param.widened() - delta * lr;
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}
