//! Compiling takes time proportional to the graph: with four times as many parameters, layers or
//! results, it takes little more than four times as many steps.

use crate::{
    DType, Error, Graph, Init, Tensor,
    autodiff::grad,
    nn::{Activation, Dense, LayerNorm, Mode, Module, Scope, Sequential},
    optim::{Adam, Optimizer, OptimizerExt},
    rewrite::{self, Grads, Target},
    steps,
};

/// Steps of building and planning a graph of this size.
fn steps(build: impl for<'g> Fn(&'g Graph, usize) -> Vec<Tensor<'g>>, size: usize) -> usize {
    steps::of(|| {
        let graph = Graph::new();
        let outputs: Vec<_> = build(&graph, size).into_iter().map(|tensor| tensor.id).collect();
        let (rewritten, outputs) = rewrite::run(
            &graph,
            &outputs,
            true,
            Target { grads: Grads::Together, ..Target::default() },
        )
        .expect("it is valid");
        super::plan(&rewritten, &outputs, 4)
    })
}

fn assert_linear(
    what: &str,
    build: impl for<'g> Fn(&'g Graph, usize) -> Vec<Tensor<'g>>,
    size: usize,
) {
    assert_growth(what, build, size, 4.5);
}

fn assert_growth(
    what: &str,
    build: impl for<'g> Fn(&'g Graph, usize) -> Vec<Tensor<'g>>,
    size: usize,
    most: f64,
) {
    let [small, large] = [size, 4 * size].map(|size| steps(&build, size));
    println!("{what}: {small} steps for {size}, {large} for four times as many");
    assert!(large as f64 <= most * small as f64, "{what}: {small} steps, then {large}");
}

fn input<'g>(graph: &'g Graph, name: &str) -> Tensor<'g> {
    graph.input(name, [3], DType::F32)
}

fn variable(graph: &Graph, index: usize, len: usize) -> Tensor<'_> {
    graph.variable(&format!("v{index}"), [len], DType::F32, Init::Ones)
}

fn sum<'g>(terms: impl Iterator<Item = Tensor<'g>>) -> Vec<Tensor<'g>> {
    terms.reduce(|sum, term| sum + term).into_iter().collect()
}

/// Parameters of `lengths` lengths under Adam.
fn trained(graph: &Graph, count: usize, lengths: usize, rule: impl Optimizer) -> Vec<Tensor<'_>> {
    let mut cx = Scope::new(graph, Mode::Train);
    let terms = (0..count).map(|index| {
        let param = cx.param(&format!("p{index}"), [1 + index % lengths], Init::Ones);
        (param * param).sum(..)
    });
    let loss = sum(terms);
    rule.update(&mut cx, loss[0]);
    loss
}

#[test]
fn parameters_under_adam() {
    for lengths in [1, 7] {
        assert_linear("Adam", |graph, n| trained(graph, n, lengths, Adam::new(0.1)), 400);
        let clipped = || Adam::new(0.1).clip_norm(1.0);
        assert_linear("clipped", |graph, n| trained(graph, n, lengths, clipped()), 400);
    }
}

#[test]
fn layers() {
    assert_linear(
        "layers",
        |graph, n| {
            let mut network = Sequential::new();
            for _ in 0..n {
                network = network.add(Dense::new(4)).add(Activation::tanh()).add(LayerNorm::new());
            }
            let mut cx = Scope::new(graph, Mode::Train);
            let x = graph.input("x", [2, 4], DType::F32);
            let loss = network.forward(&mut cx, x).mean(..);
            Adam::new(0.1).update(&mut cx, loss);
            vec![loss]
        },
        30,
    );
}

#[test]
fn time_steps() {
    assert_linear(
        "steps of a recurrent layer",
        |graph, n| {
            let mut cx = Scope::new(graph, Mode::Train);
            let weight = cx.param("weight", [3, 3], Init::Ones);
            let bias = cx.param("bias", [3], Init::Ones);
            let mut state = graph.input("state", [2, 3], DType::F32);
            for _ in 0..n {
                state = (state.matmul(weight) + bias).tanh();
            }
            let loss = state.sum(..);
            Adam::new(0.1).update(&mut cx, loss);
            vec![loss, state]
        },
        200,
    );
}

#[test]
fn maps() {
    let factor = |k: usize| k as f64 + 2.0;
    assert_linear("a chain", |graph, n| vec![(0..n).fold(input(graph, "x"), |x, _| x.sin())], 500);
    assert_linear(
        "readers of one tensor",
        |graph, n| {
            let x = input(graph, "x").exp();
            (0..n).map(|k| (x * factor(k)).sin()).collect()
        },
        500,
    );
    assert_linear(
        "a sum",
        |graph, n| sum((0..n).map(|k| (input(graph, "x") * factor(k)).sin())),
        500,
    );
    assert_linear("inputs", |graph, n| sum((0..n).map(|k| input(graph, &format!("x{k}")))), 500);
}

#[test]
fn cotangents() {
    assert_linear(
        "of one weight",
        |graph, n| {
            let weight = variable(graph, 0, 3);
            let loss = sum((0..n).map(|_| (weight * graph.uniform([3])).sum(..)));
            grad(loss[0], &[weight])
        },
        1600,
    );
    assert_linear(
        "of slices of one weight",
        |graph, n| {
            let weight = variable(graph, 0, 2 * n);
            let slices = (0..n).map(|k| weight.slice(0, 2 * k..2 * k + 2).sin().sum(..));
            grad(sum(slices)[0], &[weight])
        },
        500,
    );
}

#[test]
fn effects() {
    assert_linear(
        "that depend on nothing",
        |graph, n| {
            for k in 0..n {
                let value = variable(graph, k, 1 + k % 7);
                graph.assign(value, value.sin() + 1.0);
            }
            vec![]
        },
        500,
    );
    // The assigned values are also summed: everything behind one in the sum would move.
    assert_linear(
        "of what is summed up",
        |graph, n| {
            let value = |k| {
                let (variable, value) = (variable(graph, k, 3), variable(graph, k, 3).exp());
                graph.assign(variable, value * 2.0);
                value.sum(..)
            };
            sum((0..n).map(value))
        },
        1600,
    );
    // Each is read by the update of the next one, before it or after it: to find the order of all
    // takes a logarithm of steps each.
    for step in [1, usize::MAX] {
        assert_growth(
            "a delay line",
            |graph, n| {
                let line: Vec<_> = (0..n).map(|k| variable(graph, k, 3)).collect();
                for k in 1..n - 1 {
                    graph.assign(line[k], line[k.wrapping_add(step)] * 2.0);
                }
                vec![]
            },
            500,
            5.5,
        );
    }
}

/// Neither a walk nor dropping it overflows a small stack.
#[test]
fn deep_graphs() -> Result<(), Error> {
    let compile = || {
        let graph = Graph::new();
        let mut x = graph.input("x", [3, 4, 5], DType::F32);
        for k in 0..10_000 {
            x = match k % 4 {
                0 => x.transpose([2, 0, 1]),
                1 => x.flip(0),
                2 => x.slice(0, ..).pad([(0, 1), (0, 0), (0, 0)], 0.0).slice(0, 1..),
                _ => x.tanh(),
            };
        }
        let loss = x.sum(..);
        let slopes = grad(loss, &[graph.input("x", [3, 4, 5], DType::F32)]);
        graph.compile(&crate::Device::cpu(), &[loss, slopes[0]]).map(drop)
    };
    let small = std::thread::Builder::new().stack_size(512 << 10).spawn(compile);
    small.expect("the system has threads").join().expect("it does not overflow")
}
