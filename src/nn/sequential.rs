//! Sequential composition of modules.

use super::{Module, Scope};
use crate::{brief::Brief, graph::Tensor};

/// Modules applied in sequence; each is named by its position and kind, as in `2:dense`.
#[derive(Default)]
pub struct Sequential {
    modules: Vec<Box<dyn Module>>,
}

impl Sequential {
    /// Creates an empty sequence, the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a module.
    #[expect(clippy::should_implement_trait, reason = "it adds to a list; there is no sum")]
    pub fn add(mut self, module: impl Module + 'static) -> Self {
        self.modules.push(Box::new(module));
        self
    }
}

impl std::fmt::Debug for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = Brief::new(self.modules.iter().map(|module| module.name()));
        f.debug_tuple("Sequential").field(&names).finish()
    }
}

impl Module for Sequential {
    fn name(&self) -> &str {
        "sequential"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        self.modules.iter().enumerate().fold(x, |x, (index, module)| {
            let mut child = cx.child(&format!("{index}:{}", module.name()));
            module.forward(&mut child, x)
        })
    }
}
