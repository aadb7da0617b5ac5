//! Named workloads for any device.

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
    ops::{Precision, contract::Domain, cost::Cost},
    program::Program,
    shape::Meta,
    variables::Variables,
};
use std::time::{Duration, Instant};

/// A named workload.
pub struct Workload {
    /// Its name, the same as in other engines' benchmarks.
    pub name: String,
    /// The family it belongs to.
    pub family: &'static str,
    /// The extents, human-readable.
    pub shape: String,
    /// The type it computes with: `f32`, `f16` or `i8`.
    pub dtype: &'static str,
    /// Whether it is intended only for hardware GPUs.
    pub is_large: bool,
    precision: Precision,
    /// The same workload on less data, under a different name.
    pub smaller: Option<Box<Workload>>,
    cost: Option<Cost>,
    work: Work,
}

enum Work {
    /// Operations whose results have a formula for each element.
    Formula { operands: Vec<Operand>, trace: Box<Trace>, formula: Box<Formula> },
    /// A model: its results with the full data, and with little data.
    Model { trace: Box<TraceModel>, results: &'static str },
}

struct Operand {
    meta: Meta,
    domain: Domain,
}

type Trace = dyn for<'g> Fn(&[Tensor<'g>]) -> Vec<Tensor<'g>> + Send + Sync;
type TraceModel = dyn for<'g> Fn(&'g Graph, Extent) -> Tensor<'g> + Send + Sync;

/// Expected value of each element, by result index and coordinate.
pub(super) type Elements<'a> = Box<dyn Fn(usize, &[usize]) -> Sum + 'a>;
type Formula = dyn for<'a> Fn(&'a [Array]) -> Elements<'a> + Send + Sync;

/// Amount of data for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The full amount, which is timed.
    Whole,
    /// An amount the reference device can handle.
    Little,
}

/// A workload compiled for a device, with its operands in place.
#[derive(Debug)]
pub struct Prepared {
    /// The program.
    pub program: Program,
    /// Its operands.
    pub variables: Variables,
    /// Time until the first results: compilation, verification, and one run.
    pub cold: Duration,
    operands: Vec<Array>,
}

impl Prepared {
    /// Runs once and waits.
    ///
    /// # Errors
    ///
    /// Any error of the device.
    pub fn run(&self) -> Result<RunTime, Error> {
        Ok(self.program.run_timed(&self.variables, &[])?.1)
    }
}

impl Workload {
    /// Creates a workload of `trace`, whose results are given by `formula` of the operands.
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
            precision: Precision::Full,
            smaller: None,
            cost: None,
            work: Work::Formula { operands: Vec::new(), trace, formula },
        }
    }

    /// Creates a workload of a model, whose `results` (losses, logits) over the first three runs
    /// are compared with the reference on little data.
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
            precision: Precision::Full,
            smaller: None,
            cost: None,
            work: Work::Model { trace: Box::new(trace), results },
        }
    }

    /// Adds an operand.
    pub(super) fn operand(mut self, dims: &[usize], dtype: DType, domain: Domain) -> Self {
        if let Work::Formula { operands, .. } = &mut self.work {
            operands.push(Operand { meta: Meta::new(dims, dtype), domain });
        }
        self
    }

    /// Adds an f32 operand with values between -1 and 1.
    pub(super) fn floats(self, dims: &[usize]) -> Self {
        self.operand(dims, DType::F32, Domain::Range(-1.0, 1.0))
    }

    /// Sets the minimum cost: operations, and bytes that are read or written once.
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

    /// Sets how exactly products of matrices and convolutions are calculated; if it is not in full, it
    /// follows the name, so that reports compare only what is alike.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        match precision {
            Precision::Full => return self,
            Precision::Units => self.name += ":units",
            Precision::Split => self.name += ":split",
        }
        self.smaller = self.smaller.map(|smaller| smaller.with_precision(precision).into());
        Workload { precision, ..self }
    }

    /// Describes how the results are checked, human-readable.
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

    /// This workload, and the smaller one if there is one.
    pub fn with_smaller(mut self) -> impl Iterator<Item = Workload> {
        let smaller = self.smaller.take().map(|smaller| *smaller);
        [Some(self), smaller].into_iter().flatten()
    }

    /// Compiles it for a device, without operands.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) if the device cannot run it.
    pub fn program(&self, device: &Device) -> Result<Program, Error> {
        self.compile(device, Extent::Whole)
    }

    /// Compiles it, puts its operands on the device and runs it once.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) if the device cannot run it; any error it reports.
    pub fn prepare(&self, device: &Device) -> Result<Prepared, Error> {
        let begin = Instant::now();
        let (program, variables) = (self.program(device)?, Variables::new(0));
        let compiled = begin.elapsed();
        let operands = self.operands()?;
        for (index, operand) in operands.iter().enumerate() {
            variables.insert(&path(index), operand.clone())?;
        }
        program.prepare(&variables)?;
        let begin = Instant::now();
        program.run_timed(&variables, &[])?;
        Ok(Prepared { program, variables, cold: compiled + begin.elapsed(), operands })
    }

    /// Minimum number of operations, and of bytes that have to be read or written once.
    pub fn takes(&self, prepared: &Prepared) -> (f64, f64) {
        let cost = self.cost_of(&prepared.program);
        (cost.flops, cost.bytes)
    }

    /// The minimum cost; for a model, the total cost of its steps.
    pub(super) fn cost_of(&self, program: &Program) -> Cost {
        self.cost.unwrap_or_else(|| planned(program))
    }

    /// The same, before anything is compiled for the device in question.
    ///
    /// # Errors
    ///
    /// Same as [`prepare`](Self::prepare).
    pub(super) fn expected_cost(&self) -> Result<Cost, Error> {
        match self.cost {
            Some(cost) => Ok(cost),
            None => Ok(planned(&self.program(&Device::cpu())?)),
        }
    }

    fn compile(&self, device: &Device, extent: Extent) -> Result<Program, Error> {
        let graph = Graph::new();
        graph.set_precision(self.precision);
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

    /// Compares the device's results with the expected ones.
    ///
    /// # Errors
    ///
    /// Any error of the device. A wrong result is not an error.
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
                // A small loss may be the difference of larger numbers.
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

/// The total cost of the steps of a program.
fn planned(program: &Program) -> Cost {
    let steps = program.plan().map(|plan| plan.steps.as_slice()).unwrap_or_default();
    steps.iter().fold(Cost::default(), |sum, step| sum + step.cost)
}

impl std::fmt::Debug for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Workload({} {} {})", self.name, self.shape, self.dtype)
    }
}

/// The element at a row-major index.
pub(super) fn at(x: &Array, index: usize) -> f64 {
    x.dtype().from_word(x.words()[index])
}

/// A result and the cotangents of its operands, for a cotangent of the result.
pub(super) fn with_gradients<'g>(
    y: Tensor<'g>,
    ct: Tensor<'g>,
    of: &[Tensor<'g>],
) -> Vec<Tensor<'g>> {
    [Some(y)].into_iter().chain(autodiff::vjp(y, ct, of)).flatten().collect()
}

/// Size of `count` words in bytes.
pub(super) fn words(count: usize) -> f64 {
    4.0 * count as f64
}
