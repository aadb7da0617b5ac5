//! Optimizers: update rules for parameters.
//!
//! They are plain data. Their state lives in variables below `optim/`, alongside the parameters, so
//! that a checkpoint of the store is complete. The learning rate is a [setting] beside it, `optim/lr`:
//! it can change between steps without compiling again, and is what the code says, not what a
//! checkpoint says.
//!
//! If two optimizers use the same store, each needs its own name, or they would share learning rate
//! and step count: `Adam::new(4e-4).named("disc")` keeps its state below `disc/`. Two of one name
//! that differ in their rates are an error, in one graph when it is compiled, and in two programs
//! when the second is prepared.
//!
//! [setting]: crate::Graph::setting

mod adam;
mod clip;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::{graph::Tensor, nn::Scope};

/// The default scope of an optimizer.
const NAME: &str = "optim";

/// A rule that updates parameters from the gradient of a loss.
#[doc(alias = "torch.optim")]
pub trait Optimizer {
    /// Appends one update of these parameters against the gradient of `loss` to the graph.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`GraphError::NotALoss`](crate::GraphError::NotALoss) if `loss` is
    /// not a single float; [`OpError::Number`](crate::OpError::Number) for a learning rate, weight
    /// decay, epsilon or limit of the norm that is NaN or negative, and for a decay rate of moments
    /// outside of `[0, 1)`.
    fn update_params<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[(String, Tensor<'g>)],
    );

    /// Appends one update of all parameters declared so far to the graph.
    ///
    /// # Errors
    ///
    /// Same as [`update_params`](Self::update_params).
    #[doc(alias("step", "minimize", "apply_gradients"))]
    fn update<'g>(&self, cx: &mut Scope<'g>, loss: Tensor<'g>) {
        let params = cx.params();
        self.update_params(cx, loss, &params);
    }
}

/// The gradients of `loss` with respect to the parameters in f32, clipped to the global norm
/// `longest` if given.
fn gradients<'g>(
    loss: Tensor<'g>,
    params: &[(String, Tensor<'g>)],
    longest: Option<f64>,
) -> Vec<Tensor<'g>> {
    let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
    let gradients = crate::autodiff::grad(loss, &tensors).into_iter().map(Tensor::widened);
    match longest {
        Some(longest) => clip::clip_norm(gradients.collect(), longest),
        None => gradients.collect(),
    }
}

/// The learning rate, which the caller may change between runs.
fn learning_rate<'g>(cx: &mut Scope<'g>, lr: f64) -> Tensor<'g> {
    cx.setting("lr", lr)
}

#[cfg(test)]
mod tests;
