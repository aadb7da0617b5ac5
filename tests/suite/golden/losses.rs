//! Losses, with their options and reductions.

use super::{axis, flag, integer, number, text};
use serde_json::Value;
use wgrad::{GaussianNll, PoissonNll, Reduction, Tensor, nn::CrossEntropy};

/// None where a case does not say.
fn reduction(case: &Value) -> Reduction {
    match case.get("reduction").map(text) {
        None | Some("none") => Reduction::None,
        Some("mean") => Reduction::Mean,
        Some("sum") => Reduction::Sum,
        Some("batchmean") => Reduction::BatchMean,
        Some(other) => unreachable!("{other} is no reduction"),
    }
}

/// The options of cross-entropy that a case names, and its weights.
fn cross_entropy<'g>(case: &Value, weights: Option<&Tensor<'g>>) -> CrossEntropy<'g> {
    let mut loss = CrossEntropy::new().reduction(reduction(case));
    if let Some(smoothing) = case.get("smoothing") {
        loss = loss.smoothing(number(smoothing));
    }
    if let Some(label) = case["ignored"].as_u64() {
        loss = loss.ignoring(label as u32);
    }
    if let Some(at) = case.get("axis") {
        loss = loss.axis(axis(at));
    }
    weights.map_or(loss, |weights| loss.weights(*weights))
}

/// The loss of a case, if it is one.
pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    let x = of[0];
    let reduction = || reduction(case);
    let along = || case.get("axis").map_or(-1, axis);
    let margin = || number(&case["margin"]);
    macro_rules! of_pairs {
        ($($pair:ident)*) => {
            match text(&case["op"]) {
                $(stringify!($pair) => x.$pair(of[1], reduction()),)*
                "cross_entropy" => x.cross_entropy(of[1], along(), reduction()),
                "cross_entropy_with" => cross_entropy(case, of.get(2)).loss(x, of[1]),
                "nll_with" => cross_entropy(case, of.get(2)).of_logarithms().loss(x, of[1]),
                "negative_log_likelihood" => x.negative_log_likelihood(of[1], along(), reduction()),
                "soft_cross_entropy" => x.soft_cross_entropy(of[1], along(), reduction()),
                "soft_cross_entropy_with" => {
                    cross_entropy(case, of.get(2)).loss_of_probabilities(x, of[1])
                }
                "huber" => x.huber(of[1], number(&case["delta"]), reduction()),
                "smooth_l1" => x.smooth_l1(of[1], number(&case["delta"]), reduction()),
                "weighted_binary_cross_entropy_with_logits" => {
                    x.weighted_binary_cross_entropy_with_logits(of[1], of[2], reduction())
                }
                "hinge_embedding" => x.hinge_embedding(of[1], margin(), reduction()),
                "cosine_embedding" => x.cosine_embedding(of[1], of[2], margin(), reduction()),
                "triplet_margin" => x.triplet_margin(of[1], of[2], margin(), reduction()),
                "margin_ranking" => x.margin_ranking(of[1], of[2], margin(), reduction()),
                "multi_margin" => {
                    let power = integer(&case["power"]) as u32;
                    x.multi_margin(of[1], along(), margin(), power, reduction())
                }
                "poisson_nll" => {
                    let (log_input, full) = (flag(&case["log_input"]), flag(&case["full"]));
                    let options = PoissonNll { log_input, full, eps: number(&case["eps"]) };
                    x.poisson_nll(of[1], options, reduction())
                }
                "gaussian_nll" => {
                    let (full, eps) = (flag(&case["full"]), number(&case["eps"]));
                    x.gaussian_nll(of[1], of[2], GaussianNll { full, eps }, reduction())
                }
                "ctc" => {
                    let blank = integer(&case["blank"]) as u32;
                    x.log_softmax(-1).ctc(of[1], of[2], of[3], blank, reduction())
                }
                "ctc_where_possible" => {
                    x.log_softmax(-1).ctc_where_possible(of[1], of[2], of[3], 0, reduction())
                }
                _ => return None,
            }
        };
    }
    Some(of_pairs! {
        squared_error absolute_error binary_cross_entropy binary_cross_entropy_with_logits
        kl_divergence kl_divergence_of_logarithms hinge soft_margin multilabel_soft_margin
        multilabel_margin
    })
}
