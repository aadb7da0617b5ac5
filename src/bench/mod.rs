//! What a device really gives: what it can do at best, and what known work takes of it.
//!
//! * [`ceilings`]: rates of arithmetic, bandwidths and latencies, measured by loops that do nothing
//!   else.
//! * [`workloads()`]: work by name, from single operations to whole training steps. Each can tell in f64
//!   what it should have computed.
//! * [`run`]: every workload on every device in turns, checked, timed and set beside the ceiling that
//!   binds it. A [`Row`] is what is said of one.
//! * [`Report`]: the rows with machine and ceilings, to be kept; [`compare`] sets two beside each other.
//!
//! A row's *share of the ceiling* is the time that the work takes at least, divided by the time it
//! took: at least, that is its operations at the measured rate of its type, or the bytes that have to
//! be read and written once at the measured bandwidth of copying, whichever is longer.

pub mod ceilings;
mod check;
mod compare;
mod report;
mod run;
mod saved;
mod times;
mod workload;
mod workloads;

pub use ceilings::{Ceiling, Limit};
pub use compare::{Change, Comparison, compare};
pub use report::{DeviceSummary, Machine, Outcome, Report, Row};
pub use run::{Event, Options, run};
pub use times::Times;
pub use workload::{Prepared, Workload};
pub use workloads::{SIZES, workloads};
