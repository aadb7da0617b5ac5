//! Trains neural networks on any GPU, and lets you check every number it prints.
#![deny(unsafe_code)]

mod array;
pub mod autodiff;
pub mod cpu;
pub mod data;
mod device;
mod dtype;
mod error;
pub mod gpu;
mod graph;
mod init;
pub mod io;
pub mod nn;
pub mod ops;
pub mod optim;
mod program;
pub mod reference;
mod rewrite;
pub mod schedule;
mod shape;
pub mod testing;
#[cfg(not(target_arch = "wasm32"))]
pub mod train;
mod variables;

pub use array::{Array, Element};
pub use device::{Device, Selection};
pub use dtype::DType;
pub use error::{
    CompileError, DeviceError, Error, FileError, GraphError, OpError, Place, RunError,
    VariableError,
};
pub use graph::{Declaration, Effect, Graph, Node, NodeId, Tensor};
pub use init::Init;
pub use program::{Fed, Feed, Outputs, Program, Value};
pub use shape::{Axes, Meta, Shape};
pub use variables::Variables;
