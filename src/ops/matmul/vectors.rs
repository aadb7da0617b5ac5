//! Products of a matrix with a few vectors, by `shaders/matmul_vector.wgsl`.

use super::{
    Product,
    shaders::{Results, Served, Terms, as_overrides},
};
use crate::ops::{
    contract::Bound,
    kernel::{Shader, ShaderFile, shader_file},
    tiles::{Order, grid, part},
};

/// Most rows of the first operand, or columns of the second one, that are vectors.
const MOST: usize = 4;

/// Least terms of such a product: many invocations share those of an element.
const LEAST_TERMS: usize = 256;

/// Invocations for the same elements.
const LANES: usize = 32;

/// Rows or columns of the matrix that a workgroup takes, and its invocations.
const LINES: usize = 32;
const INVOCATIONS: usize = 256;

/// A product of a matrix with a few vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors {
    /// How many vectors.
    count: usize,
    /// Rows of the first operand if that is the matrix, else columns of the second one.
    lines: usize,
    is_matrix_a: bool,
}

impl Product {
    /// The product as one with vectors, if it is one.
    pub(super) fn vectors(&self) -> Option<Vectors> {
        let &Product { m, n, k, .. } = self;
        let is_matrix_a = n < m;
        let (count, lines) = if is_matrix_a { (n, m) } else { (m, n) };
        let is_served = (1..=MOST).contains(&count) && k >= LEAST_TERMS;
        is_served.then_some(Vectors { count, lines, is_matrix_a })
    }

    pub(super) fn served_as_vectors(self, vectors: Vectors, terms: Terms) -> Served {
        let Vectors { count, lines, is_matrix_a } = vectors;
        let across = lines.div_ceil(LINES);
        let length = part(self.k, self.batches * across);
        let order = length.map_or(Order::Sequential, Order::Parts);
        let (parts, length) = (order.parts(self.k), order.length(self.k));
        let extents = [across, 1, self.batches * parts];
        // A vec4 of sums for each invocation and vector.
        let (workgroups, is_folded) = grid(extents, (count * INVOCATIONS * 16) as u32);
        let flags = [("IS_MATRIX_A", is_matrix_a)].into_iter();
        let flags = as_overrides(flags.chain(self.flags_of(order, is_folded)));
        let imports = &self.imports(0, terms, Results::Product)[2..];
        let shader = Shader {
            file: ShaderFile { imports, ..shader_file!("matmul_vector", []) },
            overrides: [("VECTORS", count as f64)].into_iter().chain(flags).collect(),
            params: self.params(order, extents),
            workgroups,
        };
        let reason = "a rounding for each term of a lane, for each step of their tree and for each part, \
                      of partial sums that stay below a quarter of the magnitudes";
        let roundings = (length / LANES + parts) as f64;
        let by = format!("{count} by {lines}");
        let order = match parts {
            1 => format!("in {LANES} lanes of {length} terms, {by}"),
            _ => format!("in {parts} parts of {length} terms, {LANES} lanes each, {by}"),
        };
        Served {
            shaders: vec![shader],
            parts,
            accuracy: (Bound::Terms(8.0 + roundings / 4.0), reason),
            order: Some(order),
        }
    }
}
