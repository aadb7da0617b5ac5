//! The path, the shape and the first value of every variable of every layer, model and optimizer.
//!
//! Initial values are drawn from the path of a variable, so a scope or a variable of another name
//! starts another network without a word, and files of weights are no longer found. This file
//! notices. Paths and values are frozen: a line may be added with `WGRAD_BLESS=1`, and a line that
//! changes is a break that needs a reason.

use sha2::{Digest, Sha256};
use std::{fmt::Write as _, fs, path::Path};
use wgrad::{
    DType, Device, Error, Graph, Init, Tensor, Variables,
    io::{safetensors, state_dict},
    nn::*,
    optim::{
        Adadelta, Adagrad, Adam, AdamW, Lamb, Lion, Muon, NAdam, Optimizer, OptimizerExt, RAdam,
        RmsProp, Select, Sgd,
    },
};

pub(super) type Build = Box<dyn for<'g> Fn(&mut Scope<'g>, &'g Graph) -> Tensor<'g>>;

/// A module on an input of this shape.
fn on<M: Module + 'static>(dtype: DType, dims: &[usize], module: M) -> Build {
    let dims = dims.to_vec();
    Box::new(move |cx, graph| module.forward(cx, graph.input("x", dims.as_slice(), dtype)))
}

fn floats<M: Module + 'static>(dims: &[usize], module: M) -> Build {
    on(DType::F32, dims, module)
}

/// Layers with variables behind one another, for the kinds in the names of their scopes.
fn chain() -> Sequential {
    Sequential::new()
        .add(Conv2d::new(4, [3, 3]).same())
        .add(BatchNorm::new())
        .add(PRelu::new().by_channel())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(InstanceNorm::new().affine().running(0.1))
        .add(GroupNorm::new(2))
        .add(ConvTranspose2d::new(2, [2, 2]))
        .add(Flatten::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(6))
        .add(LayerNorm::new())
        .add(RmsNorm::new())
        .add(Sequential::new().add(Dense::new(4)).add(Dense::new(2)))
}

fn sequence() -> Sequential {
    Sequential::new()
        .add(Embedding::new(11, 8))
        .add(LearnedPositions::new(7))
        .add(MultiHeadAttention::new(2))
        .add(TransformerLayer::new(MultiHeadAttention::new(2), 12))
        .add(Recurrent::lstm(3))
        .add(Recurrent::gru(3))
        .add(Recurrent::elman(3))
}

fn trained<'g>(cx: &mut Scope<'g>, graph: &'g Graph) -> Tensor<'g> {
    let x = graph.input("x", [2, 4], DType::F32);
    let net = Sequential::new().add(Dense::new(3)).add(Activation::relu()).add(Dense::new(1));
    net.forward(&mut cx.child("net"), x).mean(..)
}

fn optimized(optimizer: impl Optimizer + 'static) -> Build {
    Box::new(move |cx, graph| {
        let loss = trained(cx, graph);
        optimizer.update(cx, loss);
        loss
    })
}

pub(super) fn layers() -> Vec<(&'static str, Build)> {
    let image = [2, 4, 6, 6];
    vec![
        ("dense", floats(&[2, 5], Dense::new(3))),
        ("dense spectral", floats(&[2, 5], Dense::new(3).spectral_norm())),
        ("dense weight norm", floats(&[2, 5], Dense::new(3).weight_norm())),
        ("conv 1d", floats(&[2, 3, 8], Conv1d::new(4, [3]))),
        ("conv 2d", floats(&image, Conv2d::new(4, [3, 3]))),
        ("conv 3d", floats(&[1, 2, 3, 3, 3], Conv3d::new(4, [2, 2, 2]))),
        ("conv weight norm", floats(&image, Conv2d::new(4, [3, 3]).weight_norm())),
        ("conv spectral", floats(&image, Conv2d::new(4, [3, 3]).spectral_norm())),
        ("conv grouped", floats(&image, Conv2d::new(4, [3, 3]).groups(2))),
        ("transposed 1d", floats(&[2, 3, 8], ConvTranspose1d::new(4, [3]))),
        ("transposed 2d", floats(&image, ConvTranspose2d::new(4, [3, 3]))),
        ("transposed 3d", floats(&[1, 2, 3, 3, 3], ConvTranspose3d::new(4, [2, 2, 2]))),
        ("transposed weight norm", floats(&image, ConvTranspose2d::new(4, [3, 3]).weight_norm())),
        ("transposed spectral", floats(&image, ConvTranspose2d::new(4, [3, 3]).spectral_norm())),
        ("embedding", on(DType::U32, &[2, 3], Embedding::new(11, 4))),
        ("batch norm", floats(&image, BatchNorm::new())),
        ("batch norm cumulative", floats(&image, BatchNorm::new().cumulative())),
        (
            "lambda",
            floats(
                &[2, 5],
                Lambda::new("lambda", |cx, x| x * cx.param("gain", [5], Init::HeNormal)),
            ),
        ),
        ("instance norm", floats(&image, InstanceNorm::new().affine())),
        ("instance norm running", floats(&image, InstanceNorm::new().affine().running(0.1))),
        ("layer norm", floats(&[2, 5], LayerNorm::new())),
        ("rms norm", floats(&[2, 5], RmsNorm::new())),
        ("group norm", floats(&image, GroupNorm::new(2))),
        ("local response", floats(&image, LocalResponseNorm::new(3))),
        ("prelu", floats(&image, PRelu::new())),
        ("prelu by channel", floats(&image, PRelu::new().by_channel())),
        ("dropout", floats(&[2, 5], Dropout::new(0.5))),
        ("elman", floats(&[2, 3, 4], Recurrent::elman(3))),
        ("lstm", floats(&[2, 3, 4], Recurrent::lstm(3))),
        ("gru", floats(&[2, 3, 4], Recurrent::gru(3))),
        ("lstm deep", floats(&[2, 3, 4], Recurrent::lstm(3).layers(2).bidirectional())),
        ("attention", floats(&[2, 3, 8], MultiHeadAttention::new(2))),
        ("attention grouped", floats(&[2, 3, 8], MultiHeadAttention::new(4).key_value_heads(2))),
        (
            "transformer layer",
            floats(&[2, 3, 8], TransformerLayer::new(MultiHeadAttention::new(2), 12)),
        ),
        ("learned positions", floats(&[2, 3, 8], LearnedPositions::new(5))),
        ("sinusoidal positions", floats(&[2, 3, 8], SinusoidalPositions::new())),
        ("calibrating", floats(&[2, 5], Calibrating(Dense::new(3)))),
        ("dense of bytes", floats(&[2, 5], QuantizedDense::new(3))),
        ("dense of bytes calibrated", floats(&[2, 5], QuantizedDense::new(3).calibrated())),
        ("conv of bytes", floats(&image, QuantizedConv2d::new(4, 3))),
        (
            "modulated",
            Box::new(|cx, graph| {
                let x = graph.input("x", [2, 3, 4, 4], DType::F32);
                let style = graph.input("style", [2, 5], DType::F32);
                ModulatedConv2d::new(4, 3).forward(cx, x, style)
            }),
        ),
        ("sequential", floats(&[2, 3, 6, 6], chain())),
        ("sequence", on(DType::U32, &[2, 7], sequence())),
    ]
}

pub(super) fn models() -> Vec<(&'static str, Build)> {
    use wgrad::nn::models::*;
    let image = [2, 3, 16, 16];
    vec![
        ("mlp", floats(&[2, 5], mlp(&[8, 6], 3))),
        ("cnn", floats(&[2, 1, 16, 16], cnn(3))),
        ("autoencoder", floats(&[2, 6], autoencoder(6, &[5], 2))),
        ("generator", floats(&[2, 4], Generator::new(8, 3, 4))),
        ("discriminator", floats(&[4, 3, 8, 8], Discriminator::new(3))),
        ("lstm classifier", floats(&[2, 3, 4], LstmClassifier::new(5, 3))),
        ("transformer", on(DType::U32, &[2, 7], Transformer::new(11, 7).width(8, 12).heads(2))),
        (
            "transformer with dropout",
            on(DType::U32, &[2, 7], Transformer::new(11, 7).width(8, 12).heads(2).dropout(0.1)),
        ),
        ("resnet small", floats(&image, ResNet::new(Stem::Small, &[1, 2], 3, 4))),
        ("resnet large", floats(&[2, 3, 32, 32], ResNet::new(Stem::Large, &[1, 1, 1], 3, 4))),
    ]
}

fn optimizers() -> Vec<(&'static str, Build)> {
    vec![
        ("adam", optimized(Adam::new(1e-3))),
        ("adam named", optimized(Adam::new(1e-3).named("disc"))),
        ("sgd", optimized(Sgd::new(0.1))),
        ("sgd with momentum", optimized(Sgd::new(0.1).momentum(0.9))),
        ("adamw", optimized(AdamW::new(1e-3))),
        ("amsgrad", optimized(Adam::new(1e-3).amsgrad())),
        ("nadam", optimized(NAdam::new(1e-3))),
        ("radam", optimized(RAdam::new(1e-3))),
        ("adagrad", optimized(Adagrad::new(0.1).initial_sum(0.5).lr_decay(0.1))),
        ("adadelta", optimized(Adadelta::new(1.0))),
        ("rmsprop", optimized(RmsProp::new(0.1).momentum(0.9).centered())),
        ("lion", optimized(Lion::new(1e-3))),
        ("lamb", optimized(Lamb::new(1e-3))),
        ("muon", optimized(Muon::new(0.1).group("vectors", Select::Vectors, Sgd::new(0.1)))),
    ]
}

/// The variables of a fresh store of seed 7, one per line: path, type, digest of its elements;
/// then the names that a file of its weights has.
fn described(name: &str, build: &Build) -> Result<String, Error> {
    let graph = Graph::new();
    let y = build(&mut Scope::new(&graph, Mode::Train).child("net"), &graph);
    let store = Variables::new(7);
    graph.compile(&Device::Reference, &[y])?.prepare(&store)?;
    let mut lines = String::new();
    for (path, array) in store.to_arrays()? {
        let digest = Sha256::digest(bytemuck::cast_slice::<u32, u8>(array.words()));
        let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        // The file leaves out f32.
        let meta = array.meta().to_string();
        let meta = meta.trim_end_matches(" f32");
        writeln!(lines, "{name}\t{path}\t{meta}\t{digest}").expect("memory suffices");
    }
    let file = std::env::temp_dir().join(format!(
        "wgrad-{}-{}",
        std::process::id(),
        name.replace(' ', "-")
    ));
    state_dict::save(&file, &store, "net/")?;
    let mut names: Vec<String> =
        safetensors::read(&file)?.into_iter().map(|(name, _)| name).collect();
    fs::remove_file(&file).expect("it was written");
    names.sort();
    writeln!(lines, "{name}\tsaved as\t{}", names.join(" ")).expect("memory suffices");
    Ok(lines)
}

#[test]
fn networks_start_where_they_always_did() -> Result<(), Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/initial_values.tsv");
    let mut now = String::new();
    for (name, build) in layers().iter().chain(&models()).chain(&optimizers()) {
        now += &described(name, build)?;
    }
    if std::env::var("WGRAD_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, &now).expect("the folder is there");
    }
    let frozen = fs::read_to_string(&path).expect("the file is there");
    let differ = frozen.lines().zip(now.lines()).find(|(frozen, now)| frozen != now);
    assert_eq!(differ, None, "the first line that differs, as it was and as it is");
    assert_eq!(frozen.lines().count(), now.lines().count(), "lines");
    Ok(())
}

/// Every layer and optimizer is among them: one that is added is frozen too.
#[test]
fn every_module_and_optimizer_is_frozen() {
    let sources = ["src/nn", "src/nn/models", "src/optim"].iter().flat_map(|folder| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path())
    });
    let this = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file!()));
    let this = this.expect("this file is there");
    let mut count = 0;
    for source in sources.filter(|path| path.is_file() && !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(source).expect("it is a file");
        for line in text.lines().filter(|line| line.starts_with("impl")) {
            let of = line.split_once("Module for ").or(line.split_once("Optimizer for "));
            let module = of.map_or("", |(_, of)| of).split(['<', ' ']).next().unwrap_or_default();
            // A reference to one is that one, and so is a box of one, or one with an adaptor.
            if module.is_empty() || module.starts_with('&') || ["Box", "With"].contains(&module) {
                continue;
            }
            let has_no_variables = ["Pool", "latten"].iter().any(|kind| module.contains(kind));
            let is_built = |end| this.contains(&format!("{module}{end}"));
            count += 1;
            assert!(
                has_no_variables || ["::", "2d::", "("].into_iter().any(is_built),
                "{module} is not in {}: add it, and run its tests with WGRAD_BLESS=1",
                file!()
            );
        }
    }
    assert!(count > 32, "{count} modules and optimizers");
}
