//! Mutants of the WGSL files: shaders with one mistake each, to see whether proofs and conformance
//! tests notice.
//!
//! Every expression and statement of every file of `shaders/` that an operation runs is made wrong
//! in each way that an [`Operator`] knows. A mutant is killed by a proof if some sample's kernel
//! does not pass it, by conformance if some sample's result is wrong, and by a simulation if the host
//! finds a race in it, or an index past an end: those are what a driver may hide.

mod fuel;
mod mutant;
mod operators;
mod survivors;
mod uses;

pub use mutant::Mutant;
pub use operators::Operator;

use crate::{
    device::Device,
    error::{CompileError, DeviceError, Error, SimulationError},
    gpu::{
        Assembly, Entry, GpuDevice, Verification, assemble,
        simulate::{self, Hazard, Report},
    },
    ops::{contract::Noise, precision::MatrixUnits},
    schedule::plan::Step,
};
use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Mutex, PoisonError},
};
use uses::{Subject, Use, Uses};

/// Whether a mutant was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trial {
    /// No driver takes it, so it can do no harm.
    Stillborn,
    /// It ran.
    Ran {
        /// Whether a race or an index past an end was found on the host.
        simulation: bool,
        /// Whether a proof failed.
        proof: bool,
        /// Whether a result was wrong.
        conformance: bool,
        /// Number of samples that ran it.
        samples: usize,
    },
}

/// How long a mutant is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until anything notices it.
    Noticed,
    /// Until both a proof and a result have failed.
    Failed,
}

/// Every mutant, and the samples to try them on.
pub struct Mutants {
    uses: Uses,
    mutants: Vec<Mutant>,
    /// Whether a step of a program passes as it is.
    right: Mutex<HashMap<(usize, usize, usize), bool>>,
}

impl Mutants {
    /// The mutants of every file that a sample runs on any device.
    ///
    /// # Errors
    ///
    /// An error in a sample.
    pub fn new() -> Result<Self, Error> {
        Mutants::of_units(&[])
    }

    /// The same, and those of files for the matrix units that a device has.
    ///
    /// # Errors
    ///
    /// An error in a sample.
    pub fn for_device(gpu: &GpuDevice) -> Result<Self, Error> {
        Mutants::of_units(&gpu.matrix_units())
    }

    fn of_units(available: &[MatrixUnits]) -> Result<Self, Error> {
        let uses = Uses::new(available)?;
        let mut mutants = Vec::new();
        for (index, file) in uses.files.iter().enumerate() {
            let Some(first) = file.example.find(&file.source) else { continue };
            for change in operators::changes(&file.example, first..first + file.source.len()) {
                let mut mutant = Mutant::new(index, &file.name, &file.source, change);
                mutant.reason = survivors::explanation(&mutant);
                mutants.push(mutant);
            }
        }
        Ok(Mutants { uses, mutants, right: Mutex::default() })
    }

    /// All of them, by file and line.
    pub fn all(&self) -> &[Mutant] {
        &self.mutants
    }

    /// About one in `n` of them, chosen by a seed.
    pub fn one_in(&self, n: NonZero<usize>, seed: u64) -> Vec<&Mutant> {
        let mut noise = Noise::new(seed);
        self.mutants.iter().filter(|_| noise.unit() * (n.get() as f64) < 1.0).collect()
    }

    /// Tries a mutant on the samples that call the function in which it is, as far as is asked.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Lost`]: the mutant was noticed in that way.
    pub fn try_on(&self, mutant: &Mutant, gpu: &GpuDevice, until: Until) -> Result<Trial, Error> {
        let file = &self.uses.files[mutant.file];
        let wrong = Executor::new(gpu, file.source.clone(), mutant.applied(&file.source));
        let (mut simulation, mut proof, mut conformance) = (false, false, false);
        let mut samples = 0;
        let most = if mutant.reason.is_some() { FEW_SAMPLES } else { MOST_SAMPLES };
        for a_use in file.uses(&mutant.function).iter().take(most) {
            let program = &self.uses.programs[a_use.program];
            simulation =
                simulation || wrong.is_hazardous(&program.steps[a_use.step], a_use.variant);
            if simulation && until == Until::Noticed {
                samples += 1;
                break;
            }
            let of_proof = match proof {
                true => None,
                false => wrong.fails_proof(&program.steps[a_use.step], a_use.variant)?,
            };
            let of_result = match conformance || (of_proof == Some(true) && until == Until::Noticed)
            {
                true => None,
                false => wrong.fails_conformance(program)?,
            };
            let is_new = of_proof == Some(true) || of_result == Some(true);
            if is_new && !self.is_right(a_use, gpu)? {
                continue;
            }
            samples += usize::from(of_proof.or(of_result).is_some());
            proof |= of_proof == Some(true);
            conformance |= of_result == Some(true);
            let is_enough = match until {
                Until::Noticed => proof || conformance,
                Until::Failed => proof && conformance,
            };
            if is_enough {
                break;
            }
        }
        Ok(match samples {
            0 => Trial::Stillborn,
            _ => Trial::Ran { simulation, proof, conformance, samples },
        })
    }

    /// Whether nothing is noticed where nothing is wrong.
    fn is_right(&self, a_use: &Use, gpu: &GpuDevice) -> Result<bool, Error> {
        let key = (a_use.program, a_use.step, a_use.variant);
        let known = self.right.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(is_right) = known {
            return Ok(is_right);
        }
        let right = Executor::new(gpu, String::new(), String::new());
        let program = &self.uses.programs[a_use.program];
        let is_right = right.fails_proof(&program.steps[a_use.step], a_use.variant)? == Some(false)
            && right.fails_conformance(program)? == Some(false);
        if !is_right {
            log::warn!("{program} is wrong without any mistake, and tells nothing");
        }
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(key, is_right);
        Ok(is_right)
    }
}

/// A device with a text replaced by another in every shader, and an end for every loop.
struct Executor {
    text: String,
    other: String,
    proving: GpuDevice,
    running: Device,
}

impl Executor {
    fn new(gpu: &GpuDevice, text: String, other: String) -> Self {
        let [before, after] = [text.clone(), other.clone()];
        let change = move |assembly: &mut Assembly| {
            if assembly.text.contains(&before) {
                assembly.text = fuel::limited(&assembly.text.replacen(&before, &after, 1));
            }
        };
        let proving = gpu.edited(change).with_verification(Verification::Off);
        let running = Device::Gpu(proving.clone().with_guards());
        Executor { text, other, proving, running }
    }

    /// Whether the host finds a race in the dispatches of a step, or an index past an end, also on
    /// hostile data. There is none in those of a step that is right.
    fn is_hazardous(&self, step: &Step, variant: usize) -> bool {
        let mut assemblies = assemble(step, usize::MAX, variant);
        for assembly in &mut assemblies {
            assembly.text = assembly.text.replacen(&self.text, &self.other, 1);
        }
        let found = |reports: Result<Vec<Report>, _>, is_one: fn(&Hazard) -> bool| match reports {
            Ok(reports) => reports.iter().any(|report| report.hazards.iter().any(is_one)),
            Err(SimulationError::Endless { .. }) => true,
            Err(_) => false,
        };
        found(simulate::check(step, &assemblies), |_| true)
            || found(simulate::check_hostile(step, &assemblies), Hazard::is_of_memory)
    }

    /// Whether a step fails its proof; `None` if the driver does not take it.
    fn fails_proof(&self, step: &Step, variant: usize) -> Result<Option<bool>, Error> {
        noticed(self.proving.verdict(step, variant).map(|entry| entry != Entry::Proved))
    }

    /// Whether the result of a sample is wrong; `None` if the driver does not take it.
    fn fails_conformance(&self, sample: &Subject) -> Result<Option<bool>, Error> {
        noticed(sample.check(&self.running).map(|agreement| !agreement.holds()))
    }
}

fn noticed(outcome: Result<bool, Error>) -> Result<Option<bool>, Error> {
    match outcome {
        Ok(fails) => Ok(Some(fails)),
        Err(error @ Error::Device(DeviceError::Lost { .. })) => Err(error),
        Err(Error::Compile(CompileError::Shader { .. } | CompileError::Unsupported { .. })) => {
            Ok(None)
        }
        // It wrote where nothing is to be written.
        Err(_) => Ok(Some(true)),
    }
}

/// Most programs that a mutant is tried on.
const MOST_SAMPLES: usize = 64;
/// Most programs that one is tried on that nothing can notice.
const FEW_SAMPLES: usize = 6;
