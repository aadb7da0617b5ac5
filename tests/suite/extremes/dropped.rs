//! Dropout of everything.

use super::{devices, values};
use wgrad::{
    Array, AttentionOptions, DType, Device, Error, Graph, Meta, Tensor, autodiff,
    nn::{Dropout, Mode, Module, MultiHeadAttention, Recurrent, Scope, TransformerLayer},
};

/// Types that a device has.
fn types(device: &Device) -> Vec<DType> {
    match device {
        Device::Gpu(gpu) if !gpu.has(DType::F16) => vec![DType::F32],
        _ => vec![DType::F32, DType::F16],
    }
}

/// Result, derivative, and derivative of the derivative are 0, of NaN and infinities too, and what is
/// dropped is still an input.
#[test]
fn what_is_dropped_is_nothing_on_the_gpu_too() -> Result<(), Error> {
    let odd = [1.0, f64::NAN, f64::INFINITY, -f64::INFINITY, -0.0, 60_000.0];
    for device in devices() {
        for dtype in types(&device) {
            // The last one is 1 as an f32, which is what draws are compared with.
            for p in [1.0, 1.0 - 1e-9] {
                let graph = Graph::new();
                let x = graph.input("x", [6], dtype);
                let y = Dropout::new(p).forward(&mut Scope::new(&graph, Mode::Train), x);
                let first = autodiff::grad((y * y + y).cast(DType::F32).sum(..), &[x])[0];
                let second = autodiff::grad((first * x).cast(DType::F32).sum(..), &[x])[0];
                let value = Array::from_f64(Meta::new([6], dtype), &odd)?;
                assert_eq!(graph.compile(&device, &[y])?.inputs().len(), 1, "{p}");
                let got = values(&device, &graph, &[y, first], &[("x", &value)])?;
                assert_eq!(got, [[0.0; 6]; 2], "{p} of {dtype} on {}", device.name());
                assert_eq!(values(&device, &graph, &[second], &[("x", &value)])?, [[0.0; 6]]);
            }
        }
    }
    Ok(())
}

/// In evaluation it is the identity, as of any other probability: no node is added.
#[test]
fn nothing_is_dropped_in_evaluation() {
    let graph = Graph::new();
    let x = graph.input("x", [2, 3], DType::F32);
    let before = graph.to_string();
    Dropout::new(1.0).forward(&mut Scope::new(&graph, Mode::Eval), x);
    assert_eq!((graph.check(), graph.to_string()), (Ok(()), before));
}

/// With all of its weights dropped, attention gives 0, whatever a value holds.
#[test]
fn attention_without_weights_is_nothing_on_the_gpu_too() -> Result<(), Error> {
    let numbers = [1.0, -0.5, f64::INFINITY, 2.0, f64::NAN, 0.25, -1.0, 3.0, 0.0, 1.5, 0.5, -2.0];
    for device in devices() {
        for dtype in types(&device) {
            let graph = Graph::new();
            let names = ["q", "k", "v"];
            let [q, k, v] = names.map(|name| graph.input(name, [1, 2, 3, 2], dtype));
            let options = AttentionOptions { causal: true, dropout: 1.0, ..Default::default() };
            let y = q.attention(k, v, options);
            let slopes = autodiff::grad((y + 1.0).cast(DType::F32).sum(..), &[q, k, v]);
            let value = Array::from_f64(Meta::new([1, 2, 3, 2], dtype), &numbers)?;
            let outputs = [&[y], &slopes[..]].concat();
            let inputs = names.map(|name| (name, &value));
            let got = values(&device, &graph, &outputs, &inputs)?;
            assert_eq!(got, [[0.0; 12]; 4], "{dtype} on {}", device.name());
        }
    }
    Ok(())
}

/// Layers that contain dropout take a probability of 1 as well, and train on what is left.
#[test]
fn layers_may_drop_everything() -> Result<(), Error> {
    let attention = || MultiHeadAttention::new(2);
    let layers: [Box<dyn Module>; 3] = [
        Box::new(attention().dropout(1.0)),
        Box::new(TransformerLayer::new(attention(), 6).dropout(1.0)),
        Box::new(Recurrent::gru(4).layers(2).dropout(1.0)),
    ];
    for layer in layers {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let x = graph.input("x", [2, 3, 4], DType::F32);
        let y = layer.forward(&mut cx, x);
        let params: Vec<Tensor> = cx.params().into_iter().map(|(_, param)| param).collect();
        let slopes = autodiff::grad((y * y).sum(..), &params);
        let value = Array::from_f64(x.meta(), &super::eighths(24))?;
        let outputs = [&[y], &slopes[..]].concat();
        for got in values(&Device::cpu(), &graph, &outputs, &[("x", &value)])? {
            assert!(got.iter().all(|x| x.is_finite()), "{}: {got:?}", layer.name());
        }
    }
    Ok(())
}
