//! Device implementations: shaders and their `Params`, and the CPU loops.

use super::{
    Problem,
    cpu::{Unfolded, block},
    int8_cpu,
};
use crate::ops::{
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold, shader_file},
    library::divisor,
    probe::Probe,
};
use std::sync::Arc;

/// Up to this many outputs per group, each element gets an invocation: most rows of a tile would be
/// idle.
const DEPTHWISE_OUTPUTS: usize = 4;

/// Invocations per workgroup of `shaders/convolution_depthwise.wgsl`.
const INVOCATIONS: usize = 256;

/// Numbers for depth, height and width.
type Triple = [usize; 3];

/// The bytes of a `Params` of vec3s, each followed by a scalar except for the last.
fn params(rows: &[(Triple, usize)]) -> Vec<u8> {
    let words = rows.iter().flat_map(|&([x, y, z], w)| [x, y, z, w].map(|number| number as u32));
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.truncate(bytes.len().saturating_sub(4));
    bytes
}

/// Multipliers and shifts that divide by these extents.
fn divisors(extents: Triple) -> [Triple; 2] {
    let parts = extents.map(|extent| divisor(extent as u32));
    [parts.map(|part| part.0 as usize), parts.map(|part| part.1 as usize)]
}

impl Problem {
    /// The vectors that describe it in every shader, each followed by the given scalar.
    fn rows(&self, behind: [usize; 6]) -> [(Triple, usize); 6] {
        let axes = self.axes;
        let rows = [
            axes.map(|axis| axis.extent),
            axes.map(|axis| axis.out),
            axes.map(|axis| axis.window),
            axes.map(|axis| axis.stride),
            axes.map(|axis| axis.dilation),
            axes.map(|axis| axis.low),
        ];
        std::array::from_fn(|k| (rows[k], behind[k]))
    }

    fn y(&self) -> Triple {
        self.axes.map(|axis| axis.out)
    }

    fn window(&self) -> Triple {
        self.axes.map(|axis| axis.window)
    }
}

/// `products` of this many rows and columns: one shader with large tiles, which reads less, and
/// one with small tiles, which keeps more of a device busy. Both sum in the same order.
fn tiled(
    file: ShaderFile,
    products: usize,
    rows: usize,
    columns: usize,
    params: Vec<u8>,
) -> Vec<Shader> {
    let tiles = |tile: usize| products * rows.div_ceil(tile) * columns.div_ceil(tile);
    let large = rows > 32 && columns > 32 && tiles(64) >= 32;
    let edges: [usize; 2] = if large { [16, 8] } else { [8, 16] };
    let shader = |edge: usize| Shader {
        file,
        overrides: vec![("EDGE", edge as f64)],
        params: params.clone(),
        workgroups: fold(tiles(4 * edge)),
    };
    edges.map(shader).into()
}

/// A CPU loop over `granule` elements of the result at a time.
fn cpu(
    granule: usize,
    work: usize,
    compute: impl Fn([&[f32]; 2], usize, &mut [f32]) + Send + Sync + 'static,
) -> CpuKernel {
    let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
        let operands = [0, 1].map(|index| bytemuck::cast_slice(operands[index]));
        compute(operands, start, bytemuck::cast_slice_mut(out));
    };
    CpuKernel { granule: granule.max(1), work: work.max(1), compute: Arc::new(compute) }
}

/// The kernel of a convolution.
pub(super) fn convolution(problem: Problem, probe: Probe) -> Kernel {
    let Problem { batch, groups, inputs, outputs, .. } = problem;
    let (pixels, positions, terms) = (problem.pixels(), problem.positions(), problem.terms());
    let [multipliers, shifts] = divisors(problem.y());
    let shaders = if outputs <= DEPTHWISE_OUTPUTS {
        let channels = groups * outputs;
        let len = batch * channels * positions;
        let numbers = problem.rows([len, inputs, outputs, terms, channels, pixels]);
        vec![Shader {
            file: shader_file!("convolution/convolution_depthwise", ["unravel"]),
            overrides: vec![("WG_SIZE", INVOCATIONS as f64)],
            params: params(&[&numbers[..], &[(multipliers, 0), (shifts, 0)]].concat()),
            workgroups: fold(len.div_ceil(INVOCATIONS)),
        }]
    } else {
        let columns = batch * positions;
        let numbers = problem.rows([groups, inputs, outputs, terms, columns, positions]);
        let [of_window, window_shifts] = divisors(problem.window());
        let rest = [(multipliers, pixels), (shifts, 0), (of_window, 0), (window_shifts, 0)];
        let file = shader_file!("convolution/convolution", ["tile", "unravel"]);
        let params = params(&[&numbers[..], &rest].concat());
        tiled(file, groups, outputs, columns, params)
    };
    let unfolded = Unfolded::new(problem);
    let granule = positions * block(outputs, batch * groups);
    let cpu = cpu(granule, 2 * terms, move |[x, w], start, out| {
        unfolded.forward(x, w, start / positions.max(1), out);
    });
    Kernel::new(shaders, cpu, probe)
}

/// The kernel of the weight gradient.
pub(super) fn weight_grad(problem: Problem, probe: Probe) -> Kernel {
    let Problem { batch, groups, inputs, outputs, .. } = problem;
    let (pixels, positions, columns) = (problem.pixels(), problem.positions(), problem.terms());
    let terms = batch * positions;
    let numbers = problem.rows([groups, inputs, outputs, terms, columns, positions]);
    let [multipliers, shifts] = divisors(problem.y());
    let [of_window, window_shifts] = divisors(problem.window());
    let rest = [(multipliers, pixels), (shifts, 0), (of_window, 0), (window_shifts, 0)];
    let file = shader_file!("convolution/convolution_weight_grad", ["tile", "unravel"]);
    let params = params(&[&numbers[..], &rest].concat());
    let shaders = tiled(file, groups, outputs, columns, params);
    let unfolded = Unfolded::new(problem);
    let cpu = cpu(columns * block(outputs, groups), 2 * terms, move |[x, ct], start, out| {
        unfolded.weight_grad(x, ct, start / columns.max(1), out);
    });
    Kernel::new(shaders, cpu, probe)
}

/// The kernel of the input gradient.
pub(super) fn input_grad(problem: Problem, probe: Probe) -> Kernel {
    let Problem { batch, groups, inputs, outputs, axes } = problem;
    let (pixels, positions, taps) = (problem.pixels(), problem.positions(), problem.taps());
    // Pixels a stride apart meet taps that are a step apart, and whose positions are `back` apart.
    let phases = axes.map(|axis| axis.stride.min(axis.extent));
    let counts = axes.map(|axis| axis.extent.div_ceil(axis.stride));
    let shared = axes.map(|axis| gcd(axis.stride, axis.dilation));
    let steps: Triple = std::array::from_fn(|k| axes[k].stride / shared[k]);
    let backs: Triple = std::array::from_fn(|k| axes[k].dilation / shared[k]);
    let few: Triple = std::array::from_fn(|k| axes[k].window / steps[k]);
    let columns = batch * counts.iter().product::<usize>();
    let [count_multipliers, count_shifts] = divisors(counts);
    let [few_multipliers, few_shifts] = divisors(few);
    let [many_multipliers, many_shifts] = divisors(few.map(|taps| taps + 1));
    let rest = [
        (phases, taps),
        (counts, 0),
        (count_multipliers, 0),
        (count_shifts, 0),
        (steps, 0),
        (backs, 0),
        (few_multipliers, 0),
        (few_shifts, 0),
        (many_multipliers, 0),
        (many_shifts, 0),
    ];
    let numbers = problem.rows([groups, inputs, outputs, columns, positions, pixels]);
    let file = shader_file!("convolution/convolution_input_grad", ["tile", "unravel"]);
    let products = groups * phases.iter().product::<usize>();
    let params = params(&[&numbers[..], &rest].concat());
    let shaders = tiled(file, products, inputs, columns, params);
    let unfolded = Unfolded::new(problem);
    let work = 2 * outputs * taps * positions / pixels.max(1);
    let cpu = cpu(pixels * block(inputs, batch * groups), work, move |[w, ct], start, out| {
        unfolded.input_grad(w, ct, start / pixels.max(1), out);
    });
    Kernel::new(shaders, cpu, probe)
}

/// The kernel of a convolution of bytes; the problem counts inputs in words.
pub(super) fn convolution_i8(problem: Problem, probe: Probe) -> Kernel {
    const EDGE: usize = 8;
    let Problem { batch, groups, inputs: words, outputs, .. } = problem;
    let rows = batch * problem.positions();
    let numbers = problem.rows([groups, words, outputs, problem.terms(), rows, problem.pixels()]);
    let [multipliers, shifts] = divisors(problem.y());
    let [of_window, window_shifts] = divisors(problem.window());
    let (multiplier, shift) = divisor(words as u32);
    let rest = [
        (multipliers, multiplier as usize),
        (shifts, shift as usize),
        (of_window, 0),
        (window_shifts, 0),
    ];
    let shader = Shader {
        file: shader_file!("convolution/convolution_i8", ["divide", "unravel"]),
        overrides: vec![("EDGE", EDGE as f64)],
        params: params(&[&numbers[..], &rest].concat()),
        workgroups: fold(groups * rows.div_ceil(4 * EDGE) * outputs.div_ceil(4 * EDGE)),
    };
    let channels = groups * outputs;
    let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
        int8_cpu::convolution(&problem, [operands[0], operands[1]], start / channels.max(1), out);
    };
    let work = (2 * problem.terms()).max(1);
    let cpu = CpuKernel { granule: channels.max(1), work, compute: Arc::new(compute) };
    Kernel::new(vec![shader], cpu, probe)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
