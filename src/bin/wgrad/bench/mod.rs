//! `wgrad bench`: measures the performance of this machine's devices.

mod compare;
mod csv;
mod headline;
mod html;
mod table;

use crate::{
    console::Console,
    failure::Failure,
    place::{writable, writable_directory},
    precision::PrecisionArg,
    words::{count, shown_path},
};
use serde_json::json;
use std::{io::Write, ops::ControlFlow, path::PathBuf};
use table::Table;
use wgrad::{
    Device, Selection,
    bench::{Event, Options, Outcome, Report, run},
    io::write_atomically,
};

/// Measure the peak performance of this machine's devices, and what products, convolutions, other
/// operations and whole training steps achieve.
///
/// Every row is checked against f64 before it is timed; a wrong one is printed as wrong, and the
/// exit status says so.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  wgrad bench --quick                     two minutes, on the best GPU and the CPU
  wgrad bench --device gpu,cpu            what --quick leaves out as well
  wgrad bench --filter matmul --sizes 1000,2000
  wgrad bench --html report.html --save before
  wgrad bench compare before after --fail-on-regression
  wgrad bench --quick --json | jq '.rows[] | select(.speedup > 10) | .op'"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Devices to measure: cpu, gpu, gpu:NAME, gpu:INDEX, one or several [default: the best
    /// hardware GPU, if there is one, and the CPU].
    #[arg(long, value_name = "DEVICES", value_delimiter = ',')]
    device: Vec<String>,
    /// Only rows whose name or kind contains one of these: matmul, conv, attention, model, ...
    #[arg(long, value_name = "TEXTS", value_delimiter = ',')]
    filter: Vec<String>,
    /// Skip what would take more than two seconds, or use less data.
    #[arg(long)]
    quick: bool,
    /// Seconds of timing per row [default: 2; 0.2 with --quick].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time: Option<f64>,
    /// Extents of the square products.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=32_768))]
    sizes: Vec<u32>,
    /// How exactly products and convolutions are calculated, on devices with matrix units: `units` lets
    /// those of f16 run on them, `split` those of f32 too, each operand as two halves.
    #[arg(long, value_name = "PRECISION", default_value = "full")]
    precision: PrecisionArg,
    /// Print the names of the rows, what each is an example of, and how it is checked, and exit.
    #[arg(long)]
    list: bool,
    /// Print one JSON object at the end: machine, ceilings and rows.
    #[arg(long, conflicts_with_all = ["csv", "json_lines"])]
    json: bool,
    /// Print one JSON object per line as soon as it is known: {"machine": ...}, {"ceiling": ...} or
    /// {"row": ...}.
    #[arg(long, conflicts_with = "csv")]
    json_lines: bool,
    /// Print the rows as comma-separated values, each as soon as it is known.
    #[arg(long)]
    csv: bool,
    /// Write the report as HTML, in one file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Save the report under this name, or in this file, for `wgrad bench compare`.
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Print the achieved share of this many TOPS, e.g. a figure from a data sheet.
    #[arg(long, value_name = "TOPS", value_parser = tops)]
    against_tops: Option<f64>,
}

#[derive(clap::Subcommand)]
enum Command {
    Compare(compare::Args),
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds, from 0.001 to 3600".to_owned())
}

fn tops(text: &str) -> Result<f64, String> {
    let tops = text.parse().ok().filter(|tops: &f64| tops.is_finite() && *tops > 0.0);
    tops.ok_or_else(|| "expected a positive number of TOPS".to_owned())
}

pub fn run_command(args: &Args, out: &mut Console) -> Result<(), Failure> {
    if let Some(Command::Compare(args)) = &args.command {
        return compare::run(args, out);
    }
    let options = options(args);
    let wanted = options.workloads();
    if wanted.is_empty() {
        let filter = args.filter.join(", ");
        return Err(format!("no workload is named like {filter:?}: see wgrad bench --list").into());
    }
    if args.list {
        return Ok(table::list(out, &wanted)?);
    }
    keeping(args, out)?;
    let devices = devices(&args.device, out)?;
    let total = (wanted.len() * devices.len()) as f64;
    let report = measure(&devices, &options, args, total, out)?;
    match () {
        () if args.json => out.object(&serde_json::to_value(&report)?)?,
        () if args.csv || args.json_lines => {}
        () => writeln!(out, "\n{}", headline::of(&report, args.against_tops))?,
    }
    if let Some(path) = &args.html {
        write_atomically(path, html::page(&report, args.against_tops).as_bytes())?;
        out.note(&format!("wrote {}", shown_path(path)));
    }
    if let Some(name) = &args.save {
        out.note(&format!("wrote {}", shown_path(&report.save(name)?)));
    }
    let bad = |outcome| report.rows.iter().filter(|row| row.outcome == outcome).count();
    match (bad(Outcome::Wrong), bad(Outcome::Failed)) {
        (0, 0) => Ok(()),
        (wrong, failed) => {
            Err(format!("{} wrong and {failed} failed", count(wrong, "row is", "rows are")).into())
        }
    }
}

/// Checks that the files can be written before anything is measured for them, and that measuring then
/// does not depend on who reads stdout.
fn keeping(args: &Args, out: &mut Console) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        writable(path)?;
        out.goes_on();
    }
    if let Some(name) = &args.save {
        let path = Report::path(name)?;
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            writable_directory(directory)?;
        }
        writable(&path)?;
        out.goes_on();
    }
    Ok(())
}

fn options(args: &Args) -> Options {
    let mut options = if args.quick { Options::quick() } else { Options::thorough() };
    options.filter.clone_from(&args.filter);
    options.precision = args.precision.into();
    if let Some(seconds) = args.time {
        options.seconds = seconds;
        options.limit = options.limit.max(2.0 * seconds);
    }
    if !args.sizes.is_empty() {
        options.sizes = args.sizes.iter().map(|&n| n as usize).collect();
    }
    options
}

/// Opens the named devices.
fn devices(names: &[String], out: &mut Console) -> Result<Vec<(String, Device)>, Failure> {
    let open = |name: &str| -> Result<(String, Device), Failure> {
        Ok((name.to_owned(), Device::select_blocking(&name.parse::<Selection>()?)?))
    };
    if names.is_empty() {
        let best = Device::best();
        let cpu = ("cpu".to_owned(), Device::cpu());
        return Ok(match best {
            Device::Gpu(_) => vec![cpu, ("gpu".to_owned(), best)],
            _ => {
                out.note(
                    "note: there is no hardware GPU; --device cpu,gpu measures a software GPU",
                );
                vec![cpu]
            }
        });
    }
    let mut devices: Vec<(String, Device)> = Vec::new();
    for name in names {
        if devices.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} is named twice").into());
        }
        devices.push(open(name)?);
    }
    // The baseline comes first.
    devices.sort_by_key(|(_, device)| !matches!(device, Device::Cpu(_)));
    Ok(devices)
}

/// Measures, and prints what is known at once: whoever stops the run keeps that. Rows come in the order
/// of measurement, in which one of each family goes first.
fn measure(
    devices: &[(String, Device)],
    options: &Options,
    args: &Args,
    total: f64,
    out: &mut Console,
) -> Result<Report, Failure> {
    out.begin(args.json || args.csv || args.json_lines);
    let mut table = Table::new();
    let (mut rows, mut failure) = (0.0, None);
    let report = run(devices, options, &mut |event| {
        if failure.is_some() {
            return ControlFlow::Break(());
        }
        let written = match event {
            Event::Ceilings(device) => {
                out.done(0.0, &format!("peak rates of {device}"));
                Ok(())
            }
            Event::Workload(device, workload) => {
                out.done(rows / total, &format!("{} on {device}", workload.name));
                Ok(())
            }
            event => {
                rows += f64::from(u8::from(matches!(event, Event::Row(_))));
                print(&event, args, &mut table, out)
            }
        };
        failure = written.err();
        if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(report?),
    }
}

/// Prints a part of the report in the form that was asked for.
fn print(event: &Event, args: &Args, table: &mut Table, out: &mut Console) -> std::io::Result<()> {
    match event {
        _ if args.json => Ok(()),
        Event::Machine(_) if args.csv => csv::header(out),
        Event::Row(row) if args.csv => csv::row(out, row),
        _ if args.csv => Ok(()),
        Event::Machine(machine) if args.json_lines => out.object(&json!({ "machine": machine })),
        Event::Ceiling(ceiling) if args.json_lines => out.object(&json!({ "ceiling": ceiling })),
        Event::Row(row) if args.json_lines => out.object(&json!({ "row": row })),
        Event::Machine(machine) => table.machine(out, machine),
        Event::Ceiling(ceiling) => table.ceiling(out, ceiling),
        Event::Row(row) => table.row(out, row),
        _ => Ok(()),
    }
}
