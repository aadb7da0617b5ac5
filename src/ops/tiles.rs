//! Tiles of products: which serve a shape, in order of preference, and in which order they sum.
//!
//! The shape alone decides in which order terms are summed, [`Order`], and so every bit of the result.
//! Among the tiles of an order it only decides which is preferred: they agree bit for bit.

use super::{
    contract::Bound,
    kernel::{MAX_GROUPS, Workgroups, fold},
};

/// Extents of products of matrices, whether they are written as such or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents {
    pub products: usize,
    pub rows: usize,
    pub columns: usize,
    pub terms: usize,
}

/// A tile of a workgroup.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// Rows and columns.
    pub rows: usize,
    pub columns: usize,
    /// Terms per step.
    terms: usize,
    /// Stages in workgroup memory: with two, the next step is loaded during the arithmetic of one.
    stages: usize,
    /// Index in [`FRAGMENTS`] of the sums of an invocation.
    pub fragment: usize,
    /// Part of the instructions of the inner loop that multiply and add, on a GPU with 32 banks of
    /// workgroup memory and 16 bytes a load.
    share: f64,
}

/// Fragments with the sums of an invocation.
pub(super) const FRAGMENTS: [&str; 4] = ["tile_4x4", "tile_8x4", "tile_8x8", "tile_4x4_sliced"];

/// In which order the terms of an element are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// One after another.
    Sequential,
    /// In four slices, which are added in order: of every 32 terms in a row, each slice takes eight.
    Sliced,
    /// In parts of this many terms, which workgroups of their own sum one after another; the sums are
    /// added by another dispatch.
    Parts(usize),
}

/// Tiles below which each of them is shared by four slices of its terms: the invocations of one per
/// tile would leave a large device idle.
const FEW: usize = 128;

/// Terms from which slices have enough of them.
const LONG: usize = 256;

/// Slices of an element.
const SLICES: usize = 4;

/// Terms from which a second dispatch that adds up parts of them is worth it.
const VERY_LONG: usize = 1024;

/// Workgroups that parts make where there are terms enough: two for each of the 132 multiprocessors of an H100.
const WANTED: usize = 264;

/// Least terms of a part.
const LEAST: usize = 256;

/// From the one that reads least to the one that keeps most of a device busy. Compilers for Hopper,
/// RDNA 3 and the M1 give all of them registers enough in products of floats; 16 KiB of workgroup
/// memory, which every device has, hold all but the third. The last one is for drivers in software,
/// which compile it in a third of the time.
const TILES: [Tile; 6] = [
    Tile { rows: 128, columns: 128, terms: 8, stages: 1, fragment: 2, share: 0.85 },
    Tile { rows: 128, columns: 64, terms: 8, stages: 1, fragment: 2, share: 0.82 },
    Tile { rows: 64, columns: 64, terms: 16, stages: 2, fragment: 1, share: 0.78 },
    Tile { rows: 64, columns: 32, terms: 16, stages: 2, fragment: 0, share: 0.70 },
    Tile { rows: 32, columns: 32, terms: 16, stages: 2, fragment: 0, share: 0.66 },
    Tile { rows: 32, columns: 32, terms: 8, stages: 2, fragment: 0, share: 0.60 },
];

/// A tile of patches of images, which competes with [`TILES`] where a convolution's window moves by one pixel:
/// rows of outputs, and at most so many columns of positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    pub rows: usize,
    pub columns: usize,
    /// As of tiles, of the unfolded input: patches have a fifth more multiply-adds.
    share: f64,
}

/// From the one that loads least to the one that leaves least idle. Compilers for Hopper, RDNA 3 and the M1
/// keep the sums of all of them in registers, and 16 KiB hold them.
pub(super) const PATCHES: [Patch; 3] = [
    Patch { rows: 64, columns: 256, share: 0.98 },
    Patch { rows: 64, columns: 128, share: 0.94 },
    Patch { rows: 32, columns: 256, share: 0.96 },
];

/// The same of the gradient of a weight: rows of outputs, and columns of inputs, each of which is as many as the
/// window has taps.
pub(super) const WEIGHT_PATCHES: [Patch; 3] = [
    Patch { rows: 64, columns: 16, share: 0.93 },
    Patch { rows: 64, columns: 8, share: 0.88 },
    Patch { rows: 32, columns: 16, share: 0.88 },
];

/// Tiles for [`Order::Sliced`]; the second one fits 16 KiB.
const SLICED: [Tile; 2] = [
    Tile { rows: 32, columns: 32, terms: 32, stages: 2, fragment: 3, share: 0.64 },
    Tile { rows: 16, columns: 32, terms: 32, stages: 2, fragment: 3, share: 0.50 },
];

/// Workgroups that keep a large device busy: fewer take as long.
pub(super) const BUSY: usize = 200;

impl Tile {
    /// Rows and columns of tiles.
    pub fn grid(self, extents: &Extents) -> [usize; 2] {
        [extents.rows.div_ceil(self.rows), extents.columns.div_ceil(self.columns)]
    }

    /// How long the tile takes, in units that are the same for all of them.
    fn time(self, extents: &Extents) -> f64 {
        let [down, across] = self.grid(extents);
        let workgroups = (extents.products * down * across).max(BUSY);
        (workgroups * self.rows * self.columns) as f64 / self.share
    }

    /// Bytes of workgroup memory: stages of both operands, with a vec4 more for each term.
    pub fn memory(self) -> u32 {
        (self.stages * self.terms * (self.rows / 4 + self.columns / 4 + 2) * 16) as u32
    }

    /// The overrides of `shaders/lib/stages.wgsl`.
    pub fn overrides(self) -> [(&'static str, f64); 4] {
        [("BM", self.rows), ("BN", self.columns), ("BK", self.terms), ("STAGES", self.stages)]
            .map(|(name, value)| (name, value as f64))
    }
}

impl Patch {
    /// How long so many workgroups take that have this many columns, in the units of tiles.
    pub(in crate::ops) fn time(self, workgroups: usize, columns: usize) -> f64 {
        (workgroups.max(BUSY) * self.rows * columns) as f64 / self.share
    }
}

impl Extents {
    /// Tiles of 32 x 32 elements.
    fn small_tiles(&self) -> usize {
        self.products * self.rows.div_ceil(32) * self.columns.div_ceil(32)
    }

    /// Tiles of 64 x 64 elements.
    fn large_tiles(&self) -> usize {
        self.products * self.rows.div_ceil(64) * self.columns.div_ceil(64)
    }

    /// In which order a GPU sums the terms of an element.
    pub fn order(&self) -> Order {
        self.order_in(part(self.terms, self.large_tiles()))
    }

    /// The same of a result that is small beside its operands, as the gradient of a weight is: rather more
    /// workgroups than wanted than fewer.
    pub fn order_of_small_result(&self) -> Order {
        let wanted = match self.large_tiles() {
            0 => 0,
            tiles => WANTED.div_ceil(tiles),
        };
        self.order_in(part_of(self.terms, wanted))
    }

    fn order_in(&self, part: Option<usize>) -> Order {
        if let Some(length) = part {
            Order::Parts(length)
        } else if self.terms >= LONG && self.small_tiles() < FEW {
            Order::Sliced
        } else {
            Order::Sequential
        }
    }

    /// An order in words, with what it follows from, unless terms are summed one after another.
    pub fn in_words(&self, order: Order) -> Option<String> {
        let terms = self.terms;
        match order {
            Order::Sequential => None,
            Order::Sliced => {
                Some(format!("in {SLICES} slices of {terms} terms, {} tiles", self.small_tiles()))
            }
            Order::Parts(length) => {
                let (parts, tiles) = (order.parts(terms), self.large_tiles());
                Some(format!("in {parts} parts of {length} terms, {tiles} tiles"))
            }
        }
    }

    /// Tiles that sum in an order, the one that takes least time first; among equals, the largest.
    pub fn tiles(&self, order: Order) -> Vec<Tile> {
        let mut tiles = match order {
            Order::Sequential | Order::Parts(_) => TILES.to_vec(),
            Order::Sliced => SLICED.to_vec(),
        };
        let apart = self.with_parts(order);
        tiles.sort_by(|a, b| a.time(&apart).total_cmp(&b.time(&apart)));
        tiles
    }

    /// The same products, each of which has parts of its terms.
    fn with_parts(&self, order: Order) -> Extents {
        Extents { products: self.products * order.parts(self.terms), ..*self }
    }

    /// How long the fastest tile takes, in the units of [`Tile::time`].
    pub fn time(&self, order: Order) -> f64 {
        let fastest = self.tiles(order)[0];
        fastest.time(&self.with_parts(order))
    }
}

/// Terms of a part, if so many of them are split over several workgroups for each of `tiles`: a whole
/// number of steps of any tile.
pub(super) fn part(terms: usize, tiles: usize) -> Option<usize> {
    part_of(terms, WANTED.checked_div(tiles).unwrap_or(0))
}

/// The same if so many parts are wanted.
fn part_of(terms: usize, wanted: usize) -> Option<usize> {
    if terms < VERY_LONG {
        return None;
    }
    let parts = wanted.min(terms / LEAST);
    (parts > 1).then(|| terms.div_ceil(parts).next_multiple_of(32))
}

impl Order {
    /// The order in which the same tiles sum rows of an operand as they are: not in slices.
    pub(super) fn of_rows(self) -> Order {
        if self == Order::Sliced { Order::Sequential } else { self }
    }

    /// Into how many parts it splits these terms.
    pub(super) fn parts(self, terms: usize) -> usize {
        if let Order::Parts(length) = self { terms.div_ceil(length) } else { 1 }
    }

    /// Terms of a part of these.
    pub(super) fn length(self, terms: usize) -> usize {
        if let Order::Parts(length) = self { length } else { terms }
    }

    /// Error bound of sums of this many terms, and its justification.
    pub(super) fn accuracy(self, terms: usize) -> (Bound, &'static str) {
        match self {
            Order::Sequential => {
                let reason =
                    "k roundings of partial sums, which stay below a quarter of the magnitudes";
                (Bound::Terms(3.0 + terms as f64 / 4.0), reason)
            }
            Order::Sliced => {
                let reason = "k / 4 roundings of partial sums in each of four slices, which stay below \
                              a quarter of the magnitudes, and three of their sums";
                (Bound::Terms(6.0 + terms as f64 / 16.0), reason)
            }
            Order::Parts(length) => {
                let reason = "a rounding for each term of a part and for each part, of partial sums \
                              that stay below a quarter of the magnitudes";
                (Bound::Terms(6.0 + (length + self.parts(terms)) as f64 / 4.0), reason)
            }
        }
    }
}

/// The grid of `shaders/lib/grid.wgsl`, and whether it is folded.
pub(super) fn grid(extents: [usize; 3], memory: u32) -> (Workgroups, bool) {
    let is_folded = extents.iter().any(|&extent| extent > MAX_GROUPS as usize);
    let workgroups = if is_folded {
        fold(extents.iter().product())
    } else {
        let extents = extents.map(|extent| extent as u32);
        Workgroups { extents, are_numbered: false, memory: 0 }
    };
    (Workgroups { memory, ..workgroups }, is_folded)
}
