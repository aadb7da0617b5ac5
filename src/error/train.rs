//! Errors of a training.

use super::similar::quoted;
use std::path::PathBuf;

/// A training could not start or go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// There is nothing to train on.
    #[error("the data have no rows: there is nothing to train on")]
    NoRows,
    /// A stream ends before the step that a training resumes from.
    #[error(
        "the stream ends after {step} steps, and {done} were done when the checkpoint was written"
    )]
    ShortStream {
        /// Number of steps in the stream.
        step: usize,
        /// Number of steps in the checkpoint.
        done: usize,
    },
    /// A trainer without objectives.
    #[error("the trainer has no objective")]
    NoObjective,
    /// Not even a single row fits the memory.
    #[error(
        "a training on one row at a time takes {bytes} bytes, more than {}",
        limit.map_or("the device gives".to_owned(), |limit| limit.to_string())
    )]
    NoBatchFits {
        /// Bytes that it is predicted to take.
        bytes: u64,
        /// The limit, if it is known.
        limit: Option<u64>,
    },
    /// A batch is to be chosen by the memory of the system, and that is not known.
    #[error("the memory of the system is not known: say how much there is by `AutoBatch::memory`")]
    UnknownMemory,
    /// A trainer is to evaluate with averages that no optimizer keeps.
    #[error("there are no averages below {scope:?}: `OptimizerExt::average` keeps them")]
    NoAverages {
        /// The scope.
        scope: String,
    },
    /// A pattern of what is frozen, or computed in f32, matches neither a scope nor a parameter.
    #[error("no scope and no parameter matches {0:?}, which is to be frozen or computed in f32")]
    UnusedPattern(String),
    /// There is no objective of this name.
    #[error("there is no objective {name:?}{}", quoted("; objectives: ", known))]
    UnknownObjective {
        /// The name.
        name: String,
        /// Names of those that there are.
        known: Vec<String>,
    },
    /// Two objectives have one name.
    #[error("two objectives are named {0:?}")]
    RepeatedObjective(String),
    /// A trainer is to predict that was not told what.
    #[error("the trainer has no predictor: give it one by `Trainer::predictor`")]
    NoPredictor,
    /// A training is to resume, and writes no checkpoints.
    #[error("there is nothing to resume from: give the trainer a `Checkpoint`")]
    NoCheckpoint,
    /// A file is no checkpoint.
    #[error("{path} is no checkpoint of a training run", path = path.display())]
    NotACheckpoint {
        /// Path of the file.
        path: PathBuf,
    },
    /// A checkpoint of another version of this crate.
    #[error("{path} is a checkpoint of version {is}, and this is version {known}", path = path.display())]
    Version {
        /// Path of the file.
        path: PathBuf,
        /// The version of the file.
        is: u64,
        /// The version that is understood.
        known: u64,
    },
    /// A checkpoint of a training with other settings.
    #[error("{path} is of another {name}: {is}, not {expected}", path = path.display())]
    OtherSetting {
        /// Path of the file.
        path: PathBuf,
        /// Name of the setting.
        name: String,
        /// The setting in the file.
        is: String,
        /// The setting of this training.
        expected: String,
    },
    /// A checkpoint of a device whose results have other bits.
    #[error(
        "{path} is of another device, whose results have other bits: {is}, not {expected}",
        path = path.display()
    )]
    OtherDevice {
        /// Path of the file.
        path: PathBuf,
        /// The device of the file.
        is: String,
        /// The device of this training.
        expected: String,
    },
    /// A checkpoint of another model, loss or optimizer, or of another version of this crate.
    #[error(
        "{path} is of another computation: the model, the loss, the optimizer or one of their numbers \
         has changed, or the version of wgrad",
        path = path.display()
    )]
    OtherComputation {
        /// Path of the file.
        path: PathBuf,
    },
}
