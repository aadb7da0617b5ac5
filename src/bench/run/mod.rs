//! Runs every workload on every device in turn: checked, timed, and related to the ceiling that
//! binds it.

use super::{
    busy::Watch,
    ceilings::{self, Ceiling, Limit, Load},
    check::Found,
    options::Options,
    report::{Machine, Outcome, Report, Row},
    times::Times,
    workload::{Prepared, Workload},
};
use crate::{
    device::Device,
    error::{CompileError, DeviceError, Error},
    ops::cost::Cost,
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    time::Instant,
};

/// Progress of the measurements.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The measurements begin on this machine.
    Machine(&'a Machine),
    /// The ceilings of a device are being measured.
    Ceilings(&'a str),
    /// A ceiling is complete.
    Ceiling(&'a Ceiling),
    /// A workload is being measured on a device.
    Workload(&'a str, &'a Workload),
    /// A row is complete.
    Row(&'a Row),
}

/// Measures the devices, which are named as on the command line. If a device is lost, its remaining
/// rows say so, and the others continue. `tell` may stop the run: the report then has what was
/// measured until then.
///
/// # Errors
///
/// If the ceilings of a device cannot be measured. Later errors are recorded in the rows.
pub fn run(
    devices: &[(String, Device)],
    options: &Options,
    tell: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Report, Error> {
    run_all(devices, options, &options.workloads(), tell)
}

fn run_all(
    devices: &[(String, Device)],
    options: &Options,
    all: &[Workload],
    tell: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Report, Error> {
    let begin = Instant::now();
    let is_stopped = Cell::new(false);
    let tell = &mut |event: Event<'_>| {
        if !is_stopped.get() {
            is_stopped.set(tell(event).is_break());
        }
    };
    let machine = Machine::here(devices);
    tell(Event::Machine(&machine));
    let (mut ceilings, mut loads) = (Vec::new(), Vec::new());
    for (name, device) in devices {
        if is_stopped.get() {
            break;
        }
        tell(Event::Ceilings(name));
        let mut load = Load::of(device)?;
        let measured = ceilings::measure(name, device, load.as_mut(), options.ceilings)?;
        measured.iter().for_each(|ceiling| tell(Event::Ceiling(ceiling)));
        ceilings.extend(measured);
        loads.push(load);
    }
    let mut bench = Bench {
        devices,
        options,
        ceilings,
        loads,
        shares: BTreeMap::new(),
        rows: Vec::new(),
        begin,
        longest: 0.0,
    };
    let wanted = all.iter().filter(|workload| options.wants(workload));
    // In case time runs out: one of each family first, then whole models, which say more than one
    // more extent of a product.
    let mut kinds = BTreeSet::new();
    let (first, others): (Vec<_>, Vec<_>) =
        wanted.partition(|workload| kinds.insert(workload.family));
    let (models, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|workload| workload.family == "model");
    for workload in first.into_iter().chain(models).chain(others) {
        if is_stopped.get() {
            break;
        }
        bench.workload(workload, tell);
    }
    let Bench { ceilings, mut rows, .. } = bench;
    // In the order of the list, independent of the order of measurement.
    let place = |row: &Row| {
        let is_it = |workload: &Workload| {
            workload.name == row.op || workload.smaller.as_ref().is_some_and(|s| s.name == row.op)
        };
        let device = devices.iter().position(|(name, _)| *name == row.device);
        (all.iter().position(is_it), row.op.clone(), device)
    };
    rows.sort_by_cached_key(place);
    Ok(Report { machine, ceilings, rows })
}

/// The note of a row for which no time was left.
const OUT_OF_TIME: &str = "skipped (time is up)";

struct Bench<'a> {
    devices: &'a [(String, Device)],
    options: &'a Options,
    ceilings: Vec<Ceiling>,
    /// The load that raises the clocks of each device.
    loads: Vec<Option<Load>>,
    /// The share of the ceiling that a family achieved on a device.
    shares: BTreeMap<(usize, &'static str), f64>,
    rows: Vec<Row>,
    begin: Instant,
    /// Seconds that the longest row took so far, preparation included.
    longest: f64,
}

/// A workload prepared on a device.
struct Turn {
    device: usize,
    prepared: Prepared,
    found: Found,
    wall: Times,
    own: Times,
    failure: Option<Error>,
    /// See [`Row::busy`].
    busy: Option<f64>,
}

impl<'a> Bench<'a> {
    /// Measures the workload on all devices that are fast enough; the others run the smaller one.
    fn workload(&mut self, workload: &'a Workload, tell: &mut dyn FnMut(Event<'_>)) {
        let cost = match workload.expected_cost() {
            Ok(cost) => cost,
            Err(error) => {
                for device in 0..self.devices.len() {
                    self.finish(self.failed(device, workload, &error), tell);
                }
                return;
            }
        };
        let fits = |bench: &Self, device: usize| {
            bench.predicted(device, workload, cost) <= bench.options.limit
        };
        let everywhere = 0..self.devices.len();
        let slow: Vec<usize> = everywhere.clone().filter(|&device| !fits(self, device)).collect();
        if let Some(smaller) = &workload.smaller
            && !slow.is_empty()
            && self.has_time()
        {
            // The CPU takes part as the baseline for the others.
            let also = |&device: &usize| matches!(self.devices[device].1, Device::Cpu(_));
            let all: BTreeSet<usize> =
                slow.iter().copied().chain(everywhere.clone().filter(also)).collect();
            self.measure(smaller, &all.into_iter().collect::<Vec<_>>(), tell);
        }
        let (fitting, slow): (Vec<_>, Vec<_>) = everywhere.partition(|&device| fits(self, device));
        for device in slow {
            let seconds = self.predicted(device, workload, cost);
            let why = if seconds.is_finite() {
                format!("skipped (predicted {seconds:.0} s)")
            } else {
                "skipped (for hardware GPUs)".to_owned()
            };
            self.finish(self.skipped(device, workload, why), tell);
        }
        if self.has_time()
            || !self.rows.iter().any(|row| row.family == workload.family && row.runs > 0)
        {
            self.measure(workload, &fitting, tell);
        } else {
            for device in fitting {
                self.finish(self.skipped(device, workload, OUT_OF_TIME.to_owned()), tell);
            }
        }
    }

    fn has_time(&self) -> bool {
        self.begin.elapsed().as_secs_f64() < self.options.total
    }

    /// Whether another row would end before the deadline, if it takes no longer than the longest.
    fn has_room(&self) -> bool {
        self.begin.elapsed().as_secs_f64() + self.longest < self.options.deadline
    }

    /// Predicted seconds for a row: the first run, the check, and some timed runs.
    fn predicted(&self, device: usize, workload: &Workload, cost: Cost) -> f64 {
        let is_hardware = !matches!(self.devices[device].1.kind(), "cpu" | "software-gpu");
        if workload.is_large && !is_hardware {
            return f64::INFINITY;
        }
        let guess = match self.devices[device].1.kind() {
            "cpu" => 0.2,
            "software-gpu" => 0.02,
            _ => 0.05,
        };
        let share = self.shares.get(&(device, workload.family)).copied().unwrap_or(guess);
        let (least, _) = self.least(device, workload.dtype, cost);
        6.0 * (least / share + 1e-4)
    }

    /// Minimum seconds for the work, and the binding ceiling.
    fn least(&self, device: usize, dtype: &str, cost: Cost) -> (f64, Limit) {
        let name = &self.devices[device].0;
        let rate = |limit: Limit| ceilings::find(&self.ceilings, name, limit);
        // f16 may use the fastest unit; types without a rate of their own are computed in f32.
        let candidates: &[Limit] = match dtype {
            "f16" => &[Limit::FmaF32, Limit::FmaF16, Limit::MatrixF16],
            "i8" => &[Limit::DotI8],
            _ => &[Limit::FmaF32],
        };
        let rates = candidates.iter().filter_map(|&limit| Some((rate(limit)?, limit)));
        let (fastest, arithmetic) =
            rates.max_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap_or((f64::INFINITY, candidates[0]));
        let memory = rate(Limit::Copy).unwrap_or(f64::INFINITY);
        let (calculated, moved) = (cost.flops / fastest, cost.bytes / memory);
        if calculated >= moved { (calculated, arithmetic) } else { (moved, Limit::Copy) }
    }

    /// Prepares the workload on these devices, checks it, and times them in turn.
    fn measure(&mut self, workload: &'a Workload, on: &[usize], tell: &mut dyn FnMut(Event<'_>)) {
        let mut turns = Vec::new();
        for &device in on {
            if !self.has_room() {
                let row = self.skipped(device, workload, OUT_OF_TIME.to_owned());
                self.finish(row, tell);
                continue;
            }
            let started = Instant::now();
            let (name, handle) = &self.devices[device];
            tell(Event::Workload(name, workload));
            let ready = workload.prepare(handle).and_then(|prepared| {
                let found = workload.check(&prepared, handle)?;
                let (wall, own) = (Times::default(), Times::default());
                Ok(Turn { device, prepared, found, wall, own, failure: None, busy: None })
            });
            match ready {
                Ok(turn) => turns.push(turn),
                Err(error) => self.finish(self.failed(device, workload, &error), tell),
            }
            let seconds = started.elapsed().as_secs_f64() + 2.0 * self.options.seconds;
            self.longest = self.longest.max(seconds);
        }
        // In turn, so that other load on the machine affects all equally.
        const ROUNDS: usize = 4;
        let watch = Watch::begin();
        for _ in 0..ROUNDS {
            for turn in &mut turns {
                turn.time(self.loads[turn.device].as_mut(), self.options.seconds / ROUNDS as f64);
            }
        }
        let busy = watch.others();
        turns.iter_mut().for_each(|turn| turn.busy = busy);
        // The CPU first: it is the baseline for the others.
        turns.sort_by_key(|turn| !matches!(self.devices[turn.device].1, Device::Cpu(_)));
        for turn in turns {
            let row = match &turn.failure {
                Some(error) => self.failed(turn.device, workload, error),
                None => self.row(workload, &turn),
            };
            self.finish(row, tell);
        }
    }

    fn row(&mut self, workload: &Workload, turn: &Turn) -> Row {
        let Turn { device, prepared, found, wall, own, .. } = turn;
        let cost = workload.cost_of(&prepared.program);
        // Device times are used only if every run has one.
        let (times, clock) = if own.len() == wall.len() { (own, "device") } else { (wall, "host") };
        let (least, limit) = self.least(*device, workload.dtype, cost);
        let share = least / wall.median();
        if share.is_finite() && share > 0.0 {
            self.shares.insert((*device, workload.family), share.min(1.0));
        }
        let ms = |seconds: f64| Some(1e3 * seconds);
        let has_ceiling = ceilings::find(&self.ceilings, &self.devices[*device].0, limit).is_some();
        let cpu = self.devices.iter().find(|(_, device)| matches!(device, Device::Cpu(_)));
        let of_cpu = cpu.and_then(|(name, _)| Row::find(&self.rows, name, &workload.name));
        let own_speed = matches!(self.devices[*device].1, Device::Cpu(_)).then_some(1.0);
        let by_arithmetic = limit != Limit::Copy;
        Row {
            outcome: if found.is_right() { Outcome::Measured } else { Outcome::Wrong },
            ok: Some(found.is_right()),
            median_ms: ms(times.median()),
            min_ms: ms(times.min()),
            q1_ms: ms(times.quantile(0.25)),
            q3_ms: ms(times.quantile(0.75)),
            wall_ms: ms(wall.median()),
            clock: Some(clock.to_owned()),
            runs: times.len(),
            cold_ms: ms(prepared.cold.as_secs_f64()),
            tops: by_arithmetic.then(|| cost.flops / times.median() / 1e12),
            gbps: (!by_arithmetic).then(|| cost.bytes / times.median() / 1e9),
            operations: cost.flops,
            bytes: cost.bytes,
            ceiling: has_ceiling.then(|| limit.name().to_owned()),
            percent_of_ceiling: has_ceiling.then(|| 100.0 * least / times.median()),
            speedup: own_speed.or_else(|| Some(of_cpu?.wall_ms? / (1e3 * wall.median()))),
            checked: found.agreement.compared,
            max_error: found.error.is_finite().then_some(found.error),
            busy: turn.busy,
            note: if found.is_right() {
                String::new()
            } else if found.agreement.compared == 0 {
                "nothing to check".to_owned()
            } else {
                format!("wrong: off by {:.1} times what is allowed", found.agreement.share)
            },
            ..self.skipped(*device, workload, String::new())
        }
    }

    /// A row without times.
    fn skipped(&self, device: usize, workload: &Workload, note: String) -> Row {
        Row {
            device: self.devices[device].0.clone(),
            op: workload.name.clone(),
            family: workload.family.to_owned(),
            shape: workload.shape.clone(),
            dtype: workload.dtype.to_owned(),
            outcome: Outcome::Skipped,
            ok: None,
            median_ms: None,
            min_ms: None,
            q1_ms: None,
            q3_ms: None,
            wall_ms: None,
            clock: None,
            runs: 0,
            cold_ms: None,
            tops: None,
            gbps: None,
            operations: 0.0,
            bytes: 0.0,
            ceiling: None,
            percent_of_ceiling: None,
            speedup: None,
            checked: 0,
            max_error: None,
            note,
            busy: None,
        }
    }

    /// The row of a workload that is unsupported or failed on a device.
    fn failed(&self, device: usize, workload: &Workload, error: &Error) -> Row {
        let text = error.to_string();
        let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let is_too_much = matches!(
            error,
            Error::Compile(CompileError::Unsupported { .. } | CompileError::BindingTooLarge { .. })
                | Error::Device(DeviceError::Limit { .. } | DeviceError::OutOfMemory { .. })
        );
        let row = self.skipped(device, workload, line);
        if is_too_much {
            Row { note: format!("skipped ({})", row.note), ..row }
        } else {
            Row { outcome: Outcome::Failed, ok: Some(false), ..row }
        }
    }

    fn finish(&mut self, row: Row, tell: &mut dyn FnMut(Event<'_>)) {
        tell(Event::Row(&row));
        self.rows.push(row);
    }
}

impl Turn {
    /// Runs for this many seconds, at least once, and at most a thousand times in total, after the
    /// clocks are up.
    fn time(&mut self, load: Option<&mut Load>, seconds: f64) {
        if let Some(Err(error)) = load.map(Load::raise_clocks) {
            self.failure = Some(error);
        }
        let begin = Instant::now();
        while self.failure.is_none() && self.wall.len() < 1000 {
            match self.prepared.run() {
                Ok(time) => {
                    self.wall.push(time.wall);
                    time.device.into_iter().for_each(|device| self.own.push(device));
                }
                Err(error) => self.failure = Some(error),
            }
            if begin.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
