//! What a file that builds and trains networks imports: `use wgrad::prelude::*;`.
//!
//! ```
//! use wgrad::prelude::*;
//!
//! let graph = Graph::new();
//! let x = graph.input("x", [3], DType::F32);
//! let y = Dense::new(2).forward(&mut Scope::new(&graph, Mode::Eval).child("net"), x);
//! let program = graph.compile(&Device::cpu(), &[("y", y)])?;
//! let x = Array::from([0.5f32, 1.0, -0.5]);
//! let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
//! assert_eq!(outputs.read_blocking("y")?.shape().dims(), [2]);
//! # Ok::<(), Error>(())
//! ```
//!
//! None of these names is one of Rust's own prelude. Everything else is imported by its path: losses
//! are functions in [`nn`], files are read and written by [`io`](crate::io).

// Traits, for their methods.
pub use crate::{
    nn::Module,
    ops::Pow,
    optim::{Optimizer, OptimizerExt},
    value::Feed,
};

#[cfg(not(target_arch = "wasm32"))]
pub use crate::train::{Loss, Metric, Objective, Trainer};
pub use crate::{
    array::Array,
    autodiff,
    data::{ArrayDataset, Dataset, Labeled, Loader},
    device::Device,
    dtype::DType,
    error::Error,
    functions::Reduction,
    graph::{Graph, Tensor},
    init::Init,
    nn::{
        self, Activation, AvgPool2d, BatchNorm, Conv1d, Conv2d, Dense, Dropout, Embedding, Flatten,
        Lambda, LayerNorm, MaxPool2d, Mode, MultiHeadAttention, Recurrent, Scope, Sequential,
        Unflatten,
    },
    ops::Precision,
    optim::{Adam, AdamW, Sgd},
    program::{Program, Programs},
    shape::{Meta, Shape},
    value::{Outputs, Value},
    variables::Variables,
};
