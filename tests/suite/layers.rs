//! Derivatives of layers, by their operand and their parameters, against differences in f64.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Graph, Init, Meta, PadMode, Tensor, Variables, autodiff,
    nn::{
        Activation, AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten,
        GroupNorm, InstanceNorm, LayerNorm, LearnedPositions, LocalResponseNorm, LpPool2d,
        MaxPool2d, MaxUnpool2d, Mode, Module, MultiHeadAttention, PRelu, Recurrent, RmsNorm, Scope,
        Sequential, SinusoidalPositions, TransformerLayer,
    },
    testing::{Domain, GRAD_CHECK_BOUNDS, grad_check_module},
};

const NOISE: Domain = Domain::Range(-1.0, 1.0);

/// Every layer, with the shape and the values of what passes it.
fn layers() -> Vec<(Box<dyn Module>, &'static [usize], Domain)> {
    vec![
        (Box::new(Dense::new(3)), &[4, 5], NOISE),
        (Box::new(Conv2d::new(4, [3, 2]).groups(2).stride([2, 1])), &[2, 4, 6, 5], NOISE),
        (Box::new(ConvTranspose2d::new(2, [3, 3]).stride([2, 2])), &[1, 3, 3, 4], NOISE),
        (Box::new(Conv2d::new(2, 3).padding(1).pad_mode(PadMode::Circular)), &[1, 2, 3, 4], NOISE),
        (Box::new(Conv2d::new(2, 3).same().pad_mode(PadMode::Reflect)), &[1, 2, 3, 4], NOISE),
        (Box::new(AvgPool2d::new(2).stride(1).same().divisor(3)), &[1, 2, 4, 4], NOISE),
        (Box::new(LayerNorm::new()), &[3, 6], NOISE),
        (Box::new(RmsNorm::new()), &[3, 6], NOISE),
        (Box::new(LayerNorm::new().without_bias()), &[3, 6], NOISE),
        (Box::new(GroupNorm::new(2)), &[2, 4, 5], NOISE),
        (Box::new(BatchNorm::new()), &[5, 3, 4], NOISE),
        (Box::new(InstanceNorm::new().affine()), &[2, 3, 5], NOISE),
        (Box::new(InstanceNorm::new().running(0.1)), &[2, 3, 5], NOISE),
        (Box::new(BatchNorm::new().cumulative().without_affine()), &[5, 3, 4], NOISE),
        (Box::new(RmsNorm::new().axes(2)), &[2, 3, 4], NOISE),
        (Box::new(LocalResponseNorm::new(3).alpha(0.5)), &[2, 4, 3], NOISE),
        (Box::new(LpPool2d::new(2).order(3.0)), &[1, 2, 4, 4], Domain::Range(0.2, 1.0)),
        (Box::new(PRelu::new()), &[2, 3, 4], Domain::Distinct),
        (Box::new(PRelu::new().by_channel()), &[2, 3, 4], Domain::Distinct),
        (Box::new(ConvTranspose2d::new(2, [3, 3]).weight_norm()), &[1, 3, 3, 4], NOISE),
        (Box::new(Recurrent::elman(3).relu()), &[2, 3, 4], NOISE),
        (Box::new(MaxPool2d::new(2)), &[1, 2, 4, 6], Domain::Distinct),
        (Box::new(Dropout::new(0.4)), &[4, 8], NOISE),
        (Box::new(Dense::new(3).weight_norm()), &[4, 5], NOISE),
        (Box::new(Recurrent::elman(3).layers(2).dropout(0.5)), &[2, 3, 4], NOISE),
        (Box::new(Recurrent::lstm(3).bidirectional().last()), &[2, 3, 4], NOISE),
        (Box::new(Recurrent::gru(3)), &[2, 3, 4], NOISE),
        (Box::new(MultiHeadAttention::new(2).dropout(0.5)), &[2, 3, 4], NOISE),
        (Box::new(LearnedPositions::new(5)), &[2, 3, 4], NOISE),
        (Box::new(SinusoidalPositions::new()), &[2, 3, 4], NOISE),
        (
            Box::new(TransformerLayer::new(MultiHeadAttention::new(2).causal(), 6).dropout(0.3)),
            &[2, 3, 4],
            NOISE,
        ),
        (
            Box::new(
                Sequential::new()
                    .add(Conv2d::new(3, [3, 3]).same())
                    .add(Activation::tanh())
                    .add(Flatten::new())
                    .add(Dense::new(2))
                    .add(Activation::softmax()),
            ),
            &[2, 2, 3, 3],
            NOISE,
        ),
    ]
}

/// Every layer, by what passes it and by its parameters.
#[test]
fn slopes_of_layers_agree_with_differences() -> Result<(), Error> {
    for (layer, shape, domain) in &layers() {
        let x = domain.fill(&Meta::new(*shape, DType::F32), 5);
        let [first, second] = grad_check_module(layer.as_ref(), &x)?.expect("it is of floats");
        let name = layer.name();
        assert!(first.error() < GRAD_CHECK_BOUNDS[0], "{name}: {first:?}");
        assert!(second.error() < GRAD_CHECK_BOUNDS[1], "{name}: {second:?}");
    }
    Ok(())
}

/// Numbers by name.
type Named = Vec<(String, Vec<f64>)>;

/// The results of a layer in training, its derivatives by its operand and its parameters, and its
/// results in evaluation after that step.
fn traced(device: &Device, layer: &dyn Module, x: &Array) -> Result<(DType, Named), Error> {
    let store = Variables::new(3);
    let (mut results, mut dtype) = (Vec::new(), x.dtype());
    for mode in [Mode::Train, Mode::Eval] {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, mode);
        let input = graph.input("x", x.shape(), x.dtype());
        let y = layer.forward(&mut cx, input);
        dtype = y.dtype();
        let mut names = vec![format!("{mode:?}: y")];
        let mut wanted = vec![y];
        if mode == Mode::Train {
            // Not a plain sum: that of a normalized tensor is 0 whatever it is.
            let weights = graph.iota([y.shape().len()], 0, DType::F32).sin().reshape(y.shape());
            let loss = (y.cast(DType::F32) * weights).sum(..);
            let params = cx.params();
            let (paths, tensors): (Vec<String>, Vec<Tensor>) = params.into_iter().unzip();
            wanted.extend(autodiff::grad(loss, &[&[input][..], &tensors].concat()));
            names.extend(["slope of x".to_owned()].into_iter().chain(paths));
        }
        let outputs = graph.compile(device, &wanted)?.run(&store, &[("x", x)])?;
        for (k, name) in names.into_iter().enumerate() {
            results.push((name, outputs.read_blocking(k)?.to_f64()));
        }
    }
    Ok((dtype, results))
}

/// Every layer takes halves and returns halves, with parameters of f32; each value is off by a few
/// roundings to f16, those of weights, of what passes and of what returns.
#[test]
fn layers_take_halves_on_the_gpu_too() -> Result<(), Error> {
    let has_halves = |device: &Device| matches!(device, Device::Gpu(gpu) if gpu.has(DType::F16));
    let gpu = device::gpu().filter(has_halves);
    for (number, (layer, shape, domain)) in layers().iter().enumerate() {
        let x = domain.fill(&Meta::new(*shape, DType::F16), 5);
        let [half, float] = [DType::F16, DType::F32]
            .map(|dtype| Array::from_f64(Meta::new(*shape, dtype), &x.data));
        let (half, float) = (half?, float?);
        let (_, expected) = traced(&Device::Reference, layer.as_ref(), &float)?;
        // Pipelines are expensive to compile in software: every third layer.
        let gpu = gpu.clone().filter(|_| number % 3 == 0);
        for device in [Device::cpu(), Device::Reference].into_iter().chain(gpu) {
            let (dtype, got) = traced(&device, layer.as_ref(), &half)?;
            assert_eq!(dtype, DType::F16, "{} {number}", layer.name());
            for ((what, got), (_, expected)) in got.iter().zip(&expected) {
                let scale = expected.iter().fold(1.0, |scale: f64, x| scale.max(x.abs()));
                let off = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs());
                let worst = off.fold(
                    0.0,
                    |worst: f64, off| if off > worst || off.is_nan() { off } else { worst },
                );
                assert!(
                    worst <= 8.0 / 2048.0 * scale,
                    "{} {number} on {}, {what}: {worst:.1e} of {scale:.1e}",
                    layer.name(),
                    device.name()
                );
            }
        }
    }
    Ok(())
}

/// Dropout of weights needs them; where nothing is dropped, nothing of their size is made. A layer of
/// a transformer draws for the weights, for both of its parts, and between the dense layers.
#[test]
fn dropout_of_attention_is_for_training_only() -> Result<(), Error> {
    let layer = TransformerLayer::new(MultiHeadAttention::new(2), 6).dropout(0.1);
    let built = |mode| {
        let graph = Graph::new();
        let x = graph.input("x", [2, 3, 4], DType::F32);
        layer.forward(&mut Scope::new(&graph, mode), x);
        graph.check().map(|()| graph.to_string())
    };
    let count = |dump: &str, word: &str| dump.lines().filter(|line| line.contains(word)).count();
    let (training, evaluation) = (built(Mode::Train)?, built(Mode::Eval)?);
    // Three of the layer's own parts; that of attention is in its operation.
    assert_eq!(count(&training, "= random_uniform"), 3, "{training}");
    assert_eq!(count(&training, "= attention[dropped 0.1"), 1, "{training}");
    assert_eq!(count(&evaluation, "= random_uniform"), 0, "{evaluation}");
    assert_eq!(count(&evaluation, "= attention("), 1, "{evaluation}");
    assert_eq!(count(&evaluation, "= softmax"), 0, "{evaluation}");
    Ok(())
}

/// The weight of a layer begins as it would without normalization.
#[test]
fn weight_normalization_keeps_the_weight_that_it_begins_with() -> Result<(), Error> {
    let (graph, store) = (Graph::new(), Variables::new(4));
    let mut cx = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [1, 3, 3, 3], DType::F32);
    let normal = Conv2d::new(4, [3, 3]).weight_norm().forward(&mut cx.child("net"), x);
    let spread = ConvTranspose2d::new(2, [3, 3]).weight_norm().forward(&mut cx.child("up"), x);
    graph.compile(&Device::cpu(), &[normal, spread])?.prepare(&store)?;
    for layer in ["net", "up"] {
        let of = |name: &str| store.get(&format!("{layer}/{name}")).map(|value| value.to_f64());
        let (g, v) = (of("weight_g")?, of("weight_v")?);
        for (g, row) in g.iter().zip(v.chunks(v.len() / g.len())) {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((g - length).abs() < 1e-6 && length > 0.1, "{g}, not {length}");
        }
    }
    Ok(())
}

/// Max unpooling puts each maximum back where pooling found it.
#[test]
fn unpooling_goes_back() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let x = graph.input("x", [1, 1, 2, 4], DType::F32);
    let (y, places) = MaxPool2d::new(2).with_indices(&mut cx, x);
    let back = MaxUnpool2d::new(2).forward(&mut cx, y, places);
    let value = Array::new([1, 1, 2, 4], &[1.0f32, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, 1.0])?;
    let got = back.eval(&Device::cpu(), &[("x", &value)])?.to_f64();
    assert_eq!(got, [0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 9.0, 0.0]);
    Ok(())
}

/// A layer that passes no cotangent on to its parameter.
#[test]
fn a_wrong_layer_is_noticed() -> Result<(), Error> {
    struct Forgetful;
    impl Module for Forgetful {
        fn name(&self) -> &str {
            "forgetful"
        }
        fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
            let scale = cx.param("scale", [x.dim(-1)], Init::Ones);
            x * (scale + scale.detach()) * 0.5
        }
    }
    let x = NOISE.fill(&Meta::new([3, 4], DType::F32), 5);
    let [first, _] = grad_check_module(&Forgetful, &x)?.expect("it is of floats");
    assert!(first.error() > 1e-3, "{first:?}");
    Ok(())
}
