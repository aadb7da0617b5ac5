//! Sources of values: inputs, given at each run, and variables, which persist between runs.

use super::*;

/// A value given at each run.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub(crate) name: String,
    pub(crate) meta: Meta,
}

/// A value that persists between runs; the node is its value before the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub(crate) path: String,
    pub(crate) meta: Meta,
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "input[{}]", self.name)
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "variable[{}]", self.path)
    }
}

macro_rules! source {
    ($Name:ident, $name:literal) => {
        impl Operation for $Name {
            fn name(&self) -> &'static str {
                $name
            }

            fn infer(&self, _: &[Meta]) -> Result<Meta, OpError> {
                Ok(self.meta.clone())
            }

            fn eval(&self, _: &[&Array64]) -> Array64 {
                unreachable!("the interpreter asks its caller for the value of a source")
            }

            fn vjp<'g>(
                &self,
                _: &[Tensor<'g>],
                _: Tensor<'g>,
                _: Tensor<'g>,
            ) -> Vec<Option<Tensor<'g>>> {
                vec![]
            }

            fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
                None
            }

            fn class(&self, _: &[&Meta], _: &Meta) -> Class {
                Class::Source
            }

            fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
                None
            }

            fn cost(&self, _: &[&Meta], _: &Meta) -> Cost {
                Cost::default()
            }

            /// None: every other sample has inputs.
            fn samples() -> Vec<Sample> {
                vec![]
            }
        }
    };
}
source!(Input, "input");
source!(Variable, "variable");
