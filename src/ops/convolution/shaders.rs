//! Device implementations: shaders and their `Params`, and the CPU loops.

use super::{
    Problem,
    cpu::{Unfolded, block},
    depthwise,
    direct::Direct,
    direct_weight_grad::DirectWeightGrad,
    geometry::Axis,
    int8_cpu,
    pass::Pass,
};
use crate::ops::{
    grads::GradOf,
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, shader_file},
    library::divisor,
    matmul::{Matmul, Results, Terms},
    params::{Params, params},
    probe::Probe,
    tiles::{Extents, FRAGMENTS, Order, Tile, grid},
    units::Refusal,
};
use crate::shape::Shape;

/// Numbers for depth, height and width.
pub(super) type Triple = [usize; 3];

/// Multipliers and shifts that divide by these extents.
pub(super) fn divisors(extents: Triple) -> [Triple; 2] {
    let parts = extents.map(|extent| divisor(extent as u32));
    [parts.map(|part| part.0 as usize), parts.map(|part| part.1 as usize)]
}

impl Problem {
    /// A number of each axis.
    pub(super) fn each(&self, number: impl Fn(&Axis) -> usize) -> Triple {
        self.axes.each_ref().map(number)
    }

    pub(super) fn x(&self) -> Triple {
        self.each(|axis| axis.extent)
    }

    pub(super) fn y(&self) -> Triple {
        self.each(|axis| axis.out)
    }

    pub(super) fn window(&self) -> Triple {
        self.each(|axis| axis.window)
    }

    pub(super) fn stride(&self) -> Triple {
        self.each(|axis| axis.stride)
    }

    pub(super) fn dilation(&self) -> Triple {
        self.each(|axis| axis.dilation)
    }

    pub(super) fn low(&self) -> Triple {
        self.each(|axis| axis.low)
    }

    /// Whether its first axis is more than one element.
    pub(super) fn is_deep(&self) -> bool {
        let Axis { extent, window, low, out, .. } = self.axes[0];
        [extent, window, out] != [1; 3] || low != 0
    }

    /// Extents of the products that make up the result.
    pub(super) fn forward_extents(&self) -> Extents {
        let columns = self.batch * self.positions();
        Extents { products: self.groups, rows: self.outputs, columns, terms: self.terms() }
    }

    /// Extents of the products that make up the gradient of the weight.
    pub(super) fn weight_extents(&self) -> Extents {
        let terms = self.batch * self.positions();
        Extents { products: self.groups, rows: self.outputs, columns: self.terms(), terms }
    }

    /// How many kinds of pixels there are along each axis: those a stride apart meet the same taps.
    fn phases(&self) -> Triple {
        self.each(|axis| axis.stride.min(axis.extent))
    }

    /// Pixels of each kind.
    fn counts(&self) -> Triple {
        self.each(|axis| axis.extent.div_ceil(axis.stride))
    }

    /// How many taps apart those are that pixels of a kind meet.
    pub(super) fn step(&self) -> Triple {
        self.each(|axis| axis.stride / gcd(axis.stride, axis.dilation))
    }

    /// How many positions apart those are that taps a step apart belong to.
    pub(super) fn back(&self) -> Triple {
        self.each(|axis| axis.dilation / gcd(axis.stride, axis.dilation))
    }

    /// Extents of the products that make up the gradient of the input, one for each kind of pixel. Some of
    /// them may have fewer terms.
    fn input_extents(&self) -> Extents {
        let (window, step) = (self.window(), self.step());
        let taps: usize = (0..3).map(|k| window[k].div_ceil(step[k])).product();
        Extents {
            products: self.groups * self.phases().iter().product::<usize>(),
            rows: self.inputs,
            columns: self.batch * self.counts().iter().product::<usize>(),
            terms: self.outputs * taps,
        }
    }

    /// The same of one product for each group, in which each kind of pixels is channels of its own.
    pub(super) fn channels_of_phases(&self) -> Extents {
        let Extents { products, rows, columns, terms } = self.input_extents();
        Extents {
            products: self.groups,
            rows: rows * products / self.groups.max(1),
            columns,
            terms,
        }
    }

    /// In which order a GPU sums the terms of the result.
    pub(super) fn forward_order(&self) -> Order {
        if self.has_few_outputs() { Order::Sequential } else { self.forward_extents().order() }
    }

    /// In which order a GPU sums the terms of the gradient of the input, and their number. Not in slices:
    /// whether a weight is wild is asked where no barrier may follow.
    pub(super) fn input_order(&self) -> (Order, usize) {
        let extents = self.input_extents();
        let order = match extents.order() {
            _ if self.has_few_channels() => Order::Sequential,
            Order::Sliced => Order::Sequential,
            order => order,
        };
        (order, extents.terms)
    }
}

/// These imports behind each fragment of sums.
const fn behind_sums<const N: usize>(imports: [&'static str; N]) -> [[&'static str; N]; 4] {
    let mut all = [imports; 4];
    let mut index = 0;
    while index < all.len() {
        all[index][0] = FRAGMENTS[index];
        index += 1;
    }
    all
}

/// The imports of a convolution whose weight is loaded one by one, and of one that has whole vec4s.
static FORWARD: [[[&str; 9]; 4]; 2] = [
    behind_sums([
        "",
        "add_products",
        "load_b_scalar",
        "grid",
        "inside",
        "parts",
        "store_images",
        "unfolded",
        "unravel",
    ]),
    behind_sums([
        "",
        "add_products",
        "load_b_vec4",
        "grid",
        "inside",
        "parts",
        "store_images",
        "unfolded",
        "unravel",
    ]),
];

/// The imports of a convolution with channels last, whose images and weight are whole vec4s or not.
static CHANNELS_LAST: [[[[&str; 7]; 4]; 2]; 2] = {
    const fn of(a: &'static str, b: &'static str) -> [[&'static str; 7]; 4] {
        let terms = "add_products_i8";
        behind_sums(["", a, b, terms, "channels_last", "grid", "parts"])
    }
    [
        [of("load_a_scalar", "load_b_scalar"), of("load_a_scalar", "load_b_vec4")],
        [of("load_a_vec4", "load_b_scalar"), of("load_a_vec4", "load_b_vec4")],
    ]
};

/// The imports of the gradient of a weight, and of that with the gradient of a bias.
static WEIGHT_GRAD: [[[&str; 7]; 4]; 2] = {
    const fn of(results: &'static str) -> [[&'static str; 7]; 4] {
        behind_sums(["", "add_products", "bias", "grid", "parts", "positions", results])
    }
    [of("weight"), of("weight_and_bias")]
};

static INPUT_GRAD: [[&str; 8]; 4] =
    behind_sums(["", "add_products", "first_tap", "grid", "inside", "parts", "unravel", "wild"]);

/// A shader for each tile that sums in an order: a file that imports what `imports` returns for the
/// index of a tile's fragment, and the `Params` for a grid.
fn tiled(
    file: ShaderFile,
    imports: impl Fn(usize) -> &'static [&'static str],
    extents: &Extents,
    order: Order,
    overrides: &[(&'static str, bool)],
    params: impl Fn([usize; 3]) -> Params,
) -> Vec<Shader> {
    let shader = |tile: Tile| {
        let [down, across] = tile.grid(extents);
        let axes = [down, across, extents.products * order.parts(extents.terms)];
        let (workgroups, is_folded) = grid(axes, tile.memory());
        let own = [("IS_FOLDED", is_folded), ("IS_IN_PARTS", matches!(order, Order::Parts(_)))];
        let flags = overrides.iter().copied().chain(own);
        let flags = flags.map(|(name, is_set)| (name, f64::from(u8::from(is_set))));
        Shader {
            file: ShaderFile { imports: imports(tile.fragment), ..file },
            overrides: tile.overrides().into_iter().chain(flags).collect(),
            params: params(axes),
            workgroups,
        }
    };
    extents.tiles(order).into_iter().map(shader).collect()
}

/// How much longer tiles of an unfolded input take than tiles of matrices, which need no test of bounds for
/// each element: by their loops on Hopper, of 66 and of 82 multiply-adds in a hundred instructions.
const UNFOLDED: f64 = 1.2;

/// Shaders of a window of one tap: products with a matrix of the weight for each image and group, unless an
/// image would leave too much of its tiles idle. They sum in the same order as convolutions.
fn as_products(
    problem: &Problem,
    unfolded: &Extents,
    order: Order,
    is_transposed: bool,
) -> Option<Vec<Shader>> {
    let &Problem { batch, groups, .. } = problem;
    let &Extents { rows, terms, .. } = unfolded;
    let (products, columns) = (batch * groups, problem.positions());
    let extents = Extents { products, columns, ..*unfolded };
    if !problem.is_pointwise() || extents.time(order) > UNFOLDED * unfolded.time(order) {
        return None;
    }
    let weight = if is_transposed { [terms, rows] } else { [rows, terms] };
    let [weight, image] = [weight, [terms, columns]].map(|[m, n]| Shape::from([products, m, n]));
    let product = Matmul::full(is_transposed, false).product(&weight, &image);
    let mut shaders = product.tiles(groups, order, Terms::Floats, Results::Product);
    // The weight is the first operand of the product, and of the gradient.
    shaders.iter_mut().for_each(|shader| shader.file.swaps_operands = !is_transposed);
    Some(shaders)
}

/// Patches that sum terms one after another.
fn patches(pass: Option<Pass>, order: Order) -> Vec<(f64, Shader)> {
    let direct = pass.filter(|_| order == Order::Sequential).and_then(|pass| Direct::of(&pass));
    direct.map(|direct| direct.shaders()).unwrap_or_default()
}

/// Tiles of the unfolded input, which take this long, and patches of images, where the window moves by one
/// pixel: the fastest first.
fn with_patches(tiled: Vec<Shader>, time: f64, patches: Vec<(f64, Shader)>) -> Vec<Shader> {
    let (first, last): (Vec<_>, Vec<_>) =
        patches.into_iter().partition(|&(patched, _)| patched < time);
    let [first, last] = [first, last].map(|some| some.into_iter().map(|(_, shader)| shader));
    first.chain(tiled).chain(last).collect()
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

/// The `Params` of products with the unfolded input.
pub(super) fn unfolded_params(
    problem: &Problem,
    extents: &Extents,
    order: Order,
    [grid_x, grid_y, _]: Triple,
) -> Params {
    let part = order.length(extents.terms);
    let (inputs_multiplier, inputs_shift) = divisor(problem.inputs as u32);
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
        terms: extents.terms,
        dilation: problem.dilation(),
        columns: extents.columns,
        low: problem.low(),
        positions: problem.positions(),
        y_multiplier,
        pixels: problem.pixels(),
        y_shift,
        grid_x,
        window_multiplier,
        grid_y,
        window_shift,
        part,
        inputs_multiplier,
        inputs_shift,
    }
}

/// The kernel of a convolution.
pub(super) fn convolution(problem: Problem, probe: Probe, refusal: Refusal) -> Kernel {
    let Problem { batch, groups, outputs, .. } = problem;
    let (positions, terms) = (problem.positions(), problem.terms());
    let shaders = if problem.has_few_outputs() {
        vec![depthwise::in_fours(&Pass::forward(&problem))]
    } else {
        let extents = problem.forward_extents();
        let is_vec4 = usize::from(terms > 0 && terms.is_multiple_of(4));
        let order = extents.order();
        as_products(&problem, &extents, order, false).unwrap_or_else(|| {
            let tiled = tiled(
                shader_file!("convolution/convolution", []),
                |fragment| &FORWARD[is_vec4][fragment],
                &extents,
                order,
                &[("IS_DEEP", problem.is_deep())],
                |axes| unfolded_params(&problem, &extents, order, axes),
            );
            let patches = patches(Some(Pass::forward(&problem)), order);
            with_patches(tiled, extents.time(order), patches)
        })
    };
    let unfolded = Unfolded::new(problem);
    let granule = positions * block(outputs, batch * groups);
    let cpu = cpu(granule, 2 * terms, move |[x, w], start, out| {
        unfolded.forward(x, w, start / positions.max(1), out);
    });
    let order = problem.forward_order();
    let in_words = refusal.and_order(problem.forward_extents().in_words(order));
    Kernel { order: in_words, parts: order.parts(terms), ..Kernel::new(shaders, cpu, probe) }
}

/// The tiles and patches of the gradient of a weight, alone or with that of a bias.
fn of_weight(problem: &Problem, results: Results) -> Vec<Shader> {
    let extents = problem.weight_extents();
    let order = problem.weight_order();
    let has_bias = results == Results::Grads;
    let tiled = tiled(
        shader_file!("convolution/convolution_weight_grad", []),
        |fragment| &WEIGHT_GRAD[usize::from(has_bias)][fragment],
        &extents,
        order,
        &[("IS_DEEP", problem.is_deep()), ("HAS_BIAS", has_bias)],
        |axes| unfolded_params(problem, &extents, order, axes),
    );
    let direct = DirectWeightGrad::of(&Pass::forward(problem), results);
    let direct = direct.filter(|_| order != Order::Sliced);
    let patches = direct.map(|direct| direct.shaders(order)).unwrap_or_default();
    with_patches(tiled, extents.time(order), patches)
}

/// The kernel of the weight gradient.
pub(super) fn weight_grad(problem: Problem, probe: Probe, refusal: Refusal) -> Kernel {
    let Problem { groups, outputs, .. } = problem;
    let Extents { columns, terms, .. } = problem.weight_extents();
    let shaders = match problem.has_few_channels() {
        true => vec![depthwise::weight_grad(&problem)],
        false => of_weight(&problem, Results::Product),
    };
    let unfolded = Unfolded::new(problem);
    let cpu = cpu(columns * block(outputs, groups), 2 * terms, move |[x, ct], start, out| {
        unfolded.weight_grad(x, ct, start / columns.max(1), out);
    });
    let in_words = refusal.and_order(problem.weight_order_in_words());
    let parts = problem.weight_order().parts(terms);
    Kernel { order: in_words, parts, ..Kernel::new(shaders, cpu, probe) }
}

/// The kernel of the gradients of weight and bias, which these probes verify, for one of them.
pub(super) fn grads(problem: Problem, probes: [Probe; 2], of: GradOf) -> Kernel {
    let Problem { groups, outputs, .. } = problem;
    let Extents { columns, terms, .. } = problem.weight_extents();
    let rows = block(outputs, groups);
    let unfolded = Unfolded::new(problem);
    let granules = [columns * rows, rows];
    let cpu = CpuKernel::with_siblings(granules, 2 * terms, move |operands, first, outs| {
        let [x, ct] = [0, 1].map(|index| bytemuck::cast_slice(operands[index]));
        let [weight, bias] = outs else { unreachable!("two results") };
        unfolded.weight_grad(x, ct, first * rows, bytemuck::cast_slice_mut(weight));
        unfolded.bias_grad(ct, first * rows, bytemuck::cast_slice_mut(bias));
    });
    let [weight, bias] = probes;
    let results = vec![(GradOf::Weight.name(), weight), (GradOf::Bias.name(), bias)];
    let shaders = of_weight(&problem, Results::Grads);
    let kernel = Kernel::with_siblings(shaders, cpu, results, of as usize);
    let (order, parts) = (problem.weight_order_in_words(), problem.weight_order().parts(terms));
    Kernel { order, parts, ..kernel }
}

/// The kernel of the input gradient.
pub(super) fn input_grad(problem: Problem, probe: Probe, refusal: Refusal) -> Kernel {
    let Problem { batch, groups, inputs, outputs, axes } = problem;
    let (pixels, positions, taps) = (problem.pixels(), problem.positions(), problem.taps());
    let (phases, counts, step) = (problem.phases(), problem.counts(), problem.step());
    let few: Triple = std::array::from_fn(|k| axes[k].window / step[k]);
    let extents = problem.input_extents();
    let (order, terms) = problem.input_order();
    let Extents { columns, .. } = extents;
    let [count_multiplier, count_shift] = divisors(counts);
    let [few_multiplier, few_shift] = divisors(few);
    let [many_multiplier, many_shift] = divisors(few.map(|taps| taps + 1));
    let params = |[grid_x, grid_y, _]: Triple| {
        params! {
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
            grid_x,
            count_multiplier,
            grid_y,
            count_shift,
            step,
            back: problem.back(),
            few_multiplier,
            terms,
            few_shift,
            part: order.length(terms),
            many_multiplier,
            len: batch * groups * inputs * pixels,
            many_shift,
            w_len: groups * outputs * inputs * taps,
        }
    };
    let is_dense = axes.iter().all(|axis| axis.stride == 1);
    let shaders = match problem.has_few_channels() {
        true => vec![match Pass::input_grad(&problem) {
            Some(pass) => depthwise::in_fours(&pass),
            None => depthwise::input_grad(&problem),
        }],
        false => as_products(&problem, &extents, order, true).unwrap_or_else(|| {
            let tiled = tiled(
                shader_file!("convolution/convolution_input_grad", []),
                |fragment| &INPUT_GRAD[fragment],
                &extents,
                order,
                &[("IS_DEEP", problem.is_deep()), ("IS_DENSE", is_dense)],
                params,
            );
            let patches = patches(Pass::input_grad(&problem), order);
            with_patches(tiled, extents.time(order), patches)
        }),
    };
    let unfolded = Unfolded::new(problem);
    let work = 2 * outputs * taps * positions / pixels.max(1);
    let cpu = cpu(pixels * block(inputs, batch * groups), work, move |[w, ct], start, out| {
        unfolded.input_grad(w, ct, start / pixels.max(1), out);
    });
    let in_words = refusal.and_order(extents.in_words(order));
    Kernel { order: in_words, parts: order.parts(terms), ..Kernel::new(shaders, cpu, probe) }
}

/// The kernel of a convolution of bytes, whose channels come last; the problem counts inputs in words.
pub(super) fn convolution_i8(problem: Problem, probe: Probe) -> Kernel {
    let Problem { batch, inputs: words, .. } = problem;
    let terms = problem.terms();
    let unfolded = problem.forward_extents();
    // Positions are rows here.
    let Extents { products, rows, columns, .. } = unfolded;
    let extents = Extents { products, rows: columns, columns: rows, terms };
    let order = extents.order();
    // Images without elements are bound to less than a vec4.
    let has_quads = batch * words * problem.pixels() > 0 && words.is_multiple_of(4);
    let is_vec4 = terms > 0 && terms.is_multiple_of(4);
    let imports = &CHANNELS_LAST[usize::from(has_quads)][usize::from(is_vec4)];
    let shaders = tiled(
        shader_file!("convolution/convolution_channels_last", []),
        |fragment| &imports[fragment],
        &extents,
        order,
        &[("IS_DEEP", problem.is_deep()), ("HAS_QUADS", has_quads)],
        |axes| unfolded_params(&problem, &unfolded, order, axes),
    );
    let channels = problem.groups * problem.outputs;
    let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
        int8_cpu::convolution(&problem, [operands[0], operands[1]], start / channels.max(1), out);
    };
    let cpu = CpuKernel::new(channels, (2 * terms).max(1), compute);
    let (in_words, parts) = (extents.in_words(order), order.parts(terms));
    Kernel { order: in_words, parts, ..Kernel::new(shaders, cpu, probe) }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
