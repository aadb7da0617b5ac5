//! The first moments of a wait for a GPU, awake.
//!
//! A thread that sleeps in the driver is woken tens of microseconds after the GPU has finished: on an
//! H100 a dispatch takes 52 to 60 microseconds to come back to a host that sleeps, and 32 to one that
//! does not (`docs/performance.md`). So a wait first asks again and again. A driver that is software needs
//! the core for the work itself.

use std::{
    hint,
    time::{Duration, Instant},
};

/// How long to stay awake: about what sleeping costs, so that no wait takes twice as long as the better
/// choice would have.
const PATIENCE: Duration = Duration::from_micros(50);

/// How long a wait for an adapter of this type stays awake.
pub(super) fn patience(device_type: wgpu::DeviceType) -> Duration {
    match device_type {
        wgpu::DeviceType::Cpu => Duration::ZERO,
        _ => PATIENCE,
    }
}

/// Asks until the answer is yes or time is up; returns whether it was yes.
pub(super) fn spin(patience: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    if patience.is_zero() {
        return false;
    }
    let begin = Instant::now();
    loop {
        if is_done() {
            return true;
        }
        if begin.elapsed() >= patience {
            return false;
        }
        hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};

    #[test]
    fn software_is_not_asked() {
        let never = || -> bool { unreachable!("it would take the core that the work needs") };
        assert!(!spin(patience(Cpu), never));
        for hardware in [DiscreteGpu, IntegratedGpu, VirtualGpu, Other] {
            assert_eq!(patience(hardware), PATIENCE);
        }
    }

    #[test]
    fn it_ends_with_the_first_yes_and_with_time() {
        let mut asked = 0;
        let third = || {
            asked += 1;
            asked == 3
        };
        assert!(spin(Duration::MAX, third));
        assert_eq!(asked, 3);
        let mut asked = 0;
        let never = || {
            asked += 1;
            false
        };
        assert!(!spin(Duration::from_nanos(1), never));
        assert!(asked > 0);
    }
}
