//! The training library: a loss, an optimizer and data in, trained variables out.
//!
//! * A [`TrainStep`], most often a closure, traces the [`Loss`] of a batch, and what is to be
//!   measured beside it as [`Metric`]s.
//! * An [`Objective`] is a step with the optimizer that minimizes it, the parameters that it trains
//!   and the interval at which it runs: a GAN has one for each of its networks.
//! * A [`Trainer`] runs objectives over one store of variables: [`fit`](Trainer::fit),
//!   [`evaluate`](Trainer::evaluate), [`predict`](Trainer::predict).
//!   [`Trainer::classifier`] is a trainer of a module with logits.
//! * A [`Callback`] is told of steps and epochs, and may end the training.
//! * A [`Checkpoint`] is written on the way; a training that [resumes](Trainer::resume) from it ends
//!   with the bits of one that was never interrupted.
//!
//! Every program is compiled and prepared before the first step: for the full batch, the last batch,
//! and those of the evaluation. Results are read a few steps late, so no step waits for the previous
//! one.

mod accumulate;
mod auto_batch;
mod callback;
#[cfg(feature = "files")]
mod checkpoint;
mod choose_batch;
mod classifier;
mod confusion;
mod fit;
mod gradient_norms;
mod measured;
mod measures;
mod metric;
mod objective;
mod position;
mod predict;
mod rates;
mod report;
mod residency;
mod resident;
#[cfg(feature = "files")]
mod saver;
mod serving;
mod source;
mod stage;
mod step;
mod trainer;

pub use auto_batch::{AutoBatch, BatchChoice, MemoryLimit};
pub use callback::Callback;
#[cfg(feature = "files")]
pub use checkpoint::{Checkpoint, CheckpointSummary, Resume};
pub use classifier::{Classifier, MODEL};
pub use confusion::{Average, Confusion};
pub use measures::Measures;
pub use metric::Metric;
pub use objective::Objective;
pub use report::{Ending, Epoch, Report, Step};
pub use step::{Loss, TrainStep};
pub use trainer::Trainer;

#[cfg(all(test, feature = "files"))]
mod tests;
