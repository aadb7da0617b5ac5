//! Numbers of dispatches and bytes that the scheduler promises.

use crate::{device, model};
use wgrad::{
    Array, DType, Device, Error, Graph, Init, Tensor, Variables, autodiff,
    data::digits,
    nn::{Mode, Module, Recurrent, Scope},
    optim::Adam,
    schedule::Plan,
    train::Trainer,
};

/// Dispatches of a GPU for what is built of inputs `x` `[64, 48]`, `w` `[48, 40]` and `b` `[40]`;
/// a long reduction takes two for one step of the plan.
fn dispatches(
    build: impl for<'g> Fn(Tensor<'g>, Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
) -> Result<usize, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [64, 48], DType::F32);
    let w = graph.input("w", [48, 40], DType::F32);
    let b = graph.input("b", [40], DType::F32);
    let program = graph.compile(&Device::cpu(), &[build(x, w, b)])?;
    eprintln!("{}", program.plan().map(Plan::to_string).unwrap_or_default());
    Ok(program.shaders().len())
}

#[test]
fn what_can_be_one_dispatch_is_one() -> Result<(), Error> {
    // Layout changes are only other indices.
    assert_eq!(dispatches(|x, _, _| (x.t().flip(0) * 2.0).tanh().pad([(1, 0), (0, 2)], 0.5))?, 1);
    assert_eq!(dispatches(|x, w, b| (x.matmul(w) + b).relu())?, 1, "a dense layer");
    assert_eq!(dispatches(|x, _, _| x.softmax(-1))?, 1);
    assert_eq!(dispatches(|x, _, _| (x * x).sum(1).sqrt() + 1.0)?, 1, "work before and after");
    Ok(())
}

/// A small network takes as long as its dispatches take to start, so their number may only fall:
/// 3 forward, 2 of the loss, 7 of the gradients, and 2 of the optimizer. The plan of a CPU has sums for the gradients
/// of the three biases, too.
#[test]
fn a_training_step_takes_no_more_dispatches_than_it_did() -> Result<(), Error> {
    let (data, network, adam) = (digits::load()?, model::network(), Adam::new(2e-3));
    let devices = [(Device::cpu(), 17)].into_iter().chain(device::gpu().map(|gpu| (gpu, 14)));
    for (device, most) in devices {
        let program = Trainer::classifier(&network, &adam).step(&device, &data, model::BATCH)?;
        eprintln!("{}", program.plan().map(Plan::to_string).unwrap_or_default());
        let count = program.shaders().len();
        assert!(count <= most, "{count} dispatches of {}", device.name());
    }
    Ok(())
}

/// A concatenation of which only parts are needed is never materialized.
#[test]
fn slices_of_what_was_put_together_come_apart() -> Result<(), Error> {
    let of = |device: &Device| -> Result<(Vec<Vec<f64>>, String), Error> {
        let graph = Graph::new();
        let x = graph.input("x", [4, 3], DType::F32);
        let both = graph.concat(&[x.tanh(), x.exp()], 0);
        let padded = x.sin().pad([(2, 1), (0, 2)], 7.0);
        let parts = [
            both.slice(0, 5..7),
            both.slice(0, 3..5),
            padded.slice(0, 3..5).slice(1, 1..3),
            padded.slice(1, 3..5),
        ];
        let program = graph.compile(device, &parts)?;
        let values: Vec<f32> = (0..12u8).map(|k| f32::from(k) / 8.0 - 0.7).collect();
        let value = Array::new([4, 3], &values)?;
        let outputs = program.run(&Variables::new(0), &[("x", &value)])?;
        let results = (0..4).map(|k| Ok(outputs.read_blocking(k)?.to_f64()));
        let plan = program.plan().map(Plan::to_string).unwrap_or_default();
        Ok((results.collect::<Result<_, Error>>()?, plan))
    };
    let ((got, plan), (expected, _)) = (of(&Device::cpu())?, of(&Device::Reference)?);
    for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
        assert!((got - expected).abs() < 1e-6, "{got}, not {expected}");
    }
    // Only the slice that reaches from one into the other needs both.
    assert_eq!(plan.matches("concat").count(), 1, "{plan}");
    Ok(())
}

/// The plan of a recurrent layer over so many steps, forward only or with its derivatives.
fn recurrent(layer: &Recurrent, steps: usize, derive: bool) -> Result<String, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [8, steps, 6], DType::F32);
    let y = layer.forward(&mut cx, x);
    let parameters: Vec<Tensor> = cx.params().into_iter().map(|(_, param)| param).collect();
    let wanted = if derive { autodiff::grad((y * y).sum(..), &parameters) } else { vec![y] };
    let program = graph.compile(&Device::cpu(), &wanted)?;
    Ok(program.plan().map(Plan::to_string).unwrap_or_default())
}

/// A step is a product and a map behind it that stores nothing but states, in training too: the way
/// back computes the gates again from their sums, in two dispatches for long short-term memory and
/// in three for gated recurrent units.
#[test]
fn a_recurrent_step_keeps_no_gates() -> Result<(), Error> {
    const STEPS: usize = 7;
    // Forward, two dispatches a step: beside them what comes from the inputs, which are turned before,
    // zeros to begin with, and the states put together, four at a time.
    let cells = [("lstm", Recurrent::lstm(5), 19, 2), ("gru", Recurrent::gru(5), 21, 3)];
    for (name, layer, forward, back) in cells {
        for derive in [false, true] {
            let plan = recurrent(&layer, STEPS, derive)?;
            let of = |word: &str| plan.lines().filter(|line| line.contains(word)).count();
            // One for each step computes its gates, and stores only the states; the last hidden
            // state may be computed where all are put together.
            assert!((STEPS..=STEPS + 1).contains(&of("tanh")), "{name}: {plan}");
            // No cotangent of the first state is asked for.
            let cells = if derive { back * STEPS - 1 } else { 0 };
            assert_eq!(of("_cell_"), cells, "{name}: {plan}");
            if !derive {
                assert_eq!(of(" matmul ["), STEPS + 1, "{name}: {plan}");
                let dispatches = plan.lines().filter(|line| line.contains(" [")).count();
                assert!(dispatches <= forward, "{name}: {dispatches}, {plan}");
            }
        }
    }
    Ok(())
}

/// Values that are not alive together share memory.
#[test]
fn a_deep_network_needs_the_memory_of_its_widest_place() -> Result<(), Error> {
    let graph = Graph::new();
    let mut y = graph.input("x", [64, 64], DType::F32);
    let w = graph.variable("w", [64, 64], DType::F32, Init::HeNormal);
    let mut intermediates = 0;
    for _ in 0..20 {
        y = y.matmul(w).tanh();
        intermediates += 4 * y.shape().len();
    }
    let program = graph.compile(&Device::cpu(), &[y])?;
    let plan = program.plan().expect("only the reference device has none");
    assert_eq!(plan.len(), 20, "{plan}");
    assert!(plan.peak_bytes() < intermediates, "{plan}");
    // Input, weight, result, and two values: the one that is read and the one that is written.
    assert_eq!(plan.peak_bytes(), 5 * 4 * 64 * 64, "{plan}");
    Ok(())
}
