//! A convolution and the gradient of its input, which is one with the flipped window where the stride is 1.

use super::{Problem, shaders::Triple};

/// A convolution as shaders execute it: `y = x * w`.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    pub batch: usize,
    pub groups: usize,
    /// Channels of `x` and of `y` per group.
    pub inputs: usize,
    pub outputs: usize,
    pub x: Triple,
    pub y: Triple,
    pub window: Triple,
    pub stride: Triple,
    pub dilation: Triple,
    /// Zeros before `x`; negative numbers wrap.
    pub low: Triple,
    /// From an input, and from an output, to the next in the weight.
    pub w_input: usize,
    pub w_output: usize,
    /// Whether the window is flipped, and weights are multiplied only where they meet an element: it is the
    /// gradient.
    pub is_flipped: bool,
}

impl Pass {
    /// The convolution.
    pub fn forward(problem: &Problem) -> Self {
        let &Problem { batch, groups, inputs, outputs, .. } = problem;
        let taps = problem.taps();
        Pass {
            batch,
            groups,
            inputs,
            outputs,
            x: problem.x(),
            y: problem.y(),
            window: problem.window(),
            stride: problem.stride(),
            dilation: problem.dilation(),
            low: problem.low(),
            w_input: taps,
            w_output: inputs * taps,
            is_flipped: false,
        }
    }

    /// The gradient of the input, where the stride is 1: `x` is the cotangent, `y` the gradient.
    pub fn input_grad(problem: &Problem) -> Option<Self> {
        let forward = Pass::forward(problem);
        let low =
            problem.axes.map(|axis| (axis.dilation * (axis.window - 1)).wrapping_sub(axis.low));
        problem.axes.iter().all(|axis| axis.stride == 1).then_some(Pass {
            inputs: forward.outputs,
            outputs: forward.inputs,
            x: forward.y,
            y: forward.x,
            low,
            w_input: forward.w_output,
            w_output: forward.w_input,
            is_flipped: true,
            ..forward
        })
    }

    /// Whether a window of several taps moves by one pixel over images.
    pub fn moves_by_one(&self) -> bool {
        let is_flat = [self.x[0], self.y[0], self.window[0]] == [1; 3] && self.low[0] == 0;
        let is_dense = self.stride == [1; 3] && self.dilation == [1; 3];
        is_flat && is_dense && self.window != [1; 3]
    }
}
