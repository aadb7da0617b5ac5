//! NAdam.

use super::{
    optimizer::{Optimizer, Update},
    terms::{Decay, correction, counted, decayed, moments, shrunk},
};
use crate::{dtype::DType, init::Init, nn::Scope, numbers::Must};

/// Adam with Nesterov's momentum: `p = p - lr m̂ / (√v̂ + ε)`, where `v̂` is as in
/// [`Adam`](super::Adam), and `m̂ = μ' m / (1 - Π μ μ') + (1 - μ) g / (1 - Π μ)` looks ahead. The
/// momentum grows over the steps, `μ = β1 (1 - 0.96^(t ψ) / 2)`, where `ψ` is the momentum decay;
/// `μ'` is that of the next step, and `Π μ` the product of all so far.
///
/// # Source
///
/// Dozat 2016, "Incorporating Nesterov Momentum into Adam"; as in PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct NAdam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    momentum_decay: f64,
    decay: Decay,
}

impl NAdam {
    /// Creates NAdam with this learning rate, `β1 = 0.9`, `β2 = 0.999`, `ε = 1e-8` and a momentum
    /// decay of 0.004.
    pub fn new(lr: f64) -> Self {
        let (beta1, beta2, eps, momentum_decay) = (0.9, 0.999, 1e-8, 4e-3);
        NAdam { lr, beta1, beta2, eps, momentum_decay, decay: Decay::NONE }
    }

    /// Sets the decay rates of both moments.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        NAdam { beta1, beta2, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        NAdam { eps, ..self }
    }

    /// Sets how fast the momentum grows from `β1 / 2` to `β1`.
    pub fn momentum_decay(self, momentum_decay: f64) -> Self {
        NAdam { momentum_decay, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        NAdam { decay: Decay::Coupled(decay), ..self }
    }

    /// Sets the weight decay, which is decoupled from the gradient: `p = (1 - lr decay) p` before
    /// each step, as in [`AdamW`](super::AdamW).
    #[doc(alias = "NAdamW")]
    pub fn decoupled_weight_decay(self, decay: f64) -> Self {
        NAdam { decay: Decay::Decoupled(decay), ..self }
    }
}

impl Optimizer for NAdam {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("momentum decay", self.momentum_decay, Must::BeAtLeast0),
            ("weight decay", self.decay.rate(), Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("nadam", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        let step = counted(state);
        let rate = self.momentum_decay * 0.96f64.ln();
        let [now, next] =
            [step, step + 1.0].map(|t| self.beta1 - 0.5 * self.beta1 * (t * rate).exp());
        let product = state.variable("mu_product", [], DType::F32, Init::Ones);
        let so_far = product * now;
        graph.assign(product, so_far);
        let of_gradient = lr * (1.0 - now) / (1.0 - so_far);
        let of_moment = lr * next / (1.0 - so_far * next);
        let scale = correction(step, self.beta2).sqrt();
        let [coupled, decoupled] = self.decay.split();
        for &Update { path, param, gradient } in updates {
            let gradient = decayed(gradient, param, coupled);
            let [first, second] =
                moments(&mut state.child(path), gradient, [self.beta1, self.beta2]);
            let ahead = gradient * of_gradient + first * of_moment;
            let p = shrunk(param, lr, decoupled) - ahead / (second.sqrt() / scale + self.eps);
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}
