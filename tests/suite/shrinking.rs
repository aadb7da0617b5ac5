//! Samples that fail are shrunk: operations that are wrong from known extents on.

use wgrad::{
    Array64, DType, Device, Error, Meta, OpError, Verification,
    ops::{CpuKernel, Custom, Shader},
    testing::{Bound, Check, Counterexample, Failure, Function, Outcome, Sample, gpus_for_tests},
};

fn f32s(shapes: &[&[usize]]) -> Vec<Meta> {
    shapes.iter().map(|&shape| Meta::new(shape, DType::F32)).collect()
}

fn dims<'a>(metas: impl IntoIterator<Item = &'a Meta>) -> Vec<Vec<usize>> {
    metas.into_iter().map(|meta| meta.shape.dims().to_vec()).collect()
}

/// A shader of this form is never run on the CPU.
fn no_shader(_: &[&Meta], _: &Meta) -> Shader {
    const TWO: &str = "var<storage, read> a; var<storage, read> b; var<storage, read_write> y;
var<uniform> params; epilogue(";
    Shader::new("never_run", TWO, &[0; 4], 1)
}

/// An operation whose loop for the CPU is off by one where `is_wrong` says so of the extents.
fn broken(
    infer: impl Fn(&[Meta]) -> Result<Meta, OpError> + Send + Sync + 'static,
    definition: impl Fn(&[&Array64]) -> Vec<f64> + Clone + Send + Sync + 'static,
    is_wrong: impl Fn(&[Vec<usize>]) -> bool + Clone + Send + Sync + 'static,
) -> Custom {
    let right = definition.clone();
    Custom::new("broken", infer, no_shader).with_definition(Bound::Abs(1e-4), definition).with_cpu(
        move |operands, y| {
            let metas: Vec<Meta> = operands.iter().map(|&meta| meta.clone()).collect();
            let off = if is_wrong(&dims(&metas)) { 1.0 } else { 0.0 };
            let right = right.clone();
            CpuKernel::new(y.shape.len(), 1, move |words, _, out| {
                let value = |(meta, words): (&Meta, &&[u32])| {
                    let data = words.iter().map(|word| f64::from(f32::from_bits(*word))).collect();
                    Array64 { meta: meta.clone(), data }
                };
                let values: Vec<Array64> = metas.iter().zip(words).map(value).collect();
                let results = right(&values.iter().collect::<Vec<_>>());
                for (out, result) in out.iter_mut().zip(results) {
                    *out = ((result + off) as f32).to_bits();
                }
            })
        },
    )
}

fn shrunk(sample: &Sample, check: &Check) -> Counterexample {
    let outcome = check.run(sample);
    let Outcome::Failed(failure) = outcome else { unreachable!("{sample}: {outcome:?}") };
    sample.shrunk(check, failure)
}

fn smallest(op: Custom, shapes: &[&[usize]], device: &Device) -> Vec<Vec<usize>> {
    let sample = Sample::new(op, f32s(shapes)).bound(Bound::Abs(1e-4), "");
    let found = shrunk(&sample, &Check::Values { device: device.clone(), order: 0 });
    assert!(found.is_smallest, "{found}");
    assert!(found.attempts <= 60, "{found}");
    assert!(matches!(found.failure, Failure::Wrong(_)), "{found}");
    dims(found.smallest.operands.iter().map(|(meta, _)| meta))
}

/// The sum of two tensors of one shape.
fn pointwise(x: &[Meta]) -> Result<Meta, OpError> {
    if x[0] == x[1] { Ok(x[0].clone()) } else { Err(OpError::Shapes) }
}

fn sum(x: &[&Array64]) -> Vec<f64> {
    x[0].data.iter().zip(&x[1].data).map(|(a, b)| a + b).collect()
}

fn product_shape(x: &[Meta]) -> Result<Meta, OpError> {
    match (x[0].shape.dims(), x[1].shape.dims()) {
        ([m, k], [other, n]) if k == other => Ok(Meta::new([*m, *n], DType::F32)),
        _ => Err(OpError::Shapes),
    }
}

fn product(x: &[&Array64]) -> Vec<f64> {
    let ([m, k], n) = ([0, 1].map(|axis| x[0].shape().dims()[axis]), x[1].shape().dims()[1]);
    let element = |i: usize, j: usize| {
        (0..k).map(|inner| x[0].data[i * k + inner] * x[1].data[inner * n + j]).sum()
    };
    (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| element(i, j)).collect()
}

#[test]
fn operands_of_one_shape_shrink_together() {
    let cpu = Device::cpu();
    let op = broken(pointwise, sum, |x| x[0].iter().product::<usize>() > 10);
    assert_eq!(smallest(op, &[&[100], &[100]], &cpu), [[11], [11]]);
    let op = broken(pointwise, sum, |x| x[0][1] > 5);
    assert_eq!(smallest(op, &[&[7, 40], &[7, 40]], &cpu), [[1, 6], [1, 6]]);
    // Where both axes have one extent as well.
    let op = broken(pointwise, sum, |x| x[0][0] >= 3 && x[0][1] >= 4);
    assert_eq!(smallest(op.clone(), &[&[40, 40], &[40, 40]], &cpu), [[3, 4], [3, 4]]);
    assert_eq!(smallest(op, &[&[300, 5], &[300, 5]], &cpu), [[3, 4], [3, 4]]);
    let op = broken(pointwise, sum, |_| true);
    assert_eq!(smallest(op, &[&[300, 5], &[300, 5]], &cpu), [[1, 1], [1, 1]]);
}

#[test]
fn inner_extents_of_a_product_shrink_together() {
    let cpu = Device::cpu();
    let op = broken(product_shape, product, |x| x[0][1] > 5);
    assert_eq!(smallest(op.clone(), &[&[4, 12], &[12, 9]], &cpu), [[1, 6], [6, 1]]);
    assert_eq!(smallest(op, &[&[9, 9], &[9, 9]], &cpu), [[1, 6], [6, 1]]);
    let op = broken(product_shape, product, |x| x[0][0] > 2 && x[1][1] > 6);
    assert_eq!(smallest(op, &[&[16, 16], &[16, 16]], &cpu), [[3, 1], [1, 7]]);
}

/// Extents that the shape rule refuses are passed over, and no axis becomes empty.
#[test]
fn only_what_the_shape_rule_takes_is_tried() {
    let groups = |x: &[Meta]| match x[0].shape.dims()[0] {
        n if n % 8 == 0 => pointwise(x),
        number => Err(OpError::Indivisible { what: "elements", number, by: 8 }),
    };
    let op = broken(groups, sum, |x| x[0][0] > 9);
    assert_eq!(smallest(op.clone(), &[&[120], &[120]], &Device::cpu()), [[16], [16]]);
    assert_eq!(smallest(op, &[&[24], &[24]], &Device::cpu()), [[16], [16]]);
    let op = broken(groups, sum, |_| true);
    assert_eq!(smallest(op, &[&[120], &[120]], &Device::cpu()), [[8], [8]]);
}

/// A search ends: six extents, each of which takes many steps, are not searched to the end.
#[test]
fn a_search_ends() {
    let lengths = [60_001, 60_002, 60_003, 60_004, 60_005, 60_006];
    let infer = |_: &[Meta]| Ok(Meta::new([1], DType::F32));
    let is_wrong = |x: &[Vec<usize>]| x.iter().enumerate().all(|(k, x)| x[0] > 40_000 + 991 * k);
    let shader = |_: &[&Meta], _: &Meta| {
        const SIX: &str = "var<storage, read> a; var<storage, read> b; var<storage, read> c;
var<storage, read> d; var<storage, read> e; var<storage, read> f; var<storage, read_write> y;
var<uniform> p; epilogue(";
        Shader::new("never_run", SIX, &[0; 4], 1)
    };
    let op = Custom::new("six", infer, shader)
        .with_definition(Bound::Exact, |_| vec![0.0])
        .with_cpu(move |x, _| {
            let wrong = is_wrong(&dims(x.iter().copied()));
            CpuKernel::new(1, 1, move |_, _, out| out[0] = f32::from(wrong).to_bits())
        });
    let sample = Sample::new(op, lengths.map(|length| Meta::new([length], DType::F32)));
    let found = shrunk(&sample, &Check::Values { device: Device::cpu(), order: 0 });
    assert_eq!((found.attempts, found.is_smallest), (100, false));
    let total = |sample: &Sample| sample.operands.iter().map(|(x, _)| x.shape.len()).sum::<usize>();
    assert!(total(&found.smallest) < total(&sample) - 50_000, "{}", found.smallest);
    assert!(
        found.to_string().contains("SMALLEST of 100 tried, and there may be a smaller one: six")
    );
}

/// The formula of a function may hold for its sample's extents only; its operations hold for all.
#[test]
fn a_function_shrinks_by_its_operations() {
    let op = broken(pointwise, sum, |x| x[0][1] > 5);
    let function = Function::new(
        "added",
        move |x| x[0].graph().custom(&op, x),
        |x| {
            assert_eq!(x[0].shape().dims(), [7, 40], "it is written for these");
            Array64 { meta: x[0].meta.clone(), data: sum(x) }
        },
    );
    let sample = Sample::new(function, f32s(&[&[7, 40], &[7, 40]])).bound(Bound::Abs(1e-4), "");
    let found = shrunk(&sample, &Check::Values { device: Device::cpu(), order: 0 });
    assert_eq!(dims(found.smallest.operands.iter().map(|(meta, _)| meta)), [[1, 6], [1, 6]]);
}

/// A smaller sample that fails in another way is not one of these.
#[test]
fn another_failure_is_not_followed() {
    let infer = |x: &[Meta]| Ok(x[0].clone());
    let definition = |x: &[&Array64]| {
        assert!(x[0].data.len() > 3, "a bug of another kind");
        sum(x)
    };
    let op = broken(infer, definition, |_| true);
    assert_eq!(smallest(op.clone(), &[&[9], &[9]], &Device::cpu()), [[4], [4]]);
    // A panic is one, and shrinks like any other.
    let sample = Sample::new(op, f32s(&[&[3], &[3]]));
    let found = shrunk(&sample, &Check::Values { device: Device::cpu(), order: 0 });
    assert_eq!(dims(found.smallest.operands.iter().map(|(meta, _)| meta)), [[1], [1]]);
    assert_eq!(found.failure.to_string(), "panicked: a bug of another kind");
}

/// Derivatives are checked against differences without any device.
#[test]
fn a_wrong_derivative_shrinks() {
    let infer = |x: &[Meta]| Ok(x[0].clone());
    let op = Custom::new("square", infer, no_shader)
        .with_definition(Bound::Ulp(1), |x| x[0].data.iter().map(|x| x * x).collect())
        .with_vjp(|x, _, ct| {
            let wrong = if x[0].shape().dims()[0] > 6 { 2.5 } else { 2.0 };
            vec![Some(ct * x[0] * wrong), None]
        });
    let sample = Sample::new(op, f32s(&[&[50, 3], &[1]]));
    let found = shrunk(&sample, &Check::Slopes { order: 1 });
    assert_eq!(dims(found.smallest.operands.iter().map(|(meta, _)| meta)), [vec![7, 1], vec![1]]);
    let text = found.to_string();
    assert!(text.starts_with("FAILED first derivative, compared with differences: "), "{text}");
    assert!(text.contains(" tried: square [7, 1] f32 x [1] f32\n  the derivative is "), "{text}");
}

/// Rows are scaled, but for those of which `wrong` is true.
fn doubled(name: &'static str, source: &'static str) -> Custom {
    let infer = |x: &[Meta]| match x[0].shape.rank() {
        2 => Ok(x[0].clone()),
        _ => Err(OpError::Argument("needs a matrix")),
    };
    let shader = move |_: &[&Meta], y: &Meta| {
        let dims = [0, 1].map(|axis| (y.shape.dims()[axis] as u32).to_le_bytes());
        Shader::new(name, source, &dims.concat(), y.shape.len().div_ceil(64))
    };
    let definition = |x: &[&Array64]| x[0].data.iter().map(|x| x * 2.0).collect();
    Custom::new(name, infer, shader).with_definition(Bound::Exact, definition)
}

macro_rules! doubling {
    ($wrong:literal) => {
        concat!(
            "
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params.rows * params.cols { return; }
    let row = i / params.cols;
    let col = i % params.cols;
    y[i] = epilogue(x[i] * select(2.0, 3.0, ",
            $wrong,
            "), i);
}"
        )
    };
}

#[test]
fn a_wrong_shader_shrinks_on_the_gpu() -> Result<(), Error> {
    for gpu in gpus_for_tests()? {
        let gpu = gpu.clone().with_verification(Verification::Off);
        let op = doubled("long_rows", doubling!("params.cols > 5u && col > 2u"));
        assert_eq!(smallest(op.clone(), &[&[7, 40]], &gpu), [[1, 6]]);
        let op = doubled("corner", doubling!("row >= 2u && col >= 3u"));
        assert_eq!(smallest(op.clone(), &[&[40, 40]], &gpu), [[3, 4]]);
        // The proof finds it as well, and its smallest case.
        let sample = Sample::new(op, f32s(&[&[40, 40]]));
        let found = shrunk(&sample, &Check::Proof { device: gpu, finite_only: false });
        assert_eq!(dims(found.smallest.operands.iter().map(|(meta, _)| meta)), [[3, 4]]);
        assert!(found.failure.to_string().contains("no kernel can be trusted"), "{found}");
    }
    Ok(())
}

/// What is printed is all that is needed to run it again.
#[test]
fn a_counterexample_is_printed_with_its_operands() {
    let op = broken(pointwise, sum, |x| x[0][1] > 5);
    let sample = Sample::new(op, f32s(&[&[7, 40], &[7, 40]])).bound(Bound::Abs(1e-4), "it adds");
    let text = shrunk(&sample, &Check::Values { device: Device::cpu(), order: 0 }).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("FAILED result on CPU, "), "{text}");
    assert!(lines[0].ends_with(": broken [7, 40] f32 x [7, 40] f32"), "{text}");
    assert!(lines[1].starts_with("  element "), "{text}");
    assert!(lines[2].starts_with("SMALLEST of "), "{text}");
    assert!(lines[2].ends_with(" tried: broken [1, 6] f32 x [1, 6] f32"), "{text}");
    assert!(lines[3].starts_with("  element "), "{text}");
    assert_eq!(lines[4], "  bound Abs(0.0001): it adds");
    assert!(
        lines[5].starts_with("  operand 0: [1, 6] f32 of Range(-1.0, 1.0), seed 1: ["),
        "{text}"
    );
    assert!(
        lines[6].starts_with("  operand 1: [1, 6] f32 of Range(-1.0, 1.0), seed 2: ["),
        "{text}"
    );
    assert_eq!(lines.len(), 7);
}
