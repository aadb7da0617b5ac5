//! Functions with options that are not the defaults.

use super::{axis, list, number, text};
use serde_json::Value;
use wgrad::{
    Tensor,
    nn::{Dropout, Mode, Module, Scope},
};

pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    match text(&case["op"]) {
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
