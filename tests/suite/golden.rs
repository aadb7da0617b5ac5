//! Operations, models and whole trainings against PyTorch in f64.
//!
//! `golden/generate.py` wrote the numbers, from the same operands, weights and batches. The
//! reference computes in f64 too, but constants in its graphs are rounded to f32; there they are
//! rounded alike. What `judge` holds is of PyTorch's own Adam, without that.

mod arranging;
mod arrays;
mod everyday;
mod everyday_layout;
mod list;
mod losses;
mod models;
mod operations;
mod optimizers;
mod options;
mod schedules;
mod trajectories;

use crate::device;
use serde_json::Value;
use std::path::Path;
use wgrad::{Array, DType, Error};

fn entries(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    serde_json::from_str(&text).expect("it is a list")
}

/// Every case of an operation or a function.
fn cases() -> Vec<Value> {
    let files = ["operations.json", "everyday_math.json", "everyday_layout.json", "losses.json"];
    files.map(entries).concat()
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => value.as_f64().expect("a number"),
    }
}

fn list<T>(value: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(of).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value, number)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn integer(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn integers(value: &Value) -> Vec<usize> {
    list(value, integer)
}

fn axis(value: &Value) -> i32 {
    value.as_i64().expect("an axis") as i32
}

fn flag(value: &Value) -> bool {
    value.as_bool().expect("a truth value")
}

fn pairs(value: &Value) -> Vec<(usize, usize)> {
    list(value, |pair| (integer(&pair[0]), integer(&pair[1])))
}

fn array(value: &Value, dtype: DType) -> Result<Array, Error> {
    let data = numbers(&value["data"]);
    // The last digit of f64 is lost in reading.
    let exact = |&x: &f64| !x.is_finite() || (dtype.round(x) - x).abs() <= 1e-15 * x.abs();
    assert!(data.iter().all(exact), "what both sides begin with is rounded: {value}");
    let meta = wgrad::Meta::new(integers(&value["shape"]), dtype);
    Array::from_f64(meta, &data)
}

fn dtype(value: &Value) -> DType {
    match value["dtype"].as_str() {
        Some("u32") => DType::U32,
        Some("i32") => DType::I32,
        _ => DType::F32,
    }
}

/// The largest difference of two elements, relative to the one that is expected or to 1: sums of
/// numbers near 1 may cancel. Infinite where one is NaN or infinite and the other is not the same, and
/// of anything but floats where they differ at all.
fn difference(got: &[f64], expected: &[f64], dtype: DType) -> f64 {
    assert_eq!(got.len(), expected.len(), "numbers of elements");
    let apart = |(&got, &expected): (&f64, &f64)| match got == expected {
        true => 0.0,
        false if got.is_nan() && expected.is_nan() => 0.0,
        false if dtype.is_float() && got.is_finite() && expected.is_finite() => {
            (got - expected).abs() / expected.abs().max(1.0)
        }
        false => f64::INFINITY,
    };
    got.iter().zip(expected).map(apart).fold(0.0, f64::max)
}
