//! Test samples of the three operations, on the same convolutions.

use super::*;
use crate::{dtype::DType::F32, ops::grads::GradOf};

/// A convolution: shapes of its input and weight, and the geometry.
#[derive(Clone)]
struct Case {
    label: &'static str,
    x: &'static [usize],
    w: &'static [usize],
    geometry: Geometry,
    /// Whether its gradients are checked, which takes a thousand evaluations in f64.
    small: bool,
}

/// Few of them not finite, so that some meet padding and gaps, and most results are numbers.
const NOT_FINITE: Domain = Domain::Values(&[
    0.5,
    -1.0,
    0.25,
    1.5,
    -0.75,
    f64::INFINITY,
    1.25,
    -0.5,
    0.75,
    -1.5,
    1.0,
    -0.25,
    0.5,
    1.75,
    -1.25,
    f64::NEG_INFINITY,
    0.75,
    -0.5,
    0.25,
    f64::NAN,
    -1.0,
    0.5,
    1.5,
    -0.25,
    1.0,
    0.75,
    -1.75,
    0.5,
    -0.5,
    1.25,
    0.25,
]);

fn cases() -> Vec<Case> {
    let case = |label, x, w, geometry| Case { label, x, w, geometry, small: true };
    let large = |label, x, w, geometry| Case { label, x, w, geometry, small: false };
    let flat = || Geometry::new(2);
    vec![
        case("", &[2, 3, 5, 6], &[5, 3, 3, 3], flat().padding([(1, 1), (1, 1)])),
        case("stride 2, odd extents", &[2, 2, 7, 5], &[5, 2, 3, 3], {
            flat().stride([2, 2]).padding([(1, 1), (1, 1)])
        }),
        case("stride 2, the last row is not read", &[1, 4, 6, 8], &[10, 2, 3, 3], {
            flat().stride([2, 2]).groups(2)
        }),
        case("dilation 2", &[1, 2, 7, 8], &[5, 2, 3, 2], {
            flat().dilation([2, 2]).padding([(2, 2), (0, 1)])
        }),
        case("stride and dilation share a factor", &[1, 2, 11, 13], &[5, 2, 3, 3], {
            flat().stride([4, 6]).dilation([2, 4]).padding([(2, 3), (4, 4)])
        }),
        case("stride 3, dilation 2", &[1, 2, 10, 9], &[5, 2, 4, 2], {
            flat().stride([3, 3]).dilation([2, 1]).padding([(2, 1), (0, 0)])
        }),
        case("a stride larger than the window", &[1, 2, 9, 8], &[5, 2, 2, 1], {
            flat().stride([4, 3])
        }),
        case("two groups", &[2, 4, 5, 4], &[10, 2, 3, 3], {
            flat().padding([(1, 1), (1, 1)]).groups(2)
        }),
        case("depthwise", &[2, 5, 6, 5], &[5, 1, 3, 3], {
            flat().padding([(1, 1), (1, 1)]).groups(5)
        }),
        case("depthwise, two outputs each, stride 2", &[2, 3, 6, 5], &[6, 1, 3, 3], {
            flat().stride([2, 2]).padding([(1, 1), (1, 1)]).groups(3)
        }),
        case("depthwise, three axes", &[2, 5, 4, 3, 5], &[5, 1, 3, 2, 3], {
            Geometry::new(3).dilation([2, 1, 1]).padding([(2, 1), (1, 0), (1, 1)]).groups(5)
        }),
        case("depthwise, two inputs each, stride and dilation", &[2, 4, 9, 8], &[6, 2, 3, 2], {
            flat().stride([2, 3]).dilation([3, 2]).padding([(2, 1), (0, 2)]).groups(2)
        }),
        case("depthwise, more than twelve taps", &[2, 2, 6, 7], &[2, 1, 3, 5], {
            flat().padding([(1, 1), (2, 2)]).groups(2)
        }),
        large("depthwise, parts of an image", &[1, 2, 33, 34], &[2, 1, 3, 3], {
            flat().same().groups(2)
        }),
        case("seven outputs", &[2, 3, 3, 5], &[7, 3, 2, 3], flat().same()),
        large("whole tiles", &[4, 16, 4, 4], &[128, 8, 3, 3], flat().same().groups(2)),
        large("whole tiles of the weight", &[2, 64, 4, 4], &[64, 64, 1, 1], flat()),
        large("whole large tiles", &[8, 16, 16, 16], &[64, 16, 1, 1], flat()),
        case("few outputs", &[2, 6, 4, 5], &[2, 6, 3, 3], flat().same()),
        case("asymmetric padding", &[2, 2, 4, 5], &[5, 2, 2, 3], {
            flat().padding([(0, 1), (3, 1)])
        }),
        case("same, stride 2, even extents", &[1, 2, 6, 4], &[5, 2, 3, 3], {
            flat().stride([2, 2]).same()
        }),
        case("one axis", &[2, 3, 11], &[5, 3, 4], {
            Geometry::new(1).stride([2]).padding([(1, 2)]).dilation([2])
        }),
        case("three axes", &[2, 2, 4, 3, 5], &[5, 2, 2, 3, 3], {
            let padding = [(1, 0), (1, 1), (0, 2)];
            Geometry::new(3).stride([2, 1, 2]).padding(padding)
        }),
        case("three axes, stride 1", &[1, 5, 3, 4, 3], &[6, 5, 2, 2, 3], {
            Geometry::new(3).padding([(1, 0), (1, 1), (0, 2)])
        }),
        case("a window larger than the input", &[2, 2, 2, 3], &[5, 2, 5, 5], {
            flat().padding([(2, 2), (2, 2)])
        }),
        case("nothing but padding", &[1, 2, 0, 2], &[5, 2, 2, 2], {
            flat().padding([(1, 2), (0, 0)])
        }),
        case("pointwise", &[3, 4, 3, 5], &[6, 4, 1, 1], flat()),
        case("pointwise, two groups", &[2, 4, 3, 5], &[12, 2, 1, 1], flat().groups(2)),
        large("pointwise, parts of the terms", &[2, 520, 3, 4], &[520, 520, 1, 1], flat()),
        large("pointwise, many small images", &[60, 8, 2, 2], &[70, 8, 1, 1], flat()),
        case("pointwise, one image", &[1, 4, 3, 5], &[6, 4, 1, 1], flat()),
        case("the whole input", &[3, 4, 2, 3], &[5, 4, 2, 3], flat()),
        case("no images", &[0, 2, 4, 4], &[5, 2, 3, 3], flat()),
        case("no channels", &[2, 0, 4, 4], &[5, 0, 3, 3], flat()),
        case("no outputs", &[2, 2, 4, 4], &[0, 2, 3, 3], flat()),
        case("one past a tile", &[3, 4, 3, 13], &[33, 4, 1, 3], flat()),
        case("parts of the images", &[6, 2, 15, 17], &[5, 2, 3, 3], flat().same()),
        large("large tiles", &[4, 3, 16, 17], &[65, 3, 3, 3], flat().same()),
        large("many large tiles of the weight", &[1, 240, 2, 3], &[130, 240, 1, 3], flat().same()),
        large("many large tiles of the input", &[2, 70, 24, 25], &[9, 70, 3, 3], {
            flat().stride([2, 2]).same()
        }),
        large("patches", &[2, 9, 9, 31], &[40, 9, 3, 2], flat().same()),
        large("patches of the cotangent", &[1, 40, 9, 30], &[6, 40, 2, 5], flat().same()),
        large("patches along one axis", &[2, 20, 130], &[20, 20, 4], Geometry::new(1).same()),
        large("patches in groups", &[1, 40, 8, 31], &[40, 20, 3, 1], {
            flat().padding([(3, 0), (1, 1)]).groups(2)
        }),
        large("patches of terms", &[2, 28, 3, 36], &[80, 14, 3, 3], {
            flat().padding([(1, 1), (2, 0)]).groups(2)
        }),
        large("patches of parts", &[1, 5, 26, 44], &[40, 5, 2, 1], flat()),
        large("patches of terms along one axis", &[1, 14, 200], &[31, 14, 2], {
            Geometry::new(1).padding([(0, 1)])
        }),
        large("parts of the terms", &[1, 120, 4, 5], &[7, 120, 3, 3], flat().same()),
        large("parts of taps", &[1, 7, 4, 5], &[120, 7, 3, 3], flat().same()),
        large("parts of phases", &[1, 3, 6, 7], &[260, 3, 3, 3], flat().stride([2, 2]).same()),
        large("parts of an image", &[1, 2, 33, 34], &[5, 2, 3, 3], flat().same()),
        large("several panels", &[2, 40, 15, 16], &[6, 40, 3, 3], flat().same()),
    ]
}

/// Sets the bound of a matrix product of `terms` terms.
fn bounded(sample: Sample, terms: usize) -> Sample {
    let (bound, reason) = Order::Sequential.accuracy(terms);
    sample.bound(bound, reason)
}

/// A sample for each case: `make` receives the shapes of input, weight and result, and the
/// problem.
fn of(make: impl Fn(&Case, [Meta; 3], &Problem) -> Sample) -> Vec<Sample> {
    let sample = |case: Case| {
        let [x, w] = [case.x, case.w].map(|dims| Meta::new(dims, F32));
        let problem = known(case.geometry.problem(&x.shape, &w.shape));
        let spatial = &problem.axes.map(|axis| axis.out)[5 - case.x.len()..];
        let y = geometry::meta([problem.batch, case.w[0]], spatial, &x);
        let sample = make(&case, [x, w, y], &problem).named(case.label);
        if case.small { sample } else { sample.without_gradient() }
    };
    let mut samples: Vec<Sample> = cases().into_iter().map(sample).collect();
    // Either operand; what is not finite meets padding, gaps and the ends of tiles.
    let hurt =
        ["asymmetric padding", "stride 2, odd extents", "dilation 2", "depthwise", "one axis"];
    let hurt =
        hurt.iter().chain(&["three axes", "two groups", "few outputs", "nothing but padding"]);
    let hurt = hurt.chain(&["patches in groups"]);
    for label in hurt {
        for case in cases().into_iter().filter(|case| case.label == *label) {
            for operand in [0, 1] {
                let sample =
                    sample(Case { small: false, ..case.clone() }).operand(operand, NOT_FINITE);
                samples.push(sample.named("not finite"));
            }
        }
    }
    let labels = ["", "stride 2, odd extents", "depthwise", "two groups", "one axis", "three axes"];
    with_halves(samples, &[&labels[..], &["large tiles"]].concat())
}

pub(super) fn convolution() -> Vec<Sample> {
    of(|case, [x, w, _], problem| {
        let op = Convolution { geometry: case.geometry.clone(), precision: Precision::Full };
        bounded(Sample::new(op, [x, w]), problem.terms())
    })
}

pub(super) fn input_grad() -> Vec<Sample> {
    of(|case, [_, w, y], problem| {
        let (geometry, precision) = (case.geometry.clone(), Precision::Full);
        let op = ConvolutionInputGrad { geometry, precision, extents: case.x[2..].to_vec() };
        bounded(Sample::new(op, [w, y]), problem.outputs * problem.taps())
    })
}

pub(super) fn weight_grad() -> Vec<Sample> {
    of(|case, [x, _, y], problem| {
        let (geometry, precision) = (case.geometry.clone(), Precision::Full);
        let op = ConvolutionWeightGrad { geometry, precision, window: case.w[2..].to_vec() };
        bounded(Sample::new(op, [x, y]), problem.batch * problem.positions())
    })
}

/// Both gradients, of convolutions that take every way to them.
pub(super) fn grads() -> Vec<Sample> {
    const LABELS: [&str; 12] = [
        "",
        "two groups",
        "three axes",
        "depthwise",
        "whole tiles",
        "pointwise, two groups",
        "pointwise, one image",
        "the whole input",
        "parts of the images",
        "parts of an image",
        "patches of terms",
        "patches of parts",
    ];
    let both = [GradOf::Weight, GradOf::Bias].map(|which| {
        of(|case, [x, _, y], problem| {
            let (geometry, precision) = (case.geometry.clone(), Precision::Full);
            let window = case.w[2..].to_vec();
            let weight = ConvolutionWeightGrad { geometry, precision, window };
            let sample = Sample::new(ConvolutionGrads { weight, of: which }, [x, y]);
            bounded(sample, problem.batch * problem.positions())
        })
    });
    both.into_iter().flatten().filter(|sample| LABELS.contains(&sample.label)).collect()
}

/// Words of bytes of either sign, including the smallest and the largest.
const WORDS: Domain = Domain::Values(&[
    2_172_748_161.0,
    2_139_062_143.0,
    0.0,
    4_294_967_295.0,
    16_909_060.0,
    4_278_190_335.0,
    2_155_905_152.0,
]);

/// The same convolutions with channels last, one word per channel.
pub(super) fn convolution_i8() -> Vec<Sample> {
    let last = |dims: &[usize]| {
        let mut dims = dims.to_vec();
        dims[1..].rotate_left(1);
        Meta::new(dims, DType::U32)
    };
    let labels = ["whole", "large tiles", "parts of the terms"];
    let sample = |case: Case| {
        Sample::new(ConvolutionI8 { geometry: case.geometry }, [last(case.x), last(case.w)])
            .operand(0, WORDS)
            .operand(1, WORDS)
            .bound(Bound::Exact, "integers")
            .without_gradient()
            .named(case.label)
    };
    let empty = Case {
        label: "nothing but padding, in quads",
        x: &[1, 4, 0, 2],
        w: &[5, 4, 2, 2],
        geometry: Geometry::new(2).padding([(1, 2), (0, 0)]),
        small: true,
    };
    let sliced = Case {
        label: "slices of the words",
        x: &[1, 32, 4, 5],
        w: &[5, 32, 3, 3],
        geometry: Geometry::new(2).same(),
        small: true,
    };
    cases()
        .into_iter()
        .chain([empty, sliced])
        .filter(|case| case.small || labels.iter().any(|label| case.label.starts_with(label)))
        .map(sample)
        .collect()
}
