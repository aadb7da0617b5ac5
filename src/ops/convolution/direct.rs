//! Convolutions whose window moves by one pixel, from patches of whole images: their shaders, and how long
//! they take.

use super::pass::Pass;
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    params::params,
    tiles::{PATCHES, Patch, grid},
};

/// Rows and columns of an image or a window.
type Plane = [usize; 2];

/// The longest line of a window that an invocation keeps in registers, and the most lines.
const LONGEST: usize = 5;

/// Inputs per step, where workgroup memory holds them.
const CHANNELS: usize = 8;

/// Bytes of workgroup memory that every device has.
const MEMORY: usize = 16 << 10;

/// Fewest invocations of a workgroup, each of which has 64 sums: two subgroups on most devices.
const INVOCATIONS: usize = 64;

/// Part of its tiles that has to lie in the result, or the tiles of products are smaller.
const FILLED: f64 = 1.0 / 3.0;

/// A convolution of images whose window moves by one pixel and is small.
pub(super) struct Direct(Pass);

/// Rows and columns of these extents.
pub(super) fn plane([_, rows, columns]: [usize; 3]) -> Plane {
    [rows, columns]
}

/// Vec4s of the patch of a tile's positions in a channel.
fn patch([rows, columns]: Plane, window: Plane) -> usize {
    (rows + window[0] - 1) * (columns / 4 + 1)
}

impl Direct {
    /// The pass, if patches can serve it.
    pub(super) fn of(pass: &Pass) -> Option<Self> {
        let is_small = pass.window.iter().all(|&extent| extent <= LONGEST);
        (pass.moves_by_one() && is_small).then_some(Direct(*pass))
    }

    /// Shaders for its tiles, with how long they take in the units of tiles; the fastest first. Tiles that
    /// are mostly idle are left out.
    pub(super) fn shaders(&self) -> Vec<(f64, Shader)> {
        let mut shaders: Vec<_> = PATCHES.iter().filter_map(|&tile| self.shader(tile)).collect();
        shaders.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        shaders
    }

    /// Rows and columns of a tile's positions, of which columns are whole eights: those that take least time.
    fn positions(&self, tile: Patch) -> Option<Plane> {
        let [y, window] = [self.0.y, self.0.window].map(plane);
        let lengths = (8..=tile.columns).step_by(8).take_while(|&length| length < y[1] + 8);
        let heights =
            |length: usize| (1..=tile.columns / length).take_while(|&height| height <= y[0]);
        let shapes = lengths.flat_map(|length| heights(length).map(move |height| [height, length]));
        let shapes = shapes.filter(|shape| shape[0] * shape[1] * tile.rows >= 64 * INVOCATIONS);
        // The cost of loads, in positions: by the listings for Hopper and a window of 3 x 3, the weights of
        // a step cost as much as 24 positions, and six vec4s of the patch as much as one. Each line counts
        // as one more vec4, since memory is read in whole sectors.
        let time = |shape: &Plane| {
            let tiles: usize = [0, 1].map(|axis| y[axis].div_ceil(shape[axis])).iter().product();
            let lines = shape[0] + window[0] - 1;
            let vec4s = ((patch(*shape, window) + lines) * 64 * 9) as f64;
            let loading = 24.0 + vec4s / (6 * tile.rows * window[0] * window[1]) as f64;
            tiles as f64 * ((shape[0] * shape[1]) as f64 + loading)
        };
        shapes.min_by(|a, b| time(a).total_cmp(&time(b)))
    }

    fn shader(&self, tile: Patch) -> Option<(f64, Shader)> {
        let Pass { batch, groups, inputs, outputs, is_flipped, .. } = self.0;
        let [x, y, window, low] = [self.0.x, self.0.y, self.0.window, self.0.low].map(plane);
        let products = batch * groups;
        let positions = self.positions(tile)?;
        let [down, across] = [0, 1].map(|axis| y[axis].div_ceil(positions[axis]));
        let (grid_x, grid_y) = (outputs.div_ceil(tile.rows), down * across);
        let axes = [grid_x, grid_y, products];
        let workgroups: usize = axes.iter().product();
        let columns = positions[0] * positions[1];
        let elements = products * outputs * y[0] * y[1];
        if (elements as f64) < FILLED * (workgroups * tile.rows * columns) as f64 || workgroups == 0
        {
            return None;
        }
        let time = tile.time(workgroups, columns);
        let of_channel = patch(positions, window) + window[0] * window[1] * (tile.rows / 4 + 1);
        // The invocations of a gradient tell each other of weights that are not finite.
        let least = if is_flipped { tile.rows * columns / 64 + 16 } else { 1 };
        let most = (MEMORY / 16 / of_channel).min(CHANNELS);
        let channels = most.min(inputs).max(least.div_ceil(of_channel));
        let (workgroups, is_folded) = grid(axes, (16 * channels * of_channel) as u32);
        let overrides = [
            ("BM", tile.rows),
            ("TILE_ROWS", positions[0]),
            ("TILE_COLUMNS", positions[1]),
            ("CHANNELS", channels),
            ("WINDOW_ROWS", window[0]),
            ("WINDOW_COLUMNS", window[1]),
            ("IS_FLIPPED", usize::from(is_flipped)),
            ("IS_FOLDED", usize::from(is_folded)),
        ];
        let file = shader_file!(
            "convolution/convolution_direct",
            ["add_products", "grid", "line", "patches", "sums_8x8", "wild"]
        );
        let shader = Shader {
            file: ShaderFile { swaps_operands: is_flipped, ..file },
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
                products,
                w_input: self.0.w_input,
                w_output: self.0.w_output,
                across,
                grid_x,
                grid_y,
            },
            workgroups,
        };
        Some((time, shader))
    }
}
