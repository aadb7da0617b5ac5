//! Where NaN and infinity arise, and values that are watched.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Graph, Init, RunError, Variables,
    nn::{Mode, Scope},
};

/// Every device there is.
fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Reference, Device::cpu()];
    devices.extend(device::gpu());
    devices
}

/// The line of this file that ends with a mark.
fn line(mark: &str) -> u32 {
    let lines = include_str!("finite.rs").lines();
    lines.into_iter().position(|line| line.ends_with(mark)).map_or(0, |at| at as u32 + 1)
}

fn not_finite(error: Error) -> Option<wgrad::NotFinite> {
    match error {
        Error::Run(RunError::NotFinite(found)) => Some(found),
        _ => None,
    }
}

#[test]
fn the_operation_that_makes_nan_is_named_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        graph.check_finite();
        let mut root = Scope::new(&graph, Mode::Train);
        let cx = root.child("net");
        let x = graph.input("x", [4], DType::F32);
        let w = graph.variable("w", [4, 3], DType::F32, Init::Ones);
        let sum = x.sum(..);
        let log = (x + 1.0).log(); // the logarithm
        let y = log.unsqueeze(0).matmul(w).sum(..) + sum;
        drop(cx);
        let program = graph.compile(&device, &[y])?;
        let variables = Variables::new(0);
        let good = Array::new([4], &[1.0f32, 2.0, 3.0, 0.5])?;
        let value = program.run(&variables, &[("x", &good)])?.read_blocking(0)?.to_f64()[0];
        let expected = 3.0 * (2.0f64.ln() + 3.0f64.ln() + 4.0f64.ln() + 1.5f64.ln()) + 6.5;
        assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");

        let bad = Array::new([4], &[1.0f32, 2.0, -1.0, -3.0])?;
        let error = program.run(&variables, &[("x", &bad)]).expect_err("ln 0 and ln -2");
        let found = not_finite(error).expect("that is what is wrong");
        assert!(found.label.contains("log"), "{found}");
        assert_eq!((found.index, found.value), (2, f64::NEG_INFINITY), "{found}");
        let place = found.place.expect("a graph asked for it");
        assert_eq!(place.scope, "net");
        assert_eq!(place.location.line(), line("// the logarithm"));
        // A later run on good values is not affected.
        assert!(program.run(&variables, &[("x", &good)]).is_ok());
    }
    Ok(())
}

#[test]
fn inputs_and_variables_are_looked_at_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        graph.check_finite();
        let x = graph.input("x", [2], DType::F32);
        let w = graph.variable("w", [2], DType::F32, Init::Ones);
        let program = graph.compile(&device, &[x * w])?;
        let variables = Variables::new(0);
        let [good, bad] = [[1.0f32, 2.0], [1.0, f32::NAN]].map(|x| Array::new([2], &x));
        let (good, bad) = (good?, bad?);
        let error = program.run(&variables, &[("x", &bad)]).expect_err("NaN");
        assert_eq!(error.to_string(), "input \"x\": element 1 is NaN");
        variables.insert("w", Array::new([2], &[f32::INFINITY, 1.0])?)?;
        let error = program.run(&variables, &[("x", &good)]).expect_err("infinity");
        assert_eq!(error.to_string(), "variable \"w\": element 0 is inf");
    }
    Ok(())
}

#[test]
fn integers_have_no_nan() -> Result<(), Error> {
    let graph = Graph::new();
    graph.check_finite();
    let x = graph.input("x", [1], DType::U32);
    let program = graph.compile(&Device::cpu(), &[x])?;
    let nan = Array::new([1], &[f32::NAN.to_bits()])?;
    let y = program.run(&Variables::new(0), &[("x", &nan)])?.read_blocking(0)?;
    assert_eq!(y.words(), nan.words());
    Ok(())
}

#[test]
fn watched_tensors_come_out_by_name_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        let mut root = Scope::new(&graph, Mode::Train);
        let x = graph.input("x", [2, 2], DType::F32);
        graph.watch("images", x);
        let cx = root.child("net");
        let hidden = x * 2.0;
        graph.watch("hidden", hidden);
        drop(cx);
        let unused = x.exp();
        graph.watch("unused", unused);
        let y = (hidden + 1.0).sum(..);
        let program = graph.compile(&device, &[y])?;
        assert_eq!(program.outputs().len(), 1);
        assert_eq!(program.watched(), ["images", "net/hidden"]);
        let x = Array::new([2, 2], &[1.0f32, 2.0, 3.0, 4.0])?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        assert_eq!(outputs.values().len(), 1);
        assert_eq!(outputs.read_blocking(0)?.to_f64(), [24.0]);
        let watched = outputs.watched("net/hidden")?.read_blocking()?;
        assert_eq!(watched.to_f64(), [2.0, 4.0, 6.0, 8.0]);
        assert_eq!(outputs.watched("images")?.read_blocking()?, x);
        let error = outputs.watched("unused").expect_err("no part of the program");
        let text = "no tensor \"unused\" is watched; watched tensors: images, net/hidden";
        assert_eq!(error.to_string(), text);
        let error = outputs.get(1).expect_err("watched tensors are no outputs");
        assert_eq!(error.to_string(), "output 1 does not exist: the program has 1");
    }
    Ok(())
}

#[test]
fn a_name_watches_one_tensor() {
    let graph = Graph::new();
    let x = graph.input("x", [2], DType::F32);
    graph.watch("it", x);
    graph.watch("it", x);
    assert!(graph.check().is_ok());
    graph.watch("it", x + 1.0);
    let error = graph.check().expect_err("two tensors");
    assert!(error.to_string().starts_with("it: another tensor is watched by this name"), "{error}");
}

/// A timed run is a run: it makes the same checks of what it is given.
#[test]
fn timed_runs_check_their_inputs_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        graph.check_finite();
        let x = graph.input("x", [2], DType::F32);
        let at = graph.input("at", [1], DType::U32);
        let y = (x * 2.0).index_select(at, 0);
        let program = graph.compile(&device, &[y])?;
        let variables = Variables::new(0);
        let (one, nan) = (Array::new([2], &[1.0f32; 2])?, Array::new([2], &[1.0, f32::NAN])?);
        let (inside, outside) = (Array::new([1], &[1u32])?, Array::new([1], &[2u32])?);
        let wrong: [[(&str, &Array); 2]; 3] = [
            [("x", &nan), ("at", &inside)],
            [("x", &one), ("at", &outside)],
            [("x", &one), ("elsewhere", &inside)],
        ];
        for [(a, x), (b, at)] in wrong {
            let inputs: [(&str, &dyn wgrad::Feed); 2] = [(a, x), (b, at)];
            let run = program.run(&variables, &inputs).expect_err("the input is wrong");
            let timed = program.run_timed(&variables, &inputs).expect_err("the input is wrong");
            assert_eq!(timed.to_string(), run.to_string(), "{}", device.name());
        }
        let (outputs, _) = program.run_timed(&variables, &[("x", &one), ("at", &inside)])?;
        assert_eq!(outputs.read_blocking(0)?.to_f64(), [2.0]);
    }
    Ok(())
}
