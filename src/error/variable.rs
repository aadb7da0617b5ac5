//! Errors of values on the host and in a store.

use super::{OpError, graph::listed, similar::quoted};
use crate::{
    dtype::DType,
    shape::{Meta, Shape},
};

/// A variable could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// The store has no variable at this path.
    #[error(
        "there is no variable {path:?}{}: programs create those they declare when they are prepared \
         or first run, and `insert` creates others",
        quoted("; similar: ", similar)
    )]
    Missing {
        /// The path.
        path: String,
        /// Paths in the store that resemble it.
        similar: Vec<String>,
    },
    /// The stored variable has another shape or type than requested.
    #[error("variable {path:?} is {is}, not {expected}")]
    Mismatch {
        /// Path of the variable.
        path: String,
        /// The shape and type the program or the caller expects.
        expected: Meta,
        /// The shape and type in the store.
        is: Meta,
    },
    /// The value was in the memory of a device that was lost, and nowhere else.
    #[error(
        "variable {path:?} was lost with its device ({message}): load the last checkpoint into the \
         store, or insert it"
    )]
    Lost {
        /// Path of the variable.
        path: String,
        /// The driver's message.
        message: String,
    },
    /// Two programs declare a setting with different values.
    #[error(
        "setting {path:?} is {first} in another program over these variables, and {second} in this \
         one: declare one value and change it by `Variables::set`, decide it by \
         `Variables::insert`, or keep two, as `named` does for an optimizer"
    )]
    Setting {
        /// Its path.
        path: String,
        /// The value that was declared first.
        first: f32,
        /// The value in this program.
        second: f32,
    },
    /// The elements have another type than requested.
    #[error("{of} {is}, not {expected}")]
    ElementType {
        /// The subject of the message: `the array holds`, `the inputs hold`.
        of: &'static str,
        /// The requested type.
        expected: DType,
        /// The type they have.
        is: DType,
    },
    /// A row does not exist.
    #[error("row {row} does not exist: {}", match shape.dims() {
        [] => "the array is a scalar, and has no rows".to_owned(),
        [1, ..] => format!("the array {shape} has 1 row"),
        [rows, ..] => format!("the array {shape} has {rows} rows"),
    })]
    Row {
        /// The requested row.
        row: usize,
        /// Shape of the array.
        shape: Shape,
    },
    /// There is no element at these indices.
    #[error("there is no element {indices:?} in {shape}")]
    NoElement {
        /// The indices, one an axis.
        indices: Vec<usize>,
        /// Shape of the array.
        shape: Shape,
    },
    /// A function does not apply to these arrays.
    #[error("{function}{} ({reason})", listed(operands))]
    Array {
        /// Name of the function.
        function: &'static str,
        /// The arrays.
        operands: Vec<Meta>,
        /// The reason.
        reason: OpError,
    },
    /// Inputs and targets of a data set differ in number.
    #[error("targets {targets} do not fit inputs {inputs}: expected one for each, {}", match inputs.dims() {
        [] => "and a scalar is no list of inputs".to_owned(),
        [count, ..] => format!("[{count}]"),
    })]
    Targets {
        /// Shape of the inputs.
        inputs: Shape,
        /// Shape of the targets.
        targets: Shape,
    },
    /// Arrays are not the fields of one data set.
    #[error("{} no data set: expected names of their own, and as many rows", named(fields))]
    Fields {
        /// Their names, shapes and types.
        fields: Vec<(String, Meta)>,
    },
    /// The number of values does not match the shape.
    #[error("{len} values cannot fill {shape}, which takes {}", shape.len())]
    Length {
        /// Number of values.
        len: usize,
        /// The shape.
        shape: Shape,
    },
}

/// The fields and their verb: `fields x [3, 1] f32, y [2] u32 are`.
fn named(fields: &[(String, Meta)]) -> String {
    let listed: Vec<_> = fields.iter().map(|(name, meta)| format!("{name} {meta}")).collect();
    match fields.len() {
        0 => "no fields are".to_owned(),
        1 => format!("field {} is", listed.join(", ")),
        _ => format!("fields {} are", listed.join(", ")),
    }
}
