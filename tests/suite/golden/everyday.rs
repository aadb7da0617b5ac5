//! Everyday functions: powers, remainders, bounds that are tensors, quantiles, and elements replaced by
//! index.

use super::{axis, flag, integer, number, numbers, text};
use serde_json::Value;
use wgrad::{QuantileMethod, ScatterReduction, Tensor, ops::Pow};

fn method(case: &Value) -> QuantileMethod {
    match case.get("method").map_or("linear", text) {
        "lower" => QuantileMethod::Lower,
        "higher" => QuantileMethod::Higher,
        "midpoint" => QuantileMethod::Midpoint,
        "nearest" => QuantileMethod::Nearest,
        _ => QuantileMethod::Linear,
    }
}

fn reduction(case: &Value) -> ScatterReduction {
    match text(&case["reduction"]) {
        "sum" => ScatterReduction::Sum,
        "prod" => ScatterReduction::Product,
        "mean" => ScatterReduction::Mean,
        "amax" => ScatterReduction::Max,
        _ => ScatterReduction::Min,
    }
}

pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    let along = || axis(&case["axis"]);
    match text(&case["op"]) {
        "exp2" => x.exp2(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "rsqrt" => x.rsqrt(),
        "reciprocal" => x.reciprocal(),
        "square" => x.square(),
        "power_of" => number(&case["base"]).pow(x),
        "remainder" => x.remainder(of[1]),
        "remainder_by" => x.remainder(number(&case["by"])),
        "floor_divide" => x.floor_divide(of[1]),
        "log_add_exp" => x.log_add_exp(of[1]),
        "hard_tanh_with" => x.hard_tanh_with(number(&case["low"]), number(&case["high"])),
        "cummax" => x.cummax(along()).0,
        "cummax_indices" => x.cummax(along()).1,
        "cummin" => x.cummin(along()).0,
        "cummin_indices" => x.cummin(along()).1,
        "log_cumsum_exp" => x.log_cumsum_exp(along()),
        "median" => x.median(along()).0,
        "median_indices" => x.median(along()).1,
        "quantile" => x.quantile(number(&case["q"]), along(), method(case)),
        "quantiles" => x.quantiles(&numbers(&case["qs"]), along(), method(case)),
        "bottom_k" => x.bottom_k(integer(&case["k"]), along()).0,
        "scatter_elements" => x.scatter_elements(of[1], along(), of[2]),
        "scatter_number" => x.scatter_elements(of[1], along(), number(&case["number"])),
        "scatter_reduce" => {
            let include_self = flag(&case["include_self"]);
            x.scatter_reduce(of[1], along(), of[2], reduction(case), include_self)
        }
        "index_copy" => x.index_copy(of[1], along(), of[2]),
        "index_put" => x.index_put(of[1], of[2]),
        "clip_to" => match (case.get("low").map(number), case.get("high").map(number)) {
            (Some(low), Some(high)) => x.clip(low, high),
            (Some(low), None) => x.clip(low, of[1]),
            (None, Some(high)) => x.clip(of[1], high),
            (None, None) => x.clip(of[1], of[2]),
        },
        _ => super::everyday_layout::build(case, of),
    }
}
