//! Layers with parameters and whole models, from the files that PyTorch wrote of their parameters:
//! results, and derivatives of both orders.

use super::{array, device, difference, dtype, entries, numbers, text};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use wgrad::{
    Array, DType, Device, Error, Feed, FileError, Graph, Tensor, Variables, autodiff,
    io::{safetensors, state_dict},
    nn::{
        Activation, BatchNorm, Conv2d, ConvTranspose2d, Dense, GroupNorm, InstanceNorm, LayerNorm,
        LocalResponseNorm, Mode, ModulatedConv2d, Module, MultiHeadAttention, PRelu, Recurrent,
        Reset, RmsNorm, Scope, Sequential, SinusoidalPositions, State, TransformerLayer, gan,
        models::{self, Discriminator, Generator, LstmClassifier, ResNet, Stem, Transformer},
    },
};

/// A layer behind a convolution, whose parameters its derivatives are by.
fn behind(layer: impl Module + 'static) -> Box<dyn Module> {
    Box::new(Sequential::new().add(Conv2d::new(4, [1, 1])).add(layer))
}

fn module(name: &str) -> Box<dyn Module> {
    let kind = name.split('_').next().unwrap_or_default();
    let recurrent = |hidden| match kind {
        "rnn" => Recurrent::elman(hidden),
        "lstm" => Recurrent::lstm(hidden),
        _ => Recurrent::gru(hidden),
    };
    match name {
        "rnn_relu" => Box::new(recurrent(3).relu()),
        "lstm_steps_first" => Box::new(recurrent(3).layers(2).bidirectional().time_major()),
        "layer_norm_scale" => {
            Box::new(Sequential::new().add(Dense::new(6)).add(LayerNorm::new().without_bias()))
        }
        "rms_default" => Box::new(Sequential::new().add(Dense::new(6)).add(RmsNorm::new())),
        "prelu" => Box::new(PRelu::new()),
        "prelu_channels" => Box::new(PRelu::new().by_channel()),
        "batch_plain" => behind(BatchNorm::new().without_affine()),
        "batch_cumulative" => behind(BatchNorm::new().cumulative()),
        "group_plain" => behind(GroupNorm::new(2).without_affine()),
        "instance_plain" => behind(InstanceNorm::new()),
        "instance_running" => behind(InstanceNorm::new().affine().running(0.1)),
        "response" => behind(LocalResponseNorm::new(3).alpha(0.5).k(2.0)),
        "rms_axes" => {
            Box::new(Sequential::new().add(Dense::new(4)).add(RmsNorm::new().axes(2).eps(1e-5)))
        }
        "weight_norm_transposed" => Box::new(ConvTranspose2d::new(4, [3, 3]).weight_norm()),
        "spectral_transposed" => Box::new(ConvTranspose2d::new(4, [2, 2]).spectral_norm()),
        "cnn" => Box::new(models::cnn(3)),
        "generator" => Box::new(Generator::new(8, 3, 4)),
        "discriminator" => Box::new(Discriminator::new(3)),
        "rnn" | "lstm" | "gru" => Box::new(recurrent(3)),
        "rnn_plain" | "lstm_plain" | "gru_plain" => Box::new(recurrent(3).without_bias()),
        "rnn_deep" | "lstm_deep" | "gru_deep" => Box::new(deep(kind)),
        "gru_before" => Box::new(recurrent(3).reset(Reset::BeforeProduct)),
        "attention" => Box::new(MultiHeadAttention::new(2)),
        "attention_plain" => Box::new(MultiHeadAttention::new(3).without_bias()),
        "attention_grouped" => {
            Box::new(MultiHeadAttention::new(4).key_value_heads(2).rotary(100.0).causal())
        }
        "positions" => Box::new(
            Sequential::new().add(Dense::new(4)).add(Activation::tanh()).add(Dense::new(3)),
        ),
        "layer_behind" => Box::new(
            TransformerLayer::new(MultiHeadAttention::new(2), 8)
                .norm_behind()
                .activation(Activation::relu()),
        ),
        "layer_first" => Box::new(TransformerLayer::new(MultiHeadAttention::new(2), 8)),
        "mlp" => Box::new(models::mlp(&[8, 6], 3)),
        "autoencoder" => Box::new(models::autoencoder(6, &[5], 2)),
        "resnet_small" => Box::new(ResNet::new(Stem::Small, &[1, 2], 3, 4)),
        "resnet_large" => Box::new(ResNet::new(Stem::Large, &[1, 1], 3, 4)),
        "lstm_classifier" => Box::new(LstmClassifier::new(5, 3)),
        "transformer" => Box::new(Transformer::new(11, 7).width(8, 12).heads(2)),
        "weight_norm" => Box::new(Conv2d::new(4, [3, 3]).weight_norm()),
        "spectral_dense" => Box::new(Dense::new(3).spectral_norm()),
        "spectral_conv" => Box::new(Conv2d::new(4, [2, 2]).spectral_norm()),
        other => unreachable!("{other} is not known"),
    }
}

/// A convolution, a resampling, the deviation of the batch, a score.
fn judge<'g>(cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
    let y = Conv2d::new(3, [3, 3]).same().forward(&mut cx.child("conv"), x).tanh();
    let taps = [1.0, 3.0, 3.0, 1.0].map(|tap| x.graph().full([1], DType::F32, tap / 8.0));
    let taps = x.graph().concat(&taps, 0);
    let y = y.upfirdn2d(taps.outer(taps), 1, 2, [(1, 1), (1, 1)]).minibatch_deviation(2);
    Dense::new(1).forward(&mut cx.child("fc"), y.reshape([x.dim(0), 16]))
}

fn deep(kind: &str) -> Recurrent {
    let one = match kind {
        "rnn" => Recurrent::elman(2),
        "lstm" => Recurrent::lstm(2),
        _ => Recurrent::gru(2),
    };
    one.layers(2).bidirectional()
}

/// The outputs of a model for its inputs.
fn outputs<'g>(name: &str, cx: &mut Scope<'g>, inputs: &Value) -> Vec<Tensor<'g>> {
    let graph = cx.graph();
    let input = |key: &str| {
        let value = inputs.get(key)?;
        Some(graph.input(key, super::integers(&value["shape"]), dtype(value)))
    };
    let x = input("x").expect("every model has an input");
    match name {
        "rnn_lengths" | "lstm_lengths" | "gru_lengths" => {
            let state = input("hidden").map(|hidden| State { hidden, cell: input("cell") });
            let lengths = input("lengths");
            let (y, State { hidden, cell }) =
                deep(name.trim_end_matches("_lengths")).run(cx, x, state, lengths);
            [y, hidden].into_iter().chain(cell).collect()
        }
        "attention_cross" | "attention_mask" => {
            let memory = input("memory").expect("there is one");
            let mask = input("mask").map(|mask| mask.cast(DType::Bool));
            vec![MultiHeadAttention::new(2).attend(cx, x, memory, mask)]
        }
        "layer_mask" => {
            let mask = input("mask").expect("there is one").cast(DType::Bool);
            let layer = TransformerLayer::new(MultiHeadAttention::new(2), 8);
            vec![layer.masked(cx, x, mask)]
        }
        "judge" => vec![judge(cx, x)],
        "judge_r1" => vec![gan::r1_penalty(judge(cx, x), x)],
        "judge_penalty" => vec![gan::gradient_penalty(judge(cx, x), x)],
        "modulated" | "modulated_plain" | "modulated_double" | "path_length" => {
            let style = input("style").expect("there is one");
            let layer = match name {
                "modulated" => ModulatedConv2d::new(4, 3),
                "modulated_double" => ModulatedConv2d::new(4, 3).doubling(),
                "path_length" => ModulatedConv2d::new(2, 3),
                _ => ModulatedConv2d::new(2, 1).without_demodulation(),
            };
            let y = layer.forward(cx, x, style);
            let noise = input("noise");
            let penalty =
                |noise| gan::path_length_penalty(&mut cx.child("p"), y, noise, style, 0.01);
            vec![noise.map_or(y, penalty)]
        }
        "positions" => {
            let x = SinusoidalPositions::new().forward(cx, x);
            vec![module(name).forward(cx, x)]
        }
        _ => vec![module(name).forward(cx, x)],
    }
}

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models");
    folder.join(name).with_extension("safetensors")
}

/// The path of a parameter as PyTorch writes it, from what its documentation says of names.
fn torch_name(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let numbered = |part: &&str| part.split(':').next().unwrap_or_default().to_owned();
    parts.iter().map(numbered).collect::<Vec<_>>().join(".")
}

/// A constant tensor, as an input.
struct Constants<'g> {
    graph: &'g Graph,
    values: Vec<(String, Array)>,
}

impl<'g> Constants<'g> {
    fn add(&mut self, value: &Value) -> Result<Tensor<'g>, Error> {
        let name = format!("constant {}", self.values.len());
        let value = array(value, DType::F32)?;
        let tensor = self.graph.input(&name, value.shape().dims(), DType::F32);
        self.values.push((name, value));
        Ok(tensor)
    }

    /// The sum of all elements of tensors, each with its coefficient.
    fn weighted(&mut self, xs: &[Tensor<'g>], by: &[&Value]) -> Result<Tensor<'g>, Error> {
        let mut total = self.graph.full([], DType::F32, 0.0);
        for (&x, by) in xs.iter().zip(by) {
            total = total + (x * self.add(by)?).sum(..);
        }
        Ok(total)
    }
}

/// The worst of results, and of derivatives.
fn apart(device: &Device, entry: &Value) -> Result<[f64; 2], Error> {
    let name = text(&entry["name"]);
    let mut worst = [0.0f64; 2];
    for mode in [Mode::Eval, Mode::Train] {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, mode);
        let ys = outputs(name, &mut cx, &entry["inputs"]);
        graph.check()?;
        let params = cx.params();
        let mut constants = Constants { graph: &graph, values: Vec::new() };
        let mut wanted = ys.clone();
        let results = if mode == Mode::Eval { "evaluated" } else { "outputs" };
        if entry.get(results).is_none() {
            continue;
        }
        let mut expected: Vec<&Value> = entry[results].as_array().expect("a list").iter().collect();
        if mode == Mode::Train {
            let of = |key: &str| {
                let by_name = entry[key].as_object().expect("an object");
                assert_eq!(by_name.len(), params.len(), "{name}: parameters");
                params.iter().map(|(path, _)| &by_name[&torch_name(path)]).collect::<Vec<_>>()
            };
            let variables: Vec<Tensor> = params.iter().map(|(_, param)| *param).collect();
            let cotangents: Vec<_> =
                entry["cotangents"].as_array().expect("a list").iter().collect();
            let loss = constants.weighted(&ys, &cotangents)?;
            let first = autodiff::grad(loss, &variables);
            let total = constants.weighted(&first, &of("weights"))?;
            let second = autodiff::grad(total, &variables);
            // Sums as well: they need every coefficient.
            wanted.extend(first.into_iter().chain(second).chain([loss, total]));
            expected.extend(of("first").into_iter().chain(of("second")));
        }
        let program = graph.compile_pure(device, &wanted)?;
        let store = Variables::new(0);
        state_dict::load(&file(name), &graph, "", &store)?;
        let inputs = entry["inputs"].as_object().expect("an object").iter();
        let inputs = inputs.map(|(key, value)| Ok((key.clone(), array(value, dtype(value))?)));
        let mut feeds = inputs.collect::<Result<Vec<_>, Error>>()?;
        feeds.extend(constants.values);
        let feeds: Vec<(&str, &dyn Feed)> =
            feeds.iter().map(|(key, value)| (key.as_str(), value as &dyn Feed)).collect();
        let results = program.run(&store, &feeds)?;
        for (index, expected) in expected.iter().enumerate() {
            let got = results.get(index)?.read_f64()?;
            let by = difference(&got, &numbers(&expected["data"]), DType::F32);
            let kind = usize::from(index >= ys.len());
            worst[kind] = worst[kind].max(by);
            assert!(by < 1e-2, "{name}, {mode:?}, result {index}: {by:e}");
        }
    }
    Ok(worst)
}

/// Results and derivatives within these bounds.
fn all_agree(device: &Device, bounds: [f64; 2], only: &[&str]) -> Result<(), Error> {
    let entries = entries("models.json");
    assert!(entries.len() >= 56, "{} models", entries.len());
    for entry in &entries {
        let name = text(&entry["name"]);
        if !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let [results, derivatives] = apart(device, entry)?;
        eprintln!("{results:.1e}, derivatives {derivatives:.1e} on {}: {name}", device.name());
        assert!(results <= bounds[0], "{name}: {results:e}");
        assert!(derivatives <= bounds[1], "{name}: derivatives {derivatives:e}");
    }
    Ok(())
}

#[test]
fn models_on_the_reference_agree_with_pytorch() -> Result<(), Error> {
    all_agree(&Device::Reference, [1e-8; 2], &[])
}

/// Second derivatives pass some hundred rounded operations.
#[test]
fn models_on_the_cpu_agree_with_pytorch() -> Result<(), Error> {
    all_agree(&Device::cpu(), [1e-5, 1e-4], &[])
}

#[test]
fn models_on_the_gpu_agree_with_pytorch() -> Result<(), Error> {
    // Software compiles shaders slowly: one of each kind.
    let some =
        ["lstm_lengths", "gru_lengths", "attention_mask", "transformer", "modulated_double", "cnn"];
    device::gpu().map_or(Ok(()), |device| all_agree(&device, [1e-5, 1e-4], &some))
}

/// A saved model has the names, shapes and values of the file it was loaded from.
#[test]
fn parameters_go_back_to_pytorch() -> Result<(), Error> {
    for name in ["resnet_small", "transformer", "lstm_deep", "mlp"] {
        let entries = entries("models.json");
        let entry = entries.iter().find(|entry| entry["name"] == name).expect("it is there");
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        outputs(name, &mut cx.child("net"), &entry["inputs"]);
        let store = Variables::new(0);
        state_dict::load(&file(name), &graph, "net/", &store)?;
        let path = std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id()));
        state_dict::save(&path, &store, "net/")?;
        let read = |path: &Path| -> Result<BTreeMap<String, Array>, Error> {
            let all = safetensors::read(path)?.into_iter();
            Ok(all.filter(|(name, _)| !name.ends_with("num_batches_tracked")).collect())
        };
        let (was, is) = (read(&file(name))?, read(&path)?);
        std::fs::remove_file(&path).expect("it was written");
        assert_eq!(was, is, "{name}");
    }
    Ok(())
}

/// Names and shapes of the ResNet of torchvision, counters of batches apart.
#[test]
fn parameters_of_whole_models_are_those_of_pytorch() -> Result<(), Error> {
    let entries = entries("shapes.json");
    let entry = entries.iter().find(|entry| entry["name"] == "resnet18").expect("it is there");
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [1, 3, 64, 64], DType::F32);
    let y = ResNet::resnet18(Stem::Large, 1000).forward(&mut cx, x);
    let store = Variables::new(0);
    graph.compile(&Device::Reference, &[y])?.prepare(&store)?;
    let mut learned: Vec<String> = cx.params().iter().map(|(path, _)| torch_name(path)).collect();
    let mut expected = super::list(&entry["parameters"], |name| text(name).to_owned());
    learned.sort();
    expected.sort();
    assert_eq!(learned, expected);
    assert_eq!(learned.len(), 62);
    let mut shapes = BTreeMap::new();
    for path in store.paths() {
        shapes.insert(torch_name(&path), store.get(&path)?.shape().dims().to_vec());
    }
    let expected: BTreeMap<String, Vec<usize>> = entry["shapes"]
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, dims)| (name.clone(), super::integers(dims)))
        .collect();
    assert_eq!(shapes, expected);
    Ok(())
}

/// With `WGRAD_SAVE_MODELS=FOLDER`, what `golden/strict.py` loads: the weights of every model as they
/// are saved here, and what the CPU makes of its inputs.
#[test]
fn saved_models_are_what_pytorch_can_load() -> Result<(), Error> {
    let Ok(folder) = std::env::var("WGRAD_SAVE_MODELS") else { return Ok(()) };
    for entry in entries("models.json").iter().filter(|entry| entry.get("evaluated").is_some()) {
        let name = text(&entry["name"]);
        let graph = Graph::new();
        let ys = outputs(name, &mut Scope::new(&graph, Mode::Eval), &entry["inputs"]);
        let program = graph.compile_pure(&Device::cpu(), &ys)?;
        let store = Variables::new(0);
        state_dict::load(&file(name), &graph, "", &store)?;
        let path = Path::new(&folder).join(name);
        state_dict::save(&path.with_extension("safetensors"), &store, "")?;
        let inputs = entry["inputs"].as_object().expect("an object").iter();
        let inputs = inputs.map(|(key, value)| Ok((key.as_str(), array(value, dtype(value))?)));
        let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
        let feeds: Vec<(&str, &dyn Feed)> =
            inputs.iter().map(|(key, value)| (*key, value as &dyn Feed)).collect();
        let results = program.run(&store, &feeds)?;
        let results = (0..ys.len()).map(|k| results.get(k)?.read_f64());
        let text = serde_json::to_string(&results.collect::<Result<Vec<_>, Error>>()?);
        let text = text.expect("numbers are finite");
        std::fs::write(path.with_extension("json"), text).expect("the folder is there");
    }
    Ok(())
}

#[test]
fn parameters_of_another_model_are_an_error() {
    let wrong = |name: &str, of: &str| {
        let graph = Graph::new();
        let x = graph.input("x", [2, 5], DType::F32);
        module(name).forward(&mut Scope::new(&graph, Mode::Train), x);
        let store = Variables::new(0);
        let error = state_dict::load(&file(of), &graph, "", &store).expect_err("another model");
        assert_eq!(store.paths().len(), 0);
        error
    };
    let Error::File(FileError::Mismatch { report, .. }) = wrong("positions", "autoencoder") else {
        unreachable!("they have no tensor in common")
    };
    assert!(!report.mismatched.is_empty() && !report.unexpected.is_empty(), "{report}");
    let Error::File(FileError::Mismatch { report, .. }) = wrong("mlp", "positions") else {
        unreachable!("they have no tensor in common")
    };
    assert_eq!(
        (report.missing[0].name.as_str(), report.missing[0].path.as_str()),
        ("4.bias", "4:dense/bias")
    );
}
