//! Stochastic gradient descent.

use super::Optimizer;
use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope, numbers::Must};

/// Stochastic gradient descent: `m = momentum m + g + decay p`, `p = p - lr m`.
///
/// # Source
///
/// Momentum as in PyTorch, without dampening.
#[doc(alias = "SGD")]
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    name: String,
    lr: f64,
    momentum: f64,
    decay: f64,
    longest: Option<f64>,
}

impl Sgd {
    /// Creates plain gradient descent with this learning rate.
    pub fn new(lr: f64) -> Self {
        let (momentum, decay, longest) = (0.0, 0.0, None);
        Sgd { name: super::NAME.to_owned(), lr, momentum, decay, longest }
    }

    /// Sets the scope of its variables; `optim` by default.
    pub fn named(self, name: &str) -> Self {
        Sgd { name: name.to_owned(), ..self }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Sgd { decay, ..self }
    }

    /// Clips the global norm of the gradient to this value.
    #[doc(alias("clip_grad_norm_", "global_clipnorm"))]
    pub fn clip_norm(self, longest: f64) -> Self {
        Sgd { longest: Some(longest), ..self }
    }
}

impl Optimizer for Sgd {
    fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[(&str, Tensor<'g>, Tensor<'g>)]) {
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("momentum", self.momentum, Must::BeAtLeast0),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        let Some(updates) = super::checked("sgd", cx, updates, &numbers, self.longest) else {
            return;
        };
        let mut cx = cx.child(&self.name);
        let graph = cx.graph();
        let lr = super::learning_rate(&mut cx, self.lr);
        for (path, param, gradient) in updates {
            let mut direction =
                if self.decay == 0.0 { gradient } else { gradient + param.widened() * self.decay };
            if self.momentum != 0.0 {
                let moment = cx.child(path).variable("m", param.shape(), DType::F32, Init::Zeros);
                direction = moment.moment(direction, self.momentum, 1.0);
                graph.assign(moment, direction);
            }
            graph.assign(param, param.sgd(direction, lr));
        }
    }
}
