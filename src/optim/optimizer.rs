//! Optimizers and adaptors.

use super::norm::are_finite;
use crate::{autodiff, dtype::DType, error::OpError, graph::Tensor, init::Init, nn::Scope};

/// Name of the variable that counts the steps that were skipped.
pub(crate) const SKIPPED: &str = "skipped";

/// A parameter that is to be updated.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a, 'g> {
    /// Its path, below which its state is kept.
    pub path: &'a str,
    /// The parameter.
    pub param: Tensor<'g>,
    /// Its gradient, of the same shape.
    pub gradient: Tensor<'g>,
}

impl<'a, 'g> Update<'a, 'g> {
    /// The update of a parameter by a gradient.
    pub fn new(path: &'a str, param: Tensor<'g>, gradient: Tensor<'g>) -> Self {
        Update { path, param, gradient }
    }
}

/// A rule that updates parameters from gradients.
///
/// Most are used through [`update`](Self::update), which calculates the gradients of a loss. What is
/// done to gradients before, such as clipping, is an [`Adaptor`] around an optimizer: see
/// [`OptimizerExt`](super::OptimizerExt).
///
/// A rule of your own is one method:
///
/// ```
/// use wgrad::{optim::Update, prelude::*};
///
/// /// Steps of one length, in the direction of the sign.
/// struct SignDescent(f64);
///
/// impl Optimizer for SignDescent {
///     fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
///         let lr = state.setting("lr", self.0);
///         for update in updates {
///             let updated = update.param - lr * update.gradient.sign();
///             state.graph().assign(update.param, updated);
///         }
///     }
/// }
///
/// let data = ArrayDataset::new([("x", Array::full([8, 3], 1.0f32)?)])?;
/// let net = Dense::new(1);
/// let report = Trainer::new(
///     |cx, batch| Loss::new(net.forward(cx, batch.get("x")).square().mean(..)),
///     SignDescent(0.01),
/// )
/// .fit(&Device::cpu(), &Variables::new(0), &data)?;
/// assert!(report.epochs[9].loss() < report.epochs[0].loss());
/// # Ok::<(), Error>(())
/// ```
#[doc(alias = "torch.optim")]
pub trait Optimizer {
    /// Appends one update of these parameters to the graph. `state` is the scope of what the
    /// optimizer keeps, and each parameter keeps what is its own below its path in it.
    ///
    /// Gradients are f32, whatever the type of their parameters, and have their shapes. A
    /// [schedule](super::Schedule) changes the setting `lr` in `state`, and any of that name below.
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]);

    /// Name of the scope of its state.
    fn scope(&self) -> &str {
        "optim"
    }

    /// The factor by which a loss is multiplied before it is differentiated, for the sake of
    /// gradients in f16; `None` for 1. [`step`](Self::step) gets gradients that are divided by it.
    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        let _ = state;
        None
    }

    /// Whether steps with gradients that are not finite are skipped: see
    /// [`SkipNonFinite`](super::SkipNonFinite).
    fn skips_non_finite(&self) -> bool {
        false
    }

    /// Appends what happens after a step, also after one that was skipped, if steps may be: `finite` is
    /// whether it was not.
    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        let _ = (state, finite);
    }

    /// Appends the gradients of a loss that [`apply`](Self::apply) takes to the graph, in f32. This and the
    /// methods below are for callers, and not to be replaced: adaptors and trainers do not see it.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`GraphError::NotALoss`](crate::GraphError::NotALoss) if `loss` is
    /// not a single float.
    #[doc(alias("backward", "GradientTape"))]
    fn gradients<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[Tensor<'g>],
    ) -> Vec<Tensor<'g>> {
        let scale = self.loss_scale(&mut cx.child(self.scope()));
        let gradients = match scale {
            None => autodiff::grad(loss, params),
            Some(scale) => autodiff::grad(loss.widened() * scale, params),
        };
        let wide = gradients.into_iter().map(Tensor::widened);
        wide.map(|gradient| scale.map_or(gradient, |scale| gradient / scale)).collect()
    }

    /// Appends one update of parameters by their gradients to the graph.
    ///
    /// The gradients may come from anywhere: from [`gradients`](Self::gradients), summed over several
    /// batches, or masked.
    ///
    /// ```
    /// use wgrad::{DType, Graph, nn::{Dense, Mode, Module, Scope}};
    /// use wgrad::optim::{Optimizer, Sgd, Update};
    ///
    /// let graph = Graph::new();
    /// let mut cx = Scope::new(&graph, Mode::Train);
    /// let x = graph.input("x", [8, 3], DType::F32);
    /// let loss = Dense::new(1).forward(&mut cx.child("net"), x).mean(..);
    /// let params = cx.params();
    /// let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
    /// let optimizer = Sgd::new(0.01);
    /// // Gradients by their sign only.
    /// let updates: Vec<_> = params
    ///     .iter()
    ///     .zip(optimizer.gradients(&mut cx, loss, &tensors))
    ///     .map(|((path, param), gradient)| Update::new(path, *param, gradient.sign()))
    ///     .collect();
    /// optimizer.apply(&mut cx, &updates);
    /// graph.check()?;
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`OpError::Shapes`] unless each gradient has the shape of its parameter,
    /// and [`OpError::DType`] unless it has floats; [`OpError::Number`] for a number of the optimizer
    /// that is out of its range, NaN among them.
    #[doc(alias("step", "apply_gradients"))]
    fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let Some(updates) = checked(cx, updates) else { return };
        let graph = cx.graph();
        let before = graph.assignments();
        let mut state = cx.child(self.scope());
        let gradients: Vec<_> = updates.iter().map(|update| update.gradient).collect();
        let finite = if self.skips_non_finite() { are_finite(&gradients) } else { None };
        self.step(&mut state, &updates);
        if let Some(finite) = finite {
            graph.assign_only_if(finite);
            let skipped = state.variable(SKIPPED, [], DType::U32, Init::Zeros);
            graph.assign(skipped, finite.select(skipped, skipped + 1u32));
            self.finish(&mut state, finite);
        }
        graph.settle(before);
    }

    /// Appends one update of these parameters against the gradient of `loss` to the graph.
    ///
    /// # Errors
    ///
    /// Those of [`gradients`](Self::gradients) and [`apply`](Self::apply).
    fn update_params<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[(String, Tensor<'g>)],
    ) {
        let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
        let gradients = self.gradients(cx, loss, &tensors);
        let updates = params.iter().zip(gradients);
        let updates: Vec<_> =
            updates.map(|((path, param), gradient)| Update::new(path, *param, gradient)).collect();
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
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        (**self).step(state, updates);
    }

    fn scope(&self) -> &str {
        (**self).scope()
    }

    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        (**self).loss_scale(state)
    }

    fn skips_non_finite(&self) -> bool {
        (**self).skips_non_finite()
    }

    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        (**self).finish(state, finite);
    }
}

impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        (**self).step(state, updates);
    }

    fn scope(&self) -> &str {
        (**self).scope()
    }

    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        (**self).loss_scale(state)
    }

    fn skips_non_finite(&self) -> bool {
        (**self).skips_non_finite()
    }

    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        (**self).finish(state, finite);
    }
}

/// Changes gradients on their way to an optimizer, or what the optimizer makes of them.
pub trait Adaptor {
    /// Appends the update of these parameters to the graph, most often by a step of `inner`; it has
    /// the same `state`.
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]);

    /// The scope of the state of both, if this decides it.
    fn scope(&self) -> Option<&str> {
        None
    }

    /// The factor of the loss, if this decides it: see [`Optimizer::loss_scale`].
    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        let _ = state;
        None
    }

    /// Whether steps are skipped because of this: see [`Optimizer::skips_non_finite`].
    fn skips_non_finite(&self) -> bool {
        false
    }

    /// Appends what happens after a step: see [`Optimizer::finish`].
    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        let _ = (state, finite);
    }
}

/// An optimizer with an adaptor around it.
#[derive(Clone, Debug, PartialEq)]
pub struct With<O, A> {
    /// The optimizer.
    pub inner: O,
    /// The adaptor, which gets gradients first.
    pub adaptor: A,
}

impl<O: Optimizer, A: Adaptor> Optimizer for With<O, A> {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        self.adaptor.step(&self.inner, state, updates);
    }

    fn scope(&self) -> &str {
        self.adaptor.scope().unwrap_or_else(|| self.inner.scope())
    }

    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        self.adaptor.loss_scale(state).or_else(|| self.inner.loss_scale(state))
    }

    fn skips_non_finite(&self) -> bool {
        self.adaptor.skips_non_finite() || self.inner.skips_non_finite()
    }

    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        self.inner.finish(state, finite);
        self.adaptor.finish(state, finite);
    }
}

/// The updates with gradients in f32.
///
/// # Errors
///
/// Recorded by the graph, and none returned, unless each gradient is one of its parameter.
fn checked<'a, 'g>(cx: &Scope<'g>, updates: &[Update<'a, 'g>]) -> Option<Vec<Update<'a, 'g>>> {
    for &Update { param, gradient, .. } in updates {
        let reason = match () {
            () if param.failed() || gradient.failed() => return None,
            () if !gradient.dtype().is_float() => OpError::DType(gradient.dtype()),
            () if param.shape() != gradient.shape() => OpError::Shapes,
            () => continue,
        };
        cx.graph().refuse("optimizer", &[param, gradient], reason);
        return None;
    }
    let wide = |update: &Update<'a, 'g>| Update { gradient: update.gradient.widened(), ..*update };
    Some(updates.iter().map(wide).collect())
}
