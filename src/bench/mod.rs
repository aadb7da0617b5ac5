//! Benchmarks: what a device can do at best, and what known workloads achieve.
//!
//! * [`ceilings`]: arithmetic rates, bandwidths and latencies, measured by loops that do nothing
//!   else.
//! * [`workloads()`]: named work, from single operations to complete training steps. Each can
//!   compute its expected results in f64.
//! * [`run`]: every workload on every device in turn, checked, timed and related to the ceiling
//!   that binds it. Each yields a [`Row`].
//! * [`sweep`]: every variant of a kernel, timed against the others.
//! * [`Report`]: the rows with machine and ceilings, for storage; [`compare`] relates two of them.
//!
//! A row's *share of the ceiling* is the minimum time of the work divided by the measured time: the
//! minimum is its operations at the measured rate of its type, or the bytes that have to be read
//! and written once at the measured copy bandwidth, whichever is longer.

mod busy;
pub mod ceilings;
mod check;
mod compare;
mod options;
mod report;
mod run;
mod saved;
pub mod sweep;
mod times;
mod workload;
mod workloads;

pub use ceilings::{Ceiling, Limit};
pub use compare::{Change, Comparison, compare};
pub use options::Options;
pub use report::{DeviceSummary, Machine, Outcome, Report, Row};
pub use run::{Event, run};
pub use times::Times;
pub use workload::{Prepared, Workload};
pub use workloads::{SIZES, workloads};
