//! Networks of bytes beside those of floats.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Graph, Variables,
    data::{Labeled, digits},
    nn::{
        self, Activation, Calibrating, Conv2d, Dense, Flatten, MaxPool2d, Mode, Module,
        QuantizedConv2d, QuantizedDense, Scope, Sequential, Unflatten,
    },
    ops::Geometry,
    optim::Adam,
    train::Trainer,
};

fn network(conv: impl Module + 'static, dense: impl Module + 'static) -> Sequential {
    Sequential::new()
        .add(Unflatten::new([1, 8, 8]))
        .add(conv)
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(dense)
}

fn float_layers() -> (Conv2d, Dense) {
    (Conv2d::new(8, [3, 3]).same(), Dense::new(10))
}

fn conv() -> QuantizedConv2d {
    QuantizedConv2d::new(8, 3).same()
}

/// A trained model in floats, whose layers are calibrated and then stored as bytes.
fn trained(train: &Labeled, held: &Labeled) -> Result<(Sequential, Variables), Error> {
    let (variables, adam, cpu) = (Variables::new(1), Adam::new(3e-3), Device::cpu());
    let (of_images, of_features) = float_layers();
    let net = network(of_images, of_features);
    Trainer::classifier(&net, &adam).epochs(6).validate(held).fit(&cpu, &variables, train)?;

    let (of_images, of_features) = float_layers();
    let seeing = network(Calibrating(of_images), Calibrating(of_features));
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let images = graph.input("images", train.inputs().shape(), DType::F32);
    let logits = seeing.forward(&mut cx.child("net"), images);
    graph.compile(&cpu, &[logits])?.run(&variables, &[("images", train.inputs())])?;

    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let mut inner = cx.child("net");
    conv().store(&mut inner.child("1:conv2d"), 1);
    QuantizedDense::new(10).store(&mut inner.child("5:dense"), 8 * 4 * 4);
    graph.compile(&cpu, &[])?.run(&variables, &[])?;
    Ok((net, variables))
}

/// Logits, and the share of digits that is told right.
fn told(
    device: &Device,
    model: &dyn Module,
    variables: &Variables,
    data: &Labeled,
) -> Result<(Vec<f64>, f64), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let images = graph.input("images", data.inputs().shape(), DType::F32);
    let labels = graph.input("labels", [data.len()], DType::U32);
    let logits = model.forward(&mut cx.child("net"), images);
    let program = graph.compile_pure(device, &[logits, nn::accuracy(logits, labels)])?;
    let results =
        program.run(variables, &[("images", data.inputs()), ("labels", data.targets())])?;
    Ok((results.read_blocking(0)?.to_f64(), results.read_blocking(1)?.to_f64()[0]))
}

/// Bytes lose less than one digit in a hundred, and all devices count alike; with scales of each batch
/// and with calibrated ones.
#[test]
fn a_network_of_bytes_tells_what_that_of_floats_tells() -> Result<(), Error> {
    let (train, held) = digits::load()?.split(0.2)?;
    let (net, variables) = trained(&train, &held)?;
    let cpu = Device::cpu();
    let (_, exact) = told(&cpu, &net, &variables, &held)?;
    assert!(exact > 0.93, "{exact}: it learned nothing");

    let few = held.rows(&(0..16).collect::<Vec<_>>())?;
    let calibrated = network(conv().calibrated(), QuantizedDense::new(10).calibrated());
    for net in [network(conv(), QuantizedDense::new(10)), calibrated] {
        let (reference, _) = told(&Device::Reference, &net, &variables, &few)?;
        for device in [Some(Device::cpu()), device::gpu()].into_iter().flatten() {
            let (logits, _) = told(&device, &net, &variables, &few)?;
            for (got, expected) in logits.iter().zip(&reference) {
                // Integers are equal; their scales are rounded to f32, and may move one across a
                // half.
                assert!((got - expected).abs() < 0.05, "{got}, not {expected}");
            }
            let (_, near) = told(&device, &net, &variables, &held)?;
            assert!((near - exact).abs() < 0.01, "{near} with bytes, {exact} with floats");
        }
    }
    Ok(())
}

/// A bright image in a batch changes what is seen in the others, unless scales are calibrated.
#[test]
fn calibrated_scales_keep_examples_apart() -> Result<(), Error> {
    let (train, held) = digits::load()?.split(0.2)?;
    let (_, variables) = trained(&train, &held)?;
    let logits = |net: &Sequential, images: &[f32]| {
        let graph = Graph::new();
        let x = graph.input("images", [images.len() / 64, 64], DType::F32);
        let mut cx = Scope::new(&graph, Mode::Eval);
        let y = net.forward(&mut cx.child("net"), x);
        let images = Array::new([images.len() / 64, 64], images)?;
        let program = graph.compile_pure(&Device::cpu(), &[y])?;
        let y = program.run(&variables, &[("images", &images)])?.read_blocking(0)?.to_f64();
        Ok::<_, Error>(y[..10].to_vec())
    };
    let one: Vec<f32> = held.rows(&[3])?.inputs().to_f64().iter().map(|&x| x as f32).collect();
    let beside: Vec<f32> = one.iter().copied().chain([100.0; 64]).collect();
    let dynamic = network(conv(), QuantizedDense::new(10));
    let calibrated = network(conv().calibrated(), QuantizedDense::new(10).calibrated());
    assert_eq!(logits(&calibrated, &one)?, logits(&calibrated, &beside)?);
    assert_ne!(logits(&dynamic, &one)?, logits(&dynamic, &beside)?);
    Ok(())
}

/// A convolution with stride, dilation, uneven padding and groups, against loops over integers.
#[test]
fn bytes_are_convolved_exactly() -> Result<(), Error> {
    let byte = |k: usize| (k * 37 + 11) as i32 % 255 - 127;
    // Two groups of five channels, which fill a word and a quarter.
    let x: Vec<i32> = (0..2 * 7 * 6 * 10).map(byte).collect();
    let w: Vec<i32> = (0..6 * 3 * 2 * 5).map(|k| byte(3 * k + 5)).collect();
    let (stride, dilation, low) = ([2, 1], [1, 3], [1usize, 2]);
    let (rows, columns) = (4, 7);
    let mut expected = Vec::new();
    for (n, row) in (0..2).flat_map(|n| (0..rows).map(move |row| (n, row))) {
        for (column, output) in (0..columns).flat_map(|c| (0..6).map(move |o| (c, o))) {
            let mut sum = 0;
            for (i, j) in (0..3).flat_map(|i| (0..2).map(move |j| (i, j))) {
                let at: [usize; 2] =
                    [row * stride[0] + i * dilation[0], column * stride[1] + j * dilation[1]];
                let (Some(y), Some(z)) = (at[0].checked_sub(low[0]), at[1].checked_sub(low[1]))
                else {
                    continue;
                };
                for c in (0..5).filter(|_| y < 7 && z < 6) {
                    sum += x[((n * 7 + y) * 6 + z) * 10 + output / 3 * 5 + c]
                        * w[((output * 3 + i) * 2 + j) * 5 + c];
                }
            }
            expected.push(f64::from(sum));
        }
    }
    for device in
        [Some(Device::Reference), Some(Device::cpu()), device::gpu()].into_iter().flatten()
    {
        let graph = Graph::new();
        let bytes = graph.input("x", [2, 7, 6, 2, 5], DType::I32).pack_i8();
        let weight = graph.input("w", [6, 3, 2, 5], DType::I32).pack_i8();
        let geometry = Geometry::new(2).stride(stride).dilation(dilation);
        let geometry = geometry.padding([(1, 1), (2, 2)]).groups(2);
        let y = bytes.reshape([2, 7, 6, 4]).convolution_i8(weight, geometry);
        let (x, w) = (Array::new([2, 7, 6, 2, 5], &x)?, Array::new([6, 3, 2, 5], &w)?);
        let got = y.eval(&device, &[("x", &x), ("w", &w)])?.to_f64();
        assert_eq!(got, expected, "on {}", device.name());
    }
    Ok(())
}

/// Sums of products become bytes as the product of an integer and a shift does, a ratio for each
/// column; within the kernel of the product.
#[test]
fn sums_are_rescaled_exactly() -> Result<(), Error> {
    let bytes: Vec<i32> = (0..9 * 8).map(|k| (k * 53 + 7) % 255 - 127).collect();
    // Each a significand of 24 bits over a power of 2.
    let ratios =
        [(8_388_609u64, 34), (12_345_677, 35), (16_777_215, 36), (1 << 23, 33), (1 << 23, 32)];
    let rounded = |sum: i64, (significand, shift): (u64, u32)| {
        let product = u128::from(sum.unsigned_abs()) * u128::from(significand);
        let (whole, rest) = (product >> shift, product & ((1 << shift) - 1));
        let half = 1u128 << (shift - 1);
        let up = rest > half || (rest == half && whole % 2 == 1);
        sum.signum() as f64 * (whole + u128::from(up)).min(127) as f64
    };
    let mut expected = Vec::new();
    for (i, j) in (0..9).flat_map(|i| (0..5).map(move |j| (i, j))) {
        let products = (0..8).map(|k| i64::from(bytes[i * 8 + k]) * i64::from(bytes[j * 8 + k]));
        expected.push(rounded(products.sum(), ratios[j]) + 0.0);
    }
    let scale = |(significand, shift): (u64, u32)| significand as f32 / 2f32.powi(shift as i32);
    for device in
        [Some(Device::Reference), Some(Device::cpu()), device::gpu()].into_iter().flatten()
    {
        let graph = Graph::new();
        let packed = graph.input("x", [9, 8], DType::I32).pack_i8();
        let ratio = graph.input("ratio", [5], DType::F32);
        let y = packed.matmul_i8(packed.slice(0, ..5)).requantize(ratio);
        let x = Array::new([9, 8], &bytes)?;
        let ratio = Array::new([5], &ratios.map(scale))?;
        let got = y.eval(&device, &[("x", &x), ("ratio", &ratio)])?.to_f64();
        assert_eq!(got, expected, "on {}", device.name());
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
