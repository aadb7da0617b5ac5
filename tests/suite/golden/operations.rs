//! Operations and functions, with their first and second derivatives.

use super::{
    array, axis, cases, device, difference, dtype, flag, integer, integers, list, number, numbers,
    pairs, text,
};
use serde_json::Value;
use wgrad::{
    Array, AttentionOptions, DType, Device, Error, Feed, Graph, PadMode, Tensor, Triangle,
    Variables, autodiff,
    ops::{Geometry, Window},
};

fn geometry(case: &Value) -> Geometry {
    let strides = integers(&case["stride"]);
    let geometry = Geometry::new(strides.len())
        .stride(strides)
        .dilation(integers(&case["dilation"]))
        .groups(integer(&case["groups"]));
    if case["padding"] == "same" {
        return geometry.same();
    }
    geometry.padding(pairs(&case["padding"]))
}

fn windows(case: &Value) -> Vec<Window> {
    let (extents, strides) = (integers(&case["extent"]), integers(&case["stride"]));
    let (dilations, pads) = (integers(&case["dilation"]), pairs(&case["padding"]));
    let of = |k: usize| Window {
        extent: extents[k],
        stride: strides[k],
        dilation: dilations[k],
        low: pads[k].0,
        high: pads[k].1,
        ceil_mode: flag(&case["ceil_mode"]),
    };
    (0..extents.len()).map(of).collect()
}

/// A scale and a shift for each channel.
fn scaled<'g>(x: Tensor<'g>, scale: Tensor<'g>, shift: Tensor<'g>) -> Tensor<'g> {
    let mut dims = vec![1; x.rank() - 1];
    dims[0] = x.dim(1);
    x * scale.reshape(dims.as_slice()) + shift.reshape(dims.as_slice())
}

/// Added to variances.
const EPS: f64 = 1e-5;

/// The operation of a case. Everything but convolutions, poolings and normalizations is a method
/// of its name.
pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    if let Some(loss) = super::losses::build(case, of) {
        return loss;
    }
    let x = of[0];
    let along = || axis(&case["axis"]);
    let axes = || list(&case["axes"], axis);
    macro_rules! methods {
        (unary: $($unary:ident)*; binary: $($binary:ident)*; axes: $($reduce:ident)*) => {
            match text(&case["op"]) {
                $(stringify!($unary) => x.$unary(),)*
                $(stringify!($binary) => x.$binary(of[1]),)*
                $(stringify!($reduce) => x.$reduce(axes().as_slice()),)*
                "leaky_relu" => x.leaky_relu(number(&case["slope"])),
                "power_by" => x.pow(number(&case["p"])),
                "elu" => x.elu(number(&case["alpha"])),
                "celu" => x.celu(number(&case["alpha"])),
                "soft_shrink" => x.soft_shrink(number(&case["width"])),
                "hard_shrink" => x.hard_shrink(number(&case["width"])),
                "threshold" => x.threshold(number(&case["threshold"]), number(&case["value"])),
                "glu" => x.glu(along()),
                "softplus_with" | "norm_p" | "diagonal_at" | "dropout" => {
                    super::options::build(case, of)
                }
                "one_hot" => x.one_hot(integer(&case["classes"])),
                "roll" => x.roll(case["shift"].as_i64().expect("a number"), along()),
                "tile" => x.tile(integer(&case["times"]), along()),
                "repeat_interleave" => x.repeat_interleave(integer(&case["times"]), along()),
                "triangle" => {
                    let side = if flag(&case["upper"]) { Triangle::Upper } else { Triangle::Lower };
                    x.triangle(side, axis(&case["diagonal"]))
                }
                "depth_to_space" => x.depth_to_space(integer(&case["r"])),
                "space_to_depth" => x.space_to_depth(integer(&case["r"])),
                "pad_reflect" | "pad_replicate" => {
                    let mut pads = vec![(0, 0); x.rank()];
                    pads[along() as usize] = pairs(&case["padding"])[0];
                    let mode = match text(&case["op"]) {
                        "pad_reflect" => PadMode::Reflect,
                        _ => PadMode::Replicate,
                    };
                    x.pad(&pads, mode)
                }
                "attention" => {
                    let options = AttentionOptions {
                        // Truth values are numbers in files.
                        mask: of.get(3).map(|mask| match mask.dtype() {
                            DType::F32 => *mask,
                            _ => mask.not_equal(mask.full_like(0.0)),
                        }),
                        causal: flag(&case["causal"]),
                        scale: case.get("scale").map(number),
                        dropout: case.get("dropout").map_or(0.0, number),
                    };
                    x.attention(of[1], of[2], options)
                },
                "einsum" => x.graph().einsum(text(&case["equation"]), of),
                "resize" | "grid_sample" | "grid_sample_nearest" | "unfold" | "fold" | "lp_pool" | "local_response_norm"
                | "max_unpool" | "max_pool_indices" | "gather_nd" | "scatter_nd" | "matmul_i8"
                | "convolution_i8" | "quantize" | "requantize" => {
                    super::arranging::build(case, of)
                }
                "clip" => x.clip(number(&case["low"]), number(&case["high"])),
                "variance" => x.variance(axes().as_slice(), integer(&case["correction"])),
                "standard_deviation" => {
                    x.standard_deviation(axes().as_slice(), integer(&case["correction"]))
                }
                "cosine_similarity" => x.cosine_similarity(of[1], along()),
                "mul" => x * of[1],
                "div" => x / of[1],
                "rem" => x % of[1],
                "convolution" => x.convolution(of[1], geometry(case)),
                "transposed_convolution" => {
                    let more = integers(&case["output_padding"]);
                    x.transposed_convolution(of[1], geometry(case), more)
                }
                "max_pool" => x.max_pool(&windows(case)),
                "avg_pool" => x.avg_pool(&windows(case), flag(&case["count_padding"])),
                "adaptive_max_pool" => x.adaptive_max_pool(&integers(&case["outputs"])),
                "adaptive_avg_pool" => x.adaptive_avg_pool(&integers(&case["outputs"])),
                "batch_norm" => {
                    let axes: Vec<i32> = (0..x.rank() as i32).filter(|&k| k != 1).collect();
                    scaled(x.normalize(axes.as_slice(), EPS), of[1], of[2])
                }
                "group_norm" => {
                    x.group_norm(integer(&case["groups"]), of[1], of[2], EPS)
                }
                "layer_norm" => x.layer_norm(of[1], of[2], EPS),
                "rms_norm" => x.rms_norm(of[1], EPS),
                "cumsum" => {
                    x.cumsum_from(along(), flag(&case["exclusive"]), flag(&case["reverse"]))
                }
                "cumprod" => x.cumprod(along()),
                "shl" => x << of[1],
                "shr" => x >> of[1],
                "sort" => x.sort(along(), flag(&case["descending"])),
                "argsort" => x.argsort(along(), flag(&case["descending"])),
                "top_k" => x.top_k(integer(&case["k"]), along()).0,
                "softmax" => x.softmax(along()),
                "log_softmax" => x.log_softmax(along()),
                "gather" => x.index_select(of[1], along()),
                "gather_elements" => x.gather_elements(of[1], along()),
                "take_along_axis" => x.take_along_axis(of[1], along()),
                "scatter_add" => x.scatter_add(of[1], along(), integer(&case["extent"])),
                "scatter_add_along_axis" => {
                    x.scatter_add_along_axis(of[1], along(), integer(&case["extent"]))
                }
                _ => super::everyday::build(case, of),
            }
        };
    }
    methods! {
        unary: abs relu sign floor ceil round trunc exp tanh sigmoid erf sin cos sqrt log log1p
            expm1 diagonal trace relu6 selu gelu gelu_tanh silu mish hard_sigmoid hard_swish hard_tanh softplus
            softsign tanh_shrink log_sigmoid tan asin acos atan sinh cosh asinh acosh atanh is_inf is_finite;
        binary: maximum minimum pow matmul outer prelu
            atan2;
        axes: amax amin prod sum mean argmax argmin log_sum_exp norm norm_l1 norm_max
    }
}

/// How far result, gradients and gradients of gradients are from those of the case.
fn check(case: &Value, device: &Device) -> Result<Vec<(String, f64)>, Error> {
    let graph = Graph::new();
    let mut values = Vec::new();
    let mut tensors = Vec::new();
    for (k, operand) in list(&case["operands"], Value::clone).iter().enumerate() {
        let value = array(operand, dtype(operand))?;
        let name = format!("operand {k}");
        tensors.push(graph.input(&name, value.shape().dims(), value.dtype()));
        values.push((name, value));
    }
    let y = build(case, &tensors);
    let mut expected = vec![("result".to_owned(), numbers(&case["y"]["data"]))];
    let mut outputs = vec![y];
    if let Some(cotangent) = case.get("cotangent") {
        let value = Array::from_f64(y.meta(), &numbers(cotangent))?;
        let seed = graph.input("cotangent", y.shape(), y.dtype());
        values.push(("cotangent".to_owned(), value));
        let gradients = list(&case["gradients"], Value::clone);
        let last = if case.get("base_only").is_some() { 1 } else { gradients.len() };
        let smooth: Vec<usize> = (0..last).filter(|&k| !gradients[k].is_null()).collect();
        let wrt: Vec<_> = smooth.iter().map(|&k| tensors[k]).collect();
        let mut first = Vec::new();
        for (&k, got) in smooth.iter().zip(autodiff::vjp(y, seed, &wrt)) {
            first.push(got.unwrap_or_else(|| tensors[k].full_like(0.0)));
            expected.push((format!("gradient of operand {k}"), numbers(&gradients[k])));
        }
        outputs.extend(&first);
        if let Some(second) = case.get("second") {
            let mut sum = y.graph().full([], DType::F32, 0.0);
            for (k, (g, weights)) in first.iter().zip(list(&case["weights"], numbers)).enumerate() {
                let name = format!("weights {k}");
                sum = sum + (*g * graph.input(&name, g.shape(), g.dtype())).sum(..);
                values.push((name, Array::from_f64(g.meta(), &weights)?));
            }
            let wrt: Vec<_> = wrt.iter().copied().chain([seed]).collect();
            for (k, expects) in list(second, numbers).into_iter().enumerate() {
                expected.push((format!("gradient of the gradients by {:?}", wrt[k]), expects));
            }
            outputs.extend(autodiff::grad(sum, &wrt));
        }
    }
    graph.check()?;
    assert_eq!(y.shape().dims(), integers(&case["y"]["shape"]), "shape of the result");
    let program = graph.compile_pure(device, &outputs)?;
    // A constant result does not read every input, and an input that is not read cannot be fed.
    let is_read = |name: &str| program.inputs().iter().any(|(input, _)| input == name);
    let feeds: Vec<(&str, &dyn Feed)> = values
        .iter()
        .filter(|(name, _)| is_read(name))
        .map(|(name, value)| (name.as_str(), value as &dyn Feed))
        .collect();
    let results = program.run(&Variables::new(0), &feeds)?;
    let compare = |(k, (what, expected)): (usize, (String, Vec<f64>))| {
        let dtype = outputs[k].dtype();
        Ok((what, difference(&results.get(k)?.read_f64()?, &expected, dtype)))
    };
    expected.into_iter().enumerate().map(compare).collect()
}

/// Every case within this bound; the worst are shown.
fn operations_agree(device: &Device, bound: f64) {
    let cases = cases();
    let mut all = Vec::new();
    for case in &cases {
        let label = text(&case["label"]);
        match check(case, device) {
            Ok(differences) => {
                all.extend(
                    differences.into_iter().map(|(what, by)| (by, format!("{label}, {what}"))),
                );
            }
            Err(error) => all.push((f64::INFINITY, format!("{label}: {error}"))),
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (by, what) in all.iter().take(6) {
        eprintln!("{by:.1e} on {}: {what}", device.name());
    }
    let wrong: Vec<_> = all.iter().filter(|(by, _)| *by > bound).collect();
    assert!(wrong.is_empty(), "{} differ by more than {bound:e}: {wrong:#?}", wrong.len());
    assert!(cases.len() >= 790, "only {} cases", cases.len());
}

#[test]
fn operations_of_the_reference_are_those_of_pytorch() {
    operations_agree(&Device::Reference, 1e-10);
}

/// Sums of up to 100 products of numbers up to 2, and roots and quotients of such.
#[test]
fn operations_of_the_cpu_are_those_of_pytorch() {
    operations_agree(&Device::cpu(), 1e-5);
}

#[test]
fn operations_of_the_gpu_are_those_of_pytorch() {
    if let Some(device) = device::gpu() {
        operations_agree(&device, 1e-5);
    }
}
