//! Scaling of losses, for gradients in f16.

use super::optimizer::{Adaptor, Optimizer, Update};
use crate::{dtype::DType, graph::Tensor, init::Init, nn::Scope, numbers::Must};

/// Scales a loss before it is differentiated, and its gradients back after, so that those in f16 are
/// neither too small nor too large for it. Steps with gradients that are not finite are
/// [skipped](super::SkipNonFinite).
///
/// A [dynamic](LossScale::dynamic) scale is halved after each such step, and doubled after 2000
/// others in a row, all on the device. It lies at `loss_scale`, beside the rest of the state, in f32.
/// Factors are powers of 2, so nothing is rounded by them.
///
/// # Source
///
/// Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740; numbers as in PyTorch's
/// `GradScaler`, whose scale can grow without bound where this one stays within `2^-60` and `2^60`.
#[doc(alias("GradScaler", "LossScaleOptimizer"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    initial: f64,
    /// Steps in a row after which it grows; `None` if it stays.
    interval: Option<u32>,
}

/// The dynamic scale stays within this and its reciprocal.
const MOST: f64 = (1u64 << 60) as f64;

impl LossScale {
    /// A scale that finds itself, starting from 65536.
    pub fn dynamic() -> Self {
        LossScale { initial: 65536.0, interval: Some(2000) }
    }

    /// A scale that stays as it is.
    #[doc(alias("static_loss_scale"))]
    pub fn fixed(scale: f64) -> Self {
        LossScale { initial: scale, interval: None }
    }

    /// Sets the scale to start from; a power of 2 rounds nothing.
    #[doc(alias("init_scale", "initial_scale"))]
    pub fn starting_at(self, scale: f64) -> Self {
        LossScale { initial: scale, ..self }
    }

    /// Sets the number of steps in a row, without one that is skipped, after which a dynamic scale is
    /// doubled.
    #[doc(alias("growth_interval", "dynamic_growth_steps"))]
    pub fn growing_after(self, steps: u32) -> Self {
        LossScale { interval: self.interval.map(|_| steps), ..self }
    }

    fn is_valid(&self, state: &Scope<'_>) -> bool {
        let numbers = [
            ("scale", self.initial, Must::BePositive),
            ("growth interval", self.interval.map_or(1.0, f64::from), Must::BePositive),
        ];
        state.graph().refuse_invalid("loss_scale", &[], &numbers).is_none()
    }

    /// The scale.
    fn scale<'g>(&self, state: &mut Scope<'g>) -> Tensor<'g> {
        let init = Init::Constant(self.initial);
        match self.interval {
            Some(_) => state.variable("loss_scale", [], DType::F32, init),
            None => state.setting("loss_scale", self.initial),
        }
    }
}

impl Default for LossScale {
    fn default() -> Self {
        LossScale::dynamic()
    }
}

impl Adaptor for LossScale {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        if self.is_valid(state) {
            inner.step(state, updates);
        }
    }

    fn loss_scale<'g>(&self, state: &mut Scope<'g>) -> Option<Tensor<'g>> {
        self.is_valid(state).then(|| self.scale(state))
    }

    fn skips_non_finite(&self) -> bool {
        true
    }

    fn finish<'g>(&self, state: &mut Scope<'g>, finite: Tensor<'g>) {
        let Some(interval) = self.interval else { return };
        let (graph, scale) = (state.graph(), self.scale(state));
        let steps = state.variable("steps_since_skipped", [], DType::U32, Init::Zeros);
        let counted = steps + 1u32;
        let grows = counted.greater_equal(interval);
        let doubled = grows.select((scale * 2.0).minimum(MOST), scale);
        graph.assign(scale, finite.select(doubled, (scale * 0.5).maximum(1.0 / MOST)));
        let zero = counted.full_like(0.0);
        graph.assign(steps, finite.select(grows.select(zero, counted), zero));
    }
}
