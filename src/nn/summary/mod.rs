//! Summaries of modules: a tree of layers, and what they take.

#[cfg(feature = "files")]
mod json;
mod layers;
mod text;
mod trace;

use super::Mode;
use crate::shape::Meta;
use std::fmt;

/// A module, layer by layer: outputs, parameters, operations, and the memory that it is going to
/// take.
///
/// Nothing runs, and no parameter is drawn: all of it follows from the graph and its plan.
///
/// ```
/// use wgrad::prelude::*;
///
/// let net = Sequential::new().add(Dense::new(128)).add(Activation::relu()).add(Dense::new(10));
/// let summary = net.summary(Mode::Train, Meta::new([32, 784], DType::F32))?;
/// println!("{summary}");
/// assert_eq!(summary.total.params, 784 * 128 + 128 + 128 * 10 + 10);
/// assert_eq!(summary.layers[1].path, "1:relu");
/// assert_eq!(summary.layers[1].output, Some(Meta::new([32, 128], DType::F32)));
/// # Ok::<(), Error>(())
/// ```
///
/// It prints:
///
/// ```text
/// sequential on x: [32, 784] f32, for training
///
/// layer    output         parameters  operations  activations
/// 0:dense  [32, 128] f32     100,480       6.4 M     16.0 KiB
/// 1:relu   [32, 128] f32           0       4.1 k     16.0 KiB
/// 2:dense  [32, 10] f32        1,290      82.2 k      1.2 KiB
/// total    [32, 10] f32      101,770       6.5 M     33.2 KiB
///
/// parameters   101,770 (397.5 KiB), all trainable
/// peak memory  512.8 KiB forward, 926.3 KiB in a training step without its optimizer
/// ```
///
/// # Units
///
/// A multiply-add counts as two operations; they are those of the graph, before a plan simplifies
/// it. Bytes are those of a plan, in which every element takes four, also one of f16, for which a
/// GPU takes two.
#[doc(alias("torchinfo", "count_params", "FlopCountAnalysis"))]
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The purpose that it was traced for.
    pub mode: Mode,
    /// Names and types of the inputs.
    pub inputs: Vec<(String, Meta)>,
    /// All layers, in the order in which they were first entered, each before those within it.
    pub layers: Vec<LayerSummary>,
    /// All of it, as one layer.
    pub total: LayerSummary,
    /// Bytes that a run takes at its peak which returns the output and assigns nothing: variables,
    /// inputs, output, and what is between.
    pub forward_bytes: usize,
    /// Bytes that a training step takes at its peak: variables, inputs, gradients, and the
    /// activations that they need. `None` for [`Mode::Eval`], and where there is nothing to train.
    ///
    /// The state of an optimizer comes on top, unless the step [has one](Self::has_optimizer): Adam's moments
    /// take twice the bytes of the trainable parameters. All gradients are counted at once; a step that uses each as soon as it is there
    /// takes less.
    pub training_bytes: Option<usize>,
    /// Whether the training step has an optimizer: the closure that was summarized calls one, or it is that
    /// of a [trainer](crate::train::Trainer::summary).
    pub has_optimizer: bool,
    /// Levels of the tree that are printed.
    depth: usize,
}

/// A layer: a scope that a module was traced in. All numbers include those of the layers within it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LayerSummary {
    /// Path of the scope, as in those of its variables; empty for the whole.
    pub path: String,
    /// The kind of the module, where its container names it so: `dense` in `2:dense`. Otherwise the
    /// operation that takes most, for a layer without others in it.
    pub kind: Option<String>,
    /// Type of the last of its values that is used outside of it. `None` if no operation of it has
    /// such a value, as for dropout in evaluation.
    pub output: Option<Meta>,
    /// How often it is applied: more than once if its parameters are shared.
    pub calls: usize,
    /// Number of elements of its parameters, each counted once.
    pub params: usize,
    /// How many of these are trained.
    pub trainable: usize,
    /// Number of elements of other variables, such as running statistics.
    pub variables: usize,
    /// Arithmetic operations per run, of all calls.
    pub flops: f64,
    /// Bytes of the values that pass from one layer to another, of all calls. A plan keeps fewer
    /// where it fuses layers.
    pub activation_bytes: usize,
}

impl LayerSummary {
    /// The last name of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }

    /// How many layers it is within.
    pub fn depth(&self) -> usize {
        self.path.matches('/').count()
    }
}

impl Summary {
    /// Sets how many levels of the tree are printed, 3 by default. The numbers of a layer include
    /// those that are not.
    #[doc(alias = "expand_nested")]
    pub fn depth(self, levels: usize) -> Self {
        Summary { depth: levels, ..self }
    }
}

impl fmt::Debug for Summary {
    /// Its size; `{}` prints all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("mode", &self.mode)
            .field("layers", &self.layers.len())
            .field("total", &self.total)
            .field("forward_bytes", &self.forward_bytes)
            .field("training_bytes", &self.training_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
