//! How models are traced when they serve.

use crate::{
    graph::Graph,
    nn::{MixedPrecision, Mode, Scope},
};

/// How a training traces models that are evaluated or asked for predictions.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    /// The scope of the averages of the parameters, if those serve.
    pub averages: Option<String>,
    pub mixed_precision: Option<MixedPrecision>,
}

impl Serving {
    /// The root of what is traced.
    pub fn scope<'g>(&self, graph: &'g Graph) -> Scope<'g> {
        let mut cx = Scope::new(graph, Mode::Eval);
        self.averages.iter().for_each(|averages| cx.averages(averages));
        self.mixed_precision.iter().for_each(|mixed| cx.mixed_precision(mixed));
        cx
    }
}
