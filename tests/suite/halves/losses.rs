//! Losses of halves are f32: neither the costs of rows, nor their number, nor the mean is rounded.

use super::formulas::{agree_in_f32 as agree, halves};
use half::f16;
use wgrad::{
    Array, Error, Reduction,
    nn::{CrossEntropy, cross_entropy, mean_squared_error},
};

/// Number of rows, which is no half.
const ROWS: usize = 70_000;
const CLASSES: usize = 3;

fn logit(k: usize) -> f64 {
    ((k * 37) % 41) as f64 / 16.0 - 1.0
}

fn label(row: usize) -> usize {
    row * row % CLASSES
}

/// `-ln softmax` of each class of a row.
fn costs(row: usize) -> [f64; CLASSES] {
    let logits = [0, 1, 2].map(|k| f16::from_f64(logit(CLASSES * row + k)).to_f64());
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    logits.map(|x| sum.ln() - x)
}

fn rows() -> Result<[Array; 2], Error> {
    let labels: Vec<u32> = (0..ROWS).map(|row| label(row) as u32).collect();
    Ok([halves(&[ROWS, CLASSES], logit)?, Array::new([ROWS], &labels)?])
}

#[test]
fn means_of_many_rows_on_the_gpu_too() -> Result<(), Error> {
    let operands = rows()?;
    let own: Vec<f64> = (0..ROWS).map(|row| costs(row)[label(row)]).collect();
    let mean = own.iter().sum::<f64>() / ROWS as f64;
    agree("cross_entropy", &operands, |x| cross_entropy(x[0], x[1]), &[mean])?;
    agree("mean", &operands, |x| CrossEntropy::new().loss(x[0], x[1]), &[mean])?;

    let smoothed: f64 = (0..ROWS)
        .map(|row| {
            let all = costs(row);
            0.9 * all[label(row)] + 0.1 / 3.0 * all.iter().sum::<f64>()
        })
        .sum();
    agree(
        "smoothing",
        &operands,
        |x| CrossEntropy::new().smoothing(0.1).loss(x[0], x[1]),
        &[smoothed / ROWS as f64],
    )?;

    let counted: Vec<f64> = (0..ROWS).filter(|row| label(*row) != 2).map(|row| own[row]).collect();
    let mean = counted.iter().sum::<f64>() / counted.len() as f64;
    agree("ignoring", &operands, |x| CrossEntropy::new().ignoring(2).loss(x[0], x[1]), &[mean])?;

    let weights = halves(&[CLASSES], |k| [0.3, 1.7, 0.9][k])?;
    let w = weights.to_f64();
    let total: f64 = (0..ROWS).map(|row| w[label(row)] * own[row]).sum();
    let count: f64 = (0..ROWS).map(|row| w[label(row)]).sum();
    let [logits, labels] = operands;
    agree(
        "weights",
        &[logits, labels, weights],
        |x| CrossEntropy::new().weights(x[2]).loss(x[0], x[1]),
        &[total / count],
    )
}

/// A sum of rows that are rounded first is off by a few units.
#[test]
fn sums_of_rows_on_the_gpu_too() -> Result<(), Error> {
    const FEW: usize = 4000;
    let labels: Vec<u32> = (0..FEW).map(|row| label(row) as u32).collect();
    let operands = [halves(&[FEW, CLASSES], logit)?, Array::new([FEW], &labels)?];
    let own: Vec<f64> = (0..FEW).map(|row| costs(row)[label(row)]).collect();
    agree(
        "sum",
        &operands,
        |x| CrossEntropy::new().reduction(Reduction::Sum).loss(x[0], x[1]),
        &[own.iter().sum()],
    )?;
    agree(
        "each",
        &operands,
        |x| CrossEntropy::new().reduction(Reduction::None).loss(x[0], x[1]),
        &own,
    )
}

/// Costs and shares of equal classes are rounded in the same direction, all of them.
#[test]
fn probabilities_of_many_classes_on_the_gpu_too() -> Result<(), Error> {
    const MANY: usize = 1743;
    let operands = [halves(&[1, MANY], |_| 0.5)?, halves(&[1, MANY], |_| 1.0 / MANY as f64)?];
    let cost = (MANY as f64).ln() * MANY as f64 * operands[1].to_f64()[0];
    agree(
        "soft_cross_entropy",
        &operands,
        |x| x[0].soft_cross_entropy(x[1], -1, Reduction::None),
        &[cost],
    )?;
    agree(
        "each_of_probabilities",
        &operands,
        |x| CrossEntropy::new().reduction(Reduction::None).loss_of_probabilities(x[0], x[1]),
        &[cost],
    )
}

#[test]
fn errors_of_large_halves_on_the_gpu_too() -> Result<(), Error> {
    let x = halves(&[16], |k| if k == 3 { 300.0 } else { 0.1 })?;
    let y = halves(&[16], |_| 0.0)?;
    let values = x.to_f64();
    let pair = [x, y];
    let mean = values.iter().map(|x| x * x).sum::<f64>() / 16.0;
    agree("mean_squared_error", &pair, |x| mean_squared_error(x[0], x[1]), &[mean])?;
    let slope = |x: &f64| if *x < 200.0 { x * x / 2.0 } else { 200.0 * (x - 100.0) };
    let huber: Vec<f64> = values.iter().map(slope).collect();
    agree("huber", &pair, |x| x[0].huber(x[1], 200.0, Reduction::None), &huber)?;
    let smooth: Vec<f64> = huber.iter().map(|x| x / 200.0).collect();
    agree("smooth_l1", &pair, |x| x[0].smooth_l1(x[1], 200.0, Reduction::None), &smooth)?;
    // Vectors whose squares are no halves, and 1e-12, which is none either.
    let vectors = [
        halves(&[2, 2], |k| [300.0, 400.0, 0.0, 0.0][k])?,
        halves(&[2, 2], |k| [400.0, 300.0, 1.0, 0.0][k])?,
        halves(&[2], |_| 1.0)?,
    ];
    agree(
        "cosine_embedding",
        &vectors,
        |x| x[0].cosine_embedding(x[1], x[2], 0.0, Reduction::None),
        &[1.0 - 0.96, 1.0],
    )?;
    let near = halves(&[2, 2], |k| [0.0, 0.0, 3.0, 0.0][k])?;
    let [x, far, _] = vectors;
    // |x - near| is 500 and 3; |x - far| is 100 sqrt 2 and 1.
    let expected = [500.0 - 100.0 * 2f64.sqrt() + 1.0, 3.0 - 1.0 + 1.0];
    agree(
        "triplet_margin",
        &[x, near, far],
        |x| x[0].triplet_margin(x[1], x[2], 1.0, Reduction::None),
        &expected,
    )
}

/// The logarithm of probability 0 is no half: of three classes as likely at each of 40 steps, all
/// paths that say one label, which are 820, have the same probability.
#[test]
fn unaligned_labels_on_the_gpu_too() -> Result<(), Error> {
    const STEPS: usize = 40;
    let odds = halves(&[STEPS, 1, 3], |_| -(3f64.ln()))?;
    let likely = odds.to_f64()[0];
    let operands = [
        odds,
        Array::new([1, 1], &[1u32])?,
        Array::new([1], &[STEPS as u32])?,
        Array::new([1], &[1u32])?,
    ];
    let expected = -(STEPS as f64 * likely + (STEPS as f64 * (STEPS + 1) as f64 / 2.0).ln());
    agree("ctc", &operands, |x| x[0].ctc(x[1], x[2], x[3], 0, Reduction::None), &[expected])?;
    // Two labels do not fit in one step.
    let odds = halves(&[1, 1, 3], |_| -(3f64.ln()))?;
    let operands = [
        odds,
        Array::new([1, 2], &[1u32, 2])?,
        Array::new([1], &[1u32])?,
        Array::new([1], &[2u32])?,
    ];
    agree(
        "impossible",
        &operands,
        |x| x[0].ctc(x[1], x[2], x[3], 0, Reduction::None),
        &[f64::INFINITY],
    )?;
    agree(
        "zero",
        &operands,
        |x| x[0].ctc_where_possible(x[1], x[2], x[3], 0, Reduction::None),
        &[0.0],
    )
}
