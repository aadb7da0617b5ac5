//! The GPU device: a `Plan` becomes shaders, buffers and one submission.
//!
//! The path of a plan, and the rooms it passes:
//!
//! * `codegen`: `hazards` rewrites the few steps that a GPU cannot bind, and every step becomes WGSL
//!   and a list of bindings;
//! * `verify`: what has not been proved on this adapter is tried against f64;
//! * `device`: pipelines are compiled, once for each text;
//! * `memory`: slots, uploads, results, and the copies back;
//! * `run`: the commands of a program, and runs that record and submit them without creating anything
//!   new.
//!
//! Invariants, checked by tests:
//! * Everything made through wgpu is made by a function that counts ([`Counters`]).
//! * After the first run of a program, or [`prepare`](crate::Program::prepare), a run creates no
//!   buffer, bind group or pipeline as long as the caller lets go of results.
//! * The submissions of a device follow one another, so programs share the memory of slots.
//! * What goes wrong on the device is kept and returned by the next `run` or `read`; nothing
//!   panics.

mod backend;
mod codegen;
mod device;
mod elements;
mod memory;
mod run;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use codegen::assemble_plan;
pub use codegen::{Assembly, Binding, BindingKind};
pub use device::{
    AdapterSummary, Counters, GpuDevice, Proofs, Verification, adapters, open_any,
    open_best_hardware, open_named,
};
