//! Causal attention and its derivatives.

use crate::{
    array::Array,
    bench::{
        check::Sum,
        workload::{Elements, Workload, at, with_gradients, words},
    },
    functions::AttentionOptions,
    graph::Tensor,
};

/// Number of heads and positions, and width of each vector.
const WHOLE: [usize; 3] = [16, 512, 64];
const SMALL: [usize; 3] = [2, 64, 32];

pub(super) fn workloads() -> Vec<Workload> {
    [("attention_fwd", false), ("attention_fwdbwd", true)]
        .map(|(name, backward)| {
            let small = attention(format!("{name}_small"), SMALL, backward);
            attention(name.to_owned(), WHOLE, backward).smaller(small)
        })
        .into()
}

fn attention(name: String, extents: [usize; 3], backward: bool) -> Workload {
    let [heads, t, d] = extents;
    let (len, pairs) = (heads * t * d, heads * t * (t + 1) / 2);
    // Two products of vectors for each visible pair; seven with the derivatives.
    let (products, tensors) = if backward { (7, 8) } else { (2, 4) };
    let text = format!("{heads} heads, {t} positions, {d} wide, causal");
    Workload::new(
        "attention",
        name,
        text,
        move |x| trace(x, backward),
        move |x| -> Elements<'_> {
            let weights: Vec<Vec<f64>> = (0..heads).map(|head| weights(x, extents, head)).collect();
            Box::new(move |number, c| element(x, extents, &weights[c[0]], number, c))
        },
    )
    .floats(&[heads, t, d])
    .floats(&[heads, t, d])
    .floats(&[heads, t, d])
    .floats(&[heads, t, d])
    .cost((2 * products * d * pairs) as f64, words(tensors * len))
}

fn trace<'g>(x: &[Tensor<'g>], backward: bool) -> Vec<Tensor<'g>> {
    let y = x[0].attention(x[1], x[2], AttentionOptions { causal: true, ..Default::default() });
    if backward { with_gradients(y, x[3], &x[..3]) } else { vec![y] }
}

/// The attention weights of a head, `[t, t]`.
fn weights(x: &[Array], [_, t, d]: [usize; 3], head: usize) -> Vec<f64> {
    let vector = |operand: usize, i: usize| {
        (0..d).map(move |k| at(&x[operand], (head * t + i) * d + k)).collect::<Vec<_>>()
    };
    let keys: Vec<_> = (0..t).map(|j| vector(1, j)).collect();
    let mut weights = vec![0.0; t * t];
    for (i, row) in weights.chunks_mut(t).enumerate() {
        let query = vector(0, i);
        for (weight, key) in row[..=i].iter_mut().zip(&keys) {
            let fit: f64 = query.iter().zip(key).map(|(q, k)| q * k).sum();
            *weight = (fit / (d as f64).sqrt()).exp();
        }
        let all: f64 = row.iter().sum();
        row.iter_mut().for_each(|weight| *weight /= all);
    }
    weights
}

/// An element of the result, or of the cotangent of queries, keys or values.
fn element(x: &[Array], [_, t, d]: [usize; 3], weights: &[f64], number: usize, c: &[usize]) -> Sum {
    let of = |operand: usize, i: usize, k: usize| at(&x[operand], (c[0] * t + i) * d + k);
    let weight = |i: usize, j: usize| weights[i * t + j];
    // The cotangents of the scores at i: those of the weights minus their weighted mean. The
    // difference may be 0 although its terms are not, so the magnitude is tracked.
    let pull = |i: usize| {
        let want = |j: usize| Sum::of((0..d).map(|k| of(3, i, k) * of(2, j, k)));
        let wants: Vec<Sum> = (0..=i).map(want).collect();
        let all = wants.iter().enumerate().map(|(j, want)| want.times(weight(i, j)));
        let mean = all.fold(Sum::default(), |all, want| all.plus(want.times(-1.0)));
        wants.into_iter().map(|want| want.plus(mean)).collect::<Vec<Sum>>()
    };
    let root = (d as f64).sqrt();
    let total = |sums: &mut dyn Iterator<Item = Sum>| sums.fold(Sum::default(), Sum::plus);
    let sum = match number {
        0 => Sum::of((0..=c[1]).map(|j| weight(c[1], j) * of(2, j, c[2]))),
        1 => {
            let pulls = pull(c[1]);
            let part = |j: usize| pulls[j].times(weight(c[1], j) * of(1, j, c[2]) / root);
            total(&mut (0..=c[1]).map(part))
        }
        2 => {
            let part = |i: usize| pull(i)[c[1]].times(weight(i, c[1]) * of(0, i, c[2]) / root);
            total(&mut (c[1]..t).map(part))
        }
        _ => Sum::of((c[1]..t).map(|i| weight(i, c[1]) * of(3, i, c[2]))),
    };
    // Weights are quotients of sums of exponentials of sums.
    Sum { terms: (t + d) as f64, ..sum }
}
