//! The error type of the program.

/// A human-readable error.
pub type Failure = Box<dyn std::error::Error>;
