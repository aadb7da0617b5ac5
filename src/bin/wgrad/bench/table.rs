//! The report for a terminal: one block per workload, one line per device.

use crate::words::{count, shown};
use std::io::{self, Write};
use wgrad::bench::{Ceiling, Machine, Outcome, Row, Workload};

/// The table as far as it is written.
pub struct Table {
    /// Width of the names of devices.
    wide: usize,
    /// The device whose ceilings, and the workload whose rows, are being written.
    device: String,
    last: String,
    machine: Option<Machine>,
}

impl Table {
    pub fn new() -> Self {
        Table { wide: 0, device: String::new(), last: String::new(), machine: None }
    }

    pub fn machine(&mut self, out: &mut dyn Write, machine: &Machine) -> io::Result<()> {
        let widths = machine.devices.iter().map(|device| device.device.chars().count());
        self.wide = widths.max().unwrap_or(0);
        self.machine = Some(machine.clone());
        writeln!(
            out,
            "Benchmark of wgrad {} on {}, {}, {}",
            machine.version,
            shown(&machine.cpu),
            count(machine.threads, "thread", "threads"),
            machine.system
        )
    }

    pub fn ceiling(&mut self, out: &mut dyn Write, ceiling: &Ceiling) -> io::Result<()> {
        if self.device != ceiling.device {
            self.device.clone_from(&ceiling.device);
            let devices = self.machine.iter().flat_map(|machine| &machine.devices);
            for device in devices.filter(|device| device.device == ceiling.device) {
                let of_gpu = match device.driver.as_str() {
                    "" => String::new(),
                    driver => format!(", {}, {}", device.kind, shown(driver)),
                };
                let (device, name) = (shown(&device.device), shown(&device.name));
                writeln!(out, "\nPeak rates of {device}: {name}{of_gpu}")?;
            }
        }
        let value = ceiling.value.map_or("-".to_owned(), |value| ceiling.limit.format(value));
        writeln!(out, "  {:<11}{value:>12}  {}", ceiling.limit.name(), ceiling.how)
    }

    pub fn row(&mut self, out: &mut dyn Write, row: &Row) -> io::Result<()> {
        if row.op != self.last {
            writeln!(out, "\n{}  {}  {}", row.op, row.dtype, row.shape)?;
            self.last.clone_from(&row.op);
        }
        writeln!(out, "  {:<1$} {2}", shown(&row.device), self.wide, line(row))
    }
}

/// Lists the available workloads.
pub fn list(out: &mut dyn Write, workloads: &[Workload]) -> io::Result<()> {
    for workload in workloads {
        let Workload { name, family, dtype, shape, .. } = workload;
        writeln!(
            out,
            "{name}  ({family})\n    {dtype}, {shape}\n    checked by {}",
            workload.checked_by()
        )?;
    }
    Ok(())
}

/// The text of a row after its device.
fn line(row: &Row) -> String {
    let Some(median) = row.median_ms else {
        return match row.outcome {
            Outcome::Failed => format!("FAILED: {}", row.note),
            _ => row.note.clone(),
        };
    };
    let spread = row.q1_ms.zip(row.q3_ms).map_or(0.0, |(q1, q3)| 50.0 * (q3 - q1) / median);
    let rate = match (row.tops, row.gbps) {
        (Some(tops), _) => format!("{tops:.3} TOPS"),
        (_, Some(gbps)) => format!("{gbps:.1} GB/s"),
        _ => String::new(),
    };
    let share = row.percent_of_ceiling.zip(row.ceiling.as_deref());
    let share = share.map_or(String::new(), |(percent, of)| format!("{percent:.0}% of peak {of}"));
    let speedup = row.speedup.map_or(String::new(), |times| format!("speedup {times:.2}"));
    let error = match row.max_error {
        Some(error) if row.outcome == Outcome::Measured => format!("error {error:.0e}"),
        _ if row.outcome == Outcome::Measured => String::new(),
        _ => format!("WRONG ({})", row.note),
    };
    let busy =
        row.is_disturbed().map_or(String::new(), |busy| format!(", busy {:.0}%", 100.0 * busy));
    format!(
        "{:>10} ±{spread:>2.0}% {rate:>11} {share:>19} {speedup:>13} {error}{busy}",
        time(median)
    )
}

/// Formats milliseconds in a suitable unit.
pub fn time(ms: f64) -> String {
    match ms {
        ms if ms < 0.1 => format!("{:.1} us", 1e3 * ms),
        ms if ms < 10.0 => format!("{ms:.3} ms"),
        ms if ms < 1e4 => format!("{ms:.1} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}
