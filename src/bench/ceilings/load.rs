//! A load that raises the clocks of a GPU before something is timed on it.

use super::{bare::Bare, fma::FmaLoop};
use crate::{device::Device, error::Error, gpu::GpuDevice};
use std::time::{Duration, Instant};

/// A load for one GPU.
///
/// A GPU that has been idle for a few seconds runs at a fraction of its clock rate, a sixth on an
/// NVIDIA H200, and a load that is waited for again and again is not enough to bring it back: its
/// runs are then measured at a clock rate that nobody chose. A loop of multiply-adds without pauses
/// brings it back within half a second.
pub struct Load {
    bare: Bare,
    fma: FmaLoop,
    /// The shortest pass so far.
    shortest: Duration,
}

/// Duration of a pass at most: long compared with the pause after it.
const PASS: Duration = Duration::from_millis(10);
/// Time for the first passes, after which the clocks are taken to be up.
const FIRST: Duration = Duration::from_millis(600);
/// Time for later passes at most: a GPU that is too hot never gets back to the shortest.
const LATER: Duration = Duration::from_secs(1);

impl Load {
    /// The load of a device; none for the CPU and for software GPUs, whose clocks are the
    /// processor's.
    ///
    /// # Errors
    ///
    /// If the adapter cannot be opened once more.
    pub fn of(device: &Device) -> Result<Option<Self>, Error> {
        match device {
            Device::Gpu(gpu) if gpu.kind() != "software-gpu" => Load::open(gpu).map(Some),
            _ => Ok(None),
        }
    }

    fn open(gpu: &GpuDevice) -> Result<Self, Error> {
        let bare = Bare::open(gpu)?;
        let fma = FmaLoop::new(&bare, PASS)?;
        let mut load = Load { bare, fma, shortest: Duration::MAX };
        load.run(FIRST, |_, _| false)?;
        Ok(load)
    }

    /// Runs until passes take as long as the shortest so far.
    ///
    /// # Errors
    ///
    /// Any error of the device.
    pub fn raise_clocks(&mut self) -> Result<(), Error> {
        self.run(LATER, |pass, shortest| pass.as_secs_f64() < 1.03 * shortest.as_secs_f64())
    }

    /// Runs for this time, or until three passes in a row are as `enough` wants them, given the
    /// duration of a pass and of the shortest.
    fn run(
        &mut self,
        most: Duration,
        enough: impl Fn(Duration, Duration) -> bool,
    ) -> Result<(), Error> {
        let (begin, mut in_a_row) = (Instant::now(), 0);
        while in_a_row < 3 && begin.elapsed() < most {
            let pass = self.fma.pass(&self.bare)?;
            self.shortest = self.shortest.min(pass);
            in_a_row = if enough(pass, self.shortest) { in_a_row + 1 } else { 0 };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Selection;

    /// On whatever adapter answers; that clocks rise can be seen on hardware only.
    #[test]
    fn passes_shrink_to_the_shortest() -> Result<(), Error> {
        let device = Device::select_blocking(&Selection::Gpu);
        let Ok(Device::Gpu(gpu)) = &device else {
            eprintln!("skipped: {device:?}");
            return Ok(());
        };
        let mut load = Load::open(gpu)?;
        let first = load.shortest;
        load.raise_clocks()?;
        assert!(Duration::ZERO < load.shortest && load.shortest <= first);
        assert!(Load::of(&Device::cpu())?.is_none());
        Ok(())
    }
}
