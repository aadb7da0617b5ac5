//! Muon.

use super::{
    optimizer::{Optimizer, Update},
    terms::{shrunk, zeros},
};
use crate::{error::GraphError, graph::Tensor, nn::Scope, numbers::Must};

/// Muon, for matrices: `m = momentum m + (1 - momentum) g`, and a step along the nearest orthogonal
/// matrix to `momentum m + (1 - momentum) g`, about, so that it goes as far in weak directions as in
/// strong ones: `p = (1 - lr decay) p - lr scale orthogonal`.
///
/// A kernel of a convolution is a matrix with a row for each channel of its result. Vectors, and
/// by habit embeddings and the last layer, belong in a group with another optimizer:
///
/// ```
/// use wgrad::{optim::{AdamW, Muon, Select}, prelude::*};
///
/// let optimizer = Muon::new(0.02)
///     .group("vectors", Select::Vectors, AdamW::new(3e-4))
///     .group("head", "net/head", AdamW::new(3e-4));
/// # let graph = Graph::new();
/// # let mut cx = Scope::new(&graph, Mode::Train);
/// # let x = graph.input("x", [2, 3], DType::F32);
/// # let mut net = cx.child("net");
/// # let y = Dense::new(4).forward(&mut net.child("body"), x);
/// # let y = Dense::new(1).forward(&mut net.child("head"), y);
/// # optimizer.update(&mut cx, y.mean(..));
/// # graph.check()?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// Recorded by the graph: [`GraphError::NotAMatrix`] for a parameter with less than two axes.
///
/// # Numerics
///
/// In f32, where PyTorch and the author's implementation iterate in bf16.
///
/// # Source
///
/// Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; as in PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct Muon {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    decay: f64,
    adjust_lr: AdjustLr,
}

/// How [`Muon`] scales its steps, by the rows and columns of a matrix.
#[doc(alias = "adjust_lr_fn")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdjustLr {
    /// By `√max(1, rows / columns)`.
    #[default]
    Original,
    /// By `0.2 √max(rows, columns)`, so that steps are as long as those of AdamW, whose learning
    /// rate and decay can be kept.
    ///
    /// # Source
    ///
    /// Liu et al. 2025, "Muon is Scalable for LLM Training", arXiv:2502.16982.
    MatchRmsAdamW,
}

impl AdjustLr {
    fn scale(self, rows: f64, columns: f64) -> f64 {
        match self {
            AdjustLr::Original => (rows / columns).max(1.0).sqrt(),
            AdjustLr::MatchRmsAdamW => 0.2 * rows.max(columns).sqrt(),
        }
    }
}

impl Muon {
    /// Creates Muon with this learning rate, Nesterov's momentum of 0.95 and a decay of 0.1.
    pub fn new(lr: f64) -> Self {
        let adjust_lr = AdjustLr::Original;
        Muon { lr, momentum: 0.95, nesterov: true, decay: 0.1, adjust_lr }
    }

    /// Sets the momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Muon { momentum, ..self }
    }

    /// Steps along the momentum itself and does not look ahead.
    pub fn without_nesterov(self) -> Self {
        Muon { nesterov: false, ..self }
    }

    /// Sets the weight decay, which is decoupled from the gradient.
    pub fn weight_decay(self, decay: f64) -> Self {
        Muon { decay, ..self }
    }

    /// Sets how steps are scaled by the shape of a matrix.
    #[doc(alias = "adjust_lr_fn")]
    pub fn adjust_lr(self, adjust_lr: AdjustLr) -> Self {
        Muon { adjust_lr, ..self }
    }
}

impl Optimizer for Muon {
    fn step<'g>(&self, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let graph = state.graph();
        let numbers = [
            ("learning rate", self.lr, Must::BeAtLeast0),
            ("momentum", self.momentum, Must::BeBelow1),
            ("weight decay", self.decay, Must::BeAtLeast0),
        ];
        if graph.refuse_invalid("muon", &[], &numbers).is_some() {
            return;
        }
        if let Some(update) = updates.iter().find(|update| update.param.rank() < 2) {
            let (param, meta) = (update.path.to_owned(), update.param.meta());
            graph.fail(GraphError::NotAMatrix { optimizer: "muon", param, meta });
            return;
        }
        let lr = state.setting("lr", self.lr);
        for &Update { path, param, gradient } in updates {
            let [m] = zeros(&mut state.child(path), param, ["m"]);
            let moved = m.moment(gradient, self.momentum, 1.0 - self.momentum);
            graph.assign(m, moved);
            let ahead = || moved.moment(gradient, self.momentum, 1.0 - self.momentum);
            let direction = if self.nesterov { ahead() } else { moved };
            let matrix = direction.flatten(1);
            let scale = self.adjust_lr.scale(matrix.dim(0) as f64, matrix.dim(1) as f64);
            let step = orthogonal(matrix).reshape(param.shape()) * (lr * scale);
            let p = shrunk(param, lr, self.decay) - step;
            graph.assign(param, p.cast(param.dtype()));
        }
    }
}

/// Coefficients of `a x + b x³ + c x⁵`, which is steep at 0: singular values from 0.002 to 1 come to
/// lie between 0.68 and 1.21, and smaller ones become 485 times what they were.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;
/// The smallest norm that is divided by.
const SMALLEST: f64 = 1e-7;

/// About the nearest orthogonal matrix, by Newton-Schulz iterations.
fn orthogonal<'g>(matrix: Tensor<'g>) -> Tensor<'g> {
    let [a, b, c] = COEFFICIENTS;
    let is_tall = matrix.dim(0) > matrix.dim(1);
    let lying = |x: Tensor<'g>| if is_tall { x.t() } else { x };
    // No singular value exceeds the norm.
    let x = matrix / matrix.norm(..).maximum(SMALLEST);
    let x = (0..ITERATIONS).fold(lying(x), |x, _| {
        let gram = x.matmul(x.t());
        x * a + (gram * b + gram.matmul(gram) * c).matmul(x)
    });
    lying(x)
}
