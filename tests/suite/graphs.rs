//! Random calls of builders, most of them wrong: they must give an error and nothing else.

use proptest::prelude::*;
use wgrad::{
    AttentionOptions, CoordinateTransform, DType, Device, Graph, Init, Interpolation, PadMode,
    PaddingMode, Reduction, Tensor, Triangle, autodiff,
    ops::{Geometry, Window},
};

/// One call of a builder, with arguments that are mostly wrong.
#[derive(Clone, Debug)]
struct Call {
    method: u8,
    operands: [u8; 3],
    numbers: [i32; 3],
    shape: Vec<usize>,
}

fn call() -> impl Strategy<Value = Call> {
    let extent = prop_oneof![8 => 0usize..5, 1 => Just(usize::MAX), 1 => Just(1usize << 33)];
    let shape = prop::collection::vec(extent, 0..4);
    (any::<u8>(), any::<[u8; 3]>(), [-4i32..5, -4..5, -4..5], shape)
        .prop_map(|(method, operands, numbers, shape)| Call { method, operands, numbers, shape })
}

fn apply<'g>(graph: &'g Graph, other: &'g Graph, known: &mut Vec<Tensor<'g>>, call: &Call) {
    let Call { method, operands, numbers, shape } = call;
    let pick = |k: usize| {
        if known.is_empty() {
            graph.full([2, 3], DType::F32, 0.5)
        } else {
            known[operands[k] as usize % known.len()]
        }
    };
    let [a, b, c] = [0, 1, 2].map(pick);
    let [n, m, _] = *numbers;
    let dtype = DType::ALL[m.unsigned_abs() as usize % 5];
    let shape = shape.clone();
    let size = n.unsigned_abs() as usize;
    let large = if m < -2 { usize::MAX } else { size };
    let y = match method % 96 {
        0 => graph.input(["x", "y", "z"][size % 3], shape, dtype),
        1 => graph.variable(["v", "w"][size % 2], shape, dtype, Init::HeNormal),
        2 => graph.full(shape, dtype, f64::from(n) / 3.0),
        3 => graph.iota(shape, n, dtype),
        4 => graph.uniform(shape),
        5 => graph.normal(shape),
        6 => a + b,
        7 => a - 1.5,
        8 => 2.0 * a,
        9 => a / b,
        10 => a % b,
        11 => a.pow(b),
        12 => a.maximum(b),
        13 => a.minimum(0i32),
        14 => a.and(b),
        15 => -a,
        16 => a.exp(),
        17 => a.tanh(),
        18 => a.relu(),
        19 => !a,
        20 => a.equal(b),
        21 => a.less(b),
        22 => a.select(b, c),
        23 => a.cast(dtype),
        24 => a.detach(),
        25 => a.reshape(shape),
        26 => a.flatten(n),
        27 => a.unsqueeze(n),
        28 => a.squeeze(n),
        29 => a.swap_axes(n, m),
        30 => a.t(),
        31 => a.broadcast_to(shape),
        32 => a.slice(n, size..size + 2),
        33 => a.slice_step(n, 0..4, size),
        34 => a.pad([(size, 1), (0, usize::from(m > 0))], 0.5),
        35 => graph.concat(&[a, b, c, a, b][..size % 6], m),
        36 => graph.stack(&[a, b], n),
        37 => a.flip(n),
        38 => a.sum(n),
        39 => a.mean([n, m]),
        40 => a.amax(..),
        41 => a.prod_keepdims(n),
        42 => a.argmax(n),
        43 => a.matmul(b),
        44 => a.softmax(n),
        45 => a.log_softmax(n),
        46 => a.cross_entropy(b, -1, Reduction::Mean),
        47 => {
            graph.assign(a, b);
            a
        }
        48 => autodiff::grad(a, &[b])[0],
        49 => a.gelu(),
        50 => a.glu(n),
        51 => a.prelu(b),
        52 => a.elu(0.5),
        53 => a.huber(b, 1.0, Reduction::None),
        54 => a.negative_log_likelihood(b, 1, Reduction::None),
        55 => a.cosine_similarity(b, n),
        56 => a.one_hot(large),
        57 => a.roll(i64::from(n), m),
        58 => a.tile(large, n),
        59 => a.repeat_interleave(large, n),
        60 => a.triangle(Triangle::Upper, n),
        61 => a.diagonal().outer(b),
        62 => a.unsqueeze(0).depth_to_space(large),
        63 => a.unsqueeze(0).space_to_depth(large),
        64 => {
            let pads = [(size, large), (0, 0)];
            a.pad(pads, PadMode::Reflect).pad([(n, 1), (-1, m)], PadMode::Replicate)
        }
        65 => a.split(n, &[size, 1, large])[1],
        66 => a.variance([n, m], size).log_sum_exp(n),
        67 => {
            let mask = (n > 1).then_some(c);
            let dropout = f64::from(n) / 8.0;
            let options = AttentionOptions { mask, causal: m > 0, dropout, scale: None };
            a.attention(b, c, options)
        }
        68 => a.atan2(b),
        69 => a.tan().atan().sinh().asinh(),
        70 => a.asin().acos().cosh().acosh().atanh(),
        71 => a << b,
        72 => a >> 40u32,
        73 => a.is_inf().or(a.is_finite()),
        74 => a.norm_l1(n),
        75 => a.norm_max([n, m]),
        76 => a.cumprod(n),
        77 => a.bernoulli().select(graph.permutation(large), b),
        78 => a.ctc(b, c, a, m as u32, Reduction::BatchMean),
        79 => a.rotary(f64::from(n)).minibatch_deviation(large),
        80 => a.upfirdn2d(b, size, large, [(n, m), (m, n)]),
        81 => a.lstm_cell(b)[0].gru_cell(c, b),
        82 => {
            let equations = ["ij,jk->ik", "...i,...i", "ii->i", "a,b->ba", "ij,kl,lj->", "i->ii"];
            graph.einsum(equations[m.unsigned_abs() as usize % 6], &[a, b, c][..size % 4])
        }
        83 => a.resize(&[size, large], Interpolation::Cubic(CoordinateTransform::HalfPixel)),
        84 => a.resize(&[large], Interpolation::Nearest).grid_sample(
            b,
            CoordinateTransform::AlignCorners,
            PaddingMode::Edge,
        ),
        85 => a.unfold([Window::new(size), Window::new(large)]),
        86 => a.fold([size, large], [Window::new(2).stride(size); 2]),
        87 => a.lp_pool(&[Window::new(size)], 2.0).local_response_norm(large, 1.0, 0.5, 1.0),
        88 => a.max_unpool(a.max_pool_with_indices(&[Window::new(2)]).1, &[large]),
        89 => a.gather_nd(b),
        90 => a.scatter_nd(b, c),
        91 => a.quantize(b).pack_i8().matmul_i8(c),
        92 => a.unpack_i8(large).key_padding(size),
        93 => {
            let geometry = Geometry::new(size).stride(vec![large; size]).groups(size);
            a.convolution_i8(b, geometry)
        }
        94 => a.requantize(b).dequantize(c),
        95 => a.reshape([n, m, -1]).transpose([n, m]),
        96 => a.slice(n, m..).slice(m, ..n).move_axis(n, m),
        97 => a.roll([n, m], [m, n]),
        98 => a.pad([(n, m), (large as i32, 0)], PadMode::Circular),
        99 => a.resize_by(&[f64::from(n), 0.7], Interpolation::SmoothCubic),
        100 => a.resize(&[size, large], Interpolation::Area),
        101 => {
            let (grid, beyond) = (CoordinateTransform::HalfPixel, PaddingMode::Mirror);
            a.grid_sample_cubic(b, grid, beyond).grid_sample_nearest(c, grid, beyond)
        }
        102 => a.batch_norm(b, c, (n > 0).then_some(b), None, 0.1),
        103 => a.batch_norm_training(b, c, 0.1).2,
        104 => a.instance_norm(None, b, 0.1).group_norm(size, c, None, 0.1),
        105 => a.convolution_with_bias(b, c, Geometry::new(size).padding(large)),
        106 => a.transposed_convolution_with_bias(b, c, Geometry::new(1).stride(size), large),
        107 => a.sum_pool(&[Window::new(size).stride(large).ceil_mode()]),
        // A tensor of another graph.
        _ => a + other.full([2, 3], DType::F32, 1.0),
    };
    known.push(y);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_graph_panics(calls in prop::collection::vec(call(), 1..24)) {
        let (graph, other) = (Graph::new(), Graph::new());
        let mut known = Vec::new();
        for call in &calls {
            apply(&graph, &other, &mut known, call);
        }
        // The part that could be built is consistent and can be displayed.
        prop_assert_eq!(graph.verify(), Ok(()));
        prop_assert!(!graph.to_dot().is_empty());
        let _ = graph.to_string();
        for tensor in &known {
            let _ = (tensor.rank(), tensor.dim(0), tensor.dim(-3));
        }
        if let Err(error) = graph.check() {
            let text = error.to_string();
            prop_assert!(text.contains("graphs.rs:"), "{} names no line", text);
            let last = known.len() - 1;
            prop_assert!(graph.compile(&Device::Reference, &[known[last]]).is_err());
        }
    }
}
