//! The trainer and its settings.

#[cfg(feature = "files")]
use super::checkpoint::{Checkpoint, Resume};
use super::{
    AutoBatch, BatchChoice, Callback, Classifier, Epoch, Loss, Objective, Step, TrainStep,
    callback::{OnEpoch, OnStep, StopWhen},
    source::{Drawing, batch_of},
};
use crate::{
    array::Array,
    data::{Batch, Dataset, Sampling},
    device::Device,
    error::{Error, TrainError},
    graph::{Graph, Tensor},
    nn::{MixedPrecision, Module, Scope, Summary},
    numbers::Must,
    optim::{Optimizer, Schedule},
    program::{Inputs, Program},
    shape::Meta,
    variables::Variables,
};
use std::{fmt, sync::atomic::AtomicBool};

/// Trains a store of variables on a data set.
///
/// ```
/// use wgrad::{data::ArrayDataset, prelude::*, train::{Loss, Metric}};
///
/// // A line through points: any named inputs, any loss.
/// let x: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
/// let y: Vec<f32> = x.iter().map(|x| 3.0 * x - 1.0).collect();
/// let data = ArrayDataset::new([("x", Array::new([64, 1], &x)?), ("y", Array::new([64, 1], &y)?)])?;
/// let line = Dense::new(1);
/// let variables = Variables::new(0);
/// let report = Trainer::new(
///     |cx, batch| {
///         let (y, target) = (line.forward(&mut cx.child("line"), batch.get("x")), batch.get("y"));
///         Loss::new(nn::mean_squared_error(y, target)).metric("r2", Metric::r2(y, target))
///     },
///     Sgd::new(0.2),
/// )
/// .epochs(20)
/// .batch(16)
/// .validate(&data)
/// .fit(&Device::cpu(), &variables, &data)?;
/// assert!(report.validation.and_then(|measures| measures.get("r2")) > Some(0.999));
/// assert!((variables.get("line/bias")?.item().unwrap_or_default() + 1.0).abs() < 0.01);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("keras.Model", "lightning.Trainer", "Learner"))]
pub struct Trainer<'a> {
    pub(super) objectives: Vec<Objective<'a>>,
    pub(super) callbacks: Vec<Box<dyn Callback + 'a>>,
    pub(super) validation: Option<&'a dyn Dataset>,
    pub(super) validation_step: Option<Box<dyn TrainStep + 'a>>,
    pub(super) predictor: Option<Predictor<'a>>,
    pub(super) epochs: usize,
    pub(super) most_steps: usize,
    pub(super) auto_batch: Option<AutoBatch>,
    pub(super) chosen: Option<BatchChoice>,
    pub(super) drawing: Drawing,
    pub(super) allows_statistics: bool,
    pub(super) resident: Option<u64>,
    pub(super) schedule: Option<Schedule>,
    pub(super) averaged: Option<String>,
    pub(super) mixed_precision: Option<MixedPrecision>,
    pub(super) check_finite: bool,
    pub(super) stop: Option<&'a AtomicBool>,
    #[cfg(feature = "files")]
    pub(super) checkpoint: Option<Checkpoint>,
    #[cfg(feature = "files")]
    pub(super) resume: Resume,
}

type Predictor<'a> =
    Box<dyn for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Vec<(&'static str, Tensor<'g>)> + 'a>;

impl fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("objectives", &self.objectives)
            .field("epochs", &self.epochs)
            .field("drawing", &self.drawing)
            .field("check_finite", &self.check_finite)
            .finish_non_exhaustive()
    }
}

impl<'a> Trainer<'a> {
    /// Minimizes the loss that `step` traces for a batch, over all parameters that it declares: in 10
    /// epochs, with batches of 32, shuffled with seed 0.
    ///
    /// The state of the optimizer lies below `optim/`, its learning rate at `optim/lr`.
    #[doc(alias = "compile")]
    pub fn new<F>(step: F, optimizer: impl Optimizer + 'a) -> Self
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Loss<'g> + 'a,
    {
        Trainer::of([Objective::only(Box::new(step), optimizer)])
    }

    /// Trains a module that maps `inputs` to logits, with cross-entropy against the classes in
    /// `targets`, as [`Labeled`](crate::data::Labeled) has them, or against their probabilities. Its
    /// parameters lie below
    /// [`MODEL`](super::MODEL), the metric of the validation is `accuracy`, and it predicts `logits`.
    pub fn classifier(model: &'a dyn Module, optimizer: impl Optimizer + 'a) -> Self {
        let step = Classifier(model);
        Trainer::of([Objective::only(Box::new(step), optimizer)])
            .predictor(move |cx, batch| vec![("logits", step.logits(cx, batch))])
    }

    /// Trains several objectives over one store, one after another on each batch.
    pub fn of(objectives: impl IntoIterator<Item = Objective<'a>>) -> Self {
        Trainer {
            objectives: objectives.into_iter().collect(),
            callbacks: vec![],
            validation: None,
            validation_step: None,
            predictor: None,
            epochs: 10,
            most_steps: usize::MAX,
            auto_batch: None,
            chosen: None,
            drawing: Drawing {
                batch: 32,
                parts: 1,
                sampling: Sampling::shuffled(),
                seed: 0,
                workers: None,
                prefetch: 2,
            },
            allows_statistics: false,
            resident: None,
            schedule: None,
            averaged: None,
            mixed_precision: None,
            check_finite: false,
            stop: None,
            #[cfg(feature = "files")]
            checkpoint: None,
            #[cfg(feature = "files")]
            resume: Resume::Never,
        }
    }

    /// Sets the number of passes over the data; of one that was resumed, those before included.
    pub fn epochs(self, epochs: usize) -> Self {
        Trainer { epochs, ..self }
    }

    /// Ends the training after so many steps, within an epoch if need be.
    pub fn max_steps(self, steps: usize) -> Self {
        Trainer { most_steps: steps, ..self }
    }

    /// Sets the number of rows per step.
    #[doc(alias = "batch_size")]
    pub fn batch(mut self, batch: usize) -> Self {
        self.drawing.batch = batch;
        self
    }

    /// Chooses the batch by the memory that there is, when [`fit`](Self::fit) is first called; a training that
    /// resumes keeps the batch of its checkpoint. [`Report::auto_batch`](super::Report::auto_batch) tells.
    ///
    /// # Errors
    ///
    /// Returned by [`fit`](Self::fit): [`TrainError::NoBatchFits`]; [`TrainError::UnknownMemory`] if the
    /// limit is that of the system, and the crate was built without the feature `threads`.
    #[doc(alias = "auto_scale_batch_size")]
    pub fn auto_batch(self, auto: AutoBatch) -> Self {
        Trainer { auto_batch: Some(auto), chosen: None, ..self }
    }

    /// Splits every batch into so many parts that run one after another, and updates by the mean of their
    /// gradients: the memory is that of a part, and the step that of the batch, within rounding. A part
    /// counts as its loss does, by its rows or its [weight](Loss::weight).
    ///
    /// # Errors
    ///
    /// Returned by [`fit`](Self::fit): [`GraphError::BatchStatistics`] if a layer normalizes by
    /// statistics of the batch, unless
    /// [`accumulate_batch_statistics`](Self::accumulate_batch_statistics) allows it.
    ///
    /// [`GraphError::BatchStatistics`]: crate::GraphError::BatchStatistics
    #[doc(alias("accumulate_grad_batches", "gradient_accumulation_steps"))]
    pub fn accumulate(mut self, parts: usize) -> Self {
        self.drawing.parts = parts;
        self
    }

    /// Sets whether batches may be split where a layer normalizes by their statistics: it then
    /// normalizes by those of a part.
    pub fn accumulate_batch_statistics(self, allow: bool) -> Self {
        Trainer { allows_statistics: allow, ..self }
    }

    /// Sets the seed of the shuffling. Initial weights use the seed of the store.
    pub fn seed(mut self, seed: u64) -> Self {
        self.drawing.seed = seed;
        self
    }

    /// Sets whether the rows are shuffled anew in every epoch, as they are unless this says otherwise.
    pub fn shuffle(self, shuffle: bool) -> Self {
        self.sampling(if shuffle { Sampling::shuffled() } else { Sampling::in_order() })
    }

    /// Sets the rows of an epoch and their order: by weights, for instance.
    #[doc(alias("sampler", "class_weight"))]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.drawing.sampling = sampling;
        self
    }

    /// Sets the number of threads that draw batches ahead of the steps. It has no influence on the
    /// results. For a stream it is one at most, as its rows come one after another.
    ///
    /// Unless this says otherwise there is none for data in memory, one for a stream, and one for each
    /// core, eight at most, for data that are read or transformed.
    #[doc(alias = "num_workers")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.drawing.workers = Some(workers);
        self
    }

    /// Sets how many batches are drawn ahead for each worker: 2, unless this says otherwise.
    #[doc(alias = "prefetch_factor")]
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.drawing.prefetch = batches.max(1);
        self
    }

    /// Keeps the data set in the memory of the device if it takes at most so many bytes: a step is then
    /// fed the numbers of its rows, and has the same results. The host keeps a copy as long as the
    /// training lasts.
    ///
    /// Unless this says otherwise, a set in memory stays on a GPU if it takes 256 MiB or no more than
    /// the training itself does by its plan, and the device has the memory.
    #[doc(alias("cache", "pin_memory"))]
    pub fn resident(self, bytes: u64) -> Self {
        Trainer { resident: Some(bytes), ..self }
    }

    /// Changes the learning rates of all objectives that have no schedule of their own, in the course of
    /// the training: those of their optimizers and groups are multiplied by its factors, and are what the
    /// code says at factor 1.
    ///
    /// Plateaus watch metrics of the validation, or of the training if there is none or it lacks them; `loss`
    /// is one of them. After the training the rates are what the code says again.
    ///
    /// # Errors
    ///
    /// Returned by [`fit`](Self::fit), before the first step: a [`ScheduleError`](crate::ScheduleError) if a
    /// number is not valid, a length is not known, a metric is not measured, the optimizer has no setting
    /// `lr`, or two objectives with one optimizer have two schedules.
    ///
    /// ```
    /// use wgrad::{data::digits, optim::{Schedule, Span}, prelude::*};
    ///
    /// let (train, _) = digits::load()?.split(0.2)?;
    /// let net = Dense::new(10);
    /// Trainer::classifier(&net, Adam::new(1e-2))
    ///     .schedule(Schedule::cosine(1.0, 0.0, Span::rest()).warm_up(Span::epochs(0.5)))
    ///     .epochs(2)
    ///     .fit(&Device::cpu(), &Variables::new(0), &train)?;
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias("lr_scheduler", "LearningRateScheduler"))]
    pub fn schedule(self, schedule: impl Into<Schedule>) -> Self {
        Trainer { schedule: Some(schedule.into()), ..self }
    }

    /// Does not train the scopes and parameters whose paths match, in all objectives that have them: see
    /// [`Objective::freeze`].
    #[doc(alias("requires_grad", "trainable"))]
    pub fn freeze(mut self, pattern: &str) -> Self {
        let objectives = self.objectives.into_iter();
        self.objectives = objectives.map(|objective| objective.freeze(pattern)).collect();
        self
    }

    /// Computes layers in f16, also where they are evaluated. Losses are scaled dynamically, unless an
    /// optimizer [scales](crate::optim::OptimizerExt::scale_loss) them already, and steps with gradients
    /// that overflow are skipped and [counted](Epoch::skipped).
    #[doc(alias("precision", "mixed_float16", "amp", "autocast"))]
    pub fn mixed_precision(mut self, mixed: MixedPrecision) -> Self {
        for objective in &mut self.objectives {
            objective.mixed_precision = Some(mixed.clone());
        }
        self.mixed_precision = Some(mixed);
        self
    }

    /// Measures the norm of the gradients of each layer in each step: see
    /// [`Measures::gradient_norms`](super::Measures::gradient_norms). They cost a reduction or two for each
    /// parameter.
    #[doc(alias("track_grad_norm", "grad_norm"))]
    pub fn gradient_norms(mut self, measure: bool) -> Self {
        for objective in &mut self.objectives {
            objective.gradient_norms = measure;
        }
        self
    }

    /// Evaluates and predicts with averages, which an optimizer keeps below this scope, in place of the
    /// parameters that have one: see [`Average`](crate::optim::Average).
    ///
    /// # Errors
    ///
    /// Returned by [`fit`](Self::fit), [`evaluate`](Self::evaluate) and [`predict`](Self::predict):
    /// [`TrainError::NoAverages`] if there are none.
    #[doc(alias("swap_ema_weights", "use_ema"))]
    pub fn averaged(self, scope: &str) -> Self {
        Trainer { averaged: Some(scope.to_owned()), ..self }
    }

    /// Sets whether training stops at the first NaN or infinity: see [`Graph::check_finite`]. It is
    /// slow.
    #[doc(alias = "TerminateOnNaN")]
    pub fn check_finite(self, check_finite: bool) -> Self {
        Trainer { check_finite, ..self }
    }

    /// Evaluates on these data after every epoch.
    #[doc(alias = "validation_data")]
    pub fn validate(self, data: &'a dyn Dataset) -> Self {
        Trainer { validation: Some(data), ..self }
    }

    /// Sets what is measured in an evaluation; otherwise it is the step of the first objective.
    pub fn validation_step<F>(self, step: F) -> Self
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Loss<'g> + 'a,
    {
        Trainer { validation_step: Some(Box::new(step)), ..self }
    }

    /// Sets what [`predict`](Self::predict) returns, by name, each with a row for each row of the
    /// batch.
    pub fn predictor<F>(self, predictor: F) -> Self
    where
        F: for<'g> Fn(&mut Scope<'g>, &Inputs<'g>) -> Vec<(&'static str, Tensor<'g>)> + 'a,
    {
        Trainer { predictor: Some(Box::new(predictor)), ..self }
    }

    /// Adds a callback, which is called after those before it. One that is wanted back is passed as
    /// `&mut`.
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Calls `on_step` after each step, to show progress. The device may still be working on it.
    pub fn on_step(self, on_step: impl FnMut(&Step) + 'a) -> Self {
        self.callback(OnStep(on_step))
    }

    /// Calls `on_epoch` after each epoch.
    pub fn on_epoch(self, on_epoch: impl FnMut(&Epoch) + 'a) -> Self {
        self.callback(OnEpoch(on_epoch))
    }

    /// Ends the training after the first epoch for which this returns true.
    #[doc(alias = "EarlyStopping")]
    pub fn stop_when(self, stop_when: impl FnMut(&Epoch) -> bool + 'a) -> Self {
        self.callback(StopWhen(stop_when))
    }

    /// Ends the training before the next step once this is true: a handler of Ctrl-C sets it.
    pub fn stop_on(self, stop: &'a AtomicBool) -> Self {
        Trainer { stop: Some(stop), ..self }
    }

    /// Writes checkpoints.
    #[cfg(feature = "files")]
    pub fn checkpoint(self, checkpoint: Checkpoint) -> Self {
        Trainer { checkpoint: Some(checkpoint), ..self }
    }

    /// Sets whether [`fit`](Self::fit) goes on from the checkpoint that is there.
    #[cfg(feature = "files")]
    #[doc(alias("initial_epoch", "ckpt_path"))]
    pub fn resume(self, resume: Resume) -> Self {
        Trainer { resume, ..self }
    }

    /// Compiles one training step of the first objective on this many rows; its output `loss` is the
    /// mean loss.
    ///
    /// # Errors
    ///
    /// An error in the step; a [`CompileError`](crate::CompileError); [`TrainError::NoObjective`].
    pub fn step(&self, device: &Device, data: &dyn Dataset, rows: usize) -> Result<Program, Error> {
        let objective = self.objectives.first().ok_or(TrainError::NoObjective)?;
        self.step_of(device, objective, &data.fields(), rows)
    }

    /// The same of any objective, for data of these fields.
    pub(super) fn step_of(
        &self,
        device: &Device,
        objective: &Objective<'_>,
        fields: &[(String, Meta)],
        rows: usize,
    ) -> Result<Program, Error> {
        let graph = Graph::new();
        graph.refuse_invalid("trainer", &[], &[("batch", rows as f64, Must::BePositive)]);
        let batch = batch_of(fields, rows);
        let batch = batch.iter().map(|(name, meta)| (&**name, meta));
        if self.check_finite {
            graph.check_finite();
        }
        let loss = objective.trace(&graph, &Inputs::declared(&graph, batch));
        graph.compile(device, &[("loss", loss.loss)])
    }

    /// The schedule of one of its objectives.
    pub(super) fn schedule_of<'t>(&'t self, objective: &'t Objective<'_>) -> Option<&'t Schedule> {
        objective.schedule.as_ref().or(self.schedule.as_ref())
    }

    /// Summarizes a training step of the first objective on a full batch of these data: layers, parameters,
    /// and the memory that it takes, the state of its optimizer included.
    ///
    /// ```
    /// use wgrad::{data::digits, prelude::*};
    ///
    /// let (train, _) = digits::load()?.split(0.2)?;
    /// let net = Sequential::new().add(Dense::new(32)).add(Activation::relu()).add(Dense::new(10));
    /// let trainer = Trainer::classifier(&net, Adam::new(1e-3)).freeze("net/0:dense");
    /// let summary = trainer.summary(&train)?;
    /// println!("{summary}");
    /// assert_eq!((summary.total.params, summary.total.trainable), (2410, 330));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrainError::NoObjective`]; an error in the step.
    #[doc(alias("torchinfo", "model.summary"))]
    pub fn summary(&self, data: &dyn Dataset) -> Result<Summary, Error> {
        let objective = self.objectives.first().ok_or(TrainError::NoObjective)?;
        let batch = batch_of(&data.fields(), self.drawing.batch.min(data.len()).max(1));
        objective.summary(&batch)
    }

    /// The gradients of the loss of a batch with respect to the parameters that an objective trains, by
    /// path; nothing is updated.
    ///
    /// # Errors
    ///
    /// [`TrainError::UnknownObjective`] if there is none of this name; `train` is that of a
    /// [single](Self::new) one. Those of the step and the device.
    #[doc(alias("grad", "GradientTape"))]
    pub fn gradients(
        &self,
        device: &Device,
        variables: &Variables,
        objective: &str,
        batch: &Batch,
    ) -> Result<Vec<(String, Array)>, Error> {
        let named = self.objectives.iter().find(|known| known.name == objective);
        let unknown = || {
            let known = self.objectives.iter().map(|objective| objective.name.clone()).collect();
            TrainError::UnknownObjective { name: objective.to_owned(), known }
        };
        let objective = named.ok_or_else(unknown)?;
        let graph = Graph::new();
        let inputs = batch.iter().map(|(name, array)| (name, array.meta()));
        let gradients = objective.trace_gradients(&graph, &Inputs::declared(&graph, inputs));
        let outputs = gradients.iter().map(|(path, gradient)| (path.as_str(), *gradient));
        let program = graph.compile_pure(device, outputs.collect::<Vec<_>>().as_slice())?;
        let outputs = program.run(variables, &batch.feeds())?;
        let read = |(index, (path, _)): (usize, (String, Tensor<'_>))| {
            Ok((path, outputs.read_blocking(index)?))
        };
        gradients.into_iter().enumerate().map(read).collect()
    }
}
