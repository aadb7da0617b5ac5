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
        let begin = Instant::now();
        while begin.elapsed() < FIRST {
            load.shortest = load.shortest.min(load.fma.pass(&load.bare)?);
        }
        Ok(load)
    }

    /// Runs until passes take as long as the shortest so far.
    ///
    /// # Errors
    ///
    /// Any error of the device.
    pub fn raise_clocks(&mut self) -> Result<(), Error> {
        let Load { bare, fma, shortest } = self;
        settle(shortest, LATER, || fma.pass(bare))
    }
}

/// Repeats `pass` until three in a row take at most 3% longer than the shortest so far, or for
/// this time at most.
fn settle(
    shortest: &mut Duration,
    most: Duration,
    mut pass: impl FnMut() -> Result<Duration, Error>,
) -> Result<(), Error> {
    let (begin, mut in_a_row) = (Instant::now(), 0);
    while in_a_row < 3 && begin.elapsed() < most {
        let took = pass()?;
        *shortest = took.min(*shortest);
        let is_short = took.as_secs_f64() <= 1.03 * shortest.as_secs_f64();
        in_a_row = if is_short { in_a_row + 1 } else { 0 };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Selection;

    /// Slow passes, and fast ones that slow ones follow, are not the end.
    #[test]
    fn clocks_are_up_after_three_short_passes_in_a_row() -> Result<(), Error> {
        let passes = [600, 600, 600, 400, 100, 102, 250, 101, 100, 102, 100, 600];
        let mut rest = passes.into_iter();
        let mut shortest = Duration::from_millis(100);
        let pass = || Ok(Duration::from_millis(rest.next().unwrap_or_default()));
        settle(&mut shortest, Duration::MAX, pass)?;
        assert_eq!(rest.len(), 2);
        assert_eq!(shortest, Duration::from_millis(100));
        Ok(())
    }

    /// On whatever adapter answers; that clocks rise can be seen on hardware only.
    #[test]
    fn a_load_runs_on_a_gpu_alone() -> Result<(), Error> {
        assert!(Load::of(&Device::cpu())?.is_none());
        let device = Device::select_blocking(&Selection::Gpu);
        let Ok(Device::Gpu(gpu)) = &device else {
            eprintln!("skipped: {device:?}");
            return Ok(());
        };
        let mut load = Load::open(gpu)?;
        load.raise_clocks()?;
        assert!(Duration::ZERO < load.shortest && load.shortest < Duration::MAX);
        Ok(())
    }
}
