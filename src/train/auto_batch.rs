//! The batch that fits the memory of a device.

use crate::brief;
use std::fmt;

/// Chooses how many rows run at once, before anything runs: by what the plans of the training take, and
/// the memory that there is.
///
/// ```
/// use wgrad::{data::digits, prelude::*, train::AutoBatch};
///
/// let (train, _) = digits::load()?.split(0.2)?;
/// let net = Sequential::new().add(Dense::new(256)).add(Activation::relu()).add(Dense::new(10));
/// let report = Trainer::classifier(&net, Adam::new(1e-3))
///     .auto_batch(AutoBatch::largest().memory(4 << 20))
///     .epochs(1)
///     .fit(&Device::cpu(), &Variables::new(0), &train)?;
/// let choice = report.auto_batch.expect("one was made");
/// assert_eq!((choice.batch, choice.parts), (512, 1));
/// let told = choice.to_string();
/// assert!(told.starts_with("batches of 512 rows: ") && told.ends_with(" of 4.0 MiB, as given"));
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("auto_scale_batch_size", "BatchSizeFinder", "find_executable_batch_size"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoBatch {
    pub(super) memory: Option<u64>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The largest batch of at most so many rows.
    Largest { most: usize },
    /// The batch of the trainer, in as few parts as can be.
    Parts,
}

impl AutoBatch {
    /// The largest batch that fits: a power of 2, or all rows, and at most 65,536 of them. If the trainer
    /// [accumulates](super::Trainer::accumulate), it is one whose parts fit.
    pub fn largest() -> Self {
        AutoBatch::at_most(1 << 16)
    }

    /// The largest batch of at most so many rows that fits.
    pub fn at_most(rows: usize) -> Self {
        AutoBatch { memory: None, kind: Kind::Largest { most: rows } }
    }

    /// The batch that the trainer was told, whose gradients are
    /// [accumulated](super::Trainer::accumulate) over as few parts as fit, a power of 2.
    pub fn in_parts() -> Self {
        AutoBatch { memory: None, kind: Kind::Parts }
    }

    /// Sets how many bytes the training may take.
    ///
    /// Unless this says otherwise, it is four fifths of the memory that the system has left for a CPU and
    /// a GPU that has none of its own, and as much as another GPU gives when it is asked.
    #[doc(alias = "max_memory")]
    pub fn memory(self, bytes: u64) -> Self {
        AutoBatch { memory: Some(bytes), ..self }
    }
}

/// The batch that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchChoice {
    /// Number of rows of a step.
    pub batch: usize,
    /// Number of parts in which they run.
    pub parts: usize,
    /// Bytes that the training is predicted to take with it; `None` for that of a checkpoint.
    pub bytes: Option<u64>,
    /// The limit that it was chosen by.
    pub limit: MemoryLimit,
}

impl BatchChoice {
    pub(super) fn of_checkpoint(batch: usize, parts: usize) -> Self {
        BatchChoice { batch, parts, bytes: None, limit: MemoryLimit::Checkpoint }
    }
}

/// Where the limit of a [`BatchChoice`] is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryLimit {
    /// So many bytes, as the caller said.
    Given(u64),
    /// So many bytes, four fifths of what the system had left.
    System(u64),
    /// The device gave the memory on trial.
    Trial,
    /// The training resumes, with the batch of its checkpoint.
    Checkpoint,
}

impl fmt::Display for BatchChoice {
    /// `batches of 512 rows: 3.6 MiB of 4.0 MiB, as given`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batches of {} row{}", self.batch, if self.batch == 1 { "" } else { "s" })?;
        if self.parts > 1 {
            write!(f, " in {} parts", self.parts)?;
        }
        let bytes = self.bytes.map_or_else(String::new, |bytes| format!(": {}", size(bytes)));
        match self.limit {
            MemoryLimit::Given(limit) => write!(f, "{bytes} of {}, as given", size(limit)),
            MemoryLimit::System(limit) => {
                write!(f, "{bytes} of {}, four fifths of what the system has left", size(limit))
            }
            MemoryLimit::Trial => write!(f, "{bytes}, which the device gave on trial"),
            MemoryLimit::Checkpoint => write!(f, ", as the checkpoint has it"),
        }
    }
}

fn size(bytes: u64) -> String {
    brief::bytes(usize::try_from(bytes).unwrap_or(usize::MAX))
}
