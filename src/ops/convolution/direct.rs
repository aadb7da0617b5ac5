//! Convolutions whose window moves by one pixel, from patches of whole images: their shaders, and how long
//! they take.

use super::Problem;
use crate::ops::{
    kernel::{Shader, ShaderFile, shader_file},
    params::params,
    tiles::{BUSY, grid},
};

/// Rows and columns of an image or a window.
type Plane = [usize; 2];

/// A tile of a workgroup: this many outputs at this many positions.
#[derive(Clone, Copy)]
struct Tile {
    outputs: usize,
    positions: usize,
    /// Part of the instructions that multiply and add, in the units of the tiles of products.
    share: f64,
}

/// From the one that loads least to the one that leaves least idle. Compilers for Hopper, RDNA 3 and the M1
/// keep the sums of all of them in registers.
const TILES: [Tile; 3] = [
    Tile { outputs: 64, positions: 256, share: 0.81 },
    Tile { outputs: 64, positions: 128, share: 0.76 },
    Tile { outputs: 32, positions: 256, share: 0.77 },
];

/// The longest line of a window that an invocation keeps in registers, and the most lines.
const LONGEST: usize = 5;

/// Inputs per step, where workgroup memory holds them.
const CHANNELS: usize = 8;

/// Bytes of workgroup memory that every device has.
const MEMORY: usize = 16 << 10;

/// Part of its tiles that has to lie in the result, or the tiles of products are smaller.
const FILLED: f64 = 1.0 / 3.0;

/// A convolution, or the gradient of its input as one.
pub(super) struct Direct {
    x: Plane,
    y: Plane,
    window: Plane,
    /// Zeros before x; negative numbers wrap.
    low: Plane,
    groups: usize,
    /// Images and groups.
    products: usize,
    inputs: usize,
    outputs: usize,
    /// From an input, and from an output, to the next in the weight.
    w_input: usize,
    w_output: usize,
    is_flipped: bool,
}

impl Problem {
    /// The convolution, if the window moves by one pixel and is small.
    pub(super) fn direct(&self) -> Option<Direct> {
        let &Problem { groups, inputs, outputs, axes: [_, rows, columns], .. } = self;
        let along = [rows, columns];
        let is_small = along.iter().all(|axis| axis.window <= LONGEST);
        let is_dense = along.iter().all(|axis| axis.stride == 1 && axis.dilation == 1);
        if self.is_deep() || !is_small || !is_dense || self.is_pointwise() {
            return None;
        }
        let taps = self.taps();
        Some(Direct {
            x: along.map(|axis| axis.extent),
            y: along.map(|axis| axis.out),
            window: along.map(|axis| axis.window),
            low: along.map(|axis| axis.low),
            groups,
            products: self.batch * groups,
            inputs,
            outputs,
            w_input: taps,
            w_output: inputs * taps,
            is_flipped: false,
        })
    }

    /// The gradient of the input, which is a convolution of the cotangent with the flipped window.
    pub(super) fn direct_input_grad(&self) -> Option<Direct> {
        let Direct { x, y, window, low, w_input, w_output, .. } = self.direct()?;
        let low = [0, 1].map(|axis| (window[axis] - 1).wrapping_sub(low[axis]));
        let (inputs, outputs) = (self.outputs, self.inputs);
        let (x, y, w_input, w_output) = (y, x, w_output, w_input);
        let (groups, products) = (self.groups, self.batch * self.groups);
        let is_flipped = true;
        Some(Direct {
            x,
            y,
            window,
            low,
            groups,
            products,
            inputs,
            outputs,
            w_input,
            w_output,
            is_flipped,
        })
    }
}

impl Direct {
    /// Shaders for its tiles, with how long they take in the units of the tiles of products; the fastest
    /// first. Tiles that are mostly idle are left out.
    pub(super) fn shaders(&self) -> Vec<(f64, Shader)> {
        let mut shaders: Vec<_> = TILES.iter().filter_map(|&tile| self.shader(tile)).collect();
        shaders.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        shaders
    }

    fn shader(&self, tile: Tile) -> Option<(f64, Shader)> {
        let &Direct { x, y, window, low, groups, products, inputs, outputs, .. } = self;
        let lengths =
            [8, 16, 32, 64, 128, 256].into_iter().filter(|&length| length <= tile.positions);
        let shape = |length| [tile.positions / length, length];
        let tiles = |extents: Plane| [0, 1].map(|axis| y[axis].div_ceil(extents[axis]));
        // Vec4s of a patch.
        let patch = |[rows, columns]: Plane| (rows + window[0] - 1) * (columns / 4 + 1);
        let cost = |extents: &Plane| (tiles(*extents).iter().product::<usize>(), patch(*extents));
        let extents = lengths.map(shape).min_by_key(cost)?;
        let [down, across] = tiles(extents);
        let (grid_x, grid_y) = (outputs.div_ceil(tile.outputs), down * across);
        let axes = [grid_x, grid_y, products];
        let workgroups: usize = axes.iter().product();
        let area = tile.outputs * tile.positions;
        let elements = products * outputs * y[0] * y[1];
        if (elements as f64) < FILLED * (workgroups * area) as f64 || workgroups == 0 {
            return None;
        }
        let of_channel = 16 * (patch(extents) + window[0] * window[1] * (tile.outputs / 4 + 1));
        let channels = (MEMORY / of_channel).min(CHANNELS).min(inputs).max(1);
        let time = (workgroups.max(BUSY) * area) as f64 / tile.share;
        let (workgroups, is_folded) = grid(axes, (channels * of_channel) as u32);
        let overrides = [
            ("BM", tile.outputs),
            ("TILE_ROWS", extents[0]),
            ("TILE_COLUMNS", extents[1]),
            ("CHANNELS", channels),
            ("WINDOW_ROWS", window[0]),
            ("WINDOW_COLUMNS", window[1]),
            ("IS_FLIPPED", usize::from(self.is_flipped)),
            ("IS_FOLDED", usize::from(is_folded)),
        ];
        let file = shader_file!(
            "convolution/convolution_direct",
            ["add_products", "grid", "patches", "sums_8x8", "wild"]
        );
        let shader = Shader {
            file: ShaderFile { swaps_operands: self.is_flipped, ..file },
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
                w_input: self.w_input,
                w_output: self.w_output,
                across,
                grid_x,
                grid_y,
            },
            workgroups,
        };
        Some((time, shader))
    }
}
