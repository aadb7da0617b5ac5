//! Every variant of a product gives the same bits, whichever serves; of a convolution too.

use super::*;
use crate::{
    Precision,
    gpu::{codegen::assemble, run::GpuProgram},
    ops::{
        Geometry,
        convolution::{Convolution, ConvolutionInputGrad, ConvolutionWeightGrad},
    },
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
        kernel_of(&graph, y)
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

/// The step of the first kernel of a result.
pub(super) fn kernel_of(graph: &Graph, y: Tensor<'_>) -> Result<Step, Error> {
    let program = graph.compile_pure(&Device::cpu(), &[y])?;
    let steps = program.plan().map(|plan| plan.steps.clone()).unwrap_or_default();
    let is_kernel = |step: &&Step| matches!(step.kind, StepKind::Kernel { .. });
    Ok(steps.iter().find(is_kernel).cloned().unwrap_or_else(|| unreachable!("there is a kernel")))
}

/// A convolution or one of its gradients: shapes of input and weight, and the geometry.
struct Convolved {
    x: &'static [usize],
    w: &'static [usize],
    geometry: Geometry,
    by: By,
    /// Whether its variants run, and are not only looked at.
    is_tried: bool,
}

/// Which of the three operations.
#[derive(Clone, Copy, Debug)]
enum By {
    Forward,
    Input,
    Weight,
}

/// Past tiles of every size in rows, columns and terms, with a depth and without, in phases, in slices,
/// with weights of whole vec4s.
fn convolutions() -> Vec<Convolved> {
    let of = |x, w, geometry, by| Convolved { x, w, geometry, by, is_tried: false };
    let tried = |convolved| Convolved { is_tried: true, ..convolved };
    let flat = || Geometry::new(2).padding(1);
    let long = || Geometry::new(1).padding(1);
    vec![
        of(&[2, 3, 9, 11], &[67, 3, 3, 3], flat(), By::Forward),
        tried(of(&[3, 4, 40], &[130, 4, 3], long().stride(2), By::Forward)),
        tried(of(&[2, 30, 3, 5], &[33, 30, 3, 3], flat(), By::Forward)),
        of(&[2, 2, 3, 4, 5], &[9, 2, 2, 3, 2], Geometry::new(3).padding(1), By::Forward),
        of(&[2, 35, 7, 9], &[5, 35, 3, 3], flat(), By::Input),
        tried(of(&[2, 70, 9, 8], &[5, 70, 3, 3], flat().stride(2), By::Input)),
        of(&[2, 7, 7, 9], &[67, 7, 3, 3], flat(), By::Weight),
        tried(of(&[1, 20, 19, 18], &[10, 10, 3, 3], flat().stride(2).groups(2), By::Weight)),
        of(&[1, 5, 19, 17], &[7, 5, 3, 3], flat(), By::Weight),
    ]
}

impl Convolved {
    fn step(&self, dtype: DType) -> Result<Step, Error> {
        let graph = Graph::new();
        let Convolved { x, w, geometry, by, .. } = self;
        let forward = Convolution { geometry: geometry.clone(), precision: Precision::Full };
        let (a, b) = (graph.input("x", *x, dtype), graph.input("w", *w, dtype));
        let y = graph.push(forward, &[a, b]);
        let ct = graph.input("ct", y.shape().dims(), dtype);
        let geometry = geometry.clone();
        let y = match by {
            By::Forward => y,
            By::Input => {
                let extents = x[2..].to_vec();
                graph.push(
                    ConvolutionInputGrad { geometry, precision: Precision::Full, extents },
                    &[b, ct],
                )
            }
            By::Weight => {
                let window = w[2..].to_vec();
                graph.push(
                    ConvolutionWeightGrad { geometry, precision: Precision::Full, window },
                    &[a, ct],
                )
            }
        };
        kernel_of(&graph, y)
    }
}

/// The words of every region after a variant ran on the operands of a case, between guard bands and on
/// a grid that has more workgroups than it needs.
pub(super) fn written(
    gpu: &GpuDevice,
    step: &Step,
    case: &Case,
    variant: usize,
) -> Result<Vec<Vec<u32>>, Error> {
    written_from(gpu, step, case, case.words.clone(), variant)
}

/// The same, on operands with these words.
pub(super) fn written_from(
    gpu: &GpuDevice,
    step: &Step,
    case: &Case,
    words: Vec<Vec<u32>>,
    variant: usize,
) -> Result<Vec<Vec<u32>>, Error> {
    let mut isolated = Isolated::default();
    isolated.add(0, step.clone(), case, words)?;
    let program = GpuProgram::new(gpu, isolated.plan().into(), |steps, partials| {
        Ok(steps.iter().map(|step| assemble(step, partials, variant)).collect())
    })?;
    Ok(isolated.run(&program)?.remove(0))
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
        // In slices, and in parts.
        (of(1, 35, 33, 259, [true, false]), DType::F32, false),
        (of(2, 34, 35, 1029, [false, true]), DType::F16, true),
    ];
    for (problem, dtype, has_consumer) in problems {
        if !gpu.has(dtype) {
            eprintln!("skipped: {} has no {dtype}", gpu.name());
            continue;
        }
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
        let first = first.last().map(Vec::as_slice).unwrap_or_default();
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

#[test]
fn variants_of_a_convolution_agree_bit_for_bit() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = gpu.clone().with_guards();
    // Few: a software GPU compiles each variant for a second or two.
    for convolved in convolutions().iter().filter(|convolved| convolved.is_tried) {
        let step = convolved.step(DType::F32)?;
        let case = Case::new(&step);
        let first = written(&gpu, &step, &case, 0)?;
        let agreement = case.judge(&first);
        let about = format!("{:?} of {:?} and {:?}", convolved.by, convolved.x, convolved.w);
        assert!(agreement.holds(), "{about}: {agreement}");
        assert!(step.variants() > 1, "{about}");
        for variant in 1..step.variants() {
            let other = written(&gpu, &step, &case, variant)?;
            assert_eq!(first, other, "{about}, variant {variant}");
        }
    }
    Ok(())
}

/// Where the window moves by one pixel: past tiles in outputs, rows and columns, of one input and of more
/// than a step has, in groups, along one axis, with padding longer than the window.
fn moved_by_one() -> Vec<Convolved> {
    let of = |x, w, geometry, by| Convolved { x, w, geometry, by, is_tried: false };
    let flat = || Geometry::new(2).padding(1);
    let asymmetric = || Geometry::new(2).padding([(0, 2), (3, 1)]);
    vec![
        of(&[2, 5, 9, 30], &[40, 5, 3, 3], flat(), By::Forward),
        of(&[1, 2, 10, 31], &[40, 1, 3, 3], flat().groups(2), By::Forward),
        of(&[1, 3, 12, 22], &[36, 3, 5, 4], asymmetric(), By::Forward),
        of(&[2, 40, 9, 30], &[6, 40, 3, 3], flat(), By::Input),
        of(&[1, 40, 12, 22], &[3, 40, 2, 5], asymmetric(), By::Input),
        // Tiles that end with the channels and the image.
        of(&[1, 32, 8, 32], &[3, 32, 3, 3], flat(), By::Input),
        // So little workgroup memory for a channel that invocations have to share a second.
        of(&[1, 40, 30, 31], &[1, 40, 1, 2], Geometry::new(2), By::Input),
        of(&[1, 80, 121], &[18, 40, 4], Geometry::new(1).padding(5).groups(2), By::Input),
        of(&[2, 9, 3, 36], &[40, 9, 3, 3], flat(), By::Weight),
        of(&[1, 28, 4, 33], &[40, 14, 3, 2], asymmetric().groups(2), By::Weight),
        of(&[1, 20, 200], &[30, 20, 3], Geometry::new(1).padding(1), By::Weight),
        // In parts that end within a line.
        of(&[1, 5, 24, 44], &[40, 5, 2, 3], flat().padding([(0, 1), (1, 1)]), By::Weight),
    ]
}

/// Patches of whole images give the bits of tiles, with weights that are not finite too.
#[test]
fn patches_agree_with_tiles_bit_for_bit() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = gpu.clone().with_guards();
    for convolved in moved_by_one() {
        let step = convolved.step(DType::F32)?;
        let StepKind::Kernel { kernel, .. } = &step.kind else { unreachable!("it is a kernel") };
        let about = format!("{:?} of {:?} and {:?}", convolved.by, convolved.x, convolved.w);
        let (patches, tiles): (Vec<usize>, Vec<usize>) =
            (0..step.variants()).partition(|&variant| {
                kernel.shaders[variant].file.name.starts_with("convolution_direct")
            });
        assert!(!patches.is_empty(), "{about}");
        let memory = |variant: &usize| kernel.shaders[*variant].workgroups.memory;
        let smallest = tiles.into_iter().min_by_key(memory).unwrap_or_default();
        let case = Case::new(&step);
        // The weight is the second operand of the convolution, and the first of the gradient of its input;
        // that of the gradient of the weight is the input.
        let weight = usize::from(matches!(convolved.by, By::Forward));
        let mut wild = case.words.clone();
        // Rare enough that most sums have none: those of the gradient of a weight are over all positions.
        let every = match convolved.by {
            By::Weight => wild[weight].len() / 3 + 1,
            By::Forward | By::Input => 97,
        };
        for (index, word) in wild[weight].iter_mut().enumerate() {
            let strange = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
            if index % every == 5 {
                *word = strange[index % 3].to_bits();
            }
        }
        for (words, is_finite) in [(case.words.clone(), true), (wild, false)] {
            let expected = written_from(&gpu, &step, &case, words.clone(), smallest)?;
            assert!(!is_finite || case.judge(&expected).holds(), "{about}");
            for &variant in &patches {
                let overrides = &kernel.shaders[variant].overrides;
                let written = written_from(&gpu, &step, &case, words.clone(), variant)?;
                let is_nan = |word: &u32| f32::from_bits(*word).is_nan();
                let (mut same, mut numbers) = (0, 0);
                for (word, expected) in written.iter().flatten().zip(expected.iter().flatten()) {
                    same += usize::from(word == expected || is_nan(word) && is_nan(expected));
                    numbers += usize::from(!is_nan(expected));
                }
                let count = expected.iter().map(Vec::len).sum::<usize>();
                assert_eq!(same, count, "{about}, {overrides:?}, finite: {is_finite}");
                assert!(numbers > count / 8, "{about}: almost all of {count} are NaN");
            }
        }
    }
    Ok(())
}

/// Each variant states the workgroup memory that its text declares.
#[test]
fn workgroup_memory_is_what_shaders_declare() -> Result<(), Error> {
    use naga::{AddressSpace, back::pipeline_constants, front::wgsl, valid};
    let of = |m, n, k| Problem { batches: 1, m, n, k, transposed: [false, false] };
    let products = [of(40, 70, 12), of(40, 70, 300), of(3, 70, 300)];
    let mut steps: Vec<Step> =
        products.iter().map(|problem| problem.step(DType::F32, false)).collect::<Result<_, _>>()?;
    for convolved in convolutions().into_iter().chain(moved_by_one()) {
        steps.push(convolved.step(DType::F32)?);
    }
    for step in steps {
        for variant in 0..step.variants() {
            let assembly = assemble(&step, 0, variant).remove(0);
            let module = wgsl::parse_str(&assembly.text).expect("it is valid");
            let (flags, capabilities) = (valid::ValidationFlags::all(), Default::default());
            let info = valid::Validator::new(flags, capabilities).validate(&module);
            let info = info.expect("it is valid");
            let values = assembly.overrides.iter().map(|&(name, value)| (name.to_owned(), value));
            let values = values.collect();
            let fixed = pipeline_constants::process_overrides(&module, &info, None, &values);
            let (module, _) = fixed.expect("every override is set");
            let shared = module.global_variables.iter().map(|(_, variable)| variable);
            let shared = shared.filter(|variable| variable.space == AddressSpace::WorkGroup);
            let bytes: u32 = shared.map(|v| module.types[v.ty].inner.size(module.to_ctx())).sum();
            assert_eq!(bytes, assembly.workgroup_memory, "{:?}", assembly.overrides);
        }
    }
    Ok(())
}

/// A tile that takes more workgroup memory than the device has is neither proved nor refused: it is
/// left out.
#[test]
fn tiles_fit_the_workgroup_memory() -> Result<(), Error> {
    let Some(mut gpu) = own_device() else { return Ok(()) };
    let shared = std::sync::Arc::get_mut(&mut gpu.shared).expect("no other handle is open");
    shared.limits.max_compute_workgroup_storage_size = 16 << 10;
    // It takes 18 KiB, and would be the first.
    let gpu = gpu.with_verification(Verification::Full).edited(|assembly| {
        if assembly.overrides.contains(&("BM", 32.0)) {
            assembly.text.push_str("not WGSL");
        }
    });
    let graph = Graph::new();
    let [a, b] = [("a", [20, 300]), ("b", [300, 40])]
        .map(|(name, dims)| graph.input(name, dims, DType::F32));
    let filled = |dims: [usize; 2], x: f32| Array::new(dims, &vec![x; dims[0] * dims[1]]);
    let (left, right) = (filled([20, 300], 0.5)?, filled([300, 40], 2.0)?);
    let inputs: [(&str, &dyn Feed); 2] = [("a", &left), ("b", &right)];
    let y = a.matmul(b).eval(&Device::Gpu(gpu.clone()), &inputs)?;
    assert_eq!(y.to_f64(), [300.0; 800]);
    let proofs = gpu.proofs();
    assert!(proofs.quarantined.is_empty() && proofs.proved == 1, "{proofs:?}");
    Ok(())
}
