//! Derivatives of samples with NaN or an infinity in one element of one operand.

use super::{Case, is_alike, is_refused, results::skipped};
use crate::device;
use wgrad::{
    DType, Device, Error, Graph, Tensor,
    autodiff::grad,
    testing::{Gradient, Sample, Subject, samples},
};

/// Samples with more elements say nothing more.
const MANY: usize = 2_000;

fn is_tried(sample: &Sample) -> bool {
    let size: usize = sample.operands.iter().map(|(meta, _)| meta.shape.len()).sum();
    sample.gradient == Gradient::Smooth && size <= MANY && skipped(sample).is_none()
}

/// What is wrong on a device.
fn failures(sample: &Sample, device: &Device) -> Result<(Vec<String>, usize), Error> {
    let (mut wrong, mut compared) = (vec![], 0);
    let graph = Graph::new();
    let (inputs, y) = sample.build(&graph);
    let floats: Vec<usize> = (0..inputs.len()).filter(|&k| inputs[k].dtype().is_float()).collect();
    if floats.is_empty() || !y.dtype().is_float() {
        return Ok((wrong, compared));
    }
    let wrt: Vec<Tensor> = floats.iter().map(|&k| inputs[k]).collect();
    let wanted = grad(y.cast(DType::F32).sum(..), &wrt);
    let names = (0..inputs.len()).map(|k| k.to_string()).collect();
    let case = Case { graph: &graph, wanted, names };
    let program = graph.compile_pure(device, &case.wanted)?;
    for &operand in &floats {
        let len = inputs[operand].shape().len();
        for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().take(3 * len) {
            let mut values = sample.values();
            values[operand].data[3 % len] = special;
            let got = case.run(&program, &values)?;
            for (k, (got, expected)) in got.iter().zip(case.expected(&values)?).enumerate() {
                compared += got.len();
                let mut pairs = got.iter().zip(&expected.data);
                if let Some((got, expected)) = pairs
                    .find(|(got, expected)| !is_alike(**got, **expected, case.wanted[k].dtype()))
                {
                    let of = floats[k];
                    wrong.push(format!(
                        "{sample}, {special} in operand {operand}: the cotangent of {of} has {got} \
                         instead of {expected}"
                    ));
                }
            }
        }
    }
    Ok((wrong, compared))
}

fn all_agree(device: &Device, is_tried: impl Fn(&Sample) -> bool) -> Result<(), Error> {
    let (mut wrong, mut compared) = (vec![], 0);
    for sample in samples().iter().filter(|sample| is_tried(sample)) {
        if is_refused(sample, device) {
            continue;
        }
        let (failures, count) = failures(sample, device)?;
        wrong.extend(failures);
        compared += count;
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 10_000, "only {compared} elements");
    Ok(())
}

#[test]
fn the_cpu_spreads_what_is_not_finite_in_derivatives() -> Result<(), Error> {
    all_agree(&Device::cpu(), is_tried)
}

/// Derivatives of operations are made of operations, whose results are compared elsewhere.
#[test]
fn the_gpu_spreads_what_is_not_finite_in_derivatives_of_functions() -> Result<(), Error> {
    let of_functions = |s: &Sample| is_tried(s) && matches!(s.subject, Subject::Function(_));
    device::gpu().map_or(Ok(()), |device| all_agree(&device, of_functions))
}
