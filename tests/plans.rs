//! What the scheduler promises: how many dispatches, how much memory.

mod model;

use wgrad::{
    DType, Device, Error, Graph, Init, Tensor, data::digits, optim::Adam, schedule::Plan,
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
    assert_eq!(dispatches(|x, _, _| (x.t().flip(0) * 2.0).tanh().pad(&[(1, 0), (0, 2)], 0.5))?, 1);
    assert_eq!(dispatches(|x, w, b| (x.matmul(w) + b).relu())?, 1, "a dense layer");
    assert_eq!(dispatches(|x, _, _| x.softmax(-1))?, 1);
    assert_eq!(dispatches(|x, _, _| (x * x).sum(1).sqrt() + 1.0)?, 1, "work before and after");
    Ok(())
}

/// A small network takes as long as its dispatches take to start, so their number may only fall:
/// 3 forward, 2 of the loss, 10 of the gradients, and 2 of the optimizer.
#[test]
fn a_training_step_takes_no_more_dispatches_than_it_did() -> Result<(), Error> {
    let (data, network, adam) = (digits::load()?, model::network(), Adam::new(2e-3));
    let program = Trainer::new(&network, &adam).step(&Device::cpu(), &data, model::BATCH)?;
    eprintln!("{}", program.plan().map(Plan::to_string).unwrap_or_default());
    let count = program.shaders().len();
    eprintln!("{count} dispatches");
    assert!(count <= 17, "{count} dispatches");
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
