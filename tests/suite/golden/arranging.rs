//! Functions that arrange elements.

use super::{flag, integer, integers, number, text};
use serde_json::Value;
use wgrad::{
    CoordinateTransform, DType, Interpolation, PaddingMode, Tensor,
    ops::{Geometry, Window},
};

/// Windows by the attributes of a case.
fn windows(case: &Value) -> [Window; 2] {
    let of = |key: &str, axis: usize| integer(&case[key][axis]);
    [0, 1].map(|axis| Window {
        dilation: of("dilation", axis),
        ..Window::new(of("kernel", axis)).stride(of("stride", axis)).padding(of("padding", axis))
    })
}

pub fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    let grid = || {
        if flag(&case["corners"]) {
            CoordinateTransform::AlignCorners
        } else {
            CoordinateTransform::HalfPixel
        }
    };
    let beyond = || match text(&case["beyond"]) {
        "edge" => PaddingMode::Edge,
        "mirror" => PaddingMode::Mirror,
        _ => PaddingMode::Zeros,
    };
    match text(&case["op"]) {
        "resize" => {
            let between = match text(&case["between"]) {
                "nearest" => Interpolation::Nearest,
                "nearest_middle" => Interpolation::NearestMiddle,
                "linear" => Interpolation::Linear(grid()),
                _ => Interpolation::Cubic(grid()),
            };
            x.resize(&integers(&case["sizes"]), between)
        }
        "grid_sample" => x.grid_sample(of[1], grid(), beyond()),
        "grid_sample_nearest" => x.grid_sample_nearest(of[1], grid(), beyond()),
        "unfold" => x.unfold(windows(case)),
        "fold" => x.fold([0, 1].map(|axis| integer(&case["sizes"][axis])), windows(case)),
        "lp_pool" => x.lp_pool(&[Window::new(2); 2], number(&case["p"])),
        "local_response_norm" => x.local_response_norm(integer(&case["size"]), 0.5, 0.75, 2.0),
        "max_unpool" => x.max_unpool(of[1], &integers(&case["sizes"])),
        "max_pool_indices" => {
            let windows = [Window::new(2), Window::new(3).stride(1)];
            x.max_pool_with_indices(&windows).1.cast(DType::F32)
        }
        "matmul_i8" => {
            let x = x.quantize(x.quantization_scale(..)).pack_i8();
            let w = of[1].quantize(of[1].quantization_scale(1)).pack_i8();
            x.matmul_i8(w).cast(DType::F32)
        }
        "convolution_i8" => {
            let (groups, channels) = (integer(&case["groups"]), x.dim(1));
            let last = x.quantize(x.quantization_scale(..)).transpose([0, 2, 3, 1]);
            let apart = last.reshape([x.dim(0), x.dim(2), x.dim(3), groups, channels / groups]);
            let words = groups * (channels / groups).div_ceil(4);
            let bytes = apart.pack_i8().reshape([x.dim(0), x.dim(2), x.dim(3), words]);
            let w = of[1].quantize(of[1].quantization_scale([1, 2, 3])).transpose([0, 2, 3, 1]);
            let geometry = Geometry::new(2).stride([2, 2]).padding([(1, 1), (1, 1)]);
            let y = bytes.convolution_i8(w.pack_i8(), geometry.groups(groups));
            y.transpose([0, 3, 1, 2]).cast(DType::F32)
        }
        "requantize" => x.cast(DType::I32).requantize(of[1]).cast(DType::F32),
        "quantize" => x.quantize(x.full_like(number(&case["scale"]))).cast(DType::F32),
        "gather_nd" => x.gather_nd(of[1]),
        "scatter_nd" => x.scatter_nd(of[1], of[2]),
        other => unreachable!("{other} is not known"),
    }
}
