//! A GPU as a device: programs of kernels that are proved.

use super::{device::GpuDevice, run::GpuProgram};
use crate::{
    backend::{Backend, Compiled},
    error::Error,
    graph::{Graph, NodeId},
    schedule::plan::Plan,
};
use std::sync::Arc;

impl GpuDevice {
    /// A program of a plan, by kernels that are proved as the device says.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) where the device cannot run it; a
    /// [`DeviceError`](crate::DeviceError) where there is not enough memory.
    pub(crate) fn program(&self, plan: Arc<Plan>) -> Result<GpuProgram, Error> {
        GpuProgram::new(self, plan, |steps, partials| self.trusted(steps, partials))
    }
}

impl Backend for GpuDevice {
    fn name(&self) -> String {
        self.name()
    }

    fn kind(&self) -> &'static str {
        self.kind()
    }

    fn interpret(&self, _: &Graph, _: &[NodeId], _: bool) -> Option<Compiled> {
        None
    }

    fn compile(&self, plan: Arc<Plan>) -> Compiled {
        Ok(Box::new(self.program(plan)?))
    }
}
