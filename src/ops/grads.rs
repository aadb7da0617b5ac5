//! The two gradients of a layer that one pass over its cotangent gives.

/// Which gradient of a layer it is. Operations for either, with the same operands, are siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GradOf {
    /// The gradient of the weight, which multiplies inputs.
    Weight,
    /// The gradient of the bias: the cotangent of the results that it is added to, summed over them.
    Bias,
}

impl GradOf {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            GradOf::Weight => GradOf::Bias,
            GradOf::Bias => GradOf::Weight,
        }
    }

    /// Its name in shaders and plans.
    pub fn name(self) -> &'static str {
        match self {
            GradOf::Weight => "weight",
            GradOf::Bias => "bias",
        }
    }
}
