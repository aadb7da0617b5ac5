//! Stochastic gradient descent.

use super::Optimizer;
use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope};

/// Stochastic gradient descent: `m = momentum m + g`, `p = p - lr m`.
///
/// # Source
///
/// Momentum as in PyTorch, without dampening.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    name: String,
    lr: f64,
    momentum: f64,
}

impl Sgd {
    /// Plain descent at this learning rate.
    pub fn new(lr: f64) -> Self {
        Sgd { name: super::NAME.to_owned(), lr, momentum: 0.0 }
    }

    /// Sets the scope of its variables, which is `optim` otherwise.
    pub fn named(self, name: &str) -> Self {
        Sgd { name: name.to_owned(), ..self }
    }

    /// Sets the share of the last step that goes into the next.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }
}

impl Optimizer for Sgd {
    fn update_params<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[(String, Tensor<'g>)],
    ) {
        let mut cx = cx.child(&self.name);
        let graph = cx.graph();
        let lr = super::learning_rate(&mut cx, self.lr);
        for ((path, param), gradient) in params.iter().zip(super::gradients(loss, params)) {
            let mut direction = gradient;
            if self.momentum != 0.0 {
                let moment = cx.child(path).variable("m", param.shape(), DType::F32, Init::Zeros);
                direction = moment.moment(gradient, self.momentum, 1.0);
                graph.assign(moment, direction);
            }
            graph.assign(*param, param.sgd(direction, lr));
        }
    }
}
