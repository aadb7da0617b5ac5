//! While a graph is built: what does not fit, and where.

use crate::{
    dtype::DType,
    init::Init,
    shape::{AxisError, Meta, Shape},
};
use std::panic::Location;

/// Why operands do not fit an operation.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Two shapes cannot be broadcast together.
    #[error("the shapes do not broadcast")]
    Broadcast,
    /// The result would not have the shape that was asked for.
    #[error("cannot become {0}")]
    Target(Shape),
    /// Element types that must agree differ.
    #[error("the element types differ")]
    DTypes,
    /// The operation is not defined on this element type.
    #[error("not defined on {0}")]
    DType(DType),
    /// Extents that must agree differ.
    #[error("{what} {lhs} and {rhs} differ")]
    Extents {
        /// Which extents.
        what: &'static str,
        /// Of the first operand.
        lhs: usize,
        /// Of the second operand.
        rhs: usize,
    },
    /// A number that must be a multiple of another is none.
    #[error("{number} {what} cannot be divided by {by}")]
    Indivisible {
        /// What it counts.
        what: &'static str,
        /// The number.
        number: usize,
        /// What it should be a multiple of.
        by: usize,
    },
    /// A window does not fit into its input.
    #[error("a window over {span} elements does not fit into {padded}, padding included")]
    Window {
        /// Elements from its first tap to its last.
        span: usize,
        /// Extent of the input and its padding.
        padded: usize,
    },
    /// An operand has the wrong number of axes.
    #[error("needs at least {least} axes")]
    Rank {
        /// The least number of axes.
        least: usize,
    },
    /// An axis does not exist, or is named twice.
    #[error(transparent)]
    Axis(#[from] AxisError),
    /// A range of indices does not lie in its axis.
    #[error("range {start}..{end} step {step} does not lie in extent {extent}")]
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
    /// An index points behind the end of its axis.
    #[error("index {index} does not lie in extent {extent}")]
    Index {
        /// The index.
        index: u32,
        /// Extent of the axis.
        extent: usize,
    },
    /// A reduction without identity over no elements.
    #[error("has no value over no elements")]
    Empty,
    /// More elements than an index can address.
    #[error("more than {} elements", i32::MAX)]
    TooLarge,
    /// A number that is not usable here.
    #[error("{what} must be {must}, not {is}")]
    Number {
        /// Which number.
        what: &'static str,
        /// What is demanded of it.
        must: &'static str,
        /// What it is.
        is: f64,
    },
    /// A letter of an equation that is not usable here.
    #[error("{letter:?} {why}")]
    Label {
        /// The letter.
        letter: char,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A derivative is asked for, and nobody said what it is.
    #[error("has no derivative")]
    NoDerivative,
    /// An argument that is not usable here.
    #[error("{0}")]
    Argument(&'static str),
}

/// Where a node was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Path of the scope, empty outside of any.
    pub scope: String,
    /// The line of the user's program.
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

/// `: [2, 3] x [4]`; nothing of no operands.
fn listed(operands: &[Meta]) -> String {
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
        /// Its operands.
        operands: Vec<Meta>,
        /// What is wrong with them.
        reason: OpError,
        /// Where it was made.
        place: Place,
    },
    /// An operand belongs to another graph.
    #[error("{op}: an operand belongs to another graph{place}")]
    ForeignTensor {
        /// Name of the operation.
        op: &'static str,
        /// Where it was made.
        place: Place,
    },
    /// A name means two things.
    #[error("{name}: declared as {first}, and again as {second}{place}")]
    Redeclared {
        /// Name of the input or path of the variable.
        name: String,
        /// What it is.
        first: Meta,
        /// What it should also be.
        second: Meta,
        /// Where the second declaration was made.
        place: Place,
    },
    /// A variable has two beginnings.
    #[error("{name}: begins with {first:?}, and again with {second:?}{place}")]
    Reinitialized {
        /// Path of the variable.
        name: String,
        /// How it begins.
        first: Init,
        /// How it should also begin.
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
    /// Two tensors are watched by one name.
    #[error("{name}: another tensor is watched by this name{place}")]
    WatchedTwice {
        /// The name, with that of its scope.
        name: String,
        /// Where the second was named.
        place: Place,
    },
    /// Something that is not a variable is assigned.
    #[error("assign: the target is not a variable{place}")]
    NotAVariable {
        /// Where the assignment was made.
        place: Place,
    },
    /// A derivative is taken of something that is not one float.
    #[error("grad: of {of}, which is not a single float{place}")]
    NotALoss {
        /// What it was taken of.
        of: Meta,
        /// Where it was taken.
        place: Place,
    },
    /// The graph contradicts itself: a bug in this crate.
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
