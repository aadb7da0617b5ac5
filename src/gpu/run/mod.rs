//! GPU programs: a plan is compiled to commands, and a run submits them.

mod bindings;
mod checks;
mod commands;
mod compile;
mod placement;
mod program;
mod record;
mod timestamps;

pub(crate) use compile::check_bindings;
pub(crate) use program::GpuProgram;
