//! Device implementations: shaders and their `Params`, and the CPU loops.

use super::{
    Problem,
    cpu::{Unfolded, block},
    geometry::Axis,
    int8_cpu,
};
use crate::ops::{
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold, shader_file},
    library::divisor,
    params::{Params, params},
    probe::Probe,
};

/// Up to this many outputs per group, each element gets an invocation: most rows of a tile would be
/// idle.
const DEPTHWISE_OUTPUTS: usize = 4;

/// Invocations per workgroup of `shaders/convolution_depthwise.wgsl`.
const INVOCATIONS: usize = 256;

/// Numbers for depth, height and width.
type Triple = [usize; 3];

/// Multipliers and shifts that divide by these extents.
fn divisors(extents: Triple) -> [Triple; 2] {
    let parts = extents.map(|extent| divisor(extent as u32));
    [parts.map(|part| part.0 as usize), parts.map(|part| part.1 as usize)]
}

impl Problem {
    /// A number of each axis.
    fn each(&self, number: impl Fn(&Axis) -> usize) -> Triple {
        self.axes.each_ref().map(number)
    }

    fn x(&self) -> Triple {
        self.each(|axis| axis.extent)
    }

    fn y(&self) -> Triple {
        self.each(|axis| axis.out)
    }

    fn window(&self) -> Triple {
        self.each(|axis| axis.window)
    }

    fn stride(&self) -> Triple {
        self.each(|axis| axis.stride)
    }

    fn dilation(&self) -> Triple {
        self.each(|axis| axis.dilation)
    }

    fn low(&self) -> Triple {
        self.each(|axis| axis.low)
    }
}

/// `products` of this many rows and columns: one shader with large tiles, which reads less, and
/// one with small tiles, which keeps more of a device busy. Both sum in the same order.
fn tiled(
    file: ShaderFile,
    products: usize,
    rows: usize,
    columns: usize,
    params: Params,
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
    CpuKernel::new(granule, work, compute)
}

/// The `Params` of the products with the unfolded input, which sum `terms` terms for each of
/// `columns` columns.
fn unfolded_params(problem: &Problem, terms: usize, columns: usize) -> Params {
    let [y_multiplier, y_shift] = divisors(problem.y());
    let [window_multiplier, window_shift] = divisors(problem.window());
    params! {
        x: problem.x(),
        groups: problem.groups,
        y: problem.y(),
        inputs: problem.inputs,
        window: problem.window(),
        outputs: problem.outputs,
        stride: problem.stride(),
        terms,
        dilation: problem.dilation(),
        columns,
        low: problem.low(),
        positions: problem.positions(),
        y_multiplier,
        pixels: problem.pixels(),
        y_shift,
        window_multiplier,
        window_shift,
    }
}

/// The kernel of a convolution.
pub(super) fn convolution(problem: Problem, probe: Probe) -> Kernel {
    let Problem { batch, groups, inputs, outputs, .. } = problem;
    let (pixels, positions, terms) = (problem.pixels(), problem.positions(), problem.terms());
    let shaders = if outputs <= DEPTHWISE_OUTPUTS {
        let [y_multiplier, y_shift] = divisors(problem.y());
        let channels = groups * outputs;
        let len = batch * channels * positions;
        let params = params! {
            x: problem.x(),
            len,
            y: problem.y(),
            inputs,
            window: problem.window(),
            outputs,
            stride: problem.stride(),
            terms,
            dilation: problem.dilation(),
            channels,
            low: problem.low(),
            pixels,
            y_multiplier,
            y_shift,
        };
        vec![Shader {
            file: shader_file!("convolution/convolution_depthwise", ["unravel"]),
            overrides: vec![("WG_SIZE", INVOCATIONS as f64)],
            params,
            workgroups: fold(len.div_ceil(INVOCATIONS)),
        }]
    } else {
        let columns = batch * positions;
        let file = shader_file!("convolution/convolution", ["tile", "unfolded", "unravel"]);
        tiled(file, groups, outputs, columns, unfolded_params(&problem, terms, columns))
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
    let Problem { batch, groups, outputs, .. } = problem;
    let (positions, columns) = (problem.positions(), problem.terms());
    let terms = batch * positions;
    let file = shader_file!("convolution/convolution_weight_grad", ["tile", "unfolded", "unravel"]);
    let params = unfolded_params(&problem, terms, columns);
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
    let step: Triple = std::array::from_fn(|k| axes[k].stride / shared[k]);
    let back: Triple = std::array::from_fn(|k| axes[k].dilation / shared[k]);
    let few: Triple = std::array::from_fn(|k| axes[k].window / step[k]);
    let columns = batch * counts.iter().product::<usize>();
    let [count_multiplier, count_shift] = divisors(counts);
    let [few_multiplier, few_shift] = divisors(few);
    let [many_multiplier, many_shift] = divisors(few.map(|taps| taps + 1));
    let params = params! {
        x: problem.x(),
        groups,
        y: problem.y(),
        inputs,
        window: problem.window(),
        outputs,
        stride: problem.stride(),
        columns,
        dilation: problem.dilation(),
        positions,
        low: problem.low(),
        pixels,
        phases,
        taps,
        counts,
        count_multiplier,
        count_shift,
        step,
        back,
        few_multiplier,
        few_shift,
        many_multiplier,
        many_shift,
    };
    let file = shader_file!("convolution/convolution_input_grad", ["tile", "unravel"]);
    let products = groups * phases.iter().product::<usize>();
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
    let [y_multiplier, y_shift] = divisors(problem.y());
    let [window_multiplier, window_shift] = divisors(problem.window());
    let (word_multiplier, word_shift) = divisor(words as u32);
    let (terms, pixels) = (problem.terms(), problem.pixels());
    let params = params! {
        x: problem.x(),
        groups,
        y: problem.y(),
        words,
        window: problem.window(),
        outputs,
        stride: problem.stride(),
        terms,
        dilation: problem.dilation(),
        rows,
        low: problem.low(),
        pixels,
        y_multiplier,
        word_multiplier,
        y_shift,
        word_shift,
        window_multiplier,
        window_shift,
    };
    let shader = Shader {
        file: shader_file!("convolution/convolution_i8", ["divide", "unravel"]),
        overrides: vec![("EDGE", EDGE as f64)],
        params,
        workgroups: fold(groups * rows.div_ceil(4 * EDGE) * outputs.div_ceil(4 * EDGE)),
    };
    let channels = groups * outputs;
    let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
        int8_cpu::convolution(&problem, [operands[0], operands[1]], start / channels.max(1), out);
    };
    let work = (2 * problem.terms()).max(1);
    let cpu = CpuKernel::new(channels, work, compute);
    Kernel::new(vec![shader], cpu, probe)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
