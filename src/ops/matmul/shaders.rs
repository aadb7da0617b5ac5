//! How a GPU calculates a product: the variants of `shaders/matmul.wgsl`, unless it is one with vectors.

use super::Product;
use crate::ops::{
    contract::Bound,
    kernel::{Shader, ShaderFile, shader_file},
    params::{Params, params},
    tiles::{Extents, FRAGMENTS, Order, Tile, grid},
};

/// Rows of tiles whose workgroups are next to each other where there are many in both directions, so
/// that a cache holds what they share.
pub(super) const PANEL: usize = 8;

/// The fragments for each tile, for operands whose rows are whole vec4s or not, for terms that are floats or words of
/// bytes, and for each way to store results. Products with vectors have those behind the tile and the bias.
static IMPORTS: [[&str; 8]; 96] = {
    let mut all = [[""; 8]; 96];
    let mut index = 0;
    while index < all.len() {
        all[index] = [
            FRAGMENTS[index % 4],
            "bias",
            ["load_a_scalar", "load_a_vec4"][index / 4 % 2],
            ["load_b_scalar", "load_b_vec4"][index / 8 % 2],
            ["add_products", "add_products_i8"][index / 16 % 2],
            ["store_scalar", "store_vec4", "store_grads"][index / 32],
            "grid",
            "parts",
        ];
        index += 1;
    }
    all
};

/// The kind of terms of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// Products of two floats.
    Floats,
    /// Sums of products of four bytes, of words.
    Bytes,
}

/// The results of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Results {
    Product,
    /// Gradients: that of a weight, which is the product, and that of a bias, which are sums of the first operand.
    Grads,
}

/// How a GPU calculates a product.
pub(super) struct Served<A = (Bound, &'static str)> {
    /// Variants that agree bit for bit.
    pub shaders: Vec<Shader>,
    /// Partial results of each element, one after another.
    pub parts: usize,
    /// Error bound, and its justification; of gradients, the bounds of both.
    pub accuracy: A,
    /// The order of summation in words, unless terms are summed one after another.
    pub order: Option<String>,
}

impl Product {
    /// Its extents as those of tiles.
    pub fn extents(&self) -> Extents {
        Extents { products: self.batches, rows: self.m, columns: self.n, terms: self.k }
    }

    /// A vector of which one element is next to the other, whichever way it is said to be stored.
    fn plain(mut self) -> Self {
        self.transposed[0] &= self.m != 1;
        self.transposed[1] |= self.n == 1;
        self
    }

    /// The shape alone decides which kernel serves, and in which order it sums.
    pub(super) fn served(self, terms: Terms) -> Served {
        let product = self.plain();
        match product.vectors() {
            Some(vectors) => product.served_as_vectors(vectors, terms),
            None => product.served_as_tiles(terms),
        }
    }

    fn served_as_tiles(self, terms: Terms) -> Served {
        let extents = self.extents();
        let order = extents.order();
        Served {
            shaders: self.tiles(self.batches, order, terms, Results::Product),
            parts: order.parts(self.k),
            accuracy: order.accuracy(self.k),
            order: extents.in_words(order),
        }
    }

    /// The same as the gradient of a weight, with that of a bias.
    pub(super) fn served_with_bias(self) -> Served<[Bound; 2]> {
        let extents = self.extents();
        let order = extents.order();
        Served {
            shaders: self.tiles(self.batches, order, Terms::Floats, Results::Grads),
            parts: order.parts(self.k),
            accuracy: [order.accuracy(self.k).0, self.bias_accuracy().0],
            order: extents.in_words(order),
        }
    }

    /// Error bound of the gradient of the bias, and its justification.
    pub(super) fn bias_accuracy(&self) -> (Bound, &'static str) {
        self.extents().order().of_rows().accuracy(self.k)
    }

    /// A shader for each tile that sums in this order; first operands repeat after these many.
    pub(in crate::ops) fn tiles(
        self,
        batches_of_a: usize,
        order: Order,
        terms: Terms,
        results: Results,
    ) -> Vec<Shader> {
        let extents = self.extents();
        let shader = |tile: Tile| {
            let [down, across] = tile.grid(&extents);
            let panel = if down >= 2 * PANEL && across > 1 { PANEL } else { 1 };
            let products = self.batches * order.parts(self.k);
            let axes = [panel * across, down.div_ceil(panel), products];
            let (workgroups, is_folded) = grid(axes, tile.memory());
            let sizes = tile.overrides().into_iter().chain([("PANEL", panel as f64)]);
            let has_bias = [("HAS_BIAS", results == Results::Grads)];
            let flags = as_overrides(has_bias.into_iter().chain(self.flags_of(order, is_folded)));
            let Product { batches, m, n, k, .. } = self;
            let [grid_x, grid_y, _] = axes;
            let part = order.length(k);
            Shader {
                file: ShaderFile {
                    imports: self.imports(tile.fragment, terms, results),
                    ..shader_file!("matmul", [])
                },
                overrides: sizes.chain(flags).collect(),
                params: params! { batches, batches_of_a, m, n, k, part, grid_x, grid_y },
                workgroups,
            }
        };
        extents.tiles(order).into_iter().map(shader).collect()
    }

    /// Overrides of all files.
    pub(super) fn flags_of(
        &self,
        order: Order,
        is_folded: bool,
    ) -> impl Iterator<Item = (&'static str, bool)> + use<> {
        let [transpose_a, transpose_b] = self.transposed;
        let is_in_parts = matches!(order, Order::Parts(_));
        [
            ("A_ALONG_K", !transpose_a),
            ("B_ALONG_K", transpose_b),
            ("IS_FOLDED", is_folded),
            ("IS_IN_PARTS", is_in_parts),
        ]
        .into_iter()
    }

    /// The `Params` of `shaders/matmul_vector.wgsl` and `shaders/matmul_units.wgsl`.
    pub(super) fn params(&self, order: Order, [grid_x, grid_y, _]: [usize; 3]) -> Params {
        let &Product { batches, m, n, k, .. } = self;
        params! { batches, m, n, k, part: order.length(k), grid_x, grid_y }
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

    /// The fragments for a tile, for how rows lie in memory, for what terms are, and for the results.
    pub(super) fn imports(
        &self,
        fragment: usize,
        terms: Terms,
        results: Results,
    ) -> &'static [&'static str] {
        let [a, b, c] = self.has_whole_vec4s().map(usize::from);
        let bytes = usize::from(terms == Terms::Bytes);
        let store = if results == Results::Grads { 2 } else { c };
        &IMPORTS[fragment + 4 * a + 8 * b + 16 * bytes + 32 * store]
    }
}

/// Flags as values of overrides.
pub(super) fn as_overrides(
    flags: impl Iterator<Item = (&'static str, bool)>,
) -> impl Iterator<Item = (&'static str, f64)> {
    flags.map(|(name, is_set)| (name, f64::from(u8::from(is_set))))
}
