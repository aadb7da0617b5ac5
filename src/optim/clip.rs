//! Clipping of gradients: by their global norm, and by value.

use super::{
    norm::{Scaled, scaled},
    optimizer::{Adaptor, Optimizer, Update},
};
use crate::{graph::Tensor, nn::Scope, numbers::Must};

/// Scales all gradients together so that their global norm is at most this value.
///
/// Gradients of f32 of any size are clipped, also those whose squares are no f32. The epsilon is the
/// one that PyTorch adds to the norm: 1e-6.
///
/// # Source
///
/// Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", arXiv:1211.5063.
#[doc(alias("clip_grad_norm_", "global_clipnorm"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm(pub f64);

/// Limits each element of the gradients to `[-limit, limit]`.
#[doc(alias("clip_grad_value_", "clipvalue"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipValue(pub f64);

impl Adaptor for ClipNorm {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let limit = [("norm", self.0, Must::BeALimit)];
        if state.graph().refuse_invalid("clip_norm", &[], &limit).is_none() {
            let gradients = updates.iter().map(|update| update.gradient).collect();
            inner.step(state, &replaced(updates, clip_norm(gradients, self.0)));
        }
    }
}

impl Adaptor for ClipValue {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let limit = [("value", self.0, Must::BeALimit)];
        if state.graph().refuse_invalid("clip_value", &[], &limit).is_none() {
            let clipped = updates.iter().map(|update| update.gradient.clip(-self.0, self.0));
            inner.step(state, &replaced(updates, clipped.collect()));
        }
    }
}

/// The same updates with other gradients.
fn replaced<'a, 'g>(updates: &[Update<'a, 'g>], gradients: Vec<Tensor<'g>>) -> Vec<Update<'a, 'g>> {
    let pairs = updates.iter().zip(gradients);
    pairs.map(|(update, gradient)| Update { gradient, ..*update }).collect()
}

/// The gradients, scaled so that their global norm is at most `longest`.
fn clip_norm<'g>(gradients: Vec<Tensor<'g>>, longest: f64) -> Vec<Tensor<'g>> {
    let Some(Scaled { gradients, scale, norm }) = scaled(&gradients) else { return gradients };
    // A factor for the scaled gradients: the norm of the others may exceed f32.
    let share = (longest / (norm + 1e-6 * scale)).minimum(1.0 / scale);
    gradients.into_iter().map(|gradient| gradient * share).collect()
}
