//! One mistake a line: each is a typed error that names the operation, its operands, the scope and
//! the line, and says what is wrong.

use wgrad::{
    AttentionOptions, CoordinateTransform,
    DType::{self, Bool, F32, I32, U32},
    Graph, Init, Interpolation, PaddingMode, Tensor, Triangle, autodiff,
    nn::{
        BatchNorm, Conv2d, Dense, Embedding, GroupNorm, InstanceNorm, LearnedPositions, MaxPool2d,
        MaxUnpool2d, Mode, Module, MultiHeadAttention, PRelu, QuantizedConv2d, Recurrent, RmsNorm,
        Scope, SinusoidalPositions, Unflatten, models,
    },
    ops::{Geometry, Window},
};

/// Operation with operands and scope, reason, and how it is made.
type Mistake = (&'static str, &'static str, fn(&Graph));

fn f<const N: usize>(graph: &Graph, dims: [usize; N]) -> Tensor<'_> {
    graph.full(dims, F32, 0.5)
}

fn of<const N: usize>(graph: &Graph, dtype: DType, dims: [usize; N]) -> Tensor<'_> {
    graph.full(dims, dtype, 1.0)
}

fn layer(graph: &Graph, layer: &dyn Module, x: Tensor<'_>) {
    let mut cx = Scope::new(graph, Mode::Train);
    // Tensors and scopes live as long as their graph.
    let x = graph.input("layer", x.shape(), x.dtype());
    layer.forward(&mut cx.child("net"), x);
}

#[rustfmt::skip]
fn all() -> Vec<Mistake> {
    vec![
        ("matmul: [2, 3] x [4, 5]", "inner extents differ: 3 and 4", |g| { f(g, [2, 3]).matmul(f(g, [4, 5])); }),
        ("matmul: [] x [4]", "needs at least 1 axes", |g| { f(g, []).matmul(f(g, [4])); }),
        ("matmul: [2, 2, 3] x [3, 3, 4]", "the shapes do not broadcast", |g| { f(g, [2, 2, 3]).matmul(f(g, [3, 3, 4])); }),
        ("matmul: [2, 2] i32 x [2, 2] i32", "not defined on i32", |g| { of(g, I32, [2, 2]).matmul(of(g, I32, [2, 2])); }),
        ("matmul: [2, 2] x [2, 2] u32", "the element types differ", |g| { f(g, [2, 2]).matmul(of(g, U32, [2, 2])); }),
        ("add: [2, 3] x [2, 4]", "the shapes do not broadcast", |g| { _ = f(g, [2, 3]) + f(g, [2, 4]); }),
        ("mul: [2] x [2] u32", "the element types differ", |g| { _ = f(g, [2]) * of(g, U32, [2]); }),
        ("sub: [2] bool x [2] bool", "not defined on bool", |g| { _ = of(g, Bool, [2]) - of(g, Bool, [2]); }),
        ("pow: [2] i32 x [2] i32", "not defined on i32", |g| { of(g, I32, [2]).pow(of(g, I32, [2])); }),
        ("and: [2] x [2]", "not defined on f32", |g| { f(g, [2]).and(f(g, [2])); }),
        ("maximum: [3] x [2]", "the shapes do not broadcast", |g| { f(g, [3]).maximum(f(g, [2])); }),
        ("exp: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).exp(); }),
        ("neg: [2] bool", "not defined on bool", |g| { _ = -of(g, Bool, [2]); }),
        ("not: [2]", "not defined on f32", |g| { _ = !f(g, [2]); }),
        ("is_nan: [2] u32", "not defined on u32", |g| { of(g, U32, [2]).is_nan(); }),
        ("equal: [2] x [2] i32", "the element types differ", |g| { f(g, [2]).equal(of(g, I32, [2])); }),
        ("less: [2] bool x [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).less(of(g, Bool, [2])); }),
        ("less: [2] x [3]", "the shapes do not broadcast", |g| { f(g, [2]).less(f(g, [3])); }),
        ("select: [2] x [2] x [2]", "not defined on f32", |g| { f(g, [2]).select(f(g, [2]), f(g, [2])); }),
        ("select: [2] bool x [2] x [2] i32", "the element types differ", |g| { of(g, Bool, [2]).select(f(g, [2]), of(g, I32, [2])); }),
        ("select: [2] bool x [3] x [3]", "the shapes do not broadcast", |g| { of(g, Bool, [2]).select(f(g, [3]), f(g, [3])); }),
        ("reshape: [2, 3]", "cannot become [4, 2]", |g| { f(g, [2, 3]).reshape([4, 2]); }),
        ("transpose: [2, 3]", "axis 0 is named twice", |g| { f(g, [2, 3]).transpose([0, 0]); }),
        ("transpose: [2, 3]", "number of axes and of those named differ: 2 and 1", |g| { f(g, [2, 3]).transpose([0]); }),
        ("transpose: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).swap_axes(0, 2); }),
        ("broadcast: [2, 3]", "cannot become [2, 4]", |g| { f(g, [2, 3]).broadcast_to([2, 4]); }),
        ("unsqueeze: [2, 3]", "axis 4 does not exist in rank 3", |g| { f(g, [2, 3]).unsqueeze(4); }),
        ("squeeze: [2, 3]", "the extent of a dropped axis must be 1, not 3", |g| { f(g, [2, 3]).squeeze(1); }),
        ("slice: [2, 3]", "range 2..5 with step 1 is invalid for extent 3", |g| { f(g, [2, 3]).slice(1, 2..5); }),
        ("slice: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).slice(2, 0..1); }),
        ("slice: [2, 3]", "range 0..3 with step 0 is invalid for extent 3", |g| { f(g, [2, 3]).slice_step(1, 0..3, 0); }),
        ("pad: [2, 3]", "number of axes and of pads differ: 2 and 1", |g| { f(g, [2, 3]).pad(&[(1, 1)], 0.0); }),
        ("flip: [2, 3]", "axis -3 does not exist in rank 2", |g| { f(g, [2, 3]).flip(-3); }),
        ("concat: [2, 3] x [3, 2]", "extents differ: 3 and 2", |g| { g.concat(&[f(g, [2, 3]), f(g, [3, 2])], 0); }),
        ("concat: [2] x [2] i32", "the element types differ", |g| { g.concat(&[f(g, [2]), of(g, I32, [2])], 0); }),
        ("concat: [1, 2] x [1, 3]", "extents differ: 2 and 3", |g| { g.stack(&[f(g, [2]), f(g, [3])], 0); }),
        ("sum: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).sum(2); }),
        ("sum: [2, 3]", "axis 1 is named twice", |g| { f(g, [2, 3]).sum([1, -1]); }),
        ("sum: [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).sum(..); }),
        ("mean: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).mean(..); }),
        ("amax: [2, 0]", "is undefined over zero elements", |g| { f(g, [2, 0]).amax(1); }),
        ("argmax: [2, 0]", "is undefined over zero elements", |g| { f(g, [2, 0]).argmax(1); }),
        ("argmin: [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).argmin(0); }),
        ("softmax: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).softmax(2); }),
        ("log_softmax: [2, 3] i32", "not defined on i32", |g| { of(g, I32, [2, 3]).log_softmax(1); }),
        ("cumsum: [2, 3]", "axis 5 does not exist in rank 2", |g| { f(g, [2, 3]).cumsum(5); }),
        ("cumsum: [2, 3] bool", "not defined on bool", |g| { of(g, Bool, [2, 3]).cumsum(0); }),
        ("argsort: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).argsort(2, false); }),
        ("top_k: [2, 3]", "range 0..4 with step 1 is invalid for extent 3", |g| { f(g, [2, 3]).top_k(4, 1); }),
        ("gather: [2, 3] x [2]", "not defined on f32", |g| { f(g, [2, 3]).index_select(f(g, [2]), 0); }),
        ("gather: [2, 3] x [2] u32", "axis 3 does not exist in rank 2", |g| { f(g, [2, 3]).index_select(of(g, U32, [2]), 3); }),
        ("gather: [2, 3] x [4] u32", "index 2 is out of range for extent 2", |g| { f(g, [2, 3]).index_select(g.full([4], U32, 2.0), 0); }),
        ("gather: [2, 3] x [3, 4] u32", "cannot become [2, 3]", |g| { f(g, [2, 3]).take_along_axis(of(g, U32, [3, 4]), 1); }),
        ("scatter_add: [4, 3] x [5] u32", "cannot become [4, 3]", |g| { f(g, [4, 3]).scatter_add(of(g, U32, [5]), 0, 7); }),
        ("scatter_add: [4] bool x [4] u32", "not defined on bool", |g| { of(g, Bool, [4]).scatter_add(of(g, U32, [4]), 0, 7); }),
        ("cross_entropy: [4, 3] x [3] u32", "cannot become [4]", |g| { f(g, [4, 3]).cross_entropy(of(g, U32, [3])); }),
        ("cross_entropy: [4, 3] x [4] i32", "not defined on i32", |g| { f(g, [4, 3]).cross_entropy(of(g, I32, [4])); }),
        ("cross_entropy: [4, 0] x [4] u32", "is undefined over zero elements", |g| { f(g, [4, 0]).cross_entropy(of(g, U32, [4])); }),
        ("convolution: [1, 3, 8, 8] x [4, 2, 3, 3]", "channels of a group and of the weight differ: 3 and 2", |g| { f(g, [1, 3, 8, 8]).convolution(f(g, [4, 2, 3, 3]), Geometry::new(2)); }),
        ("convolution: [1, 3, 8] x [4, 3, 3]", "number of axes of the input and of the geometry differ: 3 and 4", |g| { f(g, [1, 3, 8]).convolution(f(g, [4, 3, 3]), Geometry::new(2)); }),
        ("convolution: [1, 3, 2, 2] x [4, 3, 3, 3]", "a window spanning 3 elements does not fit in 2, padding included", |g| { f(g, [1, 3, 2, 2]).convolution(f(g, [4, 3, 3, 3]), Geometry::new(2)); }),
        ("convolution: [1, 4, 8] x [3, 2, 3]", "3 channels are not divisible by 2", |g| { f(g, [1, 4, 8]).convolution(f(g, [3, 2, 3]), Geometry::new(1).groups(2)); }),
        ("convolution: [1, 4, 8] x [4, 4, 3]", "stride must be at least 1, not 0", |g| { f(g, [1, 4, 8]).convolution(f(g, [4, 4, 3]), Geometry::new(1).stride([0])); }),
        ("max_pool: [1, 4, 8, 8]", "numbers of spatial axes and of windows differ: 2 and 1", |g| { f(g, [1, 4, 8, 8]).max_pool(&[Window::new(2)]); }),
        ("max_pool: [1, 4, 8]", "a window spanning 9 elements does not fit in 8, padding included", |g| { f(g, [1, 4, 8]).max_pool(&[Window::new(9)]); }),
        ("avg_pool: [1, 4, 8]", "extent of windows must be positive, not 0", |g| { f(g, [1, 4, 8]).avg_pool(&[Window::new(0)], true); }),
        ("avg_pool: [1, 4, 8] u32", "not defined on u32", |g| { of(g, U32, [1, 4, 8]).avg_pool(&[Window::new(2)], true); }),
        ("adaptive_avg_pool: [1, 4, 8]", "number of bins must be positive, not 0", |g| { f(g, [1, 4, 8]).adaptive_avg_pool(&[0]); }),
        ("layer_norm: [2, 3] x [4] x [4]", "cannot become [3]", |g| { f(g, [2, 3]).layer_norm(f(g, [4]), f(g, [4]), 1e-5); }),
        ("normalize_rms: [2, 3]", "eps must be at least 0, not -1", |g| { f(g, [2, 3]).rms_norm(f(g, [3]), -1.0); }),
        ("full", "more than 2147483647 elements", |g| { g.full([1 << 20, 1 << 20], F32, 0.0); }),
        ("iota", "axis 2 does not exist in rank 2", |g| { g.iota([2, 3], 2, U32); }),
        ("x: declared as [2], and again as [3]", "", |g| { g.input("x", [2], F32); g.input("x", [3], F32); }),
        ("v: initialized with Ones, and again with Zeros", "", |g| { g.variable("v", [2], F32, Init::Ones); g.variable("v", [2], F32, Init::Zeros); }),
        ("assign: the target is not a variable", "", |g| { let x = g.input("x", [2], F32); g.assign(x, x); }),
        ("assign: [2] x [3]", "cannot become [2]", |g| { let v = g.variable("v", [2], F32, Init::Ones); g.assign(v, f(g, [3])); }),
        ("grad: [2] is not a single float", "", |g| { autodiff::grad(f(g, [2]), &[f(g, [2])]); }),
        ("matmul: [] x [1, 4] in net", "needs at least 1 axes", |g| { layer(g, &Dense::new(4), f(g, [])); }),
        ("convolution: [1, 3, 2, 2] x [4, 3, 3, 3] in net", "a window spanning 3 elements does not fit in 2, padding included", |g| { layer(g, &Conv2d::new(4, [3, 3]), f(g, [1, 3, 2, 2])); }),
        ("max_pool: [1, 3, 2] in net", "numbers of spatial axes and of windows differ: 1 and 2", |g| { layer(g, &MaxPool2d::new(4), f(g, [1, 3, 2])); }),
        ("batch_norm: [3] in net", "needs at least 2 axes", |g| { layer(g, &BatchNorm::new(), f(g, [3])); }),
        ("group_norm: [1, 3, 4] in net", "3 channels are not divisible by 2", |g| { layer(g, &GroupNorm::new(2), f(g, [1, 3, 4])); }),
        ("gather: [4, 2] x [3] in net", "not defined on f32", |g| { layer(g, &Embedding::new(4, 2), f(g, [3])); }),
        ("reshape: [1, 5] in net", "cannot become [1, 3, 2]", |g| { layer(g, &Unflatten::new([3, 2]), f(g, [1, 5])); }),
        ("convolution: [1, 4, 2, 2] x [6, 1, 1, 1] in net", "6 channels are not divisible by 4", |g| { layer(g, &Conv2d::new(6, [1, 1]).groups(4), f(g, [1, 4, 2, 2])); }),
        ("gelu: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).gelu(); }),
        ("glu: [2, 3]", "3 elements along the axis are not divisible by 2", |g| { f(g, [2, 3]).glu(1); }),
        ("slice: [2, 4]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 4]).glu(2); }),
        ("huber: [2, 3] x [4]", "the shapes must be equal", |g| { f(g, [2, 3]).huber(f(g, [4]), 1.0); }),
        ("sub: [2, 3] x [4]", "the shapes do not broadcast", |g| { f(g, [2, 3]).triplet_margin(f(g, [4]), f(g, [3]), 1.0); }),
        ("tile: [2]", "axis 1 does not exist in rank 1", |g| { f(g, [2]).tile(3, 1); }),
        ("repeat_interleave: [2]", "more than 2147483647 elements", |g| { f(g, [2]).repeat_interleave(usize::MAX, 0); }),
        ("triangle: [2]", "needs at least 2 axes", |g| { f(g, [2]).triangle(Triangle::Lower, 0); }),
        ("diagonal: [2]", "needs at least 2 axes", |g| { f(g, [2]).diagonal(); }),
        ("outer: [2] x [2, 2]", "needs two vectors", |g| { f(g, [2]).outer(f(g, [2, 2])); }),
        ("depth_to_space: [1, 6, 2, 2]", "6 channels are not divisible by 4", |g| { f(g, [1, 6, 2, 2]).depth_to_space(2); }),
        ("space_to_depth: [1, 1, 4, 3]", "3 pixels are not divisible by 2", |g| { f(g, [1, 1, 4, 3]).space_to_depth(2); }),
        ("depth_to_space: [1, 4, 2, 2]", "r must be from 1 to 32768, not 0", |g| { f(g, [1, 4, 2, 2]).depth_to_space(0); }),
        ("space_to_depth: [1, 1, 0, 0]", "r must be from 1 to 32768, not 18446744073709552000", |g| { f(g, [1, 1, 0, 0]).space_to_depth(usize::MAX); }),
        ("pad_reflect: [2, 3]", "the padding exceeds the elements to reflect", |g| { f(g, [2, 3]).pad_reflect(1, (3, 0)); }),
        ("pad_replicate: [2, 0]", "is undefined over zero elements", |g| { f(g, [2, 0]).pad_replicate(1, (1, 0)); }),
        ("split: [5]", "sum of the pieces and extent of the axis differ: 4 and 5", |g| { f(g, [5]).split(0, &[1, 3]); }),
        ("variance: [3]", "is undefined over zero elements", |g| { f(g, [3]).variance(0, 3); }),
        ("tan: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).tan(); }),
        ("asin: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).asin(); }),
        ("acos: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).acos(); }),
        ("atan: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).atan(); }),
        ("sinh: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).sinh(); }),
        ("cosh: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).cosh(); }),
        ("asinh: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).asinh(); }),
        ("acosh: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).acosh(); }),
        ("atanh: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).atanh(); }),
        ("atan2: [2] i32 x [2] i32", "not defined on i32", |g| { of(g, I32, [2]).atan2(of(g, I32, [2])); }),
        ("atan2: [3] x [2]", "the shapes do not broadcast", |g| { f(g, [3]).atan2(f(g, [2])); }),
        ("shl: [2] x [2]", "not defined on f32", |g| { _ = f(g, [2]) << 1u32; }),
        ("shl: [2] i32 x [2] u32", "the element types differ", |g| { _ = of(g, I32, [2]) << of(g, U32, [2]); }),
        ("shr: [2] bool x [2] bool", "not defined on bool", |g| { _ = of(g, Bool, [2]) >> of(g, Bool, [2]); }),
        ("is_inf: [2] u32", "not defined on u32", |g| { of(g, U32, [2]).is_inf(); }),
        ("is_finite: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).is_finite(); }),
        ("norm_l1: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).norm_l1(..); }),
        ("sum: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).norm_l1(2); }),
        ("norm_max: [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).norm_max(..); }),
        ("amax: [2, 0]", "is undefined over zero elements", |g| { f(g, [2, 0]).norm_max(1); }),
        ("cumprod: [2, 3]", "axis 2 does not exist in rank 2", |g| { f(g, [2, 3]).cumprod(2); }),
        ("cumprod: [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).cumprod(0); }),
        ("bernoulli: [2] bool", "not defined on bool", |g| { of(g, Bool, [2]).bernoulli(); }),
        ("iota", "more than 2147483647 elements", |g| { g.permutation(usize::MAX); }),
        ("lstm_cell: [2, 8] x [2, 3]", "actual and expected extents of the gates differ: 8 and 12", |g| { f(g, [2, 8]).lstm_cell(f(g, [2, 3])); }),
        ("gru_cell: [2, 9] x [2, 9] x [2, 4]", "actual and expected extents of the gates differ: 9 and 12", |g| { f(g, [2, 9]).gru_cell(f(g, [2, 9]), f(g, [2, 4])); }),
        ("lstm_cell: [2, 12] x [1, 3]", "cannot become [2, 3]", |g| { f(g, [2, 12]).lstm_cell(f(g, [1, 3])); }),
        ("lstm_cell: [2, 12] x [2, 3] i32", "not defined on i32", |g| { f(g, [2, 12]).lstm_cell(of(g, I32, [2, 3])); }),
        ("gru_cell: [9] x [9] x []", "needs at least 1 axes", |g| { f(g, [9]).gru_cell(f(g, [9]), f(g, [])); }),
        ("softplus: [2]", "beta must be finite and nonzero, not 0", |g| { f(g, [2]).softplus_with(0.0, 20.0); }),
        ("norm_p: [2, 3]", "p must be positive, not -1", |g| { f(g, [2, 3]).norm_p(-1.0, 1); }),
        ("diagonal: [2]", "needs at least 2 axes", |g| { f(g, [2]).diagonal_at(1); }),
        ("rotary: [3, 4] x [3] u32", "the first position must be a single u32", |g| { f(g, [3, 4]).rotary_from(100.0, of(g, U32, [3])); }),
        ("grid_sample: [2, 3, 4] x [1, 5, 5, 2]", "needs at least 4 axes", |g| { f(g, [2, 3, 4]).grid_sample_nearest(f(g, [1, 5, 5, 2]), CoordinateTransform::HalfPixel, PaddingMode::Mirror); }),
        ("modulated_convolution: [2, 3] x [4, 3, 3, 3] x [2, 3]", "needs at least 3 axes", |g| { f(g, [2, 3]).modulated_transposed_convolution(f(g, [4, 3, 3, 3]), f(g, [2, 3]), Geometry::new(2), true); }),
        ("prelu: [3] in net", "needs at least 2 axes", |g| layer(g, &PRelu::new().by_channel(), f(g, [3]))),
        ("instance_norm: [3] in net", "needs at least 2 axes", |g| layer(g, &InstanceNorm::new(), f(g, [3]))),
        ("instance_norm: [0, 3, 2] in net", "is undefined over zero elements", |g| layer(g, &InstanceNorm::new().running(0.1), f(g, [0, 3, 2]))),
        ("rms_norm: [3] in net", "needs at least 2 axes", |g| layer(g, &RmsNorm::new().axes(2), f(g, [3]))),
        ("max_unpool: [1, 2, 3] x [1, 2, 3] u32", "needs an axis for each window behind the channels", |g| { let mut cx = Scope::new(g, Mode::Eval); MaxUnpool2d::new(2).forward(&mut cx, f(g, [1, 2, 3]), of(g, U32, [1, 2, 3])); }),
        ("rotary: [2, 3, 5]", "5 elements are not divisible by 2", |g| { f(g, [2, 3, 5]).rotary(100.0); }),
        ("rotary: [2, 3, 4]", "base must be positive, not 0", |g| { f(g, [2, 3, 4]).rotary(0.0); }),
        ("ctc: [4, 2, 3] x [2, 2] u32 x [2] u32 x [3] u32", "cannot become [2]", |g| { f(g, [4, 2, 3]).ctc(of(g, U32, [2, 2]), of(g, U32, [2]), of(g, U32, [3]), 0); }),
        ("ctc: [0, 2, 3] x [2, 2] u32 x [2] u32 x [2] u32", "is undefined over zero elements", |g| { f(g, [0, 2, 3]).ctc(of(g, U32, [2, 2]), of(g, U32, [2]), of(g, U32, [2]), 0); }),
        ("upfirdn2d: [1, 2, 4, 4] x [4]", "needs at least 2 axes", |g| { f(g, [1, 2, 4, 4]).upfirdn2d(f(g, [4]), 2, 1, [(0, 0); 2]); }),
        ("upfirdn2d: [1, 2, 4, 4] x [2, 2]", "down must be positive, not 0", |g| { f(g, [1, 2, 4, 4]).upfirdn2d(f(g, [2, 2]), 1, 0, [(0, 0); 2]); }),
        ("modulated_convolution: [2, 3, 4, 4] x [4, 3, 3, 3] x [2, 4]", "cannot become [2, 3]", |g| { f(g, [2, 3, 4, 4]).modulated_convolution(f(g, [4, 3, 3, 3]), f(g, [2, 4]), Geometry::new(2), true); }),
        ("minibatch_deviation: [3, 2, 4, 4]", "3 images are not divisible by 2", |g| { f(g, [3, 2, 4, 4]).minibatch_deviation(2); }),
        ("recurrent: [2, 3] in net", "needs at least 3 axes", |g| layer(g, &Recurrent::lstm(4), f(g, [2, 3]))),
        ("recurrent: [2, 0, 3] in net", "is undefined over zero elements", |g| layer(g, &Recurrent::gru(4), f(g, [2, 0, 3]))),
        ("attention: [2, 4, 6] x [2, 4, 6] in net", "6 elements are not divisible by 4", |g| layer(g, &MultiHeadAttention::new(4), f(g, [2, 4, 6]))),
        ("attention: [2, 4, 8] x [2, 4, 8] in net", "dropout must be in [0, 1), not 1", |g| layer(g, &MultiHeadAttention::new(4).dropout(1.0), f(g, [2, 4, 8]))),
        ("attention: [4, 8] x [4, 8] x [4, 8]", "dropout must be in [0, 1), not -0.5", |g| { let x = f(g, [4, 8]); x.attention(x, x, AttentionOptions { dropout: -0.5, ..Default::default() }); }),
        ("attention: [4, 8] x [4, 8] x [4, 4] i32", "not defined on i32", |g| { let x = f(g, [4, 8]); x.attention(x, x, AttentionOptions { mask: Some(of(g, I32, [4, 4])), ..Default::default() }); }),
        ("broadcast: [3, 4] bool", "cannot become [4, 4]", |g| { let x = f(g, [4, 8]); x.attention(x, x, AttentionOptions { mask: Some(of(g, Bool, [3, 4])), ..Default::default() }); }),
        ("key_padding: [2]", "not defined on f32", |g| { f(g, [2]).key_padding(3); }),
        ("key_padding: [] u32", "needs at least 1 axes", |g| { of(g, U32, []).key_padding(3); }),
        ("attention: [2, 4, 8] x [2, 4, 8] in net", "4 heads are not divisible by 3", |g| layer(g, &MultiHeadAttention::new(4).key_value_heads(3), f(g, [2, 4, 8]))),
        ("slice: [3, 6] in net", "range 0..4 with step 1 is invalid for extent 3", |g| layer(g, &LearnedPositions::new(3), f(g, [2, 4, 6]))),
        ("positions: [2, 4, 5] in net", "5 elements are not divisible by 2", |g| layer(g, &SinusoidalPositions::new(), f(g, [2, 4, 5]))),
        ("generator: [2, 8] in net", "size must be 4 times a power of 2, not 12", |g| layer(g, &models::Generator::new(12, 3, 8), f(g, [2, 8]))),
        ("discriminator: [2, 3, 8, 4] in net", "height and width differ: 8 and 4", |g| layer(g, &models::Discriminator::new(8), f(g, [2, 3, 8, 4]))),
        ("einsum: [2, 3] x [3, 4]", "numbers of terms and of operands differ: 3 and 2", |g| { g.einsum("ij,jk,kl->il", &[f(g, [2, 3]), f(g, [3, 4])]); }),
        ("einsum: [2, 3]", "numbers of letters and of axes differ: 3 and 2", |g| { g.einsum("ijk->i", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3]", "numbers of letters and of axes differ: 1 and 2", |g| { g.einsum("i->i", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3]", "'1' is not a letter", |g| { g.einsum("i1->i", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3]", "'.' is not a letter", |g| { g.einsum("..ij->ij", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3] x [4, 5]", "'j' names axes whose extents differ", |g| { g.einsum("ij,jk->ik", &[f(g, [2, 3]), f(g, [4, 5])]); }),
        ("einsum: [2, 3]", "'i' is the diagonal of axes whose extents differ", |g| { g.einsum("ii->i", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3]", "'k' is in the result but in no operand", |g| { g.einsum("ij->ik", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3]", "'i' is named twice in the result", |g| { g.einsum("ij->ii", &[f(g, [2, 3])]); }),
        ("einsum: [2, 3] x [4, 3]", "the shapes do not broadcast", |g| { g.einsum("...i,...i->...", &[f(g, [2, 3]), f(g, [4, 3])]); }),
        ("einsum: [2] x [2] u32", "not defined on u32", |g| { g.einsum("i,i", &[f(g, [2]), of(g, U32, [2])]); }),
        ("einsum", "numbers of terms and of operands differ: 1 and 0", |g| { g.einsum("", &[]); }),
        ("quantize: [2] i32 x [2]", "not defined on i32", |g| { of(g, I32, [2]).quantize(f(g, [])); }),
        ("quantize: [2] x [3]", "the shapes do not broadcast", |g| { f(g, [2]).quantize(f(g, [3])); }),
        ("quantize: [2] x [2] i32", "the element types differ", |g| { f(g, [2]).quantize(of(g, I32, [2])); }),
        ("requantize: [2] x [2]", "not defined on f32", |g| { f(g, [2]).requantize(f(g, [])); }),
        ("requantize: [2] i32 x [2] i32", "not defined on i32", |g| { of(g, I32, [2]).requantize(of(g, I32, [2])); }),
        ("dequantize: [2] x []", "not defined on f32", |g| { f(g, [2]).dequantize(f(g, [])); }),
        ("dequantize: [2] i32", "not defined on i32", |g| { of(g, I32, [2]).dequantize(of(g, I32, [2])); }),
        ("pack_i8: [2]", "not defined on f32", |g| { f(g, [2]).pack_i8(); }),
        ("pack_i8: [] i32", "needs at least 1 axes", |g| { of(g, I32, []).pack_i8(); }),
        ("unpack_i8: [2] u32", "words differ: 2 and 3", |g| { of(g, U32, [2]).unpack_i8(9); }),
        ("matmul_i8: [2, 3] u32 x [4, 2] u32", "words of a row differ: 3 and 2", |g| { of(g, U32, [2, 3]).matmul_i8(of(g, U32, [4, 2])); }),
        ("convolution_i8: [1, 5, 2] u32 x [4, 3, 1] u32", "channels of a group and of the weight differ: 2 and 1", |g| { of(g, U32, [1, 5, 2]).convolution_i8(of(g, U32, [4, 3, 1]), Geometry::new(1)); }),
        ("convolution_i8: [1, 5, 2] x [4, 3, 2] u32", "not defined on f32", |g| { f(g, [1, 5, 2]).convolution_i8(of(g, U32, [4, 3, 2]), Geometry::new(1)); }),
        ("convolution_i8: [5, 2] u32 x [3, 2] u32", "needs at least 3 axes", |g| { of(g, U32, [5, 2]).convolution_i8(of(g, U32, [3, 2]), Geometry::new(1)); }),
        ("convolution_i8: [2, 3, 4] in net", "needs at least 4 axes", |g| layer(g, &QuantizedConv2d::new(4, [3, 3], Geometry::new(2)), f(g, [2, 3, 4]))),
        ("convolution_i8: [2, 3, 4, 4] in net", "3 channels are not divisible by 2", |g| layer(g, &QuantizedConv2d::new(4, [3, 3], Geometry::new(2).groups(2)), f(g, [2, 3, 4, 4]))),
        ("matmul_i8: [2, 3] x [4, 3] u32", "not defined on f32", |g| { f(g, [2, 3]).matmul_i8(of(g, U32, [4, 3])); }),
        ("resize: [3, 4]", "needs at least 3 axes", |g| { f(g, [3, 4]).resize(&[1, 2, 3], Interpolation::Nearest); }),
        ("resize: [0, 4]", "is undefined over zero elements", |g| { f(g, [0, 4]).resize(&[2, 3], Interpolation::Nearest); }),
        ("resize: [3, 4]", "more than 2147483647 elements", |g| { f(g, [3, 4]).resize(&[usize::MAX, 2], Interpolation::Nearest); }),
        ("grid_sample: [1, 2, 3, 4] x [1, 5, 5, 3]", "a grid must be [n, rows, columns, 2]", |g| { f(g, [1, 2, 3, 4]).grid_sample(f(g, [1, 5, 5, 3]), CoordinateTransform::HalfPixel, PaddingMode::Zeros); }),
        ("grid_sample: [1, 2, 3, 4] x [2, 5, 5, 2]", "numbers of images and of grids differ: 1 and 2", |g| { f(g, [1, 2, 3, 4]).grid_sample(f(g, [2, 5, 5, 2]), CoordinateTransform::HalfPixel, PaddingMode::Zeros); }),
        ("unfold: [2, 3, 4]", "needs at least 4 axes", |g| { f(g, [2, 3, 4]).unfold([Window::new(2); 2]); }),
        ("unfold: [1, 2, 3, 4]", "a window spanning 5 elements does not fit in 3, padding included", |g| { f(g, [1, 2, 3, 4]).unfold([Window::new(5); 2]); }),
        ("unfold: [1, 2, 3, 4]", "windows with ceil_mode are not supported", |g| { f(g, [1, 2, 3, 4]).unfold([Window::new(2).ceil_mode(); 2]); }),
        ("fold: [1, 7, 4]", "7 rows are not divisible by 4", |g| { f(g, [1, 7, 4]).fold([4, 4], [Window::new(2); 2]); }),
        ("fold: [1, 8, 5]", "numbers of columns and of windows differ: 5 and 4", |g| { f(g, [1, 8, 5]).fold([4, 4], [Window::new(2); 2]); }),
        ("max_unpool: [1, 2, 2] x [1, 2, 3] u32", "cannot become [1, 2, 2]", |g| { f(g, [1, 2, 2]).max_unpool(of(g, U32, [1, 2, 3]), &[4]); }),
        ("local_response_norm: [1, 2, 2]", "size must be from 1 to twice the number of channels plus 1, not 0", |g| { f(g, [1, 2, 2]).local_response_norm(0, 1.0, 0.5, 1.0); }),
        ("gather_nd: [3, 4] x [2, 3] u32", "needs at least 3 axes", |g| { f(g, [3, 4]).gather_nd(of(g, U32, [2, 3])); }),
        ("gather_nd: [3, 4] x [2, 2]", "not defined on f32", |g| { f(g, [3, 4]).gather_nd(f(g, [2, 2])); }),
        ("scatter_nd: [3, 4] x [2, 1] u32 x [2, 3]", "cannot become [2, 4]", |g| { f(g, [3, 4]).scatter_nd(of(g, U32, [2, 1]), f(g, [2, 3])); }),
    ]
}

#[test]
fn every_mistake_has_its_text() {
    let mut wrong = Vec::new();
    let cases = all();
    // The first stands in the first line that begins like this, the others below it.
    let lines = include_str!("misuse.rs").lines();
    let above = lines.take_while(|line| !line.starts_with("        (\"")).count();
    for (line, (what, why, build)) in (above + 1..).zip(&cases) {
        let graph = Graph::new();
        build(&graph);
        let text = match graph.check() {
            Ok(()) => "no error".to_owned(),
            Err(error) => error.to_string(),
        };
        let expected = if why.is_empty() {
            format!("{what}, made at tests/suite/misuse.rs:{line}")
        } else {
            format!("{what}, made at tests/suite/misuse.rs:{line} ({why})")
        };
        if text != expected {
            wrong.push(format!("{line}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
