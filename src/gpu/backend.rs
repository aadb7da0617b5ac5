//! The GPU as a backend: compiles programs of verified kernels.

use super::{device::GpuDevice, run::GpuProgram};
use crate::{
    backend::{Backend, Compiled},
    error::Error,
    graph::{Graph, NodeId},
    ops::precision::MatrixUnits,
    schedule::plan::Plan,
};
use std::sync::Arc;

impl GpuDevice {
    /// Compiles a program from a plan, with kernels verified according to the device's policy.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) if the device cannot run it; a
    /// [`DeviceError`](crate::DeviceError) if there is not enough memory.
    pub(crate) fn program(&self, plan: Arc<Plan>) -> Result<GpuProgram, Error> {
        GpuProgram::new(self, plan, |steps, partials| self.trusted(steps, partials))
    }
}

impl Backend for GpuDevice {
    fn matrix_units(&self) -> Vec<MatrixUnits> {
        GpuDevice::matrix_units(self)
    }

    fn pairs_grads(&self) -> bool {
        true
    }

    fn half_bytes(&self) -> usize {
        2
    }

    fn has_own_memory(&self) -> bool {
        !matches!(self.kind(), "integrated-gpu" | "software-gpu")
    }

    fn can_allocate(&self, bytes: u64) -> bool {
        let largest = self.shared.limits.max_buffer_size.max(1);
        let mut left = bytes;
        let mut held = Vec::new();
        while left > 0 {
            let size = left.min(largest) / 4 * 4;
            match self.storage("trial", size) {
                Ok(buffer) => held.push(buffer),
                Err(_) => return false,
            }
            left = left.saturating_sub(size.max(4));
        }
        true
    }

    fn name(&self) -> String {
        self.name()
    }

    fn kind(&self) -> &'static str {
        self.kind()
    }

    fn numerics(&self) -> String {
        format!("{}, {}, {}", self.backend(), self.name(), self.driver())
    }

    fn largest_binding(&self) -> Option<u64> {
        let limits = &self.shared.limits;
        Some(limits.max_storage_buffer_binding_size.min(limits.max_buffer_size))
    }

    fn interpret(&self, _: &Graph, _: &[NodeId], _: bool) -> Option<Compiled> {
        None
    }

    fn compile(&self, plan: Arc<Plan>) -> Compiled {
        Ok(Box::new(self.program(plan)?))
    }
}
