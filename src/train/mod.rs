//! The training loop of a classifier.
//!
//! Every program is compiled and prepared before the first step: for the full batch, the last
//! batch, and those of the evaluation. Losses are read a few steps late, so no step waits for the
//! previous one.

mod confusion;

pub use confusion::Confusion;

use crate::{
    data::{self, Dataset, Loader},
    device::Device,
    dtype::DType,
    error::{Error, RunError},
    graph::{Graph, Tensor},
    nn::{self, Mode, Module, Scope},
    numbers::Must,
    optim::Optimizer,
    program::{Program, Programs},
    shape::Meta,
    value::{Feed, Outputs},
    variables::Variables,
};
use std::{collections::VecDeque, ops::ControlFlow, time::Instant};

/// The scope of the model: its variables are those below `net/`.
pub const MODEL: &str = "net";

/// Trains a module that maps images to logits, with cross-entropy.
#[doc(alias = "keras.Model")]
#[derive(Clone)]
pub struct Trainer<'a> {
    model: &'a dyn Module,
    optimizer: &'a dyn Optimizer,
    done: usize,
    epochs: usize,
    batch: usize,
    seed: u64,
    check_finite: bool,
    on_step: Option<&'a dyn Fn(Step)>,
}

/// A step of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Number of steps in the epoch.
    pub steps: usize,
}

/// Metrics of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// Mean loss over the training images, each measured when its batch was trained on.
    pub train_loss: f64,
    /// Mean loss over the held-out images, after the epoch.
    pub test_loss: f64,
    /// Fraction of held-out images classified correctly, after the epoch.
    pub test_accuracy: f64,
    /// Seconds since the start of training, excluding compilation.
    pub seconds: f64,
}

/// Result of a training run.
#[doc(alias = "History")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The epochs of this training, in order; not those before it, if it was resumed.
    pub epochs: Vec<Epoch>,
    /// Number of optimizer steps in them.
    pub steps: usize,
    /// Seconds of training and evaluation, with what was called after epochs, excluding compilation.
    pub seconds: f64,
    /// Confusion matrix of the held-out images at the end.
    pub confusion: Confusion,
}

impl std::fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("model", &self.model.name())
            .field("done", &self.done)
            .field("epochs", &self.epochs)
            .field("batch", &self.batch)
            .field("seed", &self.seed)
            .field("check_finite", &self.check_finite)
            .finish_non_exhaustive()
    }
}

impl<'a> Trainer<'a> {
    /// Uses 10 epochs with batches of 32, shuffled with seed 0.
    pub fn new(model: &'a dyn Module, optimizer: &'a dyn Optimizer) -> Self {
        Trainer {
            model,
            optimizer,
            done: 0,
            epochs: 10,
            batch: 32,
            seed: 0,
            check_finite: false,
            on_step: None,
        }
    }

    /// Sets the number of passes over the training images.
    pub fn epochs(self, epochs: usize) -> Self {
        Trainer { epochs, ..self }
    }

    /// Goes on after this many epochs, with the next one. All variables of the store must be those
    /// after that epoch, as `io::safetensors` saves them below the empty prefix when `on_epoch` is
    /// called. On the same kind of device the weights then end with the bits of a training that was
    /// never interrupted.
    #[doc(alias = "initial_epoch")]
    pub fn resume_after(self, done: usize) -> Self {
        Trainer { done, ..self }
    }

    /// Sets the number of images per step.
    #[doc(alias = "batch_size")]
    pub fn batch(self, batch: usize) -> Self {
        Trainer { batch, ..self }
    }

    /// Sets the seed of the shuffling. Initial weights use the seed of the store.
    pub fn seed(self, seed: u64) -> Self {
        Trainer { seed, ..self }
    }

    /// Sets whether training stops at the first NaN or infinity: see [`Graph::check_finite`]. It is
    /// slow.
    #[doc(alias = "TerminateOnNaN")]
    pub fn check_finite(self, check_finite: bool) -> Self {
        Trainer { check_finite, ..self }
    }

    /// Calls `on_step` after each step, to show progress. The device may still be working on it.
    pub fn on_step(self, on_step: &'a dyn Fn(Step)) -> Self {
        Trainer { on_step: Some(on_step), ..self }
    }

    /// Compiles one training step on this many rows, whose output is the mean loss.
    ///
    /// # Errors
    ///
    /// An error in the model; a [`CompileError`](crate::CompileError).
    pub fn step(&self, device: &Device, data: &Dataset, rows: usize) -> Result<Program, Error> {
        let graph = Graph::new();
        graph.refuse_invalid("trainer", &[], &[("batch", rows as f64, Must::BePositive)]);
        let [images, labels] =
            batch(data, rows).map(|(name, meta)| graph.input(name, meta.shape, meta.dtype));
        let loss = self.trained(&graph, images, labels);
        graph.compile(device, &[("loss", loss)])
    }

    /// The mean loss of a training step.
    fn trained<'g>(&self, graph: &'g Graph, images: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
        if self.check_finite {
            graph.check_finite();
        }
        let mut cx = Scope::new(graph, Mode::Train);
        let loss = nn::cross_entropy(self.logits(&mut cx, images), labels);
        self.optimizer.update(&mut cx, loss);
        loss
    }

    /// The mean loss and the predicted classes.
    fn evaluated<'g>(
        &self,
        graph: &'g Graph,
        images: Tensor<'g>,
        labels: Tensor<'g>,
    ) -> [Tensor<'g>; 2] {
        if self.check_finite {
            graph.check_finite();
        }
        let logits = self.logits(&mut Scope::new(graph, Mode::Eval), images);
        [nn::cross_entropy(logits, labels), logits.argmax(-1).cast(DType::U32)]
    }

    /// Number of classes of the model.
    fn classes(&self, data: &Dataset) -> usize {
        let graph = Graph::new();
        let [(name, meta), _] = batch(data, 1);
        let images = graph.input(name, meta.shape, meta.dtype);
        self.logits(&mut Scope::new(&graph, Mode::Eval), images).dim(-1)
    }

    fn logits<'g>(&self, cx: &mut Scope<'g>, images: Tensor<'g>) -> Tensor<'g> {
        self.model.forward(&mut cx.child(MODEL), images)
    }

    /// Trains the variables of a store, and evaluates after every epoch.
    ///
    /// `on_epoch` is called after each epoch, and may stop the training.
    ///
    /// # Errors
    ///
    /// An error in the model; [`RunError::IndexOutOfRange`], before anything is trained, for a label
    /// that is not a class of the model; any error of the device.
    #[doc(alias("EarlyStopping", "ModelCheckpoint", "callbacks"))]
    pub fn fit(
        &self,
        device: &Device,
        variables: &Variables,
        (train, test): (&Dataset, &Dataset),
        on_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Report, Error> {
        /// Rows evaluated at once; more would only use more memory.
        const EVALUATED: usize = 1024;
        /// Number of steps after which a loss is read, equal to the number of runs in flight.
        const LATE: usize = 3;
        let classes = self.classes(train);
        check_labels("training targets", train, classes)?;
        check_labels("test targets", test, classes)?;
        if self.batch == 0 {
            self.step(device, train, 0)?;
        }
        let loader = Loader::new(train.len(), self.batch, self.seed);
        let steps = Programs::new(device, |graph, inputs| {
            vec![("loss", self.trained(graph, inputs.get("inputs"), inputs.get("targets")))]
        });
        for rows in data::sizes(train.len(), self.batch) {
            steps.program(batch(train, rows))?.prepare(variables)?;
        }
        let evaluations = Programs::new(device, |graph, inputs| {
            let (images, labels) = (inputs.get("inputs"), inputs.get("targets"));
            let [loss, classes] = self.evaluated(graph, images, labels);
            vec![("loss", loss), ("classes", classes)]
        });
        let evaluations = evaluations.pure();
        for rows in data::sizes(test.len(), EVALUATED) {
            evaluations.program(batch(test, rows))?.prepare(variables)?;
        }
        let evaluate = |variables| {
            let run = |part: &Dataset| evaluations.run(variables, &feeds(part));
            evaluate(run, test, EVALUATED, classes)
        };
        let per_epoch = train.len().div_ceil(self.batch);

        let begin = Instant::now();
        let mut epochs: Vec<Epoch> = Vec::new();
        let mut step_count = 0;
        let mut evaluated = None;
        for number in self.done + 1..=self.epochs {
            let mut pending = VecDeque::new();
            let mut total = 0.0;
            for (index, batch) in loader.epoch(number).into_iter().enumerate() {
                let part = train.rows(&batch)?;
                pending.push_back((batch.len(), steps.run(variables, &feeds(&part))?));
                step_count += 1;
                if let Some(on_step) = self.on_step {
                    on_step(Step { epoch: number, step: index + 1, steps: per_epoch });
                }
                if pending.len() > LATE {
                    total += summed(pending.pop_front())?;
                }
            }
            while !pending.is_empty() {
                total += summed(pending.pop_front())?;
            }
            let (test_loss, confusion) = evaluate(variables)?;
            let epoch = Epoch {
                number,
                train_loss: total / train.len().max(1) as f64,
                test_loss,
                test_accuracy: confusion.accuracy(),
                seconds: begin.elapsed().as_secs_f64(),
            };
            epochs.push(epoch);
            evaluated = Some(confusion);
            if on_epoch(&epoch).is_break() {
                break;
            }
        }
        let confusion = match evaluated {
            Some(confusion) => confusion,
            None => evaluate(variables)?.1,
        };
        let seconds = begin.elapsed().as_secs_f64();
        Ok(Report { epochs, steps: step_count, seconds, confusion })
    }
}

/// Checks that every label is a class of the model.
fn check_labels(name: &str, data: &Dataset, classes: usize) -> Result<(), RunError> {
    let labels = data.targets().words();
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(position) => Err(RunError::IndexOutOfRange {
            name: name.to_owned(),
            index: labels[position].into(),
            position,
            extent: classes,
        }),
    }
}

/// Names and types of the inputs of a program for so many rows.
fn batch(data: &Dataset, rows: usize) -> [(&'static str, Meta); 2] {
    let dims = data.inputs().shape().dims();
    let images = [&[rows], dims.get(1..).unwrap_or_default()].concat();
    [("inputs", Meta::new(images, DType::F32)), ("targets", Meta::new([rows], DType::U32))]
}

fn feeds(part: &Dataset) -> [(&'static str, &dyn Feed); 2] {
    [("inputs", part.inputs()), ("targets", part.targets())]
}

/// The loss of a batch, summed over its rows.
fn summed(step: Option<(usize, Outputs)>) -> Result<f64, Error> {
    let Some((rows, outputs)) = step else { return Ok(0.0) };
    Ok(rows as f64 * outputs.scalar("loss")?)
}

/// The mean loss over a set, and its confusion matrix.
fn evaluate(
    run: impl Fn(&Dataset) -> Result<Outputs, Error>,
    data: &Dataset,
    batch: usize,
    classes: usize,
) -> Result<(f64, Confusion), Error> {
    let mut confusion = Confusion::new(classes);
    let mut total = 0.0;
    let rows: Vec<usize> = (0..data.len()).collect();
    for rows in rows.chunks(batch) {
        let part = data.rows(rows)?;
        let outputs = run(&part)?;
        let predicted = outputs.read_blocking("classes")?;
        total += summed(Some((rows.len(), outputs)))?;
        for (&truth, &prediction) in part.targets().words().iter().zip(predicted.words()) {
            confusion.add(truth as usize, prediction as usize);
        }
    }
    Ok((total / data.len().max(1) as f64, confusion))
}

#[cfg(test)]
mod tests;
