//! Finds the step of a program that goes wrong on a device, using the values of a real run.

use crate::{
    DType, Device, Error,
    array::Array,
    error::{NotFinite, Place, RunError},
    gpu::Verification,
    ops::contract::{Agreement, unit_in_last_place},
    program::Program,
    proof::{Case, Isolated},
    schedule::plan::{Buffers, Region, Step, StepKind, Storage},
    shape::{Meta, Shape},
    value::{Fed, Feed},
    variables::Variables,
};
use std::{collections::HashMap, ops::ControlFlow};

/// Outcome of [`Program::diff`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// Number of steps compared.
    pub steps: usize,
    /// Number of step results compared, over all devices.
    pub compared: usize,
    /// The largest error on each device, relative to the allowed error.
    pub worst: Vec<f64>,
    /// The first step whose result exceeds its bound.
    pub divergence: Option<Divergence>,
    /// The first step that produces NaN or infinity from finite operands, correctly or not.
    pub not_finite: Option<NotFinite>,
}

/// A step whose result exceeds its bound.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Divergence {
    /// Index of the step, as numbered by `wgrad plan`.
    pub step: usize,
    /// Its operations.
    pub label: String,
    /// Extents of its result.
    pub shape: Shape,
    /// Source location of the last of its operations.
    pub place: Option<Place>,
    /// Device name.
    pub device: String,
    /// Row-major index of the worst element.
    pub index: usize,
    /// The device's result.
    pub got: f64,
    /// The correct result.
    pub expected: f64,
    /// The allowed absolute error.
    pub allowed: f64,
    /// Element type of its result.
    pub dtype: DType,
}

impl Divergence {
    /// The error in units in the last place of the correct value.
    pub fn ulp(&self) -> f64 {
        (self.got - self.expected).abs() / unit_in_last_place(self.expected, self.dtype)
    }
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Divergence { step, label, shape, device, index, got, expected, allowed, .. } = self;
        write!(f, "step {step}, {label} of {shape}{}: ", placed(&self.place))?;
        write!(f, "{device} gives {got:e} for element {index} instead of {expected:e}, ")?;
        write!(f, "{:.3e} ulp off; {allowed:.1e} is allowed", self.ulp())
    }
}

fn placed(place: &Option<Place>) -> String {
    place.as_ref().map(Place::to_string).unwrap_or_default()
}

/// The memory of a program on the host.
struct Memory {
    buffers: Buffers,
    words: HashMap<Storage, Vec<u32>>,
}

impl Memory {
    fn read(&self, region: Region) -> Vec<u32> {
        let (storage, first) = self.buffers.of(region);
        let words = self.words.get(&storage).and_then(|words| words.get(first..first + region.len));
        words.map_or_else(|| vec![0; region.len], <[u32]>::to_vec)
    }

    fn write(&mut self, region: Region, values: &[u32]) {
        let (storage, first) = self.buffers.of(region);
        let words = self.words.entry(storage).or_default();
        let end = first + region.len;
        if words.len() < end {
            words.resize(end, 0);
        }
        words[first..end].copy_from_slice(values);
    }
}

impl Program {
    /// Runs once, step by step, and checks the results of every step on every device.
    ///
    /// All devices get the same operands, namely the first device's results of the preceding steps;
    /// results are compared with the step's expression in f64, as in the verification of a kernel.
    /// So an error is found in the step that causes it. No effects are applied to the variables.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run); [`RunError::NotPlanned`] for a program of the reference device,
    /// or if `devices` contains it: it has no steps.
    pub fn diff(
        &self,
        variables: &Variables,
        inputs: &[(&str, &Array)],
        devices: &[Device],
    ) -> Result<Diff, Error> {
        let mut diff = Diff::new(devices);
        self.walk(variables, inputs, |number, step, memory| {
            diff.step(number, step, memory, devices)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(diff)
    }

    /// The operands of a step when the program runs on a device: every region once, as a vector.
    /// Together with [`replay`](Self::replay) they are enough to reproduce the step.
    ///
    /// # Errors
    ///
    /// Same as [`diff`](Self::diff); [`RunError::NoStep`].
    pub fn operands(
        &self,
        variables: &Variables,
        inputs: &[(&str, &Array)],
        device: &Device,
        step: usize,
    ) -> Result<Vec<Array>, Error> {
        self.step(step)?;
        let mut operands = Vec::new();
        self.walk(variables, inputs, |number, current, memory| {
            if number == step {
                for region in distinct(&current.reads) {
                    let meta = Meta::new([region.len], region.dtype);
                    operands.push(Array::from_words(meta, memory.read(region))?);
                }
                return Ok(ControlFlow::Break(()));
            }
            let mut alone = Diff::new(std::slice::from_ref(device));
            alone.step(number, current, memory, std::slice::from_ref(device))?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(operands)
    }

    /// Runs one step on these [`operands`](Self::operands) and checks its results on every device.
    ///
    /// # Errors
    ///
    /// Same as [`diff`](Self::diff); [`RunError::NoStep`]; [`RunError::NotItsOperands`].
    pub fn replay(
        &self,
        step: usize,
        operands: &[Array],
        devices: &[Device],
    ) -> Result<Diff, Error> {
        let (plan, current) = (self.plan().ok_or(RunError::NotPlanned)?, self.step(step)?);
        let regions = distinct(&current.reads);
        let fits = |(region, array): (&Region, &Array)| {
            *array.meta() == Meta::new([region.len], region.dtype)
        };
        if regions.len() != operands.len() || !regions.iter().zip(operands).all(fits) {
            let expected = regions.iter().map(|region| Meta::new([region.len], region.dtype));
            let (label, expected) = (current.label.clone(), expected.collect());
            let is = operands.iter().map(|array| array.meta().clone()).collect();
            return Err(RunError::NotItsOperands { step, label, expected, is }.into());
        }
        let mut memory = Memory { buffers: plan.buffers(), words: HashMap::new() };
        for (region, array) in regions.iter().zip(operands) {
            memory.write(*region, array.words());
        }
        let mut diff = Diff::new(devices);
        if !matches!(current.kind, StepKind::Copy) {
            diff.step(step, current, &mut memory, devices)?;
        }
        Ok(diff)
    }

    fn step(&self, number: usize) -> Result<&Step, Error> {
        let steps = &self.plan().ok_or(RunError::NotPlanned)?.steps;
        let len = steps.len();
        steps.get(number).ok_or_else(|| RunError::NoStep { step: number, len }.into())
    }

    /// Walks through the steps of a run. `visit` computes each and writes its results.
    fn walk(
        &self,
        variables: &Variables,
        inputs: &[(&str, &Array)],
        mut visit: impl FnMut(usize, &Step, &mut Memory) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let plan = self.plan().ok_or(RunError::NotPlanned)?;
        self.prepare(variables)?;
        let mut memory = Memory { buffers: plan.buffers(), words: HashMap::new() };
        let feeds: Vec<(&str, &dyn Feed)> =
            inputs.iter().map(|&(name, array)| (name, array as &dyn Feed)).collect();
        for (k, fed) in self.feeds(&feeds)?.into_iter().enumerate() {
            if let Fed::Host(array) = fed {
                memory.words.insert(Storage::Input(k), array.words().to_vec());
            }
        }
        for (k, constant) in plan.constants.iter().enumerate() {
            memory.words.insert(Storage::Constant(k), constant.words().to_vec());
        }
        for (k, (path, declared)) in plan.variables.iter().enumerate() {
            let (storage, len, dtype) =
                (Storage::Variable(k), declared.meta.shape.len(), declared.meta.dtype);
            let value = variables.get(path)?;
            memory.write(Region { storage, offset: 0, len, dtype }, value.words());
        }
        for (number, step) in plan.steps.iter().enumerate() {
            if let StepKind::Copy = step.kind {
                let words = memory.read(step.reads[0]);
                memory.write(step.writes[0], &words);
            } else if visit(number, step, &mut memory)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Removes duplicate regions.
fn distinct(regions: &[Region]) -> Vec<Region> {
    let mut distinct: Vec<Region> = Vec::new();
    for region in regions {
        if !distinct.iter().any(|known| known.is_at(region)) {
            distinct.push(*region);
        }
    }
    distinct
}

impl Diff {
    fn new(devices: &[Device]) -> Self {
        Diff {
            steps: 0,
            compared: 0,
            worst: vec![0.0; devices.len()],
            divergence: None,
            not_finite: None,
        }
    }

    fn step(
        &mut self,
        number: usize,
        step: &Step,
        memory: &mut Memory,
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
            if !verdict.holds() && self.divergence.is_none() {
                let Agreement { index, got, expected, allowed, .. } = verdict;
                self.divergence = Some(Divergence {
                    step: number,
                    label: label.clone(),
                    shape: step.shape(),
                    place: place.clone(),
                    device: device.name(),
                    index,
                    got,
                    expected,
                    allowed,
                    dtype: step.writes[0].dtype,
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
                self.not_finite = found.map(|found| step.not_finite(number, found));
            }
            memory.write(*write, &left[region]);
        }
        Ok(())
    }
}

/// Runs a single step on a device; returns the final content of the regions of a case.
fn alone(step: &Step, case: &Case, device: &Device) -> Result<Vec<Vec<u32>>, Error> {
    let mut isolated = Isolated::default();
    isolated.add(0, step.clone(), case, case.words.clone())?;
    let plan = isolated.plan().into();
    // The results of its kernels are wanted, trusted or not.
    let device = device.clone().with_verification(Verification::Off);
    let left = isolated.run(&*device.backend().compile(plan)?)?;
    Ok(left.into_iter().next().unwrap_or_default())
}
