//! Pooling to a number of bins, over `[n, channels, ..spatial]`.

use super::{Module, Scope};
use crate::{graph::Tensor, ops::Sizes};
use std::panic::Location;

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
    /// Pools to this many bins: along all axes, or along each.
    #[track_caller]
    pub fn new(outputs: impl Into<Sizes<AXES>>) -> Self {
        AdaptiveMaxPool { outputs: outputs.into().0, line: Location::caller() }
    }
}

impl<const AXES: usize> AdaptiveAvgPool<AXES> {
    /// Pools to this many bins: along all axes, or along each.
    #[track_caller]
    pub fn new(outputs: impl Into<Sizes<AXES>>) -> Self {
        AdaptiveAvgPool { outputs: outputs.into().0, line: Location::caller() }
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
