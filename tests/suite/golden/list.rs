//! `docs/operations.md`: what there is, and how it is tested.

use super::{dtype, integers, list, operations::build, text};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use wgrad::{
    DType, Graph, Tensor, autodiff,
    testing::{Gradient, Sample, samples},
};

/// Why an operation has no derivative.
fn no_derivative(name: &str) -> Option<&'static str> {
    Some(match name {
        "argmax" | "argmin" | "argsort" => "gives indices",
        "one_hot" | "key_padding" => "of indices",
        "matmul_i8" | "convolution_i8" | "quantize" | "requantize" | "pack_i8" | "unpack_i8"
        | "index_division" => "of integers",
        "equal" | "not_equal" | "less" | "less_equal" | "greater" | "greater_equal" | "is_nan"
        | "is_inf" | "is_finite" | "and" | "or" | "xor" | "not" | "shl" | "shr" => {
            "gives truth values or integers"
        }
        "floor" | "ceil" | "round" | "trunc" | "sign" | "floor_divide" => "0 almost everywhere",
        "full" | "constant" | "iota" | "random_bits" | "random_normal" | "random_uniform" => {
            "has no operand"
        }
        "bernoulli" | "permutation" => "gives truth values or integers",
        "detach" => "cuts derivatives off",
        "cast" => "the cotangent, cast back: of floats of two types, which differences cannot tell",
        "radix_count" | "radix_scatter" | "segment_tails" | "segment_sum" | "matmul_units"
        | "matmul_split" | "convolution_units" | "convolution_split" => {
            "made by rewriting, behind differentiation"
        }
        _ => return None,
    })
}

/// Why no case of PyTorch's meets an operation.
fn no_case(name: &str) -> Option<&'static str> {
    Some(match name {
        "random_bits" | "random_normal" | "random_uniform" => {
            "drawn by Philox: its published answers"
        }
        "bernoulli" | "permutation" => "drawn at random",
        "index_division" => "a fragment of shaders, within many cases",
        "radix_count" | "radix_scatter" | "segment_tails" | "segment_sum" => {
            "within argsort and scatter_add, which have cases"
        }
        "matmul_units" | "matmul_split" => "matmul in another precision: the same formula",
        "convolution_units" | "convolution_split" => {
            "convolution in another precision: the same formula"
        }
        "linear_grads" | "convolution_grads" | "sum_in_order" => {
            "products, gradients of weights, and sums"
        }
        "masked_fill" | "split" | "stack" => "a selection, and slices",
        "lstm_cell"
        | "lstm_cell_grad"
        | "lstm_cell_gates_grad"
        | "gru_cell"
        | "gru_cell_grad"
        | "gru_cell_input_grad"
        | "gru_cell_sums_grad"
        | "modulated_transposed_convolution"
        | "rotary"
        | "rotary_from"
        | "upfirdn2d"
        | "modulated_convolution"
        | "minibatch_deviation" => "within the models that are compared",
        "pack_i8" | "unpack_i8" | "quantization_scale" => "within products of bytes",
        "key_padding" => "comparisons",
        "dequantize" => "a product",
        "adam" | "moment" | "second_moment" | "sgd" => "within the trainings that are compared",
        "and" | "or" | "xor" | "not" | "is_nan" | "not_equal" | "less_equal" | "greater_equal"
        | "less" | "greater" => "nothing to disagree on",
        "add" | "sub" | "mul" | "neg" | "full" | "constant" | "iota" | "cast" | "detach"
        | "flip" | "pad" | "slice" | "concat" | "transpose" | "reshape" | "broadcast"
        | "select" | "equal" => "nothing to disagree on",
        _ => return None,
    })
}

/// Why a method of a tensor has no row.
fn no_row(name: &str) -> Option<&'static str> {
    Some(match name {
        "squeeze" | "unsqueeze" | "flatten" => "a reshape",
        "swap_axes" | "move_axis" | "t" => "a transpose",
        "broadcast_to" => "a broadcast",
        "slice_step" => "a slice",
        "full_like" => "full",
        "cumsum_from" => "cumsum",
        "sum_keepdims" | "mean_keepdims" | "amax_keepdims" | "amin_keepdims" | "prod_keepdims" => {
            "a reduction, and a reshape"
        }
        "index_select" => "a gather",
        "max_pool_with_indices" => "max_pool, and max_pool_select of places",
        "shape" | "dtype" | "rank" | "dim" => "says what there is",
        _ => return None,
    })
}

/// Public methods of tensors in files of operations and functions: their names.
fn methods(folder: &Path, names: &mut BTreeSet<String>) {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    for path in entries.map(|entry| entry.expect("it is readable").path()) {
        if path.is_dir() {
            methods(&path, names);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it is text");
        let mut of_tensors = false;
        for line in text.lines() {
            if line.starts_with("impl") {
                of_tensors = line.starts_with("impl<'g> Tensor<'g>");
            }
            let Some(name) = line.strip_prefix("    pub fn ").filter(|_| of_tensors) else {
                continue;
            };
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            names.insert(name.split(|c| !is_of_name(c)).next().unwrap_or_default().to_owned());
        }
    }
}

/// A method without samples is noticed, whatever it is made of.
#[test]
fn every_method_of_a_tensor_has_samples() {
    let rows: BTreeSet<&str> = samples().iter().map(|sample| sample.subject.name()).collect();
    let mut names = BTreeSet::new();
    for folder in ["src/ops", "src/functions"] {
        methods(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut names);
    }
    assert!(names.len() > 100, "{} methods", names.len());
    let without = |name: &&String| !rows.contains(name.as_str()) && no_row(name).is_none();
    let silent: Vec<_> = names.iter().filter(without).collect();
    assert!(silent.is_empty(), "no sample of {silent:?}: add some, or say why in no_row");
}

/// How many cases build a graph with each operation, derivatives included.
fn cases_by_operation() -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for case in &super::cases() {
        let graph = Graph::new();
        let operands = list(&case["operands"], Value::clone);
        let tensors: Vec<Tensor> = operands
            .iter()
            .enumerate()
            .map(|(k, x)| graph.input(&k.to_string(), integers(&x["shape"]), dtype(x)))
            .collect();
        let y = build(case, &tensors);
        if case.get("cotangent").is_some() {
            let floats: Vec<Tensor> =
                tensors.iter().copied().filter(|x| x.dtype().is_float()).collect();
            let ct = graph.input("ct", y.shape(), y.dtype());
            let first = autodiff::vjp(y, ct, &floats).into_iter().flatten();
            if case.get("second").is_some()
                && let Some(sum) = first.map(|g| (g * g).sum(..)).reduce(|sum, next| sum + next)
            {
                autodiff::grad(sum, &floats);
            }
        }
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let dump = graph.to_string();
        let calls = dump.lines().filter_map(|line| line.split_once(" = ").map(|(_, call)| call));
        let mut names: BTreeSet<String> = calls
            .map(|call| call.split(|c| !is_of_name(c)).next().unwrap_or_default().to_owned())
            .collect();
        // A function leaves no name in the graph.
        names.insert(text(&case["op"]).to_owned());
        names.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    counts
}

/// `docs/operations.md` says what is there. Written anew where `UPDATE_OPERATIONS=1`.
#[test]
fn the_list_of_operations_is_true() {
    let mut by_name: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for sample in samples() {
        by_name.entry(sample.subject.name()).or_default().push(sample);
    }
    let cases = cases_by_operation();
    let mut table = String::from(
        "# Operations\n\nMade by `UPDATE_OPERATIONS=1 cargo nextest run the_list_of_operations`, and \
         checked by that test.\n\nOperations, and functions that are written in them. Each runs on the \
         reference, the CPU and GPUs;\nin f16 on GPUs that have it. The types are those it is tested \
         on. *Samples* is on how many operands each\ndevice is compared with the definition in f64, \
         *derivatives* up to which order they are compared\nwith differences, *cases* in how many \
         comparisons with PyTorch it occurs, derivatives included.\n\n\
         | operation | element types | samples | derivatives | cases |\n|---|---|---|---|---|\n",
    );
    for (name, samples) in &by_name {
        let types: BTreeSet<DType> =
            samples.iter().flat_map(|s| s.operands.iter().map(|(meta, _)| meta.dtype)).collect();
        let types: Vec<String> = types.iter().map(DType::to_string).collect();
        let types = if types.is_empty() { "any".to_owned() } else { types.join(", ") };
        let is_smooth = samples.iter().any(|sample| {
            sample.gradient == Gradient::Smooth && matches!(sample.grad_check(), Ok(Some(_)))
        });
        let order = if is_smooth {
            "2".to_owned()
        } else {
            no_derivative(name)
                .unwrap_or_else(|| panic!("{name} has no derivative: say why in no_derivative"))
                .to_owned()
        };
        let count = match cases.get(*name) {
            Some(count) => count.to_string(),
            None => no_case(name)
                .unwrap_or_else(|| {
                    panic!("{name} has no case: add one to tests/golden/, or say why in no_case")
                })
                .to_owned(),
        };
        table += &format!("| `{name}` | {types} | {} | {order} | {count} |\n", samples.len());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    if std::env::var("UPDATE_OPERATIONS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &table).expect("the folder is there");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == table, "docs/operations.md: run this with UPDATE_OPERATIONS=1");
}
