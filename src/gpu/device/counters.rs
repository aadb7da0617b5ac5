//! Counters of wgpu objects and commands.

use std::sync::atomic::{AtomicU64, Ordering};

/// Objects and commands a device has created and executed since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Buffers created.
    pub buffers: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Compute pipelines created.
    pub pipelines: u64,
    /// Dispatches recorded.
    pub dispatches: u64,
    /// Submissions to the queue.
    pub submissions: u64,
}

/// The live counters of a device.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub buffers: AtomicU64,
    pub bind_groups: AtomicU64,
    pub pipelines: AtomicU64,
    pub dispatches: AtomicU64,
    pub submissions: AtomicU64,
}

impl Tally {
    /// The current counts.
    pub fn read(&self) -> Counters {
        Counters {
            buffers: self.buffers.load(Ordering::Relaxed),
            bind_groups: self.bind_groups.load(Ordering::Relaxed),
            pipelines: self.pipelines.load(Ordering::Relaxed),
            dispatches: self.dispatches.load(Ordering::Relaxed),
            submissions: self.submissions.load(Ordering::Relaxed),
        }
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
