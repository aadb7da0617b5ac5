//! Shapes of the matrix products that the subgroups of an adapter compute in hardware.

use super::GpuDevice;
use crate::ops::precision::MatrixUnits;
use std::fmt;
use wgpu::{CooperativeMatrixProperties, CooperativeScalarType, Features};

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
pub(super) fn matrices(listed: &[CooperativeMatrixProperties]) -> Vec<CooperativeMatrix> {
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

impl GpuDevice {
    /// Those of its units that multiply square matrices of halves and sum in f32, of the largest matrices
    /// first. None through Metal: naga's MSL loads matrices through pointers to scalars only, and tiles are
    /// of vec4s.
    pub(crate) fn matrix_units(&self) -> Vec<MatrixUnits> {
        let needed = Features::SHADER_F16 | Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        let is_vulkan = self.shared.info.backend == wgpu::Backend::Vulkan;
        if !is_vulkan || !self.shared.device.features().contains(needed) {
            return Vec::new();
        }
        let info = &self.shared.info;
        let lanes = [info.subgroup_max_size, info.subgroup_min_size].map(|lanes| lanes as usize);
        units(&self.shared.adapter.cooperative_matrix_properties(), lanes)
    }
}

/// The units among these properties, with subgroups of either size.
fn units(listed: &[CooperativeMatrixProperties], lanes: [usize; 2]) -> Vec<MatrixUnits> {
    let has = |edge: u32| {
        listed.iter().any(|properties| {
            [properties.m_size, properties.n_size, properties.k_size] == [edge; 3]
                && properties.ab_type == CooperativeScalarType::F16
                && properties.cr_type == CooperativeScalarType::F32
        })
    };
    let edges = [16, 8].into_iter().filter(|&edge| has(edge));
    edges.map(|edge| MatrixUnits { edge: edge as usize, lanes }).collect()
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
        let properties = |m_size, saturating_accumulation| CooperativeMatrixProperties {
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
