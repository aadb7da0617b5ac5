//! What a dispatch is: text, grid, uniforms and bindings.

use crate::schedule::plan::Region;

/// One dispatch: a shader as it is given to the driver, and all that is bound to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Assembly {
    /// The operations in it, for people.
    pub label: String,
    /// Name of the file of `shaders/`, without its ending.
    pub shader: &'static str,
    /// The text.
    pub text: String,
    /// Values of its overrides.
    pub overrides: Vec<(&'static str, f64)>,
    /// Extent of the grid.
    pub workgroups: [u32; 3],
    /// What `Params` holds, group 0, binding 0.
    pub params: Vec<u8>,
    /// What `SlotParams` holds, group 1, binding 0; nothing where there is no such binding.
    pub slot_params: Vec<u8>,
    /// All bindings, in order of group and binding.
    pub bindings: Vec<Binding>,
}

/// Something bound to a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The group.
    pub group: u32,
    /// The number in the group.
    pub binding: u32,
    /// What it is.
    pub kind: BindingKind,
    /// The words that are bound; `None` for uniforms.
    pub(crate) region: Option<Region>,
}

/// What is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingKind {
    /// `Params`, or `SlotParams` in group 1.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    ReadWrite,
}
