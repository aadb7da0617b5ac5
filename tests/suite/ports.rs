//! What means the same here as where it is ported from, or says that it does not.

use wgrad::{
    Array, AxisError, DType, Device, Error, Feed, Graph, GraphError, Init, OpError, Reduction,
    Tensor, Variables,
    autodiff::grad,
    nn::{
        Activation, CrossEntropy, Dense, Lambda, Mode, Module, Recurrent, Scope, Sequential,
        accuracy, cross_entropy,
        models::{ResNet, Stem},
    },
    optim::{Adam, Optimizer, OptimizerExt, Sgd, Update},
};

/// Numbers between -1 and 1, in no order.
fn numbers(dims: &[usize]) -> Result<Array, Error> {
    let len = dims.iter().product::<usize>();
    let values: Vec<f32> = (0..len).map(|k| ((k * 37 + 11) % 64) as f32 / 32.0 - 1.0).collect();
    Array::new(dims, &values)
}

fn is_ambiguous(graph: &Graph) -> bool {
    let reason = OpError::Axis(AxisError::Ambiguous { axes: [1, 2] });
    matches!(graph.check(), Err(GraphError::Op { reason: is, .. }) if is == reason)
}

/// `[3, 3, 3]` and labels `[3, 3]`: classes may be on axis 1, as in PyTorch, or on the last one.
#[test]
fn square_logits_need_an_axis() -> Result<(), Error> {
    type Build = for<'g> fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>;
    let builds: [Build; 4] = [
        cross_entropy,
        accuracy,
        |x, t| CrossEntropy::new().loss(x, t),
        |x, t| CrossEntropy::new().of_logarithms().ignoring(1).loss(x, t),
    ];
    for build in builds {
        for (dims, ambiguous) in [([3, 3, 3], true), ([3, 3, 4], false)] {
            let graph = Graph::new();
            let x = graph.input("x", dims, DType::F32);
            build(x, graph.input("t", [3, 3], DType::U32));
            assert_eq!(is_ambiguous(&graph), ambiguous, "{:?}", graph.check());
        }
    }
    for (axis, ambiguous) in [(None, true), (Some(1), false), (Some(-1), false)] {
        let graph = Graph::new();
        let x = graph.input("x", [2, 3, 4], DType::F32);
        let loss = axis.map_or(CrossEntropy::new(), |axis| CrossEntropy::new().axis(axis));
        loss.loss_of_probabilities(x, x.softmax(1));
        assert_eq!(is_ambiguous(&graph), ambiguous, "{:?}", graph.check());
    }
    Ok(())
}

/// Classes on axis 1 cost what they cost on the last axis.
#[test]
fn classes_may_lie_on_any_axis() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [3, 3, 3], DType::F32);
    let labels = graph.input("labels", [3, 3], DType::U32);
    let moved = x.transpose([0, 2, 1]);
    let loss = CrossEntropy::new().smoothing(0.1).ignoring(2).reduction(Reduction::None);
    let outputs = [
        loss.axis(1).loss(x, labels),
        loss.axis(-1).loss(moved, labels),
        loss.axis(1).loss_of_probabilities(x, x.softmax(1)),
        loss.axis(2).loss_of_probabilities(moved, moved.softmax(2)),
    ];
    let program = graph.compile(&Device::cpu(), &outputs)?;
    let labels = Array::new([3, 3], &[0u32, 1, 2, 2, 1, 0, 1, 0, 2])?;
    let inputs: [(&str, &dyn Feed); 2] = [("x", &numbers(&[3, 3, 3])?), ("labels", &labels)];
    let results = program.run(&Variables::new(0), &inputs)?;
    for pair in [[0, 1], [2, 3]] {
        let [a, b] = pair.map(|k| results.read_blocking(k));
        assert_eq!(a?, b?);
    }
    Ok(())
}

/// `update` is `apply` of the loss's gradients.
#[test]
fn update_applies_gradients() -> Result<(), Error> {
    let rules: [Box<dyn Optimizer>; 2] = [
        Box::new(Adam::new(0.1).weight_decay(0.01).clip_norm(0.5)),
        Box::new(Sgd::new(0.1).momentum(0.9).clip_norm(0.5)),
    ];
    for rule in rules {
        let trained = |by_hand: bool| -> Result<Array, Error> {
            let graph = Graph::new();
            let mut cx = Scope::new(&graph, Mode::Train);
            let x = graph.input("x", [4, 3], DType::F32);
            let y = Dense::new(2).forward(&mut cx.child("net"), x);
            let loss = (y * y).mean(..);
            if by_hand {
                let params = cx.params();
                let tensors: Vec<Tensor> = params.iter().map(|(_, param)| *param).collect();
                let updates: Vec<_> = params
                    .iter()
                    .zip(grad(loss, &tensors))
                    .map(|((path, param), gradient)| Update::new(path, *param, gradient))
                    .collect();
                rule.apply(&mut cx, &updates);
            } else {
                rule.update(&mut cx, loss);
            }
            let program = graph.compile(&Device::cpu(), &[loss])?;
            let store = Variables::new(0);
            for _ in 0..3 {
                program.run(&store, &[("x", &numbers(&[4, 3])?)])?;
            }
            store.get("net/weight")
        };
        assert_eq!(trained(false)?, trained(true)?);
    }
    Ok(())
}

#[test]
fn gradients_of_something_else_are_refused() {
    type Build = for<'g> fn(&'g Graph) -> Tensor<'g>;
    let builds: [(Build, OpError); 2] = [
        (|graph| graph.input("g", [3], DType::F32), OpError::Shapes),
        (|graph| graph.input("g", [2, 3], DType::I32), OpError::DType(DType::I32)),
    ];
    for (build, expected) in builds {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let param = cx.param("p", [2, 3], Init::Ones);
        Sgd::new(0.1).apply(&mut cx, &[Update::new("p", param, build(&graph))]);
        let error = graph.check();
        assert!(
            matches!(&error, Err(GraphError::Op { reason, .. }) if *reason == expected),
            "{error:?}"
        );
    }
}

/// Sequences with the steps first give what those with the examples first give.
#[test]
fn recurrent_layers_take_time_first() -> Result<(), Error> {
    let layers = [Recurrent::lstm(3).layers(2).bidirectional(), Recurrent::gru(2)];
    for layer in layers {
        for last in [false, true] {
            let graph = Graph::new();
            let mut cx = Scope::new(&graph, Mode::Eval);
            let layer = if last { layer.clone().last() } else { layer.clone() };
            let x = graph.input("x", [4, 5, 2], DType::F32);
            let y = layer.forward(&mut cx.child("net"), x);
            let mut again = Scope::new(&graph, Mode::Eval);
            let timed = layer.time_major().forward(&mut again.child("net"), x.transpose([1, 0, 2]));
            let timed = if last { timed } else { timed.transpose([1, 0, 2]) };
            let program = graph.compile(&Device::cpu(), &[y, timed])?;
            let results = program.run(&Variables::new(0), &[("x", &numbers(&[4, 5, 2])?)])?;
            assert_eq!(results.read_blocking(0)?, results.read_blocking(1)?);
        }
    }
    Ok(())
}

/// Without its last layer a ResNet gives what that layer would classify.
#[test]
fn a_headless_resnet_gives_features() -> Result<(), Error> {
    let resnet = ResNet::new(Stem::Small, &[1, 1], 4, 3);
    let graph = Graph::new();
    let x = graph.input("x", [2, 3, 8, 8], DType::F32);
    let scope = || Scope::new(&graph, Mode::Eval).child("net");
    let logits = resnet.forward(&mut scope(), x);
    let mut cx = scope();
    let features = resnet.clone().headless().forward(&mut cx, x);
    assert!(!cx.params().iter().any(|(path, _)| path.contains("fc")));
    let classified = Dense::new(3).forward(&mut cx.child("fc"), features);
    let stages: Vec<_> = resnet.stages(&mut scope(), x).iter().map(|y| y.shape()).collect();
    assert_eq!(
        stages.iter().map(|shape| shape.dims()).collect::<Vec<_>>(),
        [[2, 4, 8, 8], [2, 8, 4, 4],]
    );
    let program = graph.compile(&Device::cpu(), &[logits, classified])?;
    let results = program.run(&Variables::new(0), &[("x", &numbers(&[2, 3, 8, 8])?)])?;
    assert_eq!(results.read_blocking(0)?, results.read_blocking(1)?);
    Ok(())
}

/// A literal on the left needs no type, whatever follows.
#[test]
fn numbers_stand_on_either_side() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [3], DType::F32);
    let y = (1.0 - x).relu() + (2.0 * x).abs() + (6.0 / (x + 4.0)).floor() - (7.0 % x).sign();
    let x = Array::new([3], &[-1.0f32, 2.0, 0.5])?;
    assert_eq!(y.eval(&Device::cpu(), &[("x", &x)])?.to_f64(), [6.0, 4.0, 2.5]);
    Ok(())
}

/// Closures are layers, with the numbers and the modules that they hold.
#[test]
fn closures_are_layers() -> Result<(), Error> {
    let slope = 0.25;
    let inner = Dense::new(4);
    let net = Sequential::new().add(Activation::new("leaky", move |x| x.leaky_relu(slope))).add(
        Lambda::new("gated", move |cx, x| {
            let gate = cx.param("gate", [4], Init::Constant(2.0));
            inner.forward(&mut cx.child("inner"), x) * gate
        }),
    );
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let x = graph.input("x", [1, 4], DType::F32);
    let y = net.forward(&mut cx.child("net"), x);
    let paths: Vec<String> = cx.params().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["net/1:gated/gate", "net/1:gated/inner/weight", "net/1:gated/inner/bias",]);
    let store = Variables::new(0);
    let program = graph.compile(&Device::cpu(), &[y])?;
    program.prepare(&store)?;
    let eye: Vec<f32> = (0..16).map(|k| if k % 5 == 0 { 1.0 } else { 0.0 }).collect();
    store.set("net/1:gated/inner/weight", Array::new([4, 4], &eye)?)?;
    let x = Array::new([1, 4], &[-4.0f32, 0.0, 1.0, -1.0])?;
    let y = program.run(&store, &[("x", &x)])?.read_blocking(0)?;
    assert_eq!(y.to_f64(), [-2.0, 0.0, 2.0, -0.5]);
    Ok(())
}
