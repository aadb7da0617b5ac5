//! Where the batches of a training come from.

use super::resident::ResidentSet;
use crate::{
    array::Array,
    data::{
        self, Batch, Dataset, Sampling, Stream,
        ahead::Ahead,
        default_workers,
        draws::{Draws, chunks},
    },
    error::{Error, TrainError},
    shape::Meta,
};
use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
    thread,
};

/// How batches are drawn.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    pub batch: usize,
    /// Number of parts in which a batch runs.
    pub parts: usize,
    pub sampling: Sampling,
    pub seed: u64,
    /// Number of threads, if it was said.
    pub workers: Option<usize>,
    /// Number of batches ahead for each of them.
    pub prefetch: usize,
}

/// The data of a training, and how batches are drawn from them.
pub(super) struct Source<'t> {
    kind: Kind<'t>,
    pub fields: Vec<(String, Meta)>,
    drawing: Drawing,
}

enum Kind<'t> {
    Set(&'t dyn Dataset),
    Stream(&'t dyn Stream),
}

/// Threads that draw batches, and how many of these they may have in store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workers {
    threads: usize,
    store: usize,
}

/// The parts of a batch, or why they could not be drawn.
type Parts = Result<Vec<Batch>, Error>;

impl<'t> Source<'t> {
    pub fn set(drawing: &Drawing, data: &'t dyn Dataset) -> Self {
        Source { kind: Kind::Set(data), fields: data.fields(), drawing: drawing.clone() }
    }

    pub fn stream(drawing: &Drawing, stream: &'t dyn Stream) -> Self {
        Source { kind: Kind::Stream(stream), fields: stream.fields(), drawing: drawing.clone() }
    }

    /// Number of rows, if it is known.
    pub fn len(&self) -> Option<usize> {
        match self.kind {
            Kind::Set(data) => Some(data.len()),
            Kind::Stream(_) => None,
        }
    }

    /// Number of steps in an epoch, if it is known.
    pub fn steps(&self) -> Option<usize> {
        Some(self.len()?.div_ceil(self.drawing.batch.max(1)))
    }

    /// All rows of a field, if they are in memory.
    pub fn array(&self, field: &str) -> Option<&'t Array> {
        match self.kind {
            Kind::Set(data) => data.array(field),
            Kind::Stream(_) => None,
        }
    }

    /// The rows and their order, for checkpoints.
    #[cfg(feature = "files")]
    pub fn description(&self) -> [(&'static str, String); 3] {
        let rows = self.len().map_or("unknown".to_owned(), |rows| rows.to_string());
        let (order, made) = match self.kind {
            Kind::Set(data) => (self.drawing.sampling.to_string(), data.description()),
            Kind::Stream(stream) => ("as they come".to_owned(), stream.description()),
        };
        [("number of rows", rows), ("order of the rows", order), ("making of the rows", made)]
    }

    /// The number of rows of a full batch.
    #[cfg(feature = "files")]
    pub fn full_batch(&self) -> usize {
        self.len().map_or(self.drawing.batch, |len| self.drawing.batch.min(len))
    }

    /// Number of rows that run at once, of a full batch.
    fn part(&self) -> usize {
        self.drawing.batch.div_ceil(self.drawing.parts.max(1)).max(1)
    }

    /// Number of parts in which a batch runs.
    pub fn parts(&self) -> usize {
        self.drawing.parts.max(1)
    }

    /// The different numbers of rows that run at once, as far as they are known. That of a full batch
    /// comes first.
    pub fn sizes(&self) -> Vec<usize> {
        let (batch, mut sizes) = (self.drawing.batch, Vec::new());
        // The last batch of a stream has any size.
        for rows in data::sizes(self.len().unwrap_or(batch), batch) {
            for rows in data::sizes(rows, self.part()) {
                if !sizes.contains(&rows) {
                    sizes.push(rows);
                }
            }
        }
        sizes
    }

    /// Hands the batches of an epoch, each in its parts, to `train`: those after the first `done`, and
    /// at most so many.
    pub fn epoch<R>(
        &self,
        (epoch, done, most): (usize, usize, usize),
        resident: bool,
        train: impl FnOnce(&mut dyn Iterator<Item = Parts>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Drawing { batch, ref sampling, seed, .. } = self.drawing;
        match self.kind {
            Kind::Set(data) => {
                let draws = Draws::new(data, sampling, seed, epoch)?;
                let batches: Vec<Range<usize>> =
                    draws.batches(batch).skip(done).take(most).collect();
                let parts = |index: usize| chunks(batches[index].clone(), self.part());
                if resident {
                    let numbers = |part| ResidentSet::batch(&draws.rows[part]);
                    let numbers = |index| parts(index).map(numbers).collect();
                    return train(&mut (0..batches.len()).map(numbers));
                }
                let draw = |index| parts(index).map(|part| draws.draw(part)).collect();
                self.drawing.workers_for(data).run(batches.len(), draw, train)
            }
            Kind::Stream(stream) => {
                let mut batches = data::batches(stream.epoch(epoch)?, batch);
                for step in 0..done {
                    // A stream that has become shorter cannot be resumed.
                    batches.next().transpose()?.ok_or(TrainError::ShortStream { step, done })?;
                }
                let batches = Mutex::new(batches);
                let next = |_| {
                    let next = batches.lock().unwrap_or_else(PoisonError::into_inner).next()?;
                    Some(next.and_then(|batch| self.parts_of(batch)))
                };
                // Its rows have to be read one after another.
                let threads = self.drawing.workers.unwrap_or(1).min(1);
                let workers = Workers { threads, store: self.drawing.prefetch };
                workers.run(most, next, |batches| train(&mut batches.map_while(|batch| batch)))
            }
        }
    }

    fn parts_of(&self, batch: Batch) -> Parts {
        let (len, part) = (batch.len(), self.part());
        if len <= part {
            return Ok(vec![batch]);
        }
        let part_at = |begin: usize| batch.section(begin, (begin + part).min(len));
        (0..len).step_by(part).map(part_at).collect()
    }
}

impl Drawing {
    /// The workers that draw batches from a set.
    pub fn workers_for(&self, data: &dyn Dataset) -> Workers {
        let threads = self.workers.unwrap_or_else(|| default_workers(data));
        Workers { threads, store: threads.saturating_mul(self.prefetch) }
    }
}

impl Workers {
    /// Does tasks 0 to below `tasks` ahead of `read`, which gets their results in order.
    pub fn run<T: Send, R>(
        self,
        tasks: usize,
        task: impl Fn(usize) -> T + Send + Sync,
        read: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
    ) -> R {
        if self.threads == 0 {
            return read(&mut (0..tasks).map(task));
        }
        let limits = (self.threads, self.store);
        thread::scope(|scope| read(&mut Ahead::new(scope, limits, tasks, task)))
    }
}

/// Names and types of the fields of so many rows.
pub(super) fn batch_of(fields: &[(String, Meta)], rows: usize) -> Vec<(String, Meta)> {
    let batch = |(name, row): &(String, Meta)| {
        (name.clone(), Meta::new([&[rows], row.shape.dims()].concat(), row.dtype))
    };
    fields.iter().map(batch).collect()
}
