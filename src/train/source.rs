//! Where the batches of a training come from.

use super::{Trainer, on_device::OnDevice};
use crate::{
    array::Array,
    data::{self, Batch, Dataset, Sampling, Stream, ahead::Ahead, default_workers},
    error::Error,
    shape::Meta,
};
use std::{
    sync::{Mutex, PoisonError},
    thread,
};

/// The data of a training, and how batches are drawn from them.
pub(super) struct Source<'t> {
    kind: Kind<'t>,
    pub fields: Vec<(String, Meta)>,
    pub batch: usize,
    /// Number of rows that run at once.
    part: usize,
    workers: Workers,
}

enum Kind<'t> {
    Set { data: &'t dyn Dataset, sampling: Sampling, seed: u64 },
    Stream(&'t dyn Stream),
}

/// Threads that draw batches, and how many of these they may have in store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workers {
    pub threads: usize,
    pub store: usize,
}

/// The parts of a batch, or why they could not be drawn.
type Parts = Result<Vec<Batch>, Error>;

impl<'t> Source<'t> {
    pub fn set(trainer: &Trainer<'_>, data: &'t dyn Dataset) -> Self {
        let (sampling, seed) = (trainer.sampling.clone(), trainer.seed);
        let kind = Kind::Set { data, sampling, seed };
        Source::new(trainer, kind, data.fields(), trainer.workers_for(data))
    }

    pub fn stream(trainer: &Trainer<'_>, stream: &'t dyn Stream) -> Self {
        // Its rows have to be read one after another.
        let threads = trainer.workers.unwrap_or(1).min(1);
        let workers = Workers { threads, store: trainer.prefetch };
        Source::new(trainer, Kind::Stream(stream), stream.fields(), workers)
    }

    fn new(
        trainer: &Trainer<'_>,
        kind: Kind<'t>,
        fields: Vec<(String, Meta)>,
        workers: Workers,
    ) -> Self {
        let batch = trainer.batch;
        Source { kind, fields, batch, part: batch.div_ceil(trainer.parts.max(1)).max(1), workers }
    }

    /// Number of rows, if it is known.
    pub fn len(&self) -> Option<usize> {
        match self.kind {
            Kind::Set { data, .. } => Some(data.len()),
            Kind::Stream(_) => None,
        }
    }

    /// Number of steps in an epoch, if it is known.
    pub fn steps(&self) -> Option<usize> {
        Some(self.len()?.div_ceil(self.batch.max(1)))
    }

    /// The set, if it is none that is read from its beginning to its end.
    pub fn data(&self) -> Option<&'t dyn Dataset> {
        match self.kind {
            Kind::Set { data, .. } => Some(data),
            Kind::Stream(_) => None,
        }
    }

    /// All rows of a field, if they are in memory.
    pub fn array(&self, field: &str) -> Option<&'t Array> {
        self.data()?.array(field)
    }

    /// The different numbers of rows that run at once, as far as they are known. That of a full batch
    /// comes first.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = Vec::new();
        // The last batch of a stream has any size.
        for rows in data::sizes(self.len().unwrap_or(self.batch), self.batch) {
            for rows in data::sizes(rows, self.part) {
                if !sizes.contains(&rows) {
                    sizes.push(rows);
                }
            }
        }
        sizes
    }

    /// Hands the batches of an epoch, each in its parts, to `train`, from the one after the first
    /// `skipped` on.
    pub fn epoch<R>(
        &self,
        (epoch, skipped): (usize, usize),
        on_device: Option<&OnDevice>,
        train: impl FnOnce(&mut dyn Iterator<Item = Parts>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match &self.kind {
            Kind::Set { data, sampling, seed } => {
                let rows = sampling.epoch(data.len(), *seed, epoch)?;
                let batches: Vec<&[usize]> = rows.chunks(self.batch).skip(skipped).collect();
                let parts = |index: usize| batches[index].chunks(self.part);
                if on_device.is_some() {
                    let numbers = |index| parts(index).map(OnDevice::batch).collect();
                    return train(&mut (0..batches.len()).map(numbers));
                }
                let draw = |index| parts(index).map(|rows| data.draw(rows, epoch)).collect();
                self.workers.run(batches.len(), draw, train)
            }
            Kind::Stream(stream) => {
                let batches = data::batches(stream.epoch(epoch)?, self.batch).skip(skipped);
                let batches = Mutex::new(batches);
                let next = |_| {
                    let next = batches.lock().unwrap_or_else(PoisonError::into_inner).next()?;
                    Some(next.and_then(|batch| self.parts_of(batch)))
                };
                self.workers
                    .run(usize::MAX, next, |batches| train(&mut batches.map_while(|batch| batch)))
            }
        }
    }

    fn parts_of(&self, batch: Batch) -> Parts {
        let len = batch.len();
        if len <= self.part {
            return Ok(vec![batch]);
        }
        let part = |begin: usize| batch.section(begin, (begin + self.part).min(len));
        (0..len).step_by(self.part).map(part).collect()
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

impl Trainer<'_> {
    /// The workers that draw batches from a set.
    pub(super) fn workers_for(&self, data: &dyn Dataset) -> Workers {
        let threads = self.workers.unwrap_or_else(|| default_workers(data));
        Workers { threads, store: threads.saturating_mul(self.prefetch) }
    }
}

/// Names and types of the fields of so many rows.
pub(super) fn batch_of(fields: &[(String, Meta)], rows: usize) -> Vec<(String, Meta)> {
    let batch = |(name, row): &(String, Meta)| {
        (name.clone(), Meta::new([&[rows], row.shape.dims()].concat(), row.dtype))
    };
    fields.iter().map(batch).collect()
}
