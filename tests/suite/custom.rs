//! Operations of another crate: this one.

use crate::device;
use wgrad::{
    Array, Array64, CompileError, DType, Device, Error, Graph, Meta, OpError, Tensor, Variables,
    autodiff,
    ops::{CpuKernel, Custom, Shader},
    testing::{Bound, Domain, Sample},
};

/// `y[r, c] = x[r, c] / sqrt(mean of x[r, :]^2 + 1)`: one workgroup of one invocation a row.
const SCALED_ROWS: &str = "
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(1)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = wid.x + wid.y * groups.x;
    if row >= params.rows { return; }
    var sum: Acc = 0.0;
    for (var c = 0u; c < params.cols; c++) {
        let v = x[row * params.cols + c];
        sum += v * v;
    }
    let scale = 1.0 / sqrt(sum / Acc(params.cols) + 1.0);
    for (var c = 0u; c < params.cols; c++) {
        let index = row * params.cols + c;
        y[index] = epilogue(x[index] * scale, index);
    }
}";

fn matrix(operands: &[Meta]) -> Result<Meta, OpError> {
    match operands {
        [x] if x.shape.rank() == 2 && x.dtype == DType::F32 => Ok(x.clone()),
        [x] if x.shape.rank() != 2 => Err(OpError::Argument("needs a matrix")),
        [x] => Err(OpError::DType(x.dtype)),
        _ => Err(OpError::Argument("needs one operand")),
    }
}

fn dims(x: &Meta) -> [usize; 2] {
    [x.shape.dims()[0], x.shape.dims()[1]]
}

fn shader(source: &'static str) -> impl Fn(&[&Meta], &Meta) -> Shader + Send + Sync + 'static {
    move |_, y| {
        let [rows, cols] = dims(y);
        let params = [(rows as u32).to_le_bytes(), (cols as u32).to_le_bytes()].concat();
        Shader::new("scaled_rows", source, &params, rows)
    }
}

/// Only what it must have.
fn bare(source: &'static str) -> Custom {
    Custom::new("scaled_rows", matrix, shader(source))
}

fn definition(x: &[&Array64]) -> Vec<f64> {
    let [rows, cols] = dims(&x[0].meta);
    let row = |row: usize| {
        let row = &x[0].data[row * cols..(row + 1) * cols];
        let scale = (row.iter().map(|v| v * v).sum::<f64>() / cols as f64 + 1.0).sqrt().recip();
        row.iter().map(move |v| v * scale).collect::<Vec<_>>()
    };
    (0..rows).flat_map(row).collect()
}

/// A derivative in operations of the crate: `d = s ct - x s^3 mean(x ct)`.
fn vjp<'g>(x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
    let x = x[0];
    let scale = 1.0 / ((x * x).mean_keepdims(1) + 1.0).sqrt();
    vec![Some(scale * ct - x * scale * scale * scale * (x * ct).mean_keepdims(1))]
}

fn whole(source: &'static str) -> Custom {
    // The sum of squares errs by the number of its terms; quotient and root by a few more.
    bare(source)
        .with_definition(Bound::Ulp(32), definition)
        .with_operand(0, Domain::Range(-2.0, 2.0))
        .with_free_axis(0, [Some(0)])
        .with_vjp(vjp)
}

fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Reference, Device::cpu()];
    devices.extend(device::gpu());
    devices
}

fn numbers(shape: [usize; 2]) -> Array {
    let len = shape[0] * shape[1];
    let values: Vec<f32> = (0..len).map(|k| ((k * 37 % 101) as f32 - 50.0) / 25.0).collect();
    Array::new(shape, &values).expect("the lengths agree")
}

#[test]
fn a_defined_operation_and_its_derivatives_agree_on_cpu_and_gpu() -> Result<(), Error> {
    let op = whole(SCALED_ROWS);
    for device in devices() {
        for shape in [[1, 1], [3, 7]] {
            let sample = Sample::new(op.clone(), [Meta::new(shape, DType::F32)])
                .bound(Bound::Ulp(32), "as above");
            let agreement = sample.check(&device)?;
            assert!(agreement.holds(), "{sample}: {agreement}");
            for order in [1, 2] {
                let agreement = sample.check_derivatives(&device, order)?;
                let agreement = agreement.expect("it is smooth");
                assert!(agreement.holds(), "{sample}, order {order}: {agreement}");
            }
        }
    }
    Ok(())
}

/// The CPU evaluates the definition where it has no loop, and the loop where it has one.
#[test]
fn the_cpu_takes_the_loop_it_is_given() -> Result<(), Error> {
    let x = numbers([2, 3]);
    let run = |op: &Custom| -> Result<Vec<f64>, Error> {
        let graph = Graph::new();
        let y = graph.custom(op, &[graph.input("x", [2, 3], DType::F32)]) + 1.0;
        Ok(y.eval(&Device::cpu(), &[("x", &x)])?.to_f64())
    };
    let marked = whole(SCALED_ROWS).with_cpu(|_, _| {
        CpuKernel::new(3, 10, |_, start, out| {
            for (k, out) in out.iter_mut().enumerate() {
                *out = ((start + k) as f32).to_bits();
            }
        })
    });
    assert_eq!(run(&marked)?, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let expected = definition(&[&Array64::from(&x)]);
    for (y, expected) in run(&whole(SCALED_ROWS))?.iter().zip(expected) {
        assert!((y - expected - 1.0).abs() < 1e-6, "{y} instead of {expected} + 1");
    }
    Ok(())
}

#[test]
fn a_wrong_shader_is_not_trusted_by_the_gpu() -> Result<(), Error> {
    const WRONG: &str = "
struct Params { rows: u32, cols: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < params.rows * params.cols; i += 64u) { y[i] = epilogue(x[i], i); }
}";
    let Some(device) = device::gpu() else { return Ok(()) };
    let graph = Graph::new();
    // Large enough to be proved on parts.
    let y = graph.custom(&whole(WRONG), &[graph.input("x", [700, 600], DType::F32)]);
    let error = graph.compile(&device, &[y]).expect_err("it does not scale");
    let Error::Compile(CompileError::NoTrustedKernel { op, .. }) = error else {
        return Err(error);
    };
    assert_eq!(op, "scaled_rows");
    Ok(())
}

#[test]
fn without_definition_the_gpu_says_it_is_unverified() -> Result<(), Error> {
    let op = bare(SCALED_ROWS);
    let graph = Graph::new();
    let y = graph.custom(&op, &[graph.input("x", [4, 5], DType::F32)]).relu();
    for device in [Device::Reference, Device::cpu()] {
        let error = graph.compile(&device, &[y]).expect_err("it has nothing to go by");
        assert!(matches!(error, Error::Compile(CompileError::Undefined { .. })), "{error}");
        assert!(error.to_string().contains("scaled_rows"), "{error}");
    }
    let Some(Device::Gpu(device)) = device::gpu() else { return Ok(()) };
    let x = numbers([4, 5]);
    let program = graph.compile(&Device::Gpu(device.clone()), &[y])?;
    let values = program.run(&Variables::new(0), &[("x", &x)])?.read_blocking(0)?.to_f64();
    for (y, expected) in values.iter().zip(definition(&[&Array64::from(&x)])) {
        assert!((y - expected.max(0.0)).abs() < 1e-6, "{y} instead of {expected}");
    }
    assert_eq!(device.proofs().undefined, ["scaled_rows + relu"]);
    let plan = program.plan().expect("a GPU has one").to_string();
    assert!(plan.contains("(unverified)"), "{plan}");
    Ok(())
}

#[test]
fn mistakes_are_told() {
    let text = |op: &Custom, shape: &[usize]| {
        let graph = Graph::new();
        let x = graph.input("x", shape, DType::F32);
        autodiff::grad(graph.custom(op, &[x]).sum(..), &[x]);
        let text = graph.check().expect_err("a mistake").to_string();
        let (what, why) = (text.split(", made").next(), text.rsplit('(').next());
        format!("{} ({}", what.unwrap_or_default(), why.unwrap_or_default())
    };
    let op = whole(SCALED_ROWS);
    assert_eq!(text(&op, &[3]), "scaled_rows: [3] f32 (needs a matrix)");
    let no_vjp = bare(SCALED_ROWS);
    assert_eq!(text(&no_vjp, &[2, 3]), "scaled_rows: [2, 3] f32 (has no derivative)");
    let few = bare(SCALED_ROWS).with_vjp(|_, _, _| vec![]);
    let why = "(its derivative needs an entry for each operand)";
    assert_eq!(text(&few, &[2, 3]), format!("scaled_rows: [2, 3] f32 {why}"));
    let other = bare(SCALED_ROWS).with_vjp(|_, _, ct| vec![Some(ct.sum(..))]);
    let why = "(its derivative must have the shapes and types of the operands)";
    assert_eq!(text(&other, &[2, 3]), format!("scaled_rows: [2, 3] f32 {why}"));
    let axis = whole(SCALED_ROWS).with_free_axis(2, [None]);
    let why = "(a free axis must be one of the result, and as long in the operands)";
    assert_eq!(text(&axis, &[2, 3]), format!("scaled_rows: [2, 3] f32 {why}"));
    let why = "(the shader must declare each operand as var<storage, read>)";
    assert_eq!(text(&bare("fn main() {}"), &[2, 3]), format!("scaled_rows: [2, 3] f32 {why}"));
    let made = shader(SCALED_ROWS);
    let importing = Custom::new("scaled_rows", matrix, move |x: &[&Meta], y: &Meta| {
        made(x, y).importing(&["exp", "no_such_fragment"])
    });
    let why = "(the shader imports a fragment that shaders/lib has not)";
    assert_eq!(text(&importing, &[2, 3]), format!("scaled_rows: [2, 3] f32 {why}"));
}

/// A shader calls the fragments it imports, and those that they call.
#[test]
fn a_shader_imports_fragments() -> Result<(), Error> {
    const EXPONENTIALS: &str = "
struct Params { len: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.len { return; }
    y[id.x] = epilogue(exponential(Acc(x[id.x])), id.x);
}";
    let Some(device) = device::gpu() else { return Ok(()) };
    let op = Custom::new("exponentials", matrix, |_: &[&Meta], y: &Meta| {
        let len = y.shape.len();
        let params = (len as u32).to_le_bytes();
        Shader::new("exponentials", EXPONENTIALS, &params, len.div_ceil(8)).importing(&["exp"])
    });
    let op = op.with_definition(Bound::Ulp(4), |x| x[0].data.iter().map(|x| x.exp()).collect());
    let graph = Graph::new();
    let y = graph.custom(&op, &[graph.input("x", [2, 3], DType::F32)]);
    let program = graph.compile_pure(&device, &[y])?;
    let x = Array::new([2, 3], &[0.0f32, 1.0, -1.0, 2.0, -2.0, 0.5])?;
    let got = program.run(&Variables::new(0), &[("x", &x)])?.read_blocking(0)?.to_f64();
    for (got, x) in got.iter().zip(x.to_f64()) {
        assert!((got - x.exp()).abs() <= 4e-7 * x.exp(), "{got} for {x}");
    }
    Ok(())
}

/// A shader that the driver's compiler refuses is an error with its message.
#[test]
fn what_the_compiler_says_is_passed_on_by_the_gpu() {
    const BROKEN: &str = "
@group(0) @binding(0) var<uniform> params: vec4<u32>;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(1)
fn main() { y[0] = epilogue(no_such_function(x[0]), 0u); }";
    let Some(device) = device::gpu() else { return };
    let graph = Graph::new();
    for op in [bare(BROKEN), whole(BROKEN)] {
        let y = graph.custom(&op, &[graph.input("x", [2, 3], DType::F32)]);
        let error = graph.compile(&device, &[y]).expect_err("it does not compile");
        assert!(error.to_string().contains("no_such_function"), "{error}");
    }
}
