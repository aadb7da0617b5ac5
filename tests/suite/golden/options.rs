//! Functions with options that are not the defaults.

use super::{axis, list, number, text};
use serde_json::Value;
use wgrad::{
    Tensor,
    nn::{CrossEntropy, Dropout, Mode, Module, Scope},
};

pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    match text(&case["op"]) {
        "nll_with" => {
            let mut loss = CrossEntropy::new().of_logarithms().weights(of[2]);
            if let Some(label) = case["ignored"].as_u64() {
                loss = loss.ignoring(label as u32);
            }
            match text(&case["reduction"]) {
                "none" => loss.each(x, of[1]),
                "sum" => loss.sum(x, of[1]),
                _ => loss.mean(x, of[1]),
            }
        }
        "weighted_binary_cross_entropy_with_logits" => {
            x.weighted_binary_cross_entropy_with_logits(of[1], of[2])
        }
        "soft_cross_entropy_with" => {
            let loss = CrossEntropy::new().smoothing(number(&case["smoothing"]));
            let loss = of.get(2).map_or(loss, |weights| loss.weights(*weights));
            loss.each_of_probabilities(x, of[1])
        }
        "cosine_embedding" => x.cosine_embedding(of[1], of[2], number(&case["margin"])),
        "ctc_where_possible" => x.log_softmax(-1).ctc_where_possible(of[1], of[2], of[3], 0),
        "softplus_with" => x.softplus_with(number(&case["beta"]), number(&case["threshold"])),
        "norm_p" => {
            let p: f64 = text(&case["p"]).parse().expect("a number");
            x.norm_p(p, list(&case["axes"], axis).as_slice())
        }
        "dropout" => {
            let mut cx = Scope::new(x.graph(), Mode::Train);
            Dropout::new(number(&case["p"])).forward(&mut cx, x)
        }
        "diagonal_at" => x.diagonal_at(axis(&case["offset"])),
        other => unreachable!("{other} is not known"),
    }
}
