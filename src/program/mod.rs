//! Programs: compiled once, run many times.

mod indices;

use crate::{
    array::Array,
    cpu,
    device::Device,
    error::{Error, GraphError, NotFinite, RunError},
    gpu,
    graph::{Graph, NodeId, Tensor},
    reference, rewrite,
    schedule::{self, Plan},
    shape::Meta,
    value::{Data, Fed, Feed, Outputs},
    variables::{Store, Variables},
};
use indices::Indexed;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A graph made ready for a device. It borrows nothing, and threads may share it or hand it on.
#[derive(Debug)]
pub struct Program {
    inputs: Vec<(String, Meta)>,
    /// Those that were asked for, then those that are watched.
    outputs: Vec<Meta>,
    watched: Arc<[String]>,
    indexed: Indexed,
    checks_finite: bool,
    plan: Option<Arc<Plan>>,
    backend: Backend,
}

/// How long a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunTime {
    /// From the call until the results were there, by the clock of the host.
    pub wall: Duration,
    /// From the beginning of the first dispatch to the end of the last, by the clock of a GPU that has
    /// one.
    pub device: Option<Duration>,
}

#[derive(Debug)]
enum Backend {
    Reference(Box<reference::ReferenceProgram>),
    Cpu(Box<cpu::CpuProgram>),
    Gpu(Box<gpu::GpuProgram>),
}

impl Graph {
    /// A program that computes `outputs` and applies the effects of the graph.
    ///
    /// # Errors
    ///
    /// The first error of the graph; a [`CompileError`](crate::CompileError) where the device
    /// cannot run it.
    pub fn compile(&self, device: &Device, outputs: &[Tensor<'_>]) -> Result<Program, Error> {
        Program::new(self, device, outputs, true)
    }

    /// A program that computes `outputs` and leaves every variable as it is.
    ///
    /// # Errors
    ///
    /// As for [`compile`](Self::compile).
    pub fn compile_pure(&self, device: &Device, outputs: &[Tensor<'_>]) -> Result<Program, Error> {
        Program::new(self, device, outputs, false)
    }
}

impl<'g> Tensor<'g> {
    /// The value of this tensor: compiles it, runs it once and reads it.
    ///
    /// # Errors
    ///
    /// Those of [`compile`](Graph::compile) and [`run`](Program::run).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn eval(self, device: &Device, inputs: &[(&str, &dyn Feed)]) -> Result<Array, Error> {
        let program = self.graph.compile_pure(device, &[self])?;
        program.run(&Variables::new(0), inputs)?.read_blocking(0)
    }
}

impl Program {
    fn new(
        graph: &Graph,
        device: &Device,
        outputs: &[Tensor<'_>],
        effects: bool,
    ) -> Result<Self, Error> {
        graph.check()?;
        if outputs.iter().any(|t| !std::ptr::eq(t.graph, graph)) {
            let place = graph.place();
            return Err(GraphError::ForeignTensor { op: "compile", place }.into());
        }
        let mut ids: Vec<NodeId> = outputs.iter().map(|t| t.id).collect();
        let updates = graph.inner.borrow().effects.iter().map(|e| e.value).collect::<Vec<_>>();
        let needed = graph.needed(&[ids.as_slice(), if effects { &updates } else { &[] }].concat());
        let mut watched = Vec::new();
        for (name, &id) in &graph.inner.borrow().watched {
            if needed[id.index()] {
                watched.push(name.clone());
                ids.push(id);
            }
        }
        let watched: Arc<[String]> = watched.into();
        let outputs = ids.iter().map(|&id| graph.meta(id)).collect();
        let checks_finite = graph.inner.borrow().checks_finite;
        if let Device::Reference = device {
            let program = reference::ReferenceProgram::new(graph, &ids, effects)?;
            let inputs = program.inputs();
            return Ok(Program {
                indexed: Indexed::new(graph, &needed, &inputs),
                inputs,
                outputs,
                watched,
                checks_finite,
                plan: None,
                backend: Backend::Reference(Box::new(program)),
            });
        }
        let (rewritten, ids) = rewrite::run(graph, &ids, effects)?;
        let plan = Arc::new(Plan { checks_finite, ..schedule::plan(&rewritten, &ids) });
        let backend = match device {
            Device::Cpu(cpu) => Backend::Cpu(Box::new(cpu::CpuProgram::new(cpu, plan.clone())?)),
            Device::Gpu(gpu) => Backend::Gpu(Box::new(gpu::GpuProgram::new(gpu, plan.clone())?)),
            Device::Reference => unreachable!("returned above"),
        };
        let inputs = plan.inputs.clone();
        let indexed = Indexed::new(graph, &needed, &inputs);
        let plan = Some(plan);
        Ok(Program { inputs, outputs, watched, indexed, checks_finite, plan, backend })
    }

    /// What is computed in which order and where it lives; `None` on the reference device, which
    /// interprets the graph.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// Every dispatch of the program as a GPU executes it, whatever device it was compiled for:
    /// one compiled for the CPU shows its shaders where there is no adapter. None for the reference
    /// device, which has no plan.
    pub fn shaders(&self) -> Vec<gpu::Assembly> {
        self.plan.as_deref().map(gpu::assemble_plan).unwrap_or_default()
    }

    /// Names and types of the inputs, in order of name.
    pub fn inputs(&self) -> &[(String, Meta)] {
        &self.inputs
    }

    /// Types of the outputs.
    pub fn outputs(&self) -> &[Meta] {
        &self.outputs[..self.outputs.len() - self.watched.len()]
    }

    /// Names of the watched tensors that take part: see [`Graph::watch`].
    pub fn watched(&self) -> &[String] {
        &self.watched
    }

    /// Makes the missing variables and moves all to the device, with everything else that the
    /// first run would make: after it a run creates no buffer, bind group or pipeline.
    ///
    /// # Errors
    ///
    /// [`VariableError`](crate::VariableError), [`DeviceError`](crate::DeviceError).
    pub fn prepare(&self, variables: &Variables) -> Result<(), Error> {
        let mut store = variables.lock();
        match &self.backend {
            Backend::Reference(program) => program.prepare(&mut store),
            Backend::Cpu(program) => program.prepare(&mut store),
            Backend::Gpu(program) => program.prepare(&mut store),
        }
    }

    /// Runs once. On a GPU this only submits: the results are on their way when it returns.
    ///
    /// # Errors
    ///
    /// [`RunError`] where the inputs are not those of the program, or hold indices out of range,
    /// [`VariableError`](crate::VariableError) where the store's variables are not, and whatever
    /// the device has reported since the last run. [`RunError::NotFinite`] where the program looks
    /// for that: what earlier steps assigned to variables may stay.
    pub fn run(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<Outputs, Error> {
        let fed = self.feeds(inputs)?;
        self.indexed.check(&self.inputs, &fed)?;
        let mut store = variables.lock();
        if self.checks_finite
            && let Some(plan) = &self.plan
        {
            check_sources(plan, &mut store, &fed)?;
        }
        let values = match &self.backend {
            Backend::Reference(program) => {
                let values = program.run(&mut store, &fed, self.checks_finite)?;
                values.into_iter().map(|value| Data::Exact(Arc::new(value))).collect::<Vec<_>>()
            }
            Backend::Cpu(program) => {
                let values = program.run(&mut store, &fed)?;
                values.into_iter().map(Data::Cpu).collect()
            }
            Backend::Gpu(program) => {
                program.run(&mut store, &fed)?.into_iter().map(Data::Gpu).collect()
            }
        };
        Ok(Outputs::new(&self.outputs, values, self.watched.clone()))
    }

    /// Runs once, waits for the results, and says how long that took.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run_timed(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<(Outputs, RunTime), Error> {
        let begin = Instant::now();
        let Backend::Gpu(program) = &self.backend else {
            let outputs = self.run(variables, inputs)?;
            return Ok((outputs, RunTime { wall: begin.elapsed(), device: None }));
        };
        let fed = self.feeds(inputs)?;
        self.indexed.check(&self.inputs, &fed)?;
        let (values, wall, device) = program.run_timed(&mut variables.lock(), &fed)?;
        let values = values.into_iter().map(Data::Gpu).collect();
        let outputs = Outputs::new(&self.outputs, values, self.watched.clone());
        Ok((outputs, RunTime { wall, device }))
    }

    /// The inputs in the order of the program.
    fn feeds<'a>(&self, given: &[(&str, &'a dyn Feed)]) -> Result<Vec<Fed<'a>>, Error> {
        let mut by_name: BTreeMap<&str, Fed<'a>> = BTreeMap::new();
        for (name, feed) in given {
            let Some((_, expected)) = self.inputs.iter().find(|(known, _)| known == name) else {
                return Err(RunError::UnknownInput((*name).to_owned()).into());
            };
            let fed = feed.feed();
            if fed.meta() != expected {
                return Err(RunError::InputMismatch {
                    name: (*name).to_owned(),
                    expected: expected.clone(),
                    is: fed.meta().clone(),
                }
                .into());
            }
            if by_name.insert(name, fed).is_some() {
                return Err(RunError::RepeatedInput((*name).to_owned()).into());
            }
        }
        let find = |(name, _): &(String, Meta)| {
            by_name.get(name.as_str()).copied().ok_or_else(|| RunError::MissingInput(name.clone()))
        };
        Ok(self.inputs.iter().map(find).collect::<Result<_, _>>()?)
    }
}

/// Looks for NaN and infinity in what there is before the run. What lives on the device was made by
/// a step, which was looked at.
fn check_sources(plan: &Plan, store: &mut Store, fed: &[Fed<'_>]) -> Result<(), Error> {
    for ((name, meta), fed) in plan.inputs.iter().zip(fed) {
        if let Fed::Host(array) = fed {
            NotFinite::refuse(format_args!("input {name:?}"), meta.dtype, array.words())?;
        }
    }
    store.ensure(&plan.variables)?;
    for (path, declaration) in &plan.variables {
        let (what, value) = (format_args!("variable {path:?}"), store.get(path)?);
        NotFinite::refuse(what, declaration.meta.dtype, value.words())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_programs_and_results() {
        fn is_shared<T: Send + Sync + 'static>() {}
        is_shared::<Program>();
        is_shared::<Outputs>();
        is_shared::<Variables>();
        is_shared::<Device>();
    }
}
