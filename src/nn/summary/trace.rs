//! Traces what is summarized, and plans its memory.

use super::{Summary, layers::layers};
use crate::{
    autodiff,
    device::Device,
    error::Error,
    graph::{Graph, Tensor},
    nn::{Mode, Scope},
    program::{Inputs, planned},
    shape::Meta,
};

impl Summary {
    /// Summarizes what `trace` appends to a graph, for inputs of these names, shapes and types.
    ///
    /// In [`Mode::Train`] a training step derives what it returns if that is a single float, a
    /// loss; otherwise the mean of its squares. If `trace` has an optimizer update the parameters,
    /// the step is that one, and its memory is exactly that of the plan.
    ///
    /// ```
    /// use wgrad::{nn::Summary, prelude::*};
    ///
    /// let encoder = Dense::new(16);
    /// let [a, b] = [("a", [8, 64]), ("b", [8, 64])];
    /// let inputs = [a, b].map(|(name, shape)| (name, Meta::new(shape, DType::F32)));
    /// let summary = Summary::of(Mode::Train, inputs, |cx, batch| {
    ///     let [a, b] = ["a", "b"].map(|name| {
    ///         encoder.forward(&mut cx.child("encoder"), batch.get(name))
    ///     });
    ///     nn::mean_squared_error(a, b)
    /// })?;
    /// assert_eq!((summary.layers[0].calls, summary.layers[0].params), (2, 64 * 16 + 16));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first error of the graph, for an input that does not fit; a
    /// [`CompileError`](crate::CompileError).
    pub fn of<'n, F>(
        mode: Mode,
        inputs: impl IntoIterator<Item = (&'n str, Meta)>,
        trace: F,
    ) -> Result<Self, Error>
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Tensor<'g>,
    {
        Summary::of_step(mode, inputs, trace, |_, _| {})
    }

    /// The same of a training step, to which `update` adds the update by the loss that `trace` returns. It
    /// counts in the memory of the step, and is no layer.
    pub(crate) fn of_step<'n, F, U>(
        mode: Mode,
        inputs: impl IntoIterator<Item = (&'n str, Meta)>,
        trace: F,
        update: U,
    ) -> Result<Self, Error>
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Tensor<'g>,
        U: for<'g> Fn(&mut Scope<'g>, Tensor<'g>),
    {
        let inputs: Vec<(String, Meta)> =
            inputs.into_iter().map(|(name, meta)| (name.to_owned(), meta)).collect();
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, mode);
        let batch = inputs.iter().map(|(name, meta)| (&**name, meta));
        let output = trace(&mut cx, &Inputs::declared(&graph, batch));
        let device = Device::cpu();
        let forward_bytes = planned(&graph, &device, &[output], false)?.peak_bytes();
        let (total, layers) = layers(&cx, output);
        update(&mut cx, output);
        let has_optimizer = cx.params().iter().any(|(_, param)| graph.assigns(*param));
        let training_bytes = match (mode, training_step(&cx, output)) {
            (Mode::Train, Some(results)) => {
                Some(planned(&graph, &device, &results, true)?.peak_bytes())
            }
            _ => None,
        };
        Ok(Summary {
            mode,
            inputs,
            layers,
            total,
            forward_bytes,
            training_bytes,
            has_optimizer,
            depth: 3,
        })
    }
}

/// Results of a training step: the loss and its gradients, or the loss alone if the step has an
/// optimizer that takes them. `None` if there is nothing to train, or nothing to train it by.
fn training_step<'g>(cx: &Scope<'g>, output: Tensor<'g>) -> Option<Vec<Tensor<'g>>> {
    let params: Vec<Tensor<'g>> = cx.params().into_iter().map(|(_, param)| param).collect();
    if params.iter().any(|&param| cx.graph().assigns(param)) {
        return Some(vec![output]);
    }
    if params.is_empty() || !output.dtype().is_float() || output.shape().is_empty() {
        return None;
    }
    let loss = if output.shape().len() == 1 { output } else { output.square().mean(..) };
    Some([vec![loss], autodiff::grad(loss, &params)].concat())
}
