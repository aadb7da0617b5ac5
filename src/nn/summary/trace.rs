//! Traces what is summarized, and plans its memory.

use super::{Summary, layers::layers};
use crate::{
    autodiff,
    device::Device,
    error::{Error, RunError},
    graph::{Graph, Tensor},
    nn::{Mode, Scope},
    program::{Inputs, Program},
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
        let inputs: Vec<(String, Meta)> =
            inputs.into_iter().map(|(name, meta)| (name.to_owned(), meta)).collect();
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, mode);
        let batch = inputs.iter().map(|(name, meta)| (&**name, meta));
        let output = trace(&mut cx, &Inputs::declared(&graph, batch));
        let device = Device::cpu();
        let forward_bytes = peak_bytes(&graph.compile_pure(&device, &[output])?)?;
        let (total, layers) = layers(&cx, output);
        let training_bytes = match mode {
            Mode::Train => training_step(&cx, output)
                .map(|results| peak_bytes(&graph.compile(&device, &results)?))
                .transpose()?,
            Mode::Eval => None,
        };
        Ok(Summary { mode, inputs, layers, total, forward_bytes, training_bytes, depth: 3 })
    }
}

/// The peak is that of any device: it is a number of the plan.
fn peak_bytes(program: &Program) -> Result<usize, Error> {
    Ok(program.plan().ok_or(RunError::NotPlanned)?.peak_bytes())
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
