//! A program on a GPU and its runs: everything is prepared before the first run, so a run only
//! records and submits.

use super::{
    bindings::{Bindings, StorageMap},
    checks::{check_finite, check_guards},
    commands::Command,
    compile::{Recording, compile},
    placement::{Placer, Relocation},
    record::record,
    timestamps::Timestamps,
};
use crate::{
    backend::{Executable, Results, RunTime},
    error::{Error, RunError},
    gpu::{
        codegen::Assembly,
        device::GpuDevice,
        memory::{
            BufferSlice, GpuValue, OutputSet, Uploads, WorkgroupPoison, guard_bands, slice_on,
        },
    },
    schedule::plan::{Plan, Step},
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// A program on a GPU.
#[derive(Debug)]
pub(crate) struct GpuProgram {
    device: GpuDevice,
    plan: Arc<Plan>,
    recording: Recording,
    uniforms: wgpu::Buffer,
    slots: Vec<BufferSlice>,
    constants: Vec<BufferSlice>,
    /// Fills memory before a run, on a guarded device.
    poison: Option<wgpu::Buffer>,
    /// Fills workgroup memory before each submission, on a guarded device that runs trusted modules.
    workgroup_poison: Option<WorkgroupPoison>,
    /// Created when a run is timed for the first time.
    timestamps: Mutex<Option<Option<Timestamps>>>,
    state: Mutex<State>,
}

/// State that changes from run to run.
#[derive(Debug)]
pub(crate) struct State {
    placer: Placer,
    pub uploads: Option<Uploads>,
    pub outputs: Vec<Arc<OutputSet>>,
    pub bindings: Bindings,
    pub in_flight: VecDeque<wgpu::SubmissionIndex>,
}

impl GpuProgram {
    /// Compiles the dispatches that `choose` returns for the steps and the slot of partial results,
    /// and allocates the memory of a plan.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) if the device cannot run it; a
    /// [`DeviceError`](crate::DeviceError) if there is not enough memory.
    pub fn new(
        device: &GpuDevice,
        plan: Arc<Plan>,
        choose: impl FnOnce(&[Step], usize) -> Result<Vec<Vec<Assembly>>, Error>,
    ) -> Result<Self, Error> {
        device.shared.faults.check()?;
        device.attempt(|| {
            let recording = compile(device, &plan, choose)?;
            let state = State {
                placer: Placer::new(&plan, &recording.commands),
                uploads: None,
                outputs: Vec::new(),
                bindings: Bindings::default(),
                in_flight: VecDeque::new(),
            };
            let poison = device.is_guarded.then(|| guard_bands::poisoned(device)).transpose()?;
            // Modules with runtime checks begin with zeros, whatever was there.
            let workgroup_poison = (device.is_guarded && recording.has_trusted)
                .then(|| WorkgroupPoison::new(device))
                .transpose()?;
            Ok(GpuProgram {
                slots: guard_bands::slots(device, &recording.slots)?,
                constants: plan
                    .constants
                    .iter()
                    .map(|constant| device.constant(constant))
                    .collect::<Result<_, _>>()?,
                poison,
                workgroup_poison,
                uniforms: device.uniforms(&recording.uniforms)?,
                device: device.clone(),
                plan,
                recording,
                timestamps: Mutex::default(),
                state: Mutex::new(state),
            })
        })
    }

    fn has_dispatches(&self) -> bool {
        self.recording.commands.iter().any(|command| matches!(command, Command::Dispatch(_)))
    }

    /// Creates the bind groups for every set of results, so that no later run creates any.
    fn bind_all(&self, state: &mut State, storages: &StorageMap) {
        let State { outputs, bindings, .. } = state;
        let mut storages = storages.clone();
        for set in outputs {
            storages.outputs.clone_from(&set.slices);
            bindings.of(&self.device, &self.uniforms, &self.recording.commands, &storages);
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Places the variables and allocates inputs and results on first use; returns the location of
    /// everything except the results, and the variables with temporary copies.
    fn ready(
        &self,
        state: &mut State,
        store: &mut Store,
    ) -> Result<(StorageMap, Vec<Relocation>), Error> {
        let placement = state.placer.place(&self.device, &self.plan, store)?;
        let uploads = match &mut state.uploads {
            Some(uploads) => uploads,
            none => none.insert(Uploads::new(&self.device, &self.plan.inputs)?),
        };
        while state.outputs.len() < self.device.in_flight() {
            state.outputs.push(Arc::new(OutputSet::new(&self.device, &self.plan.outputs)?));
        }
        let storages = StorageMap {
            slots: self.slots.clone(),
            inputs: uploads.slices.clone(),
            constants: self.constants.clone(),
            variables: placement.variables,
            arenas: placement.arenas,
            outputs: Vec::new(),
        };
        Ok((storages, placement.relocations))
    }

    /// Submits one run; the results may still be in flight when this returns. Waits if as many runs
    /// as may be are already in flight. With `timestamps`, writes the start of the first and the
    /// end of the last dispatch.
    fn submit(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
        timestamps: Option<&Timestamps>,
    ) -> Result<Results, Error> {
        self.alone(|state| self.record_and_submit(state, store, inputs, timestamps))
    }

    /// Runs an operation on the state; an error of the device is that of the operation, and leaves
    /// nothing behind that would fail again.
    fn alone<T>(&self, operation: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        self.device.shared.faults.check()?;
        let mut state = self.lock();
        let outcome = self.device.attempt(|| operation(&mut state));
        if outcome.is_err() {
            state.bindings.clear();
        }
        outcome
    }

    fn record_and_submit(
        &self,
        state: &mut State,
        store: &mut Store,
        inputs: &[Fed<'_>],
        timestamps: Option<&Timestamps>,
    ) -> Result<Results, Error> {
        let device = &self.device;
        let (mut storages, relocations) = self.ready(state, store)?;
        let from_host = self.feed(&mut storages, inputs)?;
        state.bindings.forget_the_dead();
        if state.bindings.is_empty() {
            self.bind_all(state, &storages);
        }
        while state.in_flight.len() >= device.in_flight()
            && let Some(oldest) = state.in_flight.pop_front()
        {
            device.wait(oldest)?;
        }
        let State { uploads, outputs, bindings, in_flight, .. } = state;
        let set = self.free_set(outputs, &storages.inputs)?;
        storages.outputs.clone_from(&set.slices);
        let groups = bindings.of(device, &self.uniforms, &self.recording.commands, &storages);

        let submissions = device.submissions();
        let mut frame = None;
        let last = self.recording.submissions.len() - 1;
        for (index, range) in self.recording.submissions.iter().enumerate() {
            let mut encoder = submissions.encoder();
            if let (0, Some(uploads)) = (index, &mut *uploads) {
                frame = uploads.record(device, &submissions, &mut encoder, &from_host)?;
            }
            if let (0, Some(memory)) = (index, &self.poison) {
                guard_bands::poison(&mut encoder, memory, &storages.slots);
                guard_bands::poison(&mut encoder, memory, &storages.outputs);
            }
            if let Some(poison) = &self.workgroup_poison {
                poison.record(&mut encoder);
            }
            if index == 0 {
                relocations.iter().for_each(|relocation| relocation.begin(&mut encoder));
            }
            let (commands, tally) = (&self.recording.commands, &device.shared.tally);
            record(&mut encoder, commands, tally, range.clone(), groups, &storages, timestamps);
            if index == last {
                relocations.iter().for_each(|relocation| relocation.end(&mut encoder));
                set.stage(&mut encoder);
                if let Some(timestamps) = timestamps {
                    timestamps.resolve(&mut encoder);
                }
            }
            let submission = submissions.submit(encoder);
            if index == 0
                && let (Some(frame), Some(uploads)) = (frame, &mut *uploads)
            {
                uploads.submitted(frame, submission.clone());
            }
            if device.is_guarded {
                let written = &self.recording.commands[range.clone()];
                check_guards(device, &submissions, written, &storages)?;
            }
            for (_, (number, step)) in self.recording.looked_at.range(range.clone()) {
                check_finite(device, &self.plan, &submissions, *number, step, &storages)?;
            }
            if index == last {
                set.submitted(submission.clone());
                in_flight.push_back(submission);
            }
        }
        Ok(GpuValue::all(device, &set))
    }

    /// Uses values on the device directly as inputs; returns the inputs that must be uploaded.
    fn feed<'a>(
        &self,
        storages: &mut StorageMap,
        inputs: &[Fed<'a>],
    ) -> Result<Vec<(usize, &'a [u32])>, Error> {
        let mut from_host = Vec::new();
        for (input, fed) in inputs.iter().enumerate() {
            match fed {
                Fed::Host(array) => from_host.push((input, array.words())),
                Fed::Device(value) => match slice_on(&self.device, value) {
                    Some(slice) => storages.inputs[input] = slice.clone(),
                    None => {
                        let name = self.plan.inputs[input].0.clone();
                        return Err(RunError::ForeignValue { name }.into());
                    }
                },
            }
        }
        Ok(from_host)
    }

    /// A set of result buffers without live values, none of which is an input: what was exported may
    /// have been imported. Allocates a new one only if the caller holds all.
    fn free_set(
        &self,
        sets: &mut Vec<Arc<OutputSet>>,
        inputs: &[BufferSlice],
    ) -> Result<Arc<OutputSet>, Error> {
        let is_free = |set: &Arc<OutputSet>| {
            let is_input = |slice: &BufferSlice| inputs.iter().any(|i| i.buffer == slice.buffer);
            Arc::strong_count(set) == 1 && !set.slices.iter().any(is_input)
        };
        let set = match sets.iter().position(is_free) {
            Some(free) => sets.remove(free),
            None => Arc::new(OutputSet::new(&self.device, &self.plan.outputs)?),
        };
        set.reuse();
        // Used in rotation: the most recently used set is reused last.
        sets.push(set.clone());
        Ok(set)
    }
}

impl Executable for GpuProgram {
    fn inputs(&self) -> &[(String, Meta)] {
        &self.plan.inputs
    }

    /// After this a run creates no buffer, bind group or pipeline.
    fn prepare(&self, store: &mut Store) -> Result<(), Error> {
        self.alone(|state| {
            let (storages, _) = self.ready(state, store)?;
            state.bindings.forget_the_dead();
            self.bind_all(state, &storages);
            Ok(())
        })
    }

    /// Submits the run; the results may still be in flight when this returns.
    fn run(&self, store: &mut Store, inputs: &[Fed<'_>]) -> Result<Results, Error> {
        self.submit(store, inputs, None)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn run_timed(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
    ) -> Result<(Results, RunTime), Error> {
        let mut timestamps = self.timestamps.lock().unwrap_or_else(PoisonError::into_inner);
        let timestamps = match &mut *timestamps {
            Some(timestamps) => timestamps,
            // Without dispatches, no timestamps are written.
            none => none.insert(if self.has_dispatches() {
                Timestamps::new(&self.device)?
            } else {
                None
            }),
        };
        let begin = Instant::now();
        let results = self.submit(store, inputs, timestamps.as_ref())?;
        let Some(submission) = self.lock().in_flight.back().cloned() else {
            return Ok((results, RunTime { wall: begin.elapsed(), device: None }));
        };
        self.device.wait_for_last(submission.clone())?;
        let wall = begin.elapsed();
        let device = match timestamps {
            Some(timestamps) => timestamps.read(&self.device, submission)?,
            None => None,
        };
        Ok((results, RunTime { wall, device }))
    }
}
