//! Networks of bytes beside those of floats.
#![cfg(feature = "files")]

mod device;

use wgrad::{
    Array, DType, Device, Error, Graph, Variables,
    data::{Dataset, digits},
    nn::{
        self, Activation, Conv2d, Dense, Flatten, MaxPool2d, Mode, Module, QuantisedConv2d,
        QuantisedDense, Scope, Sequential, Unflatten,
    },
    ops::Window,
    optim::Adam,
    train::Trainer,
};

fn floats() -> Sequential {
    Sequential::new()
        .add(Unflatten::new([1, 8, 8]))
        .add(Conv2d::new(8, [3, 3]).same())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Dense::new(10))
}

fn conv() -> QuantisedConv2d {
    QuantisedConv2d::new(8, [Window::new(3).stride(1).padding(1); 2])
}

fn bytes() -> Sequential {
    Sequential::new()
        .add(Unflatten::new([1, 8, 8]))
        .add(conv())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(QuantisedDense::new(10))
}

/// Logits, and the share of digits that is told right.
fn told(
    device: &Device,
    model: &dyn Module,
    variables: &Variables,
    data: &Dataset,
) -> Result<(Vec<f64>, f64), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let images = graph.input("images", data.images().shape(), DType::F32);
    let labels = graph.input("labels", [data.len()], DType::U32);
    let logits = model.forward(&mut cx.child("net"), images);
    let program = graph.compile_pure(device, &[logits, nn::accuracy(logits, labels)])?;
    let results =
        program.run(variables, &[("images", data.images()), ("labels", data.labels())])?;
    Ok((results.read_blocking(0)?.to_f64(), results.read_blocking(1)?.to_f64()[0]))
}

/// Bytes lose less than one digit in a hundred, and all devices count alike.
#[test]
fn a_network_of_bytes_tells_what_that_of_floats_tells() -> Result<(), Error> {
    let (train, held) = digits::load()?.split(0.2)?;
    let (variables, adam) = (Variables::new(1), Adam::new(3e-3));
    let cpu = Device::cpu();
    let net = floats();
    let trainer = Trainer::new(&net, &adam).epochs(6);
    trainer.fit(&cpu, &variables, (&train, &held), &mut |_| std::ops::ControlFlow::Continue(()))?;
    let (_, exact) = told(&cpu, &net, &variables, &held)?;
    assert!(exact > 0.93, "{exact}: it learned nothing");

    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let mut net = cx.child("net");
    conv().store(&mut net.child("1:conv2d"), 1);
    QuantisedDense::new(10).store(&mut net.child("5:dense"), 8 * 4 * 4);
    graph.compile(&cpu, &[])?.run(&variables, &[])?;

    let few = held.rows(&(0..16).collect::<Vec<_>>())?;
    let (reference, _) = told(&Device::Reference, &bytes(), &variables, &few)?;
    for device in [Some(cpu), device::gpu()].into_iter().flatten() {
        let (logits, _) = told(&device, &bytes(), &variables, &few)?;
        for (got, expected) in logits.iter().zip(&reference) {
            // Integers are equal; their scales are rounded to f32, and may move one across a half.
            assert!((got - expected).abs() < 0.05, "{got}, not {expected}");
        }
        let (_, near) = told(&device, &bytes(), &variables, &held)?;
        assert!((near - exact).abs() < 0.01, "{near} with bytes, {exact} with floats");
    }
    Ok(())
}

/// Every pair of bytes, against products of integers.
#[test]
fn bytes_are_multiplied_exactly() -> Result<(), Error> {
    let all: Vec<i32> = (-128..128).collect();
    for device in
        [Some(Device::Reference), Some(Device::cpu()), device::gpu()].into_iter().flatten()
    {
        let graph = Graph::new();
        let x = graph.input("x", [256, 1], DType::I32);
        let packed = x.pack_i8();
        let values = Array::new([256, 1], &all)?;
        let y = packed.matmul_i8(packed).eval(&device, &[("x", &values)])?.to_f64();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(y[i * 256 + j], f64::from(a * b), "{a} times {b} on {}", device.name());
            }
        }
    }
    Ok(())
}
