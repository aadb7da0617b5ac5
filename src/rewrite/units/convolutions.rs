//! The three passes of a convolution on matrix units: each is a convolution itself, with other axes in the
//! places of images, channels and taps.

use super::halves::{On, halves, scale, unscaled};
use crate::{
    graph::Tensor,
    ops::{
        Geometry,
        convolution::{
            Axis, Convolution, ConvolutionInputGrad, ConvolutionWeightGrad, Problem,
            UnitConvolution,
        },
    },
};

impl On {
    /// The convolution of `x [n, groups inputs, ..spatial]` with `w [groups outputs, inputs, ..window]`.
    fn convolution<'g>(self, geometry: Geometry, w: Tensor<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let On { units, is_split } = self;
        let op = UnitConvolution { geometry, is_split, units };
        if !is_split {
            return w.graph.push(op, &[w, x].map(|operand| operand.move_axis(1, -1)));
        }
        // A group of an image has a power of its own, as a channel of the weight has.
        let (dims, outputs, inputs) = (x.shape(), w.dim(0), w.dim(1));
        let groups = op.geometry.group_count();
        let apart = [&[dims.dims()[0], groups, inputs], &dims.dims()[2..]].concat();
        let others: Vec<i32> = (1..=w.rank() as i32).collect();
        let (of_w, of_x) =
            (scale(w, &others[..w.rank() - 1]), scale(x.reshape(apart.clone()), &others[1..]));
        let scaled = [w * of_w, (x.reshape(apart) * of_x).reshape(dims.dims())];
        let y = w.graph.push(op, &scaled.map(|operand| halves(operand.move_axis(1, -1))));
        let mut of_outputs = of_x.shape().dims().to_vec();
        of_outputs[2] = outputs / groups;
        let of_x = of_x.broadcast_to(of_outputs);
        let of_outputs = [&[dims.dims()[0], outputs], vec![1; w.rank() - 2].as_slice()].concat();
        unscaled(y, of_w.swap_axes(0, 1), of_x.reshape(of_outputs))
    }
}

/// The axes of a problem that its operands have.
fn spatial(problem: &Problem, x: Tensor<'_>) -> Vec<Axis> {
    problem.axes[5 - x.rank()..].to_vec()
}

/// A number of each axis.
fn each(axes: &[Axis], number: impl Fn(&Axis) -> usize) -> Vec<usize> {
    axes.iter().map(number).collect()
}

/// Axes in this order, and all others behind them.
fn order(leading: impl IntoIterator<Item = usize>, rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = leading.into_iter().collect();
    order.extend(order.len()..rank);
    order
}

/// Padding for each axis from how many zeros are before it, and where it ends; of an `x` that is longer, the
/// rest is cut off.
fn padded<'g>(
    geometry: Geometry,
    x: Tensor<'g>,
    ends: &[(usize, usize)],
) -> (Geometry, Tensor<'g>) {
    let mut shorter = x;
    let mut padding = Vec::with_capacity(ends.len());
    for (axis, &(low, end)) in ends.iter().enumerate() {
        let (extent, wanted) = (x.shape().dims()[2 + axis], end - low);
        padding.push((low, wanted.saturating_sub(extent)));
        if wanted < extent {
            shorter = shorter.slice(2 + axis as i32, 0..wanted);
        }
    }
    (geometry.padding(padding), shorter)
}

/// The convolution itself.
pub(super) fn forward<'g>(op: &Convolution, on: On, operands: &[Tensor<'g>]) -> Tensor<'g> {
    let [x, w] = *operands else { unreachable!("a convolution has two operands") };
    let problem = op.problem(&x.shape(), &w.shape());
    let axes = spatial(&problem, x);
    let geometry = Geometry::new(axes.len())
        .stride(each(&axes, |axis| axis.stride))
        .dilation(each(&axes, |axis| axis.dilation))
        .groups(problem.groups);
    let ends: Vec<_> = axes.iter().map(|axis| (axis.low, axis.reach())).collect();
    let (geometry, x) = padded(geometry, x, &ends);
    on.convolution(geometry, w, x)
}

/// The gradient of the weight: images are channels, channels of the input images, and positions taps.
pub(super) fn weight_grad<'g>(
    op: &ConvolutionWeightGrad,
    on: On,
    operands: &[Tensor<'g>],
) -> Tensor<'g> {
    let [x, ct] = *operands else { unreachable!("it has two operands") };
    let problem = op.problem(&x.shape(), &ct.shape());
    let Problem { batch, groups, inputs, .. } = problem;
    let axes = spatial(&problem, x);
    let geometry = Geometry::new(axes.len())
        .stride(each(&axes, |axis| axis.dilation))
        .dilation(each(&axes, |axis| axis.stride))
        .groups(groups);
    let ends: Vec<_> = axes.iter().map(|axis| (axis.low, axis.reach())).collect();
    let (geometry, x) = padded(geometry, x, &ends);
    let extents = x.shape().dims()[2..].to_vec();
    let x = x.reshape([&[batch, groups, inputs], extents.as_slice()].concat());
    let x = x.transpose(order([2, 1, 0], 3 + axes.len()));
    let x = x.reshape([&[inputs, groups * batch], extents.as_slice()].concat());
    on.convolution(geometry, ct.swap_axes(0, 1), x).swap_axes(0, 1)
}

/// The gradient of the input: the window is flipped, and outputs are what is summed over. Pixels a stride
/// apart meet the same taps, so each kind of pixels is channels of its own.
pub(super) fn input_grad<'g>(
    op: &ConvolutionInputGrad,
    on: On,
    operands: &[Tensor<'g>],
) -> Tensor<'g> {
    let [w, ct] = *operands else { unreachable!("it has two operands") };
    let problem = op.problem(&w.shape(), &ct.shape());
    let axes = spatial(&problem, ct);
    // The first pixel of each kind that is calculated, and how many: those that padding alone meets are not.
    let spans = |axis: &Axis| (axis.window.div_ceil(axis.stride) - 1) * axis.dilation;
    let first = each(&axes, |axis| (axis.low / axis.stride).min(spans(axis)));
    let last = each(&axes, |axis| (axis.low + axis.extent - 1) / axis.stride);
    let counts: Vec<usize> =
        last.iter().zip(&first).map(|(last, first)| last + 1 - first).collect();
    let ends = axes.iter().zip(&first).zip(&counts);
    let ends = ends.map(|((axis, first), count)| (spans(axis) - first, spans(axis) + count));
    let geometry = Geometry::new(axes.len())
        .dilation(each(&axes, |axis| axis.dilation))
        .groups(problem.groups);
    let (geometry, ct) = padded(geometry, ct, &ends.collect::<Vec<_>>());
    let kinds = on.convolution(geometry, weight_of_kinds(&problem, &axes, w), ct);
    let pixels = in_places(&problem, &axes, &counts, kinds);
    axes.iter().zip(&first).enumerate().fold(pixels, |pixels, (at, (axis, first))| {
        let begin = axis.low - first * axis.stride;
        pixels.slice(2 + at as i32, begin..begin + axis.extent)
    })
}

/// The weight `[groups outputs, inputs, ..window]` as `[groups kinds inputs, outputs, ..taps]`: taps r,
/// r + stride, r + 2 stride, .. are those of kind r, the last one first, and zeros where a kind has fewer. With
/// a stride there is no dilation.
fn weight_of_kinds<'g>(problem: &Problem, axes: &[Axis], w: Tensor<'g>) -> Tensor<'g> {
    let &Problem { groups, inputs, outputs, .. } = problem;
    let leading = [groups, outputs, inputs];
    let window = each(axes, |axis| axis.window);
    let mut pads = vec![(0, 0); 3];
    pads.extend(
        axes.iter().map(|axis| (0, axis.window.next_multiple_of(axis.stride) - axis.window)),
    );
    let w = w.reshape([&leading, window.as_slice()].concat()).pad(&pads, 0.0);
    let taps = each(axes, |axis| axis.window.div_ceil(axis.stride));
    let pairs = axes.iter().zip(&taps).flat_map(|(axis, &taps)| [taps, axis.stride]);
    let w = w.reshape(leading.into_iter().chain(pairs).collect::<Vec<_>>());
    let of_taps = (0..axes.len()).map(|axis| 3 + 2 * axis);
    let of_kinds = of_taps.clone().map(|axis| axis + 1);
    let flipped: Vec<i32> = of_taps.clone().map(|axis| axis as i32).collect();
    let order = [0].into_iter().chain(of_kinds).chain([2, 1]).chain(of_taps);
    let w = w.flip(flipped.as_slice()).transpose(order.collect::<Vec<_>>());
    let kinds: usize = axes.iter().map(|axis| axis.stride).product();
    w.reshape([&[groups * kinds * inputs, outputs], taps.as_slice()].concat())
}

/// `[n, groups kinds inputs, ..counts]` as `[n, groups inputs, ..pixels]`: pixels of one kind are a stride apart.
fn in_places<'g>(
    problem: &Problem,
    axes: &[Axis],
    counts: &[usize],
    kinds: Tensor<'g>,
) -> Tensor<'g> {
    let &Problem { batch, groups, inputs, .. } = problem;
    let (strides, count) = (each(axes, |axis| axis.stride), axes.len());
    let apart = kinds.reshape([&[batch, groups], strides.as_slice(), &[inputs], counts].concat());
    let places = (0..count).flat_map(|axis| [3 + count + axis, 2 + axis]);
    let order = [0, 1, 2 + count].into_iter().chain(places);
    let pixels = counts.iter().zip(&strides).map(|(count, stride)| count * stride);
    let dims = [batch, groups * inputs].into_iter().chain(pixels);
    apart.transpose(order.collect::<Vec<_>>()).reshape(dims.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        array64::Array64,
        dtype::DType,
        error::Error,
        graph::{Graph, Node},
        interpret::interpret,
        ops::{Op, Operation, Precision, contract::Noise, precision::MatrixUnits},
        rewrite::{self, Target},
        shape::{Meta, Shape},
    };

    const UNITS: MatrixUnits = MatrixUnits { edge: 16, lanes: [32; 2] };

    /// Shapes of an input and a weight, and how one moves over the other.
    struct Case(&'static [usize], &'static [usize], Geometry);

    fn cases() -> Vec<Case> {
        let flat = || Geometry::new(2);
        vec![
            Case(&[2, 3, 5, 6], &[5, 3, 3, 3], flat().padding(1)),
            Case(&[2, 2, 7, 5], &[5, 2, 3, 3], flat().stride(2).padding(1)),
            Case(&[1, 2, 6, 8], &[6, 2, 3, 3], flat().stride(2)),
            Case(&[1, 2, 9, 8], &[5, 2, 1, 1], flat().stride(2)),
            Case(&[1, 2, 9, 8], &[5, 2, 2, 1], flat().stride([4, 3])),
            Case(&[2, 2, 8, 8], &[3, 2, 4, 4], flat().stride(2).same()),
            Case(&[1, 2, 7, 8], &[5, 2, 3, 2], flat().dilation(2).padding([(2, 2), (0, 1)])),
            Case(&[1, 2, 8, 9], &[4, 2, 3, 3], flat().stride([1, 3]).dilation([2, 1]).padding(2)),
            Case(&[2, 4, 5, 4], &[6, 2, 3, 3], flat().padding(1).groups(2)),
            Case(&[2, 6, 6, 5], &[3, 2, 3, 3], flat().stride(2).padding(1).groups(3)),
            Case(&[2, 2, 4, 5], &[5, 2, 2, 3], flat().padding([(0, 1), (3, 1)])),
            // More padding before the input, and behind it, than a window has taps.
            Case(&[1, 2, 3, 3], &[2, 2, 2, 2], flat().padding([(3, 2), (1, 4)])),
            Case(&[1, 2, 4, 3], &[2, 2, 3, 3], flat().stride(3).padding([(5, 4), (4, 7)])),
            Case(&[2, 3, 11], &[5, 3, 4], Geometry::new(1).dilation(2).padding([(1, 2)])),
            Case(&[1, 2, 4, 3, 5], &[3, 2, 2, 3, 3], {
                Geometry::new(3).stride([2, 1, 2]).padding([(1, 0), (1, 1), (0, 2)])
            }),
        ]
    }

    /// A tensor whose lines along an axis are of many magnitudes.
    fn noise(shape: &Shape, axis: usize, seed: u64) -> Array64 {
        let mut noise = Noise::new(seed);
        Array64::from_fn(Meta::new(shape, DType::F32), |at| {
            let scale = 2f64.powi([0, -30, 7, -100, 30][at[axis] % 5]);
            DType::F32.round((2.0 * noise.unit() - 1.0) * scale)
        })
    }

    /// A pass of these operands, by its definition and in f64 but for halves.
    fn evaluated(op: &Op, on: On, operands: &[&Array64; 2]) -> Result<[Array64; 2], Error> {
        let graph = Graph::new();
        let names = ["a", "b"];
        let inputs = [0, 1].map(|index| {
            graph.input(names[index], operands[index].shape(), operands[index].meta.dtype)
        });
        let replaced = match op {
            Op::Convolution(op) => forward(op, on, &inputs),
            Op::ConvolutionInputGrad(op) => input_grad(op, on, &inputs),
            Op::ConvolutionWeightGrad(op) => weight_grad(op, on, &inputs),
            _ => unreachable!("{op:?} is no pass of a convolution"),
        };
        graph.check()?;
        let source = |op: &Op| {
            let is_first = matches!(op, Op::Input(input) if input.name == "a");
            Ok(operands[usize::from(!is_first)].clone())
        };
        let settle = |node: &Node, mut value: Array64| {
            if on.is_split && node.meta.dtype == DType::F16 {
                value.data.iter_mut().for_each(|x| *x = DType::F16.round(*x));
            }
            Ok(value)
        };
        let nodes = &graph.inner.borrow().nodes;
        let replaced = interpret(nodes, &[replaced.id], source, settle)?.remove(0);
        Ok([op.eval(operands), (*replaced).clone()])
    }

    /// Each pass of a case: the operation, its operands, and the axes of them that have a scale.
    fn passes(Case(x, w, geometry): Case, dtype: DType) -> Vec<(Op, [Array64; 2])> {
        let precision = Precision::Full;
        let [x, w] = [x, w].map(Shape::from);
        let y = Convolution { geometry: geometry.clone(), precision };
        let y_meta = y.infer(&[Meta::new(&x, dtype), Meta::new(&w, dtype)]).expect("it is one");
        let of_input = ConvolutionInputGrad {
            geometry: geometry.clone(),
            precision,
            extents: x.dims()[2..].to_vec(),
        };
        let of_weight =
            ConvolutionWeightGrad { geometry, precision, window: w.dims()[2..].to_vec() };
        let made = |shape: &Shape, axis, seed| {
            let Array64 { data, .. } = noise(shape, axis, seed);
            Array64 { meta: Meta::new(shape, dtype), data }
        };
        let ct = |axis| made(&y_meta.shape, axis, 3);
        vec![
            (y.into(), [made(&x, 0, 1), made(&w, 0, 2)]),
            (of_input.into(), [made(&w, 1, 2), ct(0)]),
            (of_weight.into(), [made(&x, 1, 1), ct(1)]),
        ]
    }

    #[test]
    fn every_pass_is_a_convolution() -> Result<(), Error> {
        for (op, operands) in cases().into_iter().flat_map(|case| passes(case, DType::F16)) {
            let on = On { units: UNITS, is_split: false };
            let [expected, got] = evaluated(&op, on, &operands.each_ref())?;
            assert_eq!(got.shape(), expected.shape(), "{op:?}");
            for (got, expected) in got.data.iter().zip(&expected.data) {
                assert!(
                    (got - expected).abs() <= 1e-12 * expected.abs(),
                    "{op:?}: {got} {expected}"
                );
            }
        }
        Ok(())
    }

    /// Splitting by itself, with everything else in f64. Channels, and images, may be of any magnitude: each
    /// result is judged by the magnitudes of its own terms.
    #[test]
    fn channels_and_images_of_any_magnitude_keep_22_bits() -> Result<(), Error> {
        for (op, operands) in cases().into_iter().flat_map(|case| passes(case, DType::F32)) {
            let on = On { units: UNITS, is_split: true };
            let [expected, got] = evaluated(&op, on, &operands.each_ref())?;
            let sizes = operands.map(|mut operand| {
                operand.data.iter_mut().for_each(|x| *x = x.abs());
                operand
            });
            let sizes = op.eval(&sizes.each_ref());
            for ((got, expected), size) in got.data.iter().zip(&expected.data).zip(&sizes.data) {
                // The second half of either operand was rounded.
                let error = (got - expected).abs();
                assert!(error <= 2.0 * 2f64.powi(-22) * size, "{op:?}: {error:e} of {size:e}");
            }
        }
        Ok(())
    }

    /// The operations of a rewritten graph that are convolutions, as dumps show them.
    fn convolutions(graph: &Graph, outputs: &[Tensor<'_>], there: &[MatrixUnits]) -> Vec<String> {
        let ids: Vec<_> = outputs.iter().map(|output| output.id).collect();
        let (rewritten, _) =
            rewrite::run(graph, &ids, false, Target::with_units(there)).expect("it is valid");
        let inner = rewritten.inner.borrow();
        let described = inner.nodes.iter().map(|node| node.op.describe());
        described.filter(|text| text.starts_with("convolution")).collect()
    }

    #[test]
    fn convolutions_and_their_derivatives_are_split_where_there_are_units() {
        let graph = Graph::new();
        graph.set_precision(Precision::Split);
        let x = graph.input("x", [32, 32, 32, 32], DType::F32);
        let w = graph.input("w", [64, 32, 3, 3], DType::F32);
        let y = x.convolution(w, Geometry::new(2).stride(2).padding(1));
        let gradients = crate::autodiff::grad(y.sum(..), &[x, w]);
        let outputs = [&[y], gradients.as_slice()].concat();
        let there = convolutions(&graph, &outputs, &[UNITS]);
        assert_eq!(there.len(), 3);
        assert!(there.iter().all(|text| text.starts_with("convolution_split[16x16]")), "{there:?}");
        let elsewhere = convolutions(&graph, &outputs, &[]);
        assert!(elsewhere.iter().all(|text| text.contains("[split]")), "{elsewhere:?}");
    }
}
