//! Benchmark reports.

use super::ceilings::Ceiling;
use crate::device::Device;
use serde::{Deserialize, Serialize};

/// Rows with the ceilings and the description of their machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The machine.
    pub machine: Machine,
    /// The ceilings of the devices.
    pub ceilings: Vec<Ceiling>,
    /// The measurements.
    pub rows: Vec<Row>,
}

/// Description of a machine and its devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the CPU.
    pub cpu: String,
    /// Number of hardware threads.
    pub threads: usize,
    /// Operating system and architecture.
    pub system: String,
    /// Version of this crate, followed by `debug` if it was not optimized.
    pub version: String,
    /// Start time of the report, in seconds since 1970.
    pub time: u64,
    /// Every device that was measured.
    pub devices: Vec<DeviceSummary>,
}

/// Description of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// Name on the command line.
    pub device: String,
    /// Full name.
    pub name: String,
    /// Its kind: see [`Device::kind`].
    pub kind: String,
    /// API and driver of a GPU.
    pub driver: String,
}

/// Outcome of a workload on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Correct, and timed.
    Measured,
    /// Incorrect results: the times are meaningless.
    Wrong,
    /// Not attempted, or the device lacks the memory or the type.
    Skipped,
    /// The device failed.
    Failed,
}

/// One workload on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The device, as named on the command line.
    pub device: String,
    /// Name of the workload.
    pub op: String,
    /// Family of the workload.
    pub family: String,
    /// Its extents.
    pub shape: String,
    /// The type it computes with.
    pub dtype: String,
    /// Outcome of the measurement.
    pub outcome: Outcome,
    /// Whether its results are correct; `None` if there are none.
    pub ok: Option<bool>,
    /// Median time of a run in milliseconds: measured by the device if possible, else by the host.
    pub median_ms: Option<f64>,
    /// Minimum time.
    pub min_ms: Option<f64>,
    /// Lower quartile.
    pub q1_ms: Option<f64>,
    /// Upper quartile.
    pub q3_ms: Option<f64>,
    /// Median time in milliseconds from the call until the results are available.
    pub wall_ms: Option<f64>,
    /// Clock used: `device` or `host`.
    pub clock: Option<String>,
    /// Number of runs.
    pub runs: usize,
    /// Milliseconds until the first results: compilation, verification and one run.
    pub cold_ms: Option<f64>,
    /// 10^12 operations per second, if bound by arithmetic.
    pub tops: Option<f64>,
    /// 10^9 bytes per second, if bound by memory.
    pub gbps: Option<f64>,
    /// Minimum number of operations.
    pub operations: f64,
    /// Minimum number of bytes moved.
    pub bytes: f64,
    /// The binding ceiling.
    pub ceiling: Option<String>,
    /// The minimum time at that ceiling, as a percentage of the median.
    pub percent_of_ceiling: Option<f64>,
    /// Speedup over the CPU device, measured by the host.
    pub speedup: Option<f64>,
    /// Number of elements compared with f64.
    pub checked: usize,
    /// The largest error, relative to the magnitude of the terms.
    pub max_error: Option<f64>,
    /// Why there are no times, or a remark about them.
    pub note: String,
    /// The share of the machine's CPU time that other processes took while it was timed.
    #[serde(default)]
    pub busy: Option<f64>,
}

/// The share of the machine's CPU time above which others make a measurement doubtful.
const BUSY: f64 = 0.1;

impl Machine {
    /// Describes this machine.
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

/// The system's name of the CPU; the architecture if unknown.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = told.lines().find_map(|line| line.strip_prefix("model name"));
    let name = named.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

impl Row {
    /// The share of the CPU time that others took, if it was enough to make the times doubtful.
    pub fn is_disturbed(&self) -> Option<f64> {
        self.busy.filter(|&busy| busy > BUSY)
    }

    /// The measured row of this workload on this device, if there is one.
    pub fn find<'a>(rows: &'a [Row], device: &str, op: &str) -> Option<&'a Row> {
        let of_it = |row: &&Row| row.device == device && row.op == op && row.median_ms.is_some();
        rows.iter().find(of_it)
    }
}
