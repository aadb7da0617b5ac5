//! Memory-bound workloads: elementwise functions, reductions, and row-wise functions.

use crate::{
    array::Array,
    bench::{
        check::Sum,
        workload::{Elements, Workload, at, with_gradients, words},
    },
    graph::Tensor,
    ops::math::erf_f64,
};

/// Number of rows and their length: larger than every cache, and small.
const WHOLE: [usize; 2] = [4096, 1024];
const SMALL: [usize; 2] = [512, 256];

pub(super) fn workloads() -> Vec<Workload> {
    let pairs = |make: fn(String, [usize; 2]) -> Workload, name: &str, whole: [usize; 2]| {
        make(name.to_owned(), whole).smaller(make(format!("{name}_small"), SMALL))
    };
    vec![
        pairs(relu, "relu", WHOLE),
        pairs(tanh, "tanh", WHOLE),
        pairs(chain, "elementwise_chain", WHOLE),
        pairs(softmax, "softmax_fwdbwd", WHOLE),
        pairs(layer_norm, "layernorm_fwdbwd", WHOLE),
        pairs(sum, "reduce_sum", [4096, 4096]),
        pairs(largest, "reduce_max_columns", [4096, 4096]),
    ]
}

fn text([rows, columns]: [usize; 2]) -> String {
    format!("{rows}x{columns}")
}

/// An elementwise function of one operand, with this many operations.
fn elements(
    name: String,
    dims: [usize; 2],
    flops: f64,
    function: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    formula: fn(f64) -> Sum,
) -> Workload {
    let len = dims[0] * dims[1];
    Workload::new(
        "activation",
        name,
        text(dims),
        move |x| vec![function(x[0])],
        move |x| Box::new(move |_, c| formula(at(&x[0], c[0] * dims[1] + c[1]))),
    )
    .floats(&dims)
    .cost(flops * len as f64, words(2 * len))
}

fn relu(name: String, dims: [usize; 2]) -> Workload {
    elements(name, dims, 1.0, |x| x.relu(), |x| Sum::exact(x.max(0.0)))
}

fn tanh(name: String, dims: [usize; 2]) -> Workload {
    elements(name, dims, 1.0, |x| x.tanh(), |x| Sum::near(x.tanh(), x.tanh()))
}

/// The exact GELU of a scaled and shifted tensor, scaled.
fn chain(name: String, dims: [usize; 2]) -> Workload {
    let function = |x: f64| {
        let shifted = x * 1.5 + 0.25;
        let both = 1.0 + erf_f64(shifted * std::f64::consts::FRAC_1_SQRT_2);
        // Both sums may cancel; their error is relative to the magnitude of the terms.
        Sum::near(0.375 * shifted * both, 0.75 * (x.abs() * 1.5 + 0.25))
    };
    elements(name, dims, 8.0, |x| (x * 1.5 + 0.25).gelu() * 0.75, function)
}

/// One row of an operand.
fn row(x: &Array, row: usize, columns: usize) -> impl Iterator<Item = f64> + '_ {
    (0..columns).map(move |column| at(x, row * columns + column))
}

/// Softmax of each row, and the cotangent of its operand.
fn softmax(name: String, dims: [usize; 2]) -> Workload {
    let [rows, columns] = dims;
    Workload::new(
        "softmax",
        name,
        text(dims),
        |x| with_gradients(x[0].softmax(-1), x[1], &[x[0]]),
        move |x| {
            Box::new(move |number, c| {
                let exps = || row(&x[0], c[0], columns).map(f64::exp);
                let all: f64 = exps().sum();
                let y = at(&x[0], c[0] * columns + c[1]).exp() / all;
                if number == 0 {
                    return Sum { terms: columns as f64, ..Sum::near(y, y) };
                }
                let weighted = exps().zip(row(&x[1], c[0], columns)).map(|(e, ct)| -e / all * ct);
                Sum::of(weighted.chain([at(&x[1], c[0] * columns + c[1])])).times(y)
            })
        },
    )
    .floats(&dims)
    .floats(&dims)
    .cost(10.0 * (rows * columns) as f64, words(5 * rows * columns))
}

/// Layer normalization of each row with scale and shift, and the cotangents of all three.
fn layer_norm(name: String, dims: [usize; 2]) -> Workload {
    const EPS: f64 = 1e-5;
    let [rows, columns] = dims;
    Workload::new(
        "normalization",
        name,
        text(dims),
        |x| with_gradients(x[0].layer_norm(x[1], x[2], EPS), x[3], &x[..3]),
        move |x| -> Elements<'_> {
            let statistics: Vec<[f64; 2]> = (0..rows)
                .map(|r| {
                    let mean = row(&x[0], r, columns).sum::<f64>() / columns as f64;
                    let squares = row(&x[0], r, columns).map(|x| (x - mean).powi(2)).sum::<f64>();
                    [mean, 1.0 / (squares / columns as f64 + EPS).sqrt()]
                })
                .collect();
            Box::new(move |number, c| {
                let normal = |r: usize, column: usize| {
                    (at(&x[0], r * columns + column) - statistics[r][0]) * statistics[r][1]
                };
                let ct = |r: usize, column: usize| at(&x[3], r * columns + column);
                let scaled = |r: usize, column: usize| ct(r, column) * at(&x[1], column);
                match number {
                    0 => Sum {
                        terms: columns as f64,
                        ..Sum::of([normal(c[0], c[1]) * at(&x[1], c[1]), at(&x[2], c[1])])
                    },
                    1 => {
                        let own = scaled(c[0], c[1]);
                        let mean = (0..columns).map(|k| -scaled(c[0], k) / columns as f64);
                        let along = (0..columns).map(|k| {
                            -scaled(c[0], k) * normal(c[0], k) * normal(c[0], c[1]) / columns as f64
                        });
                        Sum::of([own].into_iter().chain(mean).chain(along))
                            .times(statistics[c[0]][1])
                    }
                    2 => Sum::of((0..rows).map(|r| ct(r, c[0]) * normal(r, c[0]))),
                    _ => Sum::of((0..rows).map(|r| ct(r, c[0]))),
                }
            })
        },
    )
    .floats(&dims)
    .floats(&[columns])
    .floats(&[columns])
    .floats(&dims)
    .cost(22.0 * (rows * columns) as f64, words(5 * rows * columns + 4 * columns))
}

fn sum(name: String, dims: [usize; 2]) -> Workload {
    let [rows, columns] = dims;
    Workload::new(
        "reduction",
        name,
        text(dims),
        |x| vec![x[0].sum(-1)],
        move |x| Box::new(move |_, c| Sum::of(row(&x[0], c[0], columns))),
    )
    .floats(&dims)
    .cost((rows * columns) as f64, words(rows * columns + rows))
}

/// The maximum of each column, whose elements are far apart in memory.
fn largest(name: String, dims: [usize; 2]) -> Workload {
    let [rows, columns] = dims;
    Workload::new(
        "reduction",
        name,
        text(dims),
        |x| vec![x[0].amax(0)],
        move |x| {
            Box::new(move |_, c| {
                let column = (0..rows).map(|r| at(&x[0], r * columns + c[0]));
                Sum::exact(column.fold(f64::NEG_INFINITY, f64::max))
            })
        },
    )
    .floats(&dims)
    .cost((rows * columns) as f64, words(rows * columns + columns))
}
