//! The step of a classifier.

use super::{Loss, Metric, TrainStep};
use crate::{
    graph::Tensor,
    nn::{self, CrossEntropy, Mode, Module, Scope},
    program::Inputs,
};

/// The scope of the model of a classifier: its variables are those below `net/`.
pub const MODEL: &str = "net";

/// Cross-entropy of a module that maps `inputs` to logits, given classes as `targets`, or in floats the
/// probabilities `[n, classes]` that [`MixUp`](crate::data::augment::MixUp) makes of them.
///
/// Where it is evaluated it has the metric `accuracy`, whose counts are the
/// [confusion matrix](super::Measures::confusion).
#[derive(Clone, Copy, Debug)]
pub struct Classifier<M>(pub M);

impl<M: Module> Classifier<M> {
    /// The logits of a batch.
    pub(super) fn logits<'g>(&self, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Tensor<'g> {
        self.0.forward(&mut cx.child(MODEL), batch.get("inputs"))
    }
}

impl<M: Module> TrainStep for Classifier<M> {
    fn trace<'g>(&self, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g> {
        let (logits, targets) = (self.logits(cx, batch), batch.get("targets"));
        let (loss, labels) = match targets.dtype().is_float() {
            true => {
                let loss = CrossEntropy::new().loss_of_probabilities(logits, targets);
                (Loss::new(loss), targets.argmax(-1))
            }
            false => (Loss::new(nn::cross_entropy(logits, targets)), targets),
        };
        match cx.mode() {
            Mode::Train => loss,
            Mode::Eval => loss.metric("accuracy", Metric::confusion(logits, labels)),
        }
    }
}
