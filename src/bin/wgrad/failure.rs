//! What ends the program.

/// An error for people.
pub type Failure = Box<dyn std::error::Error>;
