//! Layout, padding, resampling, pooling and convolution with everyday options.

use super::{axis, flag, integer, integers, list, number, text};
use serde_json::Value;
use wgrad::{
    CoordinateTransform, Interpolation, PadMode, PaddingMode, Tensor,
    ops::{Geometry, Window},
};

fn whole(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

fn wholes(value: &Value) -> Vec<i64> {
    list(value, whole)
}

fn signed_pairs(value: &Value) -> Vec<(i64, i64)> {
    list(value, |pair| (whole(&pair[0]), whole(&pair[1])))
}

fn mode(case: &Value) -> PadMode {
    match text(&case["mode"]) {
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        _ => PadMode::Constant(-1.5),
    }
}

fn grid(case: &Value) -> CoordinateTransform {
    if flag(&case["corners"]) {
        CoordinateTransform::AlignCorners
    } else {
        CoordinateTransform::HalfPixel
    }
}

fn between(case: &Value) -> Interpolation {
    match (text(&case["mode"]), flag(&case["smooth"])) {
        ("nearest", _) => Interpolation::Nearest,
        ("nearest-exact", _) => Interpolation::NearestMiddle,
        ("area", _) => Interpolation::Area,
        ("bilinear", true) => Interpolation::SmoothLinear,
        ("bilinear", false) => Interpolation::Linear(grid(case)),
        (_, true) => Interpolation::SmoothCubic,
        (_, false) => Interpolation::Cubic(grid(case)),
    }
}

/// A number for each spatial axis of `x`, one for all, or the default.
fn sizes(value: &Value, x: Tensor<'_>, default: usize) -> Vec<usize> {
    let all = |size| vec![size; x.rank() - 2];
    match value {
        Value::Null => all(default),
        Value::Array(_) => integers(value),
        _ => all(integer(value)),
    }
}

fn geometry(case: &Value, x: Tensor<'_>) -> Geometry {
    let pads = sizes(&case["padding"], x, 0).into_iter().map(|pad| (pad, pad));
    Geometry::new(x.rank() - 2)
        .stride(sizes(&case["stride"], x, 1))
        .padding(pads.collect::<Vec<_>>())
        .groups(case.get("groups").map_or(1, integer))
}

/// The scale and the shift that a case has, of these operands.
fn affine<'g>(case: &Value, of: &[Tensor<'g>]) -> [Option<Tensor<'g>>; 2] {
    match text(&case["given"]) {
        "both" => [Some(of[0]), Some(of[1])],
        "scale" => [Some(of[0]), None],
        "shift" => [None, Some(of[0])],
        _ => [None, None],
    }
}

/// Added to variances.
const EPS: f64 = 1e-5;

pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    match text(&case["op"]) {
        "reshape" => x.reshape(wholes(&case["shape"])),
        "broadcast_to" => x.broadcast_to(wholes(&case["shape"])),
        "transpose" => x.transpose(wholes(&case["axes"])),
        "move_axis" => x.move_axis(axis(&case["move"][0]), axis(&case["move"][1])),
        "slice" => match (case["start"].as_i64(), case["end"].as_i64()) {
            (Some(start), Some(end)) => x.slice(1, start..end),
            (Some(start), None) => x.slice(1, start..),
            (None, Some(end)) => x.slice(1, ..end),
            (None, None) => x.slice(1, ..),
        },
        "roll_axes" => x.roll(wholes(&case["shifts"]), wholes(&case["axes"])),
        "pad_mode" => x.pad(signed_pairs(&case["pads"]), mode(case)),
        "convolution_with_bias" => x.convolution_with_bias(of[1], of[2], geometry(case, x)),
        "transposed_convolution_with_bias" => {
            let more = vec![0; x.rank() - 2];
            x.transposed_convolution_with_bias(of[1], of[2], geometry(case, x), more)
        }
        "padded_convolution" => {
            let padded = x.pad([(0, 0), (0, 0), (1, 1), (1, 1)], mode(case));
            padded.convolution_with_bias(of[1], of[2], Geometry::new(2))
        }
        "batch_norm_given" => {
            let [scale, shift] = affine(case, &of[3..]);
            x.batch_norm(of[1], of[2], scale, shift, EPS)
        }
        "batch_norm_training" => {
            let [scale, shift] = affine(case, &of[1..]);
            x.batch_norm_training(scale, shift, EPS).0
        }
        "batch_norm_statistics" => {
            let (_, mean, variance) = x.batch_norm_training(None, None, EPS);
            x.graph().concat(&[mean, variance], 0)
        }
        "instance_norm" => {
            let [scale, shift] = affine(case, &of[1..]);
            x.instance_norm(scale, shift, EPS)
        }
        "group_norm_given" => {
            let [scale, shift] = affine(case, &of[1..]);
            x.group_norm(2, scale, shift, EPS)
        }
        "layer_norm_given" => {
            let [scale, shift] = affine(case, &of[1..]);
            x.layer_norm(scale, shift, EPS)
        }
        "sum_pool" => {
            let (strides, pads) = (&case["stride"], sizes(&case["padding"], x, 0));
            let extents = integers(&case["extent"]);
            let strides = match strides {
                Value::Null => extents.clone(),
                _ => sizes(strides, x, 1),
            };
            let of = |k: usize| Window {
                ceil_mode: case.get("ceil_mode").is_some_and(flag),
                ..Window::new(extents[k]).stride(strides[k]).padding(pads[k])
            };
            let windows: Vec<Window> = (0..extents.len()).map(of).collect();
            x.sum_pool(&windows) / number(&case["divisor"])
        }
        "lp_pool_ceil" => {
            let windows = [3, 2].map(|extent| Window::new(extent).stride(2).ceil_mode());
            x.lp_pool(&windows, number(&case["p"]))
        }
        "resize_by" => x.resize_by(&list(&case["factors"], number), between(case)),
        "resize_mode" => x.resize(&integers(&case["sizes"]), between(case)),
        "grid_sample_cubic" => {
            let beyond = match text(&case["beyond"]) {
                "edge" => PaddingMode::Edge,
                "mirror" => PaddingMode::Mirror,
                _ => PaddingMode::Zeros,
            };
            x.grid_sample_cubic(of[1], grid(case), beyond)
        }
        other => unreachable!("{other} is not known"),
    }
}
