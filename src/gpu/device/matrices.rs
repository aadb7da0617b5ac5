//! Shapes of the matrix products that the subgroups of an adapter compute in hardware.

use std::fmt;
use wgpu::CooperativeScalarType;

/// A product of cooperative matrices, `[m, k] x [k, n] + [m, n]`, that a subgroup computes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CooperativeMatrix {
    /// Rows of the left operand and of the result.
    pub m: u32,
    /// Columns of the right operand and of the result.
    pub n: u32,
    /// Columns of the left operand, rows of the right one.
    pub k: u32,
    /// Type of the operands: `f32`, `f16`, `i32` or `u32`.
    pub operands: &'static str,
    /// Type of what is added, and of the result.
    pub result: &'static str,
}

impl fmt::Display for CooperativeMatrix {
    /// `16x16x16 f16 -> f32`: m, n, k and the types.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CooperativeMatrix { m, n, k, operands, result } = self;
        write!(f, "{m}x{n}x{k} {operands} -> {result}")
    }
}

/// The products that an adapter lists, each once: saturation makes two of one.
pub(super) fn matrices(listed: &[wgpu::CooperativeMatrixProperties]) -> Vec<CooperativeMatrix> {
    let mut matrices = Vec::new();
    for properties in listed {
        let matrix = CooperativeMatrix {
            m: properties.m_size,
            n: properties.n_size,
            k: properties.k_size,
            operands: scalar(properties.ab_type),
            result: scalar(properties.cr_type),
        };
        if !matrices.contains(&matrix) {
            matrices.push(matrix);
        }
    }
    matrices
}

fn scalar(scalar: CooperativeScalarType) -> &'static str {
    match scalar {
        CooperativeScalarType::F32 => "f32",
        CooperativeScalarType::F16 => "f16",
        CooperativeScalarType::I32 => "i32",
        CooperativeScalarType::U32 => "u32",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_listed_once() {
        let (ab_type, cr_type) = (CooperativeScalarType::F16, CooperativeScalarType::F32);
        let properties = |m_size, saturating_accumulation| wgpu::CooperativeMatrixProperties {
            m_size,
            n_size: 8,
            k_size: 16,
            ab_type,
            cr_type,
            saturating_accumulation,
        };
        let listed = [properties(8, false), properties(8, true), properties(16, false)];
        let texts: Vec<_> = matrices(&listed).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["8x8x16 f16 -> f32", "16x8x16 f16 -> f32"]);
    }
}
