//! Why ReLU replaced the sigmoid: the gradient that reaches each layer of a deep network.
//!
//! Two networks of the same shape learn the same digits. For each layer the norm of the gradient of
//! its weight is printed at the start of training and after some steps. The derivative of a sigmoid
//! is at most a quarter, so its gradient shrinks from layer to layer in the backward pass; that of
//! a ReLU is 1 where it is active.
//!
//! Concepts: a gradient is a tensor like any other. The training step asks
//! [`autodiff::grad`] for those it wants to see and makes their norms outputs of the program.
//!
//! ```sh
//! cargo run --release --example vanishing_gradients          # 300 steps
//! cargo run --release --example vanishing_gradients -- 20
//! ```

use wgrad::{data::digits, prelude::*};

const BATCH: usize = 64;
const HIDDEN: usize = 32;

/// Two hidden layers and an output, with one kind of activation.
fn network(activation: fn() -> Activation) -> Sequential {
    let dense = |units| Dense::new(units).init(Init::GlorotUniform);
    Sequential::new()
        .add(dense(HIDDEN))
        .add(activation())
        .add(dense(HIDDEN))
        .add(activation())
        .add(dense(digits::CLASSES))
}

/// Compiles a step of gradient descent, whose outputs are the loss and, by the path of each weight,
/// the norm of its gradient.
fn step(network: &Sequential, device: &Device) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let images = graph.input("images", [BATCH, digits::PIXELS], DType::F32);
    let labels = graph.input("labels", [BATCH], DType::U32);
    let loss = nn::cross_entropy(network.forward(&mut cx, images), labels);
    let mut outputs = vec![("loss".to_owned(), loss)];
    for (path, weight) in cx.params() {
        if path.ends_with("weight") {
            let gradient = autodiff::grad(loss, &[weight])[0];
            outputs.push((path, (gradient * gradient).sum(..).sqrt()));
        }
    }
    Sgd::new(0.5).update(&mut cx, loss);
    graph.compile(device, &outputs)
}

fn train(
    name: &str,
    network: &Sequential,
    data: &Labeled,
    steps: usize,
) -> Result<Vec<f64>, Error> {
    let program = step(network, &Device::cpu())?;
    let layers = &program.output_names()[1..];
    let variables = Variables::new(1);
    let mut norms = vec![];
    println!("{name}: norm of the gradient of each layer");
    println!("{:>6}  {:>8}  {}", "step", "loss", layers.join("  "));
    for k in 0..steps {
        let rows: Vec<usize> = (0..BATCH).map(|row| (k * BATCH + row) % data.len()).collect();
        let batch = data.rows(&rows)?;
        let inputs: [(&str, &dyn Feed); 2] =
            [("images", batch.inputs()), ("labels", batch.targets())];
        let outputs = program.run(&variables, &inputs)?;
        let of_layer = |layer: &String| outputs.scalar(layer.as_str());
        let values = layers.iter().map(of_layer).collect::<Result<Vec<f64>, Error>>()?;
        if k == 0 {
            norms = values.clone();
        }
        if k == 0 || k + 1 == steps {
            let columns: Vec<_> = values
                .iter()
                .zip(layers)
                .map(|(norm, layer)| format!("{norm:>width$.5}", width = layer.len()))
                .collect();
            let loss = outputs.scalar("loss")?;
            println!("{:>6}  {loss:>8.4}  {}", k + 1, columns.join("  "));
        }
    }
    println!();
    Ok(norms)
}

fn main() -> Result<(), Error> {
    let steps = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300);
    let data = digits::load()?;
    let sigmoid = train("sigmoid", &network(Activation::sigmoid), &data, steps)?;
    let relu = train("relu", &network(Activation::relu), &data, steps)?;
    for (name, norms) in [("sigmoid", &sigmoid), ("relu", &relu)] {
        if let [first, .., last] = norms[..] {
            let share = first / last;
            println!(
                "{name:>8}: at the start the first layer gets {share:.3} of the last's gradient"
            );
        }
    }
    Ok(())
}
