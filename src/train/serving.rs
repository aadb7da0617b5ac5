//! How models are traced when they serve.

use crate::{
    graph::Graph,
    nn::{MixedPrecision, Mode, Scope},
};

/// How a training traces models that are evaluated or asked for predictions.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    /// The scope of averages that serve in place of parameters, and the paths of these.
    pub averages: Option<(String, Vec<String>)>,
    pub mixed_precision: Option<MixedPrecision>,
}

impl Serving {
    /// The root of a traced model.
    pub fn scope<'g>(&self, graph: &'g Graph) -> Scope<'g> {
        let mut cx = Scope::new(graph, Mode::Eval);
        if let Some((scope, paths)) = &self.averages {
            cx.averages(scope, paths.iter().cloned());
        }
        self.mixed_precision.iter().for_each(|mixed| cx.mixed_precision(mixed));
        cx
    }
}
