//! Errors while building a graph: what does not fit, and where.

use super::similar::quoted;
use crate::{
    dtype::DType,
    init::Init,
    shape::{AxisError, Meta, Shape},
};
use std::panic::Location;

/// The reason why operands do not fit an operation.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Two shapes cannot be broadcast together.
    #[error("the shapes do not broadcast")]
    Broadcast,
    /// The result would not have the requested shape.
    #[error("cannot become {0}")]
    Target(Shape),
    /// Two shapes must be equal: one would be broadcast by mistake.
    #[error("the shapes must be equal")]
    Shapes,
    /// Element types that must agree differ.
    #[error("the element types differ")]
    DTypes,
    /// The operation is not defined on this element type.
    #[error("not defined on {0}")]
    DType(DType),
    /// Extents that must agree differ.
    #[error("{what} differ: {lhs} and {rhs}")]
    Extents {
        /// Name of the extents.
        what: &'static str,
        /// Extent of the first operand.
        lhs: usize,
        /// Extent of the second operand.
        rhs: usize,
    },
    /// A number is not a multiple of another.
    #[error("{number} {what} are not divisible by {by}")]
    Indivisible {
        /// The things counted.
        what: &'static str,
        /// The number.
        number: usize,
        /// The required divisor.
        by: usize,
    },
    /// A window does not fit into its input.
    #[error("a window spanning {span} elements does not fit in {padded}, padding included")]
    Window {
        /// Number of elements from the first to the last tap.
        span: usize,
        /// Extent of the input, padding included.
        padded: usize,
    },
    /// An operand has the wrong number of axes.
    #[error("needs at least {least} axes")]
    Rank {
        /// The minimum number of axes.
        least: usize,
    },
    /// An axis does not exist, or is named twice.
    #[error(transparent)]
    Axis(#[from] AxisError),
    /// A range of indices is outside of its axis.
    #[error("range {start}..{end} with step {step} is invalid for extent {extent}")]
    Range {
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// Distance between indices.
        step: usize,
        /// Extent of the axis.
        extent: usize,
    },
    /// An index or label is out of range.
    #[error("index {index} is out of range for extent {extent}")]
    Index {
        /// The index.
        index: u32,
        /// Extent of the axis.
        extent: usize,
    },
    /// A reduction without identity element over no elements.
    #[error("is undefined over zero elements")]
    Empty,
    /// More elements than an index can address.
    #[error("more than {} elements", i32::MAX)]
    TooLarge,
    /// A number that is not valid here.
    #[error("{what} must be {must}, not {is}")]
    Number {
        /// Name of the number.
        what: &'static str,
        /// The requirement.
        must: &'static str,
        /// The actual value.
        is: f64,
    },
    /// A number that the element type does not have.
    #[error("{value} is no {dtype}")]
    Unrepresentable {
        /// The number.
        value: f64,
        /// The element type.
        dtype: DType,
    },
    /// A letter that is not valid in an einsum equation.
    #[error("{letter:?} {why}")]
    Label {
        /// The letter.
        letter: char,
        /// The reason.
        why: &'static str,
    },
    /// The derivative of an operation that defines none.
    #[error("has no derivative")]
    NoDerivative,
    /// An argument that is not valid here.
    #[error("{0}")]
    Argument(&'static str),
}

/// The place where a node was created.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Path of the scope; empty at the top level.
    pub scope: String,
    /// The line in the user's program.
    pub location: &'static Location<'static>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.scope.is_empty() {
            write!(f, " in {}", self.scope)?;
        }
        write!(f, ", made at {}:{}", self.location.file(), self.location.line())
    }
}

/// Formats operands as `: [2, 3] f32 x [4] f32`; empty without operands.
pub(super) fn listed(operands: &[Meta]) -> String {
    match operands {
        [] => String::new(),
        _ => format!(": {}", operands.iter().map(Meta::to_string).collect::<Vec<_>>().join(" x ")),
    }
}

/// A graph could not be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Operands do not fit an operation.
    #[error("{op}{}{place} ({reason})", listed(operands))]
    Op {
        /// Name of the operation.
        op: &'static str,
        /// The operands.
        operands: Vec<Meta>,
        /// The reason.
        reason: OpError,
        /// Where the node was created.
        place: Place,
    },
    /// A run has no input of this name, and what is traced for it asks for one.
    #[error("there is no input {name:?}{place}{}", quoted("; inputs of the run: ", known))]
    NotGiven {
        /// The name.
        name: String,
        /// Names of the inputs of the run.
        known: Vec<String>,
        /// Where it was asked for.
        place: Place,
    },
    /// There are no parameters to train, to freeze, or for a group of an optimizer.
    #[error("{of}: no parameter matches {pattern:?}{}", quoted("; parameters: ", known))]
    NoParams {
        /// The objective or the group that has none.
        of: String,
        /// The pattern of paths.
        pattern: String,
        /// Paths of the parameters that there are.
        known: Vec<String>,
    },
    /// A parameter with less than two axes for an optimizer of matrices.
    #[error(
        "{optimizer}: {param} is {meta}, no matrix; give vectors to another optimizer: \
         `.group(\"vectors\", Select::Vectors, AdamW::new(lr))`"
    )]
    NotAMatrix {
        /// Name of the optimizer.
        optimizer: &'static str,
        /// Path of the parameter.
        param: String,
        /// Its shape and type.
        meta: Meta,
    },
    /// Gradients are to be accumulated over parts of a batch whose statistics count.
    #[error(
        "{} of the batch: accumulated over its parts, gradients are those of other statistics; \
         `Trainer::accumulate_batch_statistics` allows that",
        depends(scopes)
    )]
    BatchStatistics {
        /// Paths of the scopes that depend on them.
        scopes: Vec<String>,
    },
    /// An operand belongs to another graph.
    #[error("{op}: an operand belongs to another graph{place}")]
    ForeignTensor {
        /// Name of the operation.
        op: &'static str,
        /// Where the node was created.
        place: Place,
    },
    /// A name is declared with two different shapes or types.
    #[error("{name}: declared as {first}, and again as {second}{place}")]
    Redeclared {
        /// Name of the input or path of the variable.
        name: String,
        /// The first declaration.
        first: Meta,
        /// The conflicting declaration.
        second: Meta,
        /// Where the second declaration was made.
        place: Place,
    },
    /// A variable is declared with two different initializers.
    #[error("{name}: initialized with {first:?}, and again with {second:?}{place}")]
    Reinitialized {
        /// Path of the variable.
        name: String,
        /// The first initializer.
        first: Init,
        /// The conflicting initializer.
        second: Init,
        /// Where the second declaration was made.
        place: Place,
    },
    /// A variable is assigned twice.
    #[error("{name}: assigned twice in one graph{place}")]
    AssignedTwice {
        /// Path of the variable.
        name: String,
        /// Where the second assignment was made.
        place: Place,
    },
    /// Two tensors are watched under one name.
    #[error("{name}: another tensor is watched by this name{place}")]
    WatchedTwice {
        /// The name, including its scope.
        name: String,
        /// Where the second tensor was watched.
        place: Place,
    },
    /// The target of an assignment is not a variable.
    #[error("assign: the target is not a variable{place}")]
    NotAVariable {
        /// Where the assignment was made.
        place: Place,
    },
    /// The derivative of something that is not a single float.
    #[error("grad: {of} is not a single float{place}")]
    NotALoss {
        /// Shape and type of that tensor.
        of: Meta,
        /// Where the derivative was taken.
        place: Place,
    },
    /// The graph violates one of its invariants: a bug in this crate.
    #[error("node {node} ({op}) breaks an invariant: {what}")]
    Invariant {
        /// The node.
        node: u32,
        /// Name of its operation.
        op: &'static str,
        /// The invariant.
        what: &'static str,
    },
}

/// `net/1:batch_norm depends on statistics`.
fn depends(scopes: &[String]) -> String {
    match scopes {
        [only] => format!("{only} depends on statistics"),
        all => format!("{} depend on statistics", all.join(", ")),
    }
}
