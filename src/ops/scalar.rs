//! Functions of single elements: their implementations in shaders, on the CPU and in f64.

use super::contract::Bound;
use crate::dtype::DType;

/// A function of elements: an expression in WGSL, loops over blocks of words on the CPU.
pub(crate) trait Scalar {
    /// The result as a WGSL expression of the operands, and the fragments of `shaders/lib` it
    /// calls. In shaders booleans are `bool`; they are words only in storage.
    fn wgsl(&self, operands: &[&str], dtype: DType, result: DType) -> Wgsl;

    /// Computes a block: `dtype` is the type of the last operand, `result` that of the result.
    fn cpu(&self, operands: &[&[u32]], dtype: DType, result: DType, out: &mut [u32]);

    /// The definition, in f64.
    fn eval(&self, operands: &[f64], dtype: DType, result: DType) -> f64;

    /// Error bound of a device given exact operands, and its justification.
    fn accuracy(&self, dtype: DType, result: DType) -> (Bound, &'static str);
}

/// A WGSL expression and its dependencies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wgsl {
    /// The expression.
    pub text: String,
    /// Fragments of `shaders/lib` it calls.
    pub lib: &'static [&'static str],
}

impl Wgsl {
    /// An expression of WGSL's own functions.
    pub fn new(text: impl Into<String>) -> Self {
        Wgsl { text: text.into(), lib: &[] }
    }

    /// An expression that calls these fragments.
    pub fn with(text: impl Into<String>, lib: &'static [&'static str]) -> Self {
        Wgsl { text: text.into(), lib }
    }
}

/// Declares the functions of a kind: the enum, the list of all, and the name of each in errors and
/// dumps.
macro_rules! functions {
    ($(#[$attribute:meta])* $Kind:ident { $($(#[$doc:meta])* $Function:ident $name:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $Kind { $($(#[$doc])* $Function,)* }

        impl $Kind {
            const ALL: &[$Kind] = &[$($Kind::$Function),*];

            /// Its name in errors and dumps.
            pub fn name(self) -> &'static str {
                match self { $($Kind::$Function => $name,)* }
            }
        }
    };
}
pub(super) use functions;
