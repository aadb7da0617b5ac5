//! The operation or function that a sample tests.

use crate::{
    array64::Array64,
    graph::{Graph, Tensor},
    ops::Op,
    shape::Meta,
};
use std::sync::Arc;

/// The operation or function that a sample tests.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// An operation.
    Op(Op),
    /// A function written in operations.
    Function(Function),
}

/// A function written in operations, with a separate definition in f64
/// computed from the formula.
#[derive(Clone)]
pub struct Function {
    name: &'static str,
    attributes: String,
    build: Arc<Build>,
    definition: Arc<Definition>,
}

type Build = dyn for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g> + Send + Sync;
type Definition = dyn Fn(&[&Array64]) -> Array64 + Send + Sync;

impl Function {
    /// Creates a function: `build` on tensors must agree with `definition` on their values in f64.
    pub fn new(
        name: &'static str,
        build: impl for<'g> Fn(&[Tensor<'g>]) -> Tensor<'g> + Send + Sync + 'static,
        definition: impl Fn(&[&Array64]) -> Array64 + Send + Sync + 'static,
    ) -> Self {
        let (build, definition) = (Arc::new(build), Arc::new(definition));
        Function { name, attributes: String::new(), build, definition }
    }

    /// The same function with another definition.
    pub(crate) fn defined(
        self,
        definition: impl Fn(&[&Array64]) -> Array64 + Send + Sync + 'static,
    ) -> Self {
        Function { definition: Arc::new(definition), ..self }
    }

    /// Sets the attributes to display.
    pub fn with(self, attributes: impl Into<String>) -> Self {
        Function { attributes: attributes.into(), ..self }
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({}{})", self.name, self.attributes)
    }
}

impl<T: Into<Op>> From<T> for Subject {
    fn from(op: T) -> Self {
        Subject::Op(op.into())
    }
}

impl From<Function> for Subject {
    fn from(function: Function) -> Self {
        Subject::Function(function)
    }
}

impl Subject {
    /// Name of the operation or function.
    pub fn name(&self) -> &'static str {
        match self {
            Subject::Op(op) => op.name(),
            Subject::Function(function) => function.name,
        }
    }

    /// Name and attributes.
    pub fn describe(&self) -> String {
        match self {
            Subject::Op(op) => op.describe(),
            Subject::Function(Function { name, attributes, .. }) => format!("{name}{attributes}"),
        }
    }

    /// Applies it to these inputs.
    pub(crate) fn apply<'g>(&self, graph: &'g Graph, inputs: &[Tensor<'g>]) -> Tensor<'g> {
        match self {
            // What is asked of the shaders of other crates is asked there.
            Subject::Op(Op::Custom(custom)) => graph.custom(custom, inputs),
            Subject::Op(op) => {
                let metas: Vec<Meta> = inputs.iter().map(|input| input.meta()).collect();
                let mut operands = inputs.to_vec();
                if let Some((indices, _)) = op.indexes(&metas.iter().collect::<Vec<_>>()) {
                    // Some are out of range and must reach the device: the host does not know
                    // computed indices.
                    operands[indices] = operands[indices] + 0u32;
                }
                graph.push(op.clone(), &operands)
            }
            Subject::Function(function) => (function.build)(inputs),
        }
    }

    /// The definition, in f64.
    pub(crate) fn eval(&self, operands: &[&Array64]) -> Array64 {
        match self {
            Subject::Op(op) => op.eval(operands),
            Subject::Function(function) => (function.definition)(operands),
        }
    }
}
