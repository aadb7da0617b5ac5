//! The graph: an append-only arena in which every node comes after its operands.
//!
//! Because of that order every walk over a graph is a `for` loop, forward or backward. A
//! [`Tensor`] is a copyable handle to a node. Builders neither panic nor return a `Result`: the
//! graph keeps the first error, and everything computed from a failed tensor is inert, so a
//! model reads like math and its first error is reported where it was made.

mod attribution;
mod declare;
mod dump;
mod effects;
pub(crate) mod indices;

pub use attribution::Attribution;
pub use declare::Declaration;

use crate::{
    dtype::DType,
    error::{GraphError, OpError, Place},
    numbers::Must,
    ops::{Op, Precision},
    shape::{Meta, Shape},
};
use std::{cell::RefCell, collections::BTreeMap, panic::Location, sync::Arc};

/// Index of a node in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The handle of a node that could not be built.
    const FAILED: NodeId = NodeId(u32::MAX);

    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operation, its operands and its result.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// The operands; every operand precedes this node.
    pub inputs: Vec<NodeId>,
    /// Shape and element type of the result.
    pub meta: Meta,
    /// Path of the scope the node was created in.
    pub scope: Arc<str>,
    /// The line in the user's program.
    pub location: &'static Location<'static>,
}

impl Node {
    /// Where the node was created.
    pub fn place(&self) -> Place {
        Place { scope: self.scope.to_string(), location: self.location }
    }
}

/// An assignment to a variable, which takes effect after the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The variable.
    pub variable: NodeId,
    /// Its new value.
    pub value: NodeId,
}

#[derive(Clone, Default)]
pub(crate) struct Inner {
    pub(crate) nodes: Vec<Node>,
    pub(crate) effects: effects::Effects,
    /// Inputs and variables by name: one node each.
    pub(crate) inputs: BTreeMap<String, NodeId>,
    pub(crate) variables: BTreeMap<String, (NodeId, Declaration)>,
    /// Tensors that programs return besides their outputs, by name.
    pub(crate) watched: BTreeMap<String, NodeId>,
    /// Ranges of indices that operations do not state.
    pub(crate) expected: Vec<indices::Expected>,
    /// Whether programs check for NaN and infinity.
    pub(crate) checks_finite: bool,
    precision: Precision,
    error: Option<GraphError>,
    streams: u32,
    scope: Option<Arc<str>>,
    /// The line that nodes are attributed to while a layer of this library builds them.
    line: Option<&'static Location<'static>>,
}

/// A computation in single-assignment form.
///
/// `{}` prints all its operations, `{:?}` how many there are.
#[derive(Clone, Default)]
pub struct Graph {
    pub(crate) inner: RefCell<Inner>,
}

/// A copyable handle to a node, valid as long as its graph.
///
/// The operators `+ - * / % << >>` take tensors, which broadcast, and numbers on either side; `-x` and
/// `!x` are there too. A quotient of integers is truncated, and `%` has the sign of the dividend, as in Rust
/// and C and as PyTorch's `fmod` has it; Python's `%` and `//` are
/// [`remainder`](Tensor::remainder) and [`floor_divide`](Tensor::floor_divide). A number to the power of a
/// tensor is [`ops::Pow`](crate::ops::Pow).
///
/// On a tensor that failed, [`rank`](Tensor::rank) is 0 and [`dim`](Tensor::dim) is 1.
#[doc(alias("rsub", "true_divide", "fmod", "logical_not"))]
#[derive(Clone, Copy)]
pub struct Tensor<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: NodeId,
}

impl Graph {
    /// Creates an empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the first error, if any.
    ///
    /// # Errors
    ///
    /// That error.
    pub fn check(&self) -> Result<(), GraphError> {
        self.inner.borrow().error.clone().map_or(Ok(()), Err)
    }

    /// Sets how exactly products of matrices and convolutions are calculated that are built from now on, and
    /// returns what it was before. Those in a derivative are as exact as what they are the derivative of.
    ///
    /// ```
    /// use wgrad::{DType, Graph, Precision};
    ///
    /// let graph = Graph::new();
    /// let [a, b] = ["a", "b"].map(|name| graph.input(name, [1024, 1024], DType::F32));
    /// let before = graph.set_precision(Precision::Split);
    /// let fast = a.matmul(b);
    /// graph.set_precision(before);
    /// let exact = a.matmul(b);
    /// assert_ne!(fast.id(), exact.id());
    /// ```
    #[doc(alias("set_float32_matmul_precision", "default_matmul_precision"))]
    pub fn set_precision(&self, precision: Precision) -> Precision {
        std::mem::replace(&mut self.inner.borrow_mut().precision, precision)
    }

    /// How exactly products of matrices and convolutions are calculated that are built now.
    pub fn precision(&self) -> Precision {
        self.inner.borrow().precision
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.inner.borrow().nodes.len()
    }

    /// Whether the graph has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a copy of a node.
    pub(crate) fn node(&self, id: NodeId) -> Node {
        self.inner.borrow().nodes[id.index()].clone()
    }

    pub(crate) fn op(&self, id: NodeId) -> Op {
        self.inner.borrow().nodes[id.index()].op.clone()
    }

    pub(crate) fn meta(&self, id: NodeId) -> Meta {
        self.inner.borrow().nodes[id.index()].meta.clone()
    }

    /// Marks the nodes that the given ones depend on, themselves included.
    pub(crate) fn needed(&self, wanted: &[NodeId]) -> Vec<bool> {
        let inner = self.inner.borrow();
        let mut needed = vec![false; inner.nodes.len()];
        for id in wanted {
            needed[id.index()] = true;
        }
        for (index, node) in inner.nodes.iter().enumerate().rev() {
            if needed[index] {
                for input in &node.inputs {
                    needed[input.index()] = true;
                }
            }
        }
        needed
    }

    /// Appends a node, or records why it is invalid.
    #[track_caller]
    pub(crate) fn push<'g>(&'g self, op: impl Into<Op>, inputs: &[Tensor<'g>]) -> Tensor<'g> {
        let op = op.into();
        if inputs.iter().any(|t| !std::ptr::eq(t.graph, self)) {
            return self.fail(GraphError::ForeignTensor { op: op.name(), place: self.place() });
        }
        if inputs.iter().any(|t| t.failed()) {
            return self.failed();
        }
        let operands: Vec<Meta> = inputs.iter().map(|t| t.meta()).collect();
        let meta = op.infer(&operands).and_then(|meta| {
            if meta.shape.is_addressable() { Ok(meta) } else { Err(OpError::TooLarge) }
        });
        let ids: Vec<NodeId> = inputs.iter().map(|t| t.id).collect();
        let meta = meta.and_then(|meta| self.refuse_constants(&op, &ids).map(|()| meta));
        match meta {
            Ok(meta) => {
                let place = (self.inner.borrow().scope.clone(), self.line());
                let mut inner = self.inner.borrow_mut();
                let id = NodeId(inner.nodes.len() as u32);
                inner.nodes.push(Node {
                    op,
                    inputs: ids,
                    meta,
                    scope: place.0.unwrap_or_else(|| "".into()),
                    location: place.1,
                });
                Tensor { graph: self, id }
            }
            Err(reason) => self.refuse(op.name(), inputs, reason),
        }
    }

    /// Records that `op` is invalid on these operands.
    #[track_caller]
    pub(crate) fn refuse<'g>(
        &'g self,
        op: &'static str,
        inputs: &[Tensor<'g>],
        reason: impl Into<OpError>,
    ) -> Tensor<'g> {
        if inputs.iter().any(|t| t.failed()) {
            return self.failed();
        }
        let operands = inputs.iter().map(|t| t.meta()).collect();
        let reason = reason.into();
        self.fail(GraphError::Op { op, operands, reason, place: self.place() })
    }

    /// The failure of `function` on these operands, if a number is not what it must be.
    /// Constructors return plain data, so wrong numbers are refused where the graph is built.
    ///
    /// # Errors
    ///
    /// Recorded: [`OpError::Number`] for the first such number.
    #[track_caller]
    pub(crate) fn refuse_invalid<'g>(
        &'g self,
        function: &'static str,
        operands: &[Tensor<'g>],
        numbers: &[(&'static str, f64, Must)],
    ) -> Option<Tensor<'g>> {
        let &(what, is, must) = numbers.iter().find(|&&(_, is, must)| !must.allows(is))?;
        let reason = OpError::Number { what, must: must.text(), is };
        Some(self.refuse(function, operands, reason))
    }

    /// Records an error unless there is one already.
    pub(crate) fn fail(&self, error: GraphError) -> Tensor<'_> {
        self.inner.borrow_mut().error.get_or_insert(error);
        self.failed()
    }

    fn failed(&self) -> Tensor<'_> {
        Tensor { graph: self, id: NodeId::FAILED }
    }

    #[track_caller]
    fn line(&self) -> &'static Location<'static> {
        let caller = Location::caller();
        self.inner.borrow().line.unwrap_or(caller)
    }

    /// Scope and line of the caller.
    #[track_caller]
    pub(crate) fn place(&self) -> Place {
        let scope = self.inner.borrow().scope.as_deref().unwrap_or("").to_owned();
        Place { scope, location: self.line() }
    }

    /// Sets the scope of new nodes, and returns the previous one.
    pub(crate) fn enter(&self, scope: Option<Arc<str>>) -> Option<Arc<str>> {
        std::mem::replace(&mut self.inner.borrow_mut().scope, scope)
    }

    /// Sets the line of new nodes, and returns the previous one.
    pub(crate) fn attribute(
        &self,
        line: Option<&'static Location<'static>>,
    ) -> Option<&'static Location<'static>> {
        std::mem::replace(&mut self.inner.borrow_mut().line, line)
    }

    /// A stream number that no other random operation of this graph uses.
    pub(crate) fn next_stream(&self) -> u32 {
        let mut inner = self.inner.borrow_mut();
        inner.streams += 1;
        inner.streams - 1
    }

    /// Checks the invariants that every pass relies on: operands come first, shapes follow from
    /// them, inputs and variables are known by name, effects keep shape and type.
    ///
    /// # Errors
    ///
    /// [`GraphError::Invariant`], which is a bug in this crate.
    pub fn verify(&self) -> Result<(), GraphError> {
        let inner = self.inner.borrow();
        let mut operands = Vec::new();
        for (index, node) in inner.nodes.iter().enumerate() {
            let broken =
                |what| Err(GraphError::Invariant { node: index as u32, op: node.op.name(), what });
            if node.inputs.iter().any(|input| input.index() >= index) {
                return broken("operands come before their use");
            }
            operands.clear();
            operands.extend(node.inputs.iter().map(|id| inner.nodes[id.index()].meta.clone()));
            if node.op.infer(&operands).as_ref() != Ok(&node.meta) {
                return broken("the result is what the operands imply");
            }
            let known = match &node.op {
                Op::Input(input) => inner.inputs.get(&input.name).map(|id| id.index()),
                Op::Variable(variable) => {
                    inner.variables.get(&variable.path).map(|(id, _)| id.index())
                }
                _ => Some(index),
            };
            if known != Some(index) {
                return broken("inputs and variables are known by name");
            }
        }
        for effect in inner.effects.iter() {
            let node = &inner.nodes[effect.variable.index()];
            if node.meta != inner.nodes[effect.value.index()].meta {
                return Err(GraphError::Invariant {
                    node: effect.variable.0,
                    op: node.op.name(),
                    what: "an effect keeps shape and type",
                });
            }
        }
        Ok(())
    }
}

impl<'g> Tensor<'g> {
    /// Whether this tensor, or one it was computed from, could not be built.
    pub(crate) fn failed(self) -> bool {
        self.id == NodeId::FAILED
    }

    /// The graph it belongs to.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// The id of its node.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Shape and element type.
    pub fn meta(self) -> Meta {
        if self.failed() { Meta::new([], DType::F32) } else { self.graph.meta(self.id) }
    }

    /// Shape.
    pub fn shape(self) -> Shape {
        self.meta().shape
    }

    /// Element type.
    pub fn dtype(self) -> DType {
        self.meta().dtype
    }

    /// Number of axes.
    #[doc(alias = "ndim")]
    pub fn rank(self) -> usize {
        self.shape().rank()
    }

    /// Extent of an axis, counted from the last if negative; 1 if there is no such axis.
    #[doc(alias = "size")]
    pub fn dim(self, axis: i32) -> usize {
        let shape = self.shape();
        crate::shape::resolve_axis(axis, shape.rank()).map_or(1, |axis| shape.dims()[axis])
    }
}

impl std::fmt::Debug for Tensor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.failed() {
            f.write_str("%failed")
        } else {
            write!(f, "%{}: {}", self.id.0, self.meta())
        }
    }
}
