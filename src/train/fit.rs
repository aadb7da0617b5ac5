//! The loop of a training.

use super::{
    Callback, Ending, Epoch, Objective, Report, Step, Trainer,
    measured::{LATE, Measured, Submitted},
    measures::Described,
    position::Position,
    predict::evaluate,
    rates::{Rates, clock},
    residency::{is_no_memory, resident_set},
    resident::ResidentSet,
    source::Source,
    stage::Stage,
};
#[cfg(feature = "files")]
use super::{checkpoint::Resume, saver::Saver};
use crate::{
    data::{self, Batch, Dataset, Stream},
    device::Device,
    error::{Error, TrainError},
    variables::Variables,
};
use std::{
    collections::{HashSet, VecDeque},
    mem,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

impl<'a> Trainer<'a> {
    /// Trains the variables of a store, and evaluates after every epoch if there is something to
    /// validate on.
    ///
    /// # Errors
    ///
    /// [`TrainError`]; an error in a step; a [`ScheduleError`](crate::ScheduleError);
    /// [`RunError::IndexOutOfRange`], before anything is trained
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
        self.choose_batch(device, &|drawing| Source::set(drawing, data))?;
        let source = Source::set(&self.drawing, data);
        self.fit_source(device, variables, &source)
    }

    /// Trains the variables of a store on rows that come one after another, as they come: see
    /// [`ShuffleBuffer`](data::ShuffleBuffer). A stream that has no end is trained on for
    /// [`max_steps`](Self::max_steps).
    ///
    /// # Errors
    ///
    /// Same as [`fit`](Self::fit).
    pub fn fit_stream(
        &mut self,
        device: &Device,
        variables: &Variables,
        stream: &dyn Stream,
    ) -> Result<Report, Error> {
        self.choose_batch(device, &|drawing| Source::stream(drawing, stream))?;
        let source = Source::stream(&self.drawing, stream);
        self.fit_source(device, variables, &source)
    }

    fn fit_source(
        &mut self,
        device: &Device,
        variables: &Variables,
        source: &Source<'_>,
    ) -> Result<Report, Error> {
        check(self, source)?;
        let resident = resident_set(self, device, source)?.map(Arc::new);
        let mut callbacks = mem::take(&mut self.callbacks);
        let trained = self.trained(device, variables, (source, resident), &mut callbacks);
        if let Ok(report) = &trained {
            callbacks.iter_mut().for_each(|callback| callback.on_end(report));
        }
        self.callbacks = callbacks;
        trained
    }

    /// Trains with the set on the device, or without if there is no memory for it.
    fn trained<'s>(
        &'s self,
        device: &Device,
        variables: &'s Variables,
        (source, resident): (&'s Source<'s>, Option<Arc<ResidentSet>>),
        callbacks: &mut Vec<Box<dyn Callback + 'a>>,
    ) -> Result<Report, Error> {
        let is_resident = resident.is_some();
        let fit = match Fit::new(self, device, variables, (source, resident), callbacks) {
            Err(error) if is_resident && is_no_memory(&error) => {
                log::info!("the data set does not stay on the device: {error}");
                Fit::new(self, device, variables, (source, None), callbacks)?
            }
            fit => fit?,
        };
        fit.run()
    }
}

fn check(trainer: &Trainer<'_>, source: &Source<'_>) -> Result<(), Error> {
    let names = trainer.objectives.iter().map(|objective| &objective.name);
    for (index, name) in names.clone().enumerate() {
        if names.clone().take(index).any(|other| other == name) {
            return Err(TrainError::RepeatedObjective(name.clone()).into());
        }
    }
    match () {
        () if trainer.objectives.is_empty() => Err(TrainError::NoObjective.into()),
        () if source.len() == Some(0) => Err(TrainError::NoRows.into()),
        #[cfg(feature = "files")]
        () if trainer.resume != Resume::Never && trainer.checkpoint.is_none() => {
            Err(TrainError::NoCheckpoint.into())
        }
        () => Ok(()),
    }
}

/// A training under way.
struct Fit<'t, 'c, 'a> {
    trainer: &'t Trainer<'a>,
    stages: Vec<Stage<'t>>,
    rates: Rates,
    source: &'t Source<'t>,
    /// Whether the rows of the source stay on the device.
    is_resident: bool,
    validation: Option<(Measured<'t>, &'t dyn Dataset)>,
    callbacks: &'c mut Vec<Box<dyn Callback + 'a>>,
    variables: &'t Variables,
    position: Position,
    /// Runs whose results are not read yet, with their objectives.
    pending: VecDeque<(usize, Submitted)>,
    #[cfg(feature = "files")]
    saver: Option<Saver<'t>>,
    begin: Instant,
}

impl<'t, 'c, 'a> Fit<'t, 'c, 'a> {
    /// Compiles and prepares everything, and takes up a checkpoint.
    fn new(
        trainer: &'t Trainer<'a>,
        device: &Device,
        variables: &'t Variables,
        (source, resident): (&'t Source<'t>, Option<Arc<ResidentSet>>),
        callbacks: &'c mut Vec<Box<dyn Callback + 'a>>,
    ) -> Result<Self, Error> {
        if let (0, Some(first)) = (trainer.drawing.batch, trainer.objectives.first()) {
            trainer.step_of(device, first, &source.fields, 0)?;
        }
        let stage =
            |objective| Stage::compile(trainer, device, objective, (source, resident.as_ref()));
        let stages: Vec<Stage<'_>> =
            trainer.objectives.iter().map(stage).collect::<Result<_, Error>>()?;
        check_patterns(trainer)?;
        let trained = stages.iter().flat_map(|stage| &stage.programs);
        trained.clone().try_for_each(|program| program.check_rows(|name| source.array(name)))?;
        let (mut validation, mut evaluations) = (None, vec![]);
        if let Some(set) = trainer.validation {
            let assigned = stages.iter().flat_map(|stage| &stage.programs);
            let assigned = assigned.flat_map(|program| program.assigned().iter().cloned());
            let known: Vec<String> = variables.paths().into_iter().chain(assigned).collect();
            let evaluation = trainer.evaluation(device, &known)?;
            let fields = set.fields();
            for rows in data::sizes(set.len(), trainer.evaluated_at_once(&fields)) {
                let program = evaluation.program(&fields, rows)?;
                program.check_rows(|name| set.array(name))?;
                evaluations.push(program);
            }
            validation = Some((evaluation, set));
        }
        let start = Position::start(stages.len(), source.steps());
        #[cfg(feature = "files")]
        let saver = Saver::new(trainer, device, source);
        #[cfg(feature = "files")]
        let (position, settings) = match &saver {
            Some(saver) => saver.resume(trainer.resume, variables, start, callbacks)?,
            None => (start, vec![]),
        };
        #[cfg(not(feature = "files"))]
        let position = start;
        trained.chain(&evaluations).try_for_each(|program| program.prepare(variables))?;
        let validated = validation.iter().flat_map(|(evaluation, _)| evaluation.metrics());
        let validated: Vec<Described> = validated.collect();
        let known = stages.iter().map(|stage| {
            let metrics = stage.metrics().into_iter().chain(validated.clone());
            let metrics = metrics.filter(|metric| metric.norm_of.is_none());
            ["loss".to_owned()].into_iter().chain(metrics.map(|metric| metric.name)).collect()
        });
        let known: Vec<Vec<String>> = known.collect();
        let mut position = position;
        let states = &mut position.schedules;
        let rates = Rates::new(trainer, clock(trainer, source), &known, states, variables)?;
        // Programs have declared their settings; in the checkpoint they may have been changed since.
        #[cfg(feature = "files")]
        variables.set_all(settings)?;
        if position.total == 0 {
            let skipped = stages.iter().map(|stage| stage.skipped(variables));
            position.skipped = skipped.collect::<Result<_, _>>()?;
        }
        begin_averages(trainer, &stages, variables)?;
        Ok(Fit {
            trainer,
            stages,
            rates,
            source,
            is_resident: resident.is_some(),
            validation,
            callbacks,
            variables,
            position,
            pending: VecDeque::new(),
            #[cfg(feature = "files")]
            saver,
            begin: Instant::now(),
        })
    }

    fn run(mut self) -> Result<Report, Error> {
        let report = self.train();
        // Another training begins with the rates of the code. If the device is lost, so are they.
        let restored = self.rates.restore(self.variables);
        report.and_then(|report| restored.map(|()| report))
    }

    fn train(&mut self) -> Result<Report, Error> {
        // A file that cannot be written is told before anything is trained for it.
        #[cfg(feature = "files")]
        if self.saver.as_ref().is_some_and(|saver| !saver.path().exists()) {
            self.save();
            if let Some(error) = self.saver.as_mut().and_then(|saver| saver.failed.take()) {
                return Err(error);
            }
        }
        let before = self.position.total;
        let mut skipped = 0;
        let mut epochs: Vec<Epoch> = Vec::new();
        let ending = loop {
            if self.position.epoch > self.trainer.epochs {
                break Ending::Completed;
            }
            if let Some(ending) = self.epoch()? {
                break ending;
            }
            self.read(0)?;
            let epoch = self.measured()?;
            skipped += epoch.skipped;
            let Position { total, sums, schedules, .. } = &mut self.position;
            self.rates.observe(&epoch, *total, sums, schedules)?;
            self.position.turn();
            let flow = all(self.callbacks, |callback| callback.on_epoch(&epoch, self.variables));
            epochs.iter_mut().rev().take(1).for_each(Epoch::forget_confusion);
            epochs.push(epoch);
            self.save();
            if flow.is_break() {
                break Ending::Stopped;
            }
        };
        self.read(0)?;
        self.save();
        // Within an epoch the variables are others than those that were evaluated.
        let last = epochs.last().filter(|_| self.position.step == 0);
        let mut validation = last.and_then(|epoch| epoch.validation.clone());
        if let (Ending::Completed, None, Some((evaluation, set))) =
            (ending, &validation, &self.validation)
        {
            validation = Some(evaluate(self.trainer, evaluation, self.variables, *set)?);
        }
        Ok(Report {
            epochs,
            steps: self.position.total - before,
            skipped,
            seconds: self.begin.elapsed().as_secs_f64(),
            ending,
            last: self.position.last(),
            auto_batch: self.trainer.chosen,
            validation,
            #[cfg(feature = "files")]
            unsaved: self.saver.as_mut().and_then(|saver| saver.failed.take()),
            #[cfg(not(feature = "files"))]
            unsaved: None,
        })
    }

    /// Trains to the end of the epoch, unless it is to stop before.
    fn epoch(&mut self) -> Result<Option<Ending>, Error> {
        if let Some(ending) = self.ended() {
            return Ok(Some(ending));
        }
        let Position { epoch, step, total, .. } = self.position;
        // No batch is drawn that is not trained on.
        let most = self.trainer.most_steps.saturating_sub(total);
        let (source, is_resident) = (self.source, self.is_resident);
        let ending =
            source.epoch((epoch, step, most), is_resident, |batches| self.steps(batches))?;
        if ending.is_none() && self.position.step == 0 {
            return Err(TrainError::NoRows.into());
        }
        Ok(ending)
    }

    /// Why the training is to end before another step of this epoch, if it is.
    fn ended(&self) -> Option<Ending> {
        let Position { step, total, .. } = self.position;
        // After the last step of an epoch, the epoch ends first.
        let has_step = self.source.steps().is_none_or(|steps| step < steps);
        match self.trainer.stop {
            _ if !has_step => None,
            Some(stop) if stop.load(Ordering::Relaxed) => Some(Ending::Interrupted),
            _ => (total >= self.trainer.most_steps).then_some(Ending::Completed),
        }
    }

    /// Trains on these batches, given in their parts, unless it is to stop before.
    fn steps(
        &mut self,
        batches: &mut dyn Iterator<Item = Result<Vec<Batch>, Error>>,
    ) -> Result<Option<Ending>, Error> {
        loop {
            if let Some(ending) = self.ended() {
                return Ok(Some(ending));
            }
            let Some(parts) = batches.next() else { return Ok(None) };
            self.step(&parts?)?;
            self.position.step += 1;
            self.position.total += 1;
            let Position { epoch, step, total, steps, .. } = self.position;
            let step = Step { epoch, step, steps, total };
            if all(self.callbacks, |callback| callback.on_step(&step)).is_break() {
                return Ok(Some(Ending::Stopped));
            }
            #[cfg(feature = "files")]
            if self.saver.as_ref().is_some_and(|saver| saver.is_due(total)) {
                self.read(0)?;
                self.save();
            }
        }
    }

    /// Runs a step on a batch, given in its parts.
    fn step(&mut self, parts: &[Batch]) -> Result<(), Error> {
        let step = self.position.total;
        self.rates.set(self.variables, step)?;
        for index in 0..self.stages.len() {
            if !step.is_multiple_of(self.stages[index].every) {
                continue;
            }
            for batch in parts {
                let submitted = self.stages[index].measured.run(self.variables, batch)?;
                self.submit(index, submitted)?;
            }
            if let Some(update) = &self.stages[index].update {
                let submitted = update.run(self.variables, &Batch::new::<String>([]))?;
                self.submit(index, submitted)?;
            }
        }
        Ok(())
    }

    /// Keeps a run of an objective to be read, and reads those that are late.
    fn submit(&mut self, index: usize, submitted: Submitted) -> Result<(), Error> {
        self.pending.push_back((index, submitted));
        self.read(LATE)
    }

    /// Waits for results, until so many are left.
    fn read(&mut self, left: usize) -> Result<(), Error> {
        while self.pending.len() > left
            && let Some((index, submitted)) = self.pending.pop_front()
        {
            let may_be_skipped = self.stages[index].skipped.is_some();
            submitted.add_to(&mut self.position.sums[index], may_be_skipped)?;
        }
        Ok(())
    }

    /// The losses of the epoch that has just ended, and those of the validation.
    fn measured(&mut self) -> Result<Epoch, Error> {
        let validation = match &self.validation {
            Some((evaluation, set)) => {
                Some(evaluate(self.trainer, evaluation, self.variables, *set)?)
            }
            None => None,
        };
        let sums = self.position.sums.iter().zip(&self.stages).zip(&self.trainer.objectives);
        let objectives = sums.map(|((sums, stage), objective)| {
            (objective.name.clone(), sums.measures(&stage.metrics()))
        });
        let objectives = objectives.collect();
        let (mut skipped, mut counted) = (0, HashSet::new());
        for (stage, before) in self.stages.iter().zip(&mut self.position.skipped) {
            let now = stage.skipped(self.variables)?;
            // Objectives that share an optimizer share its count.
            if counted.insert(&stage.skipped) {
                skipped += now.saturating_sub(*before);
            }
            *before = now;
        }
        Ok(Epoch {
            number: self.position.epoch,
            objectives,
            validation,
            skipped,
            seconds: self.begin.elapsed().as_secs_f64(),
        })
    }

    /// Writes a checkpoint, unless it is written already; all results must have been read.
    fn save(&mut self) {
        #[cfg(feature = "files")]
        if let Some(saver) = &mut self.saver {
            saver.save(self.variables, &self.position, self.callbacks);
        }
    }
}

/// Checks that what is to be frozen, or computed in f32, is there; the objectives have been traced.
fn check_patterns(trainer: &Trainer<'_>) -> Result<(), Error> {
    let all: Vec<_> = trainer.objectives.iter().flat_map(Objective::patterns).collect();
    let is_used = |pattern: &str| all.iter().any(|(other, is_used)| other == pattern && *is_used);
    match all.iter().find(|(pattern, _)| !is_used(pattern)) {
        Some((pattern, _)) => Err(TrainError::UnusedPattern(pattern.clone()).into()),
        None => Ok(()),
    }
}

/// Sets averages that serve and of which no step was made to their parameters.
fn begin_averages(
    trainer: &Trainer<'_>,
    stages: &[Stage<'_>],
    variables: &Variables,
) -> Result<(), Error> {
    let Some(scope) = &trainer.averaged else { return Ok(()) };
    for (objective, stage) in trainer.objectives.iter().zip(stages) {
        let steps = format!("{}{scope}/steps", objective.optimizer_scope());
        if variables.meta(&steps).is_none() || variables.get(&steps)?.item() != Some(0.0) {
            continue;
        }
        let assigned = stage.programs.iter().flat_map(|program| program.assigned());
        for average in assigned {
            let path = average.strip_prefix(scope.as_str()).and_then(|path| path.strip_prefix('/'));
            if let Some(path) = path {
                variables.set(average, variables.get(path)?)?;
            }
        }
    }
    Ok(())
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
