//! Programs on any available adapter, including software ones.
//!
//! Without an adapter the tests print a message and pass, unless `REQUIRE_GPU=1` forbids that.

mod batches;
mod failures;
mod faults;
mod grads;
mod limits;
#[cfg(feature = "files")]
mod lost;
#[cfg(feature = "files")]
mod orders;
mod placement;
mod plans;
mod products;
mod proofs;
mod shaders;
mod tasks;
mod threads;
#[cfg(feature = "files")]
mod trainings;
#[cfg(feature = "files")]
mod trusted;
#[cfg(feature = "bench")]
mod tuned;
mod units;
mod waits;

use super::{GpuDevice, Verification};
use crate::{Array, DType, Device, Error, Feed, Graph, Init, Tensor, Variables};
use std::sync::OnceLock;

/// The adapter, opened once.
fn device() -> Option<&'static GpuDevice> {
    static DEVICE: OnceLock<Option<GpuDevice>> = OnceLock::new();
    let opened = DEVICE.get_or_init(|| match pollster::block_on(super::open_any()) {
        Ok(device) => Some(device),
        Err(error) => {
            let required = std::env::var("REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "REQUIRE_GPU=1, and {error}");
            eprintln!("skipped: {error}");
            None
        }
    });
    opened.as_ref()
}

/// A separate device, so that the work of other tests is not counted.
fn own_device() -> Option<GpuDevice> {
    device()?;
    Some(pollster::block_on(super::open_any()).expect("it opened before"))
}

/// Gives a device a proof cache of its own, which is empty, and returns its file.
#[cfg(feature = "files")]
fn own_proofs(gpu: &GpuDevice, name: &str) -> std::path::PathBuf {
    let name = format!("wgrad-proofs-{}-{name}.txt", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    *gpu.shared.proof_cache.lock().expect("nothing panics") =
        super::device::proof_cache::ProofCache::at(path.clone());
    path
}

/// What is in such a file: kernels that were proved, and kernels that failed.
#[cfg(feature = "files")]
fn verdicts(path: &std::path::Path) -> (usize, usize) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let count = |verdict: &str| text.lines().filter(|line| line.contains(verdict)).count();
    (count(" proved "), count(" failed "))
}

fn ramp(len: usize) -> Array {
    let values: Vec<f32> = (0..len).map(|k| ((k * 37) % 101) as f32 / 16.0 - 3.0).collect();
    Array::new([len], &values).expect("as many as there are")
}

/// Evaluates `build` on inputs `a` and `b`, on the device and on the reference.
fn both(
    build: impl for<'g> Fn(&'g Graph, Tensor<'g>) -> Tensor<'g>,
    x: &Array,
) -> Result<Option<(Array, Array)>, Error> {
    let Some(device) = device() else { return Ok(None) };
    let run = |device: &Device| {
        let graph = Graph::new();
        let input = graph.input("x", x.shape().clone(), x.dtype());
        build(&graph, input).eval(device, &[("x", x as &dyn Feed)])
    };
    Ok(Some((run(&Device::Gpu(device.clone()))?, run(&Device::Reference)?)))
}

fn assert_near(got: &Array, expected: &Array, error: f64) {
    assert_eq!(got.meta(), expected.meta());
    for (index, (a, b)) in got.to_f64().iter().zip(expected.to_f64()).enumerate() {
        let near = a.to_bits() == b.to_bits() || (a - b).abs() <= error * b.abs().max(1.0);
        assert!(near, "element {index} is {a}, not {b}");
    }
}

#[test]
fn reductions_of_every_class() -> Result<(), Error> {
    // [outer, inner] and the axis: short rows, long rows, split rows, columns, split columns,
    // nothing to reduce, a single result of many elements.
    let cases: [(&[usize], i32); 8] = [
        (&[70, 5], 1),
        (&[3, 333], 1),
        (&[2, 9001], 1),
        (&[100, 70], 0),
        (&[5000, 33], 0),
        (&[4, 0], 1),
        (&[1, 40_000], 1),
        (&[7, 40, 6], 1),
    ];
    for (dims, axis) in cases {
        let len = dims.iter().product();
        let x = ramp(len);
        let results = both(|_, x| (x.reshape(dims) * 0.5).sum(axis) + 1.0, &x)?;
        let Some((got, expected)) = results else { return Ok(()) };
        assert_near(&got, &expected, 1e-5);
        if !dims.contains(&0) {
            let results = both(|_, x| x.reshape(dims).amax(axis), &x)?;
            let Some((got, expected)) = results else { return Ok(()) };
            assert_near(&got, &expected, 0.0);
        }
    }
    Ok(())
}

#[test]
fn layouts_become_indices() -> Result<(), Error> {
    let x = ramp(6 * 35);
    let results = both(
        |graph, x| {
            let y = x.reshape([6, 5, 7]).transpose([2, 0, 1]);
            let bias = graph.input("x", [6 * 35], DType::F32).slice(0, 0..5);
            (y + bias).flip([0, 2]).pad([(1, 2), (0, 0), (3, 1)], -1.5)
        },
        &x,
    )?;
    let Some((got, expected)) = results else { return Ok(()) };
    assert_near(&got, &expected, 0.0);
    Ok(())
}

#[test]
fn constants_survive_the_text() -> Result<(), Error> {
    let x = ramp(3);
    for value in [0.1, -0.0, 1e-30, f64::from(f32::MAX), -1234.5, f64::NEG_INFINITY, 1.0 / 3.0] {
        let results = both(|_, x| x.less(x.full_like(9.0)).select(x.full_like(value), x), &x)?;
        let Some((got, expected)) = results else { return Ok(()) };
        assert_eq!(got.words(), expected.words(), "{value}");
    }
    Ok(())
}

#[test]
fn after_the_first_run_nothing_is_created() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let graph = Graph::new();
    let x = graph.input("x", [64, 16], DType::F32);
    let weight = graph.variable("weight", [16], DType::F32, Init::Constant(0.5));
    let loss = (x * weight).sum(..);
    let step = weight + x.mean(0) * 0.125;
    graph.assign(weight, step);
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[loss, step])?;
    let variables = Variables::new(1);
    let ones = Array::new([64, 16], &[1.0f32; 64 * 16])?;
    program.prepare(&variables)?;
    let before = gpu.counters();
    let mut losses = Vec::new();
    for _ in 0..7 {
        losses.push(program.run(&variables, &[("x", &ones)])?.read_blocking(0)?.to_f64()[0]);
    }
    // Without waiting: results of two runs are held while the next ones are submitted.
    let mut held = std::collections::VecDeque::new();
    for _ in 0..7 {
        held.push_back(program.run(&variables, &[("x", &ones)])?);
        if held.len() > 2 {
            held.pop_front();
        }
    }
    let after = gpu.counters();
    assert_eq!(
        (after.buffers, after.bind_groups, after.pipelines),
        (before.buffers, before.bind_groups, before.pipelines)
    );
    assert_eq!(after.submissions - before.submissions, 14, "one a run, reading included");
    let expected: Vec<f64> = (0..7).map(|k| 1024.0 * (0.5 + 0.125 * f64::from(k))).collect();
    assert_eq!(losses, expected);
    assert_eq!(variables.get("weight")?.to_f64(), vec![0.5 + 14.0 * 0.125; 16]);
    Ok(())
}

#[test]
fn results_that_are_held_keep_their_values() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let graph = Graph::new();
    let x = graph.input("x", [20_000], DType::F32);
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[x + 1.0, x.sum(..)])?;
    let variables = Variables::new(0);
    let mut held = Vec::new();
    for k in 0..8u8 {
        let x = Array::new([20_000], &vec![f32::from(k); 20_000])?;
        held.push(program.run(&variables, &[("x", &x)])?);
    }
    for (k, outputs) in held.iter().enumerate() {
        // The first one is too large to be staged with its submission, the second one is not.
        let [whole, sum] = [outputs.read_blocking(0)?, outputs.read_blocking(1)?];
        assert!(whole.to_f64().iter().all(|&y| y == k as f64 + 1.0), "{k}");
        assert_eq!(sum.item(), Some(20_000.0 * k as f64));
        assert_eq!(outputs.read_blocking(1)?, sum, "it can be read again");
    }
    // A result is an input of the next run without leaving the device.
    let again = program.run(&variables, &[("x", &held[3].values()[0])])?;
    assert_eq!(again.read_blocking(1)?.item(), Some(20_000.0 * 4.0));
    let foreign = x.eval(&Device::cpu(), &[("x", &ramp(20_000))])?;
    assert_eq!(foreign.shape().len(), 20_000);
    Ok(())
}

#[test]
fn programs_share_a_store_and_slots() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let device = Device::Gpu(gpu.clone());
    let variables = Variables::new(0);
    let add = |amount: f64| {
        let graph = Graph::new();
        let count = graph.variable("count", [3], DType::F32, Init::Constant(0.0));
        let sums = graph.variable("sums", [1], DType::F32, Init::Constant(0.0));
        graph.assign(count, count + amount);
        graph.assign(sums, sums + (count * 2.0).sum(..).reshape([1]));
        graph.compile(&device, &[])
    };
    let (one, two) = (add(1.0)?, add(2.0)?);
    for _ in 0..3 {
        one.run(&variables, &[])?;
        two.run(&variables, &[])?;
    }
    assert_eq!(variables.get("count")?.to_f64(), [9.0; 3]);
    // Before the runs the counts were 0, 1, 3, 4, 6, 7.
    assert_eq!(variables.get("sums")?.to_f64(), [6.0 * 21.0]);
    variables.set("count", Array::new([3], &[1.0f32, 2.0, 3.0])?)?;
    one.run(&variables, &[])?;
    assert_eq!(variables.get("count")?.to_f64(), [2.0, 3.0, 4.0]);
    Ok(())
}

#[test]
fn a_read_may_move_between_threads() -> Result<(), Error> {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let Some(gpu) = device() else { return Ok(()) };
    let graph = Graph::new();
    let y = graph.full([3], DType::F32, 2.0);
    let program = is_send(graph.compile(&Device::Gpu(gpu.clone()), &[y])?);
    let outputs = program.run(&Variables::new(0), &[])?;
    let reads: Vec<_> = (0..3).map(|_| outputs.values()[0].clone()).collect();
    std::thread::scope(|scope| {
        let read = |value: &crate::Value| pollster::block_on(is_send(value.read()));
        let threads: Vec<_> = reads.iter().map(|value| scope.spawn(move || read(value))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("it does not panic")?.to_f64(), [2.0; 3]);
        }
        Ok(())
    })
}

#[test]
fn too_large_a_tensor_is_named() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let limit = gpu.shared.limits.max_storage_buffer_binding_size;
    let len = (limit / 4 + 1) as usize;
    if len > i32::MAX as usize {
        return Ok(());
    }
    let graph = Graph::new();
    let y = graph.input("x", [len], DType::F32) + 1.0;
    let error = graph.compile(&Device::Gpu(gpu.clone()), &[y]).err().map(|e| e.to_string());
    let error = error.expect("it does not fit");
    assert!(error.contains("bytes in one binding"), "{error}");
    Ok(())
}

#[test]
fn an_optimizer_updates_an_arena() -> Result<(), Error> {
    use crate::nn::{Mode, Scope, mean_squared_error};
    use crate::optim::{Adam, Optimizer};
    let Some(gpu) = own_device() else { return Ok(()) };
    let train = |device: &Device| {
        let graph = Graph::new();
        let x = graph.input("x", [8, 6], DType::F32);
        let mut cx = Scope::new(&graph, Mode::Train);
        let noise = Init::Normal { mean: 0.0, std: 0.3 };
        let first = cx.param("first", [6, 5], noise);
        let bias = cx.param("bias", [5], Init::Zeros);
        let second = cx.param("second", [5, 1], noise);
        let y = (x.matmul(first) + bias).tanh().matmul(second);
        let loss = mean_squared_error(y, x.mean_keepdims(1).broadcast_to(y.shape()));
        Adam::new(0.01).update(&mut cx, loss);
        let program = graph.compile(device, &[loss])?;
        let variables = Variables::new(3);
        program.prepare(&variables)?;
        let before = gpu.counters();
        let x = Array::new([8, 6], &ramp(48).to_vec::<f32>()?)?;
        let mut losses = Vec::new();
        for _ in 0..6 {
            losses.push(program.run(&variables, &[("x", &x)])?.read_blocking(0)?.to_f64()[0]);
        }
        assert_eq!(gpu.counters().buffers, before.buffers);
        Ok::<_, Error>((losses, variables.get("first")?, program.plan().map(|p| p.arenas.len())))
    };
    let (losses, first, arenas) = train(&Device::Gpu(gpu.clone()))?;
    let (expected, expected_first, _) = train(&Device::Reference)?;
    assert!(arenas > Some(0), "the update is one step over arenas");
    assert!(losses[5] < losses[0]);
    for (loss, expected) in losses.iter().zip(expected) {
        assert!((loss - expected).abs() < 1e-4, "{loss} is not {expected}");
    }
    assert_near(&first, &expected_first, 1e-4);
    Ok(())
}
