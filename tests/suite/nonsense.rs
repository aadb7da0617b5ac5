//! Nonsense for every constructor and function that takes a number: NaN, infinities, negative
//! numbers, zero, and counts beyond all memory are errors wherever they mean nothing, and nowhere
//! else. A number that has no line here fails the test.

use std::{
    fs,
    path::{Path, PathBuf},
};
use wgrad::{
    AttentionOptions,
    DType::{self, F32, I32, U32},
    GaussianNll, Graph, Init, Interpolation, PadMode, PoissonNll, QuantileMethod, Reduction,
    Tensor,
    nn::{self, Mode, Module, Scope, models},
    ops::{Geometry, Window},
    optim::{
        Adadelta, Adagrad, Adam, AdamW, Lamb, Lion, LossScale, Muon, NAdam, Optimizer,
        OptimizerExt, RAdam, RmsProp, Sgd,
    },
};

/// Numbers that are tried for every float.
const FLOATS: [f64; 11] =
    [f64::NAN, f64::NEG_INFINITY, -1.0, -0.5, -1e-9, 0.0, 0.25, 0.5, 1.0, 2.0, f64::INFINITY];
/// Those for every count.
const COUNTS: [usize; 7] = [0, 1, 2, 3, 4, 1 << 31, usize::MAX];

/// Numbers that mean something.
enum Valid {
    Floats(fn(f64) -> bool),
    Counts(fn(usize) -> bool),
}
use Valid::{Counts, Floats};

const FINITE: Valid = Floats(|x| x.is_finite());
const NUMBER: Valid = Floats(|x| !x.is_nan());
const NONZERO: Valid = Floats(|x| x.is_finite() && x != 0.0);
/// An order, which may be infinite.
const ORDER: Valid = Floats(|x| !x.is_nan() && x != 0.0);
const POSITIVE: Valid = Floats(|x| x > 0.0 && x.is_finite());
const AT_LEAST_0: Valid = Floats(|x| x >= 0.0 && x.is_finite());
/// A limit that infinity lifts.
const LIMIT: Valid = Floats(|x| x >= 0.0);
const SHARE: Valid = Floats(|x| (0.0..=1.0).contains(&x));
const BELOW_1: Valid = Floats(|x| (0.0..1.0).contains(&x));
const ANY: Valid = Floats(|_| true);
/// A number of things that fits in memory.
const COUNT: Valid = Counts(|n| (1..=4).contains(&n));
const COUNT_OR_NONE: Valid = Counts(|n| n <= 4);

/// A function, its parameter, what is valid, and how it is given a number.
type Case = (&'static str, Valid, fn(&Graph, f64));

/// A count as a number: the largest stays the largest.
fn n(x: f64) -> usize {
    x as usize
}

fn f<const N: usize>(graph: &Graph, dims: [usize; N]) -> Tensor<'_> {
    graph.full(dims, F32, 0.5)
}

fn u<const N: usize>(graph: &Graph, dims: [usize; N]) -> Tensor<'_> {
    graph.full(dims, U32, 1.0)
}

fn layer<const N: usize>(graph: &Graph, layer: impl Module, dims: [usize; N]) {
    layer.forward(&mut Scope::new(graph, Mode::Train), f(graph, dims));
}

fn optimize(graph: &Graph, optimizer: impl Optimizer) {
    let mut cx = Scope::new(graph, Mode::Train);
    let p = cx.param("p", [2, 1], Init::Ones);
    optimizer.update(&mut cx, (p * p).sum(..));
}

fn attend(g: &Graph, options: AttentionOptions<'_>) {
    let x = f(g, [4, 8]);
    // Its lifetime is that of the graph.
    x.attention(x, x, AttentionOptions { mask: None, ..options });
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        // Layers.
        ("Dense::new units", COUNT, |g, x| layer(g, nn::Dense::new(n(x)), [2, 3])),
        ("Embedding::new count", COUNT, |g, x| { nn::Embedding::new(n(x), 3).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2], U32)); }),
        ("Embedding::new width", COUNT, |g, x| { nn::Embedding::new(3, n(x)).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2], U32)); }),
        ("Embedding::padding_index symbol", Counts(|n| n < 3), |g, x| { nn::Embedding::new(3, 2).padding_index(n(x)).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2], U32)); }),
        ("Conv::new channels", COUNT, |g, x| layer(g, nn::Conv2d::new(n(x), [3, 3]), [1, 2, 5, 5])),
        ("Conv::new window", COUNT, |g, x| layer(g, nn::Conv2d::new(2, [n(x), 1]), [1, 2, 5, 5])),
        ("Conv::stride stride", Counts(|n| n > 0 && n <= 4), |g, x| layer(g, nn::Conv2d::new(2, [3, 3]).stride([n(x), 1]), [1, 2, 5, 5])),
        ("Conv::dilation dilation", Counts(|n| n == 1 || n == 2), |g, x| layer(g, nn::Conv2d::new(2, [3, 3]).dilation([n(x), 1]), [1, 2, 5, 5])),
        ("Conv::padding padding", COUNT_OR_NONE, |g, x| layer(g, nn::Conv2d::new(2, [3, 3]).padding([(n(x), 0), (0, 0)]), [1, 2, 5, 5])),
        ("Conv::groups groups", Counts(|n| n == 1 || n == 2), |g, x| layer(g, nn::Conv2d::new(2, [3, 3]).groups(n(x)), [1, 2, 5, 5])),
        ("ConvTranspose::new channels", COUNT, |g, x| layer(g, nn::ConvTranspose2d::new(n(x), [3, 3]), [1, 2, 5, 5])),
        ("ConvTranspose::new window", COUNT, |g, x| layer(g, nn::ConvTranspose2d::new(2, [n(x), 1]), [1, 2, 5, 5])),
        ("ConvTranspose::stride stride", COUNT, |g, x| layer(g, nn::ConvTranspose2d::new(2, [3, 3]).stride([n(x), 1]), [1, 2, 5, 5])),
        ("ConvTranspose::dilation dilation", COUNT, |g, x| layer(g, nn::ConvTranspose2d::new(2, [3, 3]).dilation([n(x), 1]), [1, 2, 5, 5])),
        ("ConvTranspose::padding padding", Counts(|n| n <= 3), |g, x| layer(g, nn::ConvTranspose2d::new(2, [3, 3]).padding([(n(x), n(x)), (0, 0)]), [1, 2, 5, 5])),
        ("ConvTranspose::groups groups", Counts(|n| n == 1 || n == 2), |g, x| layer(g, nn::ConvTranspose2d::new(2, [3, 3]).groups(n(x)), [1, 2, 5, 5])),
        ("ConvTranspose::output_padding output_padding", Counts(|n| n <= 2), |g, x| layer(g, nn::ConvTranspose2d::new(2, [3, 3]).stride([3, 3]).output_padding([n(x), 0]), [1, 2, 5, 5])),
        ("ModulatedConv2d::new channels", COUNT, |g, x| { nn::ModulatedConv2d::new(n(x), 3).forward(&mut Scope::new(g, Mode::Train), f(g, [2, 3, 4, 4]), f(g, [2, 5])); }),
        ("ModulatedConv2d::new window", COUNT, |g, x| { nn::ModulatedConv2d::new(2, n(x)).forward(&mut Scope::new(g, Mode::Train), f(g, [2, 3, 4, 4]), f(g, [2, 5])); }),
        ("Dropout::new p", SHARE, |g, x| layer(g, nn::Dropout::new(x), [2, 3])),
        ("BatchNorm::eps eps", AT_LEAST_0, |g, x| layer(g, nn::BatchNorm::new().eps(x), [2, 3])),
        ("BatchNorm::momentum momentum", SHARE, |g, x| layer(g, nn::BatchNorm::new().momentum(x), [2, 3])),
        ("InstanceNorm::eps eps", AT_LEAST_0, |g, x| layer(g, nn::InstanceNorm::new().eps(x), [2, 3, 4])),
        ("InstanceNorm::running momentum", SHARE, |g, x| layer(g, nn::InstanceNorm::new().running(x), [2, 3, 4])),
        ("LayerNorm::eps eps", AT_LEAST_0, |g, x| layer(g, nn::LayerNorm::new().eps(x), [2, 3])),
        ("LayerNorm::axes axes", Counts(|n| n <= 2), |g, x| layer(g, nn::LayerNorm::new().axes(n(x)), [2, 3])),
        ("RmsNorm::eps eps", AT_LEAST_0, |g, x| layer(g, nn::RmsNorm::new().eps(x), [2, 3])),
        ("RmsNorm::axes axes", Counts(|n| n <= 2), |g, x| layer(g, nn::RmsNorm::new().axes(n(x)), [2, 3])),
        ("GroupNorm::new groups", Counts(|n| n == 1 || n == 3), |g, x| layer(g, nn::GroupNorm::new(n(x)), [2, 3, 4])),
        ("GroupNorm::eps eps", AT_LEAST_0, |g, x| layer(g, nn::GroupNorm::new(1).eps(x), [2, 3])),
        ("LocalResponseNorm::new size", Counts(|n| n > 0), |g, x| layer(g, nn::LocalResponseNorm::new(n(x)), [2, 3, 4])),
        ("LocalResponseNorm::alpha alpha", FINITE, |g, x| layer(g, nn::LocalResponseNorm::new(2).alpha(x), [2, 3, 4])),
        ("LocalResponseNorm::beta beta", FINITE, |g, x| layer(g, nn::LocalResponseNorm::new(2).beta(x), [2, 3, 4])),
        ("LocalResponseNorm::k k", FINITE, |g, x| layer(g, nn::LocalResponseNorm::new(2).k(x), [2, 3, 4])),
        ("LpPool::order p", ORDER, |g, x| layer(g, nn::LpPool2d::new(2).order(x), [1, 2, 4, 4])),
        ("windows!::dilation dilation", Counts(|n| (1..=3).contains(&n)), |g, x| layer(g, nn::MaxPool2d::new(2).dilation(n(x)), [1, 2, 4, 4])),
        ("AvgPool::divisor divisor", Counts(|n| n > 0), |g, x| layer(g, nn::AvgPool2d::new(2).divisor(n(x)), [1, 2, 4, 4])),
        ("windows!::new extent", COUNT, |g, x| layer(g, nn::MaxPool2d::new(n(x)), [1, 2, 4, 4])),
        ("windows!::stride stride", COUNT, |g, x| layer(g, nn::AvgPool2d::new(2).stride(n(x)), [1, 2, 4, 4])),
        ("windows!::padding padding", COUNT_OR_NONE, |g, x| layer(g, nn::MaxPool2d::new(2).padding(n(x)), [1, 2, 4, 4])),
        ("AdaptiveAvgPool::new outputs", COUNT_OR_NONE, |g, x| layer(g, nn::AdaptiveAvgPool2d::new([n(x), 2]), [1, 2, 4, 4])),
        ("AdaptiveMaxPool::new outputs", COUNT_OR_NONE, |g, x| layer(g, nn::AdaptiveMaxPool2d::new([n(x), 2]), [1, 2, 4, 4])),
        ("Unflatten::new dims", Counts(|n| n == 2), |g, x| layer(g, nn::Unflatten::new([n(x), 3]), [2, 6])),
        ("LearnedPositions::new longest", Counts(|n| n == 3 || n == 4), |g, x| layer(g, nn::LearnedPositions::new(n(x)), [2, 3, 4])),
        ("MultiHeadAttention::new heads", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| layer(g, nn::MultiHeadAttention::new(n(x)), [2, 3, 8])),
        ("MultiHeadAttention::key_value_heads heads", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| layer(g, nn::MultiHeadAttention::new(4).key_value_heads(n(x)), [2, 3, 8])),
        ("MultiHeadAttention::rotary base", POSITIVE, |g, x| layer(g, nn::MultiHeadAttention::new(2).rotary(x), [2, 3, 8])),
        ("MultiHeadAttention::dropout dropout", SHARE, |g, x| layer(g, nn::MultiHeadAttention::new(2).dropout(x), [2, 3, 8])),
        ("TransformerLayer::new wide", COUNT, |g, x| layer(g, nn::TransformerLayer::new(nn::MultiHeadAttention::new(2), n(x)), [2, 3, 8])),
        ("TransformerLayer::dropout dropout", SHARE, |g, x| layer(g, nn::TransformerLayer::new(nn::MultiHeadAttention::new(2), 4).dropout(x), [2, 3, 8])),
        ("Recurrent::elman hidden", COUNT, |g, x| layer(g, nn::Recurrent::elman(n(x)), [2, 3, 4])),
        ("Recurrent::lstm hidden", COUNT, |g, x| layer(g, nn::Recurrent::lstm(n(x)), [2, 3, 4])),
        ("Recurrent::gru hidden", COUNT, |g, x| layer(g, nn::Recurrent::gru(n(x)), [2, 3, 4])),
        ("Recurrent::layers layers", COUNT, |g, x| layer(g, nn::Recurrent::gru(2).layers(n(x)), [2, 3, 4])),
        ("Recurrent::dropout dropout", SHARE, |g, x| layer(g, nn::Recurrent::gru(2).layers(2).dropout(x), [2, 3, 4])),
        ("QuantizedDense::new units", COUNT, |g, x| layer(g, nn::QuantizedDense::new(n(x)), [2, 3])),
        ("QuantizedDense::store inputs", COUNT, |g, x| nn::QuantizedDense::new(2).store(&mut Scope::new(g, Mode::Eval), n(x))),
        ("QuantizedConv2d::new channels", COUNT, |g, x| layer(g, nn::QuantizedConv2d::new(n(x), 3), [1, 2, 5, 5])),
        ("QuantizedConv2d::new window", COUNT, |g, x| layer(g, nn::QuantizedConv2d::new(2, [n(x), 1]), [1, 2, 5, 5])),
        ("QuantizedConv2d::stride stride", COUNT, |g, x| layer(g, nn::QuantizedConv2d::new(2, 3).stride([n(x), 1]), [1, 2, 5, 5])),
        ("QuantizedConv2d::dilation dilation", Counts(|n| n == 1 || n == 2), |g, x| layer(g, nn::QuantizedConv2d::new(2, 3).dilation(n(x)), [1, 2, 5, 5])),
        ("QuantizedConv2d::padding padding", COUNT_OR_NONE, |g, x| layer(g, nn::QuantizedConv2d::new(2, 3).padding(n(x)), [1, 2, 5, 5])),
        ("QuantizedConv2d::groups groups", Counts(|n| n == 1 || n == 2), |g, x| layer(g, nn::QuantizedConv2d::new(2, 3).groups(n(x)), [1, 2, 5, 5])),
        ("QuantizedConv2d::store inputs", COUNT, |g, x| nn::QuantizedConv2d::new(2, 3).store(&mut Scope::new(g, Mode::Eval), n(x))),
        // Models.
        ("mlp widths", COUNT, |g, x| layer(g, models::mlp(&[n(x)], 2), [2, 3])),
        ("mlp outputs", COUNT, |g, x| layer(g, models::mlp(&[2], n(x)), [2, 3])),
        ("cnn classes", COUNT, |g, x| layer(g, models::cnn(n(x)), [1, 1, 8, 8])),
        ("autoencoder inputs", COUNT, |g, x| layer(g, models::autoencoder(n(x), &[3], 2), [2, 4])),
        ("autoencoder widths", COUNT, |g, x| layer(g, models::autoencoder(4, &[n(x)], 2), [2, 4])),
        ("autoencoder code", COUNT, |g, x| layer(g, models::autoencoder(4, &[3], n(x)), [2, 4])),
        ("Generator::new size", Counts(|n| n == 4), |g, x| layer(g, models::Generator::new(n(x), 3, 2), [2, 2])),
        ("Generator::new image_channels", COUNT, |g, x| layer(g, models::Generator::new(4, n(x), 2), [2, 2])),
        ("Generator::new channels", COUNT, |g, x| layer(g, models::Generator::new(4, 3, n(x)), [2, 2])),
        ("Discriminator::new channels", COUNT, |g, x| layer(g, models::Discriminator::new(n(x)), [2, 3, 4, 4])),
        ("LstmClassifier::new hidden", COUNT, |g, x| layer(g, models::LstmClassifier::new(n(x), 2), [2, 3, 4])),
        ("LstmClassifier::new classes", COUNT, |g, x| layer(g, models::LstmClassifier::new(2, n(x)), [2, 3, 4])),
        ("Transformer::new symbols", COUNT, |g, x| { models::Transformer::new(n(x), 4).width(4, 4).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::new longest", Counts(|n| n == 3 || n == 4), |g, x| { models::Transformer::new(4, n(x)).width(4, 4).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::width width", Counts(|n| n == 4), |g, x| { models::Transformer::new(4, 4).width(n(x), 4).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::width wide", COUNT, |g, x| { models::Transformer::new(4, 4).width(4, n(x)).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::heads heads", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| { models::Transformer::new(4, 4).width(4, 4).heads(n(x)).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::layers layers", COUNT, |g, x| { models::Transformer::new(4, 4).width(4, 4).layers(n(x)).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("Transformer::dropout dropout", SHARE, |g, x| { models::Transformer::new(4, 4).width(4, 4).dropout(x).forward(&mut Scope::new(g, Mode::Train), g.input("i", [2, 3], U32)); }),
        ("ResNet::new blocks", COUNT, |g, x| layer(g, models::ResNet::new(models::Stem::Small, &[n(x)], 2, 2), [2, 3, 8, 8])),
        ("ResNet::new width", COUNT, |g, x| layer(g, models::ResNet::new(models::Stem::Small, &[1], n(x), 2), [2, 3, 8, 8])),
        ("ResNet::new classes", COUNT, |g, x| layer(g, models::ResNet::new(models::Stem::Small, &[1], 2, n(x)), [2, 3, 8, 8])),
        ("ResNet::resnet18 classes", COUNT, |g, x| layer(g, models::ResNet::resnet18(models::Stem::Small, n(x)), [2, 3, 8, 8])),
        ("ResNet::resnet34 classes", COUNT, |g, x| layer(g, models::ResNet::resnet34(models::Stem::Small, n(x)), [2, 3, 8, 8])),
        // Losses.
        ("CrossEntropy::smoothing smoothing", SHARE, |g, x| { nn::CrossEntropy::new().smoothing(x).loss(f(g, [2, 3]), u(g, [2])); }),
        ("CrossEntropy::ignoring label", Counts(|_| true), |g, x| { nn::CrossEntropy::new().ignoring(x as u32).loss(f(g, [2, 3]), u(g, [2])); }),
        ("path_length_penalty decay", SHARE, |g, x| { let styles = g.variable("s", [2, 3], F32, Init::Ones); let images = (styles * styles).reshape([2, 3, 1, 1]); nn::gan::path_length_penalty(&mut Scope::new(g, Mode::Train), images, f(g, [2, 3, 1, 1]), styles, x); }),
        ("huber delta", POSITIVE, |g, x| { f(g, [3]).huber(f(g, [3]), x, Reduction::None); }),
        ("smooth_l1 beta", AT_LEAST_0, |g, x| { f(g, [3]).smooth_l1(f(g, [3]), x, Reduction::None); }),
        ("cosine_embedding margin", FINITE, |g, x| { f(g, [2, 3]).cosine_embedding(f(g, [2, 3]), f(g, [2]), x, Reduction::None); }),
        ("hinge_embedding margin", FINITE, |g, x| { f(g, [3]).hinge_embedding(f(g, [3]), x, Reduction::None); }),
        ("margin_ranking margin", FINITE, |g, x| { f(g, [3]).margin_ranking(f(g, [3]), f(g, [3]), x, Reduction::None); }),
        ("multi_margin margin", FINITE, |g, x| { f(g, [2, 3]).multi_margin(u(g, [2]), 1, x, 1, Reduction::None); }),
        ("multi_margin power", Counts(|n| matches!(n, 1 | 2)), |g, x| { f(g, [2, 3]).multi_margin(u(g, [2]), 1, 1.0, x as u32, Reduction::None); }),
        ("triplet_margin margin", POSITIVE, |g, x| { f(g, [2, 3]).triplet_margin(f(g, [2, 3]), f(g, [2, 3]), x, Reduction::None); }),
        ("ctc blank", Counts(|n| n < 3), |g, x| { f(g, [4, 2, 3]).ctc(u(g, [2, 2]), u(g, [2]), u(g, [2]), x as u32, Reduction::None); }),
        ("ctc_where_possible blank", Counts(|n| n < 3), |g, x| { f(g, [4, 2, 3]).ctc_where_possible(u(g, [2, 2]), u(g, [2]), u(g, [2]), x as u32, Reduction::None); }),
        // Optimizers and variables.
        ("Adam::new lr", AT_LEAST_0, |g, x| optimize(g, Adam::new(x))),
        ("Adam::betas beta1", BELOW_1, |g, x| optimize(g, Adam::new(0.1).betas(x, 0.5))),
        ("Adam::betas beta2", BELOW_1, |g, x| optimize(g, Adam::new(0.1).betas(0.5, x))),
        ("Adam::eps eps", AT_LEAST_0, |g, x| optimize(g, Adam::new(0.1).eps(x))),
        ("Adam::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Adam::new(0.1).weight_decay(x))),
        ("Adam::clip_norm longest", LIMIT, |g, x| optimize(g, Adam::new(0.1).clip_norm(x))),
        ("AdamW::new lr", AT_LEAST_0, |g, x| optimize(g, AdamW::new(x))),
        ("AdamW::betas beta1", BELOW_1, |g, x| optimize(g, AdamW::new(0.1).betas(x, 0.5))),
        ("AdamW::betas beta2", BELOW_1, |g, x| optimize(g, AdamW::new(0.1).betas(0.5, x))),
        ("AdamW::eps eps", AT_LEAST_0, |g, x| optimize(g, AdamW::new(0.1).eps(x))),
        ("AdamW::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, AdamW::new(0.1).weight_decay(x))),
        ("NAdam::new lr", AT_LEAST_0, |g, x| optimize(g, NAdam::new(x))),
        ("NAdam::betas beta1", BELOW_1, |g, x| optimize(g, NAdam::new(0.1).betas(x, 0.5))),
        ("NAdam::betas beta2", BELOW_1, |g, x| optimize(g, NAdam::new(0.1).betas(0.5, x))),
        ("NAdam::eps eps", AT_LEAST_0, |g, x| optimize(g, NAdam::new(0.1).eps(x))),
        ("NAdam::momentum_decay momentum_decay", AT_LEAST_0, |g, x| optimize(g, NAdam::new(0.1).momentum_decay(x))),
        ("NAdam::decoupled_weight_decay decay", AT_LEAST_0, |g, x| optimize(g, NAdam::new(0.1).decoupled_weight_decay(x))),
        ("NAdam::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, NAdam::new(0.1).weight_decay(x))),
        ("RAdam::new lr", AT_LEAST_0, |g, x| optimize(g, RAdam::new(x))),
        ("RAdam::betas beta1", BELOW_1, |g, x| optimize(g, RAdam::new(0.1).betas(x, 0.5))),
        ("RAdam::betas beta2", BELOW_1, |g, x| optimize(g, RAdam::new(0.1).betas(0.5, x))),
        ("RAdam::eps eps", AT_LEAST_0, |g, x| optimize(g, RAdam::new(0.1).eps(x))),
        ("RAdam::decoupled_weight_decay decay", AT_LEAST_0, |g, x| optimize(g, RAdam::new(0.1).decoupled_weight_decay(x))),
        ("RAdam::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, RAdam::new(0.1).weight_decay(x))),
        ("Adagrad::new lr", AT_LEAST_0, |g, x| optimize(g, Adagrad::new(x))),
        ("Adagrad::eps eps", AT_LEAST_0, |g, x| optimize(g, Adagrad::new(0.1).eps(x))),
        ("Adagrad::lr_decay lr_decay", AT_LEAST_0, |g, x| optimize(g, Adagrad::new(0.1).lr_decay(x))),
        ("Adagrad::initial_sum initial", AT_LEAST_0, |g, x| optimize(g, Adagrad::new(0.1).initial_sum(x))),
        ("Adagrad::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Adagrad::new(0.1).weight_decay(x))),
        ("Adadelta::new lr", AT_LEAST_0, |g, x| optimize(g, Adadelta::new(x))),
        ("Adadelta::eps eps", AT_LEAST_0, |g, x| optimize(g, Adadelta::new(0.1).eps(x))),
        ("Adadelta::rho rho", BELOW_1, |g, x| optimize(g, Adadelta::new(0.1).rho(x))),
        ("Adadelta::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Adadelta::new(0.1).weight_decay(x))),
        ("RmsProp::new lr", AT_LEAST_0, |g, x| optimize(g, RmsProp::new(x))),
        ("RmsProp::eps eps", AT_LEAST_0, |g, x| optimize(g, RmsProp::new(0.1).eps(x))),
        ("RmsProp::alpha alpha", BELOW_1, |g, x| optimize(g, RmsProp::new(0.1).alpha(x))),
        ("RmsProp::momentum momentum", AT_LEAST_0, |g, x| optimize(g, RmsProp::new(0.1).momentum(x))),
        ("RmsProp::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, RmsProp::new(0.1).weight_decay(x))),
        ("Lion::new lr", AT_LEAST_0, |g, x| optimize(g, Lion::new(x))),
        ("Lion::betas beta1", BELOW_1, |g, x| optimize(g, Lion::new(0.1).betas(x, 0.5))),
        ("Lion::betas beta2", BELOW_1, |g, x| optimize(g, Lion::new(0.1).betas(0.5, x))),
        ("Lion::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Lion::new(0.1).weight_decay(x))),
        ("Lamb::new lr", AT_LEAST_0, |g, x| optimize(g, Lamb::new(x))),
        ("Lamb::betas beta1", BELOW_1, |g, x| optimize(g, Lamb::new(0.1).betas(x, 0.5))),
        ("Lamb::betas beta2", BELOW_1, |g, x| optimize(g, Lamb::new(0.1).betas(0.5, x))),
        ("Lamb::eps eps", AT_LEAST_0, |g, x| optimize(g, Lamb::new(0.1).eps(x))),
        ("Lamb::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Lamb::new(0.1).weight_decay(x))),
        ("Muon::new lr", AT_LEAST_0, |g, x| optimize(g, Muon::new(x))),
        ("Muon::momentum momentum", BELOW_1, |g, x| optimize(g, Muon::new(0.1).momentum(x))),
        ("Muon::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Muon::new(0.1).weight_decay(x))),
        ("Sgd::new lr", AT_LEAST_0, |g, x| optimize(g, Sgd::new(x))),
        ("Sgd::momentum momentum", AT_LEAST_0, |g, x| optimize(g, Sgd::new(0.1).momentum(x))),
        ("Sgd::weight_decay decay", AT_LEAST_0, |g, x| optimize(g, Sgd::new(0.1).weight_decay(x))),
        ("Average::new decay", SHARE, |g, x| optimize(g, Sgd::new(0.1).average(x))),
        ("LossScale::fixed scale", POSITIVE, |g, x| optimize(g, Sgd::new(0.1).scale_loss(LossScale::fixed(x)))),
        ("LossScale::starting_at scale", POSITIVE, |g, x| optimize(g, Sgd::new(0.1).scale_loss(LossScale::dynamic().starting_at(x)))),
        ("LossScale::growing_after steps", Counts(|n| n > 0), |g, x| optimize(g, Sgd::new(0.1).scale_loss(LossScale::dynamic().growing_after(x as u32)))),
        ("Sgd::clip_value limit", LIMIT, |g, x| optimize(g, Sgd::new(0.1).clip_value(x))),
        ("Sgd::clip_norm longest", LIMIT, |g, x| optimize(g, Sgd::new(0.1).clip_norm(x))),
        ("Init::Constant", NUMBER, |g, x| { g.variable("v", [2], F32, Init::Constant(x)); }),
        ("Init::Constant of u32", Floats(|x| x >= 0.0 && x.fract() == 0.0), |g, x| { g.variable("v", [2], U32, Init::Constant(x)); }),
        ("Init::Uniform low", Floats(|x| x.is_finite() && x <= 0.5), |g, x| { g.variable("v", [2], F32, Init::Uniform { low: x, high: 0.5 }); }),
        ("Init::Uniform high", Floats(|x| x.is_finite() && x >= 0.5), |g, x| { g.variable("v", [2], F32, Init::Uniform { low: 0.5, high: x }); }),
        ("Init::Normal mean", FINITE, |g, x| { g.variable("v", [2], F32, Init::Normal { mean: x, std: 1.0 }); }),
        ("Init::Normal std", AT_LEAST_0, |g, x| { g.variable("v", [2], F32, Init::Normal { mean: 0.0, std: x }); }),
        ("Scope::setting value", NUMBER, |g, x| { Scope::new(g, Mode::Train).setting("s", x); }),
        ("moment decay", FINITE, |g, x| { f(g, [2]).moment(f(g, [2]), x, 1.0); }),
        ("moment weight", FINITE, |g, x| { f(g, [2]).moment(f(g, [2]), 1.0, x); }),
        ("second_moment decay", SHARE, |g, x| { f(g, [2]).second_moment(f(g, [2]), x); }),
        ("adam [beta1,beta2]", BELOW_1, |g, x| { f(g, [2]).adam([f(g, [2]), f(g, [2])], f(g, []), f(g, []), [x, 0.5], 1e-8); }),
        ("adam eps", AT_LEAST_0, |g, x| { f(g, [2]).adam([f(g, [2]), f(g, [2])], f(g, []), f(g, []), [0.5, 0.5], x); }),
        // Activations.
        ("leaky_relu slope", FINITE, |g, x| { f(g, [3]).leaky_relu(x); }),
        ("elu alpha", FINITE, |g, x| { f(g, [3]).elu(x); }),
        ("celu alpha", NONZERO, |g, x| { f(g, [3]).celu(x); }),
        ("softplus_with beta", NONZERO, |g, x| { f(g, [3]).softplus_with(x, 20.0); }),
        ("softplus_with threshold", NUMBER, |g, x| { f(g, [3]).softplus_with(1.0, x); }),
        ("hard_tanh_with low", Floats(|x| x <= 1.0), |g, x| { f(g, [3]).hard_tanh_with(x, 1.0); }),
        ("hard_tanh_with high", Floats(|x| x >= 0.0), |g, x| { f(g, [3]).hard_tanh_with(0.0, x); }),
        ("soft_shrink width", AT_LEAST_0, |g, x| { f(g, [3]).soft_shrink(x); }),
        ("hard_shrink width", AT_LEAST_0, |g, x| { f(g, [3]).hard_shrink(x); }),
        ("threshold threshold", NUMBER, |g, x| { f(g, [3]).threshold(x, 1.0); }),
        ("threshold value", ANY, |g, x| { f(g, [3]).threshold(1.0, x); }),
        // Normalization, attention, positions.
        ("layer_norm eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).layer_norm(f(g, [3]), f(g, [3]), x); }),
        ("rms_norm eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).rms_norm(f(g, [3]), x); }),
        ("group_norm groups", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| { f(g, [2, 4, 3]).group_norm(n(x), None, None, 1e-5); }),
        ("group_norm eps", AT_LEAST_0, |g, x| { f(g, [2, 4, 3]).group_norm(2, None, None, x); }),
        ("instance_norm eps", AT_LEAST_0, |g, x| { f(g, [2, 4, 3]).instance_norm(None, None, x); }),
        ("batch_norm eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).batch_norm(f(g, [3]), f(g, [3]), None, None, x); }),
        ("batch_norm_training eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).batch_norm_training(None, None, x); }),
        ("normalize eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).normalize(1, x); }),
        ("normalize_rms eps", AT_LEAST_0, |g, x| { f(g, [2, 3]).normalize_rms(1, x); }),
        ("local_response_norm size", Counts(|n| n > 0), |g, x| { f(g, [2, 3, 4]).local_response_norm(n(x), 1.0, 0.5, 1.0); }),
        ("local_response_norm alpha", FINITE, |g, x| { f(g, [2, 3, 4]).local_response_norm(2, x, 0.5, 1.0); }),
        ("local_response_norm beta", FINITE, |g, x| { f(g, [2, 3, 4]).local_response_norm(2, 1.0, x, 1.0); }),
        ("local_response_norm k", FINITE, |g, x| { f(g, [2, 3, 4]).local_response_norm(2, 1.0, 0.5, x); }),
        ("PoissonNll eps", AT_LEAST_0, |g, x| {
            let options = PoissonNll { eps: x, ..Default::default() };
            f(g, [3]).poisson_nll(f(g, [3]), options, Reduction::None);
        }),
        ("GaussianNll eps", POSITIVE, |g, x| {
            let options = GaussianNll { eps: x, ..Default::default() };
            f(g, [3]).gaussian_nll(f(g, [3]), f(g, [3]), options, Reduction::None);
        }),
        ("AttentionOptions dropout", SHARE, |g, x| attend(g, AttentionOptions { dropout: x, ..Default::default() })),
        ("AttentionOptions scale", FINITE, |g, x| attend(g, AttentionOptions { scale: Some(x), ..Default::default() })),
        ("key_padding keys", COUNT_OR_NONE, |g, x| { u(g, [2]).key_padding(n(x)); }),
        ("rotary base", POSITIVE, |g, x| { f(g, [2, 4]).rotary(x); }),
        ("rotary_from base", POSITIVE, |g, x| { f(g, [2, 4]).rotary_from(x, u(g, [])); }),
        // Layout and numbers.
        ("full value", ANY, |g, x| { g.full([2], F32, x); }),
        ("full value of i32", Floats(|x| x.is_finite() && x.fract() == 0.0), |g, x| { g.full([2], I32, x); }),
        ("full value of bool", Floats(|x| x == 0.0 || x == 1.0), |g, x| { g.full([2], DType::Bool, x); }),
        ("full_like value", Floats(|x| x >= 0.0 && x.is_finite() && x.fract() == 0.0), |g, x| { u(g, [2]).full_like(x); }),
        ("pad value", ANY, |g, x| { f(g, [2]).pad([(1, 1)], x); }),
        ("pad value of u32", Floats(|x| x >= 0.0 && x.is_finite() && x.fract() == 0.0), |g, x| { u(g, [2]).pad([(1, 1)], x); }),
        ("pad pads", COUNT_OR_NONE, |g, x| { f(g, [2]).pad([(n(x), 0)], 0.0); }),
        ("masked_fill value", ANY, |g, x| { f(g, [2]).masked_fill(f(g, [2]).greater(0.0), x); }),
        ("one_hot classes", Counts(|n| (2..=4).contains(&n)), |g, x| { u(g, [2]).one_hot(n(x)); }),
        ("roll shifts", Counts(|_| true), |g, x| { f(g, [3]).roll([x as i64, -(x as i64)], [0, 0]); }),
        ("roll axes", Counts(|n| n <= 1), |g, x| { f(g, [3, 2]).roll(1, n(x)); }),
        ("tile times", COUNT_OR_NONE, |g, x| { f(g, [3]).tile(n(x), 0); }),
        ("repeat_interleave times", COUNT_OR_NONE, |g, x| { f(g, [3]).repeat_interleave(n(x), 0); }),
        ("depth_to_space r", Counts(|n| n == 1 || n == 2), |g, x| { f(g, [1, 4, 2, 2]).depth_to_space(n(x)); }),
        ("space_to_depth r", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| { f(g, [1, 1, 4, 4]).space_to_depth(n(x)); }),
        ("pad pads of a reflection", Counts(|n| n < 3), |g, x| { f(g, [3]).pad([(n(x), 0)], PadMode::Reflect); }),
        ("pad pads of the ends", COUNT_OR_NONE, |g, x| { f(g, [3]).pad([(n(x), 0)], PadMode::Replicate); }),
        ("pad pads of a circle", Counts(|n| n <= 3), |g, x| { f(g, [3]).pad([(0, n(x))], PadMode::Circular); }),
        ("pad pads of less", Counts(|n| n <= 3), |g, x| { f(g, [3]).pad([(0, -(x as i64))], 0.0); }),
        ("broadcast_to shape", Counts(|n| n == 3), |g, x| { f(g, [2, 3]).broadcast_to([2, n(x)]); }),
        ("broadcast_to shape of 1", Counts(|n| n <= 4), |g, x| { f(g, [1, 3]).broadcast_to([x as i64, -1]); }),
        ("reshape shape", Counts(|n| n == 3), |g, x| { f(g, [2, 3]).reshape([2, n(x)]); }),
        ("reshape shape of -1", Counts(|n| (1..=3).contains(&n)), |g, x| { f(g, [2, 3]).reshape([-1, x as i64]); }),
        ("slice range", Counts(|n| n <= 3), |g, x| { f(g, [3]).slice(0, ..n(x)); }),
        ("slice range of the end", Counts(|n| n <= 3), |g, x| { f(g, [3]).slice(0, ..-(x as i64)); }),
        ("split extents", Counts(|n| n == 2), |g, x| { f(g, [3]).split(0, &[n(x), 1]); }),
        ("slice_step range", Counts(|n| n <= 3), |g, x| { f(g, [3]).slice_step(0, n(x)..=2, 2); }),
        ("slice_step step", Counts(|n| n > 0), |g, x| { f(g, [3]).slice_step(0, .., n(x)); }),
        ("scatter_add extent", Counts(|n| (2..=4).contains(&n)), |g, x| { f(g, [3]).scatter_add(u(g, [3]), 0, n(x)); }),
        ("scatter_add_along_axis extent", Counts(|n| (2..=4).contains(&n)), |g, x| { f(g, [3]).scatter_add_along_axis(u(g, [3]), 0, n(x)); }),
        ("clip low", Floats(|x| x <= 1.0), |g, x| { f(g, [3]).clip(x, 1.0); }),
        ("clip high", Floats(|x| x >= 0.0), |g, x| { f(g, [3]).clip(0.0, x); }),
        ("clip low of a tensor", NUMBER, |g, x| { f(g, [3]).clip(x, f(g, [3])); }),
        ("clip high of a tensor", NUMBER, |g, x| { f(g, [3]).clip(f(g, [1]), x); }),
        ("clip low of u32", Floats(|x| x == f64::NEG_INFINITY || (0.0..=2.0).contains(&x) && x.fract() == 0.0), |g, x| { u(g, [3]).clip(x, 2.0); }),
        ("variance correction", Counts(|_| true), |g, x| { f(g, [3]).variance(0, n(x)); }),
        ("standard_deviation correction", Counts(|_| true), |g, x| { f(g, [3]).standard_deviation(0, n(x)); }),
        ("norm_p p", NUMBER, |g, x| { f(g, [3]).norm_p(x, 0); }),
        ("top_k k", Counts(|n| n <= 3), |g, x| { f(g, [3]).top_k(n(x), 0); }),
        ("bottom_k k", Counts(|n| n <= 3), |g, x| { f(g, [3]).bottom_k(n(x), 0); }),
        ("quantile q", SHARE, |g, x| { f(g, [3]).quantile(x, 0, QuantileMethod::Linear); }),
        ("quantiles qs", SHARE, |g, x| { f(g, [3]).quantiles(&[0.5, x], 0, QuantileMethod::Linear); }),
        ("scatter_elements of u32", Floats(|x| x >= 0.0 && x.is_finite() && x.fract() == 0.0), |g, x| { u(g, [3]).scatter_elements(u(g, [2]), 0, x); }),
        ("permutation n", COUNT_OR_NONE, |g, x| { g.permutation(n(x)); }),
        ("minibatch_deviation group", Counts(|n| matches!(n, 1 | 2 | 4)), |g, x| { f(g, [4, 2, 2, 2]).minibatch_deviation(n(x)); }),
        ("unpack_i8 k", Counts(|n| (1..=4).contains(&n)), |g, x| { u(g, [1]).unpack_i8(n(x)); }),
        // Pooling and resampling.
        ("adaptive_avg_pool outputs", COUNT_OR_NONE, |g, x| { f(g, [1, 1, 4]).adaptive_avg_pool(&[n(x)]); }),
        ("adaptive_max_pool outputs", COUNT_OR_NONE, |g, x| { f(g, [1, 1, 4]).adaptive_max_pool(&[n(x)]); }),
        ("lp_pool p", ORDER, |g, x| { f(g, [1, 1, 4]).lp_pool(&[Window::new(2)], x); }),
        ("max_unpool sizes", COUNT, |g, x| { f(g, [1, 1, 2]).max_unpool(g.full([1, 1, 2], U32, 0.0), &[n(x)]); }),
        ("upfirdn2d up", COUNT, |g, x| { f(g, [1, 2, 4, 4]).upfirdn2d(f(g, [2, 2]), n(x), 1, [(0, 0); 2]); }),
        ("upfirdn2d down", COUNT, |g, x| { f(g, [1, 2, 4, 4]).upfirdn2d(f(g, [2, 2]), 1, n(x), [(0, 0); 2]); }),
        ("transposed_convolution output_padding", Counts(|n| n <= 1), |g, x| { f(g, [1, 2, 4]).transposed_convolution(f(g, [2, 3, 3]), Geometry::new(1).stride([2]), [n(x)]); }),
        ("transposed_convolution_with_bias output_padding", Counts(|n| n <= 1), |g, x| { f(g, [1, 2, 4]).transposed_convolution_with_bias(f(g, [2, 3, 3]), f(g, [3]), Geometry::new(1).stride([2]), [n(x)]); }),
        ("fold sizes", Counts(|n| n == 4), |g, x| { f(g, [1, 8, 4]).fold([n(x), 4], [Window::new(2); 2]); }),
        ("transpose axes", Counts(|n| n == 1), |g, x| { f(g, [2, 3]).transpose([n(x), 0]); }),
        ("resize_by factors", Floats(|x| x >= 0.25 && x.is_finite()), |g, x| { f(g, [1, 3, 4]).resize_by(&[x], Interpolation::NearestMiddle); }),
        ("resize_by factors of smooth ones", Floats(|x| x >= 0.25 && x.is_finite()), |g, x| { f(g, [1, 3, 4]).resize_by(&[1.0, x], Interpolation::SmoothCubic); }),
        ("resize sizes of means", COUNT, |g, x| { f(g, [1, 3, 3]).resize(&[2, n(x)], Interpolation::Area); }),
        ("resize sizes of smooth ones", COUNT, |g, x| { f(g, [1, 3, 3]).resize(&[n(x)], Interpolation::SmoothLinear); }),
        ("resize sizes", COUNT, |g, x| { f(g, [1, 3, 3]).resize(&[n(x)], Interpolation::Nearest); }),
    ]
}

#[test]
fn nonsense_is_refused_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (what, valid, build) in cases() {
        let numbers: Vec<(f64, bool)> = match valid {
            Floats(valid) => FLOATS.map(|x| (x, valid(x))).to_vec(),
            Counts(valid) => COUNTS.map(|n| (n as f64, valid(n))).to_vec(),
        };
        for (number, is_valid) in numbers {
            tried += 1;
            let graph = Graph::new();
            let graph = std::panic::AssertUnwindSafe(&graph);
            if std::panic::catch_unwind(|| build(&graph, number)).is_err() {
                wrong.push(format!("{what} = {number}: panicked"));
                continue;
            }
            match (graph.check(), is_valid) {
                (Ok(()), false) => wrong.push(format!("{what} = {number}: accepted")),
                (Err(error), true) => wrong.push(format!("{what} = {number}: {error}")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Sources whose functions are not for users, or take numbers of those that are listed.
const ELSEWHERE: [(&str, &str); 16] = [
    ("nn/summary", "any number of levels may be printed"),
    ("optim/schedule", "checked when a schedule starts: its own tests"),
    ("nn/weight.rs", "internal"),
    ("functions/quotients.rs", "internal"),
    ("functions/targets.rs", "internal"),
    ("ops/attention/extents.rs", "internal"),
    ("ops/contract", "samples of operations"),
    ("ops/convolution/cpu", "internal"),
    ("ops/convolution/geometry.rs", "passed on by layers"),
    ("ops/pool", "windows, passed on by layers"),
    ("ops/cost.rs", "internal"),
    ("ops/gather.rs", "internal"),
    ("ops/custom.rs", "tests/suite/custom.rs"),
    ("ops/kernel.rs", "tests/suite/custom.rs"),
    ("ops/probe.rs", "internal"),
    ("ops/rows.rs", "internal"),
];

/// Types of parameters that are numbers, or become numbers.
const NUMBERS: [&str; 10] =
    ["f64", "usize", "u32", "i64", "Integers", "Section", "Pads", "Sizes", "Ends", "PerAxis"];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The arguments of a signature, up to its closing parenthesis.
fn arguments(signature: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut all) = (0, 0, Vec::new());
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' | '<' => depth += 1,
            ')' if depth == 0 => {
                all.push(&signature[begin..at]);
                break;
            }
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                all.push(&signature[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    all
}

/// Parameters that are numbers, of public functions, as in the first column of the cases.
fn parameters(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut owner = String::new();
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.trim_start().strip_prefix("impl") {
            // A trait is implemented for a type; generics stand in front of it and behind it.
            let rest = rest.rsplit(" for ").next().unwrap_or_default();
            let rest = match rest.strip_prefix('<') {
                Some(rest) => rest.split_once("> ").map_or("", |(_, rest)| rest),
                None => rest,
            };
            let name = rest.trim().split(['<', ' ']).next().unwrap_or_default();
            owner = match name {
                "Tensor" | "Graph" => String::new(),
                name => format!("{name}::"),
            };
        }
        let Some(rest) = line.trim_start().strip_prefix("pub fn ") else { continue };
        if !line.starts_with(' ') {
            owner.clear();
        }
        let mut signature = rest.to_owned();
        while !signature.contains('{') && !signature.ends_with(';') {
            signature += lines.next().unwrap_or("{").trim();
        }
        let name = signature.split(['(', '<']).next().unwrap_or_default();
        let open = signature.find('(').map_or(0, |at| at + 1);
        for parameter in arguments(&signature[open..]) {
            let Some((parameter, of)) = parameter.rsplit_once(": ") else { continue };
            let is_number = NUMBERS.iter().any(|number| of.contains(number));
            if is_number && !of.contains("Fn") {
                found.push(format!("{owner}{name} {}", parameter.trim().replace(' ', "")));
            }
        }
    }
    found
}

#[test]
fn every_number_has_its_nonsense() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for folder in ["nn", "optim", "functions", "ops"] {
        sources(&root.join(folder), &mut files);
    }
    let cases = cases();
    let mut missing = Vec::new();
    let mut listed = 0;
    for file in files {
        let place = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().into_owned();
        if ELSEWHERE.iter().any(|(path, _)| place.starts_with(path)) {
            continue;
        }
        for parameter in parameters(&fs::read_to_string(&file).expect("a source")) {
            // Builders of macros belong to several layers.
            let names = match (parameter.strip_prefix("$Layer::"), place.as_str()) {
                (Some(rest), "nn/convolution.rs") => {
                    ["Conv", "ConvTranspose"].map(|of| format!("{of}::{rest}")).to_vec()
                }
                (Some(rest), _) => vec![format!("windows!::{rest}")],
                (None, _) => vec![parameter],
            };
            for name in names {
                listed += 1;
                let is =
                    |(what, ..): &Case| *what == name || what.starts_with(&format!("{name} of "));
                if !cases.iter().any(is) {
                    missing.push(format!("{place}: {name}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{} of {listed}:\n{}", missing.len(), missing.join("\n"));
    assert!(listed > 100, "only {listed} parameters were found");
}
