//! `wgrad verify`: checks whether a device computes what the formulas say.

use crate::{
    console::Console,
    device::{DeviceArgs, described},
    failure::Failure,
    junit::{self, Case, Suite, Verdict},
    mutants::MutantArgs,
    place::writable,
    repro::Kept,
    words::count,
};
use serde_json::json;
use std::{collections::BTreeMap, io::Write, path::PathBuf, time::Instant};
use wgrad::{
    DType, Device, Verification,
    io::write_atomically,
    testing::{Check, Counterexample, Failure as Wrong, Outcome, Sample, samples},
};

/// Run every operation on a device, with its first and second derivatives, and compare the results
/// with f64.
///
/// The exit code is 1 if a result is wrong.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad verify
  wgrad verify --device gpu --full
  wgrad verify --device cpu --ops matmul,convolution
  wgrad verify --device gpu --repro wrong.safetensors
  wgrad verify --device gpu --mutants --one-in 10
  wgrad verify --device gpu --junit verify.xml
  wgrad verify --device gpu --json | tail -n 1 | jq .failed")]
pub struct Args {
    #[command(flatten)]
    device: DeviceArgs,
    /// Only these operations.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    ops: Vec<String>,
    /// Only samples that read or produce this element type: f32, f16, i32, u32 or bool.
    #[arg(long, value_name = "TYPE", value_parser = dtype)]
    dtype: Option<DType>,
    /// On a GPU, run everything a second time between guard bands, which detects reads of
    /// uninitialized memory and writes outside a result.
    #[arg(long)]
    full: bool,
    /// Run only the step in this file, which `wgrad diff --repro` wrote.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ops", "dtype", "full", "list"])]
    repro: Option<PathBuf>,
    #[command(flatten)]
    mutants: MutantArgs,
    /// Write a report in JUnit XML, which CI servers show: a suite per operation, a case per sample
    /// and order of derivative.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repro", "list", "mutants"])]
    junit: Option<PathBuf>,
    /// Print the names of the operations, or the mutants, and exit.
    #[arg(long)]
    list: bool,
    /// Print one JSON object per line: the operations, then the totals. No progress is shown.
    #[arg(long)]
    json: bool,
}

fn dtype(text: &str) -> Result<DType, String> {
    let known = DType::ALL.into_iter().find(|dtype| dtype.to_string() == text);
    known.ok_or_else(|| "expected f32, f16, i32, u32 or bool".to_owned())
}

/// Outcomes of the samples of an operation.
#[derive(Default)]
struct Tally {
    samples: usize,
    /// Not supported on this device: f16 on GPUs without it.
    unsupported: usize,
    /// Results, first and second derivatives compared.
    compared: [usize; 3],
    failures: Vec<String>,
    /// Everything that was asked.
    cases: Vec<Case>,
    /// The largest error relative to its bound.
    worst: f64,
    seconds: f64,
}

pub fn run(args: &Args, out: &mut Console) -> Result<(), Failure> {
    if let Some(path) = &args.repro {
        let kept = Kept::load(path)?;
        return kept.replay(&args.device.open(out)?, args.json, out);
    }
    if args.mutants.are_wanted() {
        return args.mutants.run(&args.device, args.list, args.json, out);
    }
    let mut by_name: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for sample in samples() {
        by_name.entry(sample.subject.name()).or_default().push(sample);
    }
    if args.list {
        by_name.keys().try_for_each(|name| writeln!(out, "{name}"))?;
        return Ok(());
    }
    if let Some(unknown) = args.ops.iter().find(|name| !by_name.contains_key(name.as_str())) {
        return Err(format!("there is no operation {unknown:?}: see wgrad verify --list").into());
    }
    by_name.retain(|name, _| args.ops.is_empty() || args.ops.iter().any(|known| known == name));
    if let Some(dtype) = args.dtype {
        by_name.values_mut().for_each(|samples| samples.retain(|sample| has(sample, dtype)));
        by_name.retain(|_, samples| !samples.is_empty());
    }
    if let Some(file) = &args.junit {
        writable(file)?;
    }
    // The samples are the verification: each is compared with f64 here.
    let device = args.device.open(out)?.with_verification(Verification::Off);
    let devices = match &device {
        Device::Gpu(gpu) if args.full => {
            vec![device.clone(), Device::Gpu(gpu.clone().with_guards())]
        }
        _ => vec![device.clone()],
    };
    let about = described(&device);
    if !args.json {
        writeln!(out, "{about}\n\n{HEADER}")?;
    }
    out.begin(args.json);
    let started = Instant::now();
    let (mut samples, mut failed, mut unsupported) = (0, 0, 0);
    let mut first: Option<String> = None;
    let mut suites = Vec::new();
    for (index, (name, of_op)) in by_name.iter().enumerate() {
        out.done(index as f64 / by_name.len() as f64, name);
        let tally = verify(of_op, &devices);
        (samples, failed, unsupported) = (
            samples + tally.samples,
            failed + tally.failures.len(),
            unsupported + tally.unsupported,
        );
        if args.json {
            out.object(&object(name, &tally))?;
        } else {
            writeln!(out, "{}", row(name, &tally))?;
        }
        suites.push(Suite { name: (*name).to_owned(), cases: tally.cases });
        first = first.or_else(|| tally.failures.into_iter().next());
    }
    let seconds = started.elapsed().as_secs_f64();
    if let Some(file) = &args.junit {
        let xml = junit::report(&suites, &junit::properties(&device));
        write_atomically(file, xml.as_bytes())?;
    }
    if let Some(failure) = &first {
        out.error(failure);
    }
    if args.json {
        let sum = json!({
            "device": about,
            "ops": by_name.len(),
            "samples": samples,
            "unsupported": unsupported,
            "failed": failed,
            "seconds": seconds,
        });
        out.object(&sum)?;
    } else {
        let rest = match unsupported {
            0 => String::new(),
            n => format!(", {n} of them of types that this device lacks"),
        };
        let ops = count(by_name.len(), "operation", "operations");
        let samples = count(samples, "sample", "samples");
        writeln!(out, "\n{ops}, {samples}{rest}: {failed} failed, {seconds:.1} s")?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(format!("{} wrong", count(failed, "result is", "results are")).into()),
    }
}

fn has(sample: &Sample, dtype: DType) -> bool {
    let reads = sample.operands.iter().any(|(meta, _)| meta.dtype == dtype);
    reads || sample.expected().is_ok_and(|(y, _)| y.meta.dtype == dtype)
}

fn verify(samples: &[Sample], devices: &[Device]) -> Tally {
    let mut tally = Tally::default();
    let started = Instant::now();
    for sample in samples {
        tally.samples += 1;
        for (number, device) in devices.iter().enumerate() {
            for order in 0..3 {
                let check = Check::Values { device: device.clone(), order };
                let began = Instant::now();
                let outcome = check.run(sample);
                let seconds = began.elapsed().as_secs_f64();
                let verdict = match outcome {
                    Outcome::Passed(share) => {
                        tally.compared[order] += 1;
                        tally.worst = tally.worst.max(share);
                        Verdict::Passed
                    }
                    Outcome::Unsupported => {
                        tally.unsupported += usize::from((number, order) == (0, 0));
                        Verdict::Skipped("the device lacks an element type of this sample")
                    }
                    Outcome::Failed(wrong) => {
                        if let Wrong::Wrong(agreement) = &wrong {
                            tally.compared[order] += 1;
                            tally.worst = tally.worst.max(agreement.share);
                        }
                        // Others of an operation are most likely the same.
                        let text = match tally.failures.is_empty() {
                            true => told(&sample.shrunk(&check, wrong)),
                            false => told(&Counterexample::new(sample, &check, wrong)),
                        };
                        tally.failures.push(text.clone());
                        Verdict::Failed(text)
                    }
                    _ => continue,
                };
                let what = ["result", "first derivative", "second derivative"][order];
                let guarded = if number > 0 { ", between guard bands" } else { "" };
                let name = format!("{sample}, {what}{guarded}");
                tally.cases.push(Case { name, seconds, verdict });
            }
        }
    }
    tally.seconds = started.elapsed().as_secs_f64();
    tally
}

/// Everything needed to run a sample again.
fn told(counterexample: &Counterexample) -> String {
    let op = counterexample.found.subject.name();
    format!("{counterexample}\n  again: wgrad verify --ops {op}")
}

const HEADER: &str =
    "operation                 samples  results  first  second   error / bound      time";

fn row(name: &str, tally: &Tally) -> String {
    let [results, first, second] = tally.compared;
    let verdict = match tally.failures.len() {
        0 => String::new(),
        n => format!("  {n} FAILED"),
    };
    let share =
        if tally.worst.is_finite() { format!("{:.1}%", 100.0 * tally.worst) } else { "-".into() };
    format!(
        "{name:<26}{:>7}{results:>9}{first:>7}{second:>8}{share:>16}{:>8.2} s{verdict}",
        tally.samples, tally.seconds
    )
}

fn object(name: &str, tally: &Tally) -> serde_json::Value {
    let [results, first, second] = tally.compared;
    json!({
        "op": name,
        "samples": tally.samples,
        "unsupported": tally.unsupported,
        "results": results,
        "first_derivatives": first,
        "second_derivatives": second,
        "worst": tally.worst.is_finite().then_some(tally.worst),
        "failures": tally.failures,
        "seconds": tally.seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmltree::Document;
    use wgrad::{
        Meta,
        ops::{CpuKernel, Custom, Shader},
        testing::Bound,
    };

    /// The first failure of an operation is shrunk, and all are cases of the report.
    #[test]
    fn failures_are_shrunk_and_reported() {
        const FORM: &str = "var<storage, read> var<storage, read_write> var<uniform> epilogue(";
        let op = Custom::new(
            "copied",
            |x| Ok(x[0].clone()),
            |_, _| Shader::new("copied", FORM, &[0; 4], 1),
        );
        let op = op
            .with_definition(Bound::Exact, |x| x[0].data.clone())
            .with_cpu(|_, y| {
                let wrong = y.shape.len() > 5;
                CpuKernel::new(y.shape.len(), 1, move |x, _, out| {
                    out.copy_from_slice(x[0]);
                    if wrong {
                        out[0] = 7.0f32.to_bits();
                    }
                })
            })
            .with_vjp(|_, _, ct| vec![Some(ct)]);
        let sample = |len: usize| Sample::new(op.clone(), [Meta::new([len], DType::F32)]);
        let tally = verify(&[sample(40), sample(3), sample(30)], &[Device::cpu()]);
        let [shrunk, other] = &tally.failures[..] else { unreachable!("two fail") };
        assert!(shrunk.starts_with("FAILED result on CPU, "), "{shrunk}");
        assert!(
            shrunk.contains(" tried: copied [6] f32\n  element 0 is 7e0 instead of "),
            "{shrunk}"
        );
        assert!(shrunk.ends_with("\n  again: wgrad verify --ops copied"), "{shrunk}");
        assert!(!other.contains("SMALLEST"), "{other}");
        assert_eq!(tally.compared, [3, 3, 3]);
        assert!(tally.worst.is_infinite());

        let suite = Suite { name: "copied".into(), cases: tally.cases };
        let xml = junit::report(&[suite], &junit::properties(&Device::cpu()));
        let document = Document::parse(&xml).expect("it is XML");
        let failures = document.descendants().filter(|node| node.has_tag_name("failure"));
        let failures: Vec<_> = failures.map(|node| node.text().unwrap_or_default()).collect();
        assert_eq!(failures, [shrunk, other]);
        let root = document.root_element();
        let counts = ["tests", "failures", "skipped"].map(|name| root.attribute(name));
        assert_eq!(counts, [Some("9"), Some("2"), Some("0")]);
    }
}
