//! Summary of the report in a few sentences.

use crate::words::count;
use wgrad::bench::{Ceiling, DeviceSummary, Limit, Outcome, Report, Row};

/// Kinds of arithmetic and their names.
const ARITHMETIC: [(Limit, &str); 4] = [
    (Limit::FmaF32, "f32"),
    (Limit::FmaF16, "f16"),
    (Limit::DotI8, "int8"),
    (Limit::MatrixF16, "f16 on matrix units"),
];

/// Peaks, the best speedup, where the CPU wins, and the share of a given TOPS figure.
pub fn of(report: &Report, against: Option<f64>) -> String {
    let mut sentences: Vec<String> =
        report.machine.devices.iter().filter_map(|device| peaks(report, device)).collect();
    let devices = report.machine.devices.iter().filter(|device| device.kind != "cpu");
    sentences.extend(devices.filter_map(|device| beside_cpu(report, device)));
    sentences.extend(against.and_then(|tops| beside(report, tops)));
    let bad = report.rows.iter().filter(|r| matches!(r.outcome, Outcome::Wrong | Outcome::Failed));
    let bad: Vec<_> = bad.map(|row| format!("{} on {}", row.op, row.device)).collect();
    let measured = report.rows.iter().filter(|row| row.outcome == Outcome::Measured).count();
    sentences.extend(busy(report));
    sentences.push(match measured {
        _ if !bad.is_empty() => format!("NOT TO BE TRUSTED: {}.", bad.join(", ")),
        0 => "No row was measured.".to_owned(),
        1 => "The 1 measured row is right.".to_owned(),
        measured => format!("All {measured} measured rows are right."),
    });
    sentences.join("\n")
}

/// Says that other processes took part of the machine.
pub fn busy(report: &Report) -> Option<String> {
    let disturbed = report.rows.iter().filter_map(Row::is_disturbed);
    let (n, most) = disturbed.fold((0, 0.0), |(n, most), busy| (n + 1, busy.max(most)));
    (n > 0).then(|| {
        format!(
            "The machine was busy: other processes took up to {:.0}% of its CPU time during {} of {}; \
             their times may be too long.",
            100.0 * most,
            n,
            count(report.rows.len(), "row", "rows"),
        )
    })
}

fn rate(report: &Report, device: &str, limit: Limit) -> Option<f64> {
    let is_it = |ceiling: &&Ceiling| ceiling.device == device && ceiling.limit == limit;
    report.ceilings.iter().find(is_it)?.value
}

fn peaks(report: &Report, device: &DeviceSummary) -> Option<String> {
    let peaks = ARITHMETIC.iter().filter_map(|(limit, name)| {
        Some(format!("{} in {name}", limit.format(rate(report, &device.device, *limit)?)))
    });
    let peaks: Vec<_> = peaks.collect();
    let memory = rate(report, &device.device, Limit::Copy)
        .map_or(String::new(), |copy| format!(", and copies {}", Limit::Copy.format(copy)));
    (!peaks.is_empty()).then(|| {
        format!("{} ({}) reaches {}{memory}.", device.device, device.name, peaks.join(", "))
    })
}

fn beside_cpu(report: &Report, device: &DeviceSummary) -> Option<String> {
    let rows = report.rows.iter().filter(|row| {
        row.device == device.device && row.outcome == Outcome::Measured && row.speedup.is_some()
    });
    let mut rows: Vec<&Row> = rows.collect();
    let speed = |row: &Row| row.speedup.unwrap_or(0.0);
    rows.sort_by(|a, b| speed(b).total_cmp(&speed(a)));
    let (best, middle) = (rows.first()?, rows[rows.len() / 2]);
    let lost: Vec<_> =
        rows.iter().filter(|row| speed(row) < 1.0).map(|row| row.op.as_str()).collect();
    let lost = match lost.len() {
        0 => "the CPU wins nowhere".to_owned(),
        n if n == rows.len() => format!("the CPU wins in all {n} rows"),
        n if n <= 6 => format!("the CPU wins at {}", lost.join(", ")),
        n => format!("the CPU wins in {n} of {} rows", rows.len()),
    };
    Some(format!(
        "{} is at best {:.2} times as fast as the CPU ({}), {:.2} times in the middle; {lost}.",
        device.device,
        speed(best),
        best.op,
        speed(middle),
    ))
}

/// Compares the best of all ceilings with a given figure.
fn beside(report: &Report, tops: f64) -> Option<String> {
    let all = report.ceilings.iter().filter_map(|ceiling| {
        let (_, name) = ARITHMETIC.iter().find(|(limit, _)| *limit == ceiling.limit)?;
        Some((ceiling.value?, *name, &ceiling.device))
    });
    let (best, name, device) = all.max_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
    Some(format!(
        "The most that was measured, {:.3} TOPS in {name} on {device}, is {:.2}% of {tops} TOPS.",
        best / 1e12,
        best / 1e10 / tops,
    ))
}
