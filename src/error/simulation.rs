//! A shader could not be simulated.

/// A shader could not be followed on the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// naga rejects the text, or what the host gives it.
    #[error("the shader is not valid: {message}")]
    Invalid {
        /// The compiler's message.
        message: String,
    },
    /// The shader uses a part of WGSL that the simulation does not know.
    #[error("line {line} is not supported: {what}")]
    Unsupported {
        /// The statement or expression.
        what: String,
        /// Line of the text.
        line: u32,
    },
    /// A variable has no memory: the host binds none, or too little.
    #[error("nothing that fits is bound to {variable}")]
    Unbound {
        /// Name of the variable.
        variable: String,
    },
    /// One workgroup takes more work than is allowed: it has an endless loop, or is very large.
    #[error("the loop in line {line} does not end, or takes more than {limit} operations")]
    Endless {
        /// Line of the innermost loop.
        line: u32,
        /// Evaluations of an expression by an invocation that a workgroup may take.
        limit: u64,
    },
}
