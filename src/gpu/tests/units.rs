//! Products and convolutions on matrix units: right, as exact as they say, and the same every time.
//!
//! Devices without units skip these tests, unless `REQUIRE_UNITS=1` forbids that.

use super::*;
use crate::{
    Precision,
    array64::Array64,
    gpu::{codegen::assemble, run::GpuProgram},
    ops::{
        Geometry, Op,
        contract::Noise,
        convolution::{Convolution, ConvolutionInputGrad, ConvolutionWeightGrad, UnitConvolution},
        matmul::{Matmul, UnitMatmul},
        precision::MatrixUnits,
    },
    proof::{Case, Isolated},
    schedule::plan::{Step, StepKind},
    shape::Meta,
};

/// The device and its units.
fn units() -> Option<(GpuDevice, MatrixUnits)> {
    let gpu = device()?;
    let Some(&units) = gpu.matrix_units().first() else {
        let required = std::env::var("REQUIRE_UNITS").is_ok_and(|value| value == "1");
        assert!(!required, "REQUIRE_UNITS=1, and {} has no matrix units", gpu.name());
        eprintln!("skipped: {} has no matrix units", gpu.name());
        return None;
    };
    Some((gpu.clone().with_guards(), units))
}

/// The step of an operation on inputs of these shapes.
fn step_of(gpu: &GpuDevice, op: &Op, operands: [&[usize]; 2]) -> Result<(Step, Case), Error> {
    let graph = Graph::new();
    let inputs = [("a", operands[0]), ("b", operands[1])]
        .map(|(name, dims)| graph.input(name, dims, DType::F16));
    let y = graph.push(op.clone(), &inputs);
    let program = graph.compile_pure(&Device::Gpu(gpu.clone()), &[y])?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    let is_kernel = |step: &&Step| matches!(step.kind, StepKind::Kernel { .. });
    let step = steps.iter().find(is_kernel).cloned().expect("a product is a kernel");
    let case = Case::new(&step);
    Ok((step, case))
}

/// The step of a product of `[batches, m, k]` and `[batches, k, n]`, or of their transposes.
fn step(
    gpu: &GpuDevice,
    op: &UnitMatmul,
    [batches, m, n, k]: [usize; 4],
) -> Result<(Step, Case), Error> {
    let matrix = |rows, columns, is_transposed: bool| {
        let [rows, columns] = if is_transposed { [columns, rows] } else { [rows, columns] };
        let halves: &[usize] = if op.is_split { &[2] } else { &[] };
        [halves, &[batches, rows, columns]].concat()
    };
    let a = matrix(m, k, op.product.transpose_a);
    let b = matrix(k, n, op.product.transpose_b);
    step_of(gpu, &op.clone().into(), [&a, &b])
}

/// A program of one variant of a step.
fn alone(gpu: &GpuDevice, step: &Step, case: &Case, variant: usize) -> Result<Alone, Error> {
    let mut isolated = Isolated::default();
    isolated.add(0, step.clone(), case, case.words.clone())?;
    let program = GpuProgram::new(gpu, isolated.plan().into(), |steps, partials| {
        Ok(steps.iter().map(|step| assemble(step, partials, variant)).collect())
    })?;
    Ok(Alone { isolated, program })
}

struct Alone {
    isolated: Isolated,
    program: GpuProgram,
}

impl Alone {
    fn written(&self) -> Result<Vec<Vec<u32>>, Error> {
        Ok(self.isolated.run(&self.program)?.remove(0))
    }
}

#[test]
fn every_tile_gives_the_same_bits_a_hundred_times() -> Result<(), Error> {
    let Some((gpu, units)) = units() else { return Ok(()) };
    let edge = units.edge;
    // Past a tile of either size and whole ones, of every order in memory.
    let extents = [[1, 8 * edge + 3, edge + 1, 5 * edge + 3], [2, 4 * edge, 8 * edge, 2 * edge]];
    let orders = [(false, false), (true, true)];
    for ((is_split, extents), (transpose_a, transpose_b)) in
        [(false, extents[0]), (true, extents[0]), (true, extents[1])]
            .into_iter()
            .zip(orders.into_iter().cycle())
    {
        let product = Matmul::full(transpose_a, transpose_b);
        let op = UnitMatmul { product, is_split, units };
        let (step, case) = step(&gpu, &op, extents)?;
        stays_the_same(&gpu, &step, &case)?;
        assert!(step.variants() > 1 || units.lanes[0] == 32, "{op}");
    }
    Ok(())
}

/// Runs the first variant of a step a hundred times, and each other once.
fn stays_the_same(gpu: &GpuDevice, step: &Step, case: &Case) -> Result<(), Error> {
    let label = &step.label;
    let first = alone(gpu, step, case, 0)?;
    let expected = first.written()?;
    let agreement = case.judge(&expected);
    assert!(agreement.holds(), "{label}: {agreement}");
    for run in 1..100 {
        assert_eq!(first.written()?, expected, "{label}, run {run}");
    }
    for variant in 1..step.variants() {
        let other = alone(gpu, step, case, variant)?.written()?;
        assert_eq!(other, expected, "{label}, variant {variant}");
    }
    Ok(())
}

/// Past a tile of either size, with and without quads of channels, and in parts.
#[test]
fn every_tile_of_a_convolution_gives_the_same_bits_a_hundred_times() -> Result<(), Error> {
    let Some((gpu, units)) = units() else { return Ok(()) };
    let edge = units.edge;
    let geometry = || Geometry::new(2).stride([1, 2]).padding(1);
    for (is_split, outputs, inputs, spatial) in [
        (false, 8 * edge + 1, 12, [9, 17]),
        (true, 4 * edge + 3, 7, [7, 12]),
        (true, 9, 116, [3, 5]),
    ] {
        let halves: &[usize] = if is_split { &[2] } else { &[] };
        let w = [halves, &[outputs, 3, 3, inputs]].concat();
        let x = [halves, &[2], spatial.as_slice(), &[inputs]].concat();
        let op = UnitConvolution { geometry: geometry(), is_split, units };
        let (step, case) = step_of(&gpu, &op.into(), [&w, &x])?;
        stays_the_same(&gpu, &step, &case)?;
    }
    Ok(())
}

/// Rows, columns and batches at 2^-30 and 2^-100 of the rest are as exact as the rest, each judged by the
/// magnitudes of its own terms; NaN and infinity stay in their row and their column.
#[test]
fn split_products_are_as_exact_as_f32_at_any_magnitude() -> Result<(), Error> {
    let Some((gpu, _)) = units() else { return Ok(()) };
    let [batches, m, k, n] = [2, 96, 2048, 352];
    let exponent_of_row = |i: usize| [0, -30, -100, 7][i % 4];
    let exponent_of_column = |j: usize| [0, -30, 0, 20, 5][j % 5];
    let exponent_of_batch = |batch: usize| [0, -12][batch];
    let (bad_row, bad_column) = (5, 8);
    let mut noise = Noise::new(3);
    let mut number = |exponent: i32| ((2.0 * noise.unit() - 1.0) * 2f64.powi(exponent)) as f32;
    let mut a = Vec::with_capacity(batches * m * k);
    for (batch, i) in (0..batches).flat_map(|batch| (0..m).map(move |i| (batch, i))) {
        a.extend((0..k).map(|_| number(exponent_of_row(i) + exponent_of_batch(batch))));
    }
    let mut b = Vec::with_capacity(batches * k * n);
    for _ in 0..batches * k {
        b.extend((0..n).map(|j| number(exponent_of_column(j))));
    }
    a[bad_row * k + 3] = f32::NAN;
    b[17 * n + bad_column] = f32::INFINITY;

    let graph = Graph::new();
    graph.set_precision(Precision::Split);
    let inputs = [("a", [batches, m, k]), ("b", [batches, k, n])]
        .map(|(name, dims)| graph.input(name, dims, DType::F32));
    let program = graph.compile_pure(&Device::Gpu(gpu.clone()), &[inputs[0].matmul(inputs[1])])?;
    let plan = program.plan().map(ToString::to_string).unwrap_or_default();
    assert!(plan.contains("matmul_split"), "{plan}");
    let (left, right) = (Array::new([batches, m, k], &a)?, Array::new([batches, k, n], &b)?);
    let outputs = program.run(&Variables::new(0), &[("a", &left), ("b", &right)])?;
    let y = outputs.read_blocking(0)?.to_f64();

    for batch in 0..batches {
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let got = y[(batch * m + i) * n + j];
            if batch == 0 && (i == bad_row || j == bad_column) {
                assert!(!got.is_finite(), "row {i}, column {j}: {got}");
                continue;
            }
            let terms = (0..k).map(|p| {
                f64::from(a[(batch * m + i) * k + p]) * f64::from(b[(batch * k + p) * n + j])
            });
            let (sum, size) =
                terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            // Worst of the sum of k f32 terms, each added with a rounding: k / 4. It is far less, and so is
            // this: the kernel's own bound.
            let bound = (20.0 + k as f64 / 32.0) * 2f64.powi(-24) * size + 2f64.powi(-126);
            let error = (got - sum).abs();
            assert!(error <= bound, "row {i}, column {j}: off by {error:e}, of {size:e}");
        }
    }
    Ok(())
}

/// An operation, the extents of its operands, and the axis of each that has a scale.
type Pass<'a> = (Op, [&'a [usize]; 2], [usize; 2]);

/// A convolution and both gradients, whose channels and images are at 2^-30 and 2^-100 of the rest: each
/// result is judged by the magnitudes of its own terms.
#[test]
fn split_convolutions_are_as_exact_as_f32_at_any_magnitude() -> Result<(), Error> {
    let Some((gpu, _)) = units() else { return Ok(()) };
    let ([x_dims, w_dims], geometry) =
        ([[16, 32, 32, 32], [64, 32, 3, 3]], Geometry::new(2).stride([2, 1]).padding(1));
    let exponents = [0, -30, -100, 7, 30];
    let mut noise = Noise::new(5);
    let mut array = |dims: &[usize], axis: usize| {
        let line: usize = dims[axis + 1..].iter().product();
        let number = |at: usize| {
            let exponent = exponents[at / line % dims[axis] % 5];
            ((2.0 * noise.unit() - 1.0) * 2f64.powi(exponent)) as f32
        };
        (0..dims.iter().product()).map(number).collect::<Vec<f32>>()
    };
    let y_dims = [16, 64, 16, 32];
    let precision = Precision::Split;
    let passes: [Pass<'_>; 3] = [
        (Convolution { geometry: geometry.clone(), precision }.into(), [&x_dims, &w_dims], [0, 0]),
        {
            let extents = x_dims[2..].to_vec();
            let op = ConvolutionInputGrad { geometry: geometry.clone(), precision, extents };
            (op.into(), [&w_dims, &y_dims], [1, 0])
        },
        {
            let op = ConvolutionWeightGrad { geometry, precision, window: vec![3, 3] };
            (op.into(), [&x_dims, &y_dims], [1, 1])
        },
    ];
    for (op, dims, axes) in passes {
        let words = [array(dims[0], axes[0]), array(dims[1], axes[1])];
        let arrays = [Array::new(dims[0], &words[0])?, Array::new(dims[1], &words[1])?];
        let graph = Graph::new();
        let inputs = [("a", dims[0]), ("b", dims[1])]
            .map(|(name, dims)| graph.input(name, dims, DType::F32));
        let y = graph.push(op.clone(), &inputs);
        let program = graph.compile_pure(&Device::Gpu(gpu.clone()), &[y])?;
        let plan = program.plan().map(ToString::to_string).unwrap_or_default();
        assert!(plan.contains("convolution_split"), "{plan}");
        let outputs = program.run(&Variables::new(0), &[("a", &arrays[0]), ("b", &arrays[1])])?;
        let got = outputs.read_blocking(0)?.to_f64();

        let wide = |of: &dyn Fn(f64) -> f64| {
            let operands = [0, 1].map(|index| {
                let data = words[index].iter().map(|&x| of(f64::from(x))).collect();
                Array64 { meta: Meta::new(dims[index], DType::F32), data }
            });
            op.eval(&operands.each_ref()).data.clone()
        };
        let (sums, sizes) = (wide(&|x| x), wide(&f64::abs));
        let terms = 16.0 * 16.0 * 32.0;
        for (at, ((got, sum), size)) in got.iter().zip(&sums).zip(&sizes).enumerate() {
            // The kernel's own bound for the longest sum, that of the gradient of the weight.
            let bound = (20.0 + terms / 32.0) * 2f64.powi(-24) * size + 2f64.powi(-126);
            assert!(
                (got - sum).abs() <= bound,
                "{op:?} at {at}: {got:e}, not {sum:e}, of {size:e}"
            );
        }
    }
    Ok(())
}

/// Where there are no units, or a shape is none for them, the plan says what serves, and why.
#[test]
fn plans_say_why_a_product_is_not_on_units() -> Result<(), Error> {
    let shown = |device: &Device, precision, m, k| -> Result<String, Error> {
        let graph = Graph::new();
        graph.set_precision(precision);
        let a = graph.input("a", [m, k], DType::F32);
        let y = a.matmul(graph.input("b", [k, m], DType::F32));
        let program = graph.compile_pure(device, &[y])?;
        Ok(program.plan().map(ToString::to_string).unwrap_or_default())
    };
    let cpu = Device::cpu();
    for (precision, m, k, why) in [
        (Precision::Split, 512, 512, "full precision: no matrix units that serve"),
        (Precision::Split, 512, 511, "full precision: less than 2^27 terms in all"),
        (Precision::Split, 2048, 63, "full precision: less than 64 terms"),
        (Precision::Units, 512, 512, "full precision: f32 is not split"),
    ] {
        let plan = shown(&cpu, precision, m, k)?;
        assert!(plan.contains(why), "{plan}");
    }
    assert!(!shown(&cpu, Precision::Full, 512, 512)?.contains("full precision"));
    Ok(())
}

#[test]
fn plans_say_why_a_convolution_is_not_on_units() -> Result<(), Error> {
    let shown = |precision, x: [usize; 4], w: [usize; 4], geometry| -> Result<String, Error> {
        let graph = Graph::new();
        graph.set_precision(precision);
        let [x, w] = [("x", x), ("w", w)].map(|(name, dims)| graph.input(name, dims, DType::F32));
        let y = x.convolution(w, geometry);
        let gradients = crate::autodiff::grad(y.sum(..), &[x]);
        let program = graph.compile_pure(&Device::cpu(), &[y, gradients[0]])?;
        Ok(program.plan().map(ToString::to_string).unwrap_or_default())
    };
    let flat = || Geometry::new(2).padding(1);
    let images = [32, 32, 32, 32];
    for (precision, x, w, geometry, why) in [
        (Precision::Split, images, [64, 32, 3, 3], flat(), "no matrix units that serve"),
        (Precision::Split, [32, 3, 64, 64], [64, 3, 3, 3], flat(), "less than 64 terms"),
        (Precision::Split, [2, 32, 32, 32], [64, 32, 3, 3], flat(), "less than 2^27 terms in all"),
        (Precision::Units, images, [64, 32, 3, 3], flat(), "f32 is not split"),
        (
            Precision::Split,
            [64, 64, 64, 64],
            [4, 64, 3, 3],
            flat(),
            "less than 8 channels of a group",
        ),
        (
            Precision::Split,
            images,
            [128, 32, 3, 3],
            flat().stride(2).dilation(2),
            "a stride and a dilation",
        ),
        (
            Precision::Split,
            [64, 64, 64, 64],
            [64, 64, 1, 1],
            Geometry::new(2).stride(4),
            "a stride that is much larger than the window",
        ),
    ] {
        let plan = shown(precision, x, w, geometry)?;
        assert!(plan.contains(&format!("in full precision: {why}")), "{why}: {plan}");
    }
    Ok(())
}
