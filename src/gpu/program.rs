//! A plan made ready for a device.

use super::{
    assemble::{Assembly, Binding, BindingKind},
    bindings::{Bindings, Homes},
    detour,
    device::GpuDevice,
    elements::bytes_of,
    guard,
    memory::Home,
    pipelines::Pipeline,
    placement::{Tenancy, Visit},
    reduction::partial_bytes,
    stopwatch::Stopwatch,
    uploads::{IN_FLIGHT, Uploads},
    values::OutputSet,
};
use crate::{
    backend::{Backend, Compiled, Executable, Results, RunTime},
    dtype::DType,
    error::{CompileError, Error},
    graph::{Graph, NodeId},
    ops::lowering::Cost,
    schedule::{
        expr::Body,
        plan::{Plan, Region, Step, StepKind},
    },
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// A program on a GPU.
#[derive(Debug)]
pub(crate) struct GpuProgram {
    pub(super) device: GpuDevice,
    pub(super) plan: Arc<Plan>,
    pub(super) commands: Vec<Command>,
    /// The commands of each submission.
    pub(super) submissions: Vec<Range<usize>>,
    /// Where NaN is looked for: steps, and the command after which they are done.
    pub(super) looked_at: BTreeMap<usize, (usize, Step)>,
    pub(super) uniforms: wgpu::Buffer,
    slots: Vec<Home>,
    /// Made when a run is timed for the first time.
    pub(super) stopwatch: Mutex<Option<Option<Stopwatch>>>,
    state: Mutex<State>,
}

/// What a program records.
#[derive(Debug)]
pub(super) enum Command {
    Dispatch(Dispatch),
    Copy { label: String, from: Region, to: Region },
}

/// A dispatch.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub label: String,
    pub pipeline: Arc<Pipeline>,
    pub workgroups: [u32; 3],
    pub bindings: Vec<Binding>,
    /// By group: where its uniforms are, in bytes.
    pub uniforms: [Range<usize>; 2],
}

/// What changes from run to run.
#[derive(Debug)]
pub(super) struct State {
    tenancy: Tenancy,
    pub uploads: Option<Uploads>,
    pub outputs: Vec<Arc<OutputSet>>,
    pub bindings: Bindings,
    pub in_flight: VecDeque<wgpu::SubmissionIndex>,
}

impl GpuProgram {
    /// Chooses shaders that are proved, compiles them and makes the memory of a plan.
    ///
    /// # Errors
    ///
    /// [`CompileError`] where the device cannot run it; a
    /// [`DeviceError`](crate::DeviceError) where there is not enough memory.
    pub fn new(device: &GpuDevice, plan: Arc<Plan>) -> Result<Self, Error> {
        Self::with(device, plan, |steps, partials| device.trusted(steps, partials))
    }

    /// As [`new`](Self::new), with the dispatches that `choose` makes of the steps and the slot of
    /// partial results.
    pub(super) fn with(
        device: &GpuDevice,
        plan: Arc<Plan>,
        choose: impl FnOnce(&[Step], usize) -> Result<Vec<Vec<Assembly>>, Error>,
    ) -> Result<Self, Error> {
        device.shared.faults.check()?;
        check_types(device, &plan)?;
        let bindable = detour::bindable(&plan);
        let partials = bindable.slots.len();
        let mut slots = bindable.slots;
        slots.push(0);
        let mut uniforms = Uniforms::new(device);
        let mut commands = Vec::new();
        let mut costs = Vec::new();
        let mut looked_at = BTreeMap::new();
        let chosen = choose(&bindable.steps, partials)?;
        let steps = bindable.numbers.iter().zip(&bindable.steps);
        for ((&number, step), assemblies) in steps.zip(chosen) {
            if let StepKind::Copy = step.kind {
                if step.writes[0].len > 0 {
                    let (from, to) = (step.reads[0], step.writes[0]);
                    commands.push(Command::Copy { label: step.label.clone(), from, to });
                    costs.push(step.cost);
                }
                continue;
            }
            slots[partials] = slots[partials].max(partial_bytes(&assemblies, partials));
            for (index, assembly) in assemblies.into_iter().enumerate() {
                check_bindings(device, &assembly)?;
                commands.push(Command::Dispatch(Dispatch {
                    pipeline: device.pipeline(&assembly)?,
                    uniforms: uniforms.push(&assembly),
                    label: assembly.label,
                    workgroups: assembly.workgroups,
                    bindings: assembly.bindings,
                }));
                costs.push(if index == 0 { step.cost } else { Cost::default() });
            }
            if plan.checks_finite && step.writes.iter().any(|write| write.len > 0) {
                looked_at.insert(commands.len() - 1, (number, step.clone()));
            }
        }
        let state = State {
            tenancy: Tenancy::new(&plan, &commands),
            uploads: None,
            outputs: Vec::new(),
            bindings: Bindings::default(),
            in_flight: VecDeque::new(),
        };
        Ok(GpuProgram {
            submissions: split(&costs, device.is_guarded || plan.checks_finite),
            looked_at,
            slots: guard::slots(device, &slots)?,
            uniforms: device.uniforms(&uniforms.bytes)?,
            device: device.clone(),
            plan,
            commands,
            stopwatch: Mutex::default(),
            state: Mutex::new(state),
        })
    }

    fn has_dispatches(&self) -> bool {
        self.commands.iter().any(|command| matches!(command, Command::Dispatch(_)))
    }

    /// Makes the bind groups for every set of results, so that no later run makes any.
    pub(super) fn bind_all(&self, state: &mut State, homes: &Homes) {
        let State { outputs, bindings, .. } = state;
        let mut homes = homes.clone();
        for set in outputs {
            homes.outputs.clone_from(&set.homes);
            bindings.of(&self.device, &self.uniforms, &self.commands, &homes);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Places the variables, makes inputs and results where that was not done, and says where
    /// everything is but for the results, and which variables have stand-ins.
    pub(super) fn ready(
        &self,
        state: &mut State,
        store: &mut Store,
    ) -> Result<(Homes, Vec<Visit>), Error> {
        let placement = state.tenancy.place(&self.device, &self.plan, store)?;
        let uploads = match &mut state.uploads {
            Some(uploads) => uploads,
            none => none.insert(Uploads::new(&self.device, &self.plan.inputs)?),
        };
        while state.outputs.len() < IN_FLIGHT {
            state.outputs.push(Arc::new(OutputSet::new(&self.device, &self.plan.outputs)?));
        }
        let homes = Homes {
            slots: self.slots.clone(),
            inputs: uploads.homes.clone(),
            variables: placement.variables,
            arenas: placement.arenas,
            outputs: Vec::new(),
        };
        Ok((homes, placement.visits))
    }
}

impl Executable for GpuProgram {
    fn inputs(&self) -> &[(String, Meta)] {
        &self.plan.inputs
    }

    /// After this a run creates no buffer, bind group or pipeline.
    fn prepare(&self, store: &mut Store) -> Result<(), Error> {
        self.device.shared.faults.check()?;
        let mut state = self.lock();
        let (homes, _) = self.ready(&mut state, store)?;
        state.bindings.forget_the_dead();
        self.bind_all(&mut state, &homes);
        self.device.shared.faults.check()
    }

    /// Submits; the results are on their way when this returns.
    fn run(&self, store: &mut Store, inputs: &[Fed<'_>]) -> Result<Results, Error> {
        self.run_watched(store, inputs, None)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn run_timed(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
    ) -> Result<(Results, RunTime), Error> {
        let mut watch = self.stopwatch.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = match &mut *watch {
            Some(watch) => watch,
            // Where nothing is dispatched, nothing writes the readings.
            none => none.insert(match self.has_dispatches() {
                true => Stopwatch::new(&self.device)?,
                false => None,
            }),
        };
        let begin = Instant::now();
        let results = self.run_watched(store, inputs, watch.as_ref())?;
        let Some(submission) = self.lock().in_flight.back().cloned() else {
            return Ok((results, RunTime { wall: begin.elapsed(), device: None }));
        };
        self.device.wait(submission.clone())?;
        let wall = begin.elapsed();
        let device = match watch {
            Some(watch) => watch.read(&self.device, submission)?,
            None => None,
        };
        Ok((results, RunTime { wall, device }))
    }
}

impl Backend for GpuDevice {
    fn name(&self) -> String {
        self.name()
    }

    fn kind(&self) -> &'static str {
        self.kind()
    }

    fn interpret(&self, _: &Graph, _: &[NodeId], _: bool) -> Option<Compiled> {
        None
    }

    fn compile(&self, plan: Arc<Plan>) -> Compiled {
        Ok(Box::new(GpuProgram::new(self, plan)?))
    }
}

/// The uniforms of all dispatches, in one buffer.
struct Uniforms {
    bytes: Vec<u8>,
    alignment: usize,
}

impl Uniforms {
    fn new(device: &GpuDevice) -> Self {
        let alignment = device.shared.limits.min_uniform_buffer_offset_alignment as usize;
        Uniforms { bytes: Vec::new(), alignment: alignment.max(16) }
    }

    fn push(&mut self, assembly: &Assembly) -> [Range<usize>; 2] {
        [&assembly.params, &assembly.slot_params].map(|block| {
            let start = self.bytes.len().next_multiple_of(self.alignment);
            // Some interfaces see uniforms in units of 16 bytes.
            let end = start + block.len().next_multiple_of(16);
            self.bytes.resize(start, 0);
            self.bytes.extend_from_slice(block);
            self.bytes.resize(end, 0);
            start..end
        })
    }
}

/// Whether anything is in halves that a device without them has to compute: what is stored depends on
/// what was fused, so that it counts too where nothing is.
fn check_types(device: &GpuDevice, plan: &Plan) -> Result<(), Error> {
    if device.has(DType::F16) {
        return Ok(());
    }
    let refuse = |op| {
        let device = device.name();
        Err(CompileError::Unsupported { op, dtype: DType::F16, device }.into())
    };
    let half = |region: &Region| region.dtype == DType::F16;
    for step in &plan.steps {
        if step.reads.iter().chain(&step.writes).any(half) || calculates_in_half(step) {
            return refuse(match &step.kind {
                StepKind::Kernel { kernel, .. } => kernel.shaders[0].name,
                StepKind::Reduce { function, .. } => function.name(),
                StepKind::Map { .. } => "map",
                StepKind::Copy => "copy",
            });
        }
    }
    if plan.inputs.iter().any(|(_, meta)| meta.dtype == DType::F16) {
        return refuse("input");
    }
    if plan.variables.iter().any(|(_, variable)| variable.meta.dtype == DType::F16) {
        return refuse("variable");
    }
    Ok(())
}

fn calculates_in_half(step: &Step) -> bool {
    let half = |body: &Body| body.terms.iter().any(|(_, dtype)| *dtype == DType::F16);
    match &step.kind {
        StepKind::Map { body, .. } => half(body),
        StepKind::Reduce { body, epilogue, .. } => half(body) || half(&epilogue.body),
        StepKind::Kernel { dtype, epilogue, .. } => *dtype == DType::F16 || half(&epilogue.body),
        StepKind::Copy => false,
    }
}

/// What is bound must be within the limits of the device.
fn check_bindings(device: &GpuDevice, assembly: &Assembly) -> Result<(), Error> {
    let limit = device.shared.limits.max_storage_buffer_binding_size;
    for region in assembly.bindings.iter().filter_map(|binding| binding.region) {
        let bytes = bytes_of(region.len, region.dtype);
        if bytes > limit {
            let tensor = format!("a tensor of {}", assembly.label);
            return Err(CompileError::BindingTooLarge { tensor, bytes, limit }.into());
        }
    }
    let buffers = assembly.bindings.iter().filter(|b| b.kind != BindingKind::Uniform).count();
    let offered = device.shared.limits.max_storage_buffers_per_shader_stage as usize;
    if buffers > offered {
        return Err(CompileError::Shader {
            shader: format!("{} ({})", assembly.shader, assembly.label),
            message: format!("it binds {buffers} storage buffers, the device offers {offered}"),
        }
        .into());
    }
    Ok(())
}

/// Cuts commands into submissions of about half a second on a slow device, so that none comes
/// near the two seconds after which systems reset a GPU; one each where every step is checked.
fn split(costs: &[Cost], one_by_one: bool) -> Vec<Range<usize>> {
    let mut submissions = Vec::new();
    let (mut start, mut seconds) = (0, 0.0);
    for (index, cost) in costs.iter().enumerate() {
        let own = cost.flops / 10e9 + cost.bytes / 5e9;
        if index > start && (one_by_one || seconds + own > 0.5) {
            submissions.push(start..index);
            (start, seconds) = (index, 0.0);
        }
        seconds += own;
    }
    submissions.push(start..costs.len());
    submissions
}
