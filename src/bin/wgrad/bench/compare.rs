//! `wgrad bench compare`: the rows that became faster or slower between two reports.

use super::table::time;
use crate::{console::Console, failure::Failure};
use std::io::Write;
use wgrad::bench::{Report, compare};

/// Compare two reports saved by `wgrad bench --save`, and list what became faster or slower by more
/// than the noise of both.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad bench compare before after
  wgrad bench compare before after.json --fail-on-regression")]
pub struct Args {
    /// The earlier report: a name, or a file.
    before: String,
    /// The later report.
    after: String,
    /// Exit with status 1 if something became slower or wrong, or is no longer measured.
    #[arg(long)]
    fail_on_regression: bool,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, out: &mut Console) -> Result<(), Failure> {
    let rows = compare(&Report::load(&args.before)?, &Report::load(&args.after)?);
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
                "verdict": row.change.to_string().to_lowercase(),
            });
            out.object(&object)?;
            continue;
        }
        let what = format!("{} on {}", row.op, row.device);
        let of = |ms: Option<f64>| ms.map_or("-".to_owned(), time);
        let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        let (before, after) = (of(row.before), of(row.after));
        writeln!(out, "{what:<wide$} {before:>11} {after:>11} {ratio:>7}  {}", row.change)?;
    }
    let worse = rows.iter().filter(|row| row.is_regression()).count();
    if !args.json {
        let text = if worse == 0 {
            "nothing became worse".to_owned()
        } else {
            format!("{worse} became worse")
        };
        writeln!(out, "\n{} rows, {text}", rows.len())?;
    }
    if args.fail_on_regression && worse > 0 {
        Err(format!("{worse} rows became worse").into())
    } else {
        Ok(())
    }
}
