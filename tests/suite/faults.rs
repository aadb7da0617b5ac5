//! Errors say what went wrong, where, and with which shapes.

use wgrad::{
    Array, DType, Device, Error, Feed, Graph, GraphError, Init, Meta, OpError, RunError, Tensor,
    VariableError, Variables, autodiff,
    nn::{Activation, Dense, Mode, Module, Scope, Sequential},
};

/// A layer whose weight has a fixed shape, as users write them.
struct Fixed;

impl Module for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let weight = cx.param("weight", [256, 10], Init::HeNormal);
        x.matmul(weight)
    }
}

/// The line of this file that holds a mark.
fn line_of(mark: &str) -> usize {
    let text = include_str!("faults.rs");
    1 + text.lines().position(|line| line.contains(mark)).unwrap_or_default()
}

#[test]
fn a_mistake_three_layers_deep_is_one_error_with_its_place() {
    let head = Sequential::new().add(Activation::relu()).add(Fixed);
    let body = Sequential::new().add(Dense::new(400)).add(head);
    let net = Sequential::new().add(Dense::new(64)).add(body);
    let graph = Graph::new();
    let x = graph.input("x", [32, 20], DType::F32);
    let mut cx = Scope::new(&graph, Mode::Train);
    let y = net.forward(&mut cx.child("net"), x);
    // Everything made of it is inert: the first error stays.
    let loss = (y.softmax(-1) + x).mean(..);
    autodiff::grad(loss, &[x]);
    let error = graph.compile(&Device::cpu(), &[loss]).expect_err("the shapes do not fit");
    let line = line_of("x.matmul(weight)");
    let expected = format!(
        "matmul: [32, 400] f32 x [256, 10] f32 in net/1:sequential/1:sequential/1:fixed, made at \
         tests/suite/faults.rs:{line} (inner extents differ: 400 and 256)"
    );
    assert_eq!(error.to_string(), expected);
    let Error::Graph(GraphError::Op { op: "matmul", operands, reason, .. }) = error else {
        unreachable!("{error:?} is typed otherwise")
    };
    assert_eq!(operands.len(), 2);
    assert!(matches!(reason, OpError::Extents { lhs: 400, rhs: 256, .. }));
}

#[test]
fn a_layer_of_the_library_names_the_line_that_made_it() {
    let layer = Dense::new(10); // the layer
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let mut scope = cx.child("dense");
    layer.forward(&mut scope, graph.input("a", [4, 3], DType::F32));
    layer.forward(&mut scope, graph.input("b", [4, 5], DType::F32));
    let error = graph.check().expect_err("one weight cannot have two shapes").to_string();
    let line = line_of("// the layer");
    assert!(
        error.contains("dense/weight: declared as [10, 3] f32, and again as [10, 5] f32"),
        "{error}"
    );
    assert!(error.ends_with(&format!("in dense, made at tests/suite/faults.rs:{line}")), "{error}");
}

#[test]
fn inputs_are_checked_before_anything_runs() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let x = graph.input("x", [2, 3], DType::F32);
        let program = graph.compile(&device, &[x * 2.0])?;
        let variables = Variables::new(0);
        let run = |inputs: &[(&str, &dyn Feed)]| match program.run(&variables, inputs) {
            Err(Error::Run(error)) => error,
            other => unreachable!("{other:?} is no error of a run"),
        };
        let good = Array::new([2, 3], &[0f32; 6])?;
        let (turned, ints) = (Array::new([3, 2], &[0f32; 6])?, Array::new([2, 3], &[0i32; 6])?);
        let missing = run(&[]);
        let (name, expected) = ("x".into(), Meta::new([2, 3], DType::F32));
        assert_eq!(missing, RunError::MissingInput { name, expected });
        assert_eq!(missing.to_string(), "input \"x\" is missing: the program takes [2, 3] f32");
        let unknown = run(&[("x", &good), ("y", &good)]);
        let (name, known) = ("y".into(), vec!["x".into()]);
        assert_eq!(unknown, RunError::UnknownInput { name, known });
        assert_eq!(unknown.to_string(), "there is no input \"y\"; declared inputs: \"x\"");
        assert_eq!(run(&[("x", &good), ("x", &good)]), RunError::RepeatedInput("x".into()));
        for wrong in [&turned, &ints] {
            let expected = Meta::new([2, 3], DType::F32);
            let is = wrong.meta().clone();
            let mismatch = RunError::InputMismatch { name: "x".into(), expected, is };
            assert_eq!(run(&[("x", wrong)]), mismatch);
        }
        let outputs = program.run(&variables, &[("x", &good)])?;
        let none = outputs.read_blocking(1).expect_err("there is one output");
        assert!(matches!(none, Error::Run(RunError::NoOutput { index: 1, len: 1 })));
    }
    Ok(())
}

/// One batch feeds a program that needs all of it and one that does not.
#[test]
fn inputs_that_are_not_needed_may_be_given_on_cpu_and_gpu() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()].into_iter().chain(crate::device::gpu()) {
        let graph = Graph::new();
        let x = graph.input("x", [2], DType::F32);
        let labels = graph.input("labels", [2], DType::U32);
        let zero = graph.input("zero", [2], DType::F32);
        let program = graph.compile(&device, &[x + 1.0])?;
        assert_eq!(program.inputs().len(), 1);
        let (ones, classes) = (Array::new([2], &[1f32; 2])?, Array::new([2], &[9u32; 2])?);
        let all: [(&str, &dyn Feed); 3] = [("x", &ones), ("labels", &classes), ("zero", &ones)];
        let outputs = program.run(&Variables::new(0), &all)?;
        assert_eq!(outputs.read_blocking(0)?.to_f64(), [2.0; 2]);
        // A value on the device as well.
        let feeds: [(&str, &dyn Feed); 2] = [("x", &ones), ("zero", outputs.get(0)?)];
        assert_eq!(program.run(&Variables::new(0), &feeds)?.read_blocking(0)?.to_f64(), [2.0; 2]);
        // Its type is still looked at, and what is needed is still missed.
        let refused = |inputs: &[(&str, &dyn Feed)]| {
            let error = program.run(&Variables::new(0), inputs).map(drop);
            error.expect_err("it does not fit").to_string()
        };
        let mismatch = "input \"labels\" is [2] f32, and the program takes [2] u32";
        assert_eq!(refused(&[("x", &ones), ("labels", &ones)]), mismatch);
        let twice = "input \"labels\" is given twice";
        assert_eq!(refused(&[("x", &ones), ("labels", &classes), ("labels", &classes)]), twice);
        assert_eq!(
            refused(&[("labels", &classes)]),
            "input \"x\" is missing: the program takes [2] f32"
        );
        let unknown = "there is no input \"label\"; declared inputs: \"labels\", \"x\", \"zero\"";
        assert_eq!(refused(&[("x", &ones), ("label", &classes)]), unknown);
        assert!(!labels.meta().shape.is_empty() && !zero.meta().shape.is_empty());
    }
    Ok(())
}

#[test]
fn a_store_with_another_shape_is_an_error_and_stays_as_it_is() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let w = graph.variable("net/w", [2, 3], DType::F32, Init::Ones);
        let program = graph.compile(&device, &[w.sum(..)])?;
        let variables = Variables::new(0);
        let kept = Array::new([3], &[1f32, 2.0, 3.0])?;
        variables.insert("net/w", kept.clone())?;
        let error = program.run(&variables, &[]).expect_err("[3] is not [2, 3]");
        assert_eq!(error.to_string(), "variable \"net/w\" is [3] f32, not [2, 3] f32");
        assert!(matches!(error, Error::Variable(VariableError::Mismatch { .. })));
        assert_eq!(variables.get("net/w")?, kept);
        let missing = variables.get("net/v").expect_err("there is none");
        let text = "there is no variable \"net/v\"; similar: \"net/w\": programs create those they \
                    declare when they are prepared or first run, and `insert` creates others";
        assert_eq!(missing.to_string(), text);
    }
    Ok(())
}

#[test]
fn effects_are_checked() {
    let error = |build: &dyn Fn(&Graph)| {
        let graph = Graph::new();
        build(&graph);
        graph.check().expect_err("it is wrong").to_string()
    };
    let twice = error(&|graph| {
        let v = graph.variable("v", [2], DType::F32, Init::Zeros);
        graph.assign(v, v + 1.0);
        graph.assign(v, v + 2.0);
    });
    assert!(
        twice.starts_with("v: assigned twice in one graph, made at tests/suite/faults.rs:"),
        "{twice}"
    );
    let target = error(&|graph| {
        let x = graph.input("x", [2], DType::F32);
        graph.assign(x, x);
    });
    assert!(target.starts_with("assign: the target is not a variable"), "{target}");
    let shape = error(&|graph| {
        let v = graph.variable("v", [2], DType::F32, Init::Zeros);
        graph.assign(v, v.sum(..));
    });
    assert!(shape.starts_with("assign: [2] f32 x [] f32"), "{shape}");
    let loss = error(&|graph| {
        let v = graph.variable("v", [2], DType::F32, Init::Zeros);
        autodiff::grad(v, &[v]);
    });
    assert!(loss.starts_with("grad: [2] f32 is not a single float"), "{loss}");
}

#[test]
fn graphs_do_not_mix() {
    let (one, other) = (Graph::new(), Graph::new());
    let x = one.input("x", [2], DType::F32);
    let y = other.input("y", [2], DType::F32);
    assert!((x + y).shape().dims().is_empty());
    assert!(matches!(one.check(), Err(GraphError::ForeignTensor { op: "add", .. })));
    assert!(other.check().is_ok());
    let error = other.compile(&Device::cpu(), &[x]).expect_err("x is not in it");
    assert!(matches!(error, Error::Graph(GraphError::ForeignTensor { .. })));
}

/// Every read sees the value from before the run, every effect the same.
#[test]
fn variables_swap() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let a = graph.variable("a", [3], DType::F32, Init::Constant(1.0));
        let b = graph.variable("b", [3], DType::F32, Init::Constant(2.0));
        graph.assign(a, b);
        graph.assign(b, a);
        let program = graph.compile(&device, &[a + b * 10.0])?;
        let variables = Variables::new(0);
        for expected in [21.0, 12.0, 21.0] {
            let got = program.run(&variables, &[])?.read_blocking(0)?.to_f64();
            assert_eq!(got, [expected; 3], "on {}", device.name());
        }
        // A program without effects leaves them.
        let pure = graph.compile_pure(&device, &[a])?;
        pure.run(&variables, &[])?;
        assert_eq!(variables.get("a")?.to_f64(), [2.0; 3]);
    }
    Ok(())
}
