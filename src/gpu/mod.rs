//! The GPU device: a `Plan` becomes shaders, buffers and one submission.
//!
//! The path of a plan through the submodules:
//!
//! * `codegen`: `hazards` rewrites the few steps that a GPU cannot bind, and every step becomes
//!   WGSL and a list of bindings;
//! * `simulate`: outside of that path, the host executes shaders to find races;
//! * `verify`: dispatches not yet verified on this adapter are checked against f64;
//! * `device`: pipelines are compiled, once per shader text;
//! * `memory`: slots, uploads, results and readback;
//! * `run`: the commands of a program, and runs that record and submit them without creating any
//!   new resources.
//!
//! Invariants, checked by tests:
//! * Every wgpu object is created by a function that counts it ([`Counters`]).
//! * After the first run of a program, or [`prepare`](crate::Program::prepare), a run creates no
//!   buffer, bind group or pipeline as long as the caller drops earlier results.
//! * The submissions of a device are sequential, so programs share the memory of slots.
//! * An error of the device is returned by the `compile`, `run` or `read` that caused it, once; only
//!   a lost device stays unusable. Nothing panics.

mod backend;
mod codegen;
mod device;
mod elements;
mod memory;
mod run;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod simulate;
#[cfg(test)]
mod tests;
mod verify;

pub use codegen::{Assembly, Binding, BindingKind};
#[cfg(feature = "cli")]
pub(crate) use codegen::{ENABLE_HALVES, ENABLE_UNITS, assemble};
#[cfg(feature = "bench")]
pub(crate) use codegen::{ModuleKind, assemble_steps};
pub(crate) use codegen::{assemble_plan, assemble_variants};
#[cfg(feature = "bench")]
pub(crate) use device::proof_cache::Entry;
#[cfg(feature = "bench")]
pub(crate) use device::unchecked;
pub use device::{
    AdapterSummary, CooperativeMatrix, Counters, GpuDevice, Proofs, Verification, adapters,
    open_all, open_any, open_best_hardware, open_named,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use verify::Verdict;
/// The wgpu whose devices and buffers this crate takes and gives.
pub use wgpu;
