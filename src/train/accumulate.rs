//! Gradients of the parts of a batch, added up before an update.
//!
//! Two programs share variables: one adds the gradients of a part, weighted as the loss is, the other
//! updates the parameters by their mean and starts again from 0.

use super::{Loss, Metric, Objective};
use crate::{
    dtype::DType,
    error::GraphError,
    graph::{Declaration, Graph, Tensor},
    init::Init,
    nn::{Mode, Scope},
    optim::{Update, are_finite},
    program::Inputs,
    shape::Shape,
};
use std::sync::{Mutex, PoisonError};

/// The parameters whose gradients an objective adds up, as it declared them.
#[derive(Default)]
pub(super) struct Accumulated(Mutex<Vec<(String, Declaration)>>);

/// The sum of the weights of the parts.
fn weight_sum<'g>(objective: &Objective<'_>, cx: &mut Scope<'g>) -> Tensor<'g> {
    let mut cx = objective.own_scope(cx);
    cx.child("accumulated").variable("weight", Shape::scalar(), DType::F32, Init::Zeros)
}

/// The sum of the gradients of a parameter.
fn gradient_sum<'g>(
    objective: &Objective<'_>,
    cx: &mut Scope<'g>,
    path: &str,
    shape: &Shape,
) -> Tensor<'g> {
    let mut cx = objective.own_scope(cx);
    let mut cx = cx.child("accumulated");
    cx.child(path).variable("gradient", shape, DType::F32, Init::Zeros)
}

impl Accumulated {
    /// Appends the gradients of a part to a graph.
    pub fn trace_part<'g>(
        &self,
        objective: &Objective<'_>,
        graph: &'g Graph,
        batch: &Inputs<'g>,
        allows_statistics: bool,
    ) -> Loss<'g> {
        let mut cx = objective.scope(graph);
        let (loss, params) = objective.traced(&mut cx, batch);
        let scopes = cx.batch_statistics();
        if !scopes.is_empty() && !allows_statistics {
            graph.fail(GraphError::BatchStatistics { scopes });
        }
        let rows = batch.iter().next().map_or(0, |(_, input)| input.dim(0));
        let weight = loss.weight.map(Tensor::widened);
        let tensors: Vec<_> = params.iter().map(|(_, param)| *param).collect();
        let gradients = objective.gradients(&mut cx, loss.loss, &tensors);
        // Statistics of a part that is not finite would stay when the step is skipped.
        let finite = if objective.skips_non_finite() { are_finite(&gradients) } else { None };
        finite.into_iter().for_each(|finite| graph.assign_only_if(finite));
        for ((path, param), gradient) in params.iter().zip(gradients) {
            let weighted = match weight {
                None => gradient * rows as f64,
                // A part that counts nothing may have no gradient at all.
                Some(weight) => weight.greater(0.0).select(gradient * weight, 0.0),
            };
            let sum = gradient_sum(objective, &mut cx, path, &param.shape());
            graph.assign(sum, sum + weighted);
        }
        let sum = weight_sum(objective, &mut cx);
        graph.assign(sum, weight.map_or(sum + rows as f64, |weight| sum + weight));
        let declared =
            params.iter().filter_map(|(path, _)| Some((path.clone(), graph.declaration(path)?)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = declared.collect();
        loss
    }

    /// Appends the update by what the parts that were traced have added up. Returns the norms of the
    /// gradients by layer, if they are measured.
    pub fn trace_update<'g>(
        &self,
        objective: &Objective<'_>,
        graph: &'g Graph,
    ) -> Vec<(String, Metric<'g>)> {
        let mut cx = Scope::new(graph, Mode::Train);
        let declared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = weight_sum(objective, &mut cx);
        let updates = declared.iter().map(|(path, Declaration { meta, init, .. })| {
            let param = cx.param(path, &meta.shape, *init);
            let sum = gradient_sum(objective, &mut cx, path, &meta.shape);
            graph.assign(sum, sum.full_like(0.0));
            let mean = total.greater(0.0).select(sum / total, 0.0);
            Update::new(path, param, mean)
        });
        // Also if the update is skipped: the next one is by other parts.
        let before = graph.assignments();
        let updates: Vec<_> = updates.collect();
        graph.assign(total, total.full_like(0.0));
        graph.settle(before);
        objective.apply(&mut cx, &updates)
    }
}
