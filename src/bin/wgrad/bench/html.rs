//! The report as HTML: one self-contained file without scripts or external resources.

use super::{headline, table::time};
use crate::words::count;
use std::fmt::Write;
use wgrad::bench::{Ceiling, DeviceSummary, Limit, Outcome, Report, Row};

/// The page. Charts without data are omitted.
pub fn page(report: &Report, against: Option<f64>) -> String {
    let machine = &report.machine;
    let sentences: String = headline::of(report, against)
        .lines()
        .map(|line| format!("<li>{}</li>\n", escaped(line)))
        .collect();
    let rooflines: String =
        machine.devices.iter().filter_map(|device| roofline(report, device)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>wgrad benchmark</title>\n<style>{STYLE}</style></head><body><main>\n\
         <h1>wgrad benchmark</h1>\n\
         <p class=\"quiet\">{}, {}, {}; wgrad {}; {}</p>\n\
         <ul class=\"headline\">\n{sentences}</ul>\n\
         <section><h2>Peak rates</h2>\n<p>Measured by loops that do nothing else, and whose results \
         were right.</p>\n{}</section>\n\
         {rooflines}{}<section><h2>Rows</h2>\n{}</section>\n\
         </main></body></html>\n",
        escaped(&machine.cpu),
        count(machine.threads, "thread", "threads"),
        escaped(&machine.system),
        escaped(&machine.version),
        date(machine.time),
        ceilings(report),
        bars(report),
        rows(report),
    )
}

const STYLE: &str = "
:root { --ink: #1c2430; --quiet: #5b6675; --paper: #ffffff; --line: #d9dee5; --faint: #f3f5f8;
  --c0: #0b63ce; --c1: #b4540a; --c2: #1c7d4d; --c3: #8a3fb0; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --quiet: #9aa5b4; --paper: #14181f;
  --line: #323a46; --faint: #1c222b; --c0: #6aaeff; --c1: #f0a35e; --c2: #63cf98; --c3: #d39af0;
  --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.2rem; margin: 40px 0 8px; }
p { margin: 0 0 12px; }
.quiet { color: var(--quiet); }
.headline { padding-left: 20px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; }
td.n, th.n { text-align: right; }
tr.op td { background: var(--faint); font-weight: 600; }
tr.op span { color: var(--quiet); font-weight: 400; }
td.why { white-space: normal; color: var(--quiet); }
.bad { color: var(--bad); font-weight: 600; }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .quiet { fill: var(--quiet); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .roof { fill: none; stroke: var(--ink); stroke-width: 2; }
svg .zone { fill: var(--faint); }
.bar { display: grid; grid-template-columns: minmax(130px, 250px) 1fr 76px; gap: 4px 10px;
  align-items: center; font-size: 0.9rem; }
.bar .track { background: var(--faint); height: 14px; position: relative; }
.bar .fill { position: absolute; top: 0; bottom: 0; }
.bar .name { overflow-wrap: anywhere; }
.bar .value { text-align: right; font-variant-numeric: tabular-nums; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; padding: 0; list-style: none;
  font-size: 0.9rem; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 6px; }
";

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Formats a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn date(seconds: u64) -> String {
    let days = (seconds / 86_400) as i64 + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{}-{month:02}-{day:02}", year + 400 * era + i64::from(month <= 2))
}

fn ceilings(report: &Report) -> String {
    let mut table = String::from(
        "<div class=\"scroll\"><table><tr><th>device</th><th>rate</th>\
         <th class=\"n\">measured</th><th>how</th></tr>\n",
    );
    for Ceiling { device, limit, value, how } in &report.ceilings {
        let value = value.map_or("–".to_owned(), |value| limit.format(value));
        let _ = writeln!(
            table,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{value}</td><td class=\"why\">{}</td></tr>",
            escaped(device),
            limit.name(),
            escaped(how),
        );
    }
    table + "</table></div>\n"
}

fn rows(report: &Report) -> String {
    let mut table = String::from(
        "<div class=\"scroll\"><table><tr><th>device</th>\
         <th class=\"n\">median</th><th class=\"n\">spread</th><th class=\"n\">rate</th>\
         <th class=\"n\">% of peak</th><th class=\"n\">speedup over the CPU</th>\
         <th class=\"n\">first run</th><th class=\"n\">error</th><th class=\"n\">other load</th></tr>\n",
    );
    let mut last = "";
    for row in &report.rows {
        if row.op != last {
            let (op, dtype, shape) = (escaped(&row.op), escaped(&row.dtype), escaped(&row.shape));
            let _ = writeln!(
                table,
                "<tr class=\"op\"><td colspan=\"9\">{op} <span>{dtype}, {shape}</span></td></tr>"
            );
            last = &row.op;
        }
        let _ = writeln!(table, "<tr><td>{}</td>{}</tr>", escaped(&row.device), cells(row));
    }
    table + "</table></div>\n"
}

fn cells(row: &Row) -> String {
    let Some(median) = row.median_ms else {
        let class = if row.outcome == Outcome::Failed { "why bad" } else { "why" };
        return format!("<td class=\"{class}\" colspan=\"8\">{}</td>", escaped(&row.note));
    };
    let spread = row.q1_ms.zip(row.q3_ms).map_or(0.0, |(q1, q3)| 50.0 * (q3 - q1) / median);
    let rate = match (row.tops, row.gbps) {
        (Some(tops), _) => format!("{tops:.3} TOPS"),
        (_, Some(gbps)) => format!("{gbps:.1} GB/s"),
        _ => String::new(),
    };
    let share = row.percent_of_ceiling.zip(row.ceiling.as_deref());
    let share = share.map_or(String::new(), |(percent, of)| format!("{percent:.0}% of {of}"));
    let error = match row.outcome {
        Outcome::Measured => row.max_error.map_or(String::new(), |error| format!("{error:.0e}")),
        _ => format!("<span class=\"bad\">{}</span>", escaped(&row.note)),
    };
    let busy = match (row.busy, row.is_disturbed()) {
        (_, Some(busy)) => format!("<span class=\"bad\">busy {:.0}%</span>", 100.0 * busy),
        (Some(busy), _) => format!("{:.0}%", 100.0 * busy),
        _ => String::new(),
    };
    let numbers = [
        time(median),
        format!("±{spread:.0}%"),
        rate,
        share,
        row.speedup.map_or(String::new(), |times| format!("{times:.2}×")),
        row.cold_ms.map_or(String::new(), time),
        error,
        busy,
    ];
    numbers.map(|number| format!("<td class=\"n\">{number}</td>")).concat()
}

/// Roofline chart of one device: operations per second over operations per byte.
fn roofline(report: &Report, device: &DeviceSummary) -> Option<String> {
    let rate = |limit: Limit| {
        let of_it = |c: &&Ceiling| c.device == device.device && c.limit == limit;
        report.ceilings.iter().find(of_it)?.value
    };
    let (peak, memory) = (rate(Limit::FmaF32)?, rate(Limit::Copy)?);
    let points: Vec<(&Row, f64, f64)> = report
        .rows
        .iter()
        .filter(|row| row.device == device.device && row.dtype == "f32" && row.operations > 0.0)
        .filter_map(|row| {
            Some((row, row.operations / row.bytes, row.operations / (row.median_ms? / 1e3)))
        })
        .collect();
    if points.is_empty() {
        return None;
    }
    let extreme = |start: f64, pick: fn(f64, f64) -> f64, of: fn(&(&Row, f64, f64)) -> f64| {
        points.iter().map(of).fold(start, pick)
    };
    let ridge = peak / memory;
    let x = Axis::new(
        extreme(ridge, f64::min, |p| p.1) / 2.0,
        extreme(ridge, f64::max, |p| p.1) * 2.0,
        [84.0, 700.0],
    );
    let y = Axis::new(
        extreme(peak, f64::min, |p| p.2) / 2.0,
        extreme(peak, f64::max, |p| p.2) * 1.6,
        [340.0, 16.0],
    );
    let mut drawing = String::new();
    for (power, place) in x.decades() {
        let _ = write!(
            drawing,
            "<line class=\"grid\" x1=\"{place:.1}\" x2=\"{place:.1}\" y1=\"16\" y2=\"340\"/>\
             <text class=\"quiet\" x=\"{place:.1}\" y=\"358\" text-anchor=\"middle\">{}</text>",
            decade(power, "")
        );
    }
    for (power, place) in y.decades() {
        let _ = write!(
            drawing,
            "<line class=\"grid\" x1=\"84\" x2=\"700\" y1=\"{place:.1}\" y2=\"{place:.1}\"/>\
             <text class=\"quiet\" x=\"76\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            place + 4.0,
            decade(power, "OPS")
        );
    }
    let left = 10f64.powf(x.low);
    let _ = write!(
        drawing,
        "<polyline class=\"roof\" points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        x.at(left),
        y.at(left * memory).min(340.0),
        x.at(ridge),
        y.at(peak),
        700.0,
        y.at(peak),
        694.0,
        y.at(peak) - 6.0,
        Limit::FmaF32.format(peak)
    );
    for (row, intensity, rate) in &points {
        let color = color(&row.family);
        let _ = write!(
            drawing,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"var({color})\" fill-opacity=\"0.85\">\
             <title>{}: {}, {:.0}% of {}</title></circle>",
            x.at(*intensity),
            y.at(*rate),
            escaped(&row.op),
            time(row.median_ms.unwrap_or(0.0)),
            row.percent_of_ceiling.unwrap_or(0.0),
            row.ceiling.as_deref().unwrap_or("no ceiling"),
        );
    }
    let keys = KINDS
        .map(|(name, color)| format!("<li><i style=\"background: var({color})\"></i>{name}</li>"));
    Some(format!(
        "<section><h2>Roofline of {}, f32</h2>\n<p class=\"quiet\">{}. Each point is a workload: its arithmetic \
         intensity, and the performance that was reached. The line is the measured peak. Point at one \
         for its name.</p>\n\
         <div class=\"scroll\"><svg viewBox=\"0 0 720 384\" role=\"img\" aria-label=\"performance by arithmetic \
         intensity\">{drawing}<text class=\"quiet\" x=\"382\" y=\"378\" text-anchor=\"middle\">arithmetic intensity, \
         operations per byte</text></svg></div>\n<ul class=\"key\">{}</ul></section>\n",
        escaped(&device.device),
        escaped(&device.name),
        keys.concat()
    ))
}

/// Kinds of rows, and their colors.
const KINDS: [(&str, &str); 4] = [
    ("products and convolutions", "--c0"),
    ("elements, rows and reductions", "--c1"),
    ("attention", "--c2"),
    ("models", "--c3"),
];

fn color(family: &str) -> &'static str {
    match family {
        "product" | "convolution" => "--c0",
        "attention" => "--c2",
        "model" => "--c3",
        _ => "--c1",
    }
}

/// A logarithmic axis: powers of ten at its ends, and its position in the drawing.
struct Axis {
    low: f64,
    high: f64,
    ends: [f64; 2],
}

impl Axis {
    fn new(low: f64, high: f64, ends: [f64; 2]) -> Self {
        Axis { low: low.log10(), high: high.log10(), ends }
    }

    fn at(&self, x: f64) -> f64 {
        let share = (x.log10() - self.low) / (self.high - self.low);
        self.ends[0] + share * (self.ends[1] - self.ends[0])
    }

    /// At most eight powers of ten within it, and their positions.
    fn decades(&self) -> Vec<(i32, f64)> {
        let all: Vec<i32> = (self.low.ceil() as i32..=self.high.floor() as i32).collect();
        let step = all.len().div_ceil(8).max(1);
        all.into_iter().step_by(step).map(|power| (power, self.at(10f64.powi(power)))).collect()
    }
}

/// Formats a power of ten: `100 GOPS`.
fn decade(power: i32, unit: &str) -> String {
    let of = |power: i32| match power {
        ..0 => 10f64.powi(power).to_string(),
        power => 10u64.pow(power as u32).to_string(),
    };
    match (unit, power) {
        ("", power) if (-3..=6).contains(&power) => of(power),
        ("", power) => format!("1e{power}"),
        (unit, 12..) => format!("{} T{unit}", of(power - 12)),
        (unit, 9..=11) => format!("{} G{unit}", of(power - 9)),
        (unit, 6..=8) => format!("{} M{unit}", of(power - 6)),
        (unit, _) => format!("1e{power} {unit}"),
    }
}

/// Bar chart of each device's speedup over the CPU, on a logarithmic scale starting at 1.
fn bars(report: &Report) -> String {
    let rows = report.rows.iter().filter(|row| row.outcome == Outcome::Measured);
    let compared: Vec<(&Row, f64)> = rows
        .filter(|row| {
            let of_it = |d: &&DeviceSummary| d.device == row.device;
            report.machine.devices.iter().find(of_it).is_some_and(|device| device.kind != "cpu")
        })
        .filter_map(|row| Some((row, row.speedup?)))
        .collect();
    let Some(widest) = compared.iter().map(|(_, times)| times.log10().abs()).reduce(f64::max)
    else {
        return String::new();
    };
    let several = report.machine.devices.iter().filter(|device| device.kind != "cpu").count() > 1;
    let mut bars = String::new();
    for (row, times) in compared {
        let share = 50.0 * times.log10().abs() / widest.max(0.3);
        let (left, color) = if times >= 1.0 { (50.0, "--c2") } else { (50.0 - share, "--c1") };
        let on = if several { format!(" on {}", escaped(&row.device)) } else { String::new() };
        let _ = writeln!(
            bars,
            "<div class=\"name\">{}{on}</div><div class=\"track\"><div class=\"fill\" \
             style=\"left: {left:.2}%; width: {share:.2}%; background: var({color})\"></div></div>\
             <div class=\"value\">{times:.2}×</div>",
            escaped(&row.op)
        );
    }
    format!(
        "<section><h2>Speedup over the CPU</h2>\n<p>Of the same work until its results are there, \
         on a logarithmic scale: to the right of the middle the GPU is faster, to the left the CPU.</p>\n<div class=\"bar\">\n{bars}</div></section>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [0, 86_400 * 59, 951_782_400, 1_795_478_400];
        let known = ["1970-01-01", "1970-03-01", "2000-02-29", "2026-11-24"];
        assert_eq!(days.map(date), known);
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<b> & \"c\""), "&lt;b&gt; &amp; &quot;c&quot;");
    }
}
