//! Graphs that once were scheduled wrongly, or too slowly to be scheduled at all.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Graph, GraphError, Init, Meta, Program, Tensor, Variables,
    autodiff,
};

fn plan(program: &Program) -> String {
    program.plan().map(ToString::to_string).unwrap_or_default()
}

/// Fusing walks recursively: it must stop before the stack does.
#[test]
fn a_long_chain_is_cut() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let y = (0..3000).fold(x, |y, _| y.tanh());
    let program = graph.compile(&Device::cpu(), &[y, y.sum(..)])?;
    // No step holds more than a hundred-odd operations, reductions with their prologue included.
    assert!(program.plan().is_some_and(|plan| plan.len() > 20));
    let input = Array::new([4], &[0.5f32, -0.5, 0.1, 0.0])?;
    let outputs = program.run(&Variables::new(0), &[("x", &input)])?;
    // tanh applied n times to 0.5 falls like sqrt(3 / (2 n)).
    let got = outputs.read_blocking(0)?.to_f64()[0];
    assert!((got - 0.02235).abs() < 2e-4, "{got}");
    Ok(())
}

/// A value that is used twice must not be computed again by each of its uses, or 24 rolls cost 2^24 loads.
#[test]
fn rolls_do_not_multiply() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [7], DType::F32);
    let y = (0..24).fold(x, |y, _| graph.concat(&[y.slice(0, 3..7), y.slice(0, 0..3)], 0));
    let input = Array::new([7], &[0f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let got = y.eval(&Device::cpu(), &[("x", &input)])?.to_f64();
    // 24 rolls by 3 are one by 72 mod 7 = 2.
    assert_eq!(got, [2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 1.0]);
    Ok(())
}

/// An update that waits for others may have to become a copy, which binds more buffers.
#[test]
fn no_step_binds_more_than_seven_buffers() -> Result<(), Error> {
    let graph = Graph::new();
    let v: Vec<Tensor> = (0..4)
        .map(|k| graph.variable(&format!("v{k}"), [9], DType::F32, Init::Constant(k as f64)))
        .collect();
    let s = v[0] + v[1] * v[2] - v[3];
    let mut outputs = vec![];
    for &v in &v {
        let new = v * 0.5 + s;
        graph.assign(v, new);
        outputs.push(v.reshape([9, 1]).matmul(new.reshape([1, 9])));
    }
    let program = graph.compile(&Device::cpu(), &outputs)?;
    for shader in program.shaders() {
        let storage =
            shader.bindings.iter().filter(|b| b.kind != wgrad::gpu::BindingKind::Uniform).count();
        assert!(storage <= 7, "{} binds {storage}", shader.label);
    }
    let variables = Variables::new(0);
    program.run(&variables, &[])?;
    // s = 0 + 1 * 2 - 3 = -1.
    for (k, expected) in [-1.0, -0.5, 0.0, 0.5].into_iter().enumerate() {
        assert_eq!(variables.get(&format!("v{k}"))?.to_f64(), [expected; 9]);
    }
    Ok(())
}

/// An accumulator is the epilogue of the product it accumulates: no slot, no copy.
#[test]
fn gradients_accumulate_in_place() -> Result<(), Error> {
    let accumulate = |device: &Device| -> Result<(Vec<f64>, String), Error> {
        let graph = Graph::new();
        let x = graph.input("x", [3, 2], DType::F32);
        let w = graph.variable("w", [2, 2], DType::F32, Init::Constant(0.5));
        let b = graph.variable("b", [2], DType::F32, Init::Zeros);
        let loss = (x.matmul(w) + b).tanh().sum(..);
        for (name, gradient) in ["sum/w", "sum/b"].iter().zip(autodiff::grad(loss, &[w, b])) {
            let total = graph.variable(name, gradient.shape(), DType::F32, Init::Zeros);
            graph.assign(total, total + gradient);
        }
        let program = graph.compile(device, &[])?;
        let variables = Variables::new(0);
        let input = Array::new([3, 2], &[0.1f32, 0.2, -0.3, 0.4, 0.5, -0.6])?;
        for _ in 0..3 {
            program.run(&variables, &[("x", &input)])?;
        }
        let sums = [variables.get("sum/w")?.to_f64(), variables.get("sum/b")?.to_f64()].concat();
        Ok((sums, plan(&program)))
    };
    let (expected, _) = accumulate(&Device::Reference)?;
    for device in [Some(Device::cpu()), device::gpu()].into_iter().flatten() {
        let (got, plan) = accumulate(&device)?;
        assert!(!plan.contains("copy"), "{plan}");
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-5, "{got}, not {expected}, on {}", device.name());
        }
    }
    Ok(())
}

/// An arena may not need a larger binding than its members do.
#[test]
fn arenas_end_where_a_binding_would() -> Result<(), Error> {
    let graph = Graph::new();
    for name in ["a", "b", "c"] {
        let v = graph.variable(name, [15 << 20], DType::F32, Init::Zeros);
        graph.assign(v, v + 1.0);
    }
    let program = graph.compile(&Device::cpu(), &[])?;
    assert!(plan(&program).contains("2 steps"), "{}", plan(&program));
    Ok(())
}

/// Forty layers have hundreds of groups to merge; pairs were once searched for from the start
/// after every merge.
#[test]
fn deep_networks_are_planned() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4, 8], DType::F32);
    let step = graph.variable("lr", [], DType::F32, Init::Constant(0.1));
    let mut weights = vec![];
    let y = (0..60).fold(x, |y, layer| {
        let name = |what| format!("{layer}/{what}");
        let w = graph.variable(&name("w"), [8, 8], DType::F32, Init::HeNormal);
        let b = graph.variable(&name("b"), [8], DType::F32, Init::Zeros);
        weights.extend([w, b]);
        (y.matmul(w) + b).relu()
    });
    let gradients = autodiff::grad(y.sum(..), &weights);
    for (&weight, gradient) in weights.iter().zip(gradients) {
        graph.assign(weight, weight - gradient * step);
    }
    let program = graph.compile(&Device::cpu(), &[])?;
    // A product and an epilogue forward; two products and a sum backward; one update of all.
    assert!(program.plan().is_some_and(|plan| plan.len() <= 4 * 60 + 4), "{}", plan(&program));
    Ok(())
}

#[test]
fn derivatives_are_asked_of_the_graph_at_hand() {
    let (graph, other) = (Graph::new(), Graph::new());
    let a = graph.input("a", [3], DType::F32);
    let q = other.input("q", [3], DType::F32);
    autodiff::grad((a * a).sum(..), &[q]);
    assert!(matches!(graph.check(), Err(GraphError::ForeignTensor { op: "grad", .. })));

    let graph = Graph::new();
    let a = graph.input("a", [3], DType::F32);
    let seed = graph.input("seed", [7, 1], DType::F32);
    assert!(matches!(autodiff::vjp(a * a, seed, &[a])[..], [None]));
    let error = graph.check().expect_err("the seed is no cotangent").to_string();
    assert!(
        error.starts_with("vjp: [3] f32 x [7, 1] f32, made at tests/suite/scheduling.rs:"),
        "{error}"
    );
}

/// Kernels calculate in f32 whatever they read: halves are not copied to f32 for them.
#[test]
fn a_kernel_reads_widened_halves_itself() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [5, 16], DType::F16);
    let w = graph.variable("w", [16, 4], DType::F32, Init::GlorotUniform);
    let wide = x.cast(DType::F32);
    let y = wide.matmul(w.cast(DType::F16).cast(DType::F32)).tanh();
    let numbers: Vec<f64> = (0..80).map(|k| f64::from(k * 37 % 41) / 20.0 - 1.0).collect();
    let input = Array::from_f64(Meta::new([5, 16], DType::F16), &numbers)?;
    let of = |wanted: &[Tensor]| {
        let program = graph.compile(&Device::cpu(), wanted)?;
        let outputs = program.run(&Variables::new(7), &[("x", &input)])?;
        Ok::<_, Error>((program, outputs.read_blocking(0)?))
    };
    let (program, alone) = of(&[y])?;
    // The weight is rounded in one step, and multiplied in the other.
    assert_eq!(program.plan().map(|plan| plan.len()), Some(2), "{}", plan(&program));
    let product = program.shaders().into_iter().find(|shader| shader.label.contains("matmul"));
    let text = product.map(|shader| shader.text).unwrap_or_default();
    assert!(text.contains("alias Elem = f16;") && text.contains("alias Out = f32;"), "{text}");
    let (_, beside) = of(&[y, wide])?;
    assert_eq!(alone.words(), beside.words());
    // So do derivatives of a layer, whose result is rounded.
    let layer = wide.matmul(w.cast(DType::F16).cast(DType::F32)).cast(DType::F16);
    let program = of(&autodiff::grad(layer.tanh().cast(DType::F32).sum(..), &[x, w]))?.0;
    let shaders = program.shaders();
    let products = shaders.iter().filter(|shader| shader.label.contains("matmul"));
    let reads: Vec<bool> = products.map(|s| s.text.contains("alias Elem = f16;")).collect();
    assert_eq!(reads, [true; 3], "{}", plan(&program));
    Ok(())
}
