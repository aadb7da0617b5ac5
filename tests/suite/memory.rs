//! Where memory runs out there is an error, and the process goes on.

use std::process::Command;
use wgrad::{
    Array, DType, Device, DeviceError, Error, Feed, Graph, Init, Meta, Selection, Tensor,
    Variables, ops::Geometry,
};

/// Names the device of a child that has little memory.
const DEVICE: &str = "WGRAD_TEST_STARVED";
/// Exit status of a child that has met every error and survived.
const SURVIVED: i32 = 42;

/// Elements that take 2 GiB on the CPU, and more on the reference.
const HUGE: usize = 1 << 29;
/// Elements of which one tensor fits, and two do not.
const LARGE: usize = 220 << 20;

fn run(
    graph: &Graph,
    device: &Device,
    y: Tensor<'_>,
    inputs: &[(&str, &dyn Feed)],
) -> Result<(), Error> {
    let program = graph.compile(device, &[y])?;
    program.run(&Variables::new(0), inputs)?.read_blocking(0).map(drop)
}

fn ramp(graph: &Graph, len: usize) -> Tensor<'_> {
    graph.iota([len], 0, DType::U32).cast(DType::F32)
}

type Case = (&'static str, fn(&Graph, &Device) -> Result<(), Error>);

const CASES: [Case; 10] = [
    ("a result", |graph, device| run(graph, device, ramp(graph, HUGE) + 1.0, &[])),
    ("a result that is read", |graph, device| run(graph, device, ramp(graph, LARGE) + 1.0, &[])),
    ("a slot", |graph, device| run(graph, device, ramp(graph, HUGE).cumsum(0).sum(..), &[])),
    ("zeros", |graph, device| {
        run(graph, device, graph.variable("v", [HUGE], DType::F32, Init::Zeros).sum(..), &[])
    }),
    ("noise", |graph, device| {
        run(graph, device, graph.variable("v", [HUGE], DType::F32, Init::HeNormal).sum(..), &[])
    }),
    ("a sort", |graph, device| {
        let rows = ramp(graph, LARGE).reshape([220, 1 << 20]);
        run(graph, device, rows.argsort(1, false).sum(..), &[])
    }),
    ("scratch", |graph, device| {
        run(graph, device, ramp(graph, 150 << 20).cumsum(0) * 2.0 + 1.0, &[])
    }),
    ("a convolution", |graph, device| {
        let x = ramp(graph, 1 << 28).reshape([1, 16, 4096, 4096]);
        let weight = graph.variable("w", [16, 16, 3, 3], DType::F32, Init::HeNormal);
        run(graph, device, x.convolution(weight, Geometry::new(2)).sum(..), &[])
    }),
    ("an input", |graph, device| {
        let x = Array::from_words(Meta::new([LARGE], DType::I32), vec![0; LARGE])?;
        run(graph, device, graph.input("x", [LARGE], DType::I32).cast(DType::F32), &[("x", &x)])
    }),
    ("an array", |_, _| {
        let values = vec![0.0; 130 << 20];
        Array::from_f64(Meta::new([values.len()], DType::F32), &values).map(drop)
    }),
];

fn is_memory(error: &Error) -> bool {
    matches!(error, Error::Device(DeviceError::OutOfMemory { bytes: Some(1..) }))
}

fn assert_small_runs(device: &Device, after: &str) {
    let graph = Graph::new();
    let x = Array::new([3], &[1.0f32, 2.0, 3.0]).expect("there is memory for three");
    let y = graph.input("x", [3], DType::F32) * 2.0;
    let y = y.eval(device, &[("x", &x)]).expect("there is memory for three");
    assert_eq!(y.to_f64(), [2.0, 4.0, 6.0], "after {after}");
}

fn child(device: &Device) {
    for (name, case) in CASES {
        let graph = Graph::new();
        let outcome = case(&graph, device);
        assert!(outcome.as_ref().is_err_and(is_memory), "{name}: {outcome:?}");
        assert_small_runs(device, name);
    }
    std::process::exit(SURVIVED);
}

/// On a driver that is software, results are host memory. It does not look whether it got any.
fn child_of_a_driver() -> ! {
    let opened = Device::select_blocking(&Selection::Gpu);
    let Some(device) = opened.ok().filter(|device| device.kind() == "software-gpu") else {
        std::process::exit(SURVIVED);
    };
    let graph = Graph::new();
    let results: Vec<_> = (0..4).map(|k| ramp(&graph, 25 << 20) + f64::from(k)).collect();
    let run = || graph.compile(&device, &results)?.run(&Variables::new(0), &[]).map(drop);
    let outcome = run();
    assert!(outcome.as_ref().is_err_and(is_memory), "{outcome:?}");
    assert_small_runs(&device, "results");
    std::process::exit(SURVIVED);
}

/// What the tests below start under a limit; on its own it does nothing.
#[test]
fn starved() {
    match std::env::var(DEVICE).as_deref() {
        // The stacks and arenas of many threads would take the address space that is left.
        Ok("cpu") => child(&Device::cpu_with_threads(2).expect("two threads start")),
        Ok("reference") => child(&Device::Reference),
        Ok("gpu") => child_of_a_driver(),
        _ => {}
    }
}

/// Starts a child that may map `limit` KiB.
fn survives(device: &str, limit: usize) {
    let program = std::env::current_exe().expect("a test has a program");
    let output = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -v {limit} && exec \"$0\" --exact memory::starved --nocapture"),
        ])
        .arg(program)
        .env(DEVICE, device)
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(SURVIVED), "{}: {said}", output.status);
}

#[test]
fn a_cpu_without_memory_is_an_error() {
    survives("cpu", 1_500_000);
}

#[test]
fn a_reference_without_memory_is_an_error() {
    survives("reference", 1_500_000);
}

#[test]
fn a_gpu_without_memory_is_an_error() {
    survives("gpu", 2_000_000);
}
