//! Residual networks.

use crate::{
    graph::Tensor,
    nn::{BatchNorm, Conv2d, Dense, GlobalAvgPool, MaxPool2d, Module, Scope},
    numbers::Must,
};
use std::panic::Location;

/// A residual network of basic blocks: two convolutions with a skip connection.
///
/// # Shapes
///
/// `[n, channels, height, width]` to logits `[n, classes]`, or to features `[n, features]` if
/// [`headless`](Self::headless). Parameters have the names of torchvision: `conv1`, `bn1`,
/// `layer1/0/conv1`, .., `layer2/0/downsample/0`, .., `fc`.
///
/// # Source
///
/// He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
#[derive(Clone, Debug)]
pub struct ResNet {
    blocks: Vec<usize>,
    width: usize,
    stem: Stem,
    classes: Option<usize>,
    line: &'static Location<'static>,
}

/// The first layers of a residual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stem {
    /// A convolution of 3x3: for images of 32x32.
    Small,
    /// A convolution of 7x7 with stride 2 and a pooling of 3x3 with stride 2: for 224x224.
    Large,
}

impl ResNet {
    /// Creates stages with these numbers of blocks; the first has `width` channels, each further
    /// one twice as many channels and half the height and width.
    #[track_caller]
    pub fn new(stem: Stem, blocks: &[usize], width: usize, classes: usize) -> Self {
        let line = Location::caller();
        ResNet { blocks: blocks.to_vec(), width, stem, classes: Some(classes), line }
    }

    /// Four stages of two blocks each, starting from 64 channels.
    #[track_caller]
    pub fn resnet18(stem: Stem, classes: usize) -> Self {
        ResNet::new(stem, &[2; 4], 64, classes)
    }

    /// Stages of three, four, six and three blocks, starting from 64 channels.
    #[track_caller]
    pub fn resnet34(stem: Stem, classes: usize) -> Self {
        ResNet::new(stem, &[3, 4, 6, 3], 64, classes)
    }

    /// Omits the last layer, `fc`: returns the features that it would classify, the means of the
    /// last stage's channels.
    #[doc(alias("include_top", "num_classes", "backbone"))]
    pub fn headless(self) -> Self {
        ResNet { classes: None, ..self }
    }

    /// What each stage returns, `[n, channels, height, width]`, the largest first: for detection and
    /// segmentation. There is no `fc` in it.
    ///
    /// # Errors
    ///
    /// As for [`forward`](Module::forward).
    #[doc(alias("features_only", "feature_maps"))]
    pub fn stages<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Vec<Tensor<'g>> {
        let _line = cx.at(self.line);
        let blocks = self.blocks.iter().map(|&blocks| ("blocks", blocks as f64, Must::CountLayers));
        let stages = ("stages", self.blocks.len() as f64, Must::BePositive);
        let numbers: Vec<_> = blocks.chain([stages]).collect();
        if let Some(refused) = cx.graph().refuse_invalid("resnet", &[x], &numbers) {
            return vec![refused];
        }
        let mut x = match self.stem {
            Stem::Small => convolved(cx, ["conv1", "bn1"], x, [self.width, 3, 1]).relu(),
            Stem::Large => {
                let y = convolved(cx, ["conv1", "bn1"], x, [self.width, 7, 2]).relu();
                MaxPool2d::new(3).stride(2).padding(1).forward(cx, y)
            }
        };
        let mut channels = self.width;
        let mut results = Vec::new();
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let mut cx = cx.child(&format!("layer{}", stage + 1));
            for index in 0..blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                x = block(&mut cx.child(&index.to_string()), x, channels, stride);
            }
            channels = channels.saturating_mul(2);
            results.push(x);
        }
        results
    }
}

/// A convolution without bias, followed by batch normalization.
fn convolved<'g>(
    cx: &mut Scope<'g>,
    [conv, norm]: [&str; 2],
    x: Tensor<'g>,
    [channels, window, stride]: [usize; 3],
) -> Tensor<'g> {
    let layer = Conv2d::new(channels, [window; 2])
        .stride([stride; 2])
        .padding([(window / 2, window / 2); 2])
        .without_bias();
    let y = layer.forward(&mut cx.child(conv), x);
    BatchNorm::new().forward(&mut cx.child(norm), y)
}

/// `relu(x + f(x))`; if `f` changes the shape, the skip connection is a 1x1 convolution.
fn block<'g>(cx: &mut Scope<'g>, x: Tensor<'g>, channels: usize, stride: usize) -> Tensor<'g> {
    let y = convolved(cx, ["conv1", "bn1"], x, [channels, 3, stride]).relu();
    let y = convolved(cx, ["conv2", "bn2"], y, [channels, 3, 1]);
    let same = stride == 1 && x.dim(1) == channels;
    let around = if same {
        x
    } else {
        convolved(&mut cx.child("downsample"), ["0", "1"], x, [channels, 1, stride])
    };
    (y + around).relu()
}

impl Module for ResNet {
    fn name(&self) -> &str {
        "resnet"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let stages = self.stages(cx, x);
        let x = GlobalAvgPool::new().forward(cx, *stages.last().unwrap_or(&x));
        match self.classes {
            Some(classes) => Dense::new(classes).forward(&mut cx.child("fc"), x),
            None => x,
        }
    }
}
