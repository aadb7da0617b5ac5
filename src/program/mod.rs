//! Programs: compiled once, run many times.

mod cache;
mod debug;
mod indices;
mod requested;

pub use cache::{Inputs, Programs};
pub(crate) use indices::reads_whole_rows;
pub use requested::IntoOutputs;

use crate::{
    array::Array,
    backend::{Backend, Executable, RunTime},
    device::Device,
    error::{CompileError, Error, GraphError, NotFinite, RunError},
    gpu,
    graph::{Effect, Graph, Inner, NodeId, Tensor},
    ops::Op,
    rewrite::{self, Grads, Target},
    schedule::{self, plan::Plan},
    shape::Meta,
    value::{Fed, Feed, Outputs, Returned},
    variables::{Store, Variables},
};
use indices::IndexInputs;
use requested::Requested;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A graph compiled for a device. It borrows nothing, and is `Send` and `Sync`: threads that share it
/// run it one after another, each with its own variables or over one store.
///
/// It belongs to the handle of the device it was compiled for. If that one is lost, its runs are
/// [`DeviceError::Lost`](crate::DeviceError::Lost), and it is compiled again for another.
pub struct Program {
    returned: Arc<Returned>,
    /// Name of the device that it was compiled for.
    device: String,
    /// All inputs of the graph, ordered by name, whether they are needed or not.
    declared: Vec<(String, Meta)>,
    indexed: IndexInputs,
    checks_finite: bool,
    /// Paths of the variables that a run assigns.
    assigned: BTreeSet<String>,
    plan: Option<Arc<Plan>>,
    executable: Box<dyn Executable>,
}

impl Graph {
    /// Compiles a program that computes `outputs` and applies the effects of the graph.
    ///
    /// Outputs have positions, and names if they are given some, as inputs have:
    ///
    /// ```
    /// use wgrad::{Array, DType, Device, Graph, Variables};
    ///
    /// let graph = Graph::new();
    /// let x = graph.input("x", [2], DType::F32);
    /// let outputs = &[("sum", x.sum(..)), ("squares", x * x)];
    /// let program = graph.compile(&Device::cpu(), outputs)?;
    /// let outputs = program.run(&Variables::new(0), &[("x", &Array::from([3.0f32, 4.0]))])?;
    /// assert_eq!(outputs.scalar("sum")?, 7.0);
    /// assert_eq!(outputs.read_blocking("squares")?, Array::from([9.0f32, 16.0]));
    /// assert_eq!(outputs.scalar(0)?, 7.0);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first error of the graph; [`CompileError::RepeatedOutput`] for a name that is given
    /// twice; another [`CompileError`] if the device cannot run it.
    #[doc(alias("torch.compile", "tf.function"))]
    pub fn compile<'g>(
        &'g self,
        device: &Device,
        outputs: impl IntoOutputs<'g>,
    ) -> Result<Program, Error> {
        Program::new(self, device, outputs.requested(), true)
    }

    /// Compiles a program that computes `outputs` and leaves every variable unchanged.
    ///
    /// # Errors
    ///
    /// Same as [`compile`](Self::compile).
    #[doc(alias("no_grad", "inference_mode"))]
    pub fn compile_pure<'g>(
        &'g self,
        device: &Device,
        outputs: impl IntoOutputs<'g>,
    ) -> Result<Program, Error> {
        Program::new(self, device, outputs.requested(), false)
    }
}

impl<'g> Tensor<'g> {
    /// Evaluates this tensor: compiles it, runs it once and reads the result.
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

/// The plan of a graph for a device, which is not compiled. That of the reference device, which has none,
/// is the plan of the CPU.
///
/// # Errors
///
/// The first error of the graph.
pub(crate) fn planned(
    graph: &Graph,
    device: &Device,
    outputs: &[Tensor<'_>],
    effects: bool,
) -> Result<Plan, Error> {
    graph.check()?;
    let ids: Vec<NodeId> = outputs.iter().map(|output| output.id).collect();
    match device {
        Device::Reference => plan(graph, Device::cpu().backend(), &ids, effects),
        device => plan(graph, device.backend(), &ids, effects),
    }
}

fn plan(
    graph: &Graph,
    backend: &dyn Backend,
    outputs: &[NodeId],
    effects: bool,
) -> Result<Plan, Error> {
    let units = backend.matrix_units();
    let planned = |grads| {
        let target = Target { units: &units, grads };
        let (rewritten, outputs) = rewrite::run(graph, outputs, effects, target)?;
        Ok::<_, Error>(schedule::plan(&rewritten, &outputs, backend.half_bytes()))
    };
    let grads = if backend.pairs_grads() { Grads::Together } else { Grads::Reduced };
    let plan = planned(grads)?;
    // Two kernels would do the work of the one twice.
    if schedule::siblings::are_apart(&plan) { planned(Grads::Apart) } else { Ok(plan) }
}

impl Program {
    fn new(
        graph: &Graph,
        device: &Device,
        Requested { tensors, names }: Requested<'_>,
        effects: bool,
    ) -> Result<Self, Error> {
        graph.check()?;
        if tensors.iter().any(|t| !std::ptr::eq(t.graph, graph)) {
            let place = graph.place();
            return Err(GraphError::ForeignTensor { op: "compile", place }.into());
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(*name)).cloned() {
            return Err(CompileError::RepeatedOutput { name, names }.into());
        }
        let mut ids: Vec<NodeId> = tensors.iter().map(|t| t.id).collect();
        let updates = graph.inner.borrow().effects.iter().map(|e| e.value).collect::<Vec<_>>();
        let needed = graph.needed(&[ids.as_slice(), if effects { &updates } else { &[] }].concat());
        let mut watched = Vec::new();
        for (name, &id) in &graph.inner.borrow().watched {
            if needed[id.index()] {
                watched.push(name.clone());
                ids.push(id);
            }
        }
        let metas = ids.iter().map(|&id| graph.meta(id)).collect();
        let returned = Arc::new(Returned { metas, names, watched });
        let checks_finite = graph.inner.borrow().checks_finite;
        let backend = device.backend();
        let (plan, executable) = match backend.interpret(graph, &ids, effects) {
            Some(executable) => (None, executable?),
            None => {
                let plan = plan(graph, backend, &ids, effects)?;
                let plan = Arc::new(Plan { checks_finite, ..plan });
                (Some(plan.clone()), backend.compile(plan)?)
            }
        };
        let indexed = IndexInputs::new(graph, &needed, executable.inputs())?;
        let inner = graph.inner.borrow();
        let meta = |(name, &id): (&String, &NodeId)| (name.clone(), graph.meta(id));
        let declared = inner.inputs.iter().map(meta).collect();
        let assigned = match effects {
            true => inner.effects.iter().filter_map(|effect| path_of(effect, &inner)).collect(),
            false => BTreeSet::new(),
        };
        let device = device.name();
        log::debug!("compiled a program of {} nodes for {device}", graph.len());
        Ok(Program {
            returned,
            device,
            declared,
            indexed,
            checks_finite,
            assigned,
            plan,
            executable,
        })
    }

    /// The execution plan; `None` on the reference device, which interprets the graph.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// Every dispatch of the program as a GPU executes it, regardless of the device it was compiled
    /// for: one compiled for the CPU shows its shaders without an adapter. Empty for the reference
    /// device, which has no plan.
    pub fn shaders(&self) -> Vec<gpu::Assembly> {
        self.dispatches().into_iter().map(|(_, assembly)| assembly).collect()
    }

    /// Every dispatch in each variant of its kernel: a GPU gets the first, which is in
    /// [`shaders`](Self::shaders) too, and where that is wrong the next.
    pub fn shader_variants(&self) -> Vec<gpu::Assembly> {
        self.plan.as_deref().map(gpu::assemble_variants).unwrap_or_default()
    }

    /// The dispatches of one step of the [`plan`](Self::plan); none for a copy.
    ///
    /// # Errors
    ///
    /// [`RunError::NotPlanned`] for a program of the reference device; [`RunError::NoStep`].
    pub fn shaders_of(&self, step: usize) -> Result<Vec<gpu::Assembly>, Error> {
        let len = self.plan().ok_or(RunError::NotPlanned)?.len();
        if step >= len {
            return Err(RunError::NoStep { step, len }.into());
        }
        let dispatches = self.dispatches().into_iter().filter(|(number, _)| *number == step);
        Ok(dispatches.map(|(_, assembly)| assembly).collect())
    }

    fn dispatches(&self) -> Vec<(usize, gpu::Assembly)> {
        self.plan.as_deref().map(gpu::assemble_plan).unwrap_or_default()
    }

    /// Names and types of the inputs that the program needs, ordered by name.
    pub fn inputs(&self) -> &[(String, Meta)] {
        self.executable.inputs()
    }

    /// Types of the outputs.
    pub fn outputs(&self) -> &[Meta] {
        self.returned.requested()
    }

    /// Names of the outputs, in their order; empty if they have none.
    pub fn output_names(&self) -> &[String] {
        &self.returned.names
    }

    /// Names of the watched tensors that the program computes: see [`Graph::watch`].
    pub fn watched(&self) -> &[String] {
        &self.returned.watched
    }

    /// Paths of the variables that a run assigns.
    pub(crate) fn assigned(&self) -> &BTreeSet<String> {
        &self.assigned
    }

    /// Initializes missing variables and moves all to the device, along with everything else that
    /// the first run would allocate: after it a run creates no buffer, bind group or pipeline.
    ///
    /// # Errors
    ///
    /// [`VariableError`](crate::VariableError), [`DeviceError`](crate::DeviceError).
    pub fn prepare(&self, variables: &Variables) -> Result<(), Error> {
        self.executable.prepare(&mut variables.lock())
    }

    /// Runs once. On a GPU this only submits: the results may still be in flight when it returns.
    ///
    /// Inputs that the graph declares and the program does not need may be given, so that one batch
    /// feeds programs with different outputs.
    ///
    /// # Errors
    ///
    /// [`RunError`] if the inputs do not match those of the program, or hold indices out of range,
    /// [`VariableError`](crate::VariableError) if the variables do not match those of the store,
    /// and any fault the device has reported since the last run. [`RunError::NotFinite`] if the
    /// program checks for it: values already assigned to variables by earlier steps may remain.
    #[doc(alias = "use_deterministic_algorithms")]
    pub fn run(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<Outputs, Error> {
        let fed = self.checked(inputs)?;
        let mut store = variables.lock();
        self.check_finite(&mut store, &fed)?;
        store.assigns(&self.assigned);
        let results = self.executable.run(&mut store, &fed)?;
        Ok(Outputs::new(&self.returned, results))
    }

    /// Runs once, waits for the results, and returns the elapsed time.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run).
    #[doc(alias = "cuda.Event")]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run_timed(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<(Outputs, RunTime), Error> {
        let fed = self.checked(inputs)?;
        let mut store = variables.lock();
        self.check_finite(&mut store, &fed)?;
        store.assigns(&self.assigned);
        let (results, time) = self.executable.run_timed(&mut store, &fed)?;
        Ok((Outputs::new(&self.returned, results), time))
    }

    /// The inputs in the order of the program, if they match its declarations.
    fn checked<'a>(&self, given: &[(&str, &'a dyn Feed)]) -> Result<Vec<Fed<'a>>, Error> {
        let fed = self.feeds(given)?;
        self.indexed.check(self.inputs(), &fed)?;
        Ok(fed)
    }

    /// Checks the indices in all rows that batches will be drawn from, given by the name of the input.
    ///
    /// # Errors
    ///
    /// [`RunError::IndexOutOfRange`].
    pub(crate) fn check_rows<'a>(
        &self,
        rows: impl Fn(&str) -> Option<&'a Array>,
    ) -> Result<(), RunError> {
        self.indexed.check_rows(self.inputs(), rows)
    }

    /// Checks inputs and variables for NaN and infinity before the run, if the program is so
    /// compiled. Inputs on the device come from a step that was already checked; the reference
    /// device does its own checks.
    fn check_finite(&self, store: &mut Store, fed: &[Fed<'_>]) -> Result<(), Error> {
        let Some(plan) = self.plan.as_ref().filter(|_| self.checks_finite) else { return Ok(()) };
        for ((name, meta), fed) in plan.inputs.iter().zip(fed) {
            if let Fed::Host(array) = fed {
                NotFinite::refuse(format_args!("input {name:?}"), meta.dtype, array.words())
                    .map_err(RunError::from)?;
            }
        }
        store.ensure(&plan.variables)?;
        for (path, declaration) in &plan.variables {
            let (what, value) = (format_args!("variable {path:?}"), store.get(path)?);
            NotFinite::refuse(what, declaration.meta.dtype, value.words())
                .map_err(RunError::from)?;
        }
        Ok(())
    }

    /// The inputs in the order of the program. Others that the graph declares may be given.
    pub(crate) fn feeds<'a>(&self, given: &[(&str, &'a dyn Feed)]) -> Result<Vec<Fed<'a>>, Error> {
        let mut by_name: BTreeMap<&str, Fed<'a>> = BTreeMap::new();
        for (name, feed) in given {
            let Some(expected) = meta_of(&self.declared, name) else {
                let known = self.declared.iter().map(|(name, _)| name.clone()).collect();
                return Err(RunError::UnknownInput { name: (*name).to_owned(), known }.into());
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
        let find = |(name, expected): &(String, Meta)| {
            by_name.get(name.as_str()).copied().ok_or_else(|| RunError::MissingInput {
                name: name.clone(),
                expected: expected.clone(),
            })
        };
        Ok(self.inputs().iter().map(find).collect::<Result<_, _>>()?)
    }
}

/// Path of the variable that is assigned.
fn path_of(effect: &Effect, inner: &Inner) -> Option<String> {
    match &inner.nodes[effect.variable.index()].op {
        Op::Variable(variable) => Some(variable.path.clone()),
        _ => None,
    }
}

/// The type of the input with this name, among inputs ordered by name.
fn meta_of<'i>(inputs: &'i [(String, Meta)], name: &str) -> Option<&'i Meta> {
    let known = inputs.binary_search_by(|(known, _)| known.as_str().cmp(name));
    known.ok().map(|position| &inputs[position].1)
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
