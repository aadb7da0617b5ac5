//! Adam.

use super::Optimizer;
use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope, numbers::Must};

/// Adam, in the paper's notation: `m = β1 m + (1 - β1) g`, `v = β2 v + (1 - β2) g²`,
/// `p = p - lr m̂ / (√v̂ + ε)`, where `m̂ = m / (1 - β1^t)` and `v̂ = v / (1 - β2^t)`.
///
/// # Source
///
/// Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
#[doc(alias = "AdamW")]
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    name: String,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
    longest: Option<f64>,
}

impl Adam {
    /// Creates Adam with this learning rate and the paper's `β1 = 0.9`, `β2 = 0.999`, `ε = 1e-8`.
    pub fn new(lr: f64) -> Self {
        let (beta1, beta2, eps, decay, longest) = (0.9, 0.999, 1e-8, 0.0, None);
        Adam { name: super::NAME.to_owned(), lr, beta1, beta2, eps, decay, longest }
    }

    /// Sets the scope of its variables; `optim` by default.
    pub fn named(self, name: &str) -> Self {
        Adam { name: name.to_owned(), ..self }
    }

    /// Sets the decay rates of both moments.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Adam { beta1, beta2, ..self }
    }

    /// Sets the decoupled weight decay (AdamW): `p = (1 - lr decay) p` before each step.
    ///
    /// # Source
    ///
    /// Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101.
    #[doc(alias = "AdamW")]
    pub fn weight_decay(self, decay: f64) -> Self {
        Adam { decay, ..self }
    }

    /// Clips the global norm of the gradient to this value.
    #[doc(alias("clip_grad_norm_", "global_clipnorm"))]
    pub fn clip_norm(self, longest: f64) -> Self {
        Adam { longest: Some(longest), ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        Adam { eps, ..self }
    }
}

impl Optimizer for Adam {
    fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[(&str, Tensor<'g>, Tensor<'g>)]) {
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        let Some(updates) = super::checked("adam", cx, updates, &numbers, self.longest) else {
            return;
        };
        let mut cx = cx.child(&self.name);
        let graph = cx.graph();
        let lr = super::learning_rate(&mut cx, self.lr);
        // Counted in f32, exact up to 2^24: long before that, both corrections are 1.
        let steps = cx.variable("step", [], DType::F32, Init::Zeros);
        let step = steps + 1.0;
        graph.assign(steps, step);
        for (path, param, gradient) in updates {
            let mut cx = cx.child(path);
            let [m, v] =
                ["m", "v"].map(|name| cx.variable(name, param.shape(), DType::F32, Init::Zeros));
            let first = m.moment(gradient, self.beta1, 1.0 - self.beta1);
            let second = v.second_moment(gradient, self.beta2);
            let p = param.widened();
            let decayed = if self.decay == 0.0 { p } else { p * (1.0 - lr * self.decay) };
            let updated =
                decayed.adam([first, second], lr, step, [self.beta1, self.beta2], self.eps);
            graph.assign(m, first);
            graph.assign(v, second);
            graph.assign(param, updated.cast(param.dtype()));
        }
    }
}
