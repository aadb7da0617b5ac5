//! Gradients of a layer's weight and bias by one kernel.

use super::{device, products::written, *};
use crate::{
    gpu::simulate,
    nn::{Conv2d, Dense, Mode, Module, Scope},
    proof::Case,
    schedule::{
        Plan,
        plan::{Step, StepKind},
    },
};

/// A layer with a bias, and the shape of its input.
struct Layer {
    layer: Box<dyn Module>,
    x: &'static [usize],
    /// The order of its terms that the plan tells, and the dispatches of the step.
    order: &'static str,
    dispatches: usize,
}

fn layers() -> Vec<Layer> {
    let of = |layer, x, order, dispatches| Layer { layer, x, order, dispatches };
    let padded = |outputs, window: [usize; 2]| Conv2d::new(outputs, window).padding(1);
    vec![
        of(Box::new(Dense::new(33)), &[35, 20], "", 1),
        of(Box::new(Dense::new(33)), &[2, 150, 20], "in 4 slices of 300 terms", 1),
        // In parts, which a dispatch for each result adds up.
        of(Box::new(Dense::new(35)), &[1030, 6], "in 4 parts of 288 terms", 3),
        of(Box::new(padded(33, [3, 3]).stride(2)), &[2, 5, 9, 8], "", 1),
        // Patches, and those in parts.
        of(Box::new(padded(40, [3, 3])), &[2, 9, 3, 36], "", 1),
        of(Box::new(padded(40, [2, 1])), &[1, 5, 25, 42], "in 4 parts of 288 terms", 3),
        // A group for each of several parts of the images.
        of(Box::new(padded(5, [3, 3])), &[6, 2, 15, 17], "", 1),
        // A product.
        of(Box::new(Conv2d::new(6, 1)), &[1, 4, 3, 5], "", 1),
    ]
}

/// Gradients of the parameters of a layer, after work in front of it.
fn gradients<'g>(graph: &'g Graph, of: &Layer) -> Vec<Tensor<'g>> {
    let mut cx = Scope::new(graph, Mode::Train);
    let x = graph.input("x", of.x, DType::F32);
    let y = of.layer.forward(&mut cx, x.sin());
    let parameters: Vec<Tensor> = cx.params().into_iter().map(|(_, parameter)| parameter).collect();
    crate::autodiff::grad((y.tanh() * 3.0).sum(..), &parameters)
}

/// The step of a plan that writes both gradients.
fn number_of(plan: &Plan) -> Option<usize> {
    let has_both = |step: &Step| match &step.kind {
        StepKind::Kernel { kernel, writes, .. } => {
            writes.len() == 2 && kernel.results[1].name == "bias"
        }
        _ => false,
    };
    plan.steps.iter().position(has_both)
}

#[test]
fn one_kernel_has_both_gradients_and_they_are_right() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = Device::Gpu(gpu.clone());
    for layer in layers() {
        let graph = Graph::new();
        let wanted = gradients(&graph, &layer);
        let x: Vec<f32> =
            (0..layer.x.iter().product()).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let x = Array::new(layer.x, &x)?;
        let program = graph.compile(&gpu, &wanted)?;
        let about = format!("{:?}, {}", layer.x, layer.order);
        let plan = program.plan().expect("a GPU runs one");
        let number = number_of(plan).unwrap_or_else(|| panic!("{about}: {plan}"));
        assert_eq!(program.shaders_of(number)?.len(), layer.dispatches, "{about}: {plan}");
        assert!(plan.to_string().contains(layer.order), "{about}: {plan}");
        for report in simulate::check_plan(plan)? {
            assert!(report.report.hazards.is_empty(), "{about}: {report}");
        }
        let run = |device: &Device| -> Result<Vec<Vec<f64>>, Error> {
            let program = graph.compile(device, &wanted)?;
            let outputs = program.run(&Variables::new(3), &[("x", &x)])?;
            (0..2).map(|k| Ok(outputs.read_blocking(k)?.to_f64())).collect()
        };
        let alone = graph.compile(&gpu, &wanted[1..])?;
        assert!(number_of(alone.plan().expect("a GPU runs one")).is_none(), "{about}");
        let alone = alone.run(&Variables::new(3), &[("x", &x)])?.read_blocking(0)?.to_f64();
        let both = run(&gpu)?;
        assert_eq!(both[1], alone, "{about}: the bias's has the same bits alone");
        for (got, expected) in both.iter().zip(&run(&Device::Reference)?) {
            assert_eq!(got.len(), expected.len());
            for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
                // A rounding for each of a few functions, and for each term, of partial sums that stay below
                // a quarter of the magnitudes; terms are below 3.
                let terms = layer.x.iter().product::<usize>() as f64;
                let bound = (8.0 + terms / 4.0) * 3.0 * terms * f64::from(f32::EPSILON) / 2.0;
                assert!((got - expected).abs() <= bound, "{about}: {index}: {got}, {expected}");
            }
        }
    }
    Ok(())
}

/// Variants differ in their tiles only: in the order of the terms of a bias they agree, one after another in each
/// part.
#[test]
fn sums_of_rows_have_the_bits_of_their_order_in_every_variant() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let gpu = gpu.clone().with_guards();
    // Few: a software GPU compiles each variant for a second or two.
    for layer in layers().into_iter().filter(|layer| {
        [&[35, 20][..], &[1030, 6], &[2, 9, 3, 36], &[1, 5, 25, 42]].contains(&layer.x)
    }) {
        let graph = Graph::new();
        let program = graph.compile(&Device::Gpu(gpu.clone()), &gradients(&graph, &layer))?;
        let plan = program.plan().expect("a GPU runs one");
        let step = plan.steps[number_of(plan).expect("a kernel has both")].clone();
        let case = Case::new(&step);
        let first = written(&gpu, &step, &case, 0)?;
        for variant in 1..step.variants() {
            assert_eq!(first, written(&gpu, &step, &case, variant)?, "{:?}: {variant}", layer.x);
        }
        let StepKind::Kernel { kernel, .. } = &step.kind else { unreachable!("it is a kernel") };
        let bias = first.last().map(Vec::as_slice).unwrap_or_default();
        let outputs = bias.len();
        // The cotangent, `[terms, outputs]` or `[images, outputs, positions]`.
        let is_dense = kernel.shaders[0].file.name == "matmul";
        let ct = &case.words[usize::from(!is_dense)];
        let terms = ct.len() / outputs;
        let positions = if is_dense { 1 } else { terms / layer.x[0] };
        let length = if kernel.parts > 1 { part_of(&layer) } else { terms };
        for (output, &word) in bias.iter().enumerate() {
            let at =
                |term: usize| (term / positions * outputs + output) * positions + term % positions;
            let numbers: Vec<f32> = (0..terms).map(|term| f32::from_bits(ct[at(term)])).collect();
            let added = |terms: &[f32]| terms.iter().fold(0.0, |sum: f32, term| sum + term);
            let parts: Vec<f32> = numbers.chunks(length).map(added).collect();
            let expected = if parts.len() > 1 { added(&parts) } else { parts[0] };
            assert_eq!(word, expected.to_bits(), "{:?}: {output}", layer.x);
        }
    }
    Ok(())
}

/// Terms of a part, as the plan says.
fn part_of(layer: &Layer) -> usize {
    let words: Vec<&str> = layer.order.split(' ').collect();
    words[4].parse().expect("it is a number")
}

/// A weight's gradient that needs that of the bias first has a kernel of its own, and the bias's is a sum.
#[test]
fn gradients_that_cannot_be_together_are_apart() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let graph = Graph::new();
    let layer = &layers()[0];
    let [weight, bias] = gradients(&graph, layer)[..] else { unreachable!("two parameters") };
    let wanted = [bias, weight * bias.sum(..).broadcast_to(weight.shape())];
    let program = graph.compile(&Device::Gpu(gpu.clone()), &wanted)?;
    let plan = program.plan().expect("a GPU runs one").to_string();
    assert!(!plan.contains("linear_grads") && plan.contains("sum"), "{plan}");
    Ok(())
}
