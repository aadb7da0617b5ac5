use super::{LayerSummary, Summary};
use crate::{
    error::{Error, GraphError},
    nn::{models::*, *},
    prelude::*,
};

fn images(n: usize, channels: usize, size: usize) -> Meta {
    Meta::new([n, channels, size, size], DType::F32)
}

fn rows(n: usize, width: usize) -> Meta {
    Meta::new([n, width], DType::F32)
}

/// Two convolutions with batch normalization, then a dense layer.
fn lenet() -> Sequential {
    Sequential::new()
        .add(Conv2d::new(6, 5).padding(2))
        .add(BatchNorm::new())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(16, 5))
        .add(BatchNorm::new())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(10))
}

fn layer<'s>(summary: &'s Summary, path: &str) -> &'s LayerSummary {
    summary.layers.iter().find(|layer| layer.path == path).expect("there is such a layer")
}

#[test]
fn the_documentation_shows_the_text() -> Result<(), Error> {
    let net = Sequential::new().add(Dense::new(128)).add(Activation::relu()).add(Dense::new(10));
    let text = net.summary(Mode::Train, rows(32, 784))?.to_string();
    let documentation = include_str!("mod.rs");
    let shown = documentation.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = shown.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("///"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    assert_eq!(lines.join("\n"), text);
    Ok(())
}

#[test]
fn a_convolutional_network_is_a_table() -> Result<(), Error> {
    let text = lenet().summary(Mode::Eval, images(8, 1, 28))?.to_string();
    let expected = "\
sequential on x: [8, 1, 28, 28] f32, for evaluation

layer         output               parameters  operations  activations
0:conv2d      [8, 6, 28, 28] f32          156       1.9 M    147.0 KiB
1:batch_norm  [8, 6, 28, 28] f32           12     112.9 k    147.0 KiB
2:relu        [8, 6, 28, 28] f32            0      37.6 k    147.0 KiB
3:max_pool    [8, 6, 14, 14] f32            0      37.6 k     36.8 KiB
4:conv2d      [8, 16, 10, 10] f32       2,416       3.9 M     50.0 KiB
5:batch_norm  [8, 16, 10, 10] f32          32      38.4 k     50.0 KiB
6:relu        [8, 16, 10, 10] f32           0      12.8 k     50.0 KiB
7:max_pool    [8, 16, 5, 5] f32             0      12.8 k     12.5 KiB
8:flatten     [8, 400] f32                  0           0     12.5 KiB
9:dropout     -                             0           0          0 B
10:dense      [8, 10] f32               4,010      64.1 k        320 B
total         [8, 10] f32               6,626       6.1 M    653.1 KiB

parameters   6,626 (25.9 KiB), all trainable
variables    44 (176 B)
peak memory  284.6 KiB forward
";
    assert_eq!(text, expected);
    Ok(())
}

/// Counts of `sum(p.numel() for p in model.parameters())` in PyTorch 2, and of torchvision.
#[test]
fn known_networks_have_the_parameters_of_pytorch() -> Result<(), Error> {
    let resnet = ResNet::resnet18(Stem::Small, 10).summary(Mode::Eval, images(1, 3, 32))?;
    assert_eq!(resnet.total.params, 11_173_962);
    // Mean and variance of 4,800 channels.
    assert_eq!((resnet.total.trainable, resnet.total.variables), (11_173_962, 9_600));
    let large = ResNet::resnet18(Stem::Large, 1000).summary(Mode::Eval, images(1, 3, 224))?;
    assert_eq!(large.total.params, 11_689_512);
    let lstm = Recurrent::lstm(128).layers(2).bidirectional();
    let lstm = lstm.summary(Mode::Eval, Meta::new([4, 10, 64], DType::F32))?;
    // Per direction 512 x (64 + 128) and 512 x (256 + 128), with two biases of 512 in each layer.
    assert_eq!(lstm.total.params, 2 * (512 * (64 + 128) + 512 * (256 + 128) + 4 * 512));
    assert_eq!(lstm.total.output, Some(Meta::new([4, 10, 256], DType::F32)));
    let transformer = TransformerLayer::new(MultiHeadAttention::new(4), 1024);
    let transformer = transformer.summary(Mode::Train, Meta::new([2, 8, 256], DType::F32))?;
    assert_eq!(transformer.total.params, 789_760);
    assert_eq!(layer(&transformer, "self_attn").params, 4 * (256 * 256 + 256));
    Ok(())
}

#[test]
fn operations_are_those_of_the_formulas() -> Result<(), Error> {
    let dense = Dense::new(7).summary(Mode::Eval, rows(5, 11))?;
    // A multiply-add per weight and example, an addition per output.
    assert_eq!(dense.total.flops, f64::from(2 * 5 * 11 * 7 + 5 * 7));
    let conv = Conv2d::new(6, [3, 5]).stride(2).without_bias();
    let conv = conv.summary(Mode::Eval, Meta::new([4, 3, 9, 11], DType::F32))?;
    assert_eq!(conv.total.output, Some(Meta::new([4, 6, 4, 4], DType::F32)));
    assert_eq!(conv.total.flops, f64::from(2 * (4 * 6 * 4 * 4) * (3 * 3 * 5)));

    let batch = 3;
    let resnet = ResNet::resnet18(Stem::Small, 10).summary(Mode::Train, images(batch, 3, 32))?;
    let is_convolution = |layer: &&LayerSummary| layer.kind.as_deref() == Some("convolution");
    let convolutions: Vec<_> = resnet.layers.iter().filter(is_convolution).collect();
    assert_eq!(convolutions.len(), 20);
    let mut sum = 0.0;
    for layer in convolutions {
        let output = layer.output.as_ref().expect("it has one").shape.dims();
        // Each weight meets each position of the output.
        let flops = 2 * layer.params * output[0] * output[2] * output[3];
        assert_eq!(layer.flops, flops as f64);
        sum += layer.flops;
    }
    // 0.5555 G multiply-adds, as other counters have them.
    assert_eq!(sum, 2.0 * 555_417_600.0 * batch as f64);
    Ok(())
}

#[test]
fn a_layer_includes_those_within_it() -> Result<(), Error> {
    let summary = ResNet::resnet18(Stem::Small, 10).summary(Mode::Train, images(2, 3, 32))?;
    let within = |path: &str| {
        let prefix = format!("{path}/");
        let depth = path.matches('/').count() + 1;
        let inner = summary.layers.iter().filter(move |layer| layer.path.starts_with(&prefix));
        inner.filter(move |layer| layer.depth() == depth).collect::<Vec<_>>()
    };
    for outer in ["layer1", "layer2/0", "layer2/0/downsample"] {
        let (outer, inner) = (layer(&summary, outer), within(outer));
        assert!(inner.len() > 1);
        assert_eq!(outer.params, inner.iter().map(|layer| layer.params).sum::<usize>());
        assert_eq!(outer.variables, inner.iter().map(|layer| layer.variables).sum::<usize>());
        // There are additions and rectifiers between them.
        let flops = inner.iter().map(|layer| layer.flops).sum::<f64>();
        assert!(outer.flops >= flops && outer.flops < 1.01 * flops);
    }
    // Two convolutions, two normalizations, and two rectifiers, each 2 x 64 x 32 x 32 floats.
    assert_eq!(layer(&summary, "layer1/0").activation_bytes, 6 * 4 * 2 * 64 * 32 * 32);
    let text = |levels| summary.clone().depth(levels).to_string();
    let table = |levels| text(levels).lines().skip(3).take_while(|line| !line.is_empty()).count();
    assert_eq!([0, 1, 2].map(table), [1, 8, 16]);
    assert!(text(9).lines().all(|line| line.chars().count() <= 100));
    Ok(())
}

#[test]
fn shared_weights_are_counted_once() -> Result<(), Error> {
    let encoder = Sequential::new().add(Dense::new(16)).add(Activation::relu());
    let inputs = ["a", "b"].map(|name| (name, rows(8, 64)));
    let summary = Summary::of(Mode::Train, inputs, |cx, batch| {
        let [a, b] =
            ["a", "b"].map(|name| encoder.forward(&mut cx.child("encoder"), batch.get(name)));
        mean_squared_error(a, b)
    })?;
    let paths: Vec<&str> = summary.layers.iter().map(|layer| &*layer.path).collect();
    assert_eq!(paths, ["encoder", "encoder/0:dense", "encoder/1:relu"]);
    let dense = layer(&summary, "encoder/0:dense");
    assert_eq!((dense.calls, dense.params), (2, 64 * 16 + 16));
    assert_eq!(dense.flops, 2.0 * f64::from(2 * 8 * 64 * 16 + 8 * 16));
    assert_eq!(dense.activation_bytes, 2 * 4 * 8 * 16);
    assert_eq!(layer(&summary, "encoder").calls, 2);
    let text = summary.to_string();
    assert!(text.contains("\nencoder ×2 ") && text.contains("\n  0:dense ×2 "), "{text}");
    assert!(
        text.starts_with("a graph on a: [8, 64] f32, b: [8, 64] f32, for training\n"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_layer_that_does_nothing_has_no_output() -> Result<(), Error> {
    let eval = lenet().summary(Mode::Eval, images(2, 1, 28))?;
    assert_eq!(layer(&eval, "9:dropout").output, None);
    let train = lenet().summary(Mode::Train, images(2, 1, 28))?;
    assert_eq!(layer(&train, "9:dropout").output, Some(rows(2, 400)));
    assert_eq!(layer(&train, "9:dropout").kind.as_deref(), Some("dropout"));
    Ok(())
}

#[test]
fn a_derivative_is_no_output_of_a_layer() -> Result<(), Error> {
    let net = Sequential::new().add(Dense::new(4)).add(Activation::tanh()).add(Dense::new(1));
    let summary = Summary::of(Mode::Train, [("x", rows(8, 3))], |cx, batch| {
        let x = batch.get("x");
        let scores = net.forward(&mut cx.child("net"), x);
        gan::r1_penalty(scores, x)
    })?;
    assert_eq!(layer(&summary, "net/0:dense").output, Some(rows(8, 4)));
    assert_eq!(layer(&summary, "net").output, Some(rows(8, 1)));
    Ok(())
}

/// One of each family, on a batch.
fn models() -> Vec<(Box<dyn Module>, Meta)> {
    vec![
        (Box::new(mlp(&[128], 10)), rows(32, 784)),
        (Box::new(lenet()), images(8, 1, 28)),
        (Box::new(ResNet::resnet18(Stem::Small, 10)), images(16, 3, 32)),
        (Box::new(LstmClassifier::new(64, 10)), Meta::new([8, 20, 32], DType::F32)),
        (Box::new(Transformer::new(100, 64)), Meta::new([8, 64], DType::U32)),
    ]
}

#[test]
fn the_forward_peak_is_that_of_its_plan() -> Result<(), Error> {
    for (model, meta) in models() {
        for mode in [Mode::Train, Mode::Eval] {
            let graph = Graph::new();
            let x = graph.input("x", &meta.shape, meta.dtype);
            let y = model.forward(&mut Scope::new(&graph, mode), x);
            let program = graph.compile_pure(&Device::cpu(), &[y])?;
            let planned = program.plan().map(|plan| plan.peak_bytes());
            assert_eq!(Some(model.summary(mode, meta.clone())?.forward_bytes), planned);
        }
    }
    Ok(())
}

#[test]
fn the_peak_of_a_training_step_is_that_of_adam_without_its_moments() -> Result<(), Error> {
    for (model, meta) in models() {
        let summary = model.summary(Mode::Train, meta.clone())?;
        let trace = |cx: &mut Scope<'_>| -> Result<Option<usize>, Error> {
            let graph = cx.graph();
            let x = graph.input("x", &meta.shape, meta.dtype);
            let loss = model.forward(cx, x).square().mean(..);
            Adam::new(1e-3).update(cx, loss);
            Ok(graph.compile(&Device::cpu(), &[loss])?.plan().map(|plan| plan.peak_bytes()))
        };
        let planned = trace(&mut Scope::new(&Graph::new(), Mode::Train))?;
        let moments = 8 * summary.total.trainable;
        let ratio =
            planned.unwrap_or(0) as f64 / (summary.training_bytes.unwrap_or(0) + moments) as f64;
        // Variables that are updated together start at multiples of 256 bytes, which is most in
        // LeNet. Gradients that are stored together share their memory with others by other sizes.
        assert!((0.98..1.03).contains(&ratio), "{}: {ratio}", model.name());

        let exact = Summary::of(Mode::Train, [("x", meta.clone())], |cx, batch| {
            let loss = model.forward(cx, batch.get("x")).square().mean(..);
            Adam::new(1e-3).update(cx, loss);
            loss
        })?;
        assert_eq!(exact.training_bytes, planned);
        assert_eq!(exact.total.params, summary.total.params);
        // Two moments, the number of steps, and the learning rate.
        assert_eq!(exact.total.variables - summary.total.variables, moments / 4 + 2);
    }
    Ok(())
}

#[test]
fn what_cannot_be_trained_has_no_training_step() -> Result<(), Error> {
    let bytes = |module: &dyn Module, mode, meta| {
        Ok::<_, Error>(module.summary(mode, meta)?.training_bytes)
    };
    assert_eq!(bytes(&Dense::new(3), Mode::Eval, rows(2, 2))?, None);
    assert_eq!(bytes(&Activation::relu(), Mode::Train, rows(2, 2))?, None);
    assert_eq!(bytes(&Dense::new(3), Mode::Train, rows(0, 2))?, None);
    let classes = Lambda::new("classes", |cx, x| Dense::new(3).forward(cx, x).argmax(-1));
    assert_eq!(bytes(&classes, Mode::Train, rows(2, 2))?, None);
    assert_eq!(Sequential::new().summary(Mode::Train, rows(2, 2))?.layers, []);
    Ok(())
}

#[test]
fn an_input_that_does_not_fit_is_the_error_of_the_graph() {
    let error = lenet().summary(Mode::Train, rows(8, 784)).expect_err("they are no images");
    assert!(matches!(error, Error::Graph(GraphError::Op { .. })), "{error}");
    assert!(error.to_string().contains(" in 0:conv2d, made at "), "{error}");
    let missing = Summary::of(Mode::Eval, [("x", rows(1, 1))], |_, batch| batch.get("y"));
    assert!(matches!(missing, Err(Error::Graph(GraphError::NotGiven { .. }))));
}

#[test]
fn debug_is_short() -> Result<(), Error> {
    let summary = ResNet::resnet18(Stem::Small, 10).summary(Mode::Eval, images(1, 3, 32))?;
    assert!(format!("{summary:?}").len() < 700);
    Ok(())
}
