//! Which tiles of `shaders/matmul.wgsl` serve, in order of preference.
//!
//! The shape alone decides in which order terms are summed, [`Order`], and so every bit of the result.
//! Among the tiles of an order it only decides which is preferred: they agree bit for bit.

use super::Product;
use crate::ops::{
    contract::Bound,
    kernel::{MAX_GROUPS, Shader, ShaderFile, Workgroups, fold, shader_file},
    params::params,
};

/// A tile of a workgroup.
#[derive(Clone, Copy, Debug)]
struct Tile {
    /// Rows and columns.
    rows: usize,
    columns: usize,
    /// Terms per step.
    terms: usize,
    /// Index in [`FRAGMENTS`] of the sums of an invocation.
    fragment: usize,
    /// Part of the instructions of the inner loop that multiply and add, on a GPU with 32 banks of
    /// workgroup memory and 16 bytes a load.
    share: f64,
}

/// Fragments with the sums of an invocation.
const FRAGMENTS: [&str; 4] = ["tile_4x4", "tile_8x4", "tile_8x8", "tile_4x4_sliced"];

/// In which order the terms of an element are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// One after another.
    Sequential,
    /// In four slices, which are added in order: of every 32 terms in a row, each slice takes eight.
    Sliced,
}

/// Tiles below which each of them is shared by four slices of its terms: the invocations of one per
/// tile would leave a large device idle.
const FEW: usize = 128;

/// Terms from which slices have enough of them.
const LONG: usize = 256;

/// Slices of an element.
const SLICES: usize = 4;

/// From the one that reads least to the one that keeps most of a device busy. Compilers for Hopper,
/// RDNA 3 and the M1 give all of them registers enough; 16 KiB of workgroup memory, which every
/// device has, hold all but the first and the third.
const TILES: [Tile; 5] = [
    Tile { rows: 128, columns: 128, terms: 8, fragment: 2, share: 0.85 },
    Tile { rows: 128, columns: 64, terms: 8, fragment: 2, share: 0.82 },
    Tile { rows: 64, columns: 64, terms: 16, fragment: 1, share: 0.78 },
    Tile { rows: 64, columns: 32, terms: 16, fragment: 0, share: 0.70 },
    Tile { rows: 32, columns: 32, terms: 16, fragment: 0, share: 0.66 },
];

/// The same for [`Order::Sliced`]; the second one fits 16 KiB.
const SLICED: [Tile; 2] = [
    Tile { rows: 32, columns: 32, terms: 32, fragment: 3, share: 0.64 },
    Tile { rows: 16, columns: 32, terms: 32, fragment: 3, share: 0.50 },
];

/// Workgroups that keep a large device busy: fewer take as long.
const BUSY: usize = 200;

/// Rows of tiles whose workgroups are next to each other where there are many in both directions, so
/// that a cache holds what they share.
const PANEL: usize = 8;

/// The fragments for each tile, and for operands and results whose rows are whole vec4s or not.
static IMPORTS: [[&str; 4]; 32] = {
    let mut all = [[""; 4]; 32];
    let mut index = 0;
    while index < all.len() {
        let [a, b, c] = [index / 4 % 2, index / 8 % 2, index / 16];
        all[index] = [
            FRAGMENTS[index % 4],
            ["load_a_scalar", "load_a_vec4"][a],
            ["load_b_scalar", "load_b_vec4"][b],
            ["store_scalar", "store_vec4"][c],
        ];
        index += 1;
    }
    all
};

impl Tile {
    /// Rows and columns of tiles.
    fn grid(self, product: &Product) -> [usize; 2] {
        [product.m.div_ceil(self.rows), product.n.div_ceil(self.columns)]
    }

    /// How long the tile takes for a product, in units that are the same for all of them.
    fn time(self, product: &Product) -> f64 {
        let [down, across] = self.grid(product);
        let workgroups = (product.batches * down * across).max(BUSY);
        (workgroups * self.rows * self.columns) as f64 / self.share
    }

    /// Bytes of workgroup memory: two stages of both operands, with a vec4 more for each term.
    fn memory(self) -> u32 {
        (2 * self.terms * (self.rows / 4 + self.columns / 4 + 2) * 16) as u32
    }
}

impl Product {
    /// Tiles of 32 x 32 elements.
    fn small_tiles(&self) -> usize {
        self.batches * self.m.div_ceil(32) * self.n.div_ceil(32)
    }

    /// In which order a GPU sums the terms of an element.
    pub fn order(&self) -> Order {
        let is_sliced = self.k >= LONG && self.small_tiles() < FEW;
        if is_sliced { Order::Sliced } else { Order::Sequential }
    }

    /// The order in words, with what it follows from, unless terms are summed one after another.
    pub fn order_in_words(&self) -> Option<String> {
        let of_tiles =
            || format!("{SLICES} slices of {} terms, {} tiles", self.k, self.small_tiles());
        (self.order() == Order::Sliced).then(of_tiles)
    }

    /// Error bound on a GPU, and its justification.
    pub fn accuracy(&self) -> (Bound, &'static str) {
        match self.order() {
            Order::Sequential => super::accuracy(self.k),
            Order::Sliced => {
                let reason = "k / 4 roundings of partial sums in each of four slices, which stay below \
                              a quarter of the magnitudes, and three of their sums";
                (Bound::Terms(6.0 + self.k as f64 / 16.0), reason)
            }
        }
    }

    /// A shader for each tile, the one that takes least time first; among equals, the largest.
    pub fn shaders(self) -> Vec<Shader> {
        let mut tiles = match self.order() {
            Order::Sequential => TILES.to_vec(),
            Order::Sliced => SLICED.to_vec(),
        };
        tiles.sort_by(|a, b| a.time(&self).total_cmp(&b.time(&self)));
        tiles.into_iter().map(|tile| self.shader(tile)).collect()
    }

    fn shader(self, tile: Tile) -> Shader {
        let Product { batches, m, n, k, transposed: [transpose_a, transpose_b], .. } = self;
        let [down, across] = tile.grid(&self);
        let panel = if down >= 2 * PANEL && across > 1 { PANEL } else { 1 };
        let extents = [panel * across, down.div_ceil(panel), batches];
        let is_folded = extents.iter().any(|&extent| extent > MAX_GROUPS as usize);
        let workgroups = if is_folded {
            fold(extents.iter().product())
        } else {
            let extents = extents.map(|extent| extent as u32);
            Workgroups { extents, are_numbered: false, memory: 0 }
        };
        let overrides = [
            ("BM", tile.rows),
            ("BN", tile.columns),
            ("BK", tile.terms),
            ("PANEL", panel),
            ("A_ALONG_K", usize::from(!transpose_a)),
            ("B_ALONG_K", usize::from(transpose_b)),
            ("IS_FOLDED", usize::from(is_folded)),
        ];
        Shader {
            file: self.file(tile),
            overrides: overrides.map(|(name, value)| (name, value as f64)).into(),
            params: params! { batches, m, n, k, grid_x: extents[0], grid_y: extents[1] },
            workgroups: Workgroups { memory: tile.memory(), ..workgroups },
        }
    }

    /// The file with the fragments for this tile, and for how rows lie in memory.
    fn file(self, tile: Tile) -> ShaderFile {
        let Product { m, n, k, transposed: [transpose_a, transpose_b], .. } = self;
        let is_vec4 = |row: usize| usize::from(row.is_multiple_of(4));
        // An operand without elements is bound to less than a vec4.
        let of_operand = |row: usize| if k > 0 { is_vec4(row) } else { 0 };
        let a = of_operand(if transpose_a { m } else { k });
        let b = of_operand(if transpose_b { k } else { n });
        let imports = &IMPORTS[tile.fragment + 4 * a + 8 * b + 16 * is_vec4(n)];
        ShaderFile { imports, ..shader_file!("matmul", []) }
    }
}
