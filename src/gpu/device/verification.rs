//! When kernels are proved, and what has been proved.

/// When the kernels of a program are proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// When they are first needed on this adapter and driver; what was proved before, by this
    /// process or another, is trusted.
    #[default]
    Lazy,
    /// Once in every process, whatever was proved before.
    Full,
    /// Never: results come from kernels that nobody has checked.
    Off,
}

/// What a device has proved since it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Proofs {
    /// Kernels that were proved.
    pub proved: u64,
    /// Kernels that had been proved before.
    pub known: u64,
    /// Kernels that were taken unproved, under [`Verification::Off`] or for want of a definition.
    pub unproved: u64,
    /// Steps of operations of other crates that have no definition: nobody can say whether they
    /// are right.
    pub undefined: Vec<String>,
    /// Time the proofs took.
    pub seconds: f64,
    /// What became of kernels that failed.
    pub quarantined: Vec<String>,
}
