//! Where a module is: the graph, the path of its names, and whether it trains.

use crate::{
    dtype::DType,
    graph::{Graph, Tensor},
    init::Init,
    shape::Shape,
};
use std::{cell::RefCell, panic::Location, rc::Rc, sync::Arc};

/// What a network is traced for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Learning: dropout drops.
    Train,
    /// Everything else.
    Eval,
}

/// What a module sees of its surroundings while it is traced.
///
/// As long as a scope lives, what is made in its graph carries its path; scopes nest, so drop
/// the inner one first.
#[derive(Debug)]
pub struct Scope<'g> {
    graph: &'g Graph,
    path: Arc<str>,
    mode: Mode,
    /// Trainable variables in order of declaration; shared by all scopes of one root.
    params: Rc<RefCell<Vec<(String, Tensor<'g>)>>>,
    /// The graph's scope before this one.
    outer: Option<Arc<str>>,
}

impl<'g> Scope<'g> {
    /// The root of all names.
    pub fn new(graph: &'g Graph, mode: Mode) -> Self {
        Scope::enter(graph, "".into(), mode, Rc::default())
    }

    fn enter(
        graph: &'g Graph,
        path: Arc<str>,
        mode: Mode,
        params: Rc<RefCell<Vec<(String, Tensor<'g>)>>>,
    ) -> Self {
        let outer = graph.enter(Some(path.clone()));
        Scope { graph, path, mode, params, outer }
    }

    /// A scope within this one. Entering a name twice shares its variables.
    pub fn child(&mut self, name: &str) -> Scope<'g> {
        Scope::enter(self.graph, self.join(name).into(), self.mode, self.params.clone())
    }

    /// The graph that is built.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// What it is built for.
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
    /// [`GraphError::Redeclared`](crate::GraphError::Redeclared), kept by the graph, where the
    /// path already has another shape.
    #[track_caller]
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Tensor<'g> {
        let param = self.variable(name, shape, DType::F32, init);
        let path = self.join(name);
        let mut params = self.params.borrow_mut();
        if !param.failed() && params.iter().all(|(known, _)| *known != path) {
            params.push((path, param));
        }
        param
    }

    /// A variable that no optimizer touches: a running mean, a counter.
    ///
    /// # Errors
    ///
    /// [`GraphError::Redeclared`](crate::GraphError::Redeclared), kept by the graph, where the
    /// path already has another shape or type.
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

    /// The trainable variables declared so far, anywhere below the root, in that order.
    pub fn params(&self) -> Vec<(String, Tensor<'g>)> {
        self.params.borrow().clone()
    }

    /// Numbers uniform in `[0, 1)`, anew at each run, from a random stream of their own.
    #[track_caller]
    pub fn uniform(&mut self, shape: impl Into<Shape>) -> Tensor<'g> {
        self.graph.uniform(shape)
    }

    /// Standard normal numbers, anew at each run, from a random stream of their own.
    #[track_caller]
    pub fn normal(&mut self, shape: impl Into<Shape>) -> Tensor<'g> {
        self.graph.normal(shape)
    }

    /// Attributes what is made to a line of the user's program, until the guard is dropped.
    ///
    /// A layer of a library passes the line that constructed it: the lines of its own `forward`
    /// mean nothing to the user.
    #[must_use = "the attribution ends where this is dropped"]
    pub fn at(&self, line: &'static Location<'static>) -> Attribution<'g> {
        Attribution { graph: self.graph, outer: self.graph.attribute(Some(line)) }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        self.graph.enter(self.outer.take());
    }
}

/// As long as it lives, nodes are attributed to the line given to [`Scope::at`].
#[derive(Debug)]
pub struct Attribution<'g> {
    graph: &'g Graph,
    outer: Option<&'static Location<'static>>,
}

impl Drop for Attribution<'_> {
    fn drop(&mut self) {
        self.graph.attribute(self.outer);
    }
}
