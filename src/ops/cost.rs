//! Cost of an operation.

/// Cost of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Arithmetic operations; a multiply-add counts as two.
    pub flops: f64,
    /// Minimum number of bytes read and written, with everything read once.
    pub bytes: f64,
}

impl Cost {
    /// `flops` per element of the result; every operand is read and the result written once.
    pub fn elementwise(
        flops: f64,
        operands: &[&crate::shape::Meta],
        result: &crate::shape::Meta,
    ) -> Self {
        Cost { flops: flops * result.shape.len() as f64, ..Cost::moved(operands, result) }
    }

    /// No arithmetic; every operand is read and the result written once.
    pub fn moved(operands: &[&crate::shape::Meta], result: &crate::shape::Meta) -> Self {
        let elements: usize = operands.iter().chain([&result]).map(|meta| meta.shape.len()).sum();
        Cost { flops: 0.0, bytes: 4.0 * elements as f64 }
    }
}

impl std::ops::Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost { flops: self.flops + other.flops, bytes: self.bytes + other.bytes }
    }
}
