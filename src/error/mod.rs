//! The errors of each stage, and the type that unites them.

mod graph;
mod loading;
mod not_finite;
mod similar;

pub use graph::{GraphError, OpError, Place};
pub use loading::{LoadReport, MismatchedTensor, MissingTensor};
pub use not_finite::NotFinite;
pub(crate) use similar::similar;

use crate::{
    dtype::DType,
    shape::{Meta, Shape},
};
use std::path::PathBuf;

/// Any error of this crate, one variant per stage.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// While building the graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// While compiling a program.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// While running a program or reading its results.
    #[error(transparent)]
    Run(#[from] RunError),
    /// While finding, opening or using a device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// While reading or writing a variable.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// While reading or writing a file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A program could not be compiled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A tensor exceeds the largest binding of the device.
    #[error("{tensor} needs {bytes} bytes in one binding, and the device binds at most {limit}")]
    BindingTooLarge {
        /// Description of the tensor.
        tensor: String,
        /// The size it needs.
        bytes: u64,
        /// The limit of the device.
        limit: u64,
    },
    /// The device does not support this element type.
    #[error("{op}: {device} has no kernels for {dtype}")]
    Unsupported {
        /// Name of the operation.
        op: &'static str,
        /// The element type.
        dtype: DType,
        /// Name of the device.
        device: String,
    },
    /// A custom operation has neither a kernel for this device nor a definition.
    #[error("{op}{}: without a definition, {device} cannot compute it", place.as_ref().map(Place::to_string).unwrap_or_default())]
    Undefined {
        /// The operations of the step.
        op: String,
        /// Name of the device.
        device: String,
        /// Where the node was created.
        place: Option<Place>,
    },
    /// No kernel of a step passed its verification on this device.
    #[error("{op} of {shape}: no kernel can be trusted on {device}: {failure}")]
    NoTrustedKernel {
        /// The operations of the step.
        op: String,
        /// Shape of the result.
        shape: Shape,
        /// Name of the device.
        device: String,
        /// What the last kernel returned, what was expected, and the tolerance.
        failure: String,
    },
    /// A shader was rejected: a bug in this crate or in the driver.
    #[error("shader {shader} was refused: {message}")]
    Shader {
        /// Name of the shader.
        shader: String,
        /// The compiler's message.
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
        /// The index or label.
        index: u32,
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
    #[error("no tensor {name:?} is watched; watched tensors: {known}")]
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
    #[error("these are not the operands of step {step}, {label}")]
    NotItsOperands {
        /// The step.
        step: usize,
        /// The operations in the step.
        label: String,
    },
    /// There is no such output.
    #[error("output {index} does not exist: the program has {len}")]
    NoOutput {
        /// The requested index.
        index: usize,
        /// Number of outputs.
        len: usize,
    },
}

/// A device could not be found, opened or used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The text does not name a device.
    #[error("{text:?} is not a device: expected cpu, reference, gpu or gpu:NAME")]
    Syntax {
        /// The text.
        text: String,
    },
    /// No graphics adapter was found.
    #[error("no graphics adapter found: install a Vulkan, Metal or DX12 driver, or use the cpu")]
    NoAdapter,
    /// No adapter matches the requested name.
    #[error("no adapter matches {name:?}; available: {available}")]
    NoSuchAdapter {
        /// The name.
        name: String,
        /// Names of the available adapters.
        available: String,
    },
    /// The adapter does not meet a requirement of every kernel.
    #[error("{adapter} offers {offered} {limit}, but {needed} are needed")]
    Limit {
        /// Name of the adapter.
        adapter: String,
        /// Name of the limit.
        limit: &'static str,
        /// The required value.
        needed: u64,
        /// The value the adapter offers.
        offered: u64,
    },
    /// The adapter could not be opened.
    #[error("{adapter} could not be opened: {message}")]
    Open {
        /// Name of the adapter.
        adapter: String,
        /// The driver's message.
        message: String,
    },
    /// Memory is exhausted.
    #[error("out of memory{}", bytes.map(|bytes| format!(" while allocating {bytes} bytes")).unwrap_or_default())]
    OutOfMemory {
        /// Size of the failed allocation, if known.
        bytes: Option<u64>,
    },
    /// The device was lost.
    #[error("the device was lost: {message}")]
    Lost {
        /// The driver's message.
        message: String,
    },
    /// A kernel wrote outside its result, which guard bands show: a bug in this crate or in the
    /// driver.
    #[error("{step} wrote {side} its result: word {position} of the guard band is {word:#010x}")]
    StrayWrite {
        /// The operations of the step.
        step: String,
        /// `in front of` or `behind`.
        side: &'static str,
        /// Position in the band, which is 64 words long.
        position: usize,
        /// The word that was written.
        word: u32,
    },
    /// The driver rejected a command: a bug in this crate or in the driver.
    #[error("the device reported: {message}")]
    Reported {
        /// The driver's message.
        message: String,
    },
    /// The thread pool could not be created.
    #[error("the thread pool could not be made: {message}")]
    Threads {
        /// The system's message.
        message: String,
    },
}

/// A variable could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// The store has no variable at this path.
    #[error(
        "there is no variable {path:?}{}: programs create those they declare when they are prepared \
         or first run, and `insert` creates others",
        similar::quoted("; similar: ", similar)
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
    /// The number of values does not match the shape.
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
    /// An I/O error.
    #[error("{path}: {message}", path = path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The system's message.
        message: String,
    },
    /// The file is malformed.
    #[error("{path}: {message}", path = path.display())]
    Corrupt {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The tensors of the file are not those of the model.
    #[error("{path} does not fit: {}", report.faults().join("; "), path = path.display())]
    Mismatch {
        /// Path of the file.
        path: PathBuf,
        /// What does not fit; nothing was loaded.
        report: Box<LoadReport>,
    },
}
