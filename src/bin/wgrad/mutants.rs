//! `wgrad verify --mutants`: whether proofs and conformance notice a wrong shader.

use crate::{
    console::Console,
    device::{DeviceArgs, described},
    failure::Failure,
    words::count,
};
use serde_json::json;
use std::{
    io::Write,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};
use wgrad::{
    Device, DeviceError, Error,
    gpu::GpuDevice,
    testing::mutants::{Mutant, Mutants, Operator, Trial, Until},
};

#[derive(clap::Args)]
pub struct MutantArgs {
    /// Instead of the operations, verify the verification: make every shader wrong in every way
    /// known, one mistake at a time, and count what proofs and conformance notice. The exit code is
    /// 1 if a mistake without known reason goes unnoticed.
    #[arg(long, conflicts_with_all = ["ops", "dtype", "full", "repro"])]
    mutants: bool,
    /// Only mutants of these shaders, as named in the table.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "mutants")]
    shaders: Vec<String>,
    /// Only about one in N mutants, chosen by the seed.
    #[arg(long, value_name = "N", default_value = "1", requires = "mutants")]
    one_in: NonZero<usize>,
    /// Which mutants are chosen.
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "mutants")]
    seed: u64,
    /// Go on to the next mutant as soon as anything notices one: much faster, but what simulations
    /// notice is then not counted for proofs, nor what proofs notice for conformance.
    #[arg(long, requires = "mutants")]
    until_noticed: bool,
    /// Number of mutants that are tried at the same time; by default as many as there are cores.
    #[arg(long, value_name = "N", requires = "mutants")]
    jobs: Option<NonZero<usize>>,
}

/// A mutant, and whether it was noticed; `None` if the device was lost.
type Tried<'a> = (&'a Mutant, Option<Trial>);

/// Mutants that were tried.
#[derive(Default)]
struct Tally<'a> {
    /// Mutants that a driver took.
    ran: usize,
    stillborn: usize,
    /// Mutants noticed by a simulation, by a proof, by conformance, and by any of them.
    simulation: usize,
    proof: usize,
    conformance: usize,
    killed: usize,
    survivors: Vec<&'a Mutant>,
}

impl<'a> Tally<'a> {
    fn of(tried: &[Tried<'a>]) -> Self {
        let mut tally = Tally::default();
        for (mutant, trial) in tried {
            let (simulation, proof, conformance) = match trial {
                Some(Trial::Ran { simulation, proof, conformance, .. }) => {
                    (*simulation, *proof, *conformance)
                }
                Some(_) => {
                    tally.stillborn += 1;
                    continue;
                }
                None => (false, true, true),
            };
            tally.ran += 1;
            tally.simulation += usize::from(simulation);
            tally.proof += usize::from(proof);
            tally.conformance += usize::from(conformance);
            tally.killed += usize::from(simulation || proof || conformance);
            if !simulation && !proof && !conformance {
                tally.survivors.push(mutant);
            }
        }
        tally
    }

    fn row(&self, name: &str) -> String {
        let share = |n: usize| match self.ran {
            0 => "-".to_owned(),
            ran => format!("{:.1}%", 100.0 * n as f64 / ran as f64),
        };
        format!(
            "{name:<26}{:>8}{:>10}{:>9}{:>12}{:>9}{:>13}{:>11}",
            self.ran,
            self.stillborn,
            share(self.killed),
            share(self.simulation),
            share(self.proof),
            share(self.conformance),
            self.survivors.len()
        )
    }

    fn object(&self) -> serde_json::Value {
        let survivors: Vec<_> = self.survivors.iter().map(|m| object(m)).collect();
        json!({
            "mutants": self.ran,
            "stillborn": self.stillborn,
            "killed": self.killed,
            "by_simulation": self.simulation,
            "by_proof": self.proof,
            "by_conformance": self.conformance,
            "survivors": survivors,
        })
    }
}

fn object(mutant: &Mutant) -> serde_json::Value {
    json!({
        "shader": mutant.shader,
        "line": mutant.line,
        "operator": mutant.operator.to_string(),
        "before": mutant.before,
        "after": mutant.after,
        "reason": mutant.reason,
    })
}

const HEADER: &str = "shader                     mutants stillborn   killed  simulation    proof  conformance  survivors";

impl MutantArgs {
    pub fn are_wanted(&self) -> bool {
        self.mutants
    }

    pub fn run(
        &self,
        device: &DeviceArgs,
        list: bool,
        json: bool,
        out: &mut Console,
    ) -> Result<(), Failure> {
        // Without a device, the list is of what all can run.
        let gpu = if list { None } else { Some(opened(device, out)?) };
        let mutants = gpu.as_ref().map_or_else(Mutants::new, Mutants::for_device)?;
        let mut chosen = mutants.one_in(self.one_in, self.seed);
        let is_known = |name: &&String| mutants.all().iter().any(|m| m.shader == **name);
        if let Some(unknown) = self.shaders.iter().find(|name| !is_known(name)) {
            return Err(format!("there are no mutants of a shader {unknown:?}").into());
        }
        chosen.retain(|m| self.shaders.is_empty() || self.shaders.contains(&m.shader));
        if list {
            chosen.iter().try_for_each(|mutant| writeln!(out, "{mutant}"))?;
            return Ok(());
        }
        let Some(mut gpu) = gpu else { return Ok(()) };
        if !json {
            writeln!(out, "{}\n\n{HEADER}", described(&Device::Gpu(gpu.clone())))?;
        }
        out.begin(json);
        let started = Instant::now();
        let total = chosen.len();
        let mut all: Vec<Tried> = Vec::new();
        for of_shader in chosen.chunk_by(|a, b| a.shader == b.shader) {
            let name = &of_shader[0].shader;
            out.done(all.len() as f64 / total as f64, name);
            let mut tried = self.try_all(&mutants, of_shader, &gpu)?;
            // Several were in flight when the device was lost: it was one of them.
            for (mutant, trial) in tried.iter_mut().filter(|(_, trial)| trial.is_none()) {
                gpu = opened(device, out)?;
                *trial = self.try_one(&mutants, mutant, &gpu)?;
            }
            if tried.iter().any(|(_, trial)| trial.is_none()) {
                gpu = opened(device, out)?;
            }
            let tally = Tally::of(&tried);
            if json {
                let mut object = tally.object();
                object["shader"] = name.as_str().into();
                out.object(&object)?;
            } else {
                writeln!(out, "{}", tally.row(name))?;
            }
            all.extend(tried);
        }
        self.summary(&all, started.elapsed().as_secs_f64(), json, out)
    }

    /// Tries mutants, several at a time. Those that were in flight when the device was lost, and
    /// all that follow, have no outcome.
    fn try_all<'a>(
        &self,
        mutants: &Mutants,
        chosen: &[&'a Mutant],
        gpu: &GpuDevice,
    ) -> Result<Vec<Tried<'a>>, Error> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(vec![None; chosen.len()]);
        let work = || -> Result<(), Error> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(mutant) = chosen.get(place) else { return Ok(()) };
                let trial = self.try_one(mutants, mutant, gpu)?;
                outcomes.lock().unwrap_or_else(PoisonError::into_inner)[place] = trial;
            }
        };
        let jobs = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZero::get);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs.min(chosen.len())).map(|_| scope.spawn(work)).collect();
            let join = |worker: thread::ScopedJoinHandle<'_, _>| worker.join().unwrap_or(Ok(()));
            workers.into_iter().map(join).collect::<Result<Vec<()>, Error>>()
        })?;
        let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(chosen.iter().copied().zip(outcomes).collect())
    }

    fn try_one(
        &self,
        mutants: &Mutants,
        mutant: &Mutant,
        gpu: &GpuDevice,
    ) -> Result<Option<Trial>, Error> {
        let until = if self.until_noticed { Until::Noticed } else { Until::Failed };
        match mutants.try_on(mutant, gpu, until) {
            Ok(trial) => Ok(Some(trial)),
            Err(Error::Device(DeviceError::Lost { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn summary(
        &self,
        all: &[Tried<'_>],
        seconds: f64,
        json: bool,
        out: &mut Console,
    ) -> Result<(), Failure> {
        let total = Tally::of(all);
        let unexplained = total.survivors.iter().filter(|mutant| mutant.reason.is_none()).count();
        if json {
            let mut object = total.object();
            object["shader"] = serde_json::Value::Null;
            object["unexplained"] = unexplained.into();
            object["seconds"] = seconds.into();
            out.object(&object)?;
        } else {
            writeln!(out, "{}\n", total.row("all"))?;
            writeln!(out, "{:<26}{}", "by operator", &HEADER[26..])?;
            for operator in Operator::ALL {
                let of_it: Vec<Tried> =
                    all.iter().filter(|(m, _)| m.operator == operator).cloned().collect();
                if !of_it.is_empty() {
                    writeln!(out, "{}", Tally::of(&of_it).row(&operator.to_string()))?;
                }
            }
            for mutant in &total.survivors {
                let reason = mutant.reason.unwrap_or("not explained");
                writeln!(out, "\nsurvived: {mutant}\n  {reason}")?;
            }
            let mutants = count(total.ran, "mutant", "mutants");
            writeln!(
                out,
                "\n{mutants}: {} killed, {} survived, {unexplained} of them for no known reason, \
                 {seconds:.1} s",
                total.killed,
                total.survivors.len()
            )?;
        }
        match unexplained {
            0 => Ok(()),
            n => Err(format!("{} unnoticed", count(n, "mutant went", "mutants went")).into()),
        }
    }
}

fn opened(device: &DeviceArgs, out: &mut Console) -> Result<GpuDevice, Failure> {
    match device.open(out)? {
        Device::Gpu(gpu) => Ok(gpu),
        other => Err(format!("{} runs no shaders: name a GPU with --device", other.name()).into()),
    }
}
