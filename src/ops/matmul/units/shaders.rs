//! The variants of `shaders/matmul_units.wgsl`.

use super::{
    super::shaders::{PANEL, as_overrides},
    Product, UnitMatmul,
};
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    tiles::grid,
    units::{EDGE_FRAGMENTS, UNIT_FRAGMENTS, UnitTile},
};

/// The fragments for each size of matrices and each tile, and for operands and results whose rows are
/// whole vec4s or not.
static IMPORTS: [[&str; 8]; 32] = {
    let mut all = [[""; 8]; 32];
    let mut index = 0;
    while index < all.len() {
        let [edge, tile, a, b, c] =
            [index % 2, index / 2 % 2, index / 4 % 2, index / 8 % 2, index / 16];
        all[index] = [
            EDGE_FRAGMENTS[edge],
            UNIT_FRAGMENTS[tile],
            ["load_a_scalar", "load_a_vec4"][a],
            ["load_b_scalar", "load_b_vec4"][b],
            ["store_scalar", "store_vec4"][c],
            "grid",
            "parts",
            "units",
        ];
        index += 1;
    }
    all
};

impl UnitMatmul {
    /// A shader for each tile and each size of subgroups.
    pub(super) fn shaders(&self, product: Product) -> Vec<Shader> {
        let tiles = product.extents().tiles_on_units(self.units, self.is_split);
        tiles.into_iter().map(|tile| self.shader(product, tile)).collect()
    }

    fn shader(&self, product: Product, tile: UnitTile) -> Shader {
        let extents = product.extents();
        let order = extents.order_on_units();
        let [down, across] = tile.grid(&extents);
        let panel = if down >= 2 * PANEL && across > 1 { PANEL } else { 1 };
        let products = product.batches * order.parts(product.k);
        let axes = [panel * across, down.div_ceil(panel), products];
        let (workgroups, is_folded) = grid(axes, tile.memory);
        let [a, b, c] = product.has_whole_vec4s().map(usize::from);
        let edge = usize::from(self.units.edge == 16);
        let imports = &IMPORTS[edge + 2 * tile.fragment + 4 * a + 8 * b + 16 * c];
        let sizes = tile.overrides().into_iter().chain([("PANEL", panel as f64)]);
        let flags = product.flags_of(order, is_folded).chain([("IS_SPLIT", self.is_split)]);
        Shader {
            file: ShaderFile { imports, ..shader_file!("matmul_units", []) },
            overrides: sizes.chain(as_overrides(flags)).collect(),
            params: product.params(order, axes),
            workgroups,
        }
    }
}
