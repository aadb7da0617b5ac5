//! What a step must give, whoever computes it: the reason to trust a kernel.
//!
//! Tests prove kernels on the machines that run the tests. Whether they are right on the adapter
//! and driver at hand is another question, so a device asks it before it runs a step for the first
//! time: the step gets seeded operands, at the very shapes it will run on, and a [`Case`] says in
//! f64 what some of its results are (the first, the last, and some between along every axis) and
//! how far a device may be off.
//!
//! The bound of a result follows its expression. What is loaded is exact; every function moves
//! what its operands may be off by ([`Approx`]), and adds what it may be off by itself, which its
//! file says. Where the two ways of a choice both lie within the error, either is right. A kernel
//! is proved on parts of its problem that can be computed alone ([`Probe`](crate::ops::probe::Probe)), by the definition of
//! its operation.
//!
//! What is proved is that a device computes what the plan says. That the plan says what the graph
//! says does not depend on a device: tests compare both with the reference.

mod error_bound;
mod isolated;
mod probe;
mod seeds;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use isolated::Isolated;
pub(crate) use step::Case;
