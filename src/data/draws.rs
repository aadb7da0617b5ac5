//! The rows of an epoch.

use super::{Batch, Dataset, Sampling, sampling::turns};
use crate::error::Error;
use std::ops::Range;

/// The rows of an epoch in the order in which they are drawn, and the turn of each.
pub(crate) struct Draws<'d> {
    data: &'d dyn Dataset,
    pub rows: Vec<usize>,
    turns: Vec<u64>,
}

impl<'d> Draws<'d> {
    /// The rows of an epoch, counted from 1.
    ///
    /// # Errors
    ///
    /// Those of [`Sampling::epoch`].
    pub fn new(
        data: &'d dyn Dataset,
        sampling: &Sampling,
        seed: u64,
        epoch: usize,
    ) -> Result<Self, Error> {
        let rows = sampling.epoch(data.len(), seed, epoch)?;
        Ok(Draws { data, turns: turns(&rows, epoch), rows })
    }

    /// Draws the rows at these places in the order.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::draw`].
    pub fn draw(&self, places: Range<usize>) -> Result<Batch, Error> {
        self.data.draw(&self.rows[places.clone()], &self.turns[places])
    }

    /// The places of batches of so many, and of the rest.
    pub fn batches(&self, batch: usize) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        chunks(0..self.rows.len(), batch)
    }
}

/// A range in parts of so many, and of the rest.
pub(crate) fn chunks(
    range: Range<usize>,
    most: usize,
) -> impl ExactSizeIterator<Item = Range<usize>> {
    let most = most.max(1);
    let part = move |index: usize| {
        let begin = range.start + index * most;
        begin..range.end.min(begin + most)
    };
    (0..range.len().div_ceil(most)).map(part)
}
