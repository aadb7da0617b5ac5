//! Data sets that stay in the memory of a device.

use crate::{
    array::Array,
    data::Batch,
    dtype::DType,
    error::Error,
    graph::{Graph, Tensor},
    ops::SharedConstant,
    program::Inputs,
    shape::Meta,
};

/// The fields of a set, constants of every program of a training: a batch is then no more than the
/// numbers of its rows, and the device gathers them.
#[derive(Debug)]
pub(super) struct ResidentSet {
    fields: Vec<(String, SharedConstant)>,
}

impl ResidentSet {
    /// Name of the numbers of the rows of a batch.
    pub const ROWS: &str = "rows of the data set";

    /// Copies these fields; `None` if there is no memory for it.
    pub fn new(fields: &[(String, &Array)]) -> Option<Self> {
        let shared = |(name, array): &(String, &Array)| {
            Some((name.clone(), SharedConstant::new(*array).ok()?))
        };
        Some(ResidentSet { fields: fields.iter().map(shared).collect::<Option<_>>()? })
    }

    /// The type of a batch of so many rows.
    pub fn inputs(rows: usize) -> Vec<(String, Meta)> {
        vec![(ResidentSet::ROWS.to_owned(), Meta::new([rows], DType::U32))]
    }

    /// The batch of these rows.
    pub fn batch(rows: &[usize]) -> Result<Batch, Error> {
        let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        Ok(Batch::new([(ResidentSet::ROWS, Array::from_vec([rows.len()], rows)?)]))
    }

    /// The fields of the batch of these rows.
    pub fn gathered<'g>(&self, graph: &'g Graph, rows: Tensor<'g>) -> Inputs<'g> {
        let fields = self
            .fields
            .iter()
            .map(|(name, all)| (name.clone(), graph.shared_constant(all).index_select(rows, 0)));
        Inputs::of(graph, fields.collect())
    }
}
