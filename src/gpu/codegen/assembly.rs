//! Description of a dispatch: shader text, grid, uniforms and bindings.

use crate::{brief::Brief, ops::params::Params, schedule::plan::Region};
use std::fmt;

/// One dispatch: a shader as passed to the driver, and everything bound to it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Assembly {
    /// Human-readable list of its operations.
    pub label: String,
    /// Name of the file in `shaders/`, without its extension.
    pub shader: &'static str,
    /// WGSL source text.
    pub text: String,
    /// Values of its overrides.
    pub overrides: Vec<(&'static str, f64)>,
    /// Number of workgroups along each dimension.
    pub workgroups: [u32; 3],
    /// Whether workgroups are numbered along x, then y, rather than told apart by each coordinate.
    pub(crate) are_numbered: bool,
    /// Bytes of workgroup memory, where variants of a kernel differ in them.
    pub(crate) workgroup_memory: u32,
    /// Content of `Params`, group 0, binding 0.
    pub params: Params,
    /// Content of `SlotParams`, group 1, binding 0; empty if there is no such binding.
    pub slot_params: Vec<u8>,
    /// All bindings, ordered by group and binding.
    pub bindings: Vec<Binding>,
    /// Whether its text may run without runtime checks, once it was proved.
    pub(crate) may_be_trusted: bool,
    /// The module that serves.
    pub(crate) module: ModuleKind,
}

impl fmt::Debug for Assembly {
    /// A summary, without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("label", &self.label)
            .field("shader", &self.shader)
            .field(
                "overrides",
                &Brief::named(self.overrides.iter().map(|(k, v)| (k.to_string(), v))),
            )
            .field("workgroups", &self.workgroups)
            .field("bindings", &self.bindings.len())
            .finish_non_exhaustive()
    }
}

/// How the module of a shader is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum ModuleKind {
    /// With the runtime checks of wgpu: indices are clamped, loops end, and workgroup memory starts
    /// as zeros.
    #[default]
    Checked,
    /// Without them, but for divisors that are 0.
    Trusted,
}

/// A resource bound to a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// Bind group index.
    pub group: u32,
    /// Binding index within the group.
    pub binding: u32,
    /// Kind of resource.
    pub kind: BindingKind,
    /// The bound words; `None` for uniforms.
    pub(crate) region: Option<Region>,
}

/// Kind of a bound resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingKind {
    /// `Params`, or `SlotParams` in group 1.
    Uniform,
    /// A read-only storage buffer.
    Read,
    /// A read-write storage buffer.
    ReadWrite,
}
