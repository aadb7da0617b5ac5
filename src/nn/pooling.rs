//! Pooling modules, over `[n, channels, ..spatial]`.

use super::{Module, Scope};
use crate::{error::OpError, graph::Tensor, ops::Window};
use std::panic::Location;

/// The maximum of each window: see [`Tensor::max_pool`].
#[derive(Clone, Debug)]
pub struct MaxPool<const AXES: usize> {
    windows: [Window; AXES],
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
    windows: [Window; AXES],
    count_padding: bool,
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

/// Builder methods common to all window poolings.
macro_rules! windows {
    ($Layer:ident { $($field:ident: $value:expr),* }) => {
        impl<const AXES: usize> $Layer<AXES> {
            /// Non-overlapping windows of this extent along every axis.
            #[track_caller]
            pub fn new(extent: usize) -> Self {
                Self::of([Window::new(extent); AXES])
            }

            /// Uses these windows, one per axis.
            #[track_caller]
            pub fn of(windows: [Window; AXES]) -> Self {
                $Layer { windows, $($field: $value,)* line: Location::caller() }
            }

            /// Sets the stride of the windows along every axis.
            pub fn stride(self, stride: usize) -> Self {
                $Layer { windows: self.windows.map(|window| window.stride(stride)), ..self }
            }

            /// Sets the padding at both ends of every axis.
            pub fn padding(self, cells: usize) -> Self {
                $Layer { windows: self.windows.map(|window| window.padding(cells)), ..self }
            }

            /// Lets the last windows extend past the padding: see [`Window`].
            pub fn ceil_mode(self) -> Self {
                $Layer { windows: self.windows.map(Window::ceil_mode), ..self }
            }
        }
    };
}
windows! { MaxPool {} }
windows! { AvgPool { count_padding: true } }

impl<const AXES: usize> MaxPool<AXES> {
    /// Sets the dilation of the windows along every axis.
    pub fn dilation(self, dilation: usize) -> Self {
        MaxPool { windows: self.windows.map(|window| window.dilation(dilation)), ..self }
    }

    /// The maxima and their indices: see [`Tensor::max_pool_with_indices`].
    pub fn with_indices<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> (Tensor<'g>, Tensor<'g>) {
        let _line = cx.at(self.line);
        x.max_pool_with_indices(&self.windows)
    }
}

impl<const AXES: usize> AvgPool<AXES> {
    /// Excludes padding from the divisor; by default padding counts as zeros.
    #[doc(alias = "count_include_pad")]
    pub fn without_padding(self) -> Self {
        AvgPool { count_padding: false, ..self }
    }
}

impl<const AXES: usize> Module for MaxPool<AXES> {
    fn name(&self) -> &str {
        "max_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.max_pool(&self.windows)
    }
}

impl<const AXES: usize> Module for AvgPool<AXES> {
    fn name(&self) -> &str {
        "avg_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.avg_pool(&self.windows, self.count_padding)
    }
}

/// The `p`-th root of the sum of `p`-th powers in each window: see [`Tensor::lp_pool`].
#[derive(Clone, Debug)]
pub struct LpPool<const AXES: usize> {
    windows: [Window; AXES],
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
        x.lp_pool(&self.windows, self.p)
    }
}

/// Inverse of a [`MaxPool`] with the same windows: puts the maxima back at their original
/// positions, with zeros elsewhere: see [`Tensor::max_unpool`].
#[derive(Clone, Debug)]
pub struct MaxUnpool<const AXES: usize> {
    windows: [Window; AXES],
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
    /// smallest that contain this many windows, as in PyTorch.
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
        let sizes: Vec<usize> = (self.windows.iter().zip(x.shape().dims().iter().skip(2)))
            .map(|(window, &count)| {
                let reach = count.saturating_sub(1).saturating_mul(window.stride) + window.extent;
                reach.saturating_sub(window.low + window.high)
            })
            .collect();
        x.max_unpool(places, &sizes)
    }
}

/// The maximum of each bin, for inputs of any extent: see [`Tensor::adaptive_max_pool`].
#[derive(Clone, Debug)]
pub struct AdaptiveMaxPool<const AXES: usize> {
    outputs: [usize; AXES],
    line: &'static Location<'static>,
}

/// [`AdaptiveMaxPool`] over `[n, channels, width]`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
/// [`AdaptiveMaxPool`] over `[n, channels, height, width]`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
/// [`AdaptiveMaxPool`] over `[n, channels, depth, height, width]`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

/// The mean of each bin, for inputs of any extent: see [`Tensor::adaptive_avg_pool`].
#[derive(Clone, Debug)]
pub struct AdaptiveAvgPool<const AXES: usize> {
    outputs: [usize; AXES],
    line: &'static Location<'static>,
}

/// [`AdaptiveAvgPool`] over `[n, channels, width]`.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
/// [`AdaptiveAvgPool`] over `[n, channels, height, width]`.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
/// [`AdaptiveAvgPool`] over `[n, channels, depth, height, width]`.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

impl<const AXES: usize> AdaptiveMaxPool<AXES> {
    /// Pools to this many bins along each axis.
    #[track_caller]
    pub fn new(outputs: [usize; AXES]) -> Self {
        AdaptiveMaxPool { outputs, line: Location::caller() }
    }
}

impl<const AXES: usize> AdaptiveAvgPool<AXES> {
    /// Pools to this many bins along each axis.
    #[track_caller]
    pub fn new(outputs: [usize; AXES]) -> Self {
        AdaptiveAvgPool { outputs, line: Location::caller() }
    }
}

impl<const AXES: usize> Module for AdaptiveMaxPool<AXES> {
    fn name(&self) -> &str {
        "adaptive_max_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.adaptive_max_pool(&self.outputs)
    }
}

impl<const AXES: usize> Module for AdaptiveAvgPool<AXES> {
    fn name(&self) -> &str {
        "adaptive_avg_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.adaptive_avg_pool(&self.outputs)
    }
}

/// The mean of each channel: `[n, channels, ..spatial]` becomes `[n, channels]`.
///
/// # Errors
///
/// [`OpError::DType`](crate::OpError::DType), recorded by the graph, unless of floats.
#[doc(alias("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"))]
#[derive(Clone, Debug)]
pub struct GlobalAvgPool {
    line: &'static Location<'static>,
}

/// The maximum of each channel: `[n, channels, ..spatial]` becomes `[n, channels]`.
///
/// # Gradient
///
/// Shared evenly among equal maxima, as in [`Tensor::amax`].
///
/// # Errors
///
/// [`OpError::Empty`](crate::OpError::Empty), recorded by the graph, over no elements.
#[doc(alias("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"))]
#[derive(Clone, Debug)]
pub struct GlobalMaxPool {
    line: &'static Location<'static>,
}

impl GlobalAvgPool {
    /// Creates the layer.
    #[track_caller]
    pub fn new() -> Self {
        GlobalAvgPool { line: Location::caller() }
    }
}

impl Default for GlobalAvgPool {
    #[track_caller]
    fn default() -> Self {
        GlobalAvgPool::new()
    }
}

impl GlobalMaxPool {
    /// Creates the layer.
    #[track_caller]
    pub fn new() -> Self {
        GlobalMaxPool { line: Location::caller() }
    }
}

impl Default for GlobalMaxPool {
    #[track_caller]
    fn default() -> Self {
        GlobalMaxPool::new()
    }
}

/// The axes after the channels.
fn spatial(x: Tensor<'_>) -> Vec<i32> {
    (2..x.rank() as i32).collect()
}

impl Module for GlobalAvgPool {
    fn name(&self) -> &str {
        "global_avg_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.mean(spatial(x).as_slice())
    }
}

impl Module for GlobalMaxPool {
    fn name(&self) -> &str {
        "global_max_pool"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.amax(spatial(x).as_slice())
    }
}
