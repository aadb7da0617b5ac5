//! Trains neural networks on any GPU, and lets you check every number it prints.
//!
//! # The graph
//!
//! A [`Graph`] is a list of nodes in which every node comes after its operands. A [`Tensor`] is a
//! copyable handle to a node, and arithmetic on tensors appends nodes:
//!
//! ```
//! use wgrad::prelude::*;
//!
//! let graph = Graph::new();
//! let x = graph.input("x", [3], DType::F32);
//! let loss = (x * x).sum(..);
//! let slope = autodiff::grad(loss, &[x])[0];
//! let curvature = autodiff::grad((slope * slope).sum(..), &[x])[0];
//!
//! let outputs = &[("slope", slope), ("curvature", curvature)];
//! let program = graph.compile(&Device::cpu(), outputs)?;
//! let x = Array::from([1.0f32, 2.0, 3.0]);
//! let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
//! assert_eq!(outputs.read_blocking("slope")?, Array::from([2.0f32, 4.0, 6.0]));
//! assert_eq!(outputs.read_blocking("curvature")?, Array::from([8.0f32, 16.0, 24.0]));
//! # Ok::<(), Error>(())
//! ```
//!
//! Building a graph computes nothing and returns no `Result`: the graph keeps its first error,
//! which names operation, shapes, scope and line, and returns it from [`Graph::check`] or
//! [`Graph::compile`].
//!
//! # Stages
//!
//! * [`ops`]: an operation is one file, or one folder, with its definition in f64, its derivative in
//!   operations of the same set, its kernels, and the samples that every test runs it on.
//! * [`autodiff`]: appends the derivative to the graph, where it can be differentiated again.
//! * `rewrite`: the same values from operations that have kernels, and from fewer of them.
//! * [`schedule`]: a [`Plan`](schedule::Plan) of which operations run together, in which order, and
//!   where every value lives. It is made before anything runs, and it is independent of the device.
//! * [`cpu`] and [`gpu`] lower the same plan; the reference device interprets the graph itself, in
//!   f64, and defines the correct results.
//! * A GPU proves every kernel against f64 before it may serve: see [`Verification`].
//! * A [`Program`] borrows nothing. [`run`](Program::run) submits; [`read`](Value::read) waits.
//!   [`Programs`] keeps one for each shape of its inputs.
//!
//! # State
//!
//! Parameters outlive graphs. A [`Variables`] store keeps them by path, on the device that computed
//! them last; programs look them up there. [`Graph::assign`] is an effect: every read in a program
//! sees the value from before the run, and every effect becomes visible after it. Modules ([`nn`])
//! are plain data that are traced into a graph through a [`Scope`](nn::Scope).
#![deny(unsafe_code)]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, unused_imports, reason = "methods that wait for a device do not exist there")
)]

mod array;
mod array64;
pub mod autodiff;
mod backend;
#[cfg(feature = "bench")]
pub mod bench;
mod brief;
#[cfg(feature = "files")]
mod cache;
pub mod cpu;
pub mod data;
mod device;
#[cfg(not(target_arch = "wasm32"))]
mod diff;
mod dtype;
mod error;
mod extents;
mod functions;
mod gemm;
pub mod gpu;
mod graph;
mod init;
mod interpret;
pub mod io;
mod memory;
pub mod nn;
mod numbers;
pub mod ops;
pub mod optim;
pub mod prelude;
mod program;
mod proof;
mod reference;
mod resident;
mod rewrite;
pub mod schedule;
mod shape;
mod steps;
pub mod testing;
#[cfg(not(target_arch = "wasm32"))]
pub mod train;
mod value;
mod variables;

pub use array::{Array, Element, Nested};
pub use array64::Array64;
pub use backend::RunTime;
pub use device::{Device, Selection};
#[cfg(not(target_arch = "wasm32"))]
pub use diff::{Diff, Divergence};
pub use dtype::DType;
pub use error::{
    BufferError, CompileError, DataError, DeviceError, Error, FileError, GraphError, LoadReport,
    MismatchedTensor, MissingTensor, NotFinite, OpError, Place, RunError, ScheduleError,
    SimulationError, TokenError, TrainError, VariableError,
};
pub use functions::{
    AttentionOptions, CoordinateTransform, GaussianNll, Interpolation, PadMode, PaddingMode,
    PoissonNll, QuantileMethod, Reduction, ScatterReduction, Triangle,
};
pub use gpu::Verification;
pub use graph::{Declaration, Effect, Graph, Node, NodeId, Tensor};
pub use init::Init;
pub use ops::Precision;
pub use program::{Inputs, IntoOutputs, Program, Programs};
pub use shape::{Axes, AxisError, Integer, Integers, Meta, Pads, Section, Shape};
pub use value::{Fed, Feed, OutputKey, Outputs, Value};
pub use variables::Variables;

/// The code in documents is compiled and run.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/start.md")]
    struct Start;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/from-pytorch.md")]
    struct FromPytorch;
    #[doc = include_str!("../docs/verification.md")]
    struct Verification;
    #[doc = include_str!("../docs/convolution.md")]
    struct Convolution;
}
