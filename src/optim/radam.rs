//! RAdam.

use super::{
    optimizer::{Optimizer, Update},
    terms::{Decay, correction, counted, decayed, log, moments, shrunk},
};
use crate::{graph::Tensor, nn::Scope, numbers::Must};

/// Rectified Adam, which needs no warm-up: `p = p - lr r m̂ / √v̂` with [`Adam`](super::Adam)'s
/// moments, where `r` makes up for the variance of `v̂`, and `p = p - lr m̂` in the first steps, in
/// which that is out of bounds.
///
/// # Source
///
/// Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265,
/// algorithm 2; bounds, and `ε` beside the uncorrected `√v`, as in PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct RAdam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: Decay,
}

impl RAdam {
    /// Creates RAdam with this learning rate, `β1 = 0.9`, `β2 = 0.999` and `ε = 1e-8`.
    pub fn new(lr: f64) -> Self {
        let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
        RAdam { lr, beta1, beta2, eps, decay: Decay::NONE }
    }

    /// Sets the decay rates of both moments. Without a `β2` above 2/3, no step is adaptive.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        RAdam { beta1, beta2, ..self }
    }

    /// Sets the epsilon that keeps the quotient finite.
    pub fn eps(self, eps: f64) -> Self {
        RAdam { eps, ..self }
    }

    /// Sets the weight decay, which is added to the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        RAdam { decay: Decay::Coupled(decay), ..self }
    }

    /// Sets the weight decay, which is decoupled from the gradient: `p = (1 - lr decay) p` before
    /// each step, as in [`AdamW`](super::AdamW).
    pub fn decoupled_weight_decay(self, decay: f64) -> Self {
        RAdam { decay: Decay::Decoupled(decay), ..self }
    }
}

impl Optimizer for RAdam {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("beta1", self.beta1, Must::BeBelow1),
            ("beta2", self.beta2, Must::BeBelow1),
            ("eps", self.eps, Must::BeAtLeast0),
            ("weight decay", self.decay.rate(), Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("radam", &[], &numbers).is_some() {
            return;
        }
        let lr = state.setting("lr", self.lr);
        let step = counted(state);
        let rate = lr / correction(step, self.beta1);
        let adaptive = first_adaptive(self.beta2).map(|first| {
            let scale = correction(step, self.beta2).sqrt() * rectification(step, self.beta2);
            (step.greater_equal(first), scale)
        });
        let [coupled, decoupled] = self.decay.split();
        for &Update { path, param, gradient } in updates {
            let gradient = decayed(gradient, param, coupled);
            let [first, second] =
                moments(&mut state.child(path), gradient, [self.beta1, self.beta2]);
            let factor = adaptive.map(|(is_adaptive, scale)| {
                is_adaptive.select(scale / (second.sqrt() + self.eps), 1.0)
            });
            let direction = factor.map_or(first, |factor| first * factor);
            let p = shrunk(param, lr, decoupled) - direction * rate;
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}

/// Steps with a larger `ρ_t`, the length of the approximated moving average, are adaptive.
const SHORTEST: f64 = 5.0;

/// The first step in which `ρ_t`, which grows with `t`, exceeds [`SHORTEST`]; `None` if it never
/// does.
///
/// In f64, and as `2 Σ k β^(k-1) / Σ β^(k-1) - 1`, with sums over `k` from 1 to `t`: it equals the
/// formula of the paper, which is a difference of two large numbers, and decides steps 5 and 6
/// right for any `β` below 1.
fn first_adaptive(beta2: f64) -> Option<f64> {
    let (mut power, mut sum, mut weighted) = (1.0, 0.0, 0.0);
    // Where 5 is exceeded at all, in f64, it is long before.
    (1..1000u16).map(f64::from).find(|t| {
        sum += power;
        weighted += t * power;
        power *= beta2;
        2.0 * weighted / sum - 1.0 > SHORTEST
    })
}

/// `r = √((ρ_t - 4) (ρ_t - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ_t))`, for adaptive steps.
fn rectification<'g>(t: Tensor<'g>, beta2: f64) -> Tensor<'g> {
    let longest = longest(beta2);
    let share = longest / ((longest - 4.0) * (longest - 2.0));
    // It is not less in an adaptive step; in the others, which do not use it, it stays finite.
    let length = length(t, beta2).maximum(SHORTEST);
    ((length - 4.0) * (length - 2.0) / length * share).sqrt()
}

/// `ρ∞`, the limit of [`length`].
fn longest(beta2: f64) -> f64 {
    2.0 / (1.0 - beta2) - 1.0
}

/// `ρ_t = ρ∞ - 2 t β^t / (1 - β^t)`, all digits of it.
///
/// As long as `β^t` is near 1, that is a difference of large numbers. With `y = -t ln(β) / 2` it
/// equals `ρ∞ + 2 / ln β + t (1 - (coth y - 1 / y))`, the first difference of which is one
/// constant, and the last has Lambert's continued fraction `y / (3 + y² / (5 + y² / (7 + …)))`.
fn length<'g>(t: Tensor<'g>, beta2: f64) -> Tensor<'g> {
    let (longest, log) = (longest(beta2), log(beta2));
    let y = t * (-0.5 * log);
    let square = y * y;
    // As far as f32 can tell where y is below 1.
    let divisor = [9.0, 7.0, 5.0, 3.0].iter().fold(t.full_like(11.0), |of, &odd| square / of + odd);
    let early = (1.0 - y / divisor) * t + (longest + 2.0 / log);
    let late = longest - 2.0 * t * (t * log).exp() / correction(t, beta2);
    y.less(1.0).select(early, late)
}
