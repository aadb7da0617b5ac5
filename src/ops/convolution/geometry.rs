//! How a window moves over an input, and the resulting extents.

use crate::{
    error::OpError,
    ops::PerAxis,
    shape::{Meta, Shape},
};

/// How the window of a convolution moves over the spatial axes of its input.
///
/// Tap `k` of the window at position `t` of an axis reads element `t stride + k dilation - low`
/// of the input, or 0 if there is none.
///
/// ```
/// use wgrad::ops::Geometry;
/// let halved = Geometry::new(2).stride(2).padding(1);
/// let longer = Geometry::new(2).stride([2, 1]).padding([(0, 1), (1, 1)]);
/// let depthwise = Geometry::new(2).same().groups(16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    stride: Vec<usize>,
    dilation: Vec<usize>,
    padding: Padding,
    groups: usize,
}

/// Zero padding of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// This many zeros before and after each axis.
    By(Vec<(usize, usize)>),
    /// As many as make `ceil(extent / stride)` positions; an odd one goes after the input.
    Same,
}

impl Geometry {
    /// The default geometry for `axes` spatial axes: stride and dilation 1, no padding, one
    /// group.
    pub fn new(axes: usize) -> Self {
        let padding = Padding::By(vec![(0, 0); axes]);
        Geometry { stride: vec![1; axes], dilation: vec![1; axes], padding, groups: 1 }
    }

    /// Sets the stride: along all axes, or along each.
    pub fn stride(self, stride: impl Into<PerAxis<usize>>) -> Self {
        let stride = stride.into().along(self.axes());
        Geometry { stride, ..self }
    }

    /// Sets the dilation: along all axes, or along each.
    pub fn dilation(self, dilation: impl Into<PerAxis<usize>>) -> Self {
        let dilation = dilation.into().along(self.axes());
        Geometry { dilation, ..self }
    }

    /// Sets the number of zeros: at all ends, at both ends of each axis, or before and after each.
    pub fn padding(self, padding: impl Into<PerAxis<(usize, usize)>>) -> Self {
        let padding = Padding::By(padding.into().along(self.axes()));
        Geometry { padding, ..self }
    }

    /// Pads so that there are `ceil(extent / stride)` positions along each axis; an odd zero goes
    /// after the input, as in TensorFlow.
    pub fn same(self) -> Self {
        Geometry { padding: Padding::Same, ..self }
    }

    /// Splits the channels into groups: output channels of a group see only input channels of the
    /// same group.
    pub fn groups(self, groups: usize) -> Self {
        Geometry { groups, ..self }
    }

    /// Number of spatial axes.
    fn axes(&self) -> usize {
        self.stride.len()
    }

    /// Zeros before and after each axis of these extents, for this window.
    pub(crate) fn pads(&self, extents: &[usize], window: &[usize]) -> Vec<(usize, usize)> {
        match &self.padding {
            Padding::By(padding) => padding.clone(),
            Padding::Same => {
                let along = |(k, (&extent, &window)): (usize, (&usize, &usize))| {
                    same(extent, window, self.stride[k], self.dilation[k])
                };
                extents.iter().zip(window).enumerate().map(along).collect()
            }
        }
    }

    /// Number of groups.
    pub(crate) fn group_count(&self) -> usize {
        self.groups
    }

    /// The extents of a convolution of `x` with `w`, or why they do not fit.
    pub(super) fn problem(&self, x: &Shape, w: &Shape) -> Result<Problem, OpError> {
        let rank = self.stride.len() + 2;
        if !(3..=5).contains(&rank) {
            let what = "spatial axes";
            return Err(OpError::Number { what, must: "1, 2 or 3", is: (rank - 2) as f64 });
        }
        let agree = |what, lhs, rhs| {
            if lhs == rhs { Ok(()) } else { Err(OpError::Extents { what, lhs, rhs }) }
        };
        agree("number of axes of the input and of the geometry", x.rank(), rank)?;
        agree("number of axes of the weight and of the geometry", w.rank(), rank)?;
        agree("number of strides and of dilations", rank - 2, self.dilation.len())?;
        if let Padding::By(padding) = &self.padding {
            agree("number of strides and of paddings", rank - 2, padding.len())?;
        }
        at_least_one("groups", self.groups)?;
        let ([batch, channels], spatial) = split(x);
        let ([outputs, inputs], window) = split(w);
        for channels in [channels, outputs] {
            if !channels.is_multiple_of(self.groups) {
                let (what, by) = ("channels", self.groups);
                return Err(OpError::Indivisible { what, number: channels, by });
            }
        }
        agree("channels of a group and of the weight", channels / self.groups, inputs)?;
        let mut axes = [Axis::UNIT; 3];
        for (k, axis) in axes[5 - rank..].iter_mut().enumerate() {
            *axis = self.axis(k, spatial[k], window[k])?;
        }
        Ok(Problem { batch, groups: self.groups, inputs, outputs: outputs / self.groups, axes })
    }

    fn axis(&self, k: usize, extent: usize, window: usize) -> Result<Axis, OpError> {
        let (stride, dilation) = (self.stride[k], self.dilation[k]);
        at_least_one("window", window)?;
        at_least_one("stride", stride)?;
        at_least_one("dilation", dilation)?;
        // Every coordinate below is smaller than the padded extent or the span.
        let index = |n: Option<usize>| n.filter(|&n| n < 1 << 30).ok_or(OpError::TooLarge);
        let span = index((window - 1).checked_mul(dilation).and_then(|n| n.checked_add(1)))?;
        let (low, out) = match &self.padding {
            Padding::Same => {
                let out = extent.div_ceil(stride);
                let needed = out.saturating_sub(1).saturating_mul(stride).saturating_add(span);
                index(Some(needed.max(extent)))?;
                (needed.saturating_sub(extent) / 2, out)
            }
            Padding::By(padding) => {
                let (low, high) = padding[k];
                let padded = index(low.checked_add(extent).and_then(|sum| sum.checked_add(high)))?;
                if span > padded {
                    return Err(OpError::Window { span, padded });
                }
                (low, (padded - span) / stride + 1)
            }
        };
        // With one position or one tap, the distance to the next does not matter.
        let stride = index(Some(if out > 1 { stride } else { 1 }))?;
        let dilation = if window > 1 { dilation } else { 1 };
        Ok(Axis { extent, window, stride, dilation, low, out })
    }

    /// The smallest extents that convolve to these, and `more`.
    pub(crate) fn extents(
        &self,
        out: &[usize],
        window: &[usize],
        more: &[usize],
    ) -> Result<Vec<usize>, OpError> {
        let axes = out.len();
        let [strides, dilations] = [&self.stride, &self.dilation].map(Vec::len);
        let paddings = match &self.padding {
            Padding::By(padding) => padding.len(),
            Padding::Same => axes,
        };
        for given in [strides, dilations, paddings, window.len()] {
            if given != axes {
                let what = "number of spatial axes and of the geometry";
                return Err(OpError::Extents { what, lhs: axes, rhs: given });
            }
        }
        if more.len() != axes {
            let what = "number of spatial axes and of output paddings";
            return Err(OpError::Extents { what, lhs: axes, rhs: more.len() });
        }
        let extent = |k: usize| {
            let steps = out[k].checked_sub(1)?.checked_mul(self.stride[k])?;
            let steps = steps.checked_add(1)?.checked_add(more[k])?;
            let Padding::By(padding) = &self.padding else { return Some(steps) };
            let span = window[k].saturating_sub(1).checked_mul(self.dilation[k])?;
            let pads = padding[k].0.checked_add(padding[k].1)?;
            steps.checked_add(span).map(|padded| padded.saturating_sub(pads))
        };
        (0..axes).map(|k| extent(k).ok_or(OpError::TooLarge)).collect()
    }

    /// The stride along each axis.
    pub(crate) fn strides(&self) -> &[usize] {
        &self.stride
    }

    /// The dilation along each axis.
    pub(crate) fn dilations(&self) -> &[usize] {
        &self.dilation
    }

    /// Takes the padding of an axis away, and returns it; `None` if it follows from the extent.
    pub(crate) fn take_padding(&mut self, axis: usize) -> Option<(usize, usize)> {
        match &mut self.padding {
            Padding::By(padding) => Some(std::mem::take(&mut padding[axis])),
            Padding::Same => None,
        }
    }
}

impl std::fmt::Display for Geometry {
    /// Writes what differs from [`Geometry::new`]: `[stride [2, 2], same, groups 4]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        for (name, values) in [("stride", &self.stride), ("dilation", &self.dilation)] {
            if values.iter().any(|&value| value != 1) {
                parts.push(format!("{name} {values:?}"));
            }
        }
        match &self.padding {
            Padding::Same => parts.push("same".to_owned()),
            Padding::By(padding) if padding.iter().all(|&pad| pad == (0, 0)) => {}
            Padding::By(padding) => parts.push(format!("padding {padding:?}")),
        }
        if self.groups != 1 {
            parts.push(format!("groups {}", self.groups));
        }
        if parts.is_empty() { Ok(()) } else { write!(f, "[{}]", parts.join(", ")) }
    }
}

/// What pads an axis so that a window has `ceil(extent / stride)` positions along it; an odd one goes
/// after it.
pub(crate) fn same(extent: usize, window: usize, stride: usize, dilation: usize) -> (usize, usize) {
    let steps = extent.div_ceil(stride.max(1)).saturating_sub(1);
    let span = window.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
    let sum = steps.saturating_mul(stride).saturating_add(span).saturating_sub(extent);
    (sum / 2, sum - sum / 2)
}

/// Shaders count in u32.
fn at_least_one(what: &'static str, number: usize) -> Result<(), OpError> {
    match number {
        0 => Err(OpError::Number { what, must: "at least 1", is: 0.0 }),
        _ if i32::try_from(number).is_err() => Err(OpError::TooLarge),
        _ => Ok(()),
    }
}

/// The first two extents and the spatial ones.
fn split(shape: &Shape) -> ([usize; 2], &[usize]) {
    ([shape.dims()[0], shape.dims()[1]], &shape.dims()[2..])
}

/// All extents of a convolution over 1, 2 or 3 axes, as one over 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Problem {
    pub batch: usize,
    pub groups: usize,
    /// Input channels per group.
    pub inputs: usize,
    /// Output channels per group.
    pub outputs: usize,
    /// Depth, height and width; missing ones are 1.
    pub axes: [Axis; 3],
}

/// One spatial axis of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub extent: usize,
    pub window: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Zeros before the axis; those after it follow from `out`.
    pub low: usize,
    /// Number of window positions.
    pub out: usize,
}

impl Axis {
    const UNIT: Axis = Axis { extent: 1, window: 1, stride: 1, dilation: 1, low: 0, out: 1 };

    /// The element that a tap reads at a position.
    #[inline]
    pub fn source(&self, position: usize, tap: usize) -> Option<usize> {
        let padded = position * self.stride + tap * self.dilation;
        padded.checked_sub(self.low).filter(|&source| source < self.extent)
    }

    /// How many elements of the padded axis the window passes over.
    pub fn reach(&self) -> usize {
        self.stride * self.out.saturating_sub(1) + self.dilation * (self.window - 1) + 1
    }

    /// Whether each position reads just its own element.
    fn is_identity(&self) -> bool {
        self.window == 1 && self.stride == 1 && self.low == 0 && self.out == self.extent
    }

    /// Whether the only position reads everything.
    fn is_whole(&self) -> bool {
        self.out == 1 && self.low == 0 && self.dilation == 1 && self.window == self.extent
    }
}

impl Problem {
    /// The same with each of so many parts of the images as a group.
    pub(super) fn apart(&self, parts: usize) -> Self {
        Problem { batch: self.batch / parts, groups: self.groups * parts, ..*self }
    }

    /// Elements of a channel of the input.
    pub fn pixels(&self) -> usize {
        self.axes.iter().map(|axis| axis.extent).product()
    }

    /// Elements of a channel of the output.
    pub fn positions(&self) -> usize {
        self.axes.iter().map(|axis| axis.out).product()
    }

    /// Elements of the window.
    pub fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.window).product()
    }

    /// Number of terms of an output element.
    pub fn terms(&self) -> usize {
        self.inputs * self.taps()
    }

    /// Whether each position reads just its own element.
    pub fn is_pointwise(&self) -> bool {
        self.axes.iter().all(Axis::is_identity)
    }

    /// How it is a matrix product, if it is one: with one group, and either a single image with a
    /// pointwise window, or a window that covers all of each image.
    pub fn is_product(&self) -> Option<Product> {
        match self.groups == 1 {
            true if self.axes.iter().all(Axis::is_whole) => Some(Product::Rows),
            true if self.is_pointwise() && self.batch == 1 => Some(Product::Columns),
            _ => None,
        }
    }

    /// Flops of each of the three operations; taps on padding count as well.
    pub fn flops(&self) -> f64 {
        let factors = [self.batch, self.groups, self.outputs, self.positions(), self.terms()];
        2.0 * factors.map(|factor| factor as f64).iter().product::<f64>()
    }
}

/// How a convolution is a product of matrices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Product {
    /// `y = x wᵀ`, one row per image.
    Rows,
    /// `y = w x`, one column per position.
    Columns,
}

/// The meta with these leading and spatial extents.
pub(super) fn meta(leading: [usize; 2], spatial: &[usize], like: &Meta) -> Meta {
    Meta::new([&leading, spatial].concat(), like.dtype)
}
