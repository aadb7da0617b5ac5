//! The benchmark harness: every workload is right on every device, and its reports can be read back.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};
use wgrad::{
    Device, Error, Selection,
    bench::{Limit, Options, Outcome, Report, run, workloads},
};

/// Workloads on less data where they are predicted to take longer than `limit` seconds.
fn little(device: Selection, name: &str, filter: &[&str], limit: f64) -> Result<Report, Error> {
    let devices = [(name.to_owned(), Device::select_blocking(&device)?)];
    let options = Options {
        seconds: 0.001,
        ceilings: 0.1,
        limit,
        sizes: vec![48],
        filter: filter.iter().map(|text| (*text).to_owned()).collect(),
        ..Options::thorough()
    };
    run(&devices, &options, &mut |_| std::ops::ControlFlow::Continue(()))
}

/// All rows are right, of every family is one, and these ceilings were measured.
fn assert_right(report: &Report, families: &[&str], limits: &[Limit]) {
    for row in &report.rows {
        let is_good = matches!(row.outcome, Outcome::Measured | Outcome::Skipped);
        assert!(is_good, "{} on {}: {}", row.op, row.device, row.note);
        let is_whole = row.outcome == Outcome::Skipped
            || (row.checked > 0 && row.median_ms > Some(0.0) && row.min_ms <= row.median_ms);
        assert!(is_whole, "{row:?}");
    }
    let measured = report.rows.iter().filter(|row| row.outcome == Outcome::Measured);
    let measured: BTreeSet<&str> = measured.map(|row| row.family.as_str()).collect();
    assert_eq!(measured, families.iter().copied().collect());
    for limit in limits {
        let ceiling = report.ceilings.iter().find(|ceiling| ceiling.limit == *limit);
        assert!(ceiling.is_some_and(|ceiling| ceiling.value > Some(0.0)), "{limit:?}: {ceiling:?}");
    }
}

/// But for models, which are compared with the reference elsewhere and slow to be.
#[test]
fn workloads_are_right_on_the_cpu() -> Result<(), Error> {
    let all: BTreeSet<&str> = workloads(&[48]).iter().map(|workload| workload.family).collect();
    let families: Vec<&str> = all.into_iter().filter(|family| *family != "model").collect();
    let report = little(Selection::Cpu, "cpu", &families, 0.003)?;
    let arithmetic = [Limit::FmaF32, Limit::DotI8, Limit::Clock];
    assert_right(&report, &families, &arithmetic);
    assert_right(&report, &families, &[Limit::Read, Limit::Write, Limit::Copy]);
    Ok(())
}

/// One of some families: each shader that is new to a driver takes it a while.
#[test]
fn workloads_are_right_on_the_gpu() -> Result<(), Error> {
    let names = ["matmul_48", "matmul_i8", "conv2d_fwd", "softmax", "adam"];
    // Room enough for the products on a busy machine: of these there are no smaller ones.
    let report = match little(Selection::Gpu, "gpu", &names, 1.0) {
        Err(error) if std::env::var_os("REQUIRE_GPU").is_none() => {
            eprintln!("skipped: {error}");
            return Ok(());
        }
        report => report?,
    };
    let families = ["convolution", "int8 product", "optimizer", "product", "softmax"];
    // Not the launch: it is a difference of two times, and there is none where noise exceeds it.
    let arithmetic = [Limit::FmaF32, Limit::DotI8, Limit::Submit];
    assert_right(&report, &families, &arithmetic);
    assert_right(&report, &families, &[Limit::Read, Limit::Copy, Limit::Upload, Limit::Readback]);
    Ok(())
}

fn bench(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    command.arg("bench").args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints text")
}

#[test]
fn a_report_is_printed_kept_and_compared() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let at = |name: &str| folder.join(name).to_str().expect("the path is text").to_owned();
    let (kept, page) = (at("before.json"), at("report.html"));
    let args =
        ["--device", "cpu", "--filter", "matmul_40", "--sizes", "40", "--time", "0.01", "--quick"];
    let output = bench(&[&args[..], &["--json", "--save", &kept, "--html", &page]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    let row = &report["rows"][0];
    for key in ["device", "op", "shape", "dtype", "ok"] {
        assert!(!row[key].is_null(), "{key}: {row}");
    }
    for key in ["median_ms", "min_ms", "percent_of_ceiling", "speedup", "max_error"] {
        assert!(row[key].is_number(), "{key}: {row}");
    }
    assert!(row["tops"].is_number() != row["gbps"].is_number(), "{row}");
    assert!(report["machine"].is_object() && report["ceilings"].is_array());

    let page = std::fs::read_to_string(page).expect("it was written");
    assert!(page.contains("<svg") && page.contains("matmul_40"));
    assert!(!page.contains("http") && !page.contains("<script"), "a page loads nothing");

    let output = bench(&[&args[..], &["--csv"]].concat());
    let lines: Vec<Vec<&str>> =
        text(&output.stdout).lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.len() == 2 && lines[0].len() == lines[1].len(), "{lines:?}");

    let output = bench(&[&args[..], &["--json-lines"]].concat());
    let lines = text(&output.stdout).lines();
    let lines: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert!(lines[0]["machine"].is_object() && lines[1]["ceiling"].is_object());
    let rows: Vec<_> = lines.iter().filter(|line| line["row"].is_object()).collect();
    assert!(rows.len() == 1 && rows[0]["row"]["op"] == "matmul_40", "{lines:?}");

    // The same against itself, and against one that is twice as slow; whatever else runs here.
    let mut quiet = Report::load(&kept).expect("it was saved");
    quiet.rows[0].busy = Some(0.0);
    quiet.save(&kept).expect("it can be saved");
    let output = bench(&["compare", &kept, &kept, "--fail-on-regression"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("1 row: 1 within the noise\n"));
    // Times of a busy machine are said to be so.
    let busy = at("busy.json");
    quiet.rows[0].busy = Some(0.5);
    quiet.save(&busy).expect("it can be saved");
    let output = bench(&["compare", &kept, &busy]);
    let said =
        format!("\n{busy}: The machine was busy: other processes took up to 50% of its CPU time");
    assert!(text(&output.stdout).contains(&said), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout).matches("The machine was busy").count(), 1);
    // One that lacks the row is not slower, but compares nothing.
    let mut fewer = Report::load(&kept).expect("it was saved");
    fewer.rows.clear();
    let none = at("fewer.json");
    fewer.save(&none).expect("it can be saved");
    let output = bench(&["compare", &kept, &none]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("1 row: 1 not measured again\n"));
    let output = bench(&["compare", &kept, &none, "--fail-on-regression"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("no row was measured in both"));
    let mut slow = Report::load(&kept).expect("it was saved");
    for row in &mut slow.rows {
        (row.q1_ms, row.q3_ms) = (row.median_ms, row.median_ms);
        for time in [&mut row.median_ms, &mut row.q1_ms, &mut row.q3_ms] {
            *time = time.map(|time| 20.0 * time);
        }
    }
    let slower = at("slower.json");
    slow.save(&slower).expect("it can be saved");
    let output = bench(&["compare", &kept, &slower, "--fail-on-regression"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("SLOWER"), "{}", text(&output.stdout));
    assert_eq!(bench(&["compare", &kept, &slower]).status.code(), Some(0));

    // A file that is not a report is refused.
    std::fs::write(at("none.json"), "{\"rows\": 3}").expect("it can be written");
    let output = bench(&["compare", &kept, &at("none.json")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it is no report of wgrad bench"));
    let output = bench(&["compare", &kept, &at("missing.json")]);
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains("missing.json"));
}

#[test]
fn wrong_usage_is_told() {
    for (args, code, said) in [
        (&["--time", "0"][..], 2, "expected seconds"),
        (&["--sizes", "0"], 2, "--sizes"),
        (&["--json", "--csv"], 2, "cannot be used with"),
        (&["--against-tops", "0"], 2, "--against-tops"),
        (&["--device", "tpu"], 1, "is not a device"),
        (&["--device", "cpu,cpu"], 1, "named twice"),
        (&["compare", "one"], 2, "<AFTER>"),
        (&["--device", "cpu", "--filter", "nothing", "--quick"], 1, "no workload is named"),
    ] {
        let output = bench(args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(said) && output.stdout.is_empty(), "{args:?}: {stderr}");
    }
}
