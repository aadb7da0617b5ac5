//! What a device runs for an operation that has a kernel.

use super::probe::Probe;
use std::sync::Arc;

/// An operation with a shader and a CPU loop of its own. Operands and result are contiguous.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// For GPUs: one or several ways, the preferred one first. They agree bit for bit, so that
    /// whichever is trusted may serve.
    pub shaders: Vec<Shader>,
    /// For the CPU; `None` of an operation of another crate that has neither loop nor definition.
    pub cpu: Option<CpuKernel>,
    /// How it is proved; `None` of an operation without definition, which nobody can prove.
    pub probe: Option<Arc<Probe>>,
}

impl Kernel {
    /// One that is defined, as all of this crate are.
    pub fn new(shaders: Vec<Shader>, cpu: CpuKernel, probe: Probe) -> Self {
        Kernel { shaders, cpu: Some(cpu), probe: Some(probe.into()) }
    }
}

/// One dispatch of a WGSL file.
///
/// The file declares, in group 0, `Params` as uniform at binding 0, then the operands in order as
/// `array<Elem>` (or a concrete type, where not all are of the type of the first), then the result
/// as `array<Out>`, and an entry point `main`. Operands and result are contiguous; truth values are
/// words. It stores an element as `y[index] = epilogue(value, index)`, where `value` is an `Acc`:
/// what becomes of the result is fused there. `Elem`, `Acc`, `Out`, `epilogue`, and the fragments of
/// `shaders/lib` that a comment `// Lib name, name` at its beginning asks for, are appended by the
/// host. Where elements are f16, so are `Elem` and `Out`, but `Acc` is f32: what is loaded is converted,
/// as in `Acc(x[i])`, or `Wide(x[i])` where the result is of another type than the elements. Every file of `shaders/` without `lib` is an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shader {
    /// The file's name without its ending.
    pub name: &'static str,
    /// The file.
    pub source: &'static str,
    /// Values of its overrides, all of them.
    pub overrides: Vec<(&'static str, f64)>,
    /// Its `Params`.
    pub params: Vec<u8>,
    /// Extent of the grid; x is already folded into y where it passes 65,535.
    pub workgroups: [u32; 3],
}

impl Shader {
    /// A file without overrides. `params` are the bytes of `Params`: a multiple of 4, at least 4.
    /// The grid has at least `groups` workgroups, which are numbered
    /// `workgroup_id.x + workgroup_id.y * num_workgroups.x`; there may be more of them.
    pub fn new(name: &'static str, source: &'static str, params: &[u8], groups: usize) -> Self {
        let (overrides, params) = (Vec::new(), params.to_vec());
        Shader { name, source, overrides, params, workgroups: fold(groups) }
    }

    /// Gives an override a value.
    pub fn with_override(mut self, name: &'static str, value: f64) -> Self {
        self.overrides.push((name, value));
        self
    }
}

/// A loop over elements of the result.
#[derive(Clone)]
#[non_exhaustive]
pub struct CpuKernel {
    /// Chunks of the result start and end at multiples of this many elements.
    pub granule: usize,
    /// Operations an element costs, to choose the size of chunks.
    pub work: usize,
    /// Computes elements `start..start + out.len()` of the result from the whole operands.
    pub compute: Arc<Compute>,
}

impl CpuKernel {
    /// A loop whose results come in groups of `granule` elements, each of which takes about `work`
    /// operations. `compute` gets the words of the operands and of some groups of results: floats
    /// as their bits, which `bytemuck::cast_slice` takes for `f32`.
    pub fn new(
        granule: usize,
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
    ) -> Self {
        CpuKernel { granule: granule.max(1), work: work.max(1), compute: Arc::new(compute) }
    }
}

/// The type of [`CpuKernel::compute`].
pub type Compute = dyn Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync;

impl std::fmt::Debug for CpuKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CpuKernel {{ granule: {}, work: {} }}", self.granule, self.work)
    }
}

/// The largest grid along an axis that every adapter accepts.
pub(crate) const MAX_GROUPS: u32 = 65_535;

/// A grid of at least `groups` workgroups, numbered `wid.x + wid.y * groups.x`.
pub(crate) fn fold(groups: usize) -> [u32; 3] {
    let groups = groups.max(1) as u32;
    if groups <= MAX_GROUPS {
        return [groups, 1, 1];
    }
    let y = groups.div_ceil(MAX_GROUPS);
    [groups.div_ceil(y), y, 1]
}
