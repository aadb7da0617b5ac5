//! Samples of methods that stand beside an operation they are made of, under names of their own.

use crate::{
    array64::Array64,
    dtype::DType,
    ops::{
        Geometry,
        contract::{Bound, Domain, Function, Sample},
    },
    shape::Meta,
};

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

fn u32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::U32)
}

/// A matrix row by row.
fn by_rows(x: &Array64, cols: usize, of: impl Fn(&[f64]) -> Vec<f64>) -> Array64 {
    let rows = x.data.chunks(x.shape().dims()[1]).map(of);
    let data: Vec<f64> = rows.flatten().collect();
    Array64 { meta: Meta::new([x.shape().dims()[0], cols], x.meta.dtype), data }
}

fn sorted(row: &[f64]) -> Vec<f64> {
    let mut row = row.to_vec();
    row.sort_by(f64::total_cmp);
    row
}

/// Elements that change their places.
fn places() -> Vec<Sample> {
    let stack = Function::new(
        "stack",
        |x| x[0].graph().stack(x, 1),
        |x| Array64::from_fn(f32s(&[3, 2, 4]), |c| x[c[1]].at(&[c[0], c[2]])),
    );
    let sort = |descending: bool| {
        Function::new(
            "sort",
            move |x| x[0].sort(1, descending),
            move |x| {
                by_rows(x[0], 7, |row| match descending {
                    true => sorted(row).into_iter().rev().collect(),
                    false => sorted(row),
                })
            },
        )
    };
    let top = Function::new(
        "top_k",
        |x| x[0].top_k(3, 1).0,
        |x| by_rows(x[0], 3, |row| sorted(row).into_iter().rev().take(3).collect()),
    );
    let diagonal = |offset: i32| {
        Function::new(
            "diagonal_at",
            move |x| x[0].diagonal_at(offset),
            move |x| {
                let (row, column) = (0.max(-offset) as usize, 0.max(offset) as usize);
                let len = (3 - row.min(3)).min(5 - column.min(5));
                Array64::from_fn(f32s(&[2, len]), |c| x[0].at(&[c[0], c[1] + row, c[1] + column]))
            },
        )
    };
    let take = Function::new(
        "take_along_axis",
        |x| x[0].take_along_axis(x[1], 1),
        |x| Array64::from_fn(f32s(&[3, 4]), |c| x[0].at(&[c[0], x[1].at(&c) as usize])),
    );
    let scatter = Function::new(
        "scatter_add_along_axis",
        |x| x[0].scatter_add_along_axis(x[1], 1, 5),
        |x| {
            Array64::from_fn(f32s(&[3, 5]), |c| {
                let here = (0..4).filter(|&k| x[1].at(&[c[0], k]) as usize == c[1]);
                here.map(|k| x[0].at(&[c[0], k])).sum()
            })
        },
    );
    // What is drawn differs from run to run; what is drawn of zeros and ones does not.
    let bernoulli = Function::new(
        "bernoulli",
        |x| x[0].bernoulli().cast(DType::F32),
        |x| x[0].map(DType::F32, |p| p),
    );
    let permutation = Function::new(
        "permutation",
        |x| x[0].gather(x[0].graph().permutation(9), 0).sort(0, false),
        |x| Array64 { meta: u32s(&[9]), data: sorted(&x[0].data) },
    );
    let moves = "moves elements";
    vec![
        Sample::new(stack, [f32s(&[3, 4]), f32s(&[3, 4])]).bound(Bound::Exact, moves),
        Sample::new(sort(false), [f32s(&[3, 7])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Exact, moves),
        Sample::new(sort(true), [f32s(&[3, 7])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Exact, moves),
        Sample::new(top, [f32s(&[3, 7])]).operand(0, Domain::Distinct).bound(Bound::Exact, moves),
        Sample::new(diagonal(2), [f32s(&[2, 3, 5])]).bound(Bound::Exact, moves),
        Sample::new(diagonal(-1), [f32s(&[2, 3, 5])]).bound(Bound::Exact, moves),
        Sample::new(diagonal(7), [f32s(&[2, 3, 5])]).bound(Bound::Exact, moves).named("beside"),
        Sample::new(take, [f32s(&[3, 6]), u32s(&[3, 4])])
            .operand(1, Domain::Below(6))
            .bound(Bound::Exact, moves),
        Sample::new(scatter, [f32s(&[3, 4]), u32s(&[3, 4])])
            .operand(1, Domain::Below(5))
            .bound(Bound::Terms(4.0), "a sum of a few"),
        Sample::new(bernoulli, [f32s(&[3, 5])])
            .operand(0, Domain::Values(&[1.0, 0.0, 0.0, 1.0]))
            .bound(Bound::Exact, "what is sure")
            .without_gradient(),
        Sample::new(permutation, [u32s(&[9])]).bound(Bound::Exact, moves),
    ]
}

/// Windows that are not those of the operations.
fn windows() -> Vec<Sample> {
    let transposed = Function::new(
        "transposed_convolution",
        |x| x[0].transposed_convolution(x[1], Geometry::new(2).stride([2, 1]), [1, 0]),
        |x| {
            let [x, w] = x else { unreachable!("a picture and a weight") };
            let mut y = Array64::from_fn(f32s(&[2, 4, 8, 5]), |_| 0.0);
            for c in x.shape().coordinates() {
                for k in w.shape().coordinates().filter(|k| k[0] == c[1]) {
                    let place = y.shape().index(&[c[0], k[1], 2 * c[2] + k[2], c[3] + k[3]]);
                    y.data[place] += x.at(&c) * w.at(&k);
                }
            }
            y
        },
    );
    let bins = |x: &Array64, of: fn(&[f64]) -> f64| {
        Array64::from_fn(f32s(&[2, 3, 2, 3]), |c| {
            let bin = |k: usize, n: usize, m: usize| k * n / m..((k + 1) * n).div_ceil(m);
            let columns = bin(c[3], 7, 3);
            let cells = bin(c[2], 5, 2).flat_map(|row| columns.clone().map(move |k| [row, k]));
            let cells = cells.map(|[row, k]| x.at(&[c[0], c[1], row, k]));
            of(&cells.collect::<Vec<_>>())
        })
    };
    let mean = Function::new(
        "adaptive_avg_pool",
        |x| x[0].adaptive_avg_pool(&[2, 3]),
        move |x| bins(x[0], |bin| bin.iter().sum::<f64>() / bin.len() as f64),
    );
    let largest = Function::new(
        "adaptive_max_pool",
        |x| x[0].adaptive_max_pool(&[2, 3]),
        move |x| bins(x[0], |bin| bin.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    );
    vec![
        Sample::new(transposed, [f32s(&[2, 3, 3, 4]), f32s(&[3, 4, 3, 2])])
            .bound(Bound::Terms(18.0), "a sum of up to 12 products"),
        Sample::new(mean, [f32s(&[2, 3, 5, 7])])
            .bound(Bound::Terms(16.0), "a sum of up to 9, and a quotient"),
        Sample::new(largest, [f32s(&[2, 3, 5, 7])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Exact, "chooses elements"),
    ]
}

/// Means, and what is normalised by them.
fn means() -> Vec<Sample> {
    // As constants of a graph are rounded.
    const EPS: f64 = 1e-5f32 as f64;
    fn normal(row: &[f64]) -> Vec<f64> {
        let n = row.len() as f64;
        let mean = row.iter().sum::<f64>() / n;
        let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        row.iter().map(|x| (x - mean) / (var + EPS).sqrt()).collect()
    }
    let mean = Function::new(
        "mean",
        |x| x[0].mean(1),
        |x| {
            let sums = by_rows(x[0], 1, |row| vec![row.iter().sum::<f64>() / row.len() as f64]);
            Array64 { meta: f32s(&[4]), ..sums }
        },
    );
    let layer = Function::new(
        "layer_norm",
        |x| x[0].layer_norm(x[1], x[2], EPS),
        |x| {
            let y = by_rows(x[0], 6, normal);
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) * x[1].at(&c[1..]) + x[2].at(&c[1..]))
        },
    );
    let rms = Function::new(
        "rms_norm",
        |x| x[0].rms_norm(x[1], EPS),
        |x| {
            let y = by_rows(x[0], 6, |row| {
                let square = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
                row.iter().map(|x| x / (square + EPS).sqrt()).collect()
            });
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) * x[1].at(&c[1..]))
        },
    );
    let group = Function::new(
        "group_norm",
        |x| x[0].group_norm(2, EPS),
        |x| {
            let data = x[0].data.chunks(10).flat_map(normal).collect();
            Array64 { meta: x[0].meta.clone(), data }
        },
    );
    let few = "a mean, a root and a quotient of numbers below 3";
    vec![
        Sample::new(mean, [f32s(&[4, 9])]).bound(Bound::Terms(12.0), "a sum, and a quotient"),
        Sample::new(layer, [f32s(&[4, 6]), f32s(&[6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(rms, [f32s(&[4, 6]), f32s(&[6])]).bound(Bound::Abs(4e-6), few),
        Sample::new(group, [f32s(&[2, 4, 5])]).bound(Bound::Abs(4e-6), few),
    ]
}

/// All of them.
pub(super) fn samples() -> Vec<Sample> {
    [places(), windows(), means()].concat()
}
