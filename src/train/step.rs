//! Steps: the loss of a batch, and its metrics.

use super::Metric;
use crate::{graph::Tensor, nn::Scope, program::Inputs};

/// Traces the loss of a batch: a closure `|cx, batch| …`, or a type of yours.
///
/// It is traced for [`Mode::Train`](crate::nn::Mode::Train), where the loss is minimized, and for
/// [`Mode::Eval`](crate::nn::Mode::Eval), where it is measured: [`Scope::mode`] tells. A metric that
/// is only of interest in one of them is added only there, and costs nothing in the other.
///
/// ```
/// use wgrad::{Inputs, prelude::*, train::{Loss, Metric, TrainStep}};
///
/// struct Regression(Sequential);
///
/// impl TrainStep for Regression {
///     fn trace<'g>(&self, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g> {
///         let (y, target) = (self.0.forward(&mut cx.child("net"), batch.get("x")), batch.get("y"));
///         Loss::new(nn::mean_squared_error(y, target)).metric("r2", Metric::r2(y, target))
///     }
/// }
/// ```
#[doc(alias("train_step", "training_step", "LightningModule"))]
pub trait TrainStep {
    /// Appends the loss of a batch, and its metrics, to the graph.
    fn trace<'g>(&self, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g>;
}

impl<F> TrainStep for F
where
    F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Loss<'g>,
{
    fn trace<'g>(&self, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g> {
        self(cx, batch)
    }
}

/// The loss of a batch, and what is measured beside it.
#[derive(Clone, Debug)]
pub struct Loss<'g> {
    pub(super) loss: Tensor<'g>,
    pub(super) weight: Option<Tensor<'g>>,
    pub(super) metrics: Vec<(String, Metric<'g>)>,
    /// By layer.
    pub(super) gradient_norms: Vec<(String, Metric<'g>)>,
}

impl<'g> Loss<'g> {
    /// A scalar to be minimized, the mean of a batch.
    pub fn new(loss: Tensor<'g>) -> Self {
        Loss { loss, weight: None, metrics: vec![], gradient_norms: vec![] }
    }

    /// All that is computed for a batch.
    pub(super) fn outputs(&self) -> Vec<Tensor<'g>> {
        let metrics = self.metrics.iter().chain(&self.gradient_norms);
        let parts = metrics.flat_map(|(_, metric)| &metric.parts);
        [self.loss].into_iter().chain(self.weight).chain(parts.copied()).collect()
    }

    /// Sets how much this batch counts in the mean over several: a scalar, such as the number of
    /// labels that are not ignored. By default it is the number of its rows.
    pub fn weight(self, weight: Tensor<'g>) -> Self {
        Loss { weight: Some(weight), ..self }
    }

    /// Measures something else too, under this name.
    pub fn metric(mut self, name: &str, metric: Metric<'g>) -> Self {
        self.metrics.push((name.to_owned(), metric));
        self
    }
}

impl<'g> From<Tensor<'g>> for Loss<'g> {
    fn from(loss: Tensor<'g>) -> Self {
        Loss::new(loss)
    }
}
