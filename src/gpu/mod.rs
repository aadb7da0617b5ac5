//! The GPU device: a `Plan` becomes shaders, buffers and one submission.
//!
//! The path of a plan: `detour` rewrites the few steps a GPU cannot bind, `assemble` makes
//! the WGSL text and the binding list of every dispatch (no adapter is needed for that),
//! `prove` tries it against f64, `pipelines` compiles it, `program` lays out memory, and `execute` records and submits
//! it run after run without creating anything new.
//!
//! Invariants, checked by tests:
//! * Everything made through wgpu is made by a function that counts ([`Counters`]).
//! * After the first run of a program, or [`prepare`](crate::Program::prepare), a run creates no
//!   buffer, bind group or pipeline as long as the caller lets go of results.
//! * The submissions of a device follow one another, so programs share the memory of slots.
//! * What goes wrong on the device is kept and returned by the next `run` or `read`; nothing
//!   panics.

mod adapter;
mod assemble;
mod bindings;
mod counters;
mod detour;
mod device;
mod elements;
mod emit;
mod execute;
mod faults;
mod guard;
mod ledger;
mod memory;
mod operands;
mod pipelines;
mod placement;
mod program;
mod prove;
mod readback;
mod reduction;
mod slot_params;
mod stopwatch;
#[cfg(test)]
mod tests;
mod uploads;
mod values;

pub use adapter::{AdapterSummary, adapters, open_any, open_best_hardware, open_named};
pub(crate) use assemble::assemble_plan;
pub use assemble::{Assembly, Binding, BindingKind};
pub use counters::Counters;
pub use device::GpuDevice;
pub use prove::{Proofs, Verification};
