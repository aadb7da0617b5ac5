//! How large the gradients of each layer are.

use super::Metric;
use crate::{
    dtype::DType,
    graph::Tensor,
    optim::{Update, global_norm},
};

/// The norm of the gradients of each layer, by the scope that its parameters lie in: its mean over the
/// steps in which it is finite.
pub(super) fn gradient_norms<'g>(updates: &[Update<'_, 'g>]) -> Vec<(String, Metric<'g>)> {
    let mut layers: Vec<(&str, Vec<Tensor<'g>>)> = vec![];
    for update in updates {
        let layer = update.path.rsplit_once('/').map_or(update.path, |(scope, _)| scope);
        match layers.iter_mut().find(|(known, _)| *known == layer) {
            Some((_, gradients)) => gradients.push(update.gradient),
            None => layers.push((layer, vec![update.gradient])),
        }
    }
    let measured = |(layer, gradients): (&str, Vec<Tensor<'g>>)| {
        let norm = global_norm(&gradients)?;
        let finite = norm.less(f64::INFINITY);
        let parts = [finite.select(norm, 0.0), finite.cast(DType::F32)];
        Some((layer.to_owned(), Metric::sums(parts, [], |sums| sums[0] / sums[1])))
    };
    layers.into_iter().filter_map(measured).collect()
}
