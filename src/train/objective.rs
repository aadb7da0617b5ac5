//! One of the losses of a training.

use super::{Loss, Metric, TrainStep, gradient_norms::gradient_norms};
use crate::{
    error::{Error, GraphError},
    graph::{Graph, Tensor},
    nn::{MixedPrecision, Mode, Scope, Summary, pattern},
    numbers::Must,
    optim::{LossScale, Optimizer, Schedule, Update, With},
    program::Inputs,
    shape::Meta,
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

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
    /// Patterns of what is not trained.
    frozen: Vec<String>,
    pub(super) mixed_precision: Option<MixedPrecision>,
    pub(super) schedule: Option<Schedule>,
    pub(super) gradient_norms: bool,
    /// Patterns that have frozen or excepted nothing when it was last traced.
    unused: Mutex<Vec<String>>,
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
        Objective::boxed(name, Box::new(step), optimizer)
    }

    fn boxed(name: &str, step: Box<dyn TrainStep + 'a>, optimizer: impl Optimizer + 'a) -> Self {
        Objective {
            name: name.to_owned(),
            step,
            optimizer: Box::new(optimizer),
            state: Some(name.to_owned()),
            params: None,
            frozen: vec![],
            mixed_precision: None,
            schedule: None,
            gradient_norms: false,
            unused: Mutex::default(),
            every: 1,
        }
    }

    /// The only one of a training: the state of the optimizer lies at the root.
    pub(super) fn only(step: Box<dyn TrainStep + 'a>, optimizer: impl Optimizer + 'a) -> Self {
        Objective { state: None, ..Objective::boxed("train", step, optimizer) }
    }

    /// Trains only the parameters whose paths match: `*` stands for any text within one name, `**`
    /// for any number of names, and a scope for all below it. `generator` matches
    /// `generator/0:dense/weight`, `**/bias` every bias.
    pub fn params(self, pattern: &str) -> Self {
        Objective { params: Some(pattern.to_owned()), ..self }
    }

    /// Does not train the scopes and parameters whose paths match, and traces such scopes as models are
    /// traced when they serve: see [`Scope::freeze`]. A pattern that matches nothing in any objective that
    /// has it is an error.
    #[doc(alias("requires_grad", "trainable"))]
    pub fn freeze(mut self, pattern: &str) -> Self {
        self.frozen.push(pattern.to_owned());
        self
    }

    /// Changes the learning rates of the optimizer and its groups in the course of the training, in place of
    /// the schedule of the [trainer](super::Trainer::schedule).
    ///
    /// # Errors
    ///
    /// Same as there.
    #[doc(alias = "lr_scheduler")]
    pub fn schedule(self, schedule: impl Into<Schedule>) -> Self {
        Objective { schedule: Some(schedule.into()), ..self }
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
        let mut cx = self.scope(graph);
        let (mut loss, params) = self.traced(&mut cx, batch);
        let updates = self.updated(&mut cx, loss.loss, &params);
        if self.gradient_norms {
            loss.gradient_norms = gradient_norms(&updates);
        }
        loss
    }

    /// Appends the update of parameters by a loss. Returns their gradients.
    fn updated<'p, 'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &'p Params<'g>,
    ) -> Vec<Update<'p, 'g>> {
        let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
        let gradients = self.gradients(cx, loss, &tensors);
        let updates = params.iter().zip(gradients);
        let updates: Vec<_> =
            updates.map(|((path, param), gradient)| Update::new(path, *param, gradient)).collect();
        let mut state = self.state_scope(cx);
        self.optimizer(&mut state).apply(&mut state, &updates);
        updates
    }

    /// Summarizes a step on a batch of these fields.
    pub(super) fn summary(&self, batch: &[(String, Meta)]) -> Result<Summary, Error> {
        let inputs = batch.iter().map(|(name, meta)| (&**name, meta.clone()));
        Summary::of_step(
            Mode::Train,
            inputs,
            |cx, batch| {
                self.set_up(cx);
                self.traced(cx, batch).0.loss
            },
            |cx, loss| {
                let params = self.chosen(cx.graph(), cx.params(), &[]);
                self.updated(cx, loss, &params);
            },
        )
    }

    /// Appends the gradients of the loss of a batch to a graph.
    pub(super) fn trace_gradients<'g>(&self, graph: &'g Graph, batch: &Inputs<'g>) -> Params<'g> {
        let mut cx = self.scope(graph);
        let (loss, params) = self.traced(&mut cx, batch);
        let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
        let gradients = self.gradients(&mut cx, loss.loss, &tensors);
        params.into_iter().map(|(path, _)| path).zip(gradients).collect()
    }

    /// The step as text, by which a checkpoint knows it; without what is measured of it.
    #[cfg(feature = "files")]
    pub(super) fn text(&self, batch: &[(String, Meta)]) -> String {
        let graph = Graph::new();
        let inputs = batch.iter().map(|(name, meta)| (&**name, meta));
        let mut cx = self.scope(&graph);
        let (loss, params) = self.traced(&mut cx, &Inputs::declared(&graph, inputs));
        self.updated(&mut cx, loss.loss, &params);
        graph.text()
    }

    /// Whether a pattern of what is frozen or computed in f32 is among those of this objective, and
    /// whether it has matched anything when the objective was traced.
    pub(super) fn patterns(&self) -> Vec<(String, bool)> {
        let unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        let exceptions = self.mixed_precision.iter().flat_map(MixedPrecision::exceptions);
        let all = self.frozen.iter().chain(exceptions);
        all.map(|pattern| (pattern.clone(), !unused.contains(pattern))).collect()
    }

    /// The root of a step of the training.
    pub(super) fn scope<'g>(&self, graph: &'g Graph) -> Scope<'g> {
        let mut cx = Scope::new(graph, Mode::Train);
        self.set_up(&mut cx);
        cx
    }

    /// Freezes what is frozen, and computes in the precision that is asked for.
    pub(super) fn set_up(&self, cx: &mut Scope<'_>) {
        self.frozen.iter().for_each(|pattern| cx.freeze(pattern));
        self.mixed_precision.iter().for_each(|mixed| cx.mixed_precision(mixed));
    }

    /// The optimizer, with a dynamic scale of the loss if gradients are f16 and it has none.
    fn optimizer(&self, state: &mut Scope<'_>) -> Box<dyn Optimizer + '_> {
        let inner = &*self.optimizer;
        let has_scale = inner.loss_scale(&mut state.child(inner.scope())).is_some();
        match self.mixed_precision {
            Some(_) if !has_scale => Box::new(With { inner, adaptor: LossScale::dynamic() }),
            _ => Box::new(inner),
        }
    }

    /// Whether steps with gradients that are not finite are skipped.
    pub(super) fn skips_non_finite(&self) -> bool {
        self.mixed_precision.is_some() || self.optimizer.skips_non_finite()
    }

    /// Prefix of the paths of all that the optimizer keeps.
    pub(super) fn optimizer_scope(&self) -> String {
        let state = self.state.as_ref().map_or_else(String::new, |name| format!("train/{name}/"));
        format!("{state}{}/", self.optimizer.scope())
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
        let graph = cx.graph();
        let params = self.chosen(graph, cx.params(), &cx.declared());
        *self.unused.lock().unwrap_or_else(PoisonError::into_inner) = cx.unused_patterns();
        (loss, params)
    }

    /// Appends the gradients of a loss.
    pub(super) fn gradients<'g>(
        &self,
        cx: &mut Scope<'g>,
        loss: Tensor<'g>,
        params: &[Tensor<'g>],
    ) -> Vec<Tensor<'g>> {
        let mut state = self.state_scope(cx);
        self.optimizer(&mut state).gradients(&mut state, loss, params)
    }

    /// Appends an update by these gradients. Returns their norms by layer, if they are measured.
    pub(super) fn apply<'g>(
        &self,
        cx: &mut Scope<'g>,
        updates: &[Update<'_, 'g>],
    ) -> Vec<(String, Metric<'g>)> {
        let mut state = self.state_scope(cx);
        self.optimizer(&mut state).apply(&mut state, updates);
        if self.gradient_norms { gradient_norms(updates) } else { vec![] }
    }

    /// The scope in which the state of the optimizer lies.
    fn state_scope<'g>(&self, cx: &mut Scope<'g>) -> Scope<'g> {
        within(cx, self.state.as_deref())
    }

    /// The scope of what this objective alone keeps.
    pub(super) fn own_scope<'g>(&self, cx: &mut Scope<'g>) -> Scope<'g> {
        within(cx, self.state.as_ref().map(|_| &*self.name))
    }

    /// The parameters that are trained, of `all` that are not frozen.
    fn chosen<'g>(&self, graph: &'g Graph, all: Params<'g>, known: &[String]) -> Params<'g> {
        let pattern = self.params.as_deref().unwrap_or("**");
        let chosen: Vec<_> =
            all.into_iter().filter(|(path, _)| pattern::matches(pattern, path)).collect();
        // A step without parameters may be one that only measures.
        let is_wrong = self.params.is_some() || !known.is_empty();
        if chosen.is_empty() && is_wrong && graph.check().is_ok() {
            let (of, pattern) = (format!("objective {:?}", self.name), pattern.to_owned());
            graph.fail(GraphError::NoParams { of, pattern, known: known.to_vec() });
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
