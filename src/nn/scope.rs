//! Tracing context of a module: the graph, the path of its names, and the mode.

use super::{MixedPrecision, pattern};
use crate::{
    dtype::DType,
    graph::{Attribution, Graph, Tensor},
    init::Init,
    ops::Precision,
    shape::Shape,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    panic::Location,
    rc::Rc,
    sync::Arc,
};

/// Purpose for which a network is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Training: dropout is active.
    #[doc(alias("train", "training"))]
    Train,
    /// Everything else.
    #[doc(alias("eval", "evaluate"))]
    Eval,
}

/// The context in which a module is traced.
///
/// Nodes created in its graph carry the path of the most recently entered live scope.
#[doc(alias("variable_scope", "name_scope"))]
pub struct Scope<'g> {
    graph: &'g Graph,
    path: Arc<str>,
    mode: Mode,
    /// Sequence number among all scopes ever entered.
    number: usize,
    shared: Rc<RefCell<Shared<'g>>>,
}

/// State shared by all scopes of one root.
#[derive(Default)]
struct Shared<'g> {
    /// Trainable variables in order of declaration.
    params: Vec<(String, Tensor<'g>)>,
    /// How often each was asked for, by path: a layer that is applied twice shares its variables.
    uses: BTreeMap<String, usize>,
    /// Live scopes: number and path. They may be dropped in any order, as the first one is in
    /// `cx.child("a").child("b")`.
    alive: Vec<(usize, Arc<str>)>,
    /// All scopes ever entered.
    visits: Vec<Visit>,
    /// Paths of the scopes that depend on statistics of the batch.
    batch_statistics: Vec<Arc<str>>,
    /// Patterns of what is not trained, and whether each has matched.
    frozen: Vec<(String, bool)>,
    /// The scope of averages, and the parameters that have one, if those are to be used.
    averages: Option<(String, Arc<BTreeSet<String>>)>,
    mixed_precision: Option<MixedPrecision>,
    /// The exceptions that no scope has matched so far.
    unmatched: Vec<String>,
    /// The graph's scope before the root.
    outer: Option<Arc<str>>,
}

/// From the moment that a scope is entered until it is dropped.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// Path of the scope.
    pub path: Arc<str>,
    /// Nodes made in the meantime, here or in other scopes; those of a live one have no end.
    pub nodes: Range<usize>,
}

impl<'g> Scope<'g> {
    /// The root scope.
    pub fn new(graph: &'g Graph, mode: Mode) -> Self {
        Scope::enter(graph, "".into(), mode, Rc::default())
    }

    fn enter(
        graph: &'g Graph,
        path: Arc<str>,
        mode: Mode,
        shared: Rc<RefCell<Shared<'g>>>,
    ) -> Self {
        let mut all = shared.borrow_mut();
        let number = all.visits.len();
        let outer = graph.enter(Some(path.clone()));
        if number == 0 {
            all.outer = outer;
        }
        all.visits.push(Visit { path: path.clone(), nodes: graph.len()..usize::MAX });
        all.alive.push((number, path.clone()));
        drop(all);
        Scope { graph, path, mode, number, shared }
    }

    /// A scope within this one. Entering the same name twice shares its variables.
    pub fn child(&mut self, name: &str) -> Scope<'g> {
        let path = self.join(name);
        let mode = if self.freezes(&path) { Mode::Eval } else { self.mode };
        self.shared.borrow_mut().unmatched.retain(|pattern| !pattern::matches(pattern, &path));
        Scope::enter(self.graph, path.into(), mode, self.shared.clone())
    }

    /// The root scope again, in the mode of this one.
    pub(crate) fn root(&mut self) -> Scope<'g> {
        Scope::enter(self.graph, "".into(), self.mode, self.shared.clone())
    }

    /// The graph under construction.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The mode it is built for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Names from the root to here, joined by `/`; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A trainable f32 variable.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`GraphError::Redeclared`](crate::GraphError::Redeclared) if the path
    /// already has another shape, [`GraphError::Reinitialized`](crate::GraphError::Reinitialized)
    /// if it has another `init`.
    #[doc(alias("nn.Parameter", "add_weight"))]
    #[track_caller]
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'g> {
        let path = self.join(name);
        let stored = match &self.shared.borrow().averages {
            Some((scope, averaged)) if averaged.contains(&path) => format!("{scope}/{path}"),
            _ => path.clone(),
        };
        let param = self.graph.variable(&stored, shape, DType::F32, init);
        let is_frozen = self.freezes(&path);
        let mut shared = self.shared.borrow_mut();
        if !param.failed() {
            let uses = shared.uses.entry(path.clone()).or_default();
            *uses += 1;
            if *uses == 1 && !is_frozen {
                shared.params.push((path, param));
            }
        }
        param
    }

    /// A variable that optimizers do not update: a running mean, a counter.
    ///
    /// # Errors
    ///
    /// Same as [`Graph::variable`].
    #[doc(alias = "register_buffer")]
    #[track_caller]
    pub fn variable(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        dtype: DType,
        init: Init,
    ) -> Tensor<'g> {
        self.graph.variable(&self.join(name), shape, dtype, init)
    }

    /// A number of the code that may be changed between runs: see [`Graph::setting`].
    ///
    /// # Errors
    ///
    /// Same as [`Graph::setting`].
    #[track_caller]
    pub fn setting(&mut self, name: &str, value: f64) -> Tensor<'g> {
        self.graph.setting(&self.join(name), value)
    }

    /// The trainable variables declared so far, anywhere below the root, in that order.
    #[doc(alias("parameters", "named_parameters", "trainable_weights"))]
    pub fn params(&self) -> Vec<(String, Tensor<'g>)> {
        self.shared.borrow().params.clone()
    }

    /// Freezes the scopes and parameters whose paths match a pattern, from now on: `*` stands for any text
    /// within one name, `**` for any number of names, and a scope for all below it.
    ///
    /// Parameters that are frozen are not among [`params`](Self::params), and so are not trained. Scopes
    /// that are frozen are traced in [`Mode::Eval`]: without dropout, and normalized by running statistics,
    /// which they keep.
    #[doc(alias("requires_grad_", "trainable"))]
    pub fn freeze(&mut self, pattern: &str) {
        self.shared.borrow_mut().frozen.push((pattern.to_owned(), false));
    }

    /// Whether a path is frozen.
    fn freezes(&mut self, path: &str) -> bool {
        let frozen = &mut self.shared.borrow_mut().frozen;
        let matching = frozen.iter_mut().filter(|(pattern, _)| pattern::matches(pattern, path));
        matching.map(|(_, has_matched)| *has_matched = true).count() > 0
    }

    /// The patterns that have frozen or excepted nothing so far.
    pub(crate) fn unused_patterns(&self) -> Vec<String> {
        let shared = self.shared.borrow();
        let unused = shared.frozen.iter().filter(|(_, has_matched)| !has_matched);
        unused.map(|(pattern, _)| pattern).chain(&shared.unmatched).cloned().collect()
    }

    /// Paths of all parameters declared so far, frozen or not.
    pub(crate) fn declared(&self) -> Vec<String> {
        self.shared.borrow().uses.keys().cloned().collect()
    }

    /// Has those parameters that are declared from now on, and have these paths, be their averages below
    /// a scope: see [`Average`](crate::optim::Average). All others are those of the model.
    pub fn averages(&mut self, scope: &str, paths: impl IntoIterator<Item = String>) {
        let averages = (scope.to_owned(), Arc::new(paths.into_iter().collect()));
        self.shared.borrow_mut().averages = Some(averages);
    }

    /// Computes layers from now on in f16, but for its exceptions.
    pub fn mixed_precision(&mut self, mixed: &MixedPrecision) {
        let mut shared = self.shared.borrow_mut();
        shared.unmatched = mixed.exceptions().to_vec();
        shared.mixed_precision = Some(mixed.clone());
        drop(shared);
        if self.graph.precision() == Precision::Full {
            self.graph.set_precision(Precision::Units);
        }
    }

    /// Floats in the type that layers in this scope compute in: as they are, unless it is
    /// [mixed](Self::mixed_precision). Layers with weights pass their input through it.
    #[track_caller]
    pub fn cast(&self, x: Tensor<'g>) -> Tensor<'g> {
        match &self.shared.borrow().mixed_precision {
            Some(mixed) if x.dtype().is_float() => x.cast(mixed.dtype(&self.path)),
            _ => x,
        }
    }

    /// How often each variable that [`param`](Self::param) declared was asked for, by path.
    pub(super) fn uses(&self) -> BTreeMap<String, usize> {
        self.shared.borrow().uses.clone()
    }

    /// All scopes entered so far, anywhere below the root, in that order.
    pub(super) fn visits(&self) -> Vec<Visit> {
        self.shared.borrow().visits.clone()
    }

    /// Records that what is traced here depends on statistics of the whole batch, as batch normalization
    /// does in training: they are others where gradients are
    /// [accumulated](crate::train::Trainer::accumulate) over its parts.
    pub fn uses_batch_statistics(&mut self) {
        let path = self.path.clone();
        self.shared.borrow_mut().batch_statistics.push(path);
    }

    /// Paths of the scopes that depend on statistics of the batch, anywhere below the root.
    pub(crate) fn batch_statistics(&self) -> Vec<String> {
        self.shared.borrow().batch_statistics.iter().map(|path| (**path).to_owned()).collect()
    }

    /// Uniform numbers in `[0, 1)`, drawn anew in each run, from a separate random stream.
    #[track_caller]
    pub fn uniform(&mut self, shape: impl Into<Shape>) -> Tensor<'g> {
        self.graph.uniform(shape)
    }

    /// Standard normal numbers, drawn anew in each run, from a separate random stream.
    #[track_caller]
    pub fn normal(&mut self, shape: impl Into<Shape>) -> Tensor<'g> {
        self.graph.normal(shape)
    }

    /// Attributes new nodes to a line of the user's program, until the guard is dropped.
    ///
    /// A library layer passes the line that constructed it: the lines of its own `forward` mean
    /// nothing to the user.
    #[must_use = "the attribution ends where this is dropped"]
    pub fn at(&self, line: &'static Location<'static>) -> Attribution<'g> {
        Attribution::new(self.graph, line)
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

impl std::fmt::Debug for Scope<'_> {
    /// A summary: path, mode and number of parameters.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let params = self.shared.try_borrow().map_or(0, |shared| shared.params.len());
        f.debug_struct("Scope")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .field("params", &params)
            .finish_non_exhaustive()
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        let mut all = self.shared.borrow_mut();
        all.alive.retain(|(number, _)| *number != self.number);
        if let Some(visit) = all.visits.get_mut(self.number) {
            visit.nodes.end = self.graph.len();
        }
        let last = all.alive.last().map(|(_, path)| path.clone());
        self.graph.enter(last.or_else(|| all.outer.clone()));
    }
}
