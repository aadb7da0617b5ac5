//! Convolution, its two gradients, its int8 version, and pooling.

use super::products::dot;
use crate::{
    array::Array,
    autodiff,
    bench::{
        check::Sum,
        workload::{Elements, Workload, at, with_gradients, words},
    },
    dtype::DType,
    graph::Tensor,
    ops::{Geometry, Window, contract::Domain},
};

/// Square images, and 3x3 filters that keep the size.
#[derive(Clone, Copy)]
struct Planes {
    images: usize,
    channels: usize,
    filters: usize,
    edge: usize,
}

const WHOLE: Planes = Planes { images: 16, channels: 64, filters: 64, edge: 56 };
const SMALL: Planes = Planes { images: 2, channels: 16, filters: 16, edge: 28 };

/// The results of a convolution and of its derivatives.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Result,
    InputGrad,
    WeightGrad,
}

pub(super) fn workloads() -> Vec<Workload> {
    use Part::{InputGrad, Result, WeightGrad};
    let parts: [(&str, &'static [Part]); 4] = [
        ("conv2d_fwd", &[Result]),
        ("conv2d_input_grad", &[InputGrad]),
        ("conv2d_weight_grad", &[WeightGrad]),
        ("conv2d_fwdbwd", &[WeightGrad, InputGrad, Result]),
    ];
    let convolutions = parts.map(|(name, parts)| {
        let small = convolution(format!("{name}_small"), SMALL, parts);
        convolution(name.to_owned(), WHOLE, parts).smaller(small)
    });
    let bytes = bytes("conv2d_i8", WHOLE).smaller(bytes("conv2d_i8_small", SMALL));
    let max = max_pool("maxpool_fwdbwd", WHOLE).smaller(max_pool("maxpool_fwdbwd_small", SMALL));
    let avg = avg_pool("avgpool_fwdbwd", WHOLE).smaller(avg_pool("avgpool_fwdbwd_small", SMALL));
    convolutions.into_iter().chain([bytes, max, avg]).collect()
}

impl Planes {
    fn x(self) -> [usize; 4] {
        [self.images, self.channels, self.edge, self.edge]
    }

    fn y(self) -> [usize; 4] {
        [self.images, self.filters, self.edge, self.edge]
    }

    fn w(self) -> [usize; 4] {
        [self.filters, self.channels, 3, 3]
    }

    fn products(self) -> f64 {
        let len: usize = self.y().iter().product();
        (len * self.channels * 9) as f64
    }

    fn text(self) -> String {
        let Planes { images, channels, filters, edge } = self;
        format!("N{images} C{channels} {edge}x{edge} K{filters} 3x3 p1")
    }

    /// Index of a pixel in a tensor with this many channels; `None` if outside the plane.
    fn pixel(self, channels: usize, [n, c]: [usize; 2], [i, j]: [usize; 2]) -> Option<usize> {
        let is_inside = i < self.edge && j < self.edge;
        is_inside.then(|| ((n * channels + c) * self.edge + i) * self.edge + j)
    }

    /// Row and column of each tap.
    fn taps() -> impl Iterator<Item = [usize; 2]> {
        (0..9).map(|tap| [tap / 3, tap % 3])
    }

    /// An element computed from the operands x, w and the cotangent of y.
    fn element(self, part: Part, x: &[Array], c: &[usize]) -> Sum {
        let Planes { images, channels, filters, edge } = self;
        let weight = |k: usize, c: usize, [u, v]: [usize; 2]| {
            at(&x[1], ((k * channels + c) * 3 + u) * 3 + v)
        };
        let of_x = |n, c, place| self.pixel(channels, [n, c], place).map(|index| at(&x[0], index));
        let of_y = |n, k, place| self.pixel(filters, [n, k], place).map(|index| at(&x[2], index));
        // The position at a tap, and its inverse; negative positions wrap far out of bounds.
        let shifted = |at: usize, tap: usize| (at + tap).wrapping_sub(1);
        let behind = |at: usize, tap: usize| (at + 1).wrapping_sub(tap);
        match part {
            Part::Result => Sum::of((0..channels).flat_map(|channel| {
                Planes::taps().filter_map(move |[u, v]| {
                    let pixel = of_x(c[0], channel, [shifted(c[2], u), shifted(c[3], v)])?;
                    Some(pixel * weight(c[1], channel, [u, v]))
                })
            })),
            Part::InputGrad => Sum::of((0..filters).flat_map(|k| {
                Planes::taps().filter_map(move |[u, v]| {
                    let pixel = of_y(c[0], k, [behind(c[2], u), behind(c[3], v)])?;
                    Some(pixel * weight(k, c[1], [u, v]))
                })
            })),
            Part::WeightGrad => Sum::of((0..images * edge * edge).filter_map(|place| {
                let (n, i, j) = (place / (edge * edge), place / edge % edge, place % edge);
                let pixel = of_x(n, c[1], [shifted(i, c[2]), shifted(j, c[3])])?;
                Some(pixel * of_y(n, c[0], [i, j])?)
            })),
        }
    }
}

/// Differentiates only with respect to the requested operands.
fn trace<'g>(x: &[Tensor<'g>], parts: &[Part]) -> Vec<Tensor<'g>> {
    let y = x[0].convolution(x[1], Geometry::new(2).padding([(1, 1), (1, 1)]));
    let gradient = |k: usize| autodiff::vjp(y, x[2], &[x[k]]).into_iter().flatten().next();
    let part = |part: &Part| match part {
        Part::Result => Some(y),
        Part::InputGrad => gradient(0),
        Part::WeightGrad => gradient(1),
    };
    parts.iter().filter_map(part).collect()
}

fn convolution(name: String, planes: Planes, parts: &'static [Part]) -> Workload {
    let [x, w, y] = [planes.x(), planes.w(), planes.y()].map(|d| d.iter().product::<usize>());
    // Each pass reads two of the three tensors and writes the third.
    let bytes = parts.len() as f64 * words(x + w + y);
    Workload::new(
        "convolution",
        name,
        planes.text(),
        move |x| trace(x, parts),
        move |x| Box::new(move |number, c| planes.element(parts[number], x, c)),
    )
    .floats(&planes.x())
    .floats(&planes.w())
    .floats(&planes.y())
    .cost(2.0 * planes.products() * parts.len() as f64, bytes)
}

/// Bytes of the input and of the filters, channels last and four per word; 32-bit sums.
fn bytes(name: &'static str, planes: Planes) -> Workload {
    let Planes { images, channels, filters, edge } = planes;
    let count = channels.div_ceil(4);
    let (x, w) = ([images, edge, edge, count], [filters, 3, 3, count]);
    let [in_x, in_w] = [x, w].map(|dims| dims.iter().product::<usize>());
    let geometry = Geometry::new(2).padding([(1, 1), (1, 1)]);
    Workload::new(
        "int8 convolution",
        name,
        planes.text(),
        move |x| vec![x[0].convolution_i8(x[1], geometry.clone())],
        move |x| -> Elements<'_> {
            Box::new(move |_, c| {
                let tap = |[u, v]: [usize; 2]| {
                    // Negative positions wrap far out of bounds.
                    let [i, j] = [(c[1] + u).wrapping_sub(1), (c[2] + v).wrapping_sub(1)];
                    if i >= edge || j >= edge {
                        return 0.0;
                    }
                    let pixel = &x[0].words()[((c[0] * edge + i) * edge + j) * count..][..count];
                    let weight = &x[1].words()[((c[3] * 3 + u) * 3 + v) * count..][..count];
                    pixel.iter().zip(weight).map(|(&a, &b)| dot(a, b)).sum()
                };
                Sum::exact(Planes::taps().map(tap).sum())
            })
        },
    )
    .operand(&x, DType::U32, Domain::Below(u32::MAX))
    .operand(&w, DType::U32, Domain::Below(u32::MAX))
    .of_type("i8")
    .cost(2.0 * planes.products(), words(in_x + in_w + images * edge * edge * filters))
}

/// The four cells of the window that contains a pixel.
fn window(planes: Planes, c: &[usize]) -> [usize; 4] {
    let (i, j) = (c[2] / 2 * 2, c[3] / 2 * 2);
    [[0, 0], [0, 1], [1, 0], [1, 1]]
        .map(|[u, v]| ((c[0] * planes.channels + c[1]) * planes.edge + i + u) * planes.edge + j + v)
}

/// Index of the window that contains a pixel.
fn place(planes: Planes, c: &[usize]) -> usize {
    let edge = planes.edge / 2;
    ((c[0] * planes.channels + c[1]) * edge + c[2] / 2) * edge + c[3] / 2
}

fn pool(
    name: &'static str,
    planes: Planes,
    function: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    formula: fn(Planes, &[Array], usize, &[usize]) -> Sum,
) -> Workload {
    let Planes { images, channels, edge, .. } = planes;
    let len: usize = planes.x().iter().product();
    Workload::new(
        "pooling",
        name,
        format!("N{images} C{channels} {edge}x{edge} 2x2 s2"),
        move |x| with_gradients(function(x[0]), x[1], &[x[0]]),
        move |x| Box::new(move |number, c| formula(planes, x, number, c)),
    )
    .floats(&planes.x())
    .floats(&[images, channels, edge / 2, edge / 2])
    // The result and its cotangent each have a quarter of the elements.
    .cost(1.75 * len as f64, words(2 * len) + words(len / 2))
}

fn max_pool(name: &'static str, planes: Planes) -> Workload {
    pool(
        name,
        planes,
        |x| x.max_pool(&[Window::new(2); 2]),
        |planes, x, number, c| {
            let largest = |cells: [usize; 4]| {
                cells.into_iter().reduce(|a, b| if at(&x[0], b) > at(&x[0], a) { b } else { a })
            };
            if number == 0 {
                let cells = window(planes, &[c[0], c[1], 2 * c[2], 2 * c[3]]);
                return Sum::exact(largest(cells).map_or(f64::NAN, |cell| at(&x[0], cell)));
            }
            let cell = ((c[0] * planes.channels + c[1]) * planes.edge + c[2]) * planes.edge + c[3];
            let is_largest = largest(window(planes, c)) == Some(cell);
            Sum::exact(if is_largest { at(&x[1], place(planes, c)) } else { 0.0 })
        },
    )
}

fn avg_pool(name: &'static str, planes: Planes) -> Workload {
    pool(
        name,
        planes,
        |x| x.avg_pool(&[Window::new(2); 2], false),
        |planes, x, number, c| {
            if number == 0 {
                let cells = window(planes, &[c[0], c[1], 2 * c[2], 2 * c[3]]);
                return Sum::of(cells.map(|cell| at(&x[0], cell) / 4.0));
            }
            Sum::exact(at(&x[1], place(planes, c)) / 4.0)
        },
    )
}
