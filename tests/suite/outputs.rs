//! A result does not depend on what else a program returns: what is stored is fused otherwise, but
//! gives the same bits.

use crate::device;
use wgrad::{Array, DType, Device, Error, Feed, Graph, Meta, Tensor, Variables, autodiff};

/// Numbers of a linear congruential generator (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// The inputs of every graph.
fn inputs(dtype: DType) -> Result<Vec<(&'static str, Array)>, Error> {
    let array = |dims: [usize; 2], seed: usize| {
        let number = |k: usize| ((k * 37 + seed) % 101) as f64 / 40.0 - 1.2;
        let numbers: Vec<f64> = (0..dims[0] * dims[1]).map(number).collect();
        Array::from_f64(Meta::new(dims, dtype), &numbers)
    };
    Ok(vec![("x", array([6, 40], 3)?), ("y", array([6, 40], 58)?), ("row", array([1, 40], 17)?)])
}

/// A tensor of one of the shapes of `nodes` or of a reduced, transposed or multiplied one.
fn next<'g>(nodes: &[Tensor<'g>], numbers: &mut Numbers) -> Tensor<'g> {
    let a = nodes[numbers.below(nodes.len())];
    let [rows, cols] = [a.dim(0), a.dim(1)];
    let fits =
        |b: &&Tensor<'g>| [rows, cols].iter().zip(b.shape().dims()).all(|(a, b)| a == b || *b == 1);
    let matching: Vec<Tensor<'g>> = nodes.iter().filter(fits).copied().collect();
    let b = matching[numbers.below(matching.len())];
    match numbers.below(22) {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / (b * b + 0.5),
        4 => a.tanh(),
        5 => (a * 0.1).exp(),
        6 => a.relu(),
        7 => a * 1e-3,
        8 => a * 300.0,
        9 => a.sum_keepdims(0),
        10 => a.sum_keepdims(1),
        11 => a.amax_keepdims(1),
        12 => a.swap_axes(0, 1),
        13 => a.matmul(a.swap_axes(0, 1)),
        14 => a.softmax(-1),
        15 => a.mean_keepdims(1),
        16 => a.slice(1, ..cols.div_ceil(2)).pad([(0, 0), (0, cols / 2)], 0.5),
        17 => a.gelu(),
        18 => a.reshape([cols, rows]),
        19 => a.normalize(-1, 1e-5),
        20 => a.less(b).select(a, a * 0.25),
        _ => a.sum_keepdims(..),
    }
}

/// What a run returns, as bits.
fn bits(
    device: &Device,
    wanted: &[Tensor<'_>],
    inputs: &[(&str, Array)],
) -> Result<Vec<Vec<u32>>, Error> {
    let program = wanted[0].graph().compile_pure(device, wanted)?;
    let taken = |name: &str| program.inputs().iter().any(|(known, _)| known == name);
    let feeds: Vec<(&str, &dyn Feed)> = inputs
        .iter()
        .filter(|(name, _)| taken(name))
        .map(|(name, array)| (*name, array as &dyn Feed))
        .collect();
    let outputs = program.run(&Variables::new(0), &feeds)?;
    (0..wanted.len()).map(|k| Ok(outputs.read_blocking(k)?.words().to_vec())).collect()
}

/// Whether two results are alike; NaN have no particular bits.
fn alike(a: &[u32], b: &[u32]) -> bool {
    let same = |(&a, &b): (&u32, &u32)| {
        a == b || (f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan())
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Compares the results of a random graph, and of two derivatives of it, as the only output, in
/// every subset of `count` nodes, or of `most` of them.
fn check(device: &Device, dtype: DType, seed: u64, count: usize, most: usize) -> Result<(), Error> {
    let graph = Graph::new();
    let mut numbers = Numbers(seed);
    let given = inputs(dtype)?;
    let sources: Vec<Tensor> =
        given.iter().map(|(name, array)| graph.input(name, array.shape(), dtype)).collect();
    let mut nodes = sources.clone();
    for _ in 0..count - 2 {
        nodes.push(next(&nodes, &mut numbers));
    }
    let last = *nodes.last().expect("there are inputs");
    let gradients = autodiff::grad((last * 0.01).sum(..), &sources[..2]);
    let wanted: Vec<Tensor> = nodes.drain(sources.len()..).chain(gradients).collect();
    let whole = bits(device, &wanted, &given)?;
    let end = (1usize << wanted.len()) - 1;
    let subsets: Vec<usize> = if end <= most {
        (1..end).collect()
    } else {
        (0..most).map(|_| 1 + numbers.below(end - 1)).collect()
    };
    for subset in subsets {
        let members: Vec<usize> = (0..wanted.len()).filter(|k| subset >> k & 1 == 1).collect();
        let some: Vec<Tensor> = members.iter().map(|&k| wanted[k]).collect();
        for (&k, got) in members.iter().zip(bits(device, &some, &given)?) {
            assert!(
                alike(&got, &whole[k]),
                "{}, {dtype}, seed {seed}: result {k} of {members:?} differs from all of {}\n{}",
                device.name(),
                wanted.len(),
                graph,
            );
        }
    }
    Ok(())
}

#[test]
fn every_subset_of_the_outputs_has_the_same_bits() -> Result<(), Error> {
    for dtype in [DType::F16, DType::F32] {
        for seed in 0..40 {
            check(&Device::cpu(), dtype, seed, 7, usize::MAX)?;
        }
    }
    check(&Device::Reference, DType::F16, 1, 7, 20)
}

#[test]
fn subsets_of_the_outputs_have_the_same_bits_on_the_gpu_too() -> Result<(), Error> {
    let Some(device) = device::gpu() else { return Ok(()) };
    let has_halves = matches!(&device, Device::Gpu(gpu) if gpu.has(DType::F16));
    for dtype in [DType::F16, DType::F32] {
        if dtype == DType::F16 && !has_halves {
            eprintln!("skipped: {} has no f16", device.name());
            continue;
        }
        for seed in 100..130 {
            check(&device, dtype, seed, 7, 8)?;
        }
    }
    Ok(())
}
