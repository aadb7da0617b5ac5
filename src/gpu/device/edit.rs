//! Shaders changed on their way to the driver.

use super::pipelines::Pipelines;
use crate::gpu::codegen::Assembly;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A change of every shader that a handle compiles.
pub(crate) struct Edit {
    change: Box<dyn Fn(&mut Assembly) + Send + Sync>,
    /// Pipelines of changed shaders, which go when the handle does.
    pipelines: Mutex<Pipelines>,
}

impl Edit {
    pub fn new(change: impl Fn(&mut Assembly) + Send + Sync + 'static) -> Self {
        Edit { change: Box::new(change), pipelines: Mutex::default() }
    }

    pub fn apply(&self, assembly: &mut Assembly) {
        (self.change)(assembly);
    }

    pub(super) fn pipelines(&self) -> MutexGuard<'_, Pipelines> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
