//! Tensors that just fit a device, and those that just do not, on one that is made small for it.

use super::*;
use crate::{CompileError, gpu::device::adapter::open_any_within};

/// Bytes of the largest tensor.
const LIMIT: u64 = 1 << 18;
/// Its elements.
const FULL: usize = LIMIT as usize / 4;

fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::Compile(CompileError::BindingTooLarge { .. }))
}

/// Results that need a tensor of `len` elements, on inputs of that size or not.
fn programs<'g>(graph: &'g Graph, len: usize) -> Vec<(&'static str, Tensor<'g>)> {
    let x = graph.input("x", [len], DType::F32);
    let few = graph.input("few", [4], DType::U32);
    let many = graph.input("many", [len], DType::U32);
    let columns = 64;
    let (left, right) = (
        graph.input("left", [len / columns, 2], DType::F32),
        graph.input("right", [2, columns], DType::F32),
    );
    let pairs = graph.iota([2 * len], 0, DType::U32).cast(DType::F32).reshape([len, 2]);
    let v = graph.variable("v", [len], DType::F32, Init::Constant(0.5));
    vec![
        ("a map of nothing", graph.iota([len], 0, DType::U32).cast(DType::F32) + 1.0),
        ("a map of a tensor", x * 2.0 + 1.0),
        ("a map of a variable", v + x),
        ("a reduction of a tensor", x.sum(..)),
        ("a reduction to a tensor", pairs.amax(1)),
        ("a product", left.matmul(right).relu()),
        ("a gather from a tensor", x.index_select(few, 0)),
        ("a gather to a tensor", x.slice(0, 0..10).index_select(many, 0)),
        ("a sum that goes on", x.cumsum(0)),
        ("a tensor by itself", x),
    ]
}

#[test]
fn tensors_at_the_limit_fit_and_those_above_do_not() -> Result<(), Error> {
    if device().is_none() {
        return Ok(());
    }
    // A binding ends before a buffer, as on most devices, or they end together: then there is no
    // room for guard bands.
    for buffer in [LIMIT, 4 * LIMIT] {
        let gpu = pollster::block_on(open_any_within(LIMIT, buffer))?
            .with_verification(Verification::Full);
        let mut sizes = 0;
        for (len, fits) in [
            (FULL - 64, true),
            (FULL - 1, true),
            (FULL, true),
            (FULL + 1, false),
            (FULL + 64, false),
        ] {
            let count = programs(&Graph::new(), len).len();
            for index in 0..count {
                let graph = Graph::new();
                let (name, y) = programs(&graph, len)[index];
                // Its extent is a multiple of 64.
                if name == "a product" && len % 64 != 0 {
                    continue;
                }
                let x = ramp(len);
                let ids = |n: usize| {
                    let ids: Vec<u32> = (0..n).map(|k| k as u32 * 7 % 10).collect();
                    Array::new([n], &ids)
                };
                let (few, many) = (ids(4)?, ids(len)?);
                let left = Array::new([len / 64, 2], &ramp(len / 64 * 2).to_vec::<f32>()?)?;
                let right = Array::new([2, 64], &ramp(128).to_vec::<f32>()?)?;
                let all: [(&str, &dyn Feed); 5] =
                    [("x", &x), ("few", &few), ("many", &many), ("left", &left), ("right", &right)];
                let run = |device: &Device| {
                    let program = graph.compile(device, &[y])?;
                    let taken = program.inputs();
                    let inputs: Vec<(&str, &dyn Feed)> = all
                        .into_iter()
                        .filter(|(name, _)| taken.iter().any(|(taken, _)| taken == name))
                        .collect();
                    program.run(&Variables::new(0), &inputs)?.read_blocking(0)
                };
                let got = run(&Device::Gpu(gpu.clone()));
                if fits {
                    let got = got.unwrap_or_else(|error| panic!("{name} of {len}: {error}"));
                    assert_near(&got, &run(&Device::Reference)?, 1e-3);
                } else {
                    assert!(got.as_ref().is_err_and(is_too_large), "{name} of {len}: {got:?}");
                }
                sizes += 1;
            }
        }
        assert!(sizes > 40);
        assert_eq!(gpu.proofs().quarantined, [] as [String; 0]);
    }
    Ok(())
}

/// Together the inputs of a program may be larger than any buffer, and so may its results, its
/// variables, and the steps that are verified together.
#[test]
fn many_tensors_need_not_fit_one_buffer() -> Result<(), Error> {
    if device().is_none() {
        return Ok(());
    }
    let gpu = pollster::block_on(open_any_within(LIMIT, LIMIT))?;
    let gpu = gpu.with_verification(Verification::Full);
    let graph = Graph::new();
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    for k in 0..4 {
        let name = format!("x{k}");
        let x = graph.input(&name, [FULL - k * 4000], DType::F32);
        let v = graph.variable(&format!("v{k}"), [FULL - k * 4000], DType::F32, Init::Ones);
        graph.assign(v, v * 0.5 + x);
        outputs.push(x * (k as f64 + 2.0) + v);
        inputs.push((name, ramp(FULL - k * 4000)));
    }
    let fed: Vec<(&str, &dyn Feed)> =
        inputs.iter().map(|(name, x)| (name.as_str(), x as &dyn Feed)).collect();
    let run = |device: &Device| {
        let variables = Variables::new(0);
        let program = graph.compile(device, &outputs)?;
        let read = (0..4).map(|k| program.run(&variables, &fed)?.read_blocking(k));
        let mut read = read.collect::<Result<Vec<_>, Error>>()?;
        for k in 0..4 {
            read.push(variables.get(&format!("v{k}"))?);
        }
        Ok::<_, Error>(read)
    };
    let (got, expected) = (run(&Device::Gpu(gpu))?, run(&Device::Reference)?);
    got.iter().zip(&expected).for_each(|(got, expected)| assert_near(got, expected, 1e-5));
    Ok(())
}
