//! Convolutions of small groups, of which most of a tile would be idle: their shaders, and what decides for
//! them.

use super::{
    Problem,
    pass::Pass,
    shaders::{divisors, unfolded_params},
};
use crate::ops::{
    contract::Bound,
    kernel::{Shader, ShaderFile, fold, shader_file},
    params::params,
    tiles::{Order, grid, part},
};

/// Up to this many channels of a group most of a tile would be idle.
const FEW: usize = 4;

/// Invocations per workgroup that have an element each.
const INVOCATIONS: usize = 256;

/// Invocations that share the terms of an element of the gradient of the weight, and the taps of a workgroup.
const LANES: usize = 128;
const TAPS: usize = 12;

impl Problem {
    /// Whether each element of the result gets an invocation.
    pub(super) fn has_few_outputs(&self) -> bool {
        self.outputs <= FEW
    }

    /// Whether each element of the gradient of the input gets an invocation, and a workgroup taps of one
    /// channel of the gradient of the weight.
    pub(super) fn has_few_channels(&self) -> bool {
        self.inputs <= FEW && self.outputs <= FEW
    }

    /// The parts of the terms of the gradient of the weight, which lanes share.
    fn parts_in_lanes(&self) -> Order {
        let workgroups = self.groups * self.outputs * self.inputs * self.taps().div_ceil(TAPS);
        part(self.batch * self.positions(), workgroups).map_or(Order::Sequential, Order::Parts)
    }

    /// The order of summation of the gradient of the weight, in its parts and their lanes.
    pub(super) fn weight_order(&self) -> Order {
        match self.has_few_channels() {
            true => self.parts_in_lanes(),
            false => self.weight_extents().order_of_small_result(),
        }
    }

    /// Error bound of the gradient of the weight, and its justification.
    pub(super) fn weight_accuracy(&self) -> (Bound, &'static str) {
        let terms = self.batch * self.positions();
        let order = self.weight_order();
        if !self.has_few_channels() {
            return order.accuracy(terms);
        }
        let reason = "a rounding for each term of a lane, for each step of their tree and for each part, \
                      of partial sums that stay below a quarter of the magnitudes";
        let roundings = order.length(terms).div_ceil(LANES) + order.parts(terms);
        (Bound::Terms(9.0 + roundings as f64 / 4.0), reason)
    }

    /// Error bound of the gradient of the bias, and its justification.
    pub(super) fn bias_accuracy(&self) -> (Bound, &'static str) {
        self.weight_order().of_rows().accuracy(self.batch * self.positions())
    }

    /// The same order in words.
    pub(super) fn weight_order_in_words(&self) -> Option<String> {
        let order = self.weight_order();
        if !self.has_few_channels() {
            return self.weight_extents().in_words(order);
        }
        let terms = self.batch * self.positions();
        let (parts, length) = (order.parts(terms), order.length(terms));
        Some(match parts {
            1 => format!("in {LANES} lanes of {length} terms"),
            _ => format!("in {parts} parts of {length} terms, {LANES} lanes each"),
        })
    }
}

/// A convolution, or the gradient of its input as one: four neighbors per invocation.
pub(super) fn in_fours(pass: &Pass) -> Shader {
    let &Pass { batch, groups, inputs, outputs, y: [depth, height, width], .. } = pass;
    let [planes, rows, columns] = pass.window;
    let quads = [depth, height, width.div_ceil(4)];
    let fours = batch * groups * outputs * quads.iter().product::<usize>();
    let [quad_multiplier, quad_shift] = divisors(quads);
    let is_sliding = pass.stride[2] == 1 && pass.dilation[2] == 1;
    Shader {
        file: ShaderFile {
            swaps_operands: pass.is_flipped,
            ..shader_file!("convolution/convolution_depthwise", ["unravel"])
        },
        overrides: vec![
            ("WG_SIZE", INVOCATIONS as f64),
            ("WINDOW_ROWS", rows as f64),
            ("WINDOW_COLUMNS", columns as f64),
            ("IS_SLIDING", f64::from(u8::from(is_sliding))),
            ("IS_FLIPPED", f64::from(u8::from(pass.is_flipped))),
        ],
        params: params! {
            x: pass.x,
            inputs,
            y: pass.y,
            outputs,
            stride: pass.stride,
            w_input: pass.w_input,
            dilation: pass.dilation,
            w_output: pass.w_output,
            low: pass.low,
            groups,
            quads,
            fours,
            quad_multiplier,
            planes,
            quad_shift,
        },
        workgroups: fold(fours.div_ceil(INVOCATIONS)),
    }
}

/// The gradient of the input with any stride, one element per invocation.
pub(super) fn input_grad(problem: &Problem) -> Shader {
    let &Problem { batch, groups, inputs, outputs, .. } = problem;
    let [x_multiplier, x_shift] = divisors(problem.x());
    let len = batch * groups * inputs * problem.pixels();
    let params = params! {
        x: problem.x(),
        len,
        y: problem.y(),
        inputs,
        window: problem.window(),
        outputs,
        stride: problem.stride(),
        groups,
        dilation: problem.dilation(),
        positions: problem.positions(),
        low: problem.low(),
        taps: problem.taps(),
        step: problem.step(),
        back: problem.back(),
        x_multiplier,
        x_shift,
    };
    Shader {
        file: shader_file!(
            "convolution/convolution_depthwise_input_grad",
            ["first_tap", "unravel"]
        ),
        overrides: vec![("WG_SIZE", INVOCATIONS as f64)],
        params,
        workgroups: fold(len.div_ceil(INVOCATIONS)),
    }
}

/// The gradient of the weight, some taps of a channel per workgroup.
pub(super) fn weight_grad(problem: &Problem) -> Shader {
    let &Problem { groups, inputs, outputs, .. } = problem;
    let extents = problem.weight_extents();
    let order = problem.weight_order();
    let across = problem.taps().div_ceil(TAPS);
    let axes = [across, outputs * inputs, groups * order.parts(extents.terms)];
    // Every device has that much.
    let (workgroups, is_folded) = grid(axes, 0);
    let flags = [
        ("IS_DEEP", problem.is_deep()),
        ("IS_FOLDED", is_folded),
        ("IS_IN_PARTS", matches!(order, Order::Parts(_))),
    ];
    let flags = flags.map(|(name, is_set)| (name, f64::from(u8::from(is_set))));
    Shader {
        file: shader_file!(
            "convolution/convolution_depthwise_weight_grad",
            ["grid", "parts", "positions"]
        ),
        overrides: [("LANES", LANES as f64)].into_iter().chain(flags).collect(),
        params: unfolded_params(problem, &extents, order, axes),
        workgroups,
    }
}
