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

use crate::{error::OpError, graph::Tensor, nn::Scope, numbers::Must};

/// The default scope of an optimizer.
const NAME: &str = "optim";

/// A rule that updates parameters from gradients.
///
/// [`apply`](Self::apply) is the rule; [`update`](Self::update) calculates the gradients of a loss
/// for it.
#[doc(alias = "torch.optim")]
pub trait Optimizer {
    /// Appends one update of parameters against their gradients to the graph: each with its path,
    /// below which the state of the optimizer is kept.
    ///
    /// The gradients may come from anywhere: from [`grad`](crate::autodiff::grad), summed over
    /// several batches, scaled, or masked.
    ///
    /// ```
    /// use wgrad::{DType, Graph, autodiff::grad, nn::{Dense, Mode, Module, Scope}};
    /// use wgrad::optim::{Optimizer, Sgd};
    ///
    /// let graph = Graph::new();
    /// let mut cx = Scope::new(&graph, Mode::Train);
    /// let x = graph.input("x", [8, 3], DType::F32);
    /// let loss = Dense::new(1).forward(&mut cx.child("net"), x).mean(..);
    /// let params = cx.params();
    /// let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
    /// // Gradients by their sign only.
    /// let updates: Vec<_> = params
    ///     .iter()
    ///     .zip(grad(loss, &tensors))
    ///     .map(|((path, param), gradient)| (path.as_str(), *param, gradient.sign()))
    ///     .collect();
    /// Sgd::new(0.01).apply(&mut cx, &updates);
    /// graph.check()?;
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`OpError::Shapes`] unless each gradient has
    /// the shape of its parameter, and [`OpError::DType`] unless it has
    /// floats; [`OpError::Number`] for a learning rate, weight decay, epsilon
    /// or limit of the norm that is NaN or negative, and for a decay rate of moments outside of
    /// `[0, 1)`.
    #[doc(alias("step", "apply_gradients"))]
    fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[(&str, Tensor<'g>, Tensor<'g>)]);

    /// Appends one update of these parameters against the gradient of `loss` to the graph.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`GraphError::NotALoss`](crate::GraphError::NotALoss) if `loss` is
    /// not a single float; those of [`apply`](Self::apply).
    fn update_params<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[(String, Tensor<'g>)],
    ) {
        let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
        let gradients = crate::autodiff::grad(loss, &tensors);
        let updates = params.iter().zip(gradients);
        let updates: Vec<_> =
            updates.map(|((path, param), gradient)| (path.as_str(), *param, gradient)).collect();
        self.apply(cx, &updates);
    }

    /// Appends one update of all parameters declared so far to the graph.
    ///
    /// # Errors
    ///
    /// Same as [`update_params`](Self::update_params).
    #[doc(alias("step", "minimize"))]
    fn update<'g>(&self, cx: &mut Scope<'g>, loss: Tensor<'g>) {
        let params = cx.params();
        self.update_params(cx, loss, &params);
    }
}

impl<O: Optimizer + ?Sized> Optimizer for &O {
    fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[(&str, Tensor<'g>, Tensor<'g>)]) {
        (**self).apply(cx, updates);
    }
}

/// What an update is made of: the path of a parameter, the parameter and its gradient.
type Update<'a, 'g> = (&'a str, Tensor<'g>, Tensor<'g>);

/// The updates with gradients in f32, clipped to the global norm `longest` if given.
///
/// # Errors
///
/// Recorded in the name of `rule`, and none returned, unless the numbers are valid and each gradient
/// is one of its parameter.
fn checked<'a, 'g>(
    rule: &'static str,
    cx: &Scope<'g>,
    updates: &[Update<'a, 'g>],
    numbers: &[(&'static str, f64, Must)],
    longest: Option<f64>,
) -> Option<Vec<Update<'a, 'g>>> {
    let graph = cx.graph();
    let operands: Vec<_> = updates.iter().take(1).map(|&(_, _, gradient)| gradient).collect();
    let limit = [("norm", longest.unwrap_or(0.0), Must::BeALimit)];
    let numbers = [numbers, &limit].concat();
    if graph.refuse_invalid(rule, &operands, &numbers).is_some() {
        return None;
    }
    for &(_, param, gradient) in updates {
        let reason = match () {
            () if param.failed() || gradient.failed() => return None,
            () if !gradient.dtype().is_float() => OpError::DType(gradient.dtype()),
            () if param.shape() != gradient.shape() => OpError::Shapes,
            () => continue,
        };
        graph.refuse(rule, &[param, gradient], reason);
        return None;
    }
    let mut gradients: Vec<_> = updates.iter().map(|(_, _, gradient)| gradient.widened()).collect();
    if let Some(longest) = longest {
        gradients = clip::clip_norm(gradients, longest);
    }
    let of = updates.iter().zip(gradients);
    Some(of.map(|(&(path, param, _), gradient)| (path, param, gradient)).collect())
}

/// The learning rate, which the caller may change between runs.
fn learning_rate<'g>(cx: &mut Scope<'g>, lr: f64) -> Tensor<'g> {
    cx.setting("lr", lr)
}

#[cfg(test)]
mod tests;
