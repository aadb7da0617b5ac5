//! Shaders become pipelines: with which checks, from which files, in which cache.

#[cfg(any(test, feature = "cli"))]
use super::edit;
use super::{
    GpuDevice,
    counters::count,
    pipelines::{Pipeline, Pipelines, Source},
};
use crate::{error::Error, gpu::codegen::Assembly};
use std::sync::{Arc, MutexGuard, PoisonError};

impl GpuDevice {
    /// Sets whether programs compiled for this handle keep the runtime checks of wgpu in every shader:
    /// indices are clamped, loops bounded, and workgroup memory zeroed. Without, kernels of this crate
    /// lose them once both forms were seen to give the same bits; those of other crates never do.
    ///
    /// By default only software drivers keep them, which take longer to compile a second form than it
    /// would save.
    pub fn with_runtime_checks(self, is_checked: bool) -> GpuDevice {
        GpuDevice { is_checked, ..self }
    }

    /// A handle that neither reads compiled pipelines from the cache directory nor keeps them there.
    /// Drivers with a cache of their own, as most have, are not affected.
    #[cfg(feature = "files")]
    pub fn without_pipeline_files(self) -> GpuDevice {
        GpuDevice { keeps_pipelines: false, ..self }
    }

    /// The pipeline of a shader, compiled on first use.
    pub(crate) fn pipeline(&self, assembly: &Assembly) -> Result<Arc<Pipeline>, Error> {
        self.pipelines_for(assembly).of(assembly, || self.compiled(assembly))
    }

    /// Compiles the pipelines that are missing, side by side. One that fails is left to
    /// [`pipeline`](Self::pipeline).
    pub(crate) fn compile_all<'a>(&self, assemblies: impl Iterator<Item = &'a Assembly> + Clone) {
        let Some(first) = assemblies.clone().next() else { return };
        self.pipelines_for(first).compile_all(assemblies, |assembly| self.compiled(assembly));
    }

    fn compiled(&self, assembly: &Assembly) -> Result<Pipeline, Error> {
        self.leave_room(0)?;
        count(&self.shared.tally.pipelines, 1);
        let source = Source {
            device: &self.shared.device,
            #[cfg(feature = "files")]
            files: self.shared.pipeline_files.as_ref().filter(|_| self.keeps_pipelines),
        };
        source.compile(assembly)
    }

    /// A handle that changes shaders before it compiles them.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn edited(&self, change: impl Fn(&mut Assembly) + Send + Sync + 'static) -> Self {
        GpuDevice { edit: Some(Arc::new(edit::Edit::new(change))), ..self.clone() }
    }

    /// The cache in which the pipeline of a shader belongs.
    fn pipelines_for(&self, _assembly: &Assembly) -> MutexGuard<'_, Pipelines> {
        let pipelines = self.shared.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(any(test, feature = "cli"))]
        if let Some(edit) = self.edit.as_ref().filter(|_| !pipelines.has(_assembly)) {
            return edit.pipelines();
        }
        pipelines
    }
}
