//! Errors of a run: its inputs, its steps, its results.

use super::{NotFinite, similar::quoted};
use crate::shape::Meta;

/// A program could not run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input is missing.
    #[error("input {name:?} is missing: the program takes {expected}")]
    MissingInput {
        /// Name of the input.
        name: String,
        /// The shape and type the program expects.
        expected: Meta,
    },
    /// The graph declares no input of this name.
    #[error(
        "there is no input {name:?}; {}",
        if known.is_empty() { "the graph declares none".to_owned() }
        else { quoted("declared inputs: ", known) }
    )]
    UnknownInput {
        /// The name.
        name: String,
        /// The inputs that the graph declares.
        known: Vec<String>,
    },
    /// An input is given twice.
    #[error("input {0:?} is given twice")]
    RepeatedInput(String),
    /// An input does not match what the program was compiled for.
    #[error("input {name:?} is {is}, and the program takes {expected}")]
    InputMismatch {
        /// Name of the input.
        name: String,
        /// The shape and type the program expects.
        expected: Meta,
        /// The shape and type that was given.
        is: Meta,
    },
    /// An input holds an index or label out of range.
    #[error(
        "input {name:?} holds {index} at position {position}, where numbers below {extent} are expected"
    )]
    IndexOutOfRange {
        /// Name of the input.
        name: String,
        /// The index or label; it may be negative if the input is of i32.
        index: i64,
        /// Row-major position of the index in the input.
        position: usize,
        /// The extent of the axis, or the number of classes; the smallest if there are several.
        extent: usize,
    },
    /// A value lives on another device.
    #[error("input {name:?} lives on another device than the program")]
    ForeignValue {
        /// Name of the input.
        name: String,
    },
    /// The reference device has no execution plan.
    #[error("the reference device interprets graphs: it has no steps to look at")]
    NotPlanned,
    /// A value is NaN or infinite, in a program that checks for that.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// No tensor of this name is watched.
    #[error(
        "no tensor {name:?} is watched; watched tensors: {}",
        if known.is_empty() { "none" } else { known }
    )]
    NotWatched {
        /// The requested name.
        name: String,
        /// The watched names.
        known: String,
    },
    /// There is no such step.
    #[error("step {step} does not exist: the program has {len}")]
    NoStep {
        /// The requested step.
        step: usize,
        /// Number of steps.
        len: usize,
    },
    /// The given operands are not those of the step.
    #[error("step {step}, {label}, takes operands {}, not {}", listed(expected), listed(is))]
    NotItsOperands {
        /// The step.
        step: usize,
        /// The operations in the step.
        label: String,
        /// The operands of the step.
        expected: Vec<Meta>,
        /// The operands that were given.
        is: Vec<Meta>,
    },
    /// There is no output of this name.
    #[error(
        "there is no output {name:?}; {}",
        if known.is_empty() { "they were compiled without names".to_owned() }
        else { quoted("named outputs: ", known) }
    )]
    UnknownOutput {
        /// The requested name.
        name: String,
        /// The names that outputs have.
        known: Vec<String>,
    },
    /// A tensor that was read as one number has more elements, or none.
    #[error("{is} is not a single number")]
    NotASingleNumber {
        /// Its shape and type.
        is: Meta,
    },
    /// There is no output at this position.
    #[error("output {index} does not exist: the program has {len}")]
    NoOutput {
        /// The requested index.
        index: usize,
        /// Number of outputs.
        len: usize,
    },
}

/// Shapes and types, `[[2, 3] f32, [4] u32]`.
fn listed(metas: &[Meta]) -> String {
    let metas: Vec<_> = metas.iter().map(Meta::to_string).collect();
    format!("[{}]", metas.join(", "))
}
