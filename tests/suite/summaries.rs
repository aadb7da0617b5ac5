//! `{:?}` of a public type is a few lines, however much it holds.

use crate::device;
use std::fmt::Debug;
use wgrad::{
    Array, Array64, AttentionOptions, Axes, DType, Device, Error, Feed, Graph, Init, Meta,
    Programs, Selection, Shape, Variables, Verification,
    data::{Labeled, Loader},
    nn::{Activation, Conv2d, Dense, Mode, Module, Scope, Sequential},
    ops::{Geometry, Window},
    optim::{Adam, Optimizer, Sgd},
    testing::Noise,
    train::{Confusion, Trainer},
};

/// Characters that one value may take, and lines that it may take if it is spread out.
const MOST: usize = 700;
const LINES: usize = 60;

struct Seen(Vec<(String, String)>);

impl Seen {
    fn see(&mut self, value: &impl Debug) {
        let spread = format!("{value:#?}");
        let text = format!("{value:?}");
        let name = text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
        assert!(text.len() <= MOST, "{} characters: {text}", text.len());
        assert!(spread.lines().count() <= LINES, "{spread}");
        self.0.push((name, text));
    }

    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text)
    }
}

/// A model of many layers, so that everything about it is long.
fn network() -> Sequential {
    (0..40).fold(Sequential::new(), |net, _| net.add(Dense::new(16)).add(Activation::relu()))
}

#[test]
fn debug_is_a_summary() -> Result<(), Error> {
    let mut seen = Seen(vec![]);
    let devices = [Device::cpu(), Device::Reference].into_iter().chain(device::gpu());
    for device in devices {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let inputs: Vec<_> =
            (0..30).map(|k| graph.input(&format!("x{k}"), [8, 16], DType::F32)).collect();
        let x = inputs.iter().copied().reduce(|a, b| a + b).expect("there are some");
        let y = network().forward(&mut cx.child("net"), x);
        let loss = (y * y).mean(..);
        Adam::new(1e-3).update(&mut cx, loss);
        graph.watch("y", y);
        let outputs: Vec<_> = (0..30).map(|k| (format!("loss{k}"), loss * f64::from(k))).collect();
        let program = graph.compile(&device, &outputs)?;
        let variables = Variables::new(3);
        let array = Array::full([8, 16], 0.5f32)?;
        let names: Vec<String> = (0..30).map(|k| format!("x{k}")).collect();
        let feeds: Vec<(&str, &dyn Feed)> =
            names.iter().map(|name| (name.as_str(), &array as &dyn Feed)).collect();
        let outputs = program.run(&variables, &feeds)?;
        seen.see(&device);
        seen.see(&cx);
        seen.see(&graph);
        seen.see(&x);
        seen.see(&program);
        seen.see(&outputs);
        seen.see(outputs.get(0)?);
        seen.see(&outputs.get("loss3")?.feed());
        seen.see(&variables);
        if let Some(plan) = program.plan() {
            seen.see(plan);
        }
        for assembly in program.shaders() {
            seen.see(&assembly);
        }
        if let Device::Gpu(gpu) = &device {
            seen.see(gpu);
            seen.see(&gpu.counters());
        }
        let cached = Programs::new(&device, |_, inputs| {
            vec![("x", inputs.iter().fold(inputs.get("x0"), |sum, (_, x)| sum + x))]
        });
        cached.run(&variables, &feeds)?;
        seen.see(&cached);
    }
    let graph = seen.text("Graph");
    assert!(graph.contains("x0: [8, 16] f32") && graph.contains("and 26 more"), "{graph}");
    let program = seen.text("Program");
    assert!(program.contains("loss0: [] f32") && program.contains("device: \"CPU"), "{program}");
    assert!(program.contains("steps: ") && program.contains("bytes: "), "{program}");

    let data = Labeled::new(Array::full([500, 16], 1.0f32)?, Array::full([500], 1u32)?)?;
    let (net, adam) = (network(), Adam::new(1e-3));
    seen.see(&Trainer::classifier(&net, &adam));
    seen.see(&data);
    seen.see(&Loader::new(&data, 32));
    let mut confusion = Confusion::new(1000);
    (0..1000).for_each(|class| confusion.add(class, class / 2));
    seen.see(&confusion);
    seen.see(&Array::full([50, 50], 0.25f32)?);
    seen.see(&Array64::from(&Array::full([50, 50], 0.25f32)?));
    seen.see(&Shape::from([3, 4]));
    seen.see(&Meta::new([3, 4], DType::F16));
    seen.see(&adam);
    seen.see(&Sgd::new(0.1));
    seen.see(&net);
    seen.see(&Conv2d::new(8, [3, 3]));
    seen.see(&AttentionOptions::default());
    seen.see(&Geometry::new(2));
    seen.see(&Window::new(2));
    seen.see(&Init::HeUniform);
    seen.see(&Noise::new(1));
    seen.see(&Selection::Best);
    seen.see(&Verification::default());
    seen.see(&[1, -1].resolve(3));
    Ok(())
}
