//! A character-level language model of a book with an LSTM.
//!
//! The text is read in parallel from as many positions as there are rows in a batch, 64 characters
//! per step; the state is carried over from step to step in device variables. The last twentieth of
//! the text is held out; the perplexity on it is the effective number of characters the network
//! chooses from. Any text will do; the King James Version has 4.4 million characters:
//!
//! ```sh
//! apt-get install bible-kjv && bible -f 'Gen1:1-Rev22:21' > kjv.txt
//! cargo run --release --example characters -- kjv.txt          # 10 minutes
//! cargo run --release --example characters -- kjv.txt 60       # seconds of training
//! ```
//!
//! Concepts: state that outlives a run, in variables that [`Graph::assign`] updates;
//! and three programs of one network, to train, to evaluate and to write, that share its weights.
//!
//! With `--expect 6` the example fails if the perplexity on the held-out text is larger.

use std::time::{Duration, Instant};
use wgrad::{nn::State, prelude::*};

const BATCH: usize = 32;
const STEPS: usize = 64;
const HIDDEN: usize = 256;

/// Logits of the next characters; the state continues from the previous run.
fn logits<'g>(cx: &mut Scope<'g>, symbols: Tensor<'g>, kinds: usize) -> Tensor<'g> {
    let graph = cx.graph();
    let before = ["hidden", "cell"].map(|name| {
        let path = format!("state{}/{name}", symbols.dim(0));
        graph.variable(&path, [1, symbols.dim(0), HIDDEN], DType::F32, Init::Zeros)
    });
    let x = Embedding::new(kinds, 64).forward(&mut cx.child("embedding"), symbols);
    let begin = State { hidden: before[0], cell: Some(before[1]) };
    let (y, after) = Recurrent::lstm(HIDDEN).run(&mut cx.child("lstm"), x, Some(begin), None);
    graph.assign(before[0], after.hidden);
    if let Some(cell) = after.cell {
        graph.assign(before[1], cell);
    }
    Dense::new(kinds).init(Init::GlorotUniform).forward(&mut cx.child("fc"), y)
}

/// Compiles a program over rows of characters and their successors, which trains in training mode.
fn program(device: &Device, rows: usize, kinds: usize, mode: Mode) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, mode);
    let [symbols, next] =
        ["symbols", "next"].map(|name| graph.input(name, [rows, STEPS], DType::U32));
    let loss = nn::cross_entropy(logits(&mut cx.child("net"), symbols, kinds), next);
    if mode == Mode::Train {
        Adam::new(2e-3).clip_norm(1.0).update(&mut cx, loss);
    }
    graph.compile(device, &[("loss", loss)])
}

/// Compiles the program that samples: the probabilities of the next character given one.
fn writer(device: &Device, kinds: usize) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let symbol = graph.input("symbol", [1, 1], DType::U32);
    let odds = (logits(&mut cx.child("net"), symbol, kinds) / 0.7).softmax(-1);
    graph.compile(device, &[("odds", odds)])
}

/// A text as character indices, split into rows.
struct Rows<'a> {
    symbols: &'a [u32],
    rows: usize,
}

impl Rows<'_> {
    /// Number of steps until the end of a row.
    fn len(&self) -> usize {
        (self.symbols.len() / self.rows).saturating_sub(1) / STEPS
    }

    fn run(&self, program: &Program, variables: &Variables, step: usize) -> Result<f64, Error> {
        let part = |shift: usize| {
            let row = |row: usize| {
                let start = row * (self.symbols.len() / self.rows) + step * STEPS + shift;
                self.symbols[start..start + STEPS].iter().copied()
            };
            Array::from_vec([self.rows, STEPS], (0..self.rows).flat_map(row).collect::<Vec<u32>>())
        };
        program.run(variables, &[("symbols", &part(0)?), ("next", &part(1)?)])?.scalar("loss")
    }
}

fn forget(variables: &Variables, rows: usize) -> Result<(), Error> {
    let zeros = Array::full([1, rows, HIDDEN], 0f32)?;
    let paths = ["hidden", "cell"].map(|name| format!("state{rows}/{name}"));
    variables.insert_all(paths.map(|path| (path, zeros.clone())))
}

/// A random number in `[0, 1)`, of sufficient quality for sampling.
fn chance(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
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
    let path = args.next().ok_or("usage: characters TEXT [SECONDS] [--expect PERPLEXITY]")?;
    let seconds = args.next().map_or(Ok(600), |seconds| seconds.parse())?;
    let text = std::fs::read_to_string(path)?;
    let mut kinds: Vec<char> = text.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let number = |c| kinds.binary_search(&c).map(|index| index as u32);
    let symbols: Vec<u32> = text.chars().flat_map(number).collect();
    let (train, held) = symbols.split_at(symbols.len() / 20 * 19);
    let (train, held) = (Rows { symbols: train, rows: BATCH }, Rows { symbols: held, rows: BATCH });
    if held.len() == 0 {
        return Err("the text is too short".into());
    }

    let device = Device::cpu();
    let training = program(&device, BATCH, kinds.len(), Mode::Train)?;
    let evaluation = program(&device, BATCH, kinds.len(), Mode::Eval)?;
    let variables = Variables::new(0);
    let (begin, end) = (Instant::now(), Duration::from_secs(seconds));
    let (mut steps, mut recent) = (0usize, 0.0);
    println!("{} characters of {} kinds", symbols.len(), kinds.len());
    while begin.elapsed() < end {
        if steps.is_multiple_of(train.len()) {
            forget(&variables, BATCH)?;
        }
        recent += train.run(&training, &variables, steps % train.len())?;
        steps += 1;
        if steps.is_multiple_of(200) {
            let elapsed = begin.elapsed().as_secs();
            println!("{elapsed:4} s  step {steps:5}  perplexity {:.3}", (recent / 200.0).exp());
            recent = 0.0;
        }
    }
    forget(&variables, BATCH)?;
    let losses: Result<Vec<f64>, Error> =
        (0..held.len()).map(|step| held.run(&evaluation, &variables, step)).collect();
    let loss = losses?.iter().sum::<f64>() / held.len() as f64;
    let perplexity = loss.exp();
    println!("perplexity of the text held out: {perplexity:.3} a character");

    let writer = writer(&device, kinds.len())?;
    let (mut seed, mut symbol) = (1, symbols[0]);
    let mut written = String::new();
    for _ in 0..400 {
        let input = Array::from([[symbol]]);
        let odds = writer.run(&variables, &[("symbol", &input)])?.read_blocking("odds")?.to_f64();
        let mut rest = chance(&mut seed);
        let chosen = odds.iter().position(|odds| {
            rest -= odds;
            rest < 0.0
        });
        symbol = chosen.unwrap_or(0) as u32;
        written.push(kinds[symbol as usize]);
    }
    println!("---\n{written}");
    match expected {
        Some(most) if perplexity.is_nan() || perplexity > most => {
            Err(format!("a perplexity of {perplexity:.3}, and {most} was expected at most").into())
        }
        _ => Ok(()),
    }
}
