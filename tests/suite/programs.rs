//! A cache of programs by shape: what it compiles, keeps and forgets.

use crate::device;
use std::cell::Cell;
use wgrad::{
    Array, DType, Device, Error, Graph, GraphError, Meta, Programs, RunError, Variables,
    nn::{self, Dense, Mode, Module, Scope},
    optim::{Adam, Optimizer, Sgd},
};

fn devices() -> impl Iterator<Item = Device> {
    [Device::cpu(), Device::Reference].into_iter().chain(device::gpu())
}

fn ones(len: usize) -> Result<Array, Error> {
    Array::full([len], 1.0f32)
}

#[test]
fn each_shape_is_compiled_once() -> Result<(), Error> {
    for device in devices() {
        let traced = Cell::new(0);
        let sums = Programs::new(&device, |_, inputs| {
            traced.set(traced.get() + 1);
            vec![("sum", inputs.get("x").sum(..)), ("scaled", inputs.get("x") * inputs.get("y"))]
        });
        let variables = Variables::new(0);
        for len in [3, 5, 3, 5, 5] {
            // Their order does not matter.
            let (x, y) = (ones(len)?, Array::from(2.0f32));
            let outputs = sums.run(&variables, &[("y", &y), ("x", &x)])?;
            assert_eq!(outputs.scalar("sum")?, len as f64);
            let outputs = sums.run(&variables, &[("x", &x), ("y", &y)])?;
            assert_eq!(outputs.read_blocking("scaled")?, Array::full([len], 2.0f32)?);
        }
        assert_eq!((traced.get(), sums.misses(), sums.hits(), sums.len()), (2, 2, 8, 2));
        // The element type is part of a shape here, and a value on the device will do.
        let of_integers =
            Programs::new(&device, |_, inputs| vec![("double", inputs.get("x") + inputs.get("x"))]);
        let first = of_integers.run(&variables, &[("x", &Array::from([1i32, 2]))])?;
        let again = of_integers.run(&variables, &[("x", first.get("double")?)])?;
        assert_eq!(again.read_blocking(0)?, Array::from([4i32, 8]));
        assert_eq!(
            of_integers.run(&variables, &[("x", &ones(2)?)])?.read_blocking(0)?,
            Array::from([2.0f32, 2.0])
        );
        assert_eq!((of_integers.misses(), of_integers.hits()), (2, 1));
    }
    Ok(())
}

#[test]
fn what_was_used_the_longest_ago_is_forgotten() -> Result<(), Error> {
    let traced = Cell::new(0);
    let sums = Programs::new(&Device::cpu(), |_, inputs| {
        traced.set(traced.get() + 1);
        vec![("sum", inputs.get("x").sum(..))]
    })
    .capacity(2);
    let variables = Variables::new(0);
    // Length, and how many are traced by then.
    for (len, count) in [(1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (2, 4), (3, 5), (2, 5)] {
        assert_eq!(sums.run(&variables, &[("x", &ones(len)?)])?.scalar(0)?, len as f64);
        assert_eq!(traced.get(), count, "at {len}");
        assert!(sums.len() <= 2);
    }
    sums.clear();
    assert!(sums.is_empty());
    sums.run(&variables, &[("x", &ones(2)?)])?;
    assert_eq!(traced.get(), 6);
    let none = Programs::new(&Device::cpu(), |_, inputs| vec![("x", inputs.get("x"))]).capacity(0);
    for _ in 0..2 {
        none.run(&variables, &[("x", &ones(1)?)])?;
    }
    assert_eq!((none.len(), none.hits(), none.misses()), (0, 0, 2));
    Ok(())
}

/// The programs of all batch sizes train one set of weights, like programs made one by one.
#[test]
fn training_steps_share_their_weights() -> Result<(), Error> {
    let batches = |rows: usize| {
        let x: Vec<f32> = (0..rows).map(|row| row as f32 / 4.0 - 0.5).collect();
        let y: Vec<f32> = x.iter().map(|x| 2.0 * x + 1.0).collect();
        Ok::<_, Error>((Array::from_vec([rows, 1], x)?, Array::from_vec([rows, 1], y)?))
    };
    for device in devices() {
        let steps = Programs::new(&device, |graph, inputs| {
            let mut cx = Scope::new(graph, Mode::Train);
            let y = Dense::new(1).forward(&mut cx.child("net"), inputs.get("x"));
            let loss = nn::mean_squared_error(y, inputs.get("y"));
            Adam::new(0.05).update(&mut cx, loss);
            vec![("loss", loss)]
        });
        let (cached, alone) = (Variables::new(4), Variables::new(4));
        for rows in [4, 3, 4, 1, 3] {
            let (x, y) = batches(rows)?;
            let loss = steps.run(&cached, &[("x", &x), ("y", &y)])?.scalar("loss")?;
            let graph = Graph::new();
            let mut cx = Scope::new(&graph, Mode::Train);
            let inputs = ["x", "y"].map(|name| graph.input(name, [rows, 1], DType::F32));
            let predicted = Dense::new(1).forward(&mut cx.child("net"), inputs[0]);
            let expected = nn::mean_squared_error(predicted, inputs[1]);
            Adam::new(0.05).update(&mut cx, expected);
            let program = graph.compile(&device, &[expected])?;
            assert_eq!(loss, program.run(&alone, &[("x", &x), ("y", &y)])?.scalar(0)?);
        }
        assert_eq!(cached.to_arrays()?, alone.to_arrays()?);
        assert_eq!((steps.misses(), steps.hits()), (3, 2));
    }
    Ok(())
}

#[test]
fn pure_programs_change_nothing() -> Result<(), Error> {
    let counts = |graph: &Graph| -> usize { graph.len() };
    let steps = Programs::new(&Device::cpu(), |graph, inputs| {
        assert_eq!(counts(graph), 1, "the input is declared");
        let mut cx = Scope::new(graph, Mode::Train);
        let loss = Dense::new(1).forward(&mut cx, inputs.get("x")).sum(..);
        Sgd::new(0.1).update(&mut cx, loss);
        vec![("loss", loss)]
    })
    .pure();
    let variables = Variables::new(0);
    let x = Array::from([[1.0f32, 2.0]]);
    let first = steps.run(&variables, &[("x", &x)])?.scalar("loss")?;
    assert_eq!(steps.run(&variables, &[("x", &x)])?.scalar("loss")?, first);
    Ok(())
}

/// A shape that does not compile is an error each time, with the line that is wrong, and the others
/// go on.
#[test]
fn errors_are_not_kept() -> Result<(), Error> {
    let works = Cell::new(false);
    let products = Programs::new(&Device::cpu(), |graph, inputs| {
        let x = inputs.get("x");
        let by = graph.full([if works.get() { 3 } else { 2 }], DType::F32, 2.0);
        vec![("y", x * by)]
    });
    let variables = Variables::new(0);
    for _ in 0..2 {
        let error = products.run(&variables, &[("x", &ones(3)?)]).expect_err("3 is not 2");
        let text = error.to_string();
        assert!(text.starts_with("mul: [3] f32 x [2] f32, made at "), "{text}");
        assert!(text.contains("programs.rs:"), "{text}");
    }
    assert_eq!((products.len(), products.misses()), (0, 2));
    assert_eq!(
        products.run(&variables, &[("x", &ones(2)?)])?.read_blocking("y")?,
        Array::full([2], 2.0f32)?
    );
    works.set(true);
    assert!(products.run(&variables, &[("x", &ones(3)?)]).is_ok());
    assert_eq!(products.len(), 2);
    Ok(())
}

#[test]
fn wrong_inputs_are_named() -> Result<(), Error> {
    let programs = Programs::new(&Device::cpu(), |_, inputs| vec![("y", inputs.get("x") + 1.0)]);
    let variables = Variables::new(0);
    let one = ones(1)?;
    let error = programs.run(&variables, &[("z", &one), ("a", &one)]).expect_err("there is no x");
    assert!(matches!(&error, Error::Graph(GraphError::NotGiven { name, .. }) if name == "x"));
    let text = error.to_string();
    let begin = "there is no input \"x\", made at ";
    let end = "; inputs of the run: \"a\", \"z\"";
    assert!(text.starts_with(begin) && text.ends_with(end), "{text}");
    assert!(text.contains("programs.rs:"), "{text}");
    let error = programs.run(&variables, &[("x", &one), ("x", &ones(2)?)]).expect_err("twice");
    assert!(matches!(error, Error::Run(RunError::RepeatedInput(name)) if name == "x"));
    // An input that the computation does not use is no error.
    assert!(programs.run(&variables, &[("x", &one), ("unused", &one)]).is_ok());
    Ok(())
}

#[test]
fn a_program_may_be_prepared_before_its_first_run() -> Result<(), Error> {
    let programs = Programs::new(&Device::cpu(), |_, inputs| vec![("y", inputs.get("x") + 1.0)]);
    let variables = Variables::new(0);
    programs.program([("x", Meta::new([2], DType::F32))])?.prepare(&variables)?;
    programs.run(&variables, &[("x", &ones(2)?)])?;
    assert_eq!((programs.misses(), programs.hits()), (1, 1));
    Ok(())
}

#[test]
fn threads_share_a_cache() -> Result<(), Error> {
    let programs = Programs::new(&Device::cpu(), |_, inputs| vec![("y", inputs.get("x").sum(..))]);
    let variables = Variables::new(0);
    std::thread::scope(|scope| {
        let run = |len: usize| {
            let (programs, variables) = (&programs, &variables);
            scope.spawn(move || programs.run(variables, &[("x", &ones(len)?)])?.scalar("y"))
        };
        let runs: Vec<_> = (0..12).map(|k| (1 + k % 3, run(1 + k % 3))).collect();
        for (len, run) in runs {
            assert_eq!(run.join().expect("it does not panic")?, len as f64);
        }
        Ok::<(), Error>(())
    })?;
    assert_eq!((programs.len(), programs.hits() + programs.misses()), (3, 12));
    Ok(())
}
