//! f16: how numbers are rounded, where they lie, and training in them, on the CPU and on GPUs that
//! have f16. Others say that they have not.

mod formulas;
mod functions;
mod images;
mod layers;
mod losses;
mod optimizers;

use crate::device;
use half::f16;
use wgrad::{
    Array, CompileError, DType, Device, Error, Feed, Graph, Init, Program, Tensor, Variables,
    autodiff,
};

/// The CPU, and the GPU where it has f16.
fn devices() -> Vec<Device> {
    let gpu = device::gpu().filter(|device| match device {
        Device::Gpu(gpu) if !gpu.has(DType::F16) => {
            eprintln!("skipped: {} has no f16", gpu.name());
            false
        }
        _ => true,
    });
    [Device::cpu()].into_iter().chain(gpu).collect()
}

/// Numbers between halves and what they become: for any two neighbors the number in the middle, which
/// goes to the even one, and the f32 beside it on either side. By bits, so that nothing is rounded to
/// say what rounding gives.
fn between_halves() -> Vec<(f32, u16)> {
    const LARGEST: u16 = 0x7bff;
    let mut cases = Vec::new();
    for low in 0..=LARGEST {
        // The bits after those of the largest one, which would be 65536, are infinity.
        let next = match low {
            LARGEST => 65_536.0,
            _ => f16::from_bits(low + 1).to_f32(),
        };
        let middle = (f16::from_bits(low).to_f32() + next) / 2.0;
        let even = low + (low & 1);
        cases.extend([(middle.next_down(), low), (middle, even), (middle.next_up(), low + 1)]);
    }
    let negative: Vec<_> = cases.iter().map(|&(x, half)| (-x, half | 0x8000)).collect();
    [cases, negative].concat()
}

/// WGSL lets a GPU take a half below the least normal one for 0.
fn is_flushed(half: u16, got: f32) -> bool {
    got == 0.0 && half & 0x7fff < 0x0400
}

#[test]
fn numbers_are_rounded_to_the_nearest_half_on_the_gpu_too() -> Result<(), Error> {
    let cases = between_halves();
    let numbers: Vec<f32> = cases.iter().map(|case| case.0).collect();
    let x = Array::new([numbers.len()], &numbers)?;
    for device in devices() {
        let graph = Graph::new();
        let input = graph.input("x", [numbers.len()], DType::F32);
        // Stored as it is converted, and converted on the way to a f32.
        let stored = input.cast(DType::F16);
        let passing = (input * 1.0).cast(DType::F16).cast(DType::F32);
        let program = graph.compile_pure(&device, &[stored, passing])?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        let mut flushed = 0;
        for output in 0..2 {
            let got = outputs.read_blocking(output)?.to_f64();
            for (&(number, half), got) in cases.iter().zip(got) {
                let (expected, got) = (f16::from_bits(half).to_f32(), got as f32);
                if is_flushed(half, got) && expected != 0.0 && device.kind() != "cpu" {
                    flushed += 1;
                } else {
                    let name = device.name();
                    assert_eq!(got.to_bits(), expected.to_bits(), "{name}: {number:e} is {got:e}");
                }
            }
        }
        eprintln!("{}: {flushed} denormals are flushed", device.name());
    }
    Ok(())
}

#[test]
fn every_half_comes_and_goes_on_the_gpu_too() -> Result<(), Error> {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let x = Array::new([halves.len()], &halves)?;
    for device in devices() {
        let graph = Graph::new();
        let input = graph.input("x", [halves.len()], DType::F16);
        let program = graph.compile_pure(&device, &[input.flip([0]), input.cast(DType::F32)])?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        let turned = outputs.read_blocking(0)?.to_f64();
        let wide = outputs.read_blocking(1)?.to_f64();
        for (half, got) in halves.iter().zip(turned.iter().rev()).chain(halves.iter().zip(&wide)) {
            let got = *got as f32;
            let same = got.to_bits() == half.to_f32().to_bits() || (got.is_nan() && half.is_nan());
            let is_flushed = is_flushed(half.to_bits(), got) && device.kind() != "cpu";
            assert!(same || is_flushed, "{}: {half:e} is {got:e}", device.name());
        }
    }
    Ok(())
}

type Formula = fn(f64) -> f64;

/// Numbers that are no halves, or inexact ones, are not rounded before they meet halves.
#[test]
fn numbers_beside_halves_stay_f32_on_the_gpu_too() -> Result<(), Error> {
    let numbers = [60_000.0, 3.0, -0.5, 1e-3].map(f16::from_f64);
    let x = Array::new([4], &numbers)?;
    for device in devices().into_iter().chain([Device::Reference]) {
        let graph = Graph::new();
        let input = graph.input("x", [4], DType::F16);
        let results: [(Tensor, Formula); 6] = [
            (input * 1e-8, |x| x * 1e-8),
            (input / 70_000.0, |x| x / 70_000.0),
            (70_000.0 - input, |x| 70_000.0 - x),
            (input * 0.1, |x| x * f64::from(0.1f32)),
            (1e-9 / input, |x| 1e-9 / x),
            (input.abs().pow(1.0 / 3.0), |x| x.abs().cbrt()),
        ];
        let outputs = graph.compile_pure(&device, &results.map(|(y, _)| y))?;
        let outputs = outputs.run(&Variables::new(0), &[("x", &x)])?;
        for (k, (_, formula)) in results.iter().enumerate() {
            for (got, x) in outputs.read_blocking(k)?.to_f64().iter().zip(numbers) {
                let exact = formula(x.to_f64());
                // Half a unit; a denormal may be flushed.
                let allowed = (exact.abs() / 2040.0).max(6.2e-5);
                let is_right = match exact.abs() >= 65_520.0 {
                    true => got.is_infinite(),
                    false => (got - exact).abs() < allowed,
                };
                assert!(is_right, "{}, {k}: {got:e} instead of {exact:e}", device.name());
            }
        }
    }
    Ok(())
}

/// 9,000 times 30 is no half, but the mean is; a sum of 9,000 terms of 15/64 would not grow beyond 512 in
/// f16, where its neighbors are 1/2 apart. A GPU cuts the rows into parts.
#[test]
fn sums_are_of_f32_on_the_gpu_too() -> Result<(), Error> {
    let x = Array::new([2, 9000], &vec![f16::from_f32(30.0); 18_000])?;
    for device in devices() {
        let graph = Graph::new();
        let input = graph.input("x", [2, 9000], DType::F16);
        let product = input.matmul(input.full_like(1.0 / 128.0).swap_axes(0, 1));
        let program = graph.compile_pure(
            &device,
            &[input.mean(1), product, input.sum(1), (input / 128.0).sum(1)],
        )?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        assert_eq!(outputs.read_blocking(0)?.to_f64(), [30.0; 2], "{}", device.name());
        assert_eq!(outputs.read_blocking(1)?.to_f64(), [2110.0; 4], "{}", device.name());
        assert_eq!(outputs.read_blocking(2)?.to_f64(), [f64::INFINITY; 2], "{}", device.name());
        assert_eq!(outputs.read_blocking(3)?.to_f64(), [2110.0; 2], "{}", device.name());
    }
    Ok(())
}

/// Odd numbers of halves, which do not fill their last word, as inputs, variables in arenas beside
/// those of f32, values between steps, and results.
#[test]
fn odd_numbers_of_halves_lie_beside_one_another_on_the_gpu_too() -> Result<(), Error> {
    const LENS: [usize; 4] = [1, 3, 129, 301];
    let given = |len: usize| -> Vec<f16> {
        (0..len).map(|k| f16::from_f32((k % 16) as f32 / 4.0)).collect()
    };
    for device in devices() {
        let graph = Graph::new();
        let mut results = Vec::new();
        for len in LENS {
            let x = graph.input(&format!("x{len}"), [len], DType::F16);
            let variable = |name: &str, dtype| {
                graph.variable(&format!("{name}{len}"), [len], dtype, Init::Constant(2.0))
            };
            let (p, m) = (variable("p", DType::F16), variable("m", DType::F32));
            let moment = m.moment(x.flip([0]) + x.sum(..) * 0.0, 0.5, 1.0);
            let lr = graph.variable("lr", [], DType::F32, Init::Constant(0.25));
            graph.assign(m, moment);
            graph.assign(p, p.sgd(moment, lr));
            results.push(x + p);
        }
        let program = graph.compile(&device, &results)?;
        let (variables, inputs) = (Variables::new(0), LENS.map(|len| (format!("x{len}"), len)));
        let arrays: Vec<(String, Array)> = inputs
            .into_iter()
            .map(|(name, len)| Ok((name, Array::new([len], &given(len))?)))
            .collect::<Result<_, Error>>()?;
        let feeds: Vec<(&str, &dyn Feed)> =
            arrays.iter().map(|(name, array)| (name.as_str(), array as &dyn Feed)).collect();
        let outputs = program.run(&variables, &feeds)?;
        for (k, len) in LENS.into_iter().enumerate() {
            let x: Vec<f64> = given(len).iter().map(|x| x.to_f64()).collect();
            let sums: Vec<f64> = x.iter().map(|x| x + 2.0).collect();
            assert_eq!(outputs.read_blocking(k)?.to_f64(), sums, "{}", device.name());
            let moments: Vec<f64> = x.iter().rev().map(|x| 1.0 + x).collect();
            assert_eq!(variables.get(&format!("m{len}"))?.to_f64(), moments);
            let updated: Vec<f64> = moments.iter().map(|m| 2.0 - m / 4.0).collect();
            assert_eq!(variables.get(&format!("p{len}"))?.to_f64(), updated);
        }
        // Written from the host, and read again.
        let array = Array::new([129], &given(129))?;
        variables.set("p129", array.clone())?;
        program.run(&variables, &feeds)?;
        variables.set("p129", array.clone())?;
        assert_eq!(variables.get("p129")?, array);
        assert_eq!(variables.get("p301")?.to_f64().len(), 301);
    }
    Ok(())
}

/// Factor of the loss, by hand: gradients of halves would vanish else.
const LOSS_SCALE: f64 = 1024.0;
const STEPS: usize = 25;

/// A step of gradient descent on a small perceptron, given the types of its parameters and of what it
/// calculates with.
fn step(device: &Device, [parameters, inner]: [DType; 2]) -> Result<Program, Error> {
    let graph = Graph::new();
    if parameters == DType::F16 {
        // Nothing between the members of an arena is taken for a number.
        graph.check_finite();
    }
    let x = graph.input("x", [16, 5], DType::F32);
    let target = graph.input("target", [16, 1], DType::F32);
    let parameter = |name: &str, dims: &[usize]| {
        graph.variable(name, dims, parameters, Init::Normal { mean: 0.0, std: 0.4 })
    };
    let p = [
        parameter("first/weight", &[5, 7]),
        parameter("first/bias", &[7]),
        parameter("second/weight", &[7, 1]),
        parameter("second/bias", &[1]),
    ];
    let [w1, b1, w2, b2] = p.map(|p| p.cast(inner));
    let hidden = (x.cast(inner).matmul(w1) + b1).tanh();
    let y = (hidden.matmul(w2) + b2).cast(DType::F32);
    let loss = ((y - target) * (y - target)).mean(..);
    let lr = graph.variable("lr", [], DType::F32, Init::Constant(0.2));
    for (p, gradient) in p.into_iter().zip(autodiff::grad(loss * LOSS_SCALE, &p)) {
        let gradient = gradient.cast(DType::F32) / LOSS_SCALE;
        graph.assign(p, p.sgd(gradient, lr));
    }
    graph.compile(device, &[loss])
}

/// The losses of all steps.
fn losses(device: &Device, dtypes: [DType; 2]) -> Result<Vec<f64>, Error> {
    let program = step(device, dtypes)?;
    let variables = Variables::new(5);
    let numbers: Vec<f32> = (0..80).map(|k| ((k * 37) % 41) as f32 / 20.0 - 1.0).collect();
    let targets: Vec<f32> = numbers.chunks(5).map(|row| (row[0] * row[1] + row[2]).sin()).collect();
    let (x, target) = (Array::new([16, 5], &numbers)?, Array::new([16, 1], &targets)?);
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let outputs = program.run(&variables, &[("x", &x), ("target", &target)])?;
        losses.push(outputs.read_blocking(0)?.to_f64()[0]);
    }
    Ok(losses)
}

/// In f32 the reference rounds nothing, so the distance to it is all that halves cost:
/// inputs, weights, sums, activations and their gradients are off by at most 2^-12 of themselves each,
/// half a dozen in a row by 0.1 %, and the loss, a square, by twice that. Where parameters are halves a
/// step rounds them once more, each in its own direction.
#[test]
fn training_in_halves_follows_the_reference_on_the_gpu_too() -> Result<(), Error> {
    for (parameters, share) in [(DType::F32, 0.002), (DType::F16, 0.004)] {
        let expected = losses(&Device::Reference, [DType::F32; 2])?;
        assert!(expected[STEPS - 1] < 0.3 * expected[0], "{expected:?}");
        for device in devices().into_iter().chain([Device::Reference]) {
            let got = losses(&device, [parameters, DType::F16])?;
            let off = got.iter().zip(&expected).map(|(got, expected)| (got - expected).abs());
            let worst = off.fold(0.0, f64::max) / expected[0];
            let (last, exact) = (got[STEPS - 1], expected[STEPS - 1]);
            eprintln!(
                "{}, {parameters}: off by {worst:.1e} of the first loss; the last is {last:.6}, not {exact:.6}",
                device.name()
            );
            assert!(worst <= share, "{}, {parameters}: {got:?}\n{expected:?}", device.name());
            assert!(got[STEPS - 1] < 0.35 * got[0], "{got:?}");
        }
    }
    Ok(())
}

/// Even where f16 occurs within a fused expression only: users cannot tell which values are stored.
#[test]
fn a_gpu_without_halves_says_so() -> Result<(), Error> {
    let Some(device) = device::gpu() else { return Ok(()) };
    let Device::Gpu(gpu) = &device else { return Ok(()) };
    let refused = |build: &dyn for<'g> Fn(Tensor<'g>) -> Tensor<'g>| {
        let graph = Graph::new();
        let y = build(graph.input("x", [8, 8], DType::F32));
        let outcome = graph.compile(&device, &[y]);
        matches!(outcome, Err(Error::Compile(CompileError::Unsupported { dtype, .. }))
            if dtype == DType::F16)
    };
    fn rounded(x: Tensor<'_>) -> Tensor<'_> {
        (x.cast(DType::F16) * 1.1).cast(DType::F32)
    }
    let has_none = !gpu.has(DType::F16);
    assert_eq!(refused(&|x| rounded(x)), has_none, "a map");
    assert_eq!(refused(&|x| rounded(x).sum(0)), has_none, "in front of a reduction");
    assert_eq!(refused(&|x| rounded(x.sum(0))), has_none, "behind a reduction");
    assert_eq!(refused(&|x| rounded(x.matmul(x))), has_none, "behind a kernel");
    assert!(!refused(&|x| x.matmul(x).sum(0)));
    Ok(())
}

/// The largest half is 65504, so the square of 300 is infinite: the check for infinities finds it,
/// and a comparison step by step says that it is right.
#[test]
fn an_overflow_is_found_on_the_gpu_too() -> Result<(), Error> {
    let x = Array::new([3], &[2.0, 300.0, 4.0].map(f16::from_f32))?;
    for device in devices() {
        let build = |checked: bool| {
            let graph = Graph::new();
            if checked {
                graph.check_finite();
            }
            let x = graph.input("x", [3], DType::F16);
            let squares = x * x;
            graph.compile_pure(&device, &[squares, squares.cumsum(0)])
        };
        let outcome = build(true)?.run(&Variables::new(0), &[("x", &x)]);
        let error = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("mul") && error.contains("element 1 is inf"), "{error}");

        let (program, variables) = (build(false)?, Variables::new(0));
        let both = [Device::cpu(), device.clone()];
        let diff = program.diff(&variables, &[("x", &x)], &both)?;
        assert_eq!(diff.divergence, None);
        assert_eq!(
            diff.not_finite.map(|found| (found.index, found.value)),
            Some((1, f64::INFINITY))
        );
        let operands = program.operands(&variables, &[("x", &x)], &device, 1)?;
        assert_eq!(operands[0].to_f64(), [4.0, f64::INFINITY, 16.0]);
        assert_eq!(program.replay(1, &operands, &both)?.divergence, None);
    }
    Ok(())
}
