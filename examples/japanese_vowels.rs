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
//! Concepts: sequences of unequal length in one batch, which the LSTM is told by a
//! tensor of lengths, and a training loop by hand: one program to train, one to evaluate, one store.
//!
//! A number after the files sets the number of epochs. With `--expect 97` the example fails if less
//! than this percentage of the held-out recordings is classified correctly.

use std::path::Path;
use wgrad::{data::series, prelude::*};

const BATCH: usize = 30;
const EPOCHS: usize = 20;

/// Recordings padded to one length, and their actual lengths.
struct Recordings<'g> {
    values: Tensor<'g>,
    lengths: Tensor<'g>,
    labels: Tensor<'g>,
}

impl<'g> Recordings<'g> {
    fn inputs(graph: &'g Graph, count: usize, steps: usize) -> Self {
        Recordings {
            values: graph.input("values", [count, steps, 12], DType::F32),
            lengths: graph.input("lengths", [count], DType::U32),
            labels: graph.input("labels", [count], DType::U32),
        }
    }

    /// Classifies the speaker from the final states, forward and backward.
    fn logits(&self, cx: &mut Scope<'g>) -> Tensor<'g> {
        let lstm = Recurrent::lstm(64).bidirectional();
        let (_, state) = lstm.run(&mut cx.child("lstm"), self.values, None, Some(self.lengths));
        let last = state.hidden.transpose([1, 0, 2]).reshape([self.values.dim(0), 128]);
        let last = Dropout::new(0.5).forward(cx, last);
        Dense::new(9).forward(&mut cx.child("fc"), last)
    }
}

fn step(device: &Device, steps: usize) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let recordings = Recordings::inputs(&graph, BATCH, steps);
    let logits = recordings.logits(&mut cx.child("net"));
    let loss = nn::cross_entropy(logits, recordings.labels);
    Adam::new(3e-3).clip_norm(1.0).update(&mut cx, loss);
    graph.compile(device, &[("loss", loss)])
}

fn evaluation(device: &Device, count: usize, steps: usize) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let recordings = Recordings::inputs(&graph, count, steps);
    let logits = recordings.logits(&mut cx.child("net"));
    graph.compile_pure(device, &[("right", nn::accuracy(logits, recordings.labels))])
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
    let count = |set: &Array| set.shape().dims()[0];

    let device = Device::cpu();
    let step = step(&device, inputs.shape().dims()[1])?;
    let evaluation = evaluation(&device, count(&held), held.shape().dims()[1])?;
    let variables = Variables::new(0);
    let mut reached = f64::NAN;
    let loader = Loader::new(count(&inputs) / BATCH * BATCH, BATCH, 0);
    for epoch in 1..=epochs {
        let mut total = 0.0;
        let batches = loader.epoch(epoch);
        for batch in &batches {
            let (values, lengths) = (inputs.rows(batch)?, train.lengths.rows(batch)?);
            let labels = train.labels.rows(batch)?;
            let feeds: [(&str, &dyn Feed); 3] =
                [("values", &values), ("lengths", &lengths), ("labels", &labels)];
            total += step.run(&variables, &feeds)?.scalar("loss")?;
        }
        let feeds: [(&str, &dyn Feed); 3] =
            [("values", &held), ("lengths", &test.lengths), ("labels", &test.labels)];
        reached = 100.0 * evaluation.run(&variables, &feeds)?.scalar("right")?;
        if epoch % 10 == 0 || epoch == epochs {
            let loss = total / batches.len() as f64;
            println!("epoch {epoch:3}  loss {loss:.4}  {reached:.2}% of those held out");
        }
    }
    match expected {
        Some(least) if reached.is_nan() || reached < least => {
            Err(format!("{reached:.2}% of those held out, and {least}% were expected").into())
        }
        _ => Ok(()),
    }
}
