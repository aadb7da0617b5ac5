//! Layers that multiply bytes: for networks that were trained in floats.

use super::{Module, Scope};
use crate::{DType, graph::Tensor, init::Init, ops::Window};
use std::panic::Location;

/// A [`Dense`](super::Dense) layer whose weight is bytes: each row by a scale of its own, each input
/// by one scale for the whole tensor, found anew in each run.
///
/// It has the name of the layer it stands for, so that in the same place of a network it finds the
/// same parameters. [`store`](Self::store) makes bytes of them, once.
///
/// ```
/// use wgrad::{Array, DType, Device, Graph, Variables, nn::{Dense, Mode, Module, QuantisedDense, Scope}};
///
/// let (dense, bytes) = (Dense::new(3), QuantisedDense::new(3));
/// let variables = Variables::new(0);
/// let x = Array::new([1, 4], &[0.5f32, -1.0, 0.25, 2.0])?;
/// let run = |layer: &dyn Module| {
///     let graph = Graph::new();
///     let input = graph.input("x", [1, 4], DType::F32);
///     let y = layer.forward(&mut Scope::new(&graph, Mode::Eval), input);
///     graph.compile(&Device::cpu(), &[y])?.run(&variables, &[("x", &x)])?.read_blocking(0)
/// };
/// let exact = run(&dense)?.to_f64();
///
/// let graph = Graph::new();
/// bytes.store(&mut Scope::new(&graph, Mode::Eval), 4);
/// graph.compile(&Device::cpu(), &[])?.run(&variables, &[])?;
/// for (near, exact) in run(&bytes)?.to_f64().iter().zip(exact) {
///     assert!((near - exact).abs() < 0.05);
/// }
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Shapes
///
/// As of [`Dense`](super::Dense); `weight_bytes` is `[units, ceil(inputs / 4)]` in u32, `weight_scale`
/// `[units]`.
#[derive(Clone, Debug)]
pub struct QuantisedDense {
    units: usize,
    line: &'static Location<'static>,
}

/// A [`Conv2d`](super::Conv2d) without groups whose weight is bytes: see [`QuantisedDense`].
///
/// # Shapes
///
/// As of [`Conv2d`](super::Conv2d); `weight_bytes` is `[channels, ceil(inputs rows columns / 4)]`.
#[derive(Clone, Debug)]
pub struct QuantisedConv2d {
    channels: usize,
    windows: [Window; 2],
    line: &'static Location<'static>,
}

/// Bytes and scales of a weight of so many rows.
fn weight<'g>(cx: &mut Scope<'g>, rows: usize, columns: usize) -> [Tensor<'g>; 2] {
    let bytes = cx.variable("weight_bytes", [rows, columns.div_ceil(4)], DType::U32, Init::Zeros);
    [bytes, cx.variable("weight_scale", [rows], DType::F32, Init::Ones)]
}

/// Makes bytes of `weight`, whose rows have such extents.
fn store(cx: &mut Scope<'_>, dims: &[usize]) {
    let (rows, columns) = (dims[0], dims[1..].iter().product());
    let trained = cx.variable("weight", dims, DType::F32, Init::Zeros).reshape([rows, columns]);
    let [bytes, scales] = weight(cx, rows, columns);
    let scale = trained.quantisation_scale(1);
    cx.graph().assign(bytes, trained.quantise(scale).pack_i8());
    cx.graph().assign(scales, scale.squeeze(1));
}

/// Products of the bytes of `x`, `[.., columns]`, with those of the weight, by both scales and with the
/// bias: `[.., rows]`.
fn product<'g>(cx: &mut Scope<'g>, x: Tensor<'g>, scale: Tensor<'g>, rows: usize) -> Tensor<'g> {
    let [bytes, scales] = weight(cx, rows, x.dim(-1));
    let sums = x.pack_i8().matmul_i8(bytes).cast(DType::F32);
    sums * (scales * scale.reshape([1])) + cx.variable("bias", [rows], DType::F32, Init::Zeros)
}

/// Integers and the scale they are multiples of.
fn bytes(x: Tensor<'_>) -> [Tensor<'_>; 2] {
    let scale = x.quantisation_scale(..);
    [x.quantise(scale), scale]
}

impl QuantisedDense {
    /// In place of a layer with this many outputs.
    #[track_caller]
    pub fn new(units: usize) -> Self {
        QuantisedDense { units, line: Location::caller() }
    }

    /// Appends to the graph what makes bytes of the weight, `[units, inputs]`.
    pub fn store(&self, cx: &mut Scope<'_>, inputs: usize) {
        let _line = cx.at(self.line);
        store(cx, &[self.units, inputs]);
    }
}

impl Module for QuantisedDense {
    fn name(&self) -> &str {
        "dense"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let [x, scale] = bytes(x);
        product(cx, x, scale, self.units)
    }
}

impl QuantisedConv2d {
    /// In place of a layer with this many channels of the output and such windows.
    #[track_caller]
    pub fn new(channels: usize, windows: [Window; 2]) -> Self {
        QuantisedConv2d { channels, windows, line: Location::caller() }
    }

    /// Appends to the graph what makes bytes of the weight, `[channels, inputs, rows, columns]`.
    pub fn store(&self, cx: &mut Scope<'_>, inputs: usize) {
        let _line = cx.at(self.line);
        store(cx, &[self.channels, inputs, self.windows[0].extent, self.windows[1].extent]);
    }
}

impl Module for QuantisedConv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let [bytes, scale] = bytes(x);
        let columns = bytes.unfold(self.windows);
        let y = product(cx, columns.swap_axes(-1, -2), scale, self.channels).swap_axes(-1, -2);
        let mut dims = vec![x.dim(0), self.channels];
        for (axis, window) in (2..).zip(self.windows) {
            // Where no window fits, `unfold` has said so.
            dims.push(window.count(x.dim(axis)).unwrap_or_default());
        }
        y.reshape(dims)
    }
}
