//! `wgrad bench compare`: the rows that became faster or slower between two reports.

use super::{headline, table::time};
use crate::{
    console::Console,
    failure::Failure,
    words::{count, shown},
};
use std::io::Write;
use wgrad::bench::{Change, Comparison, Report, compare};

/// Compare two reports saved by `wgrad bench --save`, and list what became faster or slower by more
/// than the noise of both.
///
/// A row that only the earlier report has was not measured again: that is no slowdown.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad bench compare before after
  wgrad bench compare before after.json --fail-on-regression")]
pub struct Args {
    /// The earlier report: a name, or a file.
    before: String,
    /// The later report.
    after: String,
    /// Exit with code 1 if a row became slower or wrong, or if no row was measured in both.
    #[arg(long)]
    fail_on_regression: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, out: &mut Console) -> Result<(), Failure> {
    let reports = [Report::load(&args.before)?, Report::load(&args.after)?];
    let rows = compare(&reports[0], &reports[1]);
    let wide = rows.iter().map(|row| row.op.len() + row.device.len() + 4).max().unwrap_or(0);
    for row in &rows {
        if args.json {
            let object = serde_json::json!({
                "device": row.device,
                "op": row.op,
                "before_ms": row.before,
                "after_ms": row.after,
                "ratio": row.ratio,
                "machine": row.machine,
                "verdict": row.change.to_string().to_lowercase().replace(' ', "_"),
            });
            out.object(&object)?;
            continue;
        }
        let what = shown(&format!("{} on {}", row.op, row.device));
        let of = |ms: Option<f64>| ms.map_or("-".to_owned(), time);
        let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        let (before, after) = (of(row.before), of(row.after));
        writeln!(out, "{what:<wide$} {before:>11} {after:>11} {ratio:>7}  {}", row.change)?;
    }
    if !args.json {
        writeln!(out, "\n{}", summary(&rows))?;
        for (name, report) in [&args.before, &args.after].into_iter().zip(&reports) {
            if let Some(busy) = headline::busy(report) {
                writeln!(out, "{}: {busy}", shown(name))?;
            }
        }
    }
    let worse = rows.iter().filter(|row| row.is_regression()).count();
    match () {
        () if !args.fail_on_regression => Ok(()),
        () if worse > 0 => Err(format!("{} worse", count(worse, "row is", "rows are")).into()),
        () if rows.iter().all(|row| row.ratio.is_none()) => {
            Err("no row was measured in both reports".into())
        }
        () => Ok(()),
    }
}

/// The number of rows of each kind.
fn summary(rows: &[Comparison]) -> String {
    const KINDS: [(Change, &str); 7] = [
        (Change::Slower, "slower"),
        (Change::Broken, "wrong now"),
        (Change::Faster, "faster"),
        (Change::Mended, "right again"),
        (Change::Same, "within the noise"),
        (Change::Gone, "not measured again"),
        (Change::New, "new"),
    ];
    let of = |kind| rows.iter().filter(|row| row.change == kind).count();
    let kinds = KINDS.map(|(kind, name)| (of(kind), name));
    let kinds = kinds.into_iter().filter(|(n, _)| *n > 0);
    let kinds: Vec<String> = kinds.map(|(n, name)| format!("{n} {name}")).collect();
    format!("{}: {}", count(rows.len(), "row", "rows"), kinds.join(", "))
}
