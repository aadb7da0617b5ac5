//! Random graphs, right by construction: the same values on every device, whatever the scheduler
//! fuses. A graph that fails is shrunk to the few operations that it takes, and printed.
//!
//! `WGRAD_RANDOM_GRAPHS=100000 cargo nextest run --release random_graphs` looks further.

use crate::device;
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestError, TestRng, TestRunner},
};
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Tensor, Variables, autodiff,
    ops::{Geometry, Window},
    testing::Noise,
};

/// One operation on tensors that are there. Every number means something, and a smaller one something
/// simpler: so a recipe shrinks. Operands are counted from the last one made, so that most stay the
/// same when a move is left out.
#[derive(Clone, Debug)]
struct Move {
    op: u8,
    operands: [u8; 2],
    axis: u8,
}

/// A graph, what is asked of it, and what it is given.
#[derive(Clone, Debug)]
struct Recipe {
    shape: Vec<usize>,
    moves: Vec<Move>,
    outputs: [u8; 2],
    data: u64,
}

fn recipe(moves: std::ops::Range<usize>) -> impl Strategy<Value = Recipe> {
    let place = 0..16u8;
    let one = (any::<u8>(), [place.clone(), place], 0..4u8);
    let one = one.prop_map(|(op, operands, axis)| Move { op, operands, axis });
    let shape = prop::collection::vec(1..6usize, 0..4);
    let moves = prop::collection::vec(one, moves);
    (shape, moves, [0..4u8, 0..4u8], any::<u64>())
        .prop_map(|(shape, moves, outputs, data)| Recipe { shape, moves, outputs, data })
}

/// A tensor, and whether every device has exactly its values: only such may decide anything.
#[derive(Clone, Copy)]
struct Known<'g> {
    tensor: Tensor<'g>,
    is_exact: bool,
}

/// A graph as it grows.
struct Growth<'g> {
    graph: &'g Graph,
    known: Vec<Known<'g>>,
    /// Whether something that was rounded lies at a kink for all anyone knows: then derivatives may
    /// differ between devices.
    has_kinks: bool,
}

/// Inputs and variables, which are there before the first move.
const SOURCES: usize = 4;
/// Elements a tensor may have.
const MOST: usize = 400;

impl<'g> Growth<'g> {
    /// Position of what is named so: one of the sources, or so many back from the last.
    fn position(&self, place: u8) -> usize {
        match usize::from(place) {
            source @ 0..SOURCES => source,
            back => (self.known.len() - 1).saturating_sub(back - SOURCES),
        }
    }

    /// The first of this kind, from a place on around.
    fn find(&self, place: u8, fits: impl Fn(&Tensor<'g>) -> bool) -> Option<Known<'g>> {
        let (before, behind) = self.known.split_at(self.position(place));
        behind.iter().chain(before).copied().find(|known| fits(&known.tensor))
    }

    /// Does what a move says, where it fits.
    fn grow(&mut self, step: &Move) {
        let a = self.known[self.position(step.operands[0])];
        let of_type = |x: &Tensor<'g>| x.dtype() == a.tensor.dtype();
        let fits = |x: &Tensor<'g>| a.tensor.shape().broadcast_with(&x.shape()).is_some();
        let Some(b) = self.find(step.operands[1], |x| of_type(x) && fits(x)) else { return };
        let rank = a.tensor.rank();
        let axis = i32::from(step.axis) % rank.max(1) as i32;
        let made = self
            .layout(a, step.op, axis)
            .or_else(|| self.along(a, step, axis))
            .or_else(|| self.pointwise(a, b, step));
        if let Some(made) = made.filter(|made| made.tensor.shape().len() <= MOST) {
            self.known.push(made);
        }
    }

    /// Elements elsewhere.
    fn layout(&self, a: Known<'g>, op: u8, axis: i32) -> Option<Known<'g>> {
        let Known { tensor: x, is_exact } = a;
        let (rank, extent) = (x.rank(), x.dim(axis));
        let tensor = match op % 32 {
            0 if rank > 1 => x.t(),
            1 if rank > 0 => x.flip(axis),
            2 if rank > 0 && extent > 1 => x.slice(axis, 1..extent),
            3 if rank > 0 && extent > 2 => x.slice_step(axis, 0..extent, 2),
            4 if rank > 0 && x.dtype() == DType::F32 => {
                let mut padding = vec![(0, 0); rank];
                padding[axis as usize] = (2, 1);
                x.pad(&padding, 0.5)
            }
            5 if rank > 0 => self.graph.concat(&[x, x.flip(axis)], axis),
            6 => x.reshape([x.shape().len()]),
            7 => x.unsqueeze(0).broadcast_to([&[3], x.shape().dims()].concat()),
            _ => return None,
        };
        Some(Known { tensor, is_exact })
    }

    /// Elements of an axis together.
    fn along(&mut self, a: Known<'g>, step: &Move, axis: i32) -> Option<Known<'g>> {
        let Known { tensor: x, is_exact } = a;
        let extent = x.dim(axis);
        if x.rank() == 0 || x.dtype() == DType::Bool {
            return None;
        }
        let indices = |growth: &Self| {
            let found = growth.find(step.operands[1], |k| k.dtype() == DType::U32)?;
            Some(found.tensor % extent as u32)
        };
        let line = |x: Tensor<'g>| x.reshape([1, 1, x.shape().len()]);
        let rounded = |tensor| Some(Known { tensor, is_exact: false });
        let chosen = |tensor| Some(Known { tensor, is_exact });
        if x.dtype() != DType::F32 {
            return match step.op % 32 {
                8 => chosen(x.amax(axis)),
                9 => chosen(x.sum(axis) % 100),
                10 => chosen(x.argmax(axis)),
                11 => chosen(x.index_select(indices(self)?, axis)),
                _ => None,
            };
        }
        match step.op % 32 {
            8 => rounded(x.mean(axis)),
            9 => rounded(x.sum_keepdims(axis) * 0.2),
            10 => rounded(x.softmax(axis)),
            11 => rounded(x.log_softmax(axis) * 0.3),
            12 => rounded(x.cumsum(axis) * 0.2),
            13 if x.rank() > 1 => rounded(x.matmul(x.t()) * (0.3 / x.dim(-1) as f64)),
            14 => rounded(line(x).convolution(line(x).slice(-1, 0..1), Geometry::new(1))),
            15 => rounded(line(x).avg_pool(&[Window::new(2).padding(1).stride(1)], true)),
            16 => chosen(x.index_select(indices(self)?, axis)),
            17 => {
                let count = self.graph.iota([extent], 0, DType::U32) / 2u32;
                rounded(x.scatter_add(count, axis, extent))
            }
            18 => self.kink(a, x.amax(axis)),
            19 => self.kink(a, line(x).max_pool(&[Window::new(2).padding(1)])),
            20 if is_exact => self.kink(a, x.sort(axis, false)),
            21 if is_exact => chosen(x.argmin(axis)),
            _ => None,
        }
    }

    /// Elements on their own.
    fn pointwise(&mut self, a: Known<'g>, b: Known<'g>, step: &Move) -> Option<Known<'g>> {
        let (x, y) = (a.tensor, b.tensor);
        let exact = |tensor| Some(Known { tensor, is_exact: a.is_exact && b.is_exact });
        let rounded = |tensor| Some(Known { tensor, is_exact: false });
        let both = a.is_exact && b.is_exact;
        match (x.dtype(), step.op / 8 % 16) {
            (DType::F32, 0) => rounded(x + y),
            (DType::F32, 1) => rounded(x * y * 0.5),
            (DType::F32, 2) => rounded(x - y),
            (DType::F32, 3) => rounded(x.tanh()),
            (DType::F32, 4) => rounded(x.sigmoid()),
            (DType::F32, 5) => rounded(x.tanh().exp()),
            (DType::F32, 6) => rounded(x / (y * y + 1.0)),
            (DType::F32, 7) => {
                self.has_kinks |= !both;
                exact(x.maximum(y))
            }
            (DType::F32, 8) => self.kink(a, x.relu()),
            (DType::F32, 9) => self.kink(a, x.abs()),
            (DType::F32, 10) if x.rank() > 0 => {
                rounded(x * (self.graph.iota(x.shape(), 0, DType::F32) * 0.1))
            }
            (DType::F32, 11) if both => exact(x.less(y)),
            (DType::F32, 12) if a.is_exact => exact((x * 4.0).floor().cast(DType::I32)),
            (DType::F32, 13) => {
                let decides = |k: &Tensor<'g>| {
                    k.dtype() == DType::Bool && k.shape().broadcast_with(&x.shape()).is_some()
                };
                let condition = self.find(step.axis, decides)?;
                let tensor = condition.tensor.select(0.25, x);
                Some(Known { tensor, is_exact: a.is_exact && condition.is_exact })
            }
            (DType::Bool, 0..4) => exact(x.and(y)),
            (DType::Bool, 4..8) => exact(!x),
            (DType::Bool, _) => exact(x.cast(DType::F32)),
            (DType::I32 | DType::U32, 0..3) => exact((x + y) % 100),
            (DType::I32 | DType::U32, 3..5) => exact((x * y) % 100),
            (DType::I32 | DType::U32, 5) => exact(x.less(y)),
            (DType::I32 | DType::U32, 6) => exact(x.minimum(y)),
            (DType::I32 | DType::U32, 7) => exact(x.xor(y) % 100),
            (DType::I32, 8) => exact(x.abs().cast(DType::U32)),
            (DType::I32 | DType::U32, _) => exact(x.cast(DType::F32) * 0.0625),
            _ => None,
        }
    }

    fn kink(&mut self, a: Known<'g>, tensor: Tensor<'g>) -> Option<Known<'g>> {
        self.has_kinks |= !a.is_exact;
        Some(Known { tensor, is_exact: a.is_exact })
    }
}

/// The results of a recipe on a device: two runs, for the effects.
type Values = Vec<(String, Vec<f64>)>;

struct Built<'a> {
    recipe: &'a Recipe,
    graph: &'a Graph,
    wanted: Vec<Tensor<'a>>,
}

/// The graph of a recipe.
fn build<'a>(recipe: &'a Recipe, graph: &'a Graph) -> Built<'a> {
    let x = graph.input("x", recipe.shape.as_slice(), DType::F32);
    let start = Init::Normal { mean: 0.0, std: 0.5 };
    let v = graph.variable("v", [4, 3, 1], DType::F32, start);
    let w = graph.variable("w", [5], DType::F32, start);
    let k = graph.input("k", [3, 2], DType::U32);
    let exact: [Known; SOURCES] = [x, v, w, k].map(|tensor| Known { tensor, is_exact: true });
    let mut growth = Growth { graph, known: exact.to_vec(), has_kinks: false };
    recipe.moves.iter().for_each(|step| growth.grow(step));
    let mut wanted: Vec<Tensor> = recipe
        .outputs
        .iter()
        .map(|&back| growth.known[growth.known.len() - 1 - usize::from(back)].tensor)
        .collect();
    let first = wanted[0];
    if first.dtype() == DType::F32 && !growth.has_kinks {
        let loss = first.tanh().mean(..);
        let gradients = autodiff::grad(loss, &[x, v, w]);
        graph.assign(v, v * 0.5 + gradients[1]);
        graph.assign(w, w - gradients[2] + v.mean(..));
        wanted.push(loss);
        wanted.extend(gradients);
    }
    Built { recipe, graph, wanted }
}

impl Built<'_> {
    fn run(&self, device: &Device) -> Result<Values, Error> {
        let program = self.graph.compile(device, &self.wanted)?;
        let mut noise = Noise::new(self.recipe.data);
        let len = self.recipe.shape.iter().product();
        // Multiples of 1/64: so f32 has them exactly.
        let x: Vec<f32> =
            (0..len).map(|_| (128.0 * noise.unit()).floor() as f32 / 64.0 - 1.0).collect();
        let k: Vec<u32> = (0..6).map(|_| (7.0 * noise.unit()) as u32).collect();
        let (x, k) = (Array::new(self.recipe.shape.as_slice(), &x)?, Array::new([3, 2], &k)?);
        let all: [(&str, &dyn Feed); 2] = [("x", &x), ("k", &k)];
        let is_read = |name: &str| program.inputs().iter().any(|(known, _)| known == name);
        let inputs: Vec<_> = all.into_iter().filter(|(name, _)| is_read(name)).collect();
        let variables = Variables::new(self.recipe.data);
        let mut values = Vec::new();
        for run in 0..2 {
            let outputs = program.run(&variables, &inputs)?;
            for (number, value) in outputs.values().iter().enumerate() {
                values.push((format!("output {number} of run {run}"), value.read_f64()?));
            }
        }
        for (path, array) in variables.to_arrays()? {
            values.push((path, array.to_f64()));
        }
        Ok(values)
    }
}

/// Values of order 1 after a few dozen operations, each within some units in the last place.
const BOUND: f64 = 1e-4;

/// The first value that is not what it should be: of which output, if it is one, and how it is off.
fn divergence(expected: &Values, got: &Values) -> Option<(usize, String)> {
    for (number, ((what, expected), (_, got))) in expected.iter().zip(got).enumerate() {
        for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
            let is_near = (got - expected).abs() <= BOUND * expected.abs().max(1.0);
            let is_same = got == expected || (got.is_nan() && expected.is_nan());
            if !is_near && !is_same {
                let how = format!("{what}, element {index}: {got} instead of {expected}");
                return Some((number, how));
            }
        }
    }
    (expected.len() != got.len()).then(|| (0, "the number of values".to_owned()))
}

/// The nodes that some depend on, as the graph shows them.
fn behind(graph: &Graph, tensors: &[Tensor<'_>]) -> String {
    let text = graph.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let mut needed: Vec<bool> = vec![false; lines.len()];
    tensors.iter().for_each(|tensor| needed[tensor.id().index()] = true);
    for index in (0..lines.len()).rev().filter(|&index| lines[index].starts_with('%')) {
        if needed[index] {
            for operand in lines[index].split('%').skip(2) {
                let digits: String = operand.chars().take_while(char::is_ascii_digit).collect();
                digits.parse::<usize>().into_iter().for_each(|operand| needed[operand] = true);
            }
        }
    }
    let kept = lines.iter().zip(needed).filter(|(_, needed)| *needed);
    kept.map(|(line, _)| format!("{line}\n")).collect()
}

/// Whether a device agrees with the reference on a recipe; if not, all about it.
fn agree(recipe: &Recipe, device: &Device) -> Result<(), TestCaseError> {
    let graph = Graph::new();
    let built = build(recipe, &graph);
    let failed = |error: Error| TestCaseError::fail(format!("{error}\n{graph}"));
    let expected = built.run(&Device::Reference).map_err(failed)?;
    let got = built.run(device).map_err(failed)?;
    let Some((number, how)) = divergence(&expected, &got) else { return Ok(()) };
    // Behind the outputs of two runs come the variables, which depend on all gradients.
    let outputs = match built.wanted.get(number % built.wanted.len()) {
        Some(output) if number < 2 * built.wanted.len() => std::slice::from_ref(output),
        _ => &built.wanted,
    };
    Err(TestCaseError::fail(format!("{how}\n{}", behind(&graph, outputs))))
}

/// The same recipes in every run, so that failures are reproducible.
fn all_agree(device: &Device, cases: u32, moves: std::ops::Range<usize>) {
    let asked = std::env::var("WGRAD_RANDOM_GRAPHS").ok().and_then(|text| text.parse().ok());
    let config = ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let failure = match runner.run(&recipe(moves), |recipe| agree(&recipe, device)) {
        Ok(()) => String::new(),
        Err(TestError::Fail(why, recipe)) => format!("{}: {why}\n{recipe:?}", device.name()),
        Err(error) => error.to_string(),
    };
    assert!(failure.is_empty(), "{failure}");
}

#[test]
fn random_graphs_agree_on_the_cpu() {
    all_agree(&Device::cpu(), 5000, 0..24);
}

#[test]
fn random_graphs_agree_on_the_gpu() {
    if let Some(device) = device::gpu() {
        all_agree(&device, 16, 4..16);
    }
}
