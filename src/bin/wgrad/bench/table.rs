//! The report for a terminal: one block per workload, one line per device, 80 columns wide.

use std::io::{self, Write};
use wgrad::bench::{Outcome, Report, Row, Workload};

pub fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let machine = &report.machine;
    writeln!(
        out,
        "{}, {} threads, {}, wgrad {}",
        machine.cpu, machine.threads, machine.system, machine.version
    )?;
    for device in &machine.devices {
        let of_gpu = if device.driver.is_empty() {
            String::new()
        } else {
            format!(", {}, {}", device.kind, device.driver)
        };
        writeln!(out, "\n{}: {}{of_gpu}", device.device, device.name)?;
        for ceiling in report.ceilings.iter().filter(|ceiling| ceiling.device == device.device) {
            let value = ceiling.value.map_or("-".to_owned(), |value| ceiling.limit.format(value));
            writeln!(out, "  {:<11}{value:>12}  {}", ceiling.limit.name(), ceiling.how)?;
        }
    }
    let wide = report.rows.iter().map(|row| row.device.chars().count()).max().unwrap_or(0);
    let mut last = "";
    for row in &report.rows {
        if row.op != last {
            writeln!(out, "\n{}  {}  {}", row.op, row.dtype, row.shape)?;
            last = &row.op;
        }
        writeln!(out, "  {:<wide$} {}", row.device, line(row))?;
    }
    Ok(())
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
    let share = share.map_or(String::new(), |(percent, of)| format!("{percent:.0}% of {of}"));
    let speedup = row.speedup.map_or(String::new(), |times| format!("{times:.2}x cpu"));
    let error = match row.max_error {
        Some(error) if row.outcome == Outcome::Measured => format!("error {error:.0e}"),
        _ if row.outcome == Outcome::Measured => String::new(),
        _ => format!("WRONG ({})", row.note),
    };
    format!("{:>10} ±{spread:>2.0}% {rate:>11} {share:>18} {speedup:>9} {error}", time(median))
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
