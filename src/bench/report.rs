//! What was measured, to be kept.

use super::ceilings::Ceiling;
use crate::device::Device;
use serde::{Deserialize, Serialize};

/// Rows with the machine they are of and its ceilings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// What the devices can do at best.
    pub ceilings: Vec<Ceiling>,
    /// What they did.
    pub rows: Vec<Row>,
}

/// A machine and its devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Threads that run at once.
    pub threads: usize,
    /// Operating system and architecture.
    pub system: String,
    /// Version of this crate, and `debug` where it was not optimized.
    pub version: String,
    /// Seconds since 1970 when the report was begun.
    pub time: u64,
    /// Every device that was measured.
    pub devices: Vec<DeviceSummary>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// As on the command line.
    pub device: String,
    /// Its name.
    pub name: String,
    /// Its kind: see [`Device::kind`].
    pub kind: String,
    /// Interface and driver of a GPU.
    pub driver: String,
}

/// What became of a workload on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is right, and was timed.
    Measured,
    /// Its results are wrong: the times are those of something else.
    Wrong,
    /// It was not tried, or the device cannot hold it or has no such type.
    Skipped,
    /// The device failed.
    Failed,
}

/// One workload on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The device, as on the command line.
    pub device: String,
    /// Name of the workload.
    pub op: String,
    /// What it is an example of.
    pub family: String,
    /// Its extents.
    pub shape: String,
    /// The type it computes with.
    pub dtype: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether its results are right; nothing where there are none.
    pub ok: Option<bool>,
    /// Milliseconds of a run, the median: by the device's clock where it has one, else by the host's.
    pub median_ms: Option<f64>,
    /// The shortest.
    pub min_ms: Option<f64>,
    /// A quarter of the runs were shorter.
    pub q1_ms: Option<f64>,
    /// A quarter of the runs were longer.
    pub q3_ms: Option<f64>,
    /// Milliseconds from the call until the results were there, the median.
    pub wall_ms: Option<f64>,
    /// Whose clock: `device` or `host`.
    pub clock: Option<String>,
    /// Number of runs.
    pub runs: usize,
    /// Milliseconds until the first results: compilation, proofs and one run.
    pub cold_ms: Option<f64>,
    /// 10^12 operations a second, where arithmetic binds.
    pub tops: Option<f64>,
    /// 10^9 bytes a second, where memory binds.
    pub gbps: Option<f64>,
    /// Operations it takes at least.
    pub operations: f64,
    /// Bytes it moves at least.
    pub bytes: f64,
    /// The ceiling that binds.
    pub ceiling: Option<String>,
    /// The time it takes at least by that ceiling, in percent of the median.
    pub percent_of_ceiling: Option<f64>,
    /// How many times faster than the CPU device, by the host's clock.
    pub speedup: Option<f64>,
    /// Results that were compared with f64.
    pub checked: usize,
    /// The largest difference, as a share of the magnitude of what was added up.
    pub max_error: Option<f64>,
    /// Why there are no times, or what is to be said about them.
    pub note: String,
}

impl Machine {
    /// This machine.
    pub(super) fn here(devices: &[(String, Device)]) -> Self {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let profile = if cfg!(debug_assertions) { " debug" } else { "" };
        Machine {
            cpu: processor(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            version: format!("{}{profile}", env!("CARGO_PKG_VERSION")),
            time: time.map_or(0, |time| time.as_secs()),
            devices: devices.iter().map(|(name, device)| DeviceSummary::of(name, device)).collect(),
        }
    }
}

impl DeviceSummary {
    fn of(name: &str, device: &Device) -> Self {
        let driver = match device {
            Device::Gpu(gpu) => format!("{} {}", gpu.backend(), gpu.driver()),
            _ => String::new(),
        };
        let (device, kind) = (device.name(), device.kind().to_owned());
        DeviceSummary { device: name.to_owned(), name: device, kind, driver }
    }
}

/// What the system calls the processor; the architecture where it does not say.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = told.lines().find_map(|line| line.strip_prefix("model name"));
    let name = named.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

impl Row {
    /// The row of this workload on this device, if there is one that was measured.
    pub fn find<'a>(rows: &'a [Row], device: &str, op: &str) -> Option<&'a Row> {
        let of_it = |row: &&Row| row.device == device && row.op == op && row.median_ms.is_some();
        rows.iter().find(of_it)
    }
}
