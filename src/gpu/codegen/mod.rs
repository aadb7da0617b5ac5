//! Steps of a plan as WGSL: no adapter is needed for that.

mod assemble;
mod assembly;
mod emit;
pub(crate) mod hazards;
mod operands;
pub(crate) mod reduction;
mod slot_params;
mod text;

pub(crate) use assemble::{assemble, assemble_plan};
pub use assembly::{Assembly, Binding, BindingKind};
