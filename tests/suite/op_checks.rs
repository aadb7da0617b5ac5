//! The checks of operations of other crates, as their tests have them: `verify_op!` on operations that
//! are right, and what it says of those that are not.

use wgrad::{
    Array64, DType, Device, Error, Meta, OpError, Tensor,
    ops::{CpuKernel, Custom, Shader},
    testing::{Bound, Domain, OpCheck, OpReport, Sample, gpus_for_tests},
};

/// The shader of a function of an element `v`.
macro_rules! of_elements {
    ($value:literal) => {
        concat!(
            "
struct Params { len: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let i = id.x + id.y * groups.x * 64u;
    if i >= params.len { return; }
    let v = x[i];
    y[i] = epilogue(",
            $value,
            ", i);
}"
        )
    };
}

/// A function of one element, without its definition.
fn bare(name: &'static str, dtype: DType, source: &'static str) -> Custom {
    let infer = move |x: &[Meta]| match x {
        [x] if x.dtype == dtype => Ok(x.clone()),
        [x] => Err(OpError::DType(x.dtype)),
        _ => Err(OpError::Argument("needs one operand")),
    };
    Custom::new(name, infer, move |_, y| {
        let len = y.shape.len();
        Shader::new(name, source, &(len as u32).to_le_bytes(), len.div_ceil(64))
    })
}

fn each(f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> impl Fn(&[&Array64]) -> Vec<f64> {
    move |x| x[0].data.iter().map(|&x| f(x)).collect()
}

fn squares() -> Custom {
    bare("squares", DType::F32, of_elements!("v * v"))
        .with_definition(Bound::Ulp(1), each(|x| x * x))
        .with_operand(0, Domain::Range(-3.0, 3.0))
        .with_vjp(|x, _, ct| vec![Some(ct * x[0] * 2.0)])
}

wgrad::testing::verify_op! {
    squares,
    operands: [(f32[3, 4]), (f32[])],
    samples: [Sample::new(squares(), [Meta::new([9], DType::F32)])
        .bound(Bound::Ulp(1), "one rounding")
        .operand(0, Domain::Values(&[1e-3, 4.0, -1e3]))
        .named("scales")],
}

fn doubled(number: i32) -> Custom {
    let source = if number == 1 { of_elements!("v + v") } else { of_elements!("v * 4") };
    let factor = f64::from(2 * number);
    bare("doubled", DType::I32, source).with_definition(Bound::Exact, each(move |x| x * factor))
}

wgrad::testing::verify_op! {
    mod doubled_twice = doubled(2),
    operands: [(i32[5])],
    derivative: none,
}

/// Its derivative is an operation that has none.
fn cubes<'g>(x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
    let slope = bare("slope", DType::F32, of_elements!("3.0 * v * v"))
        .with_definition(Bound::Ulp(2), each(|x| 3.0 * x * x));
    vec![Some(ct * ct.graph().custom(&slope, x))]
}

wgrad::testing::verify_op! {
    mod cubed = bare("cubed", DType::F32, of_elements!("v * v * v"))
        .with_definition(Bound::Ulp(2), each(|x| x * x * x))
        .with_vjp(cubes),
    operands: [(f32[2, 3])],
    derivative: first,
}

/// Wrong for infinities only.
fn clamped() -> Custom {
    bare("clamped", DType::F32, of_elements!("clamp(v, -1e30, 1e30)"))
        .with_definition(Bound::Exact, |x| x[0].data.clone())
        .with_operand(0, Domain::Range(-3.0, 3.0))
        .with_vjp(|_, _, ct| vec![Some(ct)])
}

wgrad::testing::verify_op! {
    clamped,
    operands: [(f32[4])],
    special_values: unchecked,
}

fn on(op: Custom) -> OpCheck {
    OpCheck::new(op).operands([Meta::new([3, 4], DType::F32)])
}

/// All that a report says of a check that must fail.
fn told(report: &OpReport) -> String {
    assert!(!report.passes(), "{report}");
    report.to_string()
}

#[test]
fn what_an_operation_lacks_is_told() {
    let cpu = [Device::cpu()];
    let op = bare("bare", DType::F32, of_elements!("v"));
    let why =
        "bare: it has no definition in f64 to check it by: add one by Custom::with_definition";
    assert_eq!(told(&on(op.clone()).conformance(&cpu)), why);
    assert_eq!(told(&on(op.clone()).proof(&cpu)), why);
    let text = told(&on(op).derivative(1, &cpu));
    assert!(text.contains("Custom::with_vjp") && text.contains("derivative: none"), "{text}");
    let text = told(&OpCheck::new(squares()).conformance(&cpu));
    assert!(text.contains("no operands to check it on"), "{text}");
    // Operands that the shape rule refuses are no operands.
    let other = OpCheck::new(squares()).operands([Meta::new([3], DType::U32)]);
    let text = told(&other.conformance(&cpu));
    assert!(text.contains("squares: [3] u32") && text.contains("not defined on u32"), "{text}");
    let short = bare("short", DType::F32, of_elements!("v"))
        .with_definition(Bound::Exact, |x| x[0].data.iter().skip(1).copied().collect());
    let text = told(&on(short).conformance(&[Device::Reference]));
    assert!(text.contains("its definition must return as many elements"), "{text}");
    // The shader is not in the form that is needed.
    let formless =
        bare("formless", DType::F32, "fn main() {}").with_definition(Bound::Exact, each(|x| x));
    let text = told(&on(formless).conformance(&cpu));
    assert!(text.contains("the shader must declare each operand as var<storage, read>"), "{text}");
}

/// What has nothing to compare is no success.
#[test]
fn integers_have_no_derivative_to_pass() {
    let op = doubled(1).with_vjp(|_, _, _| vec![None]);
    let check = OpCheck::new(op).operands([Meta::new([3], DType::I32)]);
    let text = told(&check.derivative(1, &[Device::cpu()]));
    assert!(text.contains("no sample has anything to check"), "{text}");
}

#[test]
fn a_wrong_derivative_is_told() {
    let op = squares().with_vjp(|x, _, ct| vec![Some(ct * x[0] * 3.0)]);
    let text = told(&on(op).derivative(1, &[Device::cpu()]));
    assert!(text.contains("FAILED first derivative, compared with differences"), "{text}");
    assert!(text.contains("SMALLEST of 1 tried: squares [1, 1] f32"), "{text}");
    // The second is that of the first, which is not what is asked here.
    let once = squares().with_vjp(|x, _, ct| vec![Some(ct * (x[0] * 2.0).detach())]);
    let check = on(once);
    assert!(check.derivative(1, &[Device::cpu()]).passes());
    let text = told(&check.derivative(2, &[Device::cpu()]));
    assert!(text.contains("FAILED second derivative, compared with differences"), "{text}");
}

/// Extents that nobody gave, and a panic there, are found.
#[test]
fn hostile_extents_are_checked() {
    let definition = |x: &[&Array64]| {
        let row = x[0].shape().dims()[1];
        x[0].data.chunks(row).flat_map(|row| row.iter().map(|x| x + 1.0)).collect()
    };
    let infer = |x: &[Meta]| match x[0].shape.rank() {
        2 => Ok(x[0].clone()),
        _ => Err(OpError::Argument("needs a matrix")),
    };
    let shader = |_: &[&Meta], y: &Meta| {
        Shader::new("rows", of_elements!("v + 1.0"), &[0; 4], y.shape.len())
    };
    let op = Custom::new("rows", infer, shader).with_definition(Bound::Ulp(1), definition);
    let text = told(&on(op).conformance(&[Device::Reference]));
    assert!(text.contains("FAILED result on reference (f64)"), "{text}");
    assert!(text.contains(": rows [3, 0] f32\n"), "{text}");
    assert!(text.contains("panicked: chunk size must be non-zero"), "{text}");

    // A loop that is wrong from 65,536 elements on.
    let op = squares().with_cpu(|_, y| {
        let many = y.shape.len() > 65_535;
        CpuKernel::new(1, 1, move |x, start, out| {
            for (x, y) in x[0][start..].iter().zip(out) {
                let x = f32::from_bits(*x);
                *y = if many { 0 } else { (x * x).to_bits() };
            }
        })
    });
    let text = told(&on(op).conformance(&[Device::cpu()]));
    assert!(text.contains("FAILED result on CPU"), "{text}");
    assert!(text.contains("] f32\n  element "), "{text}");
}

#[test]
fn a_shader_is_proved_by_the_gpu() -> Result<(), Error> {
    let gpus = gpus_for_tests()?;
    if gpus.is_empty() {
        return Ok(());
    }
    let text = told(&on(clamped()).proof(gpus));
    assert!(text.contains("its kernel is right only on finite values: element "), "{text}");
    let wrong = bare("wrong", DType::F32, of_elements!("select(v, v + 1.0, i == 6u)"))
        .with_definition(Bound::Exact, each(|x| x));
    let text = told(&on(wrong.clone()).proof(gpus));
    assert!(text.contains("no kernel can be trusted on "), "{text}");
    // One row or column less has six elements, and the seventh is wrong.
    assert!(text.contains(" tried: wrong [3, 3] f32\n"), "{text}");
    let text = told(&on(wrong).conformance(gpus));
    assert!(text.contains("FAILED result on "), "{text}");
    assert!(!text.contains("between guard bands"), "it is wrong without them: {text}");
    // What reads and writes beyond its tensors is seen between guard bands only.
    let stray = bare("stray", DType::F32, STRAY).with_definition(Bound::Exact, each(|x| x));
    let text = told(&on(stray).conformance(gpus));
    assert!(text.contains(", between guard bands: stray ["), "{text}");
    assert!(text.contains("wrote behind its result"), "{text}");
    Ok(())
}

/// Writes one element more than there is.
const STRAY: &str = "
struct Params { len: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;
@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let i = id.x + id.y * groups.x * 64u;
    if i > params.len { return; }
    y[i] = epilogue(x[min(i, params.len - 1u)], i);
}";
