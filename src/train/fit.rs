//! The loop of a training.

#[cfg(feature = "files")]
use super::checkpoint::{Checkpoint, Identity, Resume};
use super::{
    Callback, Ending, Epoch, Measures, Objective, Report, Step, Trainer,
    accumulate::Accumulated,
    measured::{Measured, Submitted},
    measures::Sums,
    position::Position,
};
use crate::{
    data::{self, Dataset, Loader},
    device::Device,
    error::{Error, TrainError},
    program::Program,
    variables::Variables,
};
use std::{
    collections::VecDeque,
    mem,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// Number of runs after which a result is read, equal to the number of runs in flight.
const LATE: usize = 3;

impl Trainer<'_> {
    /// Trains the variables of a store, and evaluates after every epoch if there is something to
    /// validate on.
    ///
    /// # Errors
    ///
    /// [`TrainError`]; an error in a step; [`RunError::IndexOutOfRange`], before anything is trained
    /// for data in memory, for a label that is not a class of the model; any error of the data and
    /// the device. What was trained until then is in the store, and in the last checkpoint.
    ///
    /// [`RunError::IndexOutOfRange`]: crate::RunError::IndexOutOfRange
    pub fn fit(
        &mut self,
        device: &Device,
        variables: &Variables,
        data: &dyn Dataset,
    ) -> Result<Report, Error> {
        check(self, data)?;
        let mut callbacks = mem::take(&mut self.callbacks);
        let trained = Fit::new(self, device, variables, data, &mut callbacks).and_then(Fit::run);
        if let Ok(report) = &trained {
            callbacks.iter_mut().for_each(|callback| callback.on_end(report));
        }
        self.callbacks = callbacks;
        trained
    }

    /// The mean loss and the metrics over a data set.
    ///
    /// # Errors
    ///
    /// Same as [`fit`](Self::fit).
    pub fn evaluate(
        &self,
        device: &Device,
        variables: &Variables,
        data: &dyn Dataset,
    ) -> Result<Measures, Error> {
        evaluate(&self.evaluation(device)?, variables, data)
    }
}

fn check(trainer: &Trainer<'_>, data: &dyn Dataset) -> Result<(), TrainError> {
    let names = trainer.objectives.iter().map(|objective| &objective.name);
    for (index, name) in names.clone().enumerate() {
        if names.clone().take(index).any(|other| other == name) {
            return Err(TrainError::RepeatedObjective(name.clone()));
        }
    }
    match () {
        () if trainer.objectives.is_empty() => Err(TrainError::NoObjective),
        () if data.is_empty() => Err(TrainError::NoRows),
        #[cfg(feature = "files")]
        () if trainer.resume != Resume::Never && trainer.checkpoint.is_none() => {
            Err(TrainError::NoCheckpoint)
        }
        () => Ok(()),
    }
}

/// A training under way.
struct Fit<'t, 'c, 'a> {
    stages: Vec<Stage<'t>>,
    /// Number of rows that run at once.
    part: usize,
    names: Vec<&'t str>,
    validation: Option<(Measured<'t>, &'t dyn Dataset)>,
    callbacks: &'c mut Vec<Box<dyn Callback + 'a>>,
    variables: &'t Variables,
    data: &'t dyn Dataset,
    loader: Loader,
    /// Number of steps in an epoch.
    steps: usize,
    epochs: usize,
    most_steps: usize,
    stop: Option<&'t AtomicBool>,
    position: Position,
    /// Runs whose results are not read yet, with their objectives.
    pending: VecDeque<(usize, Submitted)>,
    #[cfg(feature = "files")]
    checkpoints: Option<Checkpoints<'t>>,
    begin: Instant,
}

/// The programs of an objective.
struct Stage<'t> {
    every: usize,
    measured: Measured<'t>,
    /// Updates by the gradients of the parts of a batch, where it has several.
    update: Option<Program>,
}

/// The checkpoints of a training.
#[cfg(feature = "files")]
struct Checkpoints<'t> {
    checkpoint: &'t Checkpoint,
    identity: Identity,
    /// When one was last written or could not be, and the epoch and step.
    last: (Instant, [usize; 2]),
    failed: Option<Error>,
}

impl<'t, 'c, 'a> Fit<'t, 'c, 'a> {
    /// Compiles and prepares everything, and takes up a checkpoint.
    fn new(
        trainer: &'t Trainer<'_>,
        device: &Device,
        variables: &'t Variables,
        data: &'t dyn Dataset,
        callbacks: &'c mut Vec<Box<dyn Callback + 'a>>,
    ) -> Result<Self, Error> {
        let batch = trainer.batch;
        if batch == 0 {
            trainer.step(device, data, 0)?;
        }
        let part = batch.div_ceil(trainer.parts.max(1));
        // A batch that is not full has other parts.
        let mut sizes: Vec<usize> = Vec::new();
        for rows in data::sizes(data.len(), batch) {
            for rows in data::sizes(rows, part) {
                if !sizes.contains(&rows) {
                    sizes.push(rows);
                }
            }
        }
        let mut compiled = Vec::new();
        let mut stages = Vec::new();
        for objective in &trainer.objectives {
            let stage = Stage::compile(trainer, device, objective, (data, &sizes), &mut compiled)?;
            stages.push(stage);
        }
        let validation = match trainer.validation {
            Some(set) => Some((trainer.evaluation(device)?, set)),
            None => None,
        };
        for program in &compiled {
            program.check_rows(|name| data.array(name))?;
        }
        if let Some((evaluation, set)) = &validation {
            for rows in data::sizes(set.len(), Trainer::EVALUATED) {
                let program = evaluation.program(*set, rows)?;
                program.check_rows(|name| set.array(name))?;
                compiled.push(program);
            }
        }
        #[allow(unused_mut, reason = "without files, nothing is resumed")]
        let mut position = Position::start(stages.len());
        #[cfg(feature = "files")]
        let (checkpoints, kept) = {
            let layout = |stage: &Stage<'_>| stage.measured.layout(data, sizes[0]);
            let layouts: Vec<_> = stages.iter().filter_map(layout).collect();
            let texts = layouts.iter().map(|layout| layout.text.as_str());
            let checkpoints = trainer.checkpoint.as_ref().map(|checkpoint| {
                let settings = [
                    ("batch size", batch.into()),
                    ("number of parts", trainer.parts.max(1).into()),
                    ("number of rows", data.len().into()),
                    ("seed", trainer.seed.into()),
                    ("order", if trainer.shuffle { "shuffled" } else { "as it is" }.into()),
                ];
                let identity = Identity::new(checkpoint, device.numerics(), texts, settings);
                crate::io::remove_leftovers(checkpoint.path());
                Checkpoints { checkpoint, identity, last: (Instant::now(), [0; 2]), failed: None }
            });
            let kept = match &checkpoints {
                Some(checkpoints) if trainer.resume != Resume::Never => {
                    let start = (&mut position, data.len().div_ceil(batch));
                    Some(checkpoints.resume(variables, trainer.resume, start, callbacks)?)
                }
                _ => None,
            };
            (checkpoints, kept)
        };
        let updates = stages.iter().filter_map(|stage| stage.update.as_ref());
        for program in compiled.iter().map(|program| &**program).chain(updates) {
            program.prepare(variables)?;
        }
        // Programs have declared their settings anew; those of the checkpoint may have been changed
        // since the code said what they are.
        #[cfg(feature = "files")]
        if let Some(kept) = kept.filter(|_| trainer.resume == Resume::Exact) {
            variables.set_all(kept)?;
        }
        let loader = Loader::new(data.len(), batch, trainer.seed);
        Ok(Fit {
            stages,
            part,
            names: trainer.objectives.iter().map(|objective| objective.name.as_str()).collect(),
            validation,
            callbacks,
            variables,
            data,
            loader: if trainer.shuffle { loader } else { loader.in_order() },
            steps: data.len().div_ceil(batch),
            epochs: trainer.epochs,
            most_steps: trainer.most_steps,
            stop: trainer.stop,
            position,
            pending: VecDeque::new(),
            #[cfg(feature = "files")]
            checkpoints,
            begin: Instant::now(),
        })
    }

    fn run(mut self) -> Result<Report, Error> {
        // A file that cannot be written is told before anything is trained for it.
        #[cfg(feature = "files")]
        if let Some(checkpoints) = &self.checkpoints
            && !checkpoints.checkpoint.path().exists()
        {
            self.save();
            if let Some(error) = self.checkpoints.as_mut().and_then(|all| all.failed.take()) {
                return Err(error);
            }
        }
        let before = self.position.total;
        let mut epochs = Vec::new();
        let ending = loop {
            if self.position.epoch > self.epochs {
                break Ending::Completed;
            }
            if let Some(ending) = self.epoch()? {
                break ending;
            }
            self.read_all()?;
            let epoch = self.measured()?;
            self.position.turn();
            let flow = all(self.callbacks, |callback| callback.on_epoch(&epoch, self.variables));
            epochs.push(epoch);
            self.save();
            if flow.is_break() {
                break Ending::Stopped;
            }
        };
        self.read_all()?;
        self.save();
        // Within an epoch the variables are others than those that were evaluated.
        let last = epochs.last().filter(|_| self.position.step == 0);
        let mut validation = last.and_then(|epoch| epoch.validation.clone());
        if let (Ending::Completed, None, Some((evaluation, set))) =
            (ending, &validation, &self.validation)
        {
            validation = Some(evaluate(evaluation, self.variables, *set)?);
        }
        Ok(Report {
            epochs,
            steps: self.position.total - before,
            seconds: self.begin.elapsed().as_secs_f64(),
            ending,
            last: self.position.last(self.steps),
            validation,
            #[cfg(feature = "files")]
            unsaved: self.checkpoints.and_then(|checkpoints| checkpoints.failed),
            #[cfg(not(feature = "files"))]
            unsaved: None,
        })
    }

    /// Trains to the end of the epoch, unless it is to stop before.
    fn epoch(&mut self) -> Result<Option<Ending>, Error> {
        let batches = self.loader.epoch(self.position.epoch);
        for rows in batches.iter().skip(self.position.step) {
            if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Ok(Some(Ending::Interrupted));
            }
            if self.position.total >= self.most_steps {
                return Ok(Some(Ending::Completed));
            }
            let parts = rows.chunks(self.part).map(|rows| self.data.get(rows));
            let parts = parts.collect::<Result<Vec<_>, Error>>()?;
            for (index, stage) in self.stages.iter().enumerate() {
                if !self.position.total.is_multiple_of(stage.every) {
                    continue;
                }
                for batch in &parts {
                    self.pending.push_back((index, stage.measured.run(self.variables, batch)?));
                    if self.pending.len() > LATE
                        && let Some((index, submitted)) = self.pending.pop_front()
                    {
                        submitted.add_to(&mut self.position.sums[index])?;
                    }
                }
                if let Some(update) = &stage.update {
                    update.run(self.variables, &[])?;
                }
            }
            self.position.step += 1;
            self.position.total += 1;
            let Position { epoch, step, total, .. } = self.position;
            let step = Step { epoch, step, steps: self.steps, total };
            if all(self.callbacks, |callback| callback.on_step(&step)).is_break() {
                return Ok(Some(Ending::Stopped));
            }
            #[cfg(feature = "files")]
            if self.checkpoints.as_ref().is_some_and(|all| all.checkpoint.is_due(total, all.last.0))
            {
                self.read_all()?;
                self.save();
            }
        }
        Ok(None)
    }

    /// Waits for all results.
    fn read_all(&mut self) -> Result<(), Error> {
        while let Some((index, submitted)) = self.pending.pop_front() {
            submitted.add_to(&mut self.position.sums[index])?;
        }
        Ok(())
    }

    /// The losses of the epoch that has just ended, and those of the validation.
    fn measured(&self) -> Result<Epoch, Error> {
        let validation = match &self.validation {
            Some((evaluation, set)) => Some(evaluate(evaluation, self.variables, *set)?),
            None => None,
        };
        let sums = self.position.sums.iter().zip(&self.stages).zip(&self.names);
        let objectives = sums.map(|((sums, stage), name)| {
            ((*name).to_owned(), sums.measures(&stage.measured.metrics()))
        });
        Ok(Epoch {
            number: self.position.epoch,
            objectives: objectives.collect(),
            validation,
            seconds: self.begin.elapsed().as_secs_f64(),
        })
    }

    /// Writes a checkpoint, unless it is written already; all results must have been read.
    fn save(&mut self) {
        #[cfg(feature = "files")]
        if let Some(checkpoints) = &mut self.checkpoints {
            let at = [self.position.epoch, self.position.step];
            if checkpoints.last.1 == at && checkpoints.failed.is_none() {
                return;
            }
            let path = checkpoints.checkpoint.path();
            let saved =
                checkpoints.identity.save(path, self.variables, &self.position, self.callbacks);
            checkpoints.last = (Instant::now(), at);
            let step = self.position.last(self.steps);
            if let Some(step) = step {
                let written = saved.as_ref().copied();
                self.callbacks
                    .iter_mut()
                    .for_each(|callback| callback.on_checkpoint(&step, written));
            }
            checkpoints.failed = saved.err();
        }
    }
}

impl<'t> Stage<'t> {
    /// Compiles the programs of an objective for batches of these numbers of rows.
    fn compile(
        trainer: &Trainer<'_>,
        device: &Device,
        objective: &'t Objective<'_>,
        (data, sizes): (&dyn Dataset, &[usize]),
        compiled: &mut Vec<Arc<Program>>,
    ) -> Result<Self, Error> {
        let check_finite = trainer.check_finite;
        let accumulated = (trainer.parts > 1).then(Arc::<Accumulated>::default);
        let measured = match &accumulated {
            None => Measured::training(device, objective, check_finite),
            Some(accumulated) => {
                let options = (accumulated.clone(), trainer.allows_statistics);
                Measured::parts(device, objective, check_finite, options)
            }
        };
        for rows in sizes {
            compiled.push(measured.program(data, *rows)?);
        }
        let update = accumulated.map(|accumulated| accumulated.update(objective, device));
        Ok(Stage { every: objective.every, measured, update: update.transpose()? })
    }
}

#[cfg(feature = "files")]
impl Checkpoints<'_> {
    /// Takes up the checkpoint, and returns the values of its variables.
    fn resume(
        &self,
        variables: &Variables,
        resume: Resume,
        (position, steps): (&mut Position, usize),
        callbacks: &mut [Box<dyn Callback + '_>],
    ) -> Result<Vec<(String, crate::array::Array)>, Error> {
        let path = self.checkpoint.path();
        let read = self.identity.read(path, resume, position.sums.len(), steps)?;
        crate::io::safetensors::set(path, variables, read.arrays.clone())?;
        for callback in callbacks {
            let state = read.callbacks.iter().find(|(key, _)| callback.key() == Some(key));
            if let Some((_, state)) = state {
                callback.load(state);
            }
        }
        *position = read.position;
        Ok(read.arrays)
    }
}

/// Calls every callback, and returns whether one ends the training.
fn all(
    callbacks: &mut [Box<dyn Callback + '_>],
    mut call: impl FnMut(&mut dyn Callback) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    for callback in callbacks {
        if call(&mut **callback).is_break() {
            flow = ControlFlow::Break(());
        }
    }
    flow
}

/// The mean loss and the metrics over a data set.
fn evaluate(
    evaluation: &Measured<'_>,
    variables: &Variables,
    data: &dyn Dataset,
) -> Result<Measures, Error> {
    let (mut sums, mut pending) = (Sums::default(), VecDeque::new());
    let rows: Vec<usize> = (0..data.len()).collect();
    for rows in rows.chunks(Trainer::EVALUATED) {
        pending.push_back(evaluation.run(variables, &data.get(rows)?)?);
        if pending.len() > LATE
            && let Some(submitted) = pending.pop_front()
        {
            submitted.add_to(&mut sums)?;
        }
    }
    pending.into_iter().try_for_each(|submitted| submitted.add_to(&mut sums))?;
    Ok(sums.measures(&evaluation.metrics()))
}
