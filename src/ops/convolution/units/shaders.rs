//! The variants of `shaders/convolution/convolution_units.wgsl`.

use super::{super::shaders::unfolded_params, Problem, UnitConvolution};
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    tiles::{Order, grid},
    units::{EDGE_FRAGMENTS, UNIT_FRAGMENTS, UnitTile},
};

/// The fragments for each size of matrices and each tile, and for weights and images whose channels are
/// whole vec4s or not.
static IMPORTS: [[&str; 9]; 16] = {
    let mut all = [[""; 9]; 16];
    let mut index = 0;
    while index < all.len() {
        let [edge, tile, a, b] = [index % 2, index / 2 % 2, index / 4 % 2, index / 8];
        all[index] = [
            EDGE_FRAGMENTS[edge],
            UNIT_FRAGMENTS[tile],
            ["load_a_scalar", "load_a_vec4"][a],
            ["load_b_scalar", "load_b_vec4"][b],
            "channels_last",
            "grid",
            "parts",
            "store_images",
            "units",
        ];
        index += 1;
    }
    all
};

impl UnitConvolution {
    /// A shader for each tile and each size of subgroups.
    pub(super) fn shaders(&self, problem: &Problem) -> Vec<Shader> {
        let tiles = problem.forward_extents().tiles_on_units(self.units, self.is_split);
        tiles.into_iter().map(|tile| self.shader(problem, tile)).collect()
    }

    fn shader(&self, problem: &Problem, tile: UnitTile) -> Shader {
        let extents = problem.forward_extents();
        let order = extents.order_on_units();
        let [down, across] = tile.grid(&extents);
        let axes = [down, across, extents.products * order.parts(extents.terms)];
        let (workgroups, is_folded) = grid(axes, tile.memory);
        // Operands without elements are bound to less than a vec4.
        let has_quads = |elements: usize, line: usize| elements > 0 && line.is_multiple_of(4);
        let of_weight = has_quads(extents.terms, extents.terms);
        let of_images =
            has_quads(problem.batch * problem.pixels() * problem.inputs, problem.inputs);
        let [a, b] = [of_weight, of_images].map(usize::from);
        let edge = usize::from(self.units.edge == 16);
        let imports = &IMPORTS[edge + 2 * tile.fragment + 4 * a + 8 * b];
        let flags = [
            ("A_ALONG_K", true),
            ("B_ALONG_K", true),
            ("HAS_QUADS", of_images),
            ("IS_DEEP", problem.is_deep()),
            ("IS_FOLDED", is_folded),
            ("IS_IN_PARTS", matches!(order, Order::Parts(_))),
            ("IS_SPLIT", self.is_split),
        ];
        let flags = flags.map(|(name, is_set)| (name, f64::from(u8::from(is_set))));
        Shader {
            file: ShaderFile { imports, ..shader_file!("convolution/convolution_units", []) },
            overrides: tile.overrides().into_iter().chain(flags).collect(),
            params: unfolded_params(problem, &extents, order, axes),
            workgroups,
        }
    }
}
