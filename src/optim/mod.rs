//! Optimizers: how parameters follow the gradient.
//!
//! They are plain data. What they remember lives in variables below `optim/`, beside the
//! parameters, so that a checkpoint of the store is complete; the learning rate is one of them
//! (`optim/lr`), so that it can change between steps without another compilation.
//!
//! Where two optimizers work in one store, each needs a name of its own, or they would share
//! learning rate and step number: `Adam::new(4e-4).named("disc")` keeps what it remembers below
//! `disc/`. In one graph a clash is an error; between two programs nobody sees it.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope};

/// The scope of an optimizer that was not given another name.
const NAME: &str = "optim";

/// A rule that updates parameters from the gradient of a loss.
pub trait Optimizer {
    /// Appends to the graph one update of these parameters against the gradient of `loss`.
    ///
    /// # Errors
    ///
    /// Kept by the graph: [`GraphError::NotALoss`](crate::GraphError::NotALoss) where `loss` is
    /// not a single float.
    fn update_params<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[(String, Tensor<'g>)],
    );

    /// Appends to the graph one update of all parameters declared so far.
    ///
    /// # Errors
    ///
    /// As for [`update_params`](Self::update_params).
    fn update<'g>(&self, cx: &mut Scope<'g>, loss: Tensor<'g>) {
        let params = cx.params();
        self.update_params(cx, loss, &params);
    }
}

/// The derivative of `loss` by each of the parameters; where a longest length is given, all of them
/// together are made no longer than that.
fn gradients<'g>(
    loss: Tensor<'g>,
    params: &[(String, Tensor<'g>)],
    longest: Option<f64>,
) -> Vec<Tensor<'g>> {
    let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
    let gradients = crate::autodiff::grad(loss, &tensors);
    let Some(longest) = longest else { return gradients };
    let squares = gradients.iter().map(|&gradient| (gradient * gradient).sum(..));
    let Some(squares) = squares.reduce(|sum, squares| sum + squares) else { return gradients };
    // What PyTorch adds to the length, so that 0 divides nothing.
    let scale = (longest / (squares.sqrt() + 1e-6)).minimum(1.0);
    gradients.into_iter().map(|gradient| gradient * scale).collect()
}

/// The learning rate: a variable that begins at `lr` and belongs to who runs the program.
fn learning_rate<'g>(cx: &mut Scope<'g>, lr: f64) -> Tensor<'g> {
    cx.variable("lr", [], DType::F32, Init::Constant(lr))
}

#[cfg(test)]
mod tests;
