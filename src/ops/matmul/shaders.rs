//! The variants of `shaders/matmul.wgsl`.

use super::Product;
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    params::params,
    tiles::{Extents, FRAGMENTS, Tile, grid},
};

/// Rows of tiles whose workgroups are next to each other where there are many in both directions, so
/// that a cache holds what they share.
pub(super) const PANEL: usize = 8;

/// The fragments for each tile, and for operands and results whose rows are whole vec4s or not.
static IMPORTS: [[&str; 5]; 32] = {
    let mut all = [[""; 5]; 32];
    let mut index = 0;
    while index < all.len() {
        let [a, b, c] = [index / 4 % 2, index / 8 % 2, index / 16];
        all[index] = [
            FRAGMENTS[index % 4],
            ["load_a_scalar", "load_a_vec4"][a],
            ["load_b_scalar", "load_b_vec4"][b],
            ["store_scalar", "store_vec4"][c],
            "grid",
        ];
        index += 1;
    }
    all
};

impl Product {
    /// Its extents as those of tiles.
    pub fn extents(&self) -> Extents {
        Extents { products: self.batches, rows: self.m, columns: self.n, terms: self.k }
    }

    /// A shader for each tile that sums in the order of this shape.
    pub fn shaders(self) -> Vec<Shader> {
        let extents = self.extents();
        extents.tiles(extents.order()).into_iter().map(|tile| self.shader(tile)).collect()
    }

    fn shader(self, tile: Tile) -> Shader {
        let Product { batches, m, n, k, transposed: [transpose_a, transpose_b], .. } = self;
        let [down, across] = tile.grid(&self.extents());
        let panel = if down >= 2 * PANEL && across > 1 { PANEL } else { 1 };
        let extents = [panel * across, down.div_ceil(panel), batches];
        let (workgroups, is_folded) = grid(extents, tile.memory());
        let mut overrides = tile.overrides().to_vec();
        overrides.extend([
            ("PANEL", panel as f64),
            ("A_ALONG_K", f64::from(u8::from(!transpose_a))),
            ("B_ALONG_K", f64::from(u8::from(transpose_b))),
            ("IS_FOLDED", f64::from(u8::from(is_folded))),
        ]);
        Shader {
            file: self.file(tile),
            overrides,
            params: params! { batches, m, n, k, grid_x: extents[0], grid_y: extents[1] },
            workgroups,
        }
    }

    /// Whether rows of the operands and of the result are whole vec4s, as they lie in memory.
    pub fn has_whole_vec4s(&self) -> [bool; 3] {
        let &Product { m, n, k, transposed: [transpose_a, transpose_b], .. } = self;
        // An operand without elements is bound to less than a vec4.
        let of_operand = |row: usize| k > 0 && row.is_multiple_of(4);
        let a = of_operand(if transpose_a { m } else { k });
        let b = of_operand(if transpose_b { k } else { n });
        [a, b, n.is_multiple_of(4)]
    }

    /// The file with the fragments for this tile, and for how rows lie in memory.
    fn file(self, tile: Tile) -> ShaderFile {
        let [a, b, c] = self.has_whole_vec4s().map(usize::from);
        let imports = &IMPORTS[tile.fragment + 4 * a + 8 * b + 16 * c];
        ShaderFile { imports, ..shader_file!("matmul", []) }
    }
}
