//! Expected results of a step, independent of the device: the reason to trust a kernel.
//!
//! Tests verify kernels only on the machines that run the tests. To know whether they are also
//! correct on the adapter and driver at hand, a device checks each step before it runs it for the
//! first time: the step gets seeded operands at exactly the shapes it will run on, and a [`Case`]
//! computes some of its results in f64 (the first, the last, and some in between along every axis)
//! together with the error that is allowed.
//!
//! The bound of a result follows its expression. Loads are exact; every function propagates the
//! error of its operands ([`Approx`]) and adds its own, which its file documents. Where both
//! outcomes of a comparison lie within the error, either is correct. A kernel is checked on parts
//! of its problem that can be computed separately ([`Probe`](crate::ops::probe::Probe)), by the
//! definition of its operation.
//!
//! A second case of the step has NaN, infinities, zeros and the like among its operands
//! ([`Case::special`]). There the definition often is NaN or infinite, and so must the result be.
//!
//! This proves that a device computes what the plan says. That the plan matches the graph does not
//! depend on the device: tests compare both with the reference.

mod error_bound;
mod isolated;
mod probe;
mod seeds;
mod special;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use isolated::Isolated;
pub(crate) use step::Case;
