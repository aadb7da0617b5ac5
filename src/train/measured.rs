//! Programs that return a loss and metrics.

use super::{
    Loss, Metric, Objective, TrainStep,
    accumulate::Accumulated,
    measures::{Described, Sums},
    resident::ResidentSet,
    serving::Serving,
    source::batch_of,
};
use crate::{
    data::Batch,
    device::Device,
    error::Error,
    graph::{Graph, Tensor},
    program::{Inputs, Program, Programs},
    shape::Meta,
    value::Outputs,
    variables::Variables,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of runs after which a result is read, equal to the number of runs in flight.
pub(super) const LATE: usize = 3;

/// Traces the named outputs of a program.
type Trace<'a> = Box<dyn for<'g> Fn(&'g Graph, &Inputs<'g>) -> Vec<(String, Tensor<'g>)> + 'a>;

/// The programs of a step, one for each shape of its batches.
pub(super) struct Measured<'a> {
    programs: Programs<Trace<'a>>,
    layouts: Layouts,
    /// The set whose rows the inputs are numbers of.
    resident: Option<Arc<ResidentSet>>,
}

/// How the outputs of each program are to be read, by the inputs it was traced for.
type Layouts = Arc<Mutex<Vec<(Vec<(String, Meta)>, Arc<Layout>)>>>;

/// The outputs of a program: the loss, unless it only updates; its weight, unless that is the number of
/// rows; and the parts of the metrics.
#[derive(Default)]
struct Layout {
    has_loss: bool,
    weighted: bool,
    metrics: Vec<Described>,
}

/// A batch that a device may still be working on.
pub(super) struct Submitted {
    rows: usize,
    outputs: Outputs,
    layout: Arc<Layout>,
}

impl<'a> Measured<'a> {
    /// Steps of a training.
    pub fn training(
        device: &Device,
        objective: &'a Objective<'_>,
        check_finite: bool,
        resident: Option<&Arc<ResidentSet>>,
    ) -> Self {
        let trace = Traced(move |graph, batch| Outcome::Loss(objective.trace(graph, batch)));
        Measured::new(device, trace, (check_finite, resident), |programs| programs)
    }

    /// Parts of steps, whose gradients are added up.
    pub fn parts(
        device: &Device,
        objective: &'a Objective<'_>,
        check_finite: bool,
        resident: Option<&Arc<ResidentSet>>,
        (accumulated, allows_statistics): (Arc<Accumulated>, bool),
    ) -> Self {
        let trace = Traced(move |graph, batch| {
            let traced = accumulated.trace_part(objective, graph, batch, allows_statistics);
            Outcome::Loss(traced)
        });
        Measured::new(device, trace, (check_finite, resident), |programs| programs)
    }

    /// Updates by the gradients that the parts have added up, after these were compiled.
    pub fn updates(
        device: &Device,
        objective: &'a Objective<'_>,
        check_finite: bool,
        accumulated: Arc<Accumulated>,
    ) -> Self {
        let trace =
            Traced(move |graph, _| Outcome::Update(accumulated.trace_update(objective, graph)));
        Measured::new(device, trace, (check_finite, None), |programs| programs)
    }

    /// The same without an update, as models are traced when they serve.
    pub fn evaluation(
        device: &Device,
        step: &'a dyn TrainStep,
        serving: Serving,
        check_finite: bool,
    ) -> Self {
        let trace =
            Traced(move |graph, batch| Outcome::Loss(step.trace(&mut serving.scope(graph), batch)));
        Measured::new(device, trace, (check_finite, None), Programs::pure)
    }

    fn new<F>(
        device: &Device,
        Traced(trace): Traced<F>,
        (check_finite, resident): (bool, Option<&Arc<ResidentSet>>),
        kind: impl Fn(Programs<Trace<'a>>) -> Programs<Trace<'a>>,
    ) -> Self
    where
        F: for<'g> Fn(&'g Graph, &Inputs<'g>) -> Outcome<'g> + 'a,
    {
        let layouts = Layouts::default();
        let known = layouts.clone();
        let set = resident.cloned();
        let trace = boxed(move |graph, inputs| {
            if check_finite {
                graph.check_finite();
            }
            let traced = match &set {
                Some(set) => trace(graph, &set.gathered(graph, inputs.get(ResidentSet::ROWS))),
                None => trace(graph, inputs),
            };
            let (layout, outputs) = laid_out(traced);
            let signature = inputs.iter().map(|(name, tensor)| (name.to_owned(), tensor.meta()));
            let mut known = lock(&known);
            let signature: Vec<_> = signature.collect();
            known.retain(|(other, _)| *other != signature);
            known.push((signature, Arc::new(layout)));
            outputs
        });
        let programs = kind(Programs::new(device, trace));
        Measured { programs, layouts, resident: resident.cloned() }
    }

    /// The program for so many rows of these fields.
    pub fn program(&self, fields: &[(String, Meta)], rows: usize) -> Result<Arc<Program>, Error> {
        let inputs = match self.resident {
            Some(_) => ResidentSet::inputs(rows),
            None => batch_of(fields, rows),
        };
        self.programs.program(inputs.iter().map(|(name, meta)| (&**name, meta.clone())))
    }

    fn layout_of<'n>(
        &self,
        inputs: impl Iterator<Item = (&'n str, &'n Meta)>,
    ) -> Option<Arc<Layout>> {
        let mut inputs: Vec<_> = inputs.collect();
        inputs.sort_by_key(|(name, _)| *name);
        let is_it = |(known, _): &&(Vec<(String, Meta)>, Arc<Layout>)| {
            let known = known.iter().map(|(name, meta)| (&**name, meta));
            known.eq(inputs.iter().copied())
        };
        lock(&self.layouts).iter().find(is_it).map(|(_, layout)| layout.clone())
    }

    /// The metrics of the programs so far.
    pub fn metrics(&self) -> Vec<Described> {
        lock(&self.layouts).first().map(|(_, layout)| layout.metrics.clone()).unwrap_or_default()
    }

    /// Submits a batch.
    pub fn run(&self, variables: &Variables, batch: &Batch) -> Result<Submitted, Error> {
        let outputs = self.programs.run(variables, &batch.feeds())?;
        let layout = self.layout_of(batch.iter().map(|(name, array)| (name, array.meta())));
        let layout = layout.unwrap_or_default();
        Ok(Submitted { rows: batch.len(), outputs, layout })
    }
}

impl Submitted {
    /// Waits for the results, and adds them. Where steps `may_be_skipped`, a loss that is not finite is
    /// that of such a one, and counts nothing.
    pub fn add_to(self, sums: &mut Sums, may_be_skipped: bool) -> Result<(), Error> {
        let mut values = self.outputs.values().iter();
        let mut next = || values.next().map(|value| value.read_f64()).transpose();
        let mut scalar = || Ok::<_, Error>(next()?.and_then(|value| value.first().copied()));
        if self.layout.has_loss {
            let loss = scalar()?.unwrap_or(f64::NAN);
            let weight = if self.layout.weighted { scalar()? } else { None };
            // A batch without weight may have no loss.
            match weight.unwrap_or(self.rows as f64) {
                0.0 => {}
                _ if may_be_skipped && !loss.is_finite() => return Ok(()),
                weight => sums.add(loss, weight),
            }
        }
        for Described { name, kind, parts, .. } in &self.layout.metrics {
            let parts = (0..*parts).map(|_| Ok(next()?.unwrap_or_default()));
            let parts = parts.collect::<Result<Vec<_>, Error>>()?;
            sums.add_metric(name, kind, parts);
        }
        Ok(())
    }
}

/// The traced result of a program.
enum Outcome<'g> {
    /// The loss of a batch.
    Loss(Loss<'g>),
    /// An update by gradients that were added up before, and their norms by layer.
    Update(Vec<(String, Metric<'g>)>),
}

/// A closure whose lifetimes are those of a graph.
struct Traced<F>(F)
where
    F: for<'g> Fn(&'g Graph, &Inputs<'g>) -> Outcome<'g>;

fn boxed<'a, F>(trace: F) -> Trace<'a>
where
    F: for<'g> Fn(&'g Graph, &Inputs<'g>) -> Vec<(String, Tensor<'g>)> + 'a,
{
    Box::new(trace)
}

/// The outputs of a program, and how they are to be read.
fn laid_out<'g>(traced: Outcome<'g>) -> (Layout, Vec<(String, Tensor<'g>)>) {
    let (mut layout, mut outputs) = (Layout::default(), vec![]);
    let (metrics, norms) = match traced {
        Outcome::Loss(loss) => {
            layout.has_loss = true;
            layout.weighted = loss.weight.is_some();
            outputs.push(("loss".to_owned(), loss.loss));
            outputs.extend(loss.weight.map(|weight| ("weight".to_owned(), weight)));
            (loss.metrics, loss.gradient_norms)
        }
        Outcome::Update(norms) => (vec![], norms),
    };
    let metrics = metrics.into_iter().map(|(name, metric)| (name, None, metric));
    let norms = norms
        .into_iter()
        .map(|(layer, metric)| (format!("gradient norm of {layer}"), Some(layer), metric));
    for (name, norm_of, metric) in metrics.chain(norms) {
        let parts = metric.parts.iter().enumerate();
        outputs.extend(parts.map(|(index, part)| (format!("metric {name}, part {index}"), *part)));
        let parts = metric.parts.len();
        layout.metrics.push(Described { name, norm_of, kind: metric.kind, parts });
    }
    (layout, outputs)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
