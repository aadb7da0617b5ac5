//! The errors of each stage, and the one type that gathers them.

mod graph;
mod not_finite;

pub use graph::{GraphError, OpError, Place};
pub use not_finite::NotFinite;

use crate::{
    dtype::DType,
    shape::{Meta, Shape},
};
use std::path::PathBuf;

/// Any error of this crate; one variant a stage.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// While the graph was built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// While a program was made of the graph.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// While a program ran, or its results were read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// While a device was looked for, opened or used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// While a variable was read or written.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// While a file was read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A program could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A tensor is larger than the device can bind.
    #[error("{tensor} needs {bytes} bytes in one binding, and the device binds at most {limit}")]
    BindingTooLarge {
        /// Which tensor.
        tensor: String,
        /// What it needs.
        bytes: u64,
        /// What the device offers.
        limit: u64,
    },
    /// The device has no arithmetic in this element type.
    #[error("{op}: {device} has no kernels for {dtype}")]
    Unsupported {
        /// Name of the operation.
        op: &'static str,
        /// The element type.
        dtype: DType,
        /// Name of the device.
        device: String,
    },
    /// An operation of another crate has nothing this device could compute it by.
    #[error("{op}{}: without a definition, {device} cannot compute it", place.as_ref().map(Place::to_string).unwrap_or_default())]
    Undefined {
        /// The operations of the step.
        op: String,
        /// Name of the device.
        device: String,
        /// Where it was made.
        place: Option<Place>,
    },
    /// No way to compute something gives what it must on this device.
    #[error("{op} of {shape}: no kernel can be trusted on {device}: {failure}")]
    NoTrustedKernel {
        /// The operations of the step.
        op: String,
        /// Extents of what it computes.
        shape: Shape,
        /// Name of the device.
        device: String,
        /// What the last one gave, what it should have given, and by how much it may be off.
        failure: String,
    },
    /// A shader was refused: a bug in this crate or in the driver.
    #[error("shader {shader} was refused: {message}")]
    Shader {
        /// Name of the shader.
        shader: String,
        /// What was said.
        message: String,
    },
}

/// A program could not run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An input is missing.
    #[error("input {0:?} is missing")]
    MissingInput(String),
    /// There is no input of this name.
    #[error("there is no input {0:?}")]
    UnknownInput(String),
    /// An input is given twice.
    #[error("input {0:?} is given twice")]
    RepeatedInput(String),
    /// An input is not what the program was compiled for.
    #[error("input {name:?} is {is}, and the program takes {expected}")]
    InputMismatch {
        /// Name of the input.
        name: String,
        /// What the program takes.
        expected: Meta,
        /// What was given.
        is: Meta,
    },
    /// An input holds an index that points behind the end of an axis.
    #[error("input {name:?} holds index {index} at position {position}, for an extent of {extent}")]
    IndexOutOfRange {
        /// Name of the input.
        name: String,
        /// The index.
        index: u32,
        /// Its row-major position in the input.
        position: usize,
        /// The least extent that it points into.
        extent: usize,
    },
    /// A value lives on another device.
    #[error("input {name:?} lives on another device than the program")]
    ForeignValue {
        /// Name of the input.
        name: String,
    },
    /// The reference device has no steps.
    #[error("the reference device interprets graphs: it has no steps to look at")]
    NotPlanned,
    /// A value is NaN or infinite, and the program looks for that.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// No tensor of this name is watched.
    #[error("no tensor {name:?} is watched; there are: {known}")]
    NotWatched {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// There is no such step.
    #[error("step {step} does not exist: the program has {len}")]
    NoStep {
        /// The step that was asked for.
        step: usize,
        /// Number of steps.
        len: usize,
    },
    /// These are not the operands of that step.
    #[error("these are not the operands of step {step}, {label}")]
    NotItsOperands {
        /// The step.
        step: usize,
        /// The operations in it.
        label: String,
    },
    /// There is no such output.
    #[error("output {index} does not exist: the program has {len}")]
    NoOutput {
        /// The index that was asked for.
        index: usize,
        /// Number of outputs.
        len: usize,
    },
}

/// A device could not be found, opened or used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The text names no device.
    #[error("{text:?} is no device: expected cpu, reference, gpu or gpu:NAME")]
    Syntax {
        /// The text.
        text: String,
    },
    /// No graphics adapter answers.
    #[error("no graphics adapter answers: install a Vulkan, Metal or DX12 driver, or use the cpu")]
    NoAdapter,
    /// No adapter matches a name.
    #[error("no adapter matches {name:?}; there are: {available}")]
    NoSuchAdapter {
        /// The name.
        name: String,
        /// Names of those there are.
        available: String,
    },
    /// The adapter lacks something every kernel needs.
    #[error("{adapter} offers {offered} {limit}, {needed} are needed")]
    Limit {
        /// Name of the adapter.
        adapter: String,
        /// What is missing.
        limit: &'static str,
        /// How much is needed.
        needed: u64,
        /// How much there is.
        offered: u64,
    },
    /// The adapter refused to open.
    #[error("{adapter} could not be opened: {message}")]
    Open {
        /// Name of the adapter.
        adapter: String,
        /// What it said.
        message: String,
    },
    /// Memory is exhausted.
    #[error("out of memory{}", bytes.map(|bytes| format!(" while {bytes} bytes were asked for")).unwrap_or_default())]
    OutOfMemory {
        /// What was asked for, where it is known.
        bytes: Option<u64>,
    },
    /// The device was lost.
    #[error("the device was lost: {message}")]
    Lost {
        /// What the driver said.
        message: String,
    },
    /// The driver refused a command: a bug in this crate or in the driver.
    #[error("the device reported: {message}")]
    Reported {
        /// What it said.
        message: String,
    },
    /// The thread pool could not be made.
    #[error("the thread pool could not be made: {message}")]
    Threads {
        /// What the system said.
        message: String,
    },
}

/// A variable could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// The store has no variable of this path.
    #[error("there is no variable {0:?}")]
    Missing(String),
    /// The store has another shape or type than is asked for.
    #[error("variable {path:?} is {is}, not {expected}")]
    Mismatch {
        /// Path of the variable.
        path: String,
        /// What the program or the caller expects.
        expected: Meta,
        /// What the store has.
        is: Meta,
    },
    /// The number of values is not that of the shape.
    #[error("{len} values cannot fill {shape}")]
    Length {
        /// Number of values.
        len: usize,
        /// The shape.
        shape: Shape,
    },
}

/// A file could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("{path}: {message}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The content is not what it should be.
    #[error("{path}: {message}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}
