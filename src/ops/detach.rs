//! Stopping the gradient.

use super::class::Layout;
use super::*;

/// The same elements, without passing on a cotangent.
#[derive(Clone, Debug, PartialEq)]
pub struct Detach;

impl<'g> Tensor<'g> {
    /// The same value as a constant for differentiation.
    ///
    /// # Gradient
    ///
    /// None.
    #[doc(alias("stop_gradient", "requires_grad"))]
    #[track_caller]
    pub fn detach(self) -> Tensor<'g> {
        self.graph.push(Detach, &[self])
    }
}

impl std::fmt::Display for Detach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("detach")
    }
}

impl Operation for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        Ok(operands[0].clone())
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        operands[0].clone()
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Reshape)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, _: &[&Meta], _: &Meta) -> Cost {
        Cost::default()
    }

    fn samples() -> Vec<Sample> {
        let sample = Sample::new(Detach, [Meta::new([3, 5], crate::dtype::DType::F32)]);
        let sample = sample.bound(Bound::Exact, "the same elements").without_gradient();
        with_halves(vec![sample], &[""])
    }
}
