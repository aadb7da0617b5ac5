//! Mini-batches.

use super::{Batch, Dataset, Sampling, ahead::Ahead, draws::Draws};
use crate::error::Error;
use std::{num::NonZero, ops::Range, thread};

/// Draws mini-batches from a data set, by threads that work ahead if there are any.
///
/// Batches depend on nothing but data, settings and epoch: not on the number of workers, and not on
/// what was drawn before. A run that goes on in the middle sees those of a run that was not
/// interrupted.
///
/// ```
/// use wgrad::data::{Loader, digits};
///
/// let (train, _) = digits::load()?.split(0.2)?;
/// let loader = Loader::new(&train, 32).seed(7);
/// let mut rows = 0;
/// for batch in loader.epoch(1)? {
///     rows += batch?.len();
/// }
/// assert_eq!(rows, train.len());
///
/// // The same batches, drawn by two threads of a scope while the caller works.
/// std::thread::scope(|scope| {
///     let batches = loader.workers(2).epoch_in(scope, 1)?;
///     assert_eq!(batches.count(), train.len().div_ceil(32));
///     Ok::<(), wgrad::Error>(())
/// })?;
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("DataLoader", "tf.data"))]
#[derive(Clone)]
pub struct Loader<'d> {
    data: &'d dyn Dataset,
    batch: usize,
    seed: u64,
    sampling: Sampling,
    drops_last: bool,
    workers: usize,
    prefetch: usize,
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("rows", &self.data.len())
            .field("batch", &self.batch)
            .field("seed", &self.seed)
            .field("sampling", &self.sampling)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

impl<'d> Loader<'d> {
    /// Batches of so many rows, one at least, shuffled with seed 0. The last of an epoch may be
    /// smaller.
    pub fn new(data: &'d dyn Dataset, batch: usize) -> Self {
        let sampling = Sampling::shuffled();
        let (seed, batch) = (0, batch.max(1));
        Loader { data, batch, seed, sampling, drops_last: false, workers: 1, prefetch: 2 }
    }

    /// Sets the seed of the order.
    pub fn seed(self, seed: u64) -> Self {
        Loader { seed, ..self }
    }

    /// Sets the order.
    #[doc(alias("sampler", "shuffle"))]
    pub fn sampling(self, sampling: Sampling) -> Self {
        Loader { sampling, ..self }
    }

    /// Keeps the rows in their order, in every epoch.
    pub fn in_order(self) -> Self {
        self.sampling(Sampling::in_order())
    }

    /// Leaves out the last batch if it is smaller than the others.
    pub fn drop_last(self) -> Self {
        Loader { drops_last: true, ..self }
    }

    /// Sets the number of threads that [`epoch_in`](Self::epoch_in) starts: 1, unless this says
    /// otherwise.
    #[doc(alias = "num_workers")]
    pub fn workers(self, workers: usize) -> Self {
        Loader { workers, ..self }
    }

    /// Sets how many batches are drawn ahead for each worker: 2, unless this says otherwise.
    #[doc(alias = "prefetch_factor")]
    pub fn prefetch(self, prefetch: usize) -> Self {
        Loader { prefetch, ..self }
    }

    fn draws(&self, epoch: usize) -> Result<(Draws<'d>, Vec<Range<usize>>), Error> {
        let draws = Draws::new(self.data, &self.sampling, self.seed, epoch)?;
        let is_kept = |batch: &Range<usize>| !self.drops_last || batch.len() == self.batch;
        let batches = draws.batches(self.batch).filter(is_kept).collect();
        Ok((draws, batches))
    }

    /// The row indices of each batch of an epoch, counted from 1.
    ///
    /// # Errors
    ///
    /// [`DataError::Weights`](crate::DataError::Weights).
    pub fn rows(&self, epoch: usize) -> Result<Vec<Vec<usize>>, Error> {
        let (draws, batches) = self.draws(epoch)?;
        Ok(batches.into_iter().map(|batch| draws.rows[batch].to_vec()).collect())
    }

    /// The batches of an epoch, each drawn when it is asked for.
    ///
    /// # Errors
    ///
    /// Same as [`rows`](Self::rows); those of [`Dataset::draw`] in the place of a batch.
    pub fn epoch(
        &self,
        epoch: usize,
    ) -> Result<impl ExactSizeIterator<Item = Result<Batch, Error>> + use<'d>, Error> {
        let (draws, batches) = self.draws(epoch)?;
        Ok(batches.into_iter().map(move |batch| draws.draw(batch)))
    }

    /// The batches of an epoch, drawn ahead by threads of a scope. If the iterator is dropped, they stop
    /// after the batch that they are at.
    ///
    /// # Errors
    ///
    /// Same as [`epoch`](Self::epoch).
    pub fn epoch_in<'scope>(
        &self,
        scope: &'scope thread::Scope<'scope, '_>,
        epoch: usize,
    ) -> Result<impl Iterator<Item = Result<Batch, Error>> + use<'scope, 'd>, Error>
    where
        'd: 'scope,
    {
        let (draws, batches) = self.draws(epoch)?;
        let threads = (self.workers, self.workers.saturating_mul(self.prefetch.max(1)));
        let tasks = batches.len();
        Ok(Ahead::new(scope, threads, tasks, move |index| draws.draw(batches[index].clone())))
    }
}

/// The number of workers where a training does not say it: none for data in memory, whose rows are
/// only copied, else one for each core, eight at most.
pub(crate) fn default_workers(data: &dyn Dataset) -> usize {
    match data.is_in_memory() || cfg!(target_arch = "wasm32") {
        true => 0,
        false => thread::available_parallelism().map_or(1, NonZero::get).min(8),
    }
}

/// The different sizes of the batches of at most `batch` out of `len` rows: a program has fixed
/// shapes, so each size needs its own.
pub fn sizes(len: usize, batch: usize) -> Vec<usize> {
    let batch = batch.max(1);
    let mut sizes = Vec::new();
    if len >= batch {
        sizes.push(batch);
    }
    if !len.is_multiple_of(batch) {
        sizes.push(len % batch);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array::Array, data::ArrayDataset};

    #[test]
    fn an_epoch_is_every_row_once() -> Result<(), Error> {
        let data =
            ArrayDataset::new([("x", Array::new([10], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9u32])?)])?;
        let loader = Loader::new(&data, 4).seed(7);
        let batches = loader.rows(3)?;
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let drawn = |loader: &Loader<'_>| -> Result<Vec<Vec<usize>>, Error> {
            let rows = |batch: Batch| {
                let words = batch.get("x").map(Array::words).unwrap_or_default();
                words.iter().map(|&word| word as usize).collect()
            };
            loader.epoch(3)?.map(|batch| Ok(rows(batch?))).collect()
        };
        assert_eq!(drawn(&loader)?, batches);
        assert_ne!(loader.rows(4)?, batches);
        assert_eq!(loader.clone().drop_last().rows(3)?, batches[..2]);
        let ordered: [&[usize]; 3] = [&[0, 1, 2, 3], &[4, 5, 6, 7], &[8, 9]];
        assert_eq!(drawn(&loader.clone().in_order())?, ordered);
        for workers in [0, 1, 3] {
            thread::scope(|scope| {
                let loader = loader.clone().workers(workers).prefetch(1);
                let ahead: Vec<Batch> = loader.epoch_in(scope, 3)?.collect::<Result<_, _>>()?;
                assert_eq!(ahead, loader.epoch(3)?.collect::<Result<Vec<_>, _>>()?);
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }

    #[test]
    fn sizes_are_those_that_occur() {
        assert_eq!(sizes(10, 4), [4, 2]);
        assert_eq!(sizes(8, 4), [4]);
        assert_eq!(sizes(3, 4), [3]);
        assert_eq!(sizes(0, 4), [] as [usize; 0]);
    }
}
