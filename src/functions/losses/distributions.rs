//! Losses of distributions: likelihoods, and divergences of one from another.

use super::elements::{FEW, of_elements, of_pairs, off, pairs, shares};
use crate::{
    array64::Array64,
    dtype::DType,
    functions::{precision::loss_in_f32, reduction::Reduction, targets::refuse_unequal_shapes},
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};
use std::f64::consts::PI;

/// The negative log-likelihood of counts under a Poisson distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    /// Whether predictions are logarithms of rates; `true` by default. If not, they are rates.
    pub log_input: bool,
    /// Whether Stirling's approximation of `ln target!` is added for targets above 1, which does not
    /// depend on the predictions; `false` by default.
    pub full: bool,
    /// Added to rates before their logarithm is taken; 1e-8 by default.
    pub eps: f64,
}

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll { log_input: true, full: false, eps: 1e-8 }
    }
}

/// The negative log-likelihood of numbers under normal distributions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    /// Whether the constant `ln(2 pi) / 2` is added; `false` by default.
    pub full: bool,
    /// The least variance, in place of any smaller one; 1e-6 by default.
    pub eps: f64,
}

impl Default for GaussianNll {
    fn default() -> Self {
        GaussianNll { full: false, eps: 1e-6 }
    }
}

impl<'g> Tensor<'g> {
    /// The negative log-likelihood of counts: `exp(x) - target x` of logarithms of rates, or
    /// `x - target ln(x + eps)` of rates.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) if `eps` is negative or NaN.
    ///
    /// # Source
    ///
    /// PyTorch's `poisson_nll_loss`.
    #[doc(alias("poisson_nll_loss", "PoissonNLLLoss", "Poisson"))]
    #[track_caller]
    pub fn poisson_nll(
        self,
        target: Tensor<'g>,
        options: PoissonNll,
        reduction: Reduction,
    ) -> Tensor<'g> {
        let PoissonNll { log_input, full, eps } = options;
        if let Some(refused) = self.graph().refuse_invalid(
            "poisson_nll",
            &[self, target],
            &[("eps", eps, Must::BeAtLeast0)],
        ) {
            return refused;
        }
        of_elements("poisson_nll", [self, target], reduction, |[x, target]| {
            let cost = if log_input {
                x.exp() - target * x
            } else {
                x - target * (x + constant(x, eps)).log()
            };
            if !full {
                return cost;
            }
            let counts = target.greater(1.0);
            let n = counts.select(target, target.full_like(1.0));
            let stirling = n * n.log() - n + (n * constant(n, 2.0 * PI)).log() * 0.5;
            cost + counts.select(stirling, stirling.full_like(0.0))
        })
    }

    /// The negative log-likelihood of `target` under the normal distribution with this mean and
    /// `variance`: `(ln v + (x - target)^2 / v) / 2`.
    ///
    /// # Shapes
    ///
    /// Variances have the shape of the predictions, or are broadcast to it: a single one, one along
    /// an axis of extent 1.
    ///
    /// # Gradient
    ///
    /// A variance below `eps` has the derivative at `eps`, as in PyTorch, so that it can grow again.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) unless `eps` is positive.
    ///
    /// # Source
    ///
    /// Nix & Weigend 1994; PyTorch's `gaussian_nll_loss`.
    #[doc(alias("gaussian_nll_loss", "GaussianNLLLoss"))]
    #[track_caller]
    pub fn gaussian_nll(
        self,
        target: Tensor<'g>,
        variance: Tensor<'g>,
        options: GaussianNll,
        reduction: Reduction,
    ) -> Tensor<'g> {
        const NAME: &str = "gaussian_nll";
        let GaussianNll { full, eps } = options;
        let operands = [self, target, variance];
        let numbers = [("eps", eps, Must::BePositive)];
        if let Some(refused) = self.graph().refuse_invalid(NAME, &operands, &numbers) {
            return refused;
        }
        if let Some(refused) = refuse_unequal_shapes(NAME, self, target) {
            return refused;
        }
        loss_in_f32(NAME, operands, |[x, target, variance]| {
            let variance = variance.broadcast_to(x.shape());
            if variance.failed() {
                return variance;
            }
            let missing = (constant(variance, eps) - variance).relu().detach();
            let variance = variance + missing;
            let error = x - target;
            let cost = (variance.log() + error * error / variance) * 0.5;
            let shift = constant(cost, 0.5 * (2.0 * PI).ln());
            reduction.of(if full { cost + shift } else { cost })
        })
    }

    /// Divergence of log probabilities from `target`: `target (ln target - x)`; 0 where the target
    /// is 0, and NaN where it is negative. The sum over classes and mean over examples is
    /// [`Reduction::BatchMean`].
    ///
    /// # Source
    ///
    /// Kullback and Leibler 1951.
    #[doc(alias("kl_div", "KLDivLoss"))]
    #[track_caller]
    pub fn kl_divergence(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("kl_divergence", [self, target], reduction, |[x, target]| {
            // The unselected branch must be finite, or its zero cotangent becomes NaN.
            let log = target.equal(0.0).select(1.0, target).log();
            target * (log - x)
        })
    }

    /// `e^target (target - x)`: the divergence if targets are log probabilities as well.
    ///
    /// # Source
    ///
    /// PyTorch's `kl_div` with `log_target`.
    #[doc(alias = "log_target")]
    #[track_caller]
    pub fn kl_divergence_of_logarithms(
        self,
        target: Tensor<'g>,
        reduction: Reduction,
    ) -> Tensor<'g> {
        of_elements("kl_divergence_of_logarithms", [self, target], reduction, |[x, target]| {
            target.exp() * (target - x)
        })
    }
}

/// The samples.
pub(super) fn samples() -> Vec<Sample> {
    let matrix = |dims: &[usize]| Meta::new(dims, DType::F32);
    let counts = || Domain::Values(&[0.0, 1.0, 2.0, 3.0, 0.5]);
    fn rates() -> PoissonNll {
        PoissonNll { log_input: false, full: true, eps: 0.125 }
    }
    let gaussian = |variance: &[usize], options: GaussianNll| {
        let function = Function::new(
            "gaussian_nll",
            move |x| x[0].gaussian_nll(x[1], x[2], options, Reduction::None),
            move |x| {
                Array64::from_fn(Meta::new(x[0].shape().clone(), DType::F32), |c| {
                    let one = x[2].shape().dims().iter().zip(&c);
                    let place: Vec<usize> = one.map(|(&extent, &c)| c.min(extent - 1)).collect();
                    let v = x[2].at(&place).max(options.eps);
                    let constant = if options.full { 0.5 * (2.0 * PI).ln() } else { 0.0 };
                    0.5 * (v.ln() + (x[0].at(&c) - x[1].at(&c)).powi(2) / v) + constant
                })
            },
        );
        Sample::new(function, [matrix(&[4, 17]), matrix(&[4, 17]), matrix(variance)])
            .operand(0, Domain::Distinct)
            .operand(1, off())
            .operand(2, Domain::Range(0.5, 3.0))
            .bound(FEW.0, FEW.1)
    };
    vec![
        pairs(
            of_pairs(
                "poisson_nll",
                |x, t| x.poisson_nll(t, PoissonNll::default(), Reduction::None),
                |x, t| x.exp() - t * x,
            ),
            counts(),
        )
        .bound(Bound::Abs(1e-5), "an exponential below 8 and a product"),
        pairs(
            of_pairs(
                "poisson_nll",
                |x, t| x.poisson_nll(t, rates(), Reduction::None),
                |x, t| {
                    let stirling = t * t.ln() - t + 0.5 * (2.0 * PI * t).ln();
                    x - t * (x + 0.125).ln() + if t > 1.0 { stirling } else { 0.0 }
                },
            ),
            // The constant jumps at 1.
            Domain::Values(&[0.0, 2.0, 3.0, 0.5]),
        )
        .operand(0, Domain::Range(0.5, 3.0))
        .bound(Bound::Abs(1e-5), "three logarithms and products below 8")
        .named("of rates, with the constant"),
        gaussian(&[4, 17], GaussianNll::default()),
        gaussian(&[4, 1], GaussianNll { full: true, eps: 1e-6 }).named("one variance per row"),
        gaussian(&[4, 17], GaussianNll { full: false, eps: 1.0 })
            .without_gradient()
            .named("at least 1"),
        pairs(
            of_pairs(
                "kl_divergence",
                |x, t| x.kl_divergence(t, Reduction::None),
                |x, t| t * (t.ln() - x),
            ),
            shares(),
        ),
        pairs(
            of_pairs(
                "kl_divergence_of_logarithms",
                |x, t| x.kl_divergence_of_logarithms(t, Reduction::None),
                |x, t| t.exp() * (t - x),
            ),
            off(),
        ),
    ]
}
