//! Random graphs: wrong ones must give an error and nothing else, right ones the same values on
//! every device, whatever the scheduler fuses.

mod device;

use proptest::prelude::*;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Tensor, Variables, autodiff, testing::Noise,
};

/// One call of a builder, with arguments that are mostly wrong.
#[derive(Clone, Debug)]
struct Call {
    method: u8,
    operands: [u8; 3],
    numbers: [i32; 3],
    shape: Vec<usize>,
}

fn call() -> impl Strategy<Value = Call> {
    let extent = prop_oneof![8 => 0usize..5, 1 => Just(usize::MAX), 1 => Just(1usize << 33)];
    let shape = prop::collection::vec(extent, 0..4);
    (any::<u8>(), any::<[u8; 3]>(), [-4i32..5, -4..5, -4..5], shape)
        .prop_map(|(method, operands, numbers, shape)| Call { method, operands, numbers, shape })
}

fn apply<'g>(graph: &'g Graph, other: &'g Graph, known: &mut Vec<Tensor<'g>>, call: &Call) {
    let Call { method, operands, numbers, shape } = call;
    let pick = |k: usize| match known.is_empty() {
        true => graph.full([2, 3], DType::F32, 0.5),
        false => known[operands[k] as usize % known.len()],
    };
    let [a, b, c] = [0, 1, 2].map(pick);
    let [n, m, _] = *numbers;
    let dtype = DType::ALL[m.unsigned_abs() as usize % 5];
    let shape = shape.clone();
    let size = n.unsigned_abs() as usize;
    let y = match method % 50 {
        0 => graph.input(["x", "y", "z"][size % 3], shape, dtype),
        1 => graph.variable(["v", "w"][size % 2], shape, dtype, Init::HeNormal),
        2 => graph.full(shape, dtype, f64::from(n) / 3.0),
        3 => graph.iota(shape, n, dtype),
        4 => graph.uniform(shape),
        5 => graph.normal(shape),
        6 => a + b,
        7 => a - 1.5,
        8 => 2.0 * a,
        9 => a / b,
        10 => a % b,
        11 => a.pow(b),
        12 => a.maximum(b),
        13 => a.minimum(0i32),
        14 => a.and(b),
        15 => -a,
        16 => a.exp(),
        17 => a.tanh(),
        18 => a.relu(),
        19 => !a,
        20 => a.equal(b),
        21 => a.less(b),
        22 => a.select(b, c),
        23 => a.cast(dtype),
        24 => a.detach(),
        25 => a.reshape(shape),
        26 => a.flatten(n),
        27 => a.unsqueeze(n),
        28 => a.squeeze(n),
        29 => a.swap_axes(n, m),
        30 => a.t(),
        31 => a.broadcast_to(shape),
        32 => a.slice(n, size..size + 2),
        33 => a.slice_step(n, 0..4, size),
        34 => a.pad(&[(size, 1), (0, usize::from(m > 0))], 0.5),
        35 => graph.concat(&[a, b, c, a, b][..size % 6], m),
        36 => graph.stack(&[a, b], n),
        37 => a.flip(n),
        38 => a.sum(n),
        39 => a.mean([n, m]),
        40 => a.max(..),
        41 => a.prod_keepdims(n),
        42 => a.argmax(n),
        43 => a.matmul(b),
        44 => a.softmax(n),
        45 => a.log_softmax(n),
        46 => a.cross_entropy(b),
        47 => {
            graph.assign(a, b);
            a
        }
        48 => autodiff::grad(a, &[b])[0],
        // A tensor of another graph.
        _ => a + other.full([2, 3], DType::F32, 1.0),
    };
    known.push(y);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_graph_panics(calls in prop::collection::vec(call(), 1..24)) {
        let (graph, other) = (Graph::new(), Graph::new());
        let mut known = Vec::new();
        for call in &calls {
            apply(&graph, &other, &mut known, call);
        }
        // What could be built is consistent and can be shown, whatever failed beside it.
        prop_assert_eq!(graph.verify(), Ok(()));
        prop_assert!(!graph.to_dot().is_empty());
        let _ = graph.to_string();
        for tensor in &known {
            let _ = (tensor.rank(), tensor.dim(0), tensor.dim(-3));
        }
        if let Err(error) = graph.check() {
            let text = error.to_string();
            prop_assert!(text.contains("graphs.rs:"), "{} names no line", text);
            let last = known.len() - 1;
            prop_assert!(graph.compile(&Device::Reference, &[known[last]]).is_err());
        }
    }
}

/// A graph of operations that keep values of order 1.
struct Random<'g> {
    graph: &'g Graph,
    noise: Noise,
    known: Vec<Tensor<'g>>,
}

impl<'g> Random<'g> {
    fn below(&mut self, n: usize) -> usize {
        (self.noise.unit() * n as f64) as usize
    }

    fn pick(&mut self) -> Tensor<'g> {
        let index = self.below(self.known.len());
        self.known[index]
    }

    /// One more operation; every call is right by construction.
    fn grow(&mut self) {
        let a = self.pick();
        let rank = a.rank();
        let axis = self.below(rank.max(1)) as i32;
        let extent = a.dim(axis);
        let fits = |x: &Tensor<'g>| a.shape().broadcast_with(&x.shape()).is_some();
        let partners: Vec<_> = self.known.iter().copied().filter(fits).collect();
        let b = partners[self.below(partners.len())];
        let small = a.shape().len() < 200;
        let y = match self.below(22) {
            0 => a + b,
            1 => a * b,
            2 => a - b,
            3 => a.tanh(),
            4 => a.sigmoid(),
            5 => a.maximum(b),
            6 => a.less(b).select(a, b),
            7 => (-a).exp() * 0.1,
            8 if rank > 1 => a.t(),
            9 if rank > 0 => a.flip(axis),
            10 if rank > 0 && extent > 1 => a.slice(axis, 1..extent),
            11 if rank > 0 && extent > 2 => a.slice_step(axis, 0..extent, 2),
            12 if rank > 0 && small => {
                let mut padding = vec![(0, 0); rank];
                padding[axis as usize] = (2, 1);
                a.pad(&padding, 0.5)
            }
            13 if rank > 0 && small => self.graph.concat(&[a, a.tanh(), -a], axis),
            14 => a.reshape([a.shape().len()]),
            15 if small => a.unsqueeze(0).broadcast_to([&[3], a.shape().dims()].concat()),
            16 if rank > 0 => a.mean(axis),
            17 if rank > 0 => a.max_keepdims(axis),
            18 if rank > 1 => a.matmul(a.t()) * (0.3 / a.dim(-1) as f64),
            19 if rank > 0 => a.softmax(axis),
            20 if rank > 0 => {
                let index = self.graph.iota(a.shape(), axis, DType::F32);
                a * (index * 0.1)
            }
            _ => a * self.graph.full(a.shape(), DType::F32, 0.7),
        };
        self.known.push(y);
    }
}

/// Builds, runs twice (for the effects) and reads on both devices.
fn agree(seed: u64, device: &Device, size: usize) -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [3, 5], DType::F32);
    let v = graph.variable("v", [4, 3, 1], DType::F32, Init::Normal { mean: 0.0, std: 0.5 });
    let w = graph.variable("w", [5], DType::F32, Init::Normal { mean: 0.0, std: 0.5 });
    let mut random = Random { graph: &graph, noise: Noise::new(seed), known: vec![x, v, w] };
    for _ in 0..size {
        random.grow();
    }
    let outputs: Vec<Tensor> = (0..3).map(|_| random.pick()).collect();
    // A gradient through whatever was built, and effects that read both variables.
    let loss = outputs[0].tanh().mean(..);
    let gradients = autodiff::grad(loss, &[x, v, w]);
    graph.assign(v, v * 0.5 + gradients[1]);
    graph.assign(w, w - gradients[2] + v.mean(..));
    let wanted = [outputs.as_slice(), &[loss], &gradients].concat();
    let data: Vec<f32> = (0..15).map(|_| (2.0 * random.noise.unit() - 1.0) as f32).collect();
    let input = Array::new([3, 5], &data)?;
    let run = |device: &Device| -> Result<Vec<(Vec<f64>, String)>, Error> {
        let program = graph.compile(device, &wanted)?;
        let needs_x = program.inputs().iter().any(|(name, _)| name == "x");
        let inputs: &[(&str, &dyn Feed)] = if needs_x { &[("x", &input)] } else { &[] };
        let variables = Variables::new(seed);
        let mut values = Vec::new();
        for run in 0..2 {
            let outputs = program.run(&variables, inputs)?;
            for (k, value) in outputs.values().iter().enumerate() {
                values.push((value.read_f64()?, format!("output {k} of run {run}")));
            }
        }
        for (path, array) in variables.to_arrays()? {
            values.push((array.to_f64(), path));
        }
        Ok(values)
    };
    let expected = run(&Device::Reference)?;
    let got = run(device)?;
    assert_eq!(got.len(), expected.len());
    for ((got, what), (expected, _)) in got.iter().zip(&expected) {
        for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
            let close = (got - expected).abs() <= 1e-4 * expected.abs().max(1.0);
            let both_nan = got.is_nan() && expected.is_nan();
            assert!(
                close || both_nan,
                "seed {seed}, {what}, element {k}: {got} instead of {expected}\n{graph}\n{}",
                graph.compile(device, &wanted)?.plan().map(ToString::to_string).unwrap_or_default()
            );
        }
    }
    Ok(())
}

#[test]
fn random_graphs_agree_on_the_cpu() -> Result<(), Error> {
    let device = Device::cpu();
    (0..400).try_for_each(|seed| agree(seed, &device, 4 + seed as usize % 20))
}

#[test]
fn random_graphs_agree_on_the_gpu() -> Result<(), Error> {
    let Some(device) = device::gpu() else { return Ok(()) };
    (0..6).try_for_each(|seed| agree(seed, &device, 6 + seed as usize))
}
