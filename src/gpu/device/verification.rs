//! Kernel verification policy and statistics.

/// When the kernels of a program are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// On first use on this adapter and driver; results of earlier verifications, by this process
    /// or another, are trusted.
    #[default]
    Lazy,
    /// Once in every process, regardless of earlier verifications.
    Full,
    /// Never: results come from unverified kernels.
    Off,
}

/// Verification statistics of a device since it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Proofs {
    /// Number of kernels verified.
    pub proved: u64,
    /// Number of kernels verified earlier.
    pub known: u64,
    /// Number of kernels used unverified, under [`Verification::Off`] or for lack of a definition.
    pub unproved: u64,
    /// Steps of operations of other crates that have no definition: their results cannot be
    /// checked.
    pub undefined: Vec<String>,
    /// Time spent on verification.
    pub seconds: f64,
    /// Descriptions of kernels that are used although their results of NaN, infinities or other
    /// special values were wrong, because no other one is right. All others were correct.
    pub finite_only: Vec<String>,
    /// Descriptions of kernels that keep the runtime checks of wgpu, because without them the results
    /// were others.
    pub checked_only: Vec<String>,
    /// Descriptions of kernels that failed.
    pub quarantined: Vec<String>,
}
