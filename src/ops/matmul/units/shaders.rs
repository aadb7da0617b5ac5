//! The variants of `shaders/matmul_units.wgsl`.

use super::{super::shaders::PANEL, Product, STEP, UnitMatmul};
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    params::params,
    tiles::{BUSY, grid},
};

/// Subgroups of a workgroup.
const SUBGROUPS: usize = 8;

/// A square tile: the fragment with the sums of a subgroup, the matrices along an edge of the tile, and
/// the part of the time in which the units are busy.
#[derive(Clone, Copy)]
struct Tile {
    fragment: usize,
    matrices: usize,
    share: f64,
}

const TILES: [Tile; 2] =
    [Tile { fragment: 0, matrices: 8, share: 0.9 }, Tile { fragment: 1, matrices: 4, share: 0.5 }];

/// The fragments for each size of matrices and each tile, and for operands and results whose rows are
/// whole vec4s or not.
static IMPORTS: [[&str; 7]; 32] = {
    let mut all = [[""; 7]; 32];
    let mut index = 0;
    while index < all.len() {
        let [edge, tile, a, b, c] =
            [index % 2, index / 2 % 2, index / 4 % 2, index / 8 % 2, index / 16];
        all[index] = [
            ["units_8x8", "units_16x16"][edge],
            ["units_4x2", "units_2x1"][tile],
            ["load_a_scalar", "load_a_vec4"][a],
            ["load_b_scalar", "load_b_vec4"][b],
            ["store_scalar", "store_vec4"][c],
            "grid",
            "units",
        ];
        index += 1;
    }
    all
};

impl UnitMatmul {
    /// A shader for each tile and each size of subgroups.
    pub(super) fn shaders(&self, product: Product) -> Vec<Shader> {
        let edge = self.units.edge;
        let time = |tile: &Tile| {
            let rows = tile.matrices * edge;
            let tiles = product.batches * product.m.div_ceil(rows) * product.n.div_ceil(rows);
            (tiles.max(BUSY) * rows * rows) as f64 / tile.share
        };
        let mut tiles = TILES;
        tiles.sort_by(|a, b| time(a).total_cmp(&time(b)));
        let [likely, other] = self.units.lanes;
        let lanes = if likely == other { vec![likely] } else { vec![likely, other] };
        let of_lanes = lanes.into_iter().flat_map(|lanes| tiles.map(|tile| (tile, lanes)));
        of_lanes.filter_map(|(tile, lanes)| self.shader(product, tile, lanes)).collect()
    }

    /// The shader of a tile, unless an invocation would have less than a vec4 of it to move, or not
    /// registers enough: RDNA 3, whose subgroups are of 64, keeps operands twice.
    fn shader(&self, product: Product, tile: Tile, lanes: usize) -> Option<Shader> {
        let Product { batches, m, n, k, transposed: [transpose_a, transpose_b], .. } = product;
        let edge = self.units.edge;
        let (rows, terms) = (tile.matrices * edge, STEP * edge);
        let quads = rows * terms / 4 / (SUBGROUPS * lanes);
        if quads == 0 || (self.is_split && lanes > 32 && tile.matrices > 4) {
            return None;
        }
        let [down, across] = [m, n].map(|extent| extent.div_ceil(rows));
        let panel = if down >= 2 * PANEL && across > 1 { PANEL } else { 1 };
        let extents = [panel * across, down.div_ceil(panel), batches];
        // Two stages or two halves of both operands, with two vec4s more a line, and a matrix for each
        // subgroup.
        let memory = 4 * rows * (terms / 4 + 2) * 8 + SUBGROUPS * edge * edge * 4;
        let (workgroups, is_folded) = grid(extents, memory as u32);
        let flag = |is_so: bool| f64::from(u8::from(is_so));
        let [a, b, c] = product.has_whole_vec4s().map(usize::from);
        let imports =
            &IMPORTS[usize::from(edge == 16) + 2 * tile.fragment + 4 * a + 8 * b + 16 * c];
        Some(Shader {
            file: ShaderFile { imports, ..shader_file!("matmul_units", []) },
            overrides: vec![
                ("LANES", lanes as f64),
                ("QUADS", quads as f64),
                ("PANEL", panel as f64),
                ("A_ALONG_K", flag(!transpose_a)),
                ("B_ALONG_K", flag(transpose_b)),
                ("IS_SPLIT", flag(self.is_split)),
                ("IS_FOLDED", flag(is_folded)),
            ],
            params: params! { batches, m, n, k, grid_x: extents[0], grid_y: extents[1] },
            workgroups,
        })
    }
}
