//! Programs: compiled once, run many times, and the values that come out.

use crate::{
    array::Array,
    cpu,
    device::Device,
    error::{Error, RunError},
    gpu,
    graph::{Graph, Tensor},
    indices::Indexed,
    reference::{self, Array64},
    rewrite,
    schedule::{self, Plan},
    shape::Meta,
    variables::Variables,
};
use std::{collections::BTreeMap, sync::Arc};

/// A graph made ready for a device. It borrows nothing, and threads may share it or hand it on.
#[derive(Debug)]
pub struct Program {
    inputs: Vec<(String, Meta)>,
    outputs: Vec<Meta>,
    indexed: Indexed,
    plan: Option<Arc<Plan>>,
    backend: Backend,
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
        let ids: Vec<_> = outputs.iter().map(|t| t.id).collect();
        if outputs.iter().any(|t| !std::ptr::eq(t.graph, graph)) {
            let place = graph.place();
            return Err(crate::error::GraphError::ForeignTensor { op: "compile", place }.into());
        }
        let metas = outputs.iter().map(|t| t.meta()).collect();
        let updates = graph.inner.borrow().effects.iter().map(|e| e.value).collect::<Vec<_>>();
        let needed = graph.needed(&[ids.as_slice(), if effects { &updates } else { &[] }].concat());
        if let Device::Reference = device {
            let program = reference::ReferenceProgram::new(graph, &ids, effects);
            let inputs = program.inputs();
            return Ok(Program {
                indexed: Indexed::new(graph, &needed, &inputs),
                inputs,
                outputs: metas,
                plan: None,
                backend: Backend::Reference(Box::new(program)),
            });
        }
        let (rewritten, ids) = rewrite::run(graph, &ids, effects)?;
        let plan = Arc::new(schedule::plan(&rewritten, &ids));
        let backend = match device {
            Device::Cpu(cpu) => Backend::Cpu(Box::new(cpu::CpuProgram::new(cpu, plan.clone())?)),
            Device::Gpu(gpu) => Backend::Gpu(Box::new(gpu::GpuProgram::new(gpu, plan.clone())?)),
            Device::Reference => unreachable!("returned above"),
        };
        let inputs = plan.inputs.clone();
        let indexed = Indexed::new(graph, &needed, &inputs);
        Ok(Program { inputs, indexed, outputs: metas, plan: Some(plan), backend })
    }

    /// What is computed in which order and where it lives; `None` on the reference device, which
    /// interprets the graph.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// Names and types of the inputs, in order of name.
    pub fn inputs(&self) -> &[(String, Meta)] {
        &self.inputs
    }

    /// Types of the outputs.
    pub fn outputs(&self) -> &[Meta] {
        &self.outputs
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
    /// the device has reported since the last run.
    pub fn run(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<Outputs, Error> {
        let fed = self.feeds(inputs)?;
        self.indexed.check(&self.inputs, &fed)?;
        let mut store = variables.lock();
        let values = match &self.backend {
            Backend::Reference(program) => {
                let values = program.run(&mut store, &fed)?;
                values.into_iter().map(|value| Data::Exact(Arc::new(value))).collect::<Vec<_>>()
            }
            Backend::Cpu(program) => {
                let values = program.run(&mut store, &fed)?;
                values.into_iter().map(|words| Data::Cpu(Arc::new(words))).collect()
            }
            Backend::Gpu(program) => {
                program.run(&mut store, &fed)?.into_iter().map(Data::Gpu).collect()
            }
        };
        let metas = self.outputs.iter().cloned();
        Ok(Outputs(metas.zip(values).map(|(meta, data)| Value { meta, data }).collect()))
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

/// Something an input can be given as: an [`Array`], or a [`Value`] of an earlier run.
pub trait Feed: sealed::Sealed {
    /// The value, wherever it is.
    fn feed(&self) -> Fed<'_>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Array {}
    impl Sealed for crate::Value {}
}

/// A value for an input, wherever it is.
#[derive(Clone, Copy, Debug)]
pub enum Fed<'a> {
    /// On the host.
    Host(&'a Array),
    /// On the device that computed it.
    Device(&'a Value),
}

impl Fed<'_> {
    /// Its shape and element type.
    pub fn meta(&self) -> &Meta {
        match self {
            Fed::Host(array) => array.meta(),
            Fed::Device(value) => &value.meta,
        }
    }
}

impl Feed for Array {
    fn feed(&self) -> Fed<'_> {
        Fed::Host(self)
    }
}

impl Feed for Value {
    fn feed(&self) -> Fed<'_> {
        Fed::Device(self)
    }
}

/// A tensor on a device. Cloning it does not copy its elements.
#[derive(Clone, Debug)]
pub struct Value {
    meta: Meta,
    pub(crate) data: Data,
}

/// Where the elements are.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Exact(Arc<Array64>),
    Cpu(Arc<Vec<u32>>),
    Gpu(gpu::GpuValue),
}

impl Value {
    /// Shape and element type.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Waits for the elements and copies them to the host.
    ///
    /// # Errors
    ///
    /// A [`DeviceError`](crate::DeviceError) that occurred since it was submitted.
    pub async fn read(&self) -> Result<Array, Error> {
        match &self.data {
            Data::Exact(array) => array.to_array(),
            Data::Cpu(words) => Array::from_words(self.meta.clone(), words.as_ref().clone()),
            Data::Gpu(value) => Array::from_words(self.meta.clone(), value.read().await?),
        }
    }

    /// Blocks until the elements are there and copies them to the host.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Array, Error> {
        pollster::block_on(self.read())
    }

    /// As [`read_blocking`](Self::read_blocking), in f64: from the reference device, unrounded.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_f64(&self) -> Result<Vec<f64>, Error> {
        match &self.data {
            Data::Exact(array) => Ok(array.data.clone()),
            _ => Ok(self.read_blocking()?.to_f64()),
        }
    }
}

/// The results of a run, in the order they were asked for.
#[derive(Clone, Debug)]
pub struct Outputs(Vec<Value>);

impl Outputs {
    /// Result `index`.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`].
    pub fn get(&self, index: usize) -> Result<&Value, Error> {
        let len = self.0.len();
        self.0.get(index).ok_or_else(|| RunError::NoOutput { index, len }.into())
    }

    /// All of them.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// Waits for result `index` and copies it to the host.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`]; those of [`Value::read`].
    pub async fn read(&self, index: usize) -> Result<Array, Error> {
        self.get(index)?.read().await
    }

    /// Blocks until result `index` is there and copies it to the host.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`]; those of [`Value::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self, index: usize) -> Result<Array, Error> {
        self.get(index)?.read_blocking()
    }
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
