//! Plans compiled for the CPU, and their execution.

use super::{
    CHUNK, CpuDevice,
    device::each,
    kernel::{Finish, Loop},
    map::Map,
    placement::arrange,
    reduce::Fold,
    results::{CpuValue, Outputs},
    storage::{Memory, Offsets},
};
use crate::{
    backend::{Backend, Compiled, Executable, Results},
    error::{CompileError, DeviceError, Error, NotFinite, RunError},
    graph::{Graph, NodeId},
    memory,
    ops::precision::MatrixUnits,
    schedule::{
        expr::{Body, Term},
        plan::{Plan, Region, Step, StepKind},
    },
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

/// A program of the CPU device.
#[derive(Debug)]
pub(crate) struct CpuProgram {
    device: CpuDevice,
    plan: Arc<Plan>,
    steps: Vec<Ready>,
    /// Sets of slots not used by any run.
    idle: Mutex<Vec<Vec<Vec<u32>>>>,
    outputs: Outputs,
    /// Arenas of this program stay where they are while this is alive.
    claim: Arc<()>,
}

/// A compiled step.
#[derive(Debug)]
struct Ready {
    work: Work,
    /// Whether each read is updated in place.
    updated: Vec<bool>,
}

#[derive(Debug)]
enum Work {
    Map(Map),
    Reduce(Fold),
    Kernel(Loop),
    Copy,
}

impl CpuProgram {
    /// Compiles a plan.
    ///
    /// # Errors
    ///
    /// [`CompileError::Undefined`] for an operation of another crate that has no CPU
    /// implementation.
    pub fn new(device: &CpuDevice, plan: Arc<Plan>) -> Result<Self, Error> {
        let ready = |step: &Step| {
            Ready::new(step).ok_or_else(|| CompileError::Undefined {
                op: step.label.clone(),
                device: device.name(),
                place: step.place.clone(),
            })
        };
        let steps = plan.steps.iter().map(ready).collect::<Result<_, _>>()?;
        let (device, idle, claim) = (device.clone(), Mutex::default(), Arc::new(()));
        let outputs = Outputs::new(&plan.outputs);
        Ok(CpuProgram { device, plan, steps, idle, outputs, claim })
    }

    fn steps(&self, memory: &mut Memory<'_>, threads: bool) -> Result<(), Error> {
        for (number, (step, ready)) in self.plan.steps.iter().zip(&self.steps).enumerate() {
            let parallel = threads && ready.work.is_parallel();
            if let Work::Kernel(kernel) = &ready.work {
                kernel.reserve(if parallel { self.device.threads() } else { 1 })?;
            }
            memory.borrow(
                &step.reads,
                &step.writes,
                &ready.updated,
                |reads, writes| match &ready.work {
                    Work::Map(map) => map.run(reads, writes, parallel),
                    Work::Reduce(fold) => fold.run(reads, writes, parallel),
                    Work::Kernel(kernel) => kernel.run(reads, writes, parallel),
                    Work::Copy => copy(reads, writes, threads),
                },
            )?;
            if self.plan.checks_finite {
                let mut found = None;
                memory.borrow(
                    &step.writes,
                    &[],
                    &vec![false; step.writes.len()],
                    |written, _| {
                        let mut written = written.iter().zip(&step.writes);
                        found = written.find_map(|(words, w)| NotFinite::among(w.dtype, words));
                    },
                )?;
                if let Some(found) = found {
                    return Err(RunError::from(step.not_finite(number, found)).into());
                }
            }
        }
        Ok(())
    }

    /// Takes a set of slots for one run: two threads may run a program at once.
    fn take_slots(&self) -> Result<Vec<Vec<u32>>, DeviceError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let new = || self.plan.slots.iter().map(|&words| memory::zeroed(words)).collect();
        idle.map_or_else(new, Ok)
    }

    fn give_back(&self, slots: Vec<Vec<u32>>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(slots);
    }
}

impl Executable for CpuProgram {
    fn inputs(&self) -> &[(String, Meta)] {
        &self.plan.inputs
    }

    /// Also allocates the slots.
    fn prepare(&self, store: &mut Store) -> Result<(), Error> {
        arrange(store, &self.plan, &self.claim)?;
        let slots = self.take_slots()?;
        self.give_back(slots);
        Ok(())
    }

    fn run(&self, store: &mut Store, fed: &[Fed<'_>]) -> Result<Results, Error> {
        let inputs = fed.iter().zip(&self.plan.inputs).map(|(fed, (name, _))| match fed {
            Fed::Host(array) => Ok(array.words()),
            Fed::Device(value) => match value.data.is() {
                Some(CpuValue(words)) => Ok(words.as_slice()),
                None => Err(RunError::ForeignValue { name: name.clone() }),
            },
        });
        let inputs: Vec<&[u32]> = inputs.collect::<Result<_, _>>()?;
        let arranged = arrange(store, &self.plan, &self.claim)?;
        let (offsets, memories) = Offsets::new(&self.plan, &arranged.placed);
        // The calling thread holds the locks: a pool thread may start another run while it waits
        // for its share of this one.
        let mut guards: Vec<_> = memories
            .iter()
            .map(|placed| placed.memory.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let mut slots = self.take_slots()?;
        let mut outputs = match self.outputs.take(&self.plan.outputs) {
            Ok(outputs) => outputs,
            Err(error) => {
                self.give_back(slots);
                return Err(error.into());
            }
        };
        let mut memory = Memory {
            slots: &mut slots,
            inputs: &inputs,
            constants: &self.plan.constants,
            memories: guards.iter_mut().map(|guard| &mut **guard).collect(),
            outputs: &mut outputs,
            offsets: &offsets,
        };
        let threads = self.device.threads() > 1;
        let done = if threads && self.steps.iter().any(|step| step.work.is_parallel()) {
            self.device.install(|| self.steps(&mut memory, true))
        } else {
            self.steps(&mut memory, false)
        };
        self.give_back(slots);
        done?;
        drop(guards);
        arranged.settle();
        let outputs = self.outputs.hand_out(outputs).into_iter();
        Ok(outputs.map(|words| Arc::new(CpuValue(words)) as _).collect())
    }
}

impl Backend for CpuDevice {
    fn matrix_units(&self) -> Vec<MatrixUnits> {
        Vec::new()
    }

    fn pairs_grads(&self) -> bool {
        false
    }

    fn half_bytes(&self) -> usize {
        4
    }

    fn name(&self) -> String {
        self.name()
    }

    fn kind(&self) -> &'static str {
        "cpu"
    }

    fn numerics(&self) -> String {
        format!("cpu, {}, {}", std::env::consts::ARCH, self.simd())
    }

    fn interpret(&self, _: &Graph, _: &[NodeId], _: bool) -> Option<Compiled> {
        None
    }

    fn compile(&self, plan: Arc<Plan>) -> Compiled {
        Ok(Box::new(CpuProgram::new(self, plan)?))
    }
}

impl Ready {
    /// `None` if there is no loop for it.
    fn new(step: &Step) -> Option<Self> {
        let mut updated = in_place(step);
        let work = match &step.kind {
            StepKind::Map { space, body, roots } => {
                Work::Map(Map::new(space, body, roots, &updated))
            }
            StepKind::Reduce { function, outer, inner, adjacent, body, value, epilogue } => {
                // Only the epilogue reads at the same point it writes.
                for operand in loads(body) {
                    updated[operand] = None;
                }
                let finish = Finish::new(epilogue, outer, &updated);
                let by_columns = *adjacent > 1;
                Work::Reduce(Fold::new(*function, [outer, inner], by_columns, body, *value, finish))
            }
            StepKind::Kernel { kernel, operands, writes } => {
                // An epilogue updates in place only what no other result reads.
                let own = if writes.len() == 1 { *operands } else { updated.len() };
                updated[..own].fill(None);
                Work::Kernel(Loop::new(kernel.cpu.as_ref()?, *operands, writes, &updated))
            }
            StepKind::Copy => {
                updated.fill(None);
                Work::Copy
            }
        };
        Some(Ready { work, updated: updated.iter().map(Option::is_some).collect() })
    }
}

/// The write that shares its region with each read, if any.
fn in_place(step: &Step) -> Vec<Option<usize>> {
    let write = |read: &Region| step.writes.iter().position(|write| write.is_at(read));
    step.reads.iter().map(write).collect()
}

fn loads(body: &Body) -> impl Iterator<Item = usize> {
    body.terms.iter().filter_map(|(term, _)| match term {
        Term::Load { operand, .. } => Some(*operand),
        _ => None,
    })
}

impl Work {
    fn is_parallel(&self) -> bool {
        match self {
            Work::Map(map) => map.parallel,
            Work::Reduce(fold) => fold.parallel,
            Work::Kernel(kernel) => kernel.parallel,
            Work::Copy => false,
        }
    }
}

fn copy(reads: &[&[u32]], mut writes: Vec<&mut [u32]>, threads: bool) {
    let (Some(words), Some(out)) = (reads.first(), writes.first_mut()) else { return };
    let out = mem::take(out);
    let parallel = threads && out.len() > 8 * CHUNK;
    each(out, CHUNK, parallel, |chunk, out| {
        out.copy_from_slice(&words[chunk * CHUNK..][..out.len()]);
    });
}
