//! Terms that several rules share.

use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope};

/// Number of this step, from 1 on. Counted in f32, exact up to 2^24, where it stays.
pub(super) fn counted<'g>(state: &mut Scope<'g>) -> Tensor<'g> {
    let steps = state.variable("step", [], DType::F32, Init::Zeros);
    let step = steps + 1.0;
    state.graph().assign(steps, step);
    step
}

/// `1 - beta^t`, all digits of it at small `t` too.
pub(super) fn correction<'g>(t: Tensor<'g>, beta: f64) -> Tensor<'g> {
    -(t * log(beta)).expm1()
}

/// The logarithm, for powers by [`exp`](Tensor::exp): finite at 0, and those are 0 all the same.
pub(super) fn log(beta: f64) -> f64 {
    beta.ln().max(-1e4)
}

/// Variables of zeros, in f32, with the shape of a parameter.
pub(super) fn zeros<'g, const N: usize>(
    own: &mut Scope<'g>,
    param: Tensor<'g>,
    names: [&str; N],
) -> [Tensor<'g>; N] {
    names.map(|name| own.variable(name, param.shape(), DType::F32, Init::Zeros))
}

/// Both moments of a gradient after a step, as Adam has them, which are kept in `m` and `v`.
pub(super) fn moments<'g>(
    own: &mut Scope<'g>,
    gradient: Tensor<'g>,
    [beta1, beta2]: [f64; 2],
) -> [Tensor<'g>; 2] {
    let [m, v] = zeros(own, gradient, ["m", "v"]);
    let first = m.moment(gradient, beta1, 1.0 - beta1);
    let second = v.second_moment(gradient, beta2);
    own.graph().assign(m, first);
    own.graph().assign(v, second);
    [first, second]
}

/// A parameter in f32 after weight decay that is decoupled from the gradient: `(1 - lr decay) p`.
pub(super) fn shrunk<'g>(param: Tensor<'g>, lr: Tensor<'g>, decay: f64) -> Tensor<'g> {
    let p = param.widened();
    if decay == 0.0 { p } else { p * (1.0 - lr * decay) }
}

/// A gradient with that of `decay / 2 |p|²` added.
pub(super) fn decayed<'g>(gradient: Tensor<'g>, param: Tensor<'g>, decay: f64) -> Tensor<'g> {
    if decay == 0.0 { gradient } else { gradient + param.widened() * decay }
}

/// A weight decay, and where it acts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Decay {
    /// Added to the gradient.
    Coupled(f64),
    /// Decoupled from the gradient.
    Decoupled(f64),
}

impl Decay {
    pub const NONE: Decay = Decay::Coupled(0.0);

    pub fn rate(self) -> f64 {
        match self {
            Decay::Coupled(rate) | Decay::Decoupled(rate) => rate,
        }
    }

    /// The rate of a decay that is [added](decayed), and of one that [shrinks](shrunk); one of them is 0.
    pub fn split(self) -> [f64; 2] {
        match self {
            Decay::Coupled(rate) => [rate, 0.0],
            Decay::Decoupled(rate) => [0.0, rate],
        }
    }
}
