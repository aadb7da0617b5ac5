//! Which step of a program goes wrong on a device, on the values of a real run.

use crate::{
    DType, Device, Error,
    array::Array,
    cpu::CpuProgram,
    error::{Place, RunError},
    finite::NotFinite,
    gpu::{self, GpuProgram, Verification},
    program::Program,
    proof::{Case, Isolated, Verdict},
    schedule::plan::{Plan, Region, Step, StepKind, Storage},
    shape::Shape,
    testing::unit_in_last_place,
    variables::Variables,
};
use std::collections::HashMap;

/// What was found: see [`Program::diff`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// Steps that were compared.
    pub steps: usize,
    /// Results of them that were compared, on each device.
    pub compared: usize,
    /// The largest error on each device, as a share of what is allowed.
    pub worst: Vec<f64>,
    /// The first step whose result is beyond its bound.
    pub parting: Option<Parting>,
    /// The first step that makes NaN or infinity of finite numbers, rightly or not.
    pub not_finite: Option<NotFinite>,
}

/// A step whose result is beyond its bound.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parting {
    /// Number of the step, as `wgrad plan` counts them.
    pub step: usize,
    /// The operations in it.
    pub label: String,
    /// Extents of what it computes.
    pub shape: Shape,
    /// Where the last of them was made.
    pub place: Option<Place>,
    /// The device.
    pub device: String,
    /// Row-major index of the worst element.
    pub index: usize,
    /// What the device gives.
    pub got: f64,
    /// What is right.
    pub expected: f64,
    /// What it may be off by.
    pub allowed: f64,
}

impl Parting {
    /// The error in units in the last place of the right value.
    pub fn ulp(&self) -> f64 {
        (self.got - self.expected).abs() / unit_in_last_place(self.expected, DType::F32)
    }
}

impl std::fmt::Display for Parting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Parting { step, label, shape, device, index, got, expected, allowed, .. } = self;
        write!(f, "step {step}, {label} of {shape}{}: ", placed(&self.place))?;
        write!(f, "{device} gives {got:e} for element {index} instead of {expected:e}, ")?;
        write!(f, "{:.3e} ulp off; {allowed:.1e} is allowed", self.ulp())
    }
}

fn placed(place: &Option<Place>) -> String {
    place.as_ref().map(Place::to_string).unwrap_or_default()
}

/// The memory of a program on the host.
struct Memory<'a> {
    plan: &'a Plan,
    words: HashMap<Storage, Vec<u32>>,
}

impl Memory<'_> {
    fn read(&self, region: Region) -> Vec<u32> {
        let (storage, first) = self.plan.home(region);
        let words = self.words.get(&storage).and_then(|words| words.get(first..first + region.len));
        words.map_or_else(|| vec![0; region.len], <[u32]>::to_vec)
    }

    fn write(&mut self, region: Region, values: &[u32]) {
        let (storage, first) = self.plan.home(region);
        let words = self.words.entry(storage).or_default();
        let end = first + region.len;
        if words.len() < end {
            words.resize(end, 0);
        }
        words[first..end].copy_from_slice(values);
    }
}

impl Program {
    /// Runs once, step by step, and asks of every step and device whether it is right.
    ///
    /// All devices get the same operands, which are what the first device made of the steps before;
    /// results are compared with the step's expression in f64, as when a kernel is proved. So an error
    /// is found in the step that makes it. No effect is applied to the variables.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run); [`RunError::NotPlanned`] of a program of the reference device, or
    /// where `devices` names it: it has no steps.
    pub fn diff(
        &self,
        variables: &Variables,
        inputs: &[(&str, &Array)],
        devices: &[Device],
    ) -> Result<Diff, Error> {
        let plan = self.plan().ok_or(RunError::NotPlanned)?;
        self.prepare(variables)?;
        let mut memory = Memory { plan, words: HashMap::new() };
        for (k, (name, meta)) in plan.inputs.iter().enumerate() {
            let given = inputs.iter().find(|(known, _)| known == name);
            let (_, array) = given.ok_or_else(|| RunError::MissingInput(name.clone()))?;
            if array.meta() != meta {
                let (expected, is) = (meta.clone(), array.meta().clone());
                return Err(RunError::InputMismatch { name: name.clone(), expected, is }.into());
            }
            memory.words.insert(Storage::Input(k), array.words().to_vec());
        }
        for (k, (path, declared)) in plan.variables.iter().enumerate() {
            let (storage, len, dtype) =
                (Storage::Variable(k), declared.meta.shape.len(), declared.meta.dtype);
            let value = variables.get(path)?;
            memory.write(Region { storage, offset: 0, len, dtype }, value.words());
        }
        let mut diff = Diff {
            steps: 0,
            compared: 0,
            worst: vec![0.0; devices.len()],
            parting: None,
            not_finite: None,
        };
        for (number, step) in plan.steps.iter().enumerate() {
            if let StepKind::Copy = step.kind {
                let words = memory.read(step.reads[0]);
                memory.write(step.writes[0], &words);
                continue;
            }
            diff.step(number, step, &mut memory, devices)?;
        }
        Ok(diff)
    }
}

impl Diff {
    fn step(
        &mut self,
        number: usize,
        step: &Step,
        memory: &mut Memory<'_>,
        devices: &[Device],
    ) -> Result<(), Error> {
        let case = Case::at(step, |region| memory.read(region));
        let (label, place) = (step.label.clone(), step.place.clone());
        self.steps += 1;
        let mut kept = None;
        for (position, device) in devices.iter().enumerate() {
            let left = alone(step, &case, device)?;
            let verdict = case.judge(&left);
            self.compared += verdict.compared;
            self.worst[position] = self.worst[position].max(verdict.share);
            if !verdict.holds() && self.parting.is_none() {
                let Verdict { index, got, expected, allowed, .. } = verdict;
                self.parting = Some(Parting {
                    step: number,
                    label: label.clone(),
                    shape: step.shape(),
                    place: place.clone(),
                    device: device.name(),
                    index,
                    got,
                    expected,
                    allowed,
                });
            }
            kept.get_or_insert(left);
        }
        let Some(left) = kept else { return Ok(()) };
        let from_finite = step
            .reads
            .iter()
            .all(|read| NotFinite::among(read.dtype, &memory.read(*read)).is_none());
        for write in &step.writes {
            let Some(region) = case.position(*write) else { continue };
            if from_finite && self.not_finite.is_none() {
                let found = NotFinite::among(write.dtype, &left[region]);
                self.not_finite = found.map(|found| NotFinite::of_step(number, step, found));
            }
            memory.write(*write, &left[region]);
        }
        Ok(())
    }
}

/// What a step leaves on a device in the regions of a case.
fn alone(step: &Step, case: &Case, device: &Device) -> Result<Vec<Vec<u32>>, Error> {
    let mut isolated = Isolated::default();
    isolated.add(0, step.clone(), case)?;
    let plan = isolated.plan().into();
    let left = match device {
        Device::Reference => return Err(RunError::NotPlanned.into()),
        Device::Cpu(cpu) => {
            let program = CpuProgram::new(cpu, plan)?;
            isolated.run(|store, inputs| program.run(store, inputs))?
        }
        Device::Gpu(gpu) => {
            // What is asked here is what its shader gives, trusted or not.
            let gpu = gpu.clone().with_verification(Verification::Off);
            let program = GpuProgram::new(&gpu, plan)?;
            let read = |value: &gpu::GpuValue| gpu::read(value);
            isolated.run(|store, inputs| program.run(store, inputs)?.iter().map(read).collect())?
        }
    };
    Ok(left.into_iter().next().unwrap_or_default())
}
