//! Programs in `Debug`: a summary. [`Program::plan`] and [`Program::shaders`] have the rest.

use super::Program;
use crate::brief::Brief;
use std::fmt;

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Program");
        text.field("device", &self.device);
        text.field("inputs", &Brief::named(self.inputs().iter().cloned()));
        match self.output_names() {
            [] => text.field("outputs", &Brief::new(self.outputs())),
            names => {
                let named = names.iter().cloned().zip(self.outputs());
                text.field("outputs", &Brief::named(named))
            }
        };
        if let Some(plan) = self.plan() {
            text.field("variables", &plan.variables.len());
            text.field("steps", &plan.len());
            text.field("bytes", &plan.peak_bytes());
        }
        text.finish_non_exhaustive()
    }
}
