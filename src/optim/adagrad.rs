//! Adagrad.

use super::{
    optimizer::{Optimizer, Update},
    terms::{counted, decayed},
};
use crate::{dtype::DType, init::Init, nn::Scope, numbers::Must};

/// Adagrad, with a rate of its own for each element: `s = s + g²`, `p = p - lr g / (√s + ε)`.
///
/// # Source
///
/// Duchi et al. 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization"; options as in PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct Adagrad {
    lr: f64,
    lr_decay: f64,
    initial: f64,
    eps: f64,
    decay: f64,
}

impl Adagrad {
    /// Creates Adagrad with this learning rate, sums that begin at 0, and `ε = 1e-10`.
    pub fn new(lr: f64) -> Self {
        Adagrad { lr, lr_decay: 0.0, initial: 0.0, eps: 1e-10, decay: 0.0 }
    }

    /// Sets the decay of the learning rate, which is `lr / (1 + (t - 1) decay)` in step `t`.
    pub fn lr_decay(self, lr_decay: f64) -> Self {
        Adagrad { lr_decay, ..self }
    }

    /// Sets the sums to begin with: larger ones make first steps shorter.
    #[doc(alias = "initial_accumulator_value")]
    pub fn initial_sum(self, initial: f64) -> Self {
        Adagrad { initial, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        Adagrad { eps, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Adagrad { decay, ..self }
    }
}

impl Optimizer for Adagrad {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("decay of the learning rate", self.lr_decay, Must::BeAtLeast0),
            ("initial sum", self.initial, Must::BeAtLeast0),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("adagrad", &[], &numbers).is_some() {
            return;
        }
        let mut rate = state.setting("lr", self.lr);
        if self.lr_decay != 0.0 {
            rate = rate / (1.0 + (counted(state) - 1.0) * self.lr_decay);
        }
        for &Update { path, param, gradient } in updates {
            let gradient = decayed(gradient, param, self.decay);
            let init = Init::Constant(self.initial);
            let sum = state.child(path).variable("sum", param.shape(), DType::F32, init);
            let squares = sum + gradient * gradient;
            graph.assign(sum, squares);
            let p = param.widened() - gradient * rate / (squares.sqrt() + self.eps);
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}
