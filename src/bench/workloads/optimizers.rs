//! One Adam step: reads parameters, both moments and gradients, and writes all except the
//! gradients.

use crate::{
    bench::{
        check::Sum,
        workload::{Workload, at, words},
    },
    dtype::DType,
    graph::Tensor,
    ops::contract::Domain,
};

const BETAS: [f64; 2] = [0.9, 0.999];
const LR: f64 = 1e-3;
const EPS: f64 = 1e-8;
/// Number of steps assumed to be done.
const STEP: f64 = 10.0;

pub(super) fn workloads() -> Vec<Workload> {
    vec![adam("adam_step", 4 << 20).smaller(adam("adam_step_small", 64 << 10))]
}

fn trace<'g>(x: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
    let [param, first, second, gradient] = [x[0], x[1], x[2], x[3]];
    let graph = param.graph();
    let first = first.moment(gradient, BETAS[0], 1.0 - BETAS[0]);
    let second = second.second_moment(gradient, BETAS[1]);
    let [lr, step] = [LR, STEP].map(|x| graph.full([], DType::F32, x));
    vec![param.adam([first, second], lr, step, BETAS, EPS), first, second]
}

fn adam(name: &'static str, len: usize) -> Workload {
    Workload::new("optimizer", name, format!("{len} parameters"), trace, |x| {
        Box::new(|number, c| {
            let [param, first, second, gradient] = [0, 1, 2, 3].map(|k| at(&x[k], c[0]));
            let first = Sum::of([BETAS[0] * first, (1.0 - BETAS[0]) * gradient]);
            let second = Sum::of([BETAS[1] * second, (1.0 - BETAS[1]) * gradient * gradient]);
            if number > 0 {
                return [first, second][number - 1];
            }
            let unbiased = |sum: Sum, beta: f64| sum.value / (1.0 - beta.powf(STEP));
            let root = unbiased(second, BETAS[1]).sqrt() + EPS;
            let moved = LR * unbiased(first, BETAS[0]) / root;
            // A small moment is subject to cancellation, whose error affects the step; so are
            // powers of betas near 1.
            let magnitude = param.abs() + 100.0 * LR * first.magnitude / root;
            Sum { magnitude, ..Sum::near(param - moved, param) }
        })
    })
    .floats(&[len])
    .floats(&[len])
    .operand(&[len], DType::F32, Domain::Range(0.01, 1.0))
    .floats(&[len])
    .cost(14.0 * len as f64, words(7 * len))
}
