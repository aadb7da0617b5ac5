//! The errors of each stage, and the type that unites them.

mod buffer;
mod data;
mod file;
mod graph;
mod loading;
mod not_finite;
mod run;
mod schedule;
mod similar;
mod simulation;
mod token;
mod train;
mod variable;

pub use buffer::BufferError;
pub use data::DataError;
pub use file::FileError;
pub use graph::{GraphError, OpError, Place};
pub use loading::{LoadReport, MismatchedTensor, MissingTensor};
pub use not_finite::NotFinite;
pub use run::RunError;
pub use schedule::ScheduleError;
use similar::quoted;
pub(crate) use similar::similar;
pub use simulation::SimulationError;
pub use token::TokenError;
pub use train::TrainError;
pub use variable::VariableError;

use crate::{dtype::DType, shape::Shape};

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
    /// While following a shader on the host.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// While reading or writing a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// While preparing data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// While making tokens of a text, or a text of tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// While following a schedule of the learning rate.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// While training.
    #[error(transparent)]
    Train(#[from] TrainError),
}

/// A program could not be compiled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// Two outputs have one name.
    #[error("output {name:?} is named twice; names of the outputs: {}", quoted("", names))]
    RepeatedOutput {
        /// The name.
        name: String,
        /// Names of all outputs, in their order.
        names: Vec<String>,
    },
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
    /// No graphics adapter was found, or none that can be used.
    #[error("{}", match &found[..] {
        [] => "no graphics adapter found by Vulkan, Metal, DX12 or GL: install a driver, or use \
               the cpu".to_owned(),
        found => format!("no graphics adapter can be used, of those found: {}", found.join("; ")),
    })]
    NoAdapter {
        /// The adapters that were found, and what each lacks.
        found: Vec<String>,
    },
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
    /// An adapter, a device and a queue that were given as one are not.
    #[error("the {what} is not that of the device")]
    NotTogether {
        /// The one that does not belong: `adapter` or `queue`.
        what: &'static str,
    },
    /// A buffer of wgpu cannot be a value, or a value is not in one.
    #[error(transparent)]
    Buffer(#[from] BufferError),
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
