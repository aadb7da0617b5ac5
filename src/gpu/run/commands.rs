//! Commands of a program: dispatches and copies.

use crate::{
    gpu::{
        codegen::{Binding, BindingKind},
        device::pipelines::Pipeline,
    },
    schedule::plan::Region,
};
use std::{ops::Range, sync::Arc};

/// A command of a program.
#[derive(Debug)]
pub(crate) enum Command {
    Dispatch(Dispatch),
    Copy { label: String, from: Region, to: Region },
}

/// A dispatch.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub label: String,
    pub pipeline: Arc<Pipeline>,
    pub workgroups: [u32; 3],
    pub bindings: Vec<Binding>,
    /// Byte range of its uniforms, by group.
    pub uniforms: [Range<usize>; 2],
}

impl Command {
    /// The regions it writes, with its label.
    pub fn writes(&self) -> Vec<(Region, &str)> {
        match self {
            Command::Copy { label, to, .. } => vec![(*to, label)],
            Command::Dispatch(dispatch) => {
                let writes = dispatch
                    .bindings
                    .iter()
                    .filter(|binding| binding.kind == BindingKind::ReadWrite);
                let regions = writes.filter_map(|binding| binding.region);
                regions.map(|region| (region, dispatch.label.as_str())).collect()
            }
        }
    }
}
