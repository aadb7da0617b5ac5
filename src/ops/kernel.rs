//! Kernels: shaders and CPU loops of operations that have their own.

use super::{params::Params, probe::Probe};
use crate::dtype::DType;
use std::sync::Arc;

/// The shaders and CPU loop of an operation. Operands and results are contiguous.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// For GPUs: one or several variants, in order of preference. They agree bit for bit, so any
    /// trusted one may run.
    pub shaders: Vec<Shader>,
    /// In which order a GPU sums terms, and what that follows from, unless it is one after another; on which
    /// units, or why on none. It begins with `in` or `on`.
    pub order: Option<String>,
    /// How many partial results the shaders write for each element, one after another, which are then added
    /// up; 1 for complete ones.
    pub parts: usize,
    /// For the CPU; `None` for a custom operation with neither loop nor definition.
    pub cpu: Option<CpuKernel>,
    /// The results of one pass over the operands.
    pub results: Vec<KernelResult>,
    /// Which of them is the result of the operation; the others are those of its siblings,
    /// operations on the same operands.
    pub result: usize,
}

/// One result of a kernel.
#[derive(Clone, Debug)]
pub(crate) struct KernelResult {
    /// Its name in the shader if there are several, which is then stored by `store_NAME`.
    pub name: &'static str,
    /// Its type.
    pub dtype: DType,
    /// How it is verified; `None` for a custom operation without definition.
    pub probe: Option<Arc<Probe>>,
}

impl Kernel {
    /// The kernel of an operation that has a definition and no siblings.
    pub fn new(shaders: Vec<Shader>, cpu: CpuKernel, probe: Probe) -> Self {
        let dtype = probe.dtype();
        let result = KernelResult { name: "", dtype, probe: Some(probe.into()) };
        let results = vec![result];
        Kernel { shaders, order: None, parts: 1, cpu: Some(cpu), results, result: 0 }
    }

    /// The kernel of several siblings, each with its name in the shader and its probe; `result` is
    /// the one that is asked for.
    pub fn with_siblings(
        shaders: Vec<Shader>,
        cpu: CpuKernel,
        results: Vec<(&'static str, Probe)>,
        result: usize,
    ) -> Self {
        let results = results.into_iter().map(|(name, probe)| {
            let dtype = probe.dtype();
            KernelResult { name, dtype, probe: Some(probe.into()) }
        });
        let results = results.collect();
        Kernel { shaders, order: None, parts: 1, cpu: Some(cpu), results, result }
    }

    /// Whether its results can be verified.
    pub fn is_defined(&self) -> bool {
        self.results.iter().all(|result| result.probe.is_some())
    }

    /// Whether both do the same work if their operands are the same, for whichever results.
    pub fn is_sibling_of(&self, other: &Kernel) -> bool {
        self.results.len() > 1 && self.shaders == other.shaders
    }
}

/// One dispatch of a WGSL file.
///
/// The file declares, in group 0, `Params` as a uniform at binding 0, then the operands in order as
/// `array<Elem>` (or a concrete type, unless all have the type of the first), then the result as
/// `array<Out>`, and an entry point `main`. Operands and result are contiguous; booleans are words.
/// It stores an element as `y[index] = epilogue(value, index)`, where `value` is an `Acc`:
/// consumers of the result are fused there. The host appends `Elem`, `Acc`, `Out`, `epilogue`,
/// and the fragments of `shaders/lib` that the file imports. If the elements are f16, so are `Elem`
/// and `Out`, but `Acc` is f32: loaded values are converted, as in `Acc(x[i])`, or `Wide(x[i])` if
/// the type of the result differs from that of the elements. Every file of `shaders/` outside of
/// `lib` is an example.
///
/// A file with several results declares none of them and calls `store_NAME(value, index)` for each:
/// the host appends these functions with the buffers they write, and an empty one for a result that
/// is not read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shader {
    /// The file.
    pub file: ShaderFile,
    /// Values of all its overrides.
    pub overrides: Vec<(&'static str, f64)>,
    /// The content of its `Params`.
    pub params: Params,
    /// Its workgroups; numbers along x are already folded into y if they exceed 65,535.
    pub(crate) workgroups: Workgroups,
}

/// The workgroups of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workgroups {
    /// Extent of the grid.
    pub extents: [u32; 3],
    /// Whether they are numbered along x, then y, rather than told apart by each coordinate.
    pub are_numbered: bool,
    /// Bytes of workgroup memory, where variants differ in them; 0 if every device has enough.
    pub memory: u32,
}

/// A WGSL file.
#[derive(Clone, Copy, PartialEq)]
pub struct ShaderFile {
    /// Its name without extension.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
    /// The fragments of `shaders/lib` that it calls, by name.
    pub imports: &'static [&'static str],
    /// Whether every index and every loop that depends on data is guarded in the text, as in all files
    /// of this crate: it may run without runtime checks.
    pub(crate) guards_data: bool,
    /// Whether its two operands are those of the operation in the other order.
    pub(crate) swaps_operands: bool,
}

impl std::fmt::Debug for ShaderFile {
    /// Writes the name, without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShaderFile({})", self.name)
    }
}

/// The file of `shaders/` at this path, without extension, with the fragments that it imports.
macro_rules! shader_file {
    ($path:literal, [$($import:literal),*]) => {
        $crate::ops::kernel::ShaderFile {
            name: $crate::ops::kernel::stem($path),
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path, ".wgsl")),
            imports: &[$($import),*],
            guards_data: true,
            swaps_operands: false,
        }
    };
}
pub(crate) use shader_file;

/// The last component of a path.
pub(crate) fn stem(path: &'static str) -> &'static str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

impl Shader {
    /// Creates a dispatch without overrides. `params` are the bytes of `Params`: a multiple of 4,
    /// at least 4. The grid has at least `groups` workgroups, numbered
    /// `workgroup_id.x + workgroup_id.y * num_workgroups.x`, and possibly more.
    pub fn new(name: &'static str, source: &'static str, params: &[u8], groups: usize) -> Self {
        let (guards_data, swaps_operands) = (false, false);
        let file = ShaderFile { name, source, imports: &[], guards_data, swaps_operands };
        Shader::of(file, Params::from_bytes(params), groups)
    }

    /// Creates a dispatch of a file of this crate without overrides.
    pub(crate) fn of(file: ShaderFile, params: Params, groups: usize) -> Self {
        Shader { file, overrides: Vec::new(), params, workgroups: fold(groups) }
    }

    /// Declares the fragments of `shaders/lib` that the file calls, by name. One that does not exist
    /// is refused when the operation is built.
    pub fn importing(mut self, imports: &'static [&'static str]) -> Self {
        self.file.imports = imports;
        self
    }

    /// Sets the value of an override.
    pub fn with_override(mut self, name: &'static str, value: f64) -> Self {
        self.overrides.push((name, value));
        self
    }
}

/// A loop over elements of the results.
#[derive(Clone)]
pub struct CpuKernel {
    /// Chunks of each result start and end at multiples of this many of its elements. All results
    /// have the same number of granules.
    pub(crate) granules: Vec<usize>,
    /// Operations per element of the first result, which determine the size of chunks.
    pub(crate) work: usize,
    pub(crate) compute: Arc<Compute>,
}

impl CpuKernel {
    /// Creates a loop whose results come in groups of `granule` elements of about `work` operations
    /// each. `compute` receives the words of the operands and of some groups of results: floats
    /// as their bits, which `bytemuck::cast_slice` converts to `f32`.
    pub fn new(
        granule: usize,
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
    ) -> Self {
        let granule = granule.max(1);
        CpuKernel::with_siblings([granule], work, move |operands, first, outs| {
            compute(operands, first * granule, outs[0]);
        })
    }

    /// Creates a loop over several results. `compute` receives the words of the operands, the number
    /// of the first granule, and some granules of every result; none of those that are not read.
    pub(crate) fn with_siblings<const N: usize>(
        granules: [usize; N],
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [&mut [u32]]) + Send + Sync + 'static,
    ) -> Self {
        let granules = granules.map(|granule| granule.max(1)).into();
        CpuKernel { granules, work: work.max(1), compute: Arc::new(compute) }
    }
}

/// The type of [`CpuKernel::compute`].
type Compute = dyn Fn(&[&[u32]], usize, &mut [&mut [u32]]) + Send + Sync;

impl std::fmt::Debug for CpuKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CpuKernel {{ granules: {:?}, work: {} }}", self.granules, self.work)
    }
}

/// The largest grid along an axis that every adapter accepts.
pub(crate) const MAX_GROUPS: u32 = 65_535;

/// A grid of at least `groups` workgroups, numbered `wid.x + wid.y * groups.x`.
pub(crate) fn fold(groups: usize) -> Workgroups {
    let groups = groups.max(1) as u32;
    let y = groups.div_ceil(MAX_GROUPS);
    Workgroups { extents: [groups.div_ceil(y), y, 1], are_numbered: true, memory: 0 }
}
