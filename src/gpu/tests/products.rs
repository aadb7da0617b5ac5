//! Every variant of a product gives the same bits, whichever serves.

use super::*;
use crate::{
    gpu::{codegen::assemble, run::GpuProgram},
    proof::{Case, Isolated},
    schedule::plan::{Step, StepKind},
};

/// Extents of a product, and which operands are stored transposed.
#[derive(Clone, Copy, Debug)]
struct Problem {
    batches: usize,
    m: usize,
    n: usize,
    k: usize,
    transposed: [bool; 2],
}

impl Problem {
    /// The step of `a b + c` or, without consumer, of `a b`.
    fn step(self, dtype: DType, has_consumer: bool) -> Result<Step, Error> {
        let Problem { batches, m, n, k, transposed } = self;
        let graph = Graph::new();
        let operand = |name: &str, [rows, columns]: [usize; 2], is_transposed: bool| {
            let stored = if is_transposed { [columns, rows] } else { [rows, columns] };
            let x = graph.input(name, [batches, stored[0], stored[1]], dtype);
            if is_transposed { x.transpose([0, 2, 1]) } else { x }
        };
        let [a, b] = [operand("a", [m, k], transposed[0]), operand("b", [k, n], transposed[1])];
        let y = a.matmul(b);
        let c = graph.input("c", [batches, m, n], dtype);
        let y = if has_consumer { y + c } else { y };
        let program = graph.compile_pure(&Device::cpu(), &[y])?;
        let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
        let is_kernel = |step: &&Step| matches!(step.kind, StepKind::Kernel { .. });
        let step = steps.iter().find(is_kernel).cloned();
        Ok(step.unwrap_or_else(|| unreachable!("{self:?} is a kernel")))
    }

    /// Each element in f64, and the sum of the magnitudes of its terms.
    fn exact(self, a: &[f64], b: &[f64]) -> Vec<[f64; 2]> {
        let Problem { batches, m, n, k, transposed } = self;
        let mut exact = Vec::with_capacity(batches * m * n);
        for index in 0..batches * m * n {
            let (batch, i, j) = (index / (m * n), index / n % m, index % n);
            let mut sums = [0.0; 2];
            for p in 0..k {
                let at = if transposed[0] { p * m + i } else { i * k + p };
                let bt = if transposed[1] { j * k + p } else { p * n + j };
                let term = a[batch * m * k + at] * b[batch * k * n + bt];
                sums = [sums[0] + term, sums[1] + term.abs()];
            }
            exact.push(sums);
        }
        exact
    }
}

/// What a variant writes on the operands of a case, between guard bands and on a grid that has more
/// workgroups than it needs.
fn written(gpu: &GpuDevice, step: &Step, case: &Case, variant: usize) -> Result<Vec<u32>, Error> {
    let mut isolated = Isolated::default();
    isolated.add(0, step.clone(), case, case.words.clone())?;
    let program = GpuProgram::new(gpu, isolated.plan().into(), |steps, partials| {
        Ok(steps.iter().map(|step| assemble(step, partials, variant)).collect())
    })?;
    let mut written = isolated.run(&program)?.remove(0);
    Ok(written.pop().unwrap_or_default())
}

#[test]
fn variants_of_a_product_agree_bit_for_bit() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = gpu.clone().with_guards();
    let of = |batches, m, n, k, transposed| Problem { batches, m, n, k, transposed };
    // Past a tile in rows, columns and terms; whole vec4s in all of them; less than a vec4.
    let problems = [
        (of(1, 129, 67, 35, [false, false]), DType::F32, false),
        (of(2, 68, 36, 36, [true, true]), DType::F32, false),
        (of(1, 36, 68, 20, [false, true]), DType::F16, true),
        // In slices.
        (of(1, 35, 33, 259, [true, false]), DType::F32, false),
    ];
    for (problem, dtype, has_consumer) in problems {
        let step = problem.step(dtype, has_consumer)?;
        let case = Case::new(&step);
        let first = written(&gpu, &step, &case, 0)?;
        for variant in 1..step.variants() {
            let other = written(&gpu, &step, &case, variant)?;
            assert_eq!(first, other, "{problem:?} in {dtype}, variant {variant}");
        }
        if has_consumer || dtype == DType::F16 {
            continue;
        }
        let values = |operand: usize| -> Vec<f64> {
            case.words[operand].iter().map(|&word| dtype.from_word(word)).collect()
        };
        let exact = problem.exact(&values(0), &values(1));
        assert_eq!(exact.len(), first.len());
        for (index, (&word, [sum, magnitude])) in first.iter().zip(exact).enumerate() {
            // Each of k additions rounds once, a partial sum of at most the magnitudes.
            let bound = problem.k as f64 * f64::from(f32::EPSILON) / 2.0 * magnitude;
            let error = (dtype.from_word(word) - sum).abs();
            assert!(error <= bound, "{problem:?}: element {index} is off by {error}");
        }
    }
    Ok(())
}
