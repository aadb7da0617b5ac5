//! Pooling modules, over `[n, channels, ..spatial]`.

use super::{Module, Scope};
use crate::{
    error::OpError,
    functions::precision::in_f32,
    graph::Tensor,
    numbers::Must,
    ops::{Ends, Sizes, Window, convolution::same},
};
use std::panic::Location;

/// The maximum of each window: see [`Tensor::max_pool`].
#[derive(Clone, Debug)]
pub struct MaxPool<const AXES: usize> {
    windows: Windows<AXES>,
    line: &'static Location<'static>,
}

/// [`MaxPool`] over `[n, channels, width]`.
#[doc(alias = "MaxPooling1D")]
pub type MaxPool1d = MaxPool<1>;
/// [`MaxPool`] over `[n, channels, height, width]`.
#[doc(alias = "MaxPooling2D")]
pub type MaxPool2d = MaxPool<2>;
/// [`MaxPool`] over `[n, channels, depth, height, width]`.
#[doc(alias = "MaxPooling3D")]
pub type MaxPool3d = MaxPool<3>;

/// The mean of each window: see [`Tensor::avg_pool`].
#[derive(Clone, Debug)]
pub struct AvgPool<const AXES: usize> {
    windows: Windows<AXES>,
    divisor: Divisor,
    line: &'static Location<'static>,
}

/// [`AvgPool`] over `[n, channels, width]`.
#[doc(alias = "AveragePooling1D")]
pub type AvgPool1d = AvgPool<1>;
/// [`AvgPool`] over `[n, channels, height, width]`.
#[doc(alias = "AveragePooling2D")]
pub type AvgPool2d = AvgPool<2>;
/// [`AvgPool`] over `[n, channels, depth, height, width]`.
#[doc(alias = "AveragePooling3D")]
pub type AvgPool3d = AvgPool<3>;

/// Where the windows of a pooling are.
#[derive(Clone, Debug)]
struct Windows<const AXES: usize> {
    extent: [usize; AXES],
    /// The extent by default.
    stride: Option<[usize; AXES]>,
    dilation: [usize; AXES],
    /// `None` for as much as makes `ceil(extent / stride)` windows.
    padding: Option<[(usize, usize); AXES]>,
    ceil_mode: bool,
}

impl<const AXES: usize> Windows<AXES> {
    fn new(extent: [usize; AXES]) -> Self {
        let padding = Some([(0, 0); AXES]);
        Windows { extent, stride: None, dilation: [1; AXES], padding, ceil_mode: false }
    }

    /// The windows over spatial axes, whose extents matter where the padding follows from them.
    fn over(&self, spatial: &[usize]) -> [Window; AXES] {
        let stride = self.stride.unwrap_or(self.extent);
        std::array::from_fn(|k| {
            let (extent, dilation) = (self.extent[k], self.dilation[k]);
            let cells = spatial.get(k).copied().unwrap_or(1);
            let (low, high) = match self.padding {
                Some(padding) => padding[k],
                None => same(cells, extent, stride[k], dilation),
            };
            Window { extent, stride: stride[k], dilation, low, high, ceil_mode: self.ceil_mode }
        })
    }

    /// The windows over what is behind the channels of `x`.
    fn of(&self, x: Tensor<'_>) -> [Window; AXES] {
        self.over(x.shape().dims().get(2..).unwrap_or_default())
    }
}

/// Builder methods common to all window poolings.
macro_rules! windows {
    ($Layer:ident { $($field:ident: $value:expr),* }) => {
        impl<const AXES: usize> $Layer<AXES> {
            /// Non-overlapping windows of this extent: along all axes, or along each.
            #[track_caller]
            pub fn new(extent: impl Into<Sizes<AXES>>) -> Self {
                let windows = Windows::new(extent.into().0);
                $Layer { windows, $($field: $value,)* line: Location::caller() }
            }

            /// Sets the stride of the windows: along all axes, or along each.
            pub fn stride(mut self, stride: impl Into<Sizes<AXES>>) -> Self {
                self.windows.stride = Some(stride.into().0);
                self
            }

            /// Sets the dilation of the windows: along all axes, or along each.
            pub fn dilation(mut self, dilation: impl Into<Sizes<AXES>>) -> Self {
                self.windows.dilation = dilation.into().0;
                self
            }

            /// Sets the padding: at all ends, at both ends of each axis, or before and after each.
            pub fn padding(mut self, padding: impl Into<Ends<AXES>>) -> Self {
                self.windows.padding = Some(padding.into().0);
                self
            }

            /// Pads so that there are `ceil(extent / stride)` windows along each axis, as Keras does; an
            /// odd cell of padding goes after the axis. In means it counts as zeros, except where that
            /// is [switched off](AvgPool::without_padding), as it is in Keras.
            pub fn same(mut self) -> Self {
                self.windows.padding = None;
                self
            }

            /// Lets the last windows extend past the padding: see [`Window`].
            pub fn ceil_mode(mut self) -> Self {
                self.windows.ceil_mode = true;
                self
            }
        }
    };
}
windows! { MaxPool {} }
windows! { AvgPool { divisor: Divisor::Padded } }

/// What a sum of cells is divided by.
#[derive(Clone, Copy, Debug)]
enum Divisor {
    /// The number of cells that are not padding.
    Cells,
    /// The number of cells, of padding too.
    Padded,
    /// A number.
    Fixed(usize),
}

impl<const AXES: usize> MaxPool<AXES> {
    /// The maxima and their indices: see [`Tensor::max_pool_with_indices`].
    pub fn with_indices<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> (Tensor<'g>, Tensor<'g>) {
        let _line = cx.at(self.line);
        x.max_pool_with_indices(&self.windows.of(x))
    }
}

impl<const AXES: usize> AvgPool<AXES> {
    /// Excludes padding from the divisor; by default padding counts as zeros.
    #[doc(alias = "count_include_pad")]
    pub fn without_padding(self) -> Self {
        AvgPool { divisor: Divisor::Cells, ..self }
    }

    /// Divides the sum of each window by this number.
    #[doc(alias = "divisor_override")]
    pub fn divisor(self, divisor: usize) -> Self {
        AvgPool { divisor: Divisor::Fixed(divisor), ..self }
    }
}

impl<const AXES: usize> Module for MaxPool<AXES> {
    fn name(&self) -> &str {
        "max_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.max_pool(&self.windows.of(x))
    }
}

impl<const AXES: usize> Module for AvgPool<AXES> {
    fn name(&self) -> &str {
        "avg_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let windows = self.windows.of(x);
        match self.divisor {
            Divisor::Cells => x.avg_pool(&windows, false),
            Divisor::Padded => x.avg_pool(&windows, true),
            Divisor::Fixed(divisor) => {
                let numbers = [("divisor", divisor as f64, Must::BePositive)];
                let refused = cx.graph().refuse_invalid("avg_pool", &[x], &numbers);
                let mean = || in_f32("avg_pool", [x], |[x]| x.sum_pool(&windows) / divisor as f64);
                refused.unwrap_or_else(mean)
            }
        }
    }
}

/// The `p`-th root of the sum of `p`-th powers in each window: see [`Tensor::lp_pool`].
#[derive(Clone, Debug)]
pub struct LpPool<const AXES: usize> {
    windows: Windows<AXES>,
    p: f64,
    line: &'static Location<'static>,
}

/// [`LpPool`] over `[n, channels, width]`.
pub type LpPool1d = LpPool<1>;
/// [`LpPool`] over `[n, channels, height, width]`.
pub type LpPool2d = LpPool<2>;
/// [`LpPool`] over `[n, channels, depth, height, width]`.
pub type LpPool3d = LpPool<3>;
windows! { LpPool { p: 2.0 } }

impl<const AXES: usize> LpPool<AXES> {
    /// Sets the order; 2 by default.
    pub fn order(self, p: f64) -> Self {
        LpPool { p, ..self }
    }
}

impl<const AXES: usize> Module for LpPool<AXES> {
    fn name(&self) -> &str {
        "lp_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.lp_pool(&self.windows.of(x), self.p)
    }
}

/// Inverse of a [`MaxPool`] with the same windows: puts the maxima back at their original
/// positions, with zeros elsewhere: see [`Tensor::max_unpool`].
#[derive(Clone, Debug)]
pub struct MaxUnpool<const AXES: usize> {
    windows: Windows<AXES>,
    line: &'static Location<'static>,
}

/// [`MaxUnpool`] over `[n, channels, width]`.
pub type MaxUnpool1d = MaxUnpool<1>;
/// [`MaxUnpool`] over `[n, channels, height, width]`.
pub type MaxUnpool2d = MaxUnpool<2>;
/// [`MaxUnpool`] over `[n, channels, depth, height, width]`.
pub type MaxUnpool3d = MaxUnpool<3>;
windows! { MaxUnpool {} }

impl<const AXES: usize> MaxUnpool<AXES> {
    /// Scatters elements to the indices returned by [`MaxPool::with_indices`]. The extents are the
    /// smallest that contain this many windows, as in PyTorch; the largest if the padding is
    /// [`same`](Self::same).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: those of [`Tensor::max_unpool`]; [`OpError::Argument`] if the number
    /// of spatial axes differs from that of the windows.
    pub fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, places: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        if !x.failed() && x.rank() != AXES + 2 {
            let reason = OpError::Argument("needs an axis for each window behind the channels");
            return cx.graph().refuse("max_unpool", &[x, places], reason);
        }
        let shape = x.shape();
        let counts = shape.dims().get(2..).unwrap_or_default();
        let windows = self.windows.over(counts);
        let reach = |(window, &count): (&Window, &usize)| {
            if self.windows.padding.is_none() {
                return count.saturating_mul(window.stride);
            }
            let steps = count.saturating_sub(1).saturating_mul(window.stride);
            let span = window.extent.saturating_sub(1).saturating_mul(window.dilation);
            let padded = steps.saturating_add(span).saturating_add(1);
            padded.saturating_sub(window.low.saturating_add(window.high))
        };
        let sizes: Vec<usize> = windows.iter().zip(counts).map(reach).collect();
        x.max_unpool(places, &sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device, Error, Graph, Variables, nn::Mode};

    /// The shape and the elements of a pooling of 1, 2, ...
    fn pooled(layer: &dyn Module, dims: [usize; 4]) -> Result<(Vec<usize>, Vec<f64>), Error> {
        let graph = Graph::new();
        let count = dims.iter().product::<usize>();
        let x = graph.iota([count], 0, DType::F32).reshape(dims) + 1.0;
        let y = layer.forward(&mut Scope::new(&graph, Mode::Eval), x);
        let program = graph.compile(&Device::Reference, &[y])?;
        let y_of = program.run(&Variables::new(0), &[])?.read_blocking(0)?.to_f64();
        Ok((y.shape().dims().to_vec(), y_of))
    }

    #[test]
    fn windows_are_written_as_they_are_said() -> Result<(), Error> {
        let (shape, y) = pooled(&MaxPool2d::new([1, 2]).stride([2, 1]), [1, 1, 3, 3])?;
        assert_eq!((shape, y), (vec![1, 1, 2, 2], vec![2.0, 3.0, 8.0, 9.0]));
        // The stride is the extent, in whichever order they are given.
        let (shape, y) = pooled(&AvgPool2d::new(2).padding([(0, 0), (1, 0)]), [1, 1, 2, 3])?;
        assert_eq!((shape, y), (vec![1, 1, 1, 2], vec![1.25, 4.0]));
        let (shape, y) = pooled(&MaxPool2d::new(2).stride(1).dilation([1, 2]), [1, 1, 2, 3])?;
        assert_eq!((shape, y), (vec![1, 1, 1, 1], vec![6.0]));
        Ok(())
    }

    /// As many windows as strides: padding follows from the extents, and the odd cell is behind.
    #[test]
    fn same_padding_follows_from_the_extents() -> Result<(), Error> {
        let (shape, y) = pooled(&MaxPool2d::new(2).same(), [1, 1, 3, 3])?;
        assert_eq!((shape, y), (vec![1, 1, 2, 2], vec![5.0, 6.0, 8.0, 9.0]));
        let layer = AvgPool2d::new(3).stride(1).same().without_padding();
        let (shape, y) = pooled(&layer, [1, 1, 2, 2])?;
        assert_eq!((shape, y), (vec![1, 1, 2, 2], vec![2.5; 4]));
        let graph = Graph::new();
        let x = graph.input("x", [1, 1, 5, 6], DType::F32);
        let mut cx = Scope::new(&graph, Mode::Eval);
        let (y, places) = MaxPool2d::new(2).same().with_indices(&mut cx, x);
        let back = MaxUnpool2d::new(2).same().forward(&mut cx, y, places);
        assert_eq!(back.shape().dims(), [1, 1, 6, 6]);
        Ok(())
    }

    #[test]
    fn a_divisor_replaces_the_number_of_cells() -> Result<(), Error> {
        let (_, y) = pooled(&AvgPool2d::new(2).divisor(8), [1, 1, 2, 4])?;
        assert_eq!(y, [14.0, 22.0].map(|sum| sum / 8.0));
        Ok(())
    }
}
