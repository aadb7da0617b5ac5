//! Programs of a GPU: a plan becomes commands, and a run submits them.

mod bindings;
mod checks;
mod commands;
mod compile;
mod placement;
mod program;
mod record;
mod timestamps;

pub(crate) use program::GpuProgram;
