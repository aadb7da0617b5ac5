//! The order in which a product sums, term by term, and with it every bit of its result: fixed for good,
//! in every variant.
//!
//! WGSL lets a device round the product of an `fma`, and some do that in software. All that do have the
//! same bits, as have all that do not.

use super::{
    products::{kernel_of, written_from},
    *,
};
use crate::{
    Precision,
    ops::{
        Geometry,
        convolution::{ConvolutionInputGrad, ConvolutionWeightGrad},
    },
    proof::Case,
    schedule::plan::StepKind,
};
use sha2::{Digest, Sha256};
use std::iter::zip;

/// The products of one element, in order.
type Terms = Vec<(f32, f32)>;

/// `a b + sum` as a device calculates it.
type Fma = fn(f32, f32, f32) -> f32;

const FUSED: Fma = f32::mul_add;
const ROUNDED_TWICE: Fma = |a, b, sum| a * b + sum;

/// The sum of products in some order.
type Sum = fn(&[(f32, f32)], Fma) -> f32;

/// One `fma` a term.
fn in_order(terms: &[(f32, f32)], fma: Fma) -> f32 {
    terms.iter().fold(0.0, |sum, &(a, b)| fma(a, b, sum))
}

fn added(sums: impl IntoIterator<Item = f32>) -> f32 {
    sums.into_iter().fold(0.0, |total, sum| total + sum)
}

/// Four slices, each of which takes eight of every 32 terms.
fn in_slices(terms: &[(f32, f32)], fma: Fma) -> f32 {
    added((0..4).map(|slice| {
        let own: Terms = terms
            .chunks(32)
            .flat_map(|step| step.chunks(8).nth(slice).unwrap_or_default())
            .copied()
            .collect();
        in_order(&own, fma)
    }))
}

/// 32 lanes, each of which takes four of every 128 terms.
fn in_lanes(terms: &[(f32, f32)], fma: Fma) -> f32 {
    let of_lane = |lane| {
        let own = terms.chunks(128).flat_map(|step| step.chunks(4).nth(lane).unwrap_or_default());
        in_order(&own.copied().collect::<Terms>(), fma)
    };
    by_halves((0..32).map(of_lane).collect())
}

/// 128 lanes, each of which takes one of every 128 terms.
fn in_many_lanes(terms: &[(f32, f32)], fma: Fma) -> f32 {
    let of_lane =
        |lane| in_order(&terms.iter().skip(lane).step_by(128).copied().collect::<Terms>(), fma);
    by_halves((0..128).map(of_lane).collect())
}

/// Lanes are added in a tree.
fn by_halves(mut lanes: Vec<f32>) -> f32 {
    while lanes.len() > 1 {
        let (low, high) = lanes.split_at(lanes.len() / 2);
        lanes = zip(low, high).map(|(low, high)| low + high).collect();
    }
    lanes[0]
}

/// Parts of 288 terms are added in order; more than 16 of them in four runs.
fn in_parts(terms: &[(f32, f32)], fma: Fma, sum: Sum) -> f32 {
    let parts: Vec<f32> = terms.chunks(288).map(|part| sum(part, fma)).collect();
    let runs = if parts.len() > 16 { 4 } else { 1 };
    let run = parts.len().div_ceil(runs);
    added(parts.chunks(run).map(|parts| added(parts.iter().copied())))
}

/// A result, the order in which a plan says that its terms are summed, and the same as a calculation.
struct Ordered {
    /// Builds it from two operands of these extents.
    operands: [Vec<usize>; 2],
    result: for<'g> fn([Tensor<'g>; 2]) -> Tensor<'g>,
    /// The indices of both factors of each term of an element; `None` for a factor that is 0.
    terms: Box<Indices>,
    elements: usize,
    order: &'static str,
    sum: Sum,
    /// The first half of the SHA-256 of the words, where products are fused.
    pinned: &'static str,
}

type Indices = dyn Fn(usize) -> Vec<[Option<usize>; 2]>;

/// `a b` of `[m, k]` and `[k, n]`, each of which may be stored transposed.
fn product(
    [m, n, k]: [usize; 3],
    transposed: [bool; 2],
    order: &'static str,
    sum: Sum,
    pinned: &'static str,
) -> Ordered {
    let stored =
        |rows, columns, is_so| if is_so { vec![columns, rows] } else { vec![rows, columns] };
    let terms = move |index: usize| {
        let (i, j) = (index / n, index % n);
        let a = move |p| if transposed[0] { p * m + i } else { i * k + p };
        let b = move |p| if transposed[1] { j * k + p } else { p * n + j };
        (0..k).map(|p| [Some(a(p)), Some(b(p))]).collect()
    };
    let result: for<'g> fn([Tensor<'g>; 2]) -> Tensor<'g> = match transposed {
        [false, false] => |[a, b]| a.matmul(b),
        [true, false] => |[a, b]| a.t().matmul(b),
        [false, true] => |[a, b]| a.matmul(b.t()),
        [true, true] => |[a, b]| a.t().matmul(b.t()),
    };
    let operands = [stored(m, k, transposed[0]), stored(k, n, transposed[1])];
    Ordered { operands, result, terms: Box::new(terms), elements: m * n, order, sum, pinned }
}

/// The image, `[HEIGHT, WIDTH]`, of the convolutions, whose windows are of 3 x 3.
const HEIGHT: usize = 4;
const WIDTH: usize = 5;

/// The pixel that a tap of a position lies on.
fn pixel(position: usize, tap: usize) -> Option<usize> {
    let y = (position / WIDTH + tap / 3).checked_sub(1).filter(|&y| y < HEIGHT)?;
    let x = (position % WIDTH + tap % 3).checked_sub(1).filter(|&x| x < WIDTH)?;
    Some(y * WIDTH + x)
}

/// Convolutions of 120 channels and their gradients.
fn convolutions() -> [Ordered; 5] {
    const PIXELS: usize = HEIGHT * WIDTH;
    let image = |images, channels| vec![images, channels, HEIGHT, WIDTH];
    let sum: Sum = |terms, fma| in_parts(terms, fma, in_order);
    let forward = Ordered {
        operands: [image(1, 120), vec![7, 120, 3, 3]],
        result: |[x, w]| x.convolution(w, Geometry::new(2).padding(1)),
        terms: Box::new(|index| {
            let (output, position) = (index / PIXELS, index % PIXELS);
            let of = |term: usize| {
                let at = pixel(position, term % 9).map(|pixel| term / 9 * PIXELS + pixel);
                [at, Some(output * 1080 + term)]
            };
            (0..1080).map(of).collect()
        }),
        elements: 7 * PIXELS,
        order: "in 4 parts of 288 terms, 1 tiles",
        sum,
        pinned: "91f469a91da9a3d77d6d9103678553cb",
    };
    let input = Ordered {
        operands: [image(1, 120), vec![120, 7, 3, 3]],
        result: |[ct, w]| {
            let geometry = Geometry::new(2).padding(1);
            let op = ConvolutionInputGrad {
                geometry,
                precision: Precision::Full,
                extents: vec![HEIGHT, WIDTH],
            };
            ct.graph.push(op, &[w, ct])
        },
        terms: Box::new(|index| {
            let (channel, position) = (index / PIXELS, index % PIXELS);
            // A pixel meets the position that reads it at the opposite tap.
            let of = |term: usize| {
                let (output, tap) = (term / 9, term % 9);
                let at = pixel(position, 8 - tap).map(|pixel| output * PIXELS + pixel);
                [at, Some((output * 7 + channel) * 9 + tap)]
            };
            (0..1080).map(of).collect()
        }),
        elements: 7 * PIXELS,
        order: "in 4 parts of 288 terms, 1 tiles",
        sum,
        pinned: "b6eb624d22d0fb8600188f385e4d6fb0",
    };
    // One product for each image, which sums as the convolution of both does.
    let pointwise = Ordered {
        operands: [image(2, 300), vec![33, 300, 1, 1]],
        result: |[x, w]| x.convolution(w, Geometry::new(2)),
        terms: Box::new(|index| {
            let (image, output) = (index / (33 * PIXELS), index / PIXELS % 33);
            let at = |term| (image * 300 + term) * PIXELS + index % PIXELS;
            (0..300).map(|term| [Some(at(term)), Some(output * 300 + term)]).collect()
        }),
        elements: 2 * 33 * PIXELS,
        order: "in 4 slices of 300 terms, 4 tiles",
        sum: in_slices,
        pinned: "260f748e2c86cdf10b48375c08fe11f7",
    };
    [
        forward,
        input,
        pointwise,
        weight(5, "in 4 parts of 288 terms, 1 tiles", sum, "6ace19593da1448f826b0e3354afd176"),
        weight(
            3,
            "in 4 parts of 288 terms, 128 lanes each",
            |terms, fma| in_parts(terms, fma, in_many_lanes),
            "a39366e01abfe23efa2a8b0d663892a0",
        ),
    ]
}

/// The gradient of the weight from two channels to these many, of 53 images.
fn weight(outputs: usize, order: &'static str, sum: Sum, pinned: &'static str) -> Ordered {
    const PIXELS: usize = HEIGHT * WIDTH;
    let image = |channels| vec![53, channels, HEIGHT, WIDTH];
    Ordered {
        operands: [image(2), image(outputs)],
        result: |[x, ct]| {
            let geometry = Geometry::new(2).padding(1);
            let op =
                ConvolutionWeightGrad { geometry, precision: Precision::Full, window: vec![3, 3] };
            x.graph.push(op, &[x, ct])
        },
        terms: Box::new(move |index| {
            let (output, channel, tap) = (index / 18, index / 9 % 2, index % 9);
            let of = |term: usize| {
                let (image, position) = (term / PIXELS, term % PIXELS);
                let at = pixel(position, tap).map(|pixel| (image * 2 + channel) * PIXELS + pixel);
                [at, Some((image * outputs + output) * PIXELS + position)]
            };
            (0..53 * PIXELS).map(of).collect()
        }),
        elements: outputs * 2 * 9,
        order,
        sum,
        pinned,
    }
}

fn ordered() -> Vec<Ordered> {
    const PLAIN: [bool; 2] = [false, false];
    let products = [
        product([33, 20, 255], PLAIN, "", in_order, "926be45528242d019c7664e126c708cd"),
        product(
            [33, 20, 300],
            PLAIN,
            "in 4 slices of 300 terms, 2 tiles",
            in_slices,
            "5a03cfdbb936807c5b50e0d81dba3079",
        ),
        product(
            [20, 33, 1030],
            [true, false],
            "in 4 parts of 288 terms, 1 tiles",
            |terms, fma| in_parts(terms, fma, in_order),
            "9e3baa65bd2d7e1472c436b0d82983f7",
        ),
        product(
            [3, 40, 260],
            [false, true],
            "in 32 lanes of 260 terms, 3 by 40",
            in_lanes,
            "7ee6f2365c45a8f64bb8d1c96cd1dc36",
        ),
        product(
            [3, 40, 260],
            PLAIN,
            "in 32 lanes of 260 terms, 3 by 40",
            in_lanes,
            "5becae5fac3e7c3462a21b53b85842ba",
        ),
        product(
            [40, 3, 260],
            [true, true],
            "in 32 lanes of 260 terms, 3 by 40",
            in_lanes,
            "eb87cce23fc15435564b01819b296052",
        ),
        product(
            [1, 40, 5000],
            PLAIN,
            "in 18 parts of 288 terms, 32 lanes each, 1 by 40",
            |terms, fma| in_parts(terms, fma, in_lanes),
            "cf6440b66ce4cd5e33e1dbf2529f368c",
        ),
    ];
    products.into_iter().chain(convolutions()).collect()
}

impl Ordered {
    /// The words of both operands: numbers between -1 and 1 that need all their bits.
    fn numbers(&self) -> [Vec<f32>; 2] {
        let number = |index: usize| {
            ((index as u32 + 1).wrapping_mul(0x9e37_79b1) as i32) as f32 / 2f32.powi(31)
        };
        [0, 1].map(|operand| {
            let len: usize = self.operands[operand].iter().product();
            (0..len).map(|index| number(index + operand * 1_000_003)).collect()
        })
    }

    /// The words of the result.
    fn expected(&self, [a, b]: &[Vec<f32>; 2], fma: Fma) -> Vec<u32> {
        let factor = |values: &[f32], at: Option<usize>| at.map_or(0.0, |at| values[at]);
        let of_element = |element| {
            let terms = (self.terms)(element).into_iter();
            let terms: Terms = terms.map(|[x, y]| (factor(a, x), factor(b, y))).collect();
            (self.sum)(&terms, fma).to_bits()
        };
        (0..self.elements).map(of_element).collect()
    }
}

/// The first half of the SHA-256 of words.
fn fingerprint(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Sha256::digest(&bytes)[..16]
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn orders_give_these_bits() {
    let of = |ordered: &Ordered| fingerprint(&ordered.expected(&ordered.numbers(), FUSED));
    let found: Vec<String> = ordered().iter().map(of).collect();
    let pinned: Vec<&str> = ordered().iter().map(|ordered| ordered.pinned).collect();
    assert_eq!(found, pinned);
}

#[test]
fn sums_have_the_bits_of_their_order() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = gpu.clone().with_guards();
    let mut known: Option<Fma> = None;
    for ordered in ordered() {
        let Ordered { operands, result, order, .. } = &ordered;
        let graph = Graph::new();
        let tensors = ["a", "b"].map(|name| (name, &operands[usize::from(name == "b")]));
        let tensors = tensors.map(|(name, dims)| graph.input(name, dims.as_slice(), DType::F32));
        let step = kernel_of(&graph, result(tensors))?;
        let StepKind::Kernel { kernel, .. } = &step.kind else { unreachable!("it is a kernel") };
        assert_eq!(kernel.order.as_deref().unwrap_or_default(), *order);
        let case = Case::new(&step);
        let numbers = ordered.numbers();
        let mut words = case.words.clone();
        // A kernel may take them in the other order.
        let is_swapped = words[0].len() != numbers[0].len();
        for (operand, numbers) in numbers.iter().enumerate() {
            words[operand ^ usize::from(is_swapped)] =
                numbers.iter().map(|x| x.to_bits()).collect();
        }
        // The others agree with it: that is what the tests of variants are for.
        let memory = |variant: &usize| kernel.shaders[*variant].workgroups.memory;
        let smallest = (0..step.variants()).min_by_key(memory).unwrap_or_default();
        let written = written_from(&gpu, &step, &case, words, smallest)?.pop().unwrap_or_default();
        let is_fused = || written == ordered.expected(&numbers, FUSED);
        let fma = *known.get_or_insert_with(|| if is_fused() { FUSED } else { ROUNDED_TWICE });
        let expected = ordered.expected(&numbers, fma);
        let differs = zip(&written, &expected).position(|(word, expected)| word != expected);
        let is_same = differs.is_none() && written.len() == expected.len();
        assert!(is_same, "{order:?} of {operands:?}: {differs:?}");
    }
    Ok(())
}
