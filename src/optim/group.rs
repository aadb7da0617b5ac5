//! Groups of parameters, each with an optimizer of its own.

use super::optimizer::{Adaptor, Optimizer, Update};
use crate::{
    error::GraphError,
    error::OpError,
    nn::{Scope, pattern},
};

/// Some of the parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// Those whose paths match a pattern: `*` stands for any text within one name, `**` for any number
    /// of names, and a scope for all below it. `net/head` matches `net/head/weight`, `**/bias` every
    /// bias.
    Paths(String),
    /// Those with at most one axis: biases, and scales of normalizations, which are seldom decayed.
    Vectors,
}

impl From<&str> for Select {
    fn from(pattern: &str) -> Self {
        Select::Paths(pattern.to_owned())
    }
}

impl Select {
    fn has(&self, update: &Update<'_, '_>) -> bool {
        match self {
            Select::Paths(pattern) => pattern::matches(pattern, update.path),
            Select::Vectors => update.param.rank() <= 1,
        }
    }
}

impl std::fmt::Display for Select {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Select::Paths(pattern) => f.write_str(pattern),
            Select::Vectors => f.write_str("vectors"),
        }
    }
}

/// Gives some parameters to another optimizer, whose state, its learning rate among it, lies below the
/// name of the group in the scope of the first: `optim/head/lr`. Of several groups, the last one takes its
/// parameters first. If the optimizer of a group skips steps, all groups are skipped together.
#[doc(alias("param_groups", "MultiOptimizer", "multi_transform"))]
#[derive(Clone, Debug, PartialEq)]
pub struct Group<O> {
    pub(super) name: String,
    pub(super) select: Select,
    pub(super) optimizer: O,
}

impl<O: Optimizer> Adaptor for Group<O> {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let (mine, others): (Vec<Update<'_, 'g>>, Vec<_>) =
            updates.iter().copied().partition(|update| self.select.has(update));
        let graph = state.graph();
        if mine.is_empty() && !updates.is_empty() {
            let (of, pattern) = (format!("group {:?}", self.name), self.select.to_string());
            let known = updates.iter().map(|update| update.path.to_owned()).collect();
            graph.fail(GraphError::NoParams { of, pattern, known });
            return;
        }
        inner.step(state, &others);
        let mut state = state.child(&self.name);
        if self.optimizer.loss_scale(&mut state).is_some() {
            let reason = "a loss has one scale: put it around the groups, not into one";
            graph.refuse("group", &[], OpError::Argument(reason));
            return;
        }
        self.optimizer.step(&mut state, &mine);
    }

    fn skips_non_finite(&self) -> bool {
        self.optimizer.skips_non_finite()
    }
}
