//! Convolutional layers with one, two or three spatial axes.

use super::{Module, Scope, weight::Weight};
use crate::{
    functions::{PadMode, precision::in_f32},
    graph::Tensor,
    init::Init,
    numbers::Must,
    ops::{Ends, Geometry, Sizes},
};
use std::panic::Location;

/// A convolution: `y = w * x + b`, without flipping the window.
///
/// # Shapes
///
/// `x` is `[n, inputs, ..spatial]`, `weight` `[channels, inputs / groups, ..window]`, `bias`
/// `[channels]`, `y` `[n, channels, ..positions]`; see [`Tensor::convolution`]. The number of
/// inputs is taken from the `x` it is traced on.
///
/// ```
/// use wgrad::{DType, Graph, nn::{Conv2d, Mode, Module, Scope}};
///
/// let halved = Conv2d::new(16, 3).stride(2).same();
/// let graph = Graph::new();
/// let x = graph.input("x", [8, 3, 32, 32], DType::F32);
/// let y = halved.forward(&mut Scope::new(&graph, Mode::Train), x);
/// assert_eq!(y.shape().dims(), [8, 16, 16, 16]);
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv<const AXES: usize> {
    layer: Layer<AXES>,
    pad_mode: PadMode,
}

/// A convolution of sequences, `[n, channels, length]`.
#[doc(alias = "Conv1D")]
pub type Conv1d = Conv<1>;
/// A convolution of images, `[n, channels, height, width]`.
#[doc(alias = "Conv2D")]
pub type Conv2d = Conv<2>;
/// A convolution of volumes, `[n, channels, depth, height, width]`.
#[doc(alias = "Conv3D")]
pub type Conv3d = Conv<3>;

/// A transposed convolution, which spreads each element over a window: the adjoint of a
/// convolution, plus a bias.
///
/// # Shapes
///
/// `x` is `[n, inputs, ..spatial]`, `weight` `[inputs, channels / groups, ..window]`, `bias`
/// `[channels]`, `y` `[n, channels, ..extents]`; see [`Tensor::transposed_convolution`]. Padding is
/// what the convolution would add, so here it is cropped; with [`same`](ConvTranspose::same)
/// padding the extents are those of `x` times the stride.
///
/// ```
/// use wgrad::{DType, Graph, nn::{ConvTranspose2d, Mode, Module, Scope}};
///
/// let doubled = ConvTranspose2d::new(16, 4).stride(2).padding(1);
/// let graph = Graph::new();
/// let x = graph.input("x", [8, 32, 7, 7], DType::F32);
/// let y = doubled.forward(&mut Scope::new(&graph, Mode::Train), x);
/// assert_eq!(y.shape().dims(), [8, 16, 14, 14]);
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvTranspose<const AXES: usize> {
    layer: Layer<AXES>,
    output_padding: Option<[usize; AXES]>,
}

/// A transposed convolution of sequences, `[n, channels, length]`.
#[doc(alias = "Conv1DTranspose")]
pub type ConvTranspose1d = ConvTranspose<1>;
/// A transposed convolution of images, `[n, channels, height, width]`.
#[doc(alias = "Conv2DTranspose")]
pub type ConvTranspose2d = ConvTranspose<2>;
/// A transposed convolution of volumes, `[n, channels, depth, height, width]`.
#[doc(alias = "Conv3DTranspose")]
pub type ConvTranspose3d = ConvTranspose<3>;

/// Fields common to both kinds.
#[derive(Clone, Debug)]
struct Layer<const AXES: usize> {
    channels: usize,
    window: [usize; AXES],
    stride: [usize; AXES],
    geometry: Geometry,
    same: bool,
    groups: usize,
    init: Init,
    bias: bool,
    weight: Weight,
    line: &'static Location<'static>,
}

impl<const AXES: usize> Layer<AXES> {
    #[track_caller]
    fn new(channels: usize, window: [usize; AXES]) -> Self {
        Layer {
            channels,
            window,
            stride: [1; AXES],
            geometry: Geometry::new(AXES),
            same: false,
            groups: 1,
            init: Init::HeNormal,
            bias: true,
            weight: Weight::Plain,
            line: Location::caller(),
        }
    }

    /// The weight, whose second axis has `second` channels over all groups; the output channels are
    /// along axis `outputs`.
    fn weight<'g>(
        &self,
        cx: &mut Scope<'g>,
        [first, second]: [usize; 2],
        outputs: usize,
    ) -> Tensor<'g> {
        let numbers = [("channels", self.channels as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("convolution", &[], &numbers) {
            return refused;
        }
        // Zero groups are rejected by the convolution.
        let leading = [first, second / self.groups.max(1)];
        self.weight.of(cx, &[&leading[..], &self.window].concat(), outputs, self.init)
    }

    fn biased<'g>(&self, cx: &mut Scope<'g>, y: Tensor<'g>) -> Tensor<'g> {
        if !self.bias {
            return y;
        }
        let bias = cx.param("bias", [self.channels], Init::Zeros);
        y.plus_bias(bias)
    }
}

/// Builder methods common to both kinds.
macro_rules! builders {
    ($Layer:ident) => {
        impl<const AXES: usize> $Layer<AXES> {
            /// Sets the stride: along all axes, or along each.
            #[doc(alias = "strides")]
            pub fn stride(mut self, stride: impl Into<Sizes<AXES>>) -> Self {
                let Sizes(stride) = stride.into();
                self.layer.stride = stride;
                self.layer.geometry = self.layer.geometry.stride(stride);
                self
            }

            /// Sets the dilation: along all axes, or along each.
            #[doc(alias = "dilation_rate")]
            pub fn dilation(mut self, dilation: impl Into<Sizes<AXES>>) -> Self {
                self.layer.geometry = self.layer.geometry.dilation(dilation.into().0);
                self
            }

            /// Sets the padding: at all ends, at both ends of each axis, or before and after each.
            pub fn padding(mut self, padding: impl Into<Ends<AXES>>) -> Self {
                self.layer.geometry = self.layer.geometry.padding(padding.into().0);
                self.layer.same = false;
                self
            }

            /// Pads so that a convolution has `ceil(extent / stride)` positions along each axis.
            pub fn same(mut self) -> Self {
                self.layer.geometry = self.layer.geometry.same();
                self.layer.same = true;
                self
            }

            /// Splits the channels into groups: each group of output channels sees only the
            /// corresponding group of input channels.
            pub fn groups(mut self, groups: usize) -> Self {
                self.layer.geometry = self.layer.geometry.groups(groups);
                self.layer.groups = groups;
                self
            }

            /// Sets the initialization of the weight.
            pub fn init(mut self, init: Init) -> Self {
                self.layer.init = init;
                self
            }

            /// Omits the bias.
            pub fn without_bias(mut self) -> Self {
                self.layer.bias = false;
                self
            }

            /// Reparametrizes the weight into direction and length, per index of its first axis:
            /// see [`Dense::weight_norm`](super::Dense::weight_norm).
            pub fn weight_norm(mut self) -> Self {
                self.layer.weight = Weight::Normal;
                self
            }

            /// Divides the weight by its largest singular value, as a matrix with one row per
            /// output channel: see [`Dense::spectral_norm`](super::Dense::spectral_norm).
            pub fn spectral_norm(mut self) -> Self {
                self.layer.weight = Weight::Spectral;
                self
            }
        }
    };
}

builders!(Conv);
builders!(ConvTranspose);

impl<const AXES: usize> Conv<AXES> {
    /// Creates a layer with this many output channels; the weight is initialized with
    /// [`Init::HeNormal`], the bias with 0.
    #[track_caller]
    pub fn new(channels: usize, window: impl Into<Sizes<AXES>>) -> Self {
        let pad_mode = PadMode::Constant(0.0);
        Conv { layer: Layer::new(channels, window.into().0), pad_mode }
    }

    /// Sets what [`padding`](Self::padding) or [`same`](Self::same) pads with; zeros by default.
    #[doc(alias = "padding_mode")]
    pub fn pad_mode(self, mode: impl Into<PadMode>) -> Self {
        Conv { pad_mode: mode.into(), ..self }
    }

    /// What is convolved, and how: zeros are part of the convolution, anything else is padded before.
    #[track_caller]
    fn padded<'g>(&self, x: Tensor<'g>) -> (Tensor<'g>, Geometry) {
        let geometry = self.layer.geometry.clone();
        if self.pad_mode == PadMode::Constant(0.0) || x.rank() != AXES + 2 {
            return (x, geometry);
        }
        let pads = geometry.pads(&x.shape().dims()[2..], &self.layer.window);
        (x.pad([&[(0, 0); 2][..], &pads].concat(), self.pad_mode), geometry.padding(0))
    }
}

impl<const AXES: usize> ConvTranspose<AXES> {
    /// Creates a layer with this many output channels; the weight is initialized with
    /// [`Init::HeNormal`], the bias with 0.
    #[track_caller]
    pub fn new(channels: usize, window: impl Into<Sizes<AXES>>) -> Self {
        ConvTranspose { layer: Layer::new(channels, window.into().0), output_padding: None }
    }

    /// Sets by how much the result exceeds the smallest extent that convolves to the input, along
    /// each axis: less than the stride, or than the dilation.
    pub fn output_padding(self, output_padding: impl Into<Sizes<AXES>>) -> Self {
        ConvTranspose { output_padding: Some(output_padding.into().0), ..self }
    }
}

impl<const AXES: usize> Module for Conv<AXES> {
    fn name(&self) -> &str {
        ["conv1d", "conv2d", "conv3d"].get(AXES.wrapping_sub(1)).unwrap_or(&"conv")
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.layer.line);
        let x = cx.cast(x);
        let weight = self.layer.weight(cx, [self.layer.channels, x.dim(1)], 0).rounded_for(x);
        in_f32("convolution", [x], |[x]| {
            let (x, geometry) = self.padded(x);
            self.layer.biased(cx, x.convolution(weight, geometry))
        })
    }
}

impl<const AXES: usize> Module for ConvTranspose<AXES> {
    fn name(&self) -> &str {
        let names = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"];
        names.get(AXES.wrapping_sub(1)).unwrap_or(&"conv_transpose")
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let layer = &self.layer;
        let _line = cx.at(layer.line);
        let x = cx.cast(x);
        let weight = layer.weight(cx, [x.dim(1), layer.channels], 1).rounded_for(x);
        let whole =
            if layer.same { layer.stride.map(|stride| stride.max(1) - 1) } else { [0; AXES] };
        let padding = self.output_padding.unwrap_or(whole);
        in_f32("transposed_convolution", [x], |[x]| {
            layer.biased(cx, x.transposed_convolution(weight, layer.geometry.clone(), padding))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device, Error, Graph, Variables, nn::Mode};

    fn shape(module: &dyn Module, x: &[usize]) -> Result<(Vec<usize>, Vec<String>), Error> {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let y = module.forward(&mut cx, graph.input("x", x, DType::F32));
        graph.check()?;
        let params = cx.params().into_iter().map(|(path, w)| format!("{path} {}", w.shape()));
        Ok((y.shape().dims().to_vec(), params.collect()))
    }

    #[test]
    fn shapes_are_those_of_the_field() -> Result<(), Error> {
        let strided = Conv2d::new(16, [3, 3]).stride([2, 2]).padding([(1, 1), (1, 1)]).groups(4);
        let (y, params) = shape(&strided, &[2, 8, 9, 9])?;
        assert_eq!(y, [2, 16, 5, 5]);
        assert_eq!(params, ["weight [16, 2, 3, 3]", "bias [16]"]);
        let (y, params) = shape(&Conv1d::new(4, [3]).dilation([2]).without_bias(), &[2, 3, 9])?;
        assert_eq!((y, params), (vec![2, 4, 5], vec!["weight [4, 3, 3]".to_owned()]));
        let (y, _) = shape(&Conv3d::new(4, [3, 1, 3]).same(), &[1, 2, 5, 6, 7])?;
        assert_eq!(y, [1, 4, 5, 6, 7]);
        let doubled = ConvTranspose2d::new(6, [3, 3]).stride([2, 3]).same().groups(2);
        let (y, params) = shape(&doubled, &[2, 4, 5, 5])?;
        assert_eq!(y, [2, 6, 10, 15]);
        assert_eq!(params, ["weight [4, 3, 3, 3]", "bias [6]"]);
        let longer = ConvTranspose1d::new(3, [4]).stride([2]).output_padding([1]);
        assert_eq!(shape(&longer, &[2, 4, 5])?.0, [2, 3, 13]);
        Ok(())
    }

    /// One number stands for all axes, and one of an axis for both of its ends.
    #[test]
    fn sizes_are_written_as_they_are_said() -> Result<(), Error> {
        let long = Conv2d::new(4, [3, 3]).stride([2, 2]).dilation([2, 2]).padding([(1, 1), (1, 1)]);
        let short = Conv2d::new(4, 3).stride(2).dilation(2).padding(1);
        assert_eq!(shape(&long, &[1, 2, 9, 9])?, shape(&short, &[1, 2, 9, 9])?);
        let (y, _) = shape(&Conv2d::new(4, 3).padding([1, 0]), &[1, 2, 5, 5])?;
        assert_eq!(y, [1, 4, 5, 3]);
        let (y, _) = shape(&ConvTranspose2d::new(4, 3).stride(2).output_padding(1), &[1, 2, 5, 5])?;
        assert_eq!(y, [1, 4, 12, 12]);
        Ok(())
    }

    /// A layer convolves what is padded with its own weight, whatever it is padded with and however the
    /// extent is written.
    #[test]
    fn padding_is_part_of_the_operand() -> Result<(), Error> {
        let pads = [(0, 0), (0, 0), (1, 1), (1, 2)];
        let modes =
            [PadMode::Reflect, PadMode::Replicate, PadMode::Circular, PadMode::Constant(-2.0)];
        for mode in modes {
            for layer in [
                Conv2d::new(3, [3, 4]).padding([(1, 1), (1, 2)]).pad_mode(mode),
                Conv2d::new(3, [3, 4]).same().pad_mode(mode),
            ] {
                let plain = Conv2d::new(3, [3, 4]);
                let graph = Graph::new();
                let mut cx = Scope::new(&graph, Mode::Eval);
                let x = graph.iota([40], 0, DType::F32).sin().reshape([1, 2, 4, 5]);
                let y = layer.forward(&mut cx.child("conv"), x);
                let expected = plain.forward(&mut cx.child("conv"), x.pad(pads, mode));
                let program = graph.compile(&Device::Reference, &[y, expected])?;
                let outputs = program.run(&Variables::new(0), &[])?;
                assert_eq!(y.shape().dims(), [1, 3, 4, 5]);
                let [y, expected] = [0, 1].map(|k| outputs.read_blocking(k).map(|y| y.to_f64()));
                assert_eq!(y?, expected?, "{mode:?}");
            }
        }
        Ok(())
    }

    /// The bias is added at every position of its channel.
    #[test]
    fn a_bias_belongs_to_a_channel() -> Result<(), Error> {
        let graph = Graph::new();
        let x = graph.full([1, 2, 2, 2], DType::F32, 1.0);
        let layer = Conv2d::new(2, [1, 1]).init(Init::Constant(0.5));
        let y = layer.forward(&mut Scope::new(&graph, Mode::Eval), x);
        let program = graph.compile(&Device::Reference, &[y])?;
        let store = Variables::new(0);
        program.prepare(&store)?;
        store.set("bias", crate::Array::new([2], &[10.0f32, 20.0])?)?;
        let y = program.run(&store, &[])?.read_blocking(0)?.to_f64();
        assert_eq!(y, [11.0, 11.0, 11.0, 11.0, 21.0, 21.0, 21.0, 21.0]);
        Ok(())
    }

    #[test]
    fn a_mistake_shows_the_line_of_the_layer() {
        let line = line!() + 1;
        let layer = Conv2d::new(16, [3, 3]).groups(3);
        let error = shape(&layer, &[2, 8, 9, 9]).expect_err("8 is no multiple of 3").to_string();
        let expected = format!("made at {}:{line} (8 channels are not divisible by 3)", file!());
        assert!(error.contains(&expected), "{error}");
    }
}
