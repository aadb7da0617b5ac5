//! WGSL code generation for the steps of a plan; no adapter is needed.

mod assemble;
mod assembly;
mod emit;
mod folding;
pub(crate) mod hazards;
mod operands;
pub(crate) mod reduction;
mod slot_params;
mod text;

#[cfg(feature = "bench")]
pub(crate) use assemble::assemble_steps;
pub(crate) use assemble::{assemble, assemble_plan, assemble_variants};
pub(crate) use assembly::ModuleKind;
pub use assembly::{Assembly, Binding, BindingKind};
#[cfg(feature = "cli")]
pub(crate) use text::{ENABLE_HALVES, ENABLE_UNITS};
