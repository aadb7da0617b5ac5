//! Variants of kernels that were measured to be the fastest on a device.

use super::GpuDevice;
use crate::ops::kernel::Shader;
use std::sync::PoisonError;
#[cfg(feature = "bench")]
use std::{io, path::PathBuf};

impl GpuDevice {
    /// The fastest of these variants, if that was measured on this adapter and driver.
    pub(crate) fn tuned(&self, variants: &[Shader]) -> Option<usize> {
        self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner).best(variants)
    }

    /// Notes the fastest of these variants for programs that are compiled from now on.
    #[cfg(feature = "bench")]
    pub(crate) fn tune(&self, variants: &[Shader], best: usize, label: &str) {
        let mut tuning = self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        tuning.note(variants, best, label);
    }

    /// Writes what was noted to the cache directory; returns the file, `None` if there is no such
    /// directory.
    #[cfg(feature = "bench")]
    pub(crate) fn save_tuning(&self) -> io::Result<Option<PathBuf>> {
        let tuning = self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tuning.save()?.map(Into::into))
    }
}
