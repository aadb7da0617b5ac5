//! Gradients of the weight where the window moves by one pixel, from patches of images: their shaders, and how
//! long they take.

use super::{direct::plane, pass::Pass};
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    matmul::Results,
    params::params,
    tiles::{Order, Patch, WEIGHT_PATCHES, grid},
};

/// Most rows and columns of a window: an invocation has four sums for each tap.
const LONGEST: usize = 3;

/// Most positions of a step; 16 KiB of workgroup memory, which every device has, hold them.
const MOST: usize = 32;

/// Fewest positions of a line: a step of less loads more than it multiplies.
const LEAST: usize = 16;

/// Imports of the gradient of a weight, and of that with the gradient of a bias.
static IMPORTS: [[&str; 7]; 2] = [
    ["add_products", "bias", "grid", "line", "parts", "patch_terms", "weight"],
    ["add_products", "bias", "grid", "line", "parts", "patch_terms", "weight_and_bias"],
];

/// Part of the inputs and outputs of tiles that has to exist, or the tiles of products are smaller.
const FILLED: f64 = 1.0 / 3.0;

/// The gradient of the weight of a convolution whose window moves by one pixel and is small, alone or with that of the
/// bias.
pub(super) struct DirectWeightGrad {
    forward: Pass,
    results: Results,
}

/// Instructions of an invocation for a line of so many vec4s, by the listings for Hopper: at each of them 16
/// multiply-adds a tap, beside loads from workgroup memory, and 300 for what a segment loads. A patch's share is
/// that of the longest segment and the largest window.
fn instructions(vec4s: usize, segments: usize, [rows, columns]: [usize; 2]) -> f64 {
    (vec4s * (16 * rows * columns + 2 * rows + 13) + 300 * segments) as f64
}

impl DirectWeightGrad {
    /// The gradient for a convolution, if patches can serve it: four neighbors of a line are loaded at once.
    pub(super) fn of(forward: &Pass, results: Results) -> Option<Self> {
        let is_small = forward.window.iter().all(|&extent| extent <= LONGEST);
        let columns = forward.y[2];
        let has_quads = columns >= LEAST && columns.is_multiple_of(4);
        let is_served = forward.moves_by_one() && is_small && has_quads;
        is_served.then_some(DirectWeightGrad { forward: *forward, results })
    }

    /// Shaders that sum in an order, with how long they take in the units of tiles; the fastest first.
    pub(super) fn shaders(&self, order: Order) -> Vec<(f64, Shader)> {
        let shaders = WEIGHT_PATCHES.iter().filter_map(|&tile| self.shader(tile, order));
        let mut shaders: Vec<_> = shaders.collect();
        shaders.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        shaders
    }

    fn shader(&self, tile: Patch, order: Order) -> Option<(f64, Shader)> {
        let Pass { batch, groups, inputs, outputs, x, y, window, low, .. } = self.forward;
        let [x, y, window, low] = [x, y, window, low].map(plane);
        let terms = batch * y[0] * y[1];
        let (grid_x, grid_y) = (outputs.div_ceil(tile.rows), inputs.div_ceil(tile.columns));
        let axes = [grid_x, grid_y, groups * order.parts(terms)];
        let workgroups: usize = axes.iter().product();
        let of_tiles = grid_x * tile.rows * grid_y * tile.columns;
        if ((outputs * inputs) as f64) < FILLED * of_tiles as f64 || workgroups == 0 {
            return None;
        }
        // As few segments of a line as there can be, and as short.
        let segments = y[1].div_ceil(MOST);
        let positions = y[1].div_ceil(segments).next_multiple_of(4);
        let taps = window[0] * window[1];
        let each = instructions(y[1] / 4, segments, window) / (y[1] * taps) as f64;
        let least = instructions(MOST / 4, 1, [LONGEST; 2]) / (MOST * LONGEST * LONGEST) as f64;
        let time = tile.time(workgroups, tile.columns * taps) * each / least;
        let quads =
            positions * (tile.rows / 4 + 1) + tile.columns * window[0] * (positions / 4 + 1);
        let (workgroups, is_folded) = grid(axes, (16 * quads) as u32);
        let overrides = [
            ("BM", tile.rows),
            ("CHANNELS", tile.columns),
            ("TILE_COLUMNS", positions),
            ("WINDOW_ROWS", window[0]),
            ("WINDOW_COLUMNS", window[1]),
            ("HAS_BIAS", usize::from(self.results == Results::Grads)),
            ("IS_FOLDED", usize::from(is_folded)),
            ("IS_IN_PARTS", usize::from(matches!(order, Order::Parts(_)))),
        ];
        let shader = Shader {
            file: ShaderFile {
                imports: match self.results {
                    Results::Product => &IMPORTS[0],
                    Results::Grads => &IMPORTS[1],
                },
                ..shader_file!("convolution/convolution_direct_weight_grad", [])
            },
            overrides: overrides.map(|(name, value)| (name, value as f64)).into(),
            params: params! {
                rows: x[0],
                columns: x[1],
                y_rows: y[0],
                y_columns: y[1],
                low_rows: low[0],
                low_columns: low[1],
                inputs,
                outputs,
                groups,
                terms,
                part: order.length(terms),
                grid_x,
                grid_y,
                ct_len: groups * outputs * terms,
            },
            workgroups,
        };
        Some((time, shader))
    }
}
