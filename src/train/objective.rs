//! One of the losses of a training.

use super::{Loss, TrainStep, pattern};
use crate::{
    error::GraphError,
    graph::{Graph, Tensor},
    nn::{Mode, Scope},
    numbers::Must,
    optim::Optimizer,
    program::Inputs,
};
use std::fmt;

/// A step, the optimizer that minimizes its loss, the parameters that it trains, and how often.
///
/// The objectives of a training share one store, and run one after another on each batch, each as a
/// program of its own: a GAN has one for its discriminator and one for its generator.
///
/// ```
/// use wgrad::{Inputs, prelude::*};
///
/// fn encoded<'g>(cx: &mut Scope<'g>, name: &str, batch: &Inputs<'g>) -> Tensor<'g> {
///     Dense::new(2).forward(&mut cx.child(name), batch.get("x"))
/// }
///
/// // One encoder follows another, which is kept small at every fourth step.
/// let follow = Objective::new(
///     "follow",
///     |cx, batch| {
///         let (a, b) = (encoded(cx, "a", batch), encoded(cx, "b", batch));
///         Loss::new(nn::mean_squared_error(a, b))
///     },
///     Adam::new(0.01),
/// );
/// let shrink = Objective::new(
///     "shrink",
///     |cx, batch| Loss::new(encoded(cx, "b", batch).square().mean(..)),
///     Sgd::new(0.1),
/// );
/// let data = ArrayDataset::new([("x", Array::full([64, 3], 1.0f32)?)])?;
/// let report = Trainer::of([follow.params("a"), shrink.params("b").every(4)])
///     .epochs(20)
///     .batch(8)
///     .fit(&Device::cpu(), &Variables::new(0), &data)?;
/// let shrunk = |epoch: usize| report.epochs[epoch].objective("shrink").map(|of| of.loss);
/// assert!(shrunk(19) < shrunk(0));
/// # Ok::<(), Error>(())
/// ```
pub struct Objective<'a> {
    pub(super) name: String,
    pub(super) step: Box<dyn TrainStep + 'a>,
    optimizer: Box<dyn Optimizer + 'a>,
    /// Scope of the state of the optimizer.
    state: Option<String>,
    params: Option<String>,
    pub(super) every: usize,
}

/// Parameters by path.
pub(super) type Params<'g> = Vec<(String, Tensor<'g>)>;

impl fmt::Debug for Objective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objective")
            .field("name", &self.name)
            .field("params", &self.params)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl<'a> Objective<'a> {
    /// Minimizes the loss that `step` traces, at each step, over all parameters that it declares.
    ///
    /// The state of the optimizer lies below `train/NAME`: objectives that train different
    /// parameters have separate learning rates and step counts.
    pub fn new<F>(name: &str, step: F, optimizer: impl Optimizer + 'a) -> Self
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Loss<'g> + 'a,
    {
        Objective::of(name, step, optimizer)
    }

    /// Same as [`new`](Self::new), for a step that is a type of its own.
    pub fn of(name: &str, step: impl TrainStep + 'a, optimizer: impl Optimizer + 'a) -> Self {
        Objective {
            name: name.to_owned(),
            step: Box::new(step),
            optimizer: Box::new(optimizer),
            state: Some(name.to_owned()),
            params: None,
            every: 1,
        }
    }

    /// The only one of a training: the state of the optimizer lies at the root.
    pub(super) fn only(step: Box<dyn TrainStep + 'a>, optimizer: impl Optimizer + 'a) -> Self {
        let optimizer = Box::new(optimizer);
        Objective { name: "train".into(), step, optimizer, state: None, params: None, every: 1 }
    }

    /// Trains only the parameters whose paths match: `*` stands for any text within one name, `**`
    /// for any number of names, and a scope for all below it. `generator` matches
    /// `generator/0:dense/weight`, `**/bias` every bias.
    #[doc(alias("freeze", "requires_grad", "trainable"))]
    pub fn params(self, pattern: &str) -> Self {
        Objective { params: Some(pattern.to_owned()), ..self }
    }

    /// Runs at the first of this many steps, and again after as many: a regularizer that is lazy.
    pub fn every(self, steps: usize) -> Self {
        Objective { every: steps, ..self }
    }

    /// Shares the state of the optimizer, moments and step count, with the objective of this name,
    /// which trains the same parameters.
    pub fn sharing(self, name: &str) -> Self {
        Objective { state: Some(name.to_owned()), ..self }
    }

    /// Appends one step of the training to a graph.
    pub(super) fn trace<'g>(&self, graph: &'g Graph, batch: &Inputs<'g>) -> Loss<'g> {
        let mut cx = Scope::new(graph, Mode::Train);
        let (loss, params) = self.traced(&mut cx, batch);
        self.optimizer.update_params(&mut self.state_scope(&mut cx), loss.loss, &params);
        loss
    }

    /// The loss of a batch, and the parameters that it trains.
    pub(super) fn traced<'g>(
        &self,
        cx: &mut Scope<'g>,
        batch: &Inputs<'g>,
    ) -> (Loss<'g>, Params<'g>) {
        let numbers = [("interval", self.every as f64, Must::BePositive)];
        cx.graph().refuse_invalid("objective", &[], &numbers);
        let loss = self.step.trace(cx, batch);
        let params = self.chosen(cx.graph(), cx.params());
        (loss, params)
    }

    /// Appends an update by these gradients.
    pub(super) fn apply<'g>(&self, cx: &mut Scope<'g>, updates: &[(&str, Tensor<'g>, Tensor<'g>)]) {
        self.optimizer.apply(&mut self.state_scope(cx), updates);
    }

    /// The scope in which the state of the optimizer lies.
    fn state_scope<'g>(&self, cx: &mut Scope<'g>) -> Scope<'g> {
        within(cx, self.state.as_deref())
    }

    /// The scope of what this objective alone keeps.
    pub(super) fn own_scope<'g>(&self, cx: &mut Scope<'g>) -> Scope<'g> {
        within(cx, self.state.as_ref().map(|_| &*self.name))
    }

    fn chosen<'g>(&self, graph: &'g Graph, all: Params<'g>) -> Params<'g> {
        let Some(pattern) = &self.params else { return all };
        let known: Vec<String> = all.iter().map(|(path, _)| path.clone()).collect();
        let chosen: Vec<_> =
            all.into_iter().filter(|(path, _)| pattern::matches(pattern, path)).collect();
        if chosen.is_empty() && graph.check().is_ok() {
            let (objective, pattern) = (self.name.clone(), pattern.clone());
            graph.fail(GraphError::NoParams { objective, pattern, known });
        }
        chosen
    }
}

/// The root, or the scope of an objective.
fn within<'g>(cx: &mut Scope<'g>, name: Option<&str>) -> Scope<'g> {
    match name {
        None => cx.root(),
        Some(name) => cx.child("train").child(name),
    }
}
