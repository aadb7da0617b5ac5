//! Speaker identification with an LSTM on recordings of two vowels.
//!
//! Nine men said /ae/; each recording is 7 to 29 frames of 12 coefficients (Kudo et al. 1999). 270
//! of them are used for training, 370 are held out. The set is in the Python package `aeon`:
//!
//! ```sh
//! pip download aeon --no-deps && unzip -j aeon-*.whl '*JapaneseVowels_T*'
//! cargo run --release --example japanese_vowels -- JapaneseVowels_TRAIN.ts JapaneseVowels_TEST.ts
//! ```
//!
//! Concepts: sequences of unequal length in one batch, which the LSTM is told by a tensor of lengths; a
//! data set of three named fields, and a [`Trainer`] of a loss of your own.
//!
//! A number after the files sets the number of epochs. With `--expect 97` the example fails if less
//! than this percentage of the held-out recordings is classified correctly.

use std::path::Path;
use wgrad::{Inputs, data::series, prelude::*};

const BATCH: usize = 30;
const EPOCHS: usize = 20;

/// Logits of the speakers from the final states, forward and backward.
fn logits<'g>(cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Tensor<'g> {
    let (values, lengths) = (batch.get("values"), batch.get("lengths"));
    let mut cx = cx.child("net");
    let lstm = Recurrent::lstm(64).bidirectional();
    let (_, state) = lstm.run(&mut cx.child("lstm"), values, None, Some(lengths));
    let last = state.hidden.transpose([1, 0, 2]).reshape([values.dim(0), 128]);
    let last = Dropout::new(0.5).forward(&mut cx, last);
    Dense::new(9).forward(&mut cx.child("fc"), last)
}

/// The recordings as a data set, padded to one length.
fn recordings(values: Array, set: &series::Series) -> Result<ArrayDataset, Error> {
    let (lengths, labels) = (set.lengths.clone(), set.labels.clone());
    ArrayDataset::new([("values", values), ("lengths", lengths), ("labels", labels)])
}

/// Normalizes the values to mean 0 and variance 1 in each dimension, with the statistics of the
/// first set.
fn standardised(sets: [&Array; 2], lengths: &Array) -> Result<[Array; 2], Error> {
    let (steps, all) = (sets[0].shape().dims()[1], sets[0].to_vec::<f32>()?);
    let real = |frame: &usize| (frame % steps) < lengths.words()[frame / steps] as usize;
    let frames: Vec<usize> = (0..all.len() / 12).filter(real).collect();
    let moments: Vec<(f32, f32)> = (0..12)
        .map(|k| {
            let values = frames.iter().map(|frame| all[frame * 12 + k]);
            let mean = values.clone().sum::<f32>() / frames.len() as f32;
            let variance = values.map(|x| (x - mean).powi(2)).sum::<f32>() / frames.len() as f32;
            (mean, variance.sqrt())
        })
        .collect();
    let scaled = |set: &Array| {
        let values = set.iter::<f32>()?.enumerate();
        let values = values.map(|(k, x)| (x - moments[k % 12].0) / moments[k % 12].1);
        Array::from_vec(set.shape(), values.collect::<Vec<_>>())
    };
    Ok([scaled(sets[0])?, scaled(sets[1])?])
}

/// Removes `--expect NUMBER` from the arguments.
fn expectation(args: &mut Vec<String>) -> Result<Option<f64>, Box<dyn std::error::Error>> {
    let Some(at) = args.iter().position(|arg| arg == "--expect") else { return Ok(None) };
    if at + 1 == args.len() {
        return Err("--expect needs a number".into());
    }
    let value = args.drain(at..at + 2).nth(1).unwrap_or_default();
    let number = value.parse().map_err(|_| format!("--expect needs a number, not {value:?}"))?;
    Ok(Some(number))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let expected = expectation(&mut args)?;
    let mut args = args.into_iter();
    let (Some(train), Some(test)) = (args.next(), args.next()) else {
        return Err("usage: japanese_vowels TRAIN.ts TEST.ts [EPOCHS] [--expect PERCENT]".into());
    };
    let epochs = args.next().map_or(Ok(EPOCHS), |epochs| epochs.parse())?;
    let (train, test) = (series::read(Path::new(&train))?, series::read(Path::new(&test))?);
    let [inputs, held] = standardised([&train.values, &test.values], &train.lengths)?;
    let (train, test) = (recordings(inputs, &train)?, recordings(held, &test)?);

    let report = Trainer::new(
        |cx, batch| {
            let (logits, labels) = (logits(cx, batch), batch.get("labels"));
            Loss::new(nn::cross_entropy(logits, labels))
                .metric("accuracy", Metric::accuracy(logits, labels))
        },
        Adam::new(3e-3).clip_norm(1.0),
    )
    .epochs(epochs)
    .batch(BATCH)
    .validate(&test)
    .on_epoch(|epoch| {
        if epoch.number % 10 == 0 || epoch.number == epochs {
            println!("{epoch}");
        }
    })
    .fit(&Device::cpu(), &Variables::new(0), &train)?;
    let accuracy = report.validation.and_then(|measures| measures.get("accuracy"));
    let reached = 100.0 * accuracy.unwrap_or(f64::NAN);
    match expected {
        Some(least) if reached.is_nan() || reached < least => {
            Err(format!("{reached:.2}% of those held out, and {least}% were expected").into())
        }
        _ => Ok(()),
    }
}
