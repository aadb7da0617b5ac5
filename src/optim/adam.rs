//! Adam and AdamW.

use super::{
    optimizer::{Optimizer, Update},
    terms::{Decay, counted, decayed, moments, shrunk, zeros},
};
use crate::{nn::Scope, numbers::Must};

/// Adam, in the paper's notation: `m = β1 m + (1 - β1) g`, `v = β2 v + (1 - β2) g²`,
/// `p = p - lr m̂ / (√v̂ + ε)`, where `m̂ = m / (1 - β1^t)` and `v̂ = v / (1 - β2^t)`.
///
/// # Source
///
/// Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: Decay,
    amsgrad: bool,
}

impl Adam {
    /// Creates Adam with this learning rate and the paper's `β1 = 0.9`, `β2 = 0.999`, `ε = 1e-8`.
    pub fn new(lr: f64) -> Self {
        let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
        Adam { lr, beta1, beta2, eps, decay: Decay::NONE, amsgrad: false }
    }

    /// Sets the decay rates of both moments.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Adam { beta1, beta2, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        Adam { eps, ..self }
    }

    /// Sets the weight decay, which is added to the gradient, as in PyTorch's `Adam`, and so scaled by the
    /// moments: see [`AdamW`] for one that is not.
    pub fn weight_decay(self, decay: f64) -> Self {
        Adam { decay: Decay::Coupled(decay), ..self }
    }

    /// Divides by the largest second moment so far.
    ///
    /// # Source
    ///
    /// Reddi et al. 2018, "On the Convergence of Adam and Beyond", arXiv:1904.09237; the correction of
    /// the bias as in PyTorch.
    #[doc(alias = "AMSGrad")]
    pub fn amsgrad(self) -> Self {
        Adam { amsgrad: true, ..self }
    }
}

impl Optimizer for Adam {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay.rate(), Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("adam", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        let step = counted(state);
        let (betas, [coupled, decoupled]) = ([self.beta1, self.beta2], self.decay.split());
        for &Update { path, param, gradient } in updates {
            let mut own = state.child(path);
            let gradient = decayed(gradient, param, coupled);
            let [first, mut second] = moments(&mut own, gradient, betas);
            if self.amsgrad {
                let [most] = zeros(&mut own, param, ["v_max"]);
                second = most.maximum(second);
                graph.assign(most, second);
            }
            let p = shrunk(param, lr, decoupled);
            let updated = p.adam([first, second], lr, step, betas, self.eps);
            graph.assign(param, updated.cast(param.dtype()));
        }
    }
}

/// Adam with decoupled weight decay: `p = (1 - lr decay) p` before each step.
///
/// # Source
///
/// Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW(Adam);

impl AdamW {
    /// Creates AdamW with this learning rate, a decay of 0.01, and the rest as [`Adam`] has it.
    pub fn new(lr: f64) -> Self {
        AdamW(Adam { decay: Decay::Decoupled(0.01), ..Adam::new(lr) })
    }

    /// Sets the decay rates of both moments.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        AdamW(self.0.betas(beta1, beta2))
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        AdamW(self.0.eps(eps))
    }

    /// Sets the weight decay.
    pub fn weight_decay(self, decay: f64) -> Self {
        AdamW(Adam { decay: Decay::Decoupled(decay), ..self.0 })
    }

    /// Divides by the largest second moment so far: see [`Adam::amsgrad`].
    #[doc(alias = "AMSGrad")]
    pub fn amsgrad(self) -> Self {
        AdamW(self.0.amsgrad())
    }
}

impl Optimizer for AdamW {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        self.0.step(state, updates);
    }
}
