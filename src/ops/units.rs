//! Tiles on matrix units: which products are for them, which tiles serve, and how exact they are.
//!
//! [`Precision`] asks for them, and a rewrite puts other operations in place of products and
//! convolutions: see `rewrite/units`.

use super::{
    contract::Bound,
    precision::{MatrixUnits, Precision},
    tiles::{BUSY, Extents, Order},
};
use crate::{array64::Array64, dtype::DType, error::OpError, graph::Tensor, shape::Meta};
use std::borrow::Cow;

/// The largest magnitude of a scaled operand is between this and twice this.
pub(crate) const LARGEST: f64 = 16_384.0;

/// Terms of an element from which units have enough of them, and those of all elements together from
/// which two reductions and four maps around the product take less than what units save: on an H100 by
/// estimates, 10 of 20 microseconds.
const LEAST_TERMS: usize = 64;
const LEAST_WORK: usize = 1 << 27;

/// Subgroups of a workgroup.
const SUBGROUPS: usize = 8;

/// Terms that a tile has of its operands at a time, in edges.
const STEP: usize = 2;

/// A square tile of a workgroup, with subgroups of one size.
#[derive(Clone, Copy)]
pub(super) struct UnitTile {
    /// Rows, and columns.
    pub rows: usize,
    /// Index in [`UNIT_FRAGMENTS`] of the sums of a subgroup.
    pub fragment: usize,
    /// Bytes of workgroup memory.
    pub memory: u32,
    /// Part of the time in which the units are busy.
    share: f64,
    lanes: usize,
    quads: usize,
}

/// Fragments with the sums of a subgroup, with the matrices along an edge of their tile, and the part of the
/// time in which the units are busy.
const SHAPES: [(usize, f64); 2] = [(8, 0.9), (4, 0.5)];
pub(super) const UNIT_FRAGMENTS: [&str; 2] = ["units_4x2", "units_2x1"];

/// The fragment with the types of matrices of an edge.
pub(super) const EDGE_FRAGMENTS: [&str; 2] = ["units_8x8", "units_16x16"];

impl UnitTile {
    /// A tile of this shape, unless an invocation would have less than a vec4 of it to move, or not
    /// registers enough: RDNA 3, whose subgroups are of 64, keeps operands twice.
    fn new(edge: usize, shape: usize, lanes: usize, is_split: bool) -> Option<Self> {
        let (matrices, share) = SHAPES[shape];
        let (rows, terms) = (matrices * edge, STEP * edge);
        let quads = rows * terms / 4 / (SUBGROUPS * lanes);
        if quads == 0 || (is_split && lanes > 32 && matrices > 4) {
            return None;
        }
        // Two stages or two halves of both operands, with two vec4s more a line, and a matrix for each
        // subgroup.
        let memory = (4 * rows * (terms / 4 + 2) * 8 + SUBGROUPS * edge * edge * 4) as u32;
        Some(UnitTile { rows, fragment: shape, memory, share, lanes, quads })
    }

    /// Rows and columns of tiles.
    pub fn grid(self, extents: &Extents) -> [usize; 2] {
        [extents.rows, extents.columns].map(|extent| extent.div_ceil(self.rows))
    }

    fn time(self, extents: &Extents) -> f64 {
        let [down, across] = self.grid(extents);
        let workgroups = (extents.products * down * across).max(BUSY);
        (workgroups * self.rows * self.rows) as f64 / self.share
    }

    /// The overrides of `shaders/lib/units.wgsl` that depend on the tile.
    pub fn overrides(self) -> [(&'static str, f64); 2] {
        [("LANES", self.lanes as f64), ("QUADS", self.quads as f64)]
    }
}

impl Extents {
    /// Whether the products are for matrix units, of split operands or not; or why they are not though they
    /// are asked for. `None` if they are not asked for.
    pub(super) fn on_units(
        &self,
        precision: Precision,
        dtype: DType,
    ) -> Option<Result<bool, &'static str>> {
        let is_split = match (precision, dtype) {
            (Precision::Full, _) => return None,
            (_, DType::F16) => false,
            (Precision::Units, _) => return Some(Err("in full precision: f32 is not split")),
            (Precision::Split, _) => true,
        };
        let Extents { products, rows, columns, terms } = *self;
        let work = [products, rows, columns, terms].into_iter().fold(1, usize::saturating_mul);
        Some(if terms < LEAST_TERMS {
            Err("in full precision: less than 64 terms")
        } else if is_split && work < LEAST_WORK {
            Err("in full precision: less than 2^27 terms in all")
        } else {
            Ok(is_split)
        })
    }

    /// In which order units sum the terms of an element: a subgroup has no slices.
    pub(super) fn order_on_units(&self) -> Order {
        match self.order() {
            Order::Sliced => Order::Sequential,
            order => order,
        }
    }

    /// Tiles of these units, of each size of subgroups, the one that takes least time first.
    pub(super) fn tiles_on_units(&self, units: MatrixUnits, is_split: bool) -> Vec<UnitTile> {
        let products = self.products * self.order_on_units().parts(self.terms);
        let apart = Extents { products, ..*self };
        let [likely, other] = units.lanes;
        let lanes = if likely == other { vec![likely] } else { vec![likely, other] };
        let mut tiles = Vec::new();
        for lanes in lanes {
            let shapes = 0..SHAPES.len();
            let of_lanes =
                shapes.filter_map(|shape| UnitTile::new(units.edge, shape, lanes, is_split));
            let mut of_lanes: Vec<UnitTile> = of_lanes.collect();
            of_lanes.sort_by(|a, b| a.time(&apart).total_cmp(&b.time(&apart)));
            tiles.extend(of_lanes);
        }
        tiles
    }

    /// Error bound of sums on units, and its justification.
    pub(super) fn accuracy_on_units(
        &self,
        units: MatrixUnits,
        is_split: bool,
    ) -> (Bound, &'static str) {
        let order = self.order_on_units();
        let (length, more) =
            (order.length(self.terms) as f64, order.parts(self.terms) as f64 - 1.0);
        if is_split {
            let sums = length / units.edge as f64 + more;
            let reason = "12 for the rounding of the second halves and for their products, 8 for what a \
                          unit truncates within a step, and a rounding of partial sums for each step and \
                          each part, which stay below a quarter of the magnitudes";
            return (Bound::Terms(20.0 + sums / 4.0), reason);
        }
        let reason = "a partial sum for each term of a part and for each part, which a unit may truncate \
                      rather than round, and which stay below a quarter of the magnitudes";
        (Bound::Terms(6.0 + (length + more) / 2.0), reason)
    }

    /// The words of a plan for products on units.
    pub(super) fn on_units_in_words(&self, units: MatrixUnits, is_split: bool) -> String {
        let edge = units.edge;
        let halves = if is_split { ", f32 as two halves" } else { "" };
        let order = self.in_words(self.order_on_units());
        let order = order.map_or_else(String::new, |order| format!("; {order}"));
        format!("on matrix units of {edge} x {edge}{halves}{order}")
    }
}

/// Why a product is in full precision, if it was asked for on units.
pub(super) struct Refusal(Option<&'static str>);

impl Refusal {
    /// The refusal of a product that does not run on units, whether it could or not.
    pub fn of(served: Option<Result<bool, &'static str>>) -> Self {
        Refusal(served.map(|served| match served {
            Ok(_) => "in full precision: no matrix units that serve",
            Err(reason) => reason,
        }))
    }

    /// The words of a plan: the reason, and the order of summation.
    pub fn and_order(self, order: Option<String>) -> Option<String> {
        match (self.0, order) {
            (Some(reason), Some(order)) => Some(format!("{reason}; {order}")),
            (Some(reason), None) => Some(reason.to_owned()),
            (None, order) => order,
        }
    }
}

/// The type of a whole operand: where it is two halves, without their axis, in f32.
pub(super) fn whole(operand: &Meta, is_split: bool) -> Meta {
    match is_split {
        true => Meta::new(&operand.shape.dims()[1..], DType::F32),
        false => operand.clone(),
    }
}

/// The values of a whole operand.
pub(super) fn whole_values(operand: &Array64, is_split: bool) -> Array64 {
    if !is_split {
        return operand.clone();
    }
    let (high, low) = operand.data.split_at(operand.data.len() / 2);
    let data = high.iter().zip(low).map(|(high, low)| high + low).collect();
    Array64 { meta: whole(&operand.meta, true), data }
}

/// A whole operand, in operations.
pub(super) fn whole_tensor(operand: Tensor<'_>, is_split: bool) -> Tensor<'_> {
    if is_split { operand.cast(DType::F32).sum(0) } else { operand }
}

/// The words of a whole operand as floats, on a CPU.
pub(super) fn whole_floats(words: &[u32], is_split: bool) -> Cow<'_, [f32]> {
    let floats: &[f32] = bytemuck::cast_slice(words);
    if !is_split {
        return Cow::Borrowed(floats);
    }
    let (high, low) = floats.split_at(floats.len() / 2);
    Cow::Owned(high.iter().zip(low).map(|(high, low)| high + low).collect())
}

/// Checks that an operand is of f16, and two halves of a tensor of at least this rank if it is split.
pub(super) fn check_operand(operand: &Meta, is_split: bool, least: usize) -> Result<(), OpError> {
    let dims = operand.shape.dims();
    match operand.dtype {
        DType::F16 => {}
        dtype => return Err(OpError::DType(dtype)),
    }
    match is_split {
        true if dims.len() <= least => Err(OpError::Rank { least: least + 1 }),
        true if dims[0] != 2 => Err(OpError::Extents { what: "halves", lhs: dims[0], rhs: 2 }),
        _ => Ok(()),
    }
}
