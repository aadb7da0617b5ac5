//! Int8 layers for inference with networks trained in floating point.

use super::{Module, Scope};
use crate::{
    DType,
    error::OpError,
    functions::precision::in_f32,
    graph::Tensor,
    init::Init,
    numbers::Must,
    ops::{Ends, Geometry, Sizes},
};
use std::panic::Location;

/// A [`Dense`](super::Dense) layer with an int8 weight: each row has its own scale, the input one
/// scale for the whole tensor, computed anew in each run unless it is
/// [`calibrated`](Self::calibrated).
///
/// It has the same name as the layer it replaces, so that at the same position of a network it
/// finds the same parameters. [`store`](Self::store) quantizes them, once.
///
/// ```
/// use wgrad::{Array, DType, Device, Graph, Variables, nn::{Dense, Mode, Module, QuantizedDense, Scope}};
///
/// let (dense, bytes) = (Dense::new(3), QuantizedDense::new(3));
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
/// Same as [`Dense`](super::Dense); `weight_bytes` is `[units, ceil(inputs / 4)]` in u32,
/// `weight_scale` `[units]`.
#[doc(alias = "quantized.Linear")]
#[derive(Clone, Debug)]
pub struct QuantizedDense {
    units: usize,
    calibrated: bool,
    line: &'static Location<'static>,
}

/// A [`Conv2d`](super::Conv2d) with an int8 weight: see [`QuantizedDense`].
///
/// # Shapes
///
/// Same as [`Conv2d`](super::Conv2d); `weight_bytes` is
/// `[channels, rows, columns, ceil(inputs / groups / 4)]` in u32, `weight_scale` `[channels]`. The
/// bytes are laid out channels last: see [`Tensor::convolution_i8`].
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Rank`]; [`OpError::Indivisible`]; same as
/// [`Tensor::convolution_i8`].
#[derive(Clone, Debug)]
pub struct QuantizedConv2d {
    channels: usize,
    window: [usize; 2],
    geometry: Geometry,
    calibrated: bool,
    line: &'static Location<'static>,
}

/// A floating-point layer that tracks the largest magnitude of all its inputs, in `input_most`, for
/// the [`calibrated`](QuantizedDense::calibrated) int8 layer that will replace it. It is updated by
/// every run of a program that keeps effects.
#[derive(Clone, Debug)]
pub struct Calibrating<M>(pub M);

impl<M: Module> Module for Calibrating<M> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let most = input_most(cx);
        cx.graph().assign(most, most.maximum(x.abs().amax(..).widened()));
        self.0.forward(cx, x)
    }
}

fn input_most<'g>(cx: &mut Scope<'g>) -> Tensor<'g> {
    cx.variable("input_most", [], DType::F32, Init::Zeros)
}

/// The scale of an input: from the input itself, or from the calibration.
fn input_scale<'g>(cx: &mut Scope<'g>, x: Tensor<'g>, calibrated: bool) -> Tensor<'g> {
    let most = if calibrated { input_most(cx).reshape([1]) } else { x };
    most.quantization_scale(..).squeeze(..)
}

/// Bytes and scales of a weight whose packed bytes have these extents.
fn weight<'g>(cx: &mut Scope<'g>, dims: &[usize]) -> [Tensor<'g>; 2] {
    let bytes = cx.variable("weight_bytes", dims, DType::U32, Init::Zeros);
    [bytes, cx.variable("weight_scale", [dims[0]], DType::F32, Init::Ones)]
}

/// Rescales integer sums, whose last axis is the rows of the weight, to floats and adds the bias.
fn biased<'g>(
    cx: &mut Scope<'g>,
    sums: Tensor<'g>,
    scales: Tensor<'g>,
    scale: Tensor<'g>,
) -> Tensor<'g> {
    let bias = cx.variable("bias", scales.shape(), DType::F32, Init::Zeros);
    sums.dequantize(scales * scale) + bias
}

impl QuantizedDense {
    /// Replaces a layer with this many outputs.
    #[track_caller]
    pub fn new(units: usize) -> Self {
        QuantizedDense { units, calibrated: false, line: Location::caller() }
    }

    /// Takes the scale of the input from [`Calibrating`]: the examples of a batch then do not
    /// affect each other, and no run has to find the maximum. Larger values saturate.
    pub fn calibrated(self) -> Self {
        QuantizedDense { calibrated: true, ..self }
    }

    /// Appends the quantization of the weight, `[units, inputs]`, to the graph.
    pub fn store(&self, cx: &mut Scope<'_>, inputs: usize) {
        let _line = cx.at(self.line);
        let trained = cx.variable("weight", [self.units, inputs], DType::F32, Init::Zeros);
        let [bytes, scales] = weight(cx, &[self.units, inputs.div_ceil(4)]);
        let scale = trained.quantization_scale(1);
        cx.graph().assign(bytes, trained.quantize(scale).pack_i8());
        cx.graph().assign(scales, scale.squeeze(1));
    }
}

impl Module for QuantizedDense {
    fn name(&self) -> &str {
        "dense"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [("units", self.units as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("dense", &[x], &numbers) {
            return refused;
        }
        in_f32("dense", [x], |[x]| {
            let scale = input_scale(cx, x, self.calibrated);
            let [bytes, scales] = weight(cx, &[self.units, x.dim(-1).div_ceil(4)]);
            let sums = x.quantize(scale).pack_i8().matmul_i8(bytes);
            biased(cx, sums, scales, scale)
        })
    }
}

impl QuantizedConv2d {
    /// Replaces a layer with this many output channels and this window; strides and the like are set as
    /// those of the layer.
    #[track_caller]
    pub fn new(channels: usize, window: impl Into<Sizes<2>>) -> Self {
        let (Sizes(window), geometry) = (window.into(), Geometry::new(2));
        QuantizedConv2d { channels, window, geometry, calibrated: false, line: Location::caller() }
    }

    /// Sets the stride: along both axes, or along each.
    pub fn stride(self, stride: impl Into<Sizes<2>>) -> Self {
        QuantizedConv2d { geometry: self.geometry.stride(stride.into().0), ..self }
    }

    /// Sets the dilation: along both axes, or along each.
    pub fn dilation(self, dilation: impl Into<Sizes<2>>) -> Self {
        QuantizedConv2d { geometry: self.geometry.dilation(dilation.into().0), ..self }
    }

    /// Sets the padding: at all ends, at both ends of each axis, or before and after each.
    pub fn padding(self, padding: impl Into<Ends<2>>) -> Self {
        QuantizedConv2d { geometry: self.geometry.padding(padding.into().0), ..self }
    }

    /// Pads as [`Conv2d::same`](super::Conv2d::same) does.
    pub fn same(self) -> Self {
        QuantizedConv2d { geometry: self.geometry.same(), ..self }
    }

    /// Splits the channels into groups: see [`Conv2d::groups`](super::Conv2d::groups).
    pub fn groups(self, groups: usize) -> Self {
        QuantizedConv2d { geometry: self.geometry.groups(groups), ..self }
    }

    /// Takes the scale of the input from [`Calibrating`]: see [`QuantizedDense::calibrated`].
    pub fn calibrated(self) -> Self {
        QuantizedConv2d { calibrated: true, ..self }
    }

    /// Bytes and scales of the weight, with `seen` input channels per group.
    fn weight<'g>(&self, cx: &mut Scope<'g>, seen: usize) -> [Tensor<'g>; 2] {
        weight(cx, &[self.channels, self.window[0], self.window[1], seen.div_ceil(4)])
    }

    /// Appends the quantization of the weight, `[channels, inputs / groups, rows, columns]`, to the
    /// graph.
    pub fn store(&self, cx: &mut Scope<'_>, inputs: usize) {
        let _line = cx.at(self.line);
        // Zero groups are rejected where the layer is applied.
        let seen = inputs / self.geometry.group_count().max(1);
        let dims = [self.channels, seen, self.window[0], self.window[1]];
        let trained = cx.variable("weight", dims, DType::F32, Init::Zeros);
        let [bytes, scales] = self.weight(cx, seen);
        let scale = trained.quantization_scale([1, 2, 3]);
        let last = trained.quantize(scale).transpose([0, 2, 3, 1]);
        cx.graph().assign(bytes, last.pack_i8());
        cx.graph().assign(scales, scale.reshape([self.channels]));
    }
}

impl Module for QuantizedConv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let refuse = |reason| cx.graph().refuse("convolution_i8", &[x], reason);
        if x.rank() != 4 {
            return refuse(OpError::Rank { least: 4 });
        }
        let channels = [("channels", self.channels as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("convolution_i8", &[x], &channels) {
            return refused;
        }
        let (number, by) = (x.dim(1), self.geometry.group_count());
        if by == 0 || number % by != 0 {
            return refuse(OpError::Indivisible { what: "channels", number, by });
        }
        in_f32("convolution_i8", [x], |[x]| {
            let scale = input_scale(cx, x, self.calibrated);
            let [n, rows, columns] = [0, 2, 3].map(|axis| x.dim(axis));
            let last = x.quantize(scale).transpose([0, 2, 3, 1]);
            // Each group is packed into its own words.
            let seen = number / by;
            let bytes = last.reshape([n, rows, columns, by, seen]).pack_i8();
            let bytes = bytes.reshape([n, rows, columns, by * seen.div_ceil(4)]);
            let [weight, scales] = self.weight(cx, seen);
            let sums = bytes.convolution_i8(weight, self.geometry.clone());
            biased(cx, sums, scales, scale).transpose([0, 3, 1, 2])
        })
    }
}
