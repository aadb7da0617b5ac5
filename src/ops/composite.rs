//! Operations that are defined by an expansion into others.

use super::{Op, Operation, class::Class, contract::Sample, cost::Cost, kernel::Kernel};
use crate::{array64::Array64, autodiff, error::OpError, graph::Tensor, interpret, shape::Meta};

/// An operation whose definition is an expression of other operations.
///
/// The expansion serves as the f64 oracle, as the fallback where no kernel applies, and as the
/// derivative if none is given.
pub(crate) trait Composite: Clone + Into<Op> {
    /// Name in errors and test output.
    fn name(&self) -> &'static str;

    /// Shape and element type of the result.
    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError>;

    /// The definition, in other operations.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g>;

    /// The cotangent of each operand; `None` to differentiate the expansion instead.
    fn vjp<'g>(
        &self,
        _operands: &[Tensor<'g>],
        _y: Tensor<'g>,
        _ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        None
    }

    /// Whether there is a kernel for these shapes; given together with [`kernel`](Self::kernel).
    fn has_kernel(&self, _operands: &[&Meta], _result: &Meta) -> bool {
        false
    }

    /// The kernel; called only if [`has_kernel`](Self::has_kernel) holds.
    fn kernel(&self, _operands: &[&Meta], _result: &Meta) -> Option<Kernel> {
        None
    }

    /// The cost on these shapes.
    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost;

    /// The samples to test it on, with the error bound of a device.
    fn samples() -> Vec<Sample>;
}

impl<C: Composite> Operation for C {
    fn name(&self) -> &'static str {
        Composite::name(self)
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        Composite::infer(self, operands)
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        interpret::expanded(&self.clone().into(), operands)
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        Composite::vjp(self, operands, y, ct)
            .unwrap_or_else(|| autodiff::through_expansion(&self.clone().into(), operands, ct))
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        Some(Composite::expand(self, operands))
    }

    fn class(&self, operands: &[&Meta], result: &Meta) -> Class {
        Class::kernel_if(self.has_kernel(operands, result))
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        if self.has_kernel(operands, result) {
            Composite::kernel(self, operands, result)
        } else {
            None
        }
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Composite::cost(self, operands, result)
    }

    fn samples() -> Vec<Sample> {
        C::samples()
    }
}
