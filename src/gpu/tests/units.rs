//! Products on matrix units: right, as exact as they say, and the same every time.
//!
//! Devices without units skip these tests, unless `REQUIRE_UNITS=1` forbids that.

use super::*;
use crate::{
    Precision,
    gpu::{codegen::assemble, run::GpuProgram},
    ops::{
        contract::Noise,
        matmul::{Matmul, UnitMatmul},
        precision::MatrixUnits,
    },
    proof::{Case, Isolated},
    schedule::plan::{Step, StepKind},
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

/// The step of a product of `[batches, m, k]` and `[batches, k, n]`, or of their transposes.
fn step(
    gpu: &GpuDevice,
    op: &UnitMatmul,
    [batches, m, n, k]: [usize; 4],
) -> Result<(Step, Case), Error> {
    let graph = Graph::new();
    let matrix = |name, rows, columns, is_transposed: bool| {
        let [rows, columns] = if is_transposed { [columns, rows] } else { [rows, columns] };
        let halves: &[usize] = if op.is_split { &[2] } else { &[] };
        graph.input(name, [halves, &[batches, rows, columns]].concat(), DType::F16)
    };
    let a = matrix("a", m, k, op.product.transpose_a);
    let b = matrix("b", k, n, op.product.transpose_b);
    let y = graph.push(op.clone(), &[a, b]);
    let program = graph.compile_pure(&Device::Gpu(gpu.clone()), &[y])?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    let is_kernel = |step: &&Step| matches!(step.kind, StepKind::Kernel { .. });
    let step = steps.iter().find(is_kernel).cloned().expect("a product is a kernel");
    let case = Case::new(&step);
    Ok((step, case))
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
        let first = alone(&gpu, &step, &case, 0)?;
        let expected = first.written()?;
        let agreement = case.judge(&expected);
        assert!(agreement.holds(), "{op} of {extents:?}: {agreement}");
        for run in 1..100 {
            assert_eq!(first.written()?, expected, "{op} of {extents:?}, run {run}");
        }
        assert!(step.variants() > 1 || units.lanes[0] == 32, "{op}");
        for variant in 1..step.variants() {
            let other = alone(&gpu, &step, &case, variant)?.written()?;
            assert_eq!(other, expected, "{op} of {extents:?}, variant {variant}");
        }
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
