//! Complete training steps, and one inference. Data is random, generated once, and stays on the
//! device.

use crate::{
    bench::workload::{
        Extent::{self, Little, Whole},
        Workload,
    },
    dtype::DType,
    graph::{Graph, Tensor},
    init::Init,
    nn::{
        self, Mode, Module, Scope,
        models::{self, LstmClassifier, ResNet, Stem, Transformer},
    },
    optim::{Adam, AdamW, Optimizer, Sgd},
};

const NORMAL: Init = Init::Normal { mean: 0.0, std: 1.0 };

pub(super) fn workloads() -> Vec<Workload> {
    vec![
        mlp(),
        cnn("cnn_train", 64).smaller(cnn("cnn_train_small", 2)),
        resnet_train("resnet18_cifar_train", [16, 32])
            .smaller(resnet_train("resnet18_cifar_train_small", [4, 16])),
        resnet_infer("resnet18_infer", 224).smaller(resnet_infer("resnet18_infer_small", 32)),
        lstm("lstm_train", [32, 32]).smaller(lstm("lstm_train_small", [2, 4])),
        transformer("transformer_train", [8, 64])
            .smaller(transformer("transformer_train_small", [1, 8])),
    ]
}

/// The loss of a training step of a classifier with ten classes.
fn step<'g>(
    graph: &'g Graph,
    model: &dyn Module,
    optimizer: &dyn Optimizer,
    inputs: &[usize],
) -> Tensor<'g> {
    let mut cx = Scope::new(graph, Mode::Train);
    let x = graph.variable("inputs", inputs, DType::F32, NORMAL);
    let labels = graph.iota([inputs[0]], 0, DType::U32) % 10u32;
    let loss = nn::cross_entropy(model.forward(&mut cx.child("net"), x), labels);
    optimizer.update(&mut cx, loss);
    loss
}

fn mlp() -> Workload {
    Workload::model("mlp_train", "784-512-256-10, batch 128, Adam", "losses", |graph, extent| {
        let batch = if extent == Whole { 128 } else { 4 };
        step(graph, &models::mlp(&[512, 256], 10), &Adam::new(1e-3), &[batch, 784])
    })
}

fn cnn(name: &str, batch: usize) -> Workload {
    let shape = format!("1x28x28, batch {batch}, Adam");
    Workload::model(name, shape, "losses", move |graph, extent| {
        let batch = if extent == Whole { batch } else { 1 };
        step(graph, &models::cnn(10), &Adam::new(1e-3), &[batch, 1, 28, 28])
    })
}

fn resnet_train(name: &str, [batch, edge]: [usize; 2]) -> Workload {
    let shape = format!("3x{edge}x{edge}, batch {batch}, momentum");
    Workload::model(name, shape, "losses", move |graph, extent| {
        // With fewer than eight values per channel in the last layers, batch normalization
        // amplifies rounding errors.
        let [batch, edge] = if extent == Whole { [batch, edge] } else { [2, 16] };
        let (model, sgd) = (ResNet::resnet18(Stem::Small, 10), Sgd::new(0.01).momentum(0.9));
        step(graph, &model, &sgd, &[batch, 3, edge, edge])
    })
}

fn resnet_infer(name: &str, edge: usize) -> Workload {
    Workload::model(name, format!("3x{edge}x{edge}, batch 1"), "logits", move |graph, extent| {
        let edge = if extent == Whole { edge } else { 32 };
        let x = graph.variable("inputs", [1, 3, edge, edge], DType::F32, NORMAL);
        let mut cx = Scope::new(graph, Mode::Eval);
        ResNet::resnet18(Stem::Large, 1000).forward(&mut cx.child("net"), x)
    })
}

fn lstm(name: &str, [batch, steps]: [usize; 2]) -> Workload {
    let shape = format!("64-128, {steps} steps, batch {batch}, Adam");
    Workload::model(name, shape, "losses", move |graph, extent| {
        let [batch, steps] = if extent == Whole { [batch, steps] } else { [2, 4] };
        step(graph, &LstmClassifier::new(128, 10), &Adam::new(1e-3), &[batch, steps, 64])
    })
}

/// Each symbol is predicted from those before it.
fn transformer(name: &str, [batch, t]: [usize; 2]) -> Workload {
    let shape = format!("d256 h4 L2 ff1024, {t} symbols, batch {batch}, AdamW");
    Workload::model(name, shape, "losses", move |graph, extent: Extent| {
        let [batch, t] = if extent == Little { [1, 8] } else { [batch, t] };
        let mut cx = Scope::new(graph, Mode::Train);
        let symbols = graph.iota([batch * (t + 1)], 0, DType::U32) * 7919u32 % 1000u32;
        let symbols = symbols.reshape([batch, t + 1]);
        let logits = Transformer::new(1000, 64).forward(&mut cx, symbols.slice(1, ..t));
        let loss = nn::cross_entropy(logits, symbols.slice(1, 1..));
        AdamW::new(3e-4).update(&mut cx, loss);
        loss
    })
}
