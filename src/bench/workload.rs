//! Work with a name, ready for any device.

use super::check::{self, Found, Sum};
use crate::{
    array::Array,
    autodiff,
    backend::RunTime,
    device::Device,
    dtype::DType,
    error::Error,
    graph::{Graph, Tensor},
    init::Init,
    ops::{contract::Domain, cost::Cost},
    program::Program,
    shape::Meta,
    variables::Variables,
};
use std::time::{Duration, Instant};

/// Work with a name.
pub struct Workload {
    /// Its name, the same in other engines' benchmarks.
    pub name: String,
    /// What it is an example of.
    pub family: &'static str,
    /// The extents, for people.
    pub shape: String,
    /// The type it computes with: `f32`, `f16` or `i8`.
    pub dtype: &'static str,
    /// Whether it is meant for hardware GPUs only.
    pub is_large: bool,
    /// The same on less data, under a name of its own.
    pub smaller: Option<Box<Workload>>,
    cost: Option<Cost>,
    work: Work,
}

enum Work {
    /// Operations, each element of whose results has a formula.
    Formula { operands: Vec<Operand>, trace: Box<Trace>, formula: Box<Formula> },
    /// A model: its results with all of its data, and with little.
    Model { trace: Box<TraceModel>, results: &'static str },
}

struct Operand {
    meta: Meta,
    domain: Domain,
}

type Trace = dyn for<'g> Fn(&[Tensor<'g>]) -> Vec<Tensor<'g>> + Send + Sync;
type TraceModel = dyn for<'g> Fn(&'g Graph, Extent) -> Tensor<'g> + Send + Sync;

/// What each element of a result should be, by the number of the result and the coordinate.
pub(super) type Elements<'a> = Box<dyn Fn(usize, &[usize]) -> Sum + 'a>;
type Formula = dyn for<'a> Fn(&'a [Array]) -> Elements<'a> + Send + Sync;

/// How much data a model is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What is timed.
    Whole,
    /// What the reference can follow.
    Little,
}

/// Work, compiled for a device, with its operands there.
#[derive(Debug)]
pub struct Prepared {
    /// The program.
    pub program: Program,
    /// Its operands.
    pub variables: Variables,
    /// What it took until the first results were there: compilation, proofs, and one run.
    pub cold: Duration,
    operands: Vec<Array>,
}

impl Prepared {
    /// Runs once and waits.
    ///
    /// # Errors
    ///
    /// Whatever the device reports.
    pub fn run(&self) -> Result<RunTime, Error> {
        Ok(self.program.run_timed(&self.variables, &[])?.1)
    }
}

impl Workload {
    /// Of `trace`, whose results are `formula` of the operands.
    pub(super) fn new(
        family: &'static str,
        name: impl Into<String>,
        shape: impl Into<String>,
        trace: impl for<'g> Fn(&[Tensor<'g>]) -> Vec<Tensor<'g>> + Send + Sync + 'static,
        formula: impl for<'a> Fn(&'a [Array]) -> Elements<'a> + Send + Sync + 'static,
    ) -> Self {
        let (trace, formula) = (Box::new(trace), Box::new(formula));
        Workload {
            name: name.into(),
            family,
            shape: shape.into(),
            dtype: "f32",
            is_large: false,
            smaller: None,
            cost: None,
            work: Work::Formula { operands: Vec::new(), trace, formula },
        }
    }

    /// Of a model, whose `results` (losses, logits) over the first three runs are compared with the
    /// reference on little data.
    pub(super) fn model(
        name: impl Into<String>,
        shape: impl Into<String>,
        results: &'static str,
        trace: impl for<'g> Fn(&'g Graph, Extent) -> Tensor<'g> + Send + Sync + 'static,
    ) -> Self {
        Workload {
            name: name.into(),
            family: "model",
            shape: shape.into(),
            dtype: "f32",
            is_large: false,
            smaller: None,
            cost: None,
            work: Work::Model { trace: Box::new(trace), results },
        }
    }

    /// One more operand.
    pub(super) fn operand(mut self, dims: &[usize], dtype: DType, domain: Domain) -> Self {
        if let Work::Formula { operands, .. } = &mut self.work {
            operands.push(Operand { meta: Meta::new(dims, dtype), domain });
        }
        self
    }

    /// One more operand of f32 between -1 and 1.
    pub(super) fn floats(self, dims: &[usize]) -> Self {
        self.operand(dims, DType::F32, Domain::Range(-1.0, 1.0))
    }

    /// What it takes at least: operations, and bytes that are read or written once.
    pub(super) fn cost(self, flops: f64, bytes: f64) -> Self {
        Workload { cost: Some(Cost { flops, bytes }), ..self }
    }

    pub(super) fn of_type(self, dtype: &'static str) -> Self {
        Workload { dtype, ..self }
    }

    pub(super) fn large(self, is_large: bool) -> Self {
        Workload { is_large, ..self }
    }

    pub(super) fn smaller(self, smaller: Workload) -> Self {
        Workload { smaller: Some(smaller.into()), ..self }
    }

    /// What is compared in order to check it, for people.
    pub fn checked_by(&self) -> String {
        match &self.work {
            Work::Formula { .. } => {
                format!("{} elements, each from its formula in f64", check::CHECKED)
            }
            Work::Model { results, .. } => {
                format!("the first three {results} of a small one, with f64")
            }
        }
    }

    /// This one, and the same on less data if there is that.
    pub fn with_smaller(mut self) -> impl Iterator<Item = Workload> {
        let smaller = self.smaller.take().map(|smaller| *smaller);
        [Some(self), smaller].into_iter().flatten()
    }

    /// It as a program for a device, without operands.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) where the device cannot run it.
    pub fn program(&self, device: &Device) -> Result<Program, Error> {
        self.compile(device, Extent::Whole)
    }

    /// Compiles it, puts its operands on the device and runs it once.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) where the device cannot run it; whatever it reports.
    pub fn prepare(&self, device: &Device) -> Result<Prepared, Error> {
        let begin = Instant::now();
        let (program, variables) = (self.program(device)?, Variables::new(0));
        let compiled = begin.elapsed();
        let operands = self.operands()?;
        for (index, operand) in operands.iter().enumerate() {
            variables.set(&path(index), operand.clone())?;
        }
        program.prepare(&variables)?;
        let begin = Instant::now();
        program.run_timed(&variables, &[])?;
        Ok(Prepared { program, variables, cold: compiled + begin.elapsed(), operands })
    }

    /// Operations that it takes at least, and bytes that have to be read or written once.
    pub fn takes(&self, prepared: &Prepared) -> (f64, f64) {
        let cost = self.cost_of(&prepared.program);
        (cost.flops, cost.bytes)
    }

    /// What it takes at least: of a model, what its steps take one by one.
    pub(super) fn cost_of(&self, program: &Program) -> Cost {
        self.cost.unwrap_or_else(|| planned(program))
    }

    /// The same, before anything is compiled for the device it is asked of.
    ///
    /// # Errors
    ///
    /// As for [`prepare`](Self::prepare).
    pub(super) fn expected_cost(&self) -> Result<Cost, Error> {
        match self.cost {
            Some(cost) => Ok(cost),
            None => Ok(planned(&self.program(&Device::cpu())?)),
        }
    }

    fn compile(&self, device: &Device, extent: Extent) -> Result<Program, Error> {
        let graph = Graph::new();
        match &self.work {
            Work::Formula { operands, trace, .. } => {
                let declare = |(index, operand): (usize, &Operand)| {
                    let Meta { shape, dtype } = operand.meta.clone();
                    graph.variable(&path(index), shape, dtype, Init::Zeros)
                };
                let operands: Vec<_> = operands.iter().enumerate().map(declare).collect();
                graph.compile(device, &trace(&operands))
            }
            Work::Model { trace, .. } => graph.compile(device, &[trace(&graph, extent)]),
        }
    }

    fn operands(&self) -> Result<Vec<Array>, Error> {
        let Work::Formula { operands, .. } = &self.work else { return Ok(Vec::new()) };
        let operands = operands.iter().enumerate();
        operands
            .map(|(seed, Operand { meta, domain })| domain.fill(meta, seed as u64 + 1).to_array())
            .collect()
    }

    /// Compares what the device computes with what it should.
    ///
    /// # Errors
    ///
    /// Whatever the device reports. A wrong result is none.
    pub(super) fn check(&self, prepared: &Prepared, device: &Device) -> Result<Found, Error> {
        match &self.work {
            Work::Formula { formula, .. } => {
                let outputs = prepared.program.run(&prepared.variables, &[])?;
                let outputs = (0..outputs.values().len()).map(|k| outputs.read_blocking(k));
                let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
                Ok(check::elements(&outputs, formula(&prepared.operands)))
            }
            Work::Model { .. } => {
                let [device, reference] = [device, &Device::Reference].map(|d| self.little(d));
                let (device, reference) = (device?, reference?);
                // A loss that has become small is the difference of numbers that were not.
                let largest = reference.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
                let mut found = Found::default();
                for (got, value) in device.iter().zip(&reference) {
                    // Three steps of some hundred layers, each of which rounds.
                    found.note(*got, *value, largest, 1e-4 * largest, DType::F32);
                }
                Ok(found)
            }
        }
    }

    /// The results of three runs with little data.
    fn little(&self, device: &Device) -> Result<Vec<f64>, Error> {
        let program = self.compile(device, Extent::Little)?;
        let variables = Variables::new(0);
        let runs = (0..3).map(|_| program.run(&variables, &[])?.get(0)?.read_f64());
        Ok(runs.collect::<Result<Vec<_>, Error>>()?.concat())
    }
}

fn path(index: usize) -> String {
    format!("operand/{index}")
}

/// What the steps of a program take together.
fn planned(program: &Program) -> Cost {
    let steps = program.plan().map(|plan| plan.steps.as_slice()).unwrap_or_default();
    steps.iter().fold(Cost::default(), |sum, step| sum + step.cost)
}

impl std::fmt::Debug for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workload({} {} {})", self.name, self.shape, self.dtype)
    }
}

/// An element by its row-major index.
pub(super) fn at(x: &Array, index: usize) -> f64 {
    x.dtype().from_word(x.words()[index])
}

/// A result and the cotangents of what it was made of, for a cotangent of the result.
pub(super) fn with_gradients<'g>(
    y: Tensor<'g>,
    ct: Tensor<'g>,
    of: &[Tensor<'g>],
) -> Vec<Tensor<'g>> {
    [Some(y)].into_iter().chain(autodiff::vjp(y, ct, of)).flatten().collect()
}

/// Bytes of so many words.
pub(super) fn words(count: usize) -> f64 {
    4.0 * count as f64
}
