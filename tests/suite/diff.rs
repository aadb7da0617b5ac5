//! Where NaN and infinity arise, and what a comparison refuses.

use wgrad::{Array, DType, Device, Error, Graph, Init, Meta, RunError, Variables};

#[test]
fn the_first_nan_is_found() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let v = graph.variable("v", [4], DType::F32, Init::Ones);
    let sums = x.cumsum(0);
    let y = sums.log().cumsum(0); // the logarithm
    graph.assign(v, v * y);
    let cpu = Device::cpu();
    let program = graph.compile(&cpu, &[y.sum(..)])?;
    let variables = Variables::new(0);
    let x = Array::new([4], &[1f32, 2.0, -4.0, 8.0])?;
    let diff = program.diff(&variables, &[("x", &x)], std::slice::from_ref(&cpu))?;
    let origin = diff.not_finite.expect("the logarithm of -1 is none");
    let line = include_str!("diff.rs").lines().position(|line| line.ends_with("// the logarithm"));
    let place = origin.place.as_ref().expect("the graph asked for it");
    assert_eq!(Some(place.location.line() as usize), line.map(|line| line + 1));
    assert_eq!((origin.label.as_str(), origin.index), ("cumsum + log", 2));
    assert!(origin.value.is_nan());
    // It is right to be NaN there, and nothing was assigned.
    assert_eq!(diff.divergence, None);
    assert_eq!(variables.get("v")?.to_f64(), [1.0; 4]);
    Ok(())
}

/// A step runs again on what it read, wherever that came from.
#[test]
fn a_step_is_replayed() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let y = x.cumsum(0).exp().cumsum(0).log().cumsum(0);
    let cpu = Device::cpu();
    let program = graph.compile(&cpu, &[y])?;
    let variables = Variables::new(0);
    let inputs = Array::new([4], &[1f32, 0.5, -2.0, 0.25])?;
    let operands = program.operands(&variables, &[("x", &inputs)], &cpu, 1)?;
    // The second sum reads the exponentials of 1, 1.5, -0.5 and -0.25.
    let expected = [1f64, 1.5, -0.5, -0.25].map(f64::exp);
    for (read, expected) in operands[0].to_f64().iter().zip(expected) {
        assert!((read - expected).abs() < 1e-6, "{read} instead of {expected}");
    }
    let diff = program.replay(1, &operands, std::slice::from_ref(&cpu))?;
    assert_eq!((diff.steps, diff.compared, diff.divergence), (1, 4, None));
    let below = Array::new([4], &[-1f32, 0.5, 2.0, 0.25])?;
    let diff = program.replay(1, &[below], std::slice::from_ref(&cpu))?;
    assert_eq!(diff.not_finite.map(|found| found.index), Some(0), "the logarithm of -1");

    let text = |result: Result<_, Error>| result.expect_err("a mistake").to_string();
    let missing = "step 3 does not exist: the program has 3";
    assert_eq!(text(program.replay(3, &operands, &[])), missing);
    let others = |is: &str| {
        let step = "step 1, cumsum + log, takes operands";
        format!("{step} [[4] f32], not {is}")
    };
    assert_eq!(text(program.replay(1, &[], &[])), others("[]"));
    assert_eq!(text(program.replay(1, &[Array::scalar(1f32)], &[])), others("[[] f32]"));
    Ok(())
}

#[test]
fn mistakes_are_told() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let (cpu, variables) = (Device::cpu(), Variables::new(0));
    let program = graph.compile(&cpu, &[x.exp()])?;
    let [good, short] = [4, 3].map(|len| Array::new([len], &vec![0.5f32; len]));
    let (good, short) = (good?, short?);
    let refused = |inputs: &[(&str, &Array)], device: Device| match program.diff(
        &variables,
        inputs,
        &[device],
    ) {
        Err(Error::Run(error)) => error,
        other => unreachable!("{other:?} is no error of a run"),
    };
    let (name, expected) = ("x".into(), Meta::new([4], DType::F32));
    assert_eq!(refused(&[], cpu.clone()), RunError::MissingInput { name, expected });
    assert!(matches!(refused(&[("x", &short)], cpu.clone()), RunError::InputMismatch { .. }));
    let (name, known) = ("y".into(), vec!["x".into()]);
    let unknown = refused(&[("x", &good), ("y", &good)], cpu);
    assert_eq!(unknown, RunError::UnknownInput { name, known });
    assert_eq!(refused(&[("x", &good)], Device::Reference), RunError::NotPlanned);
    let exact = graph.compile(&Device::Reference, &[x.exp()])?;
    let error = exact.diff(&variables, &[("x", &good)], &[]).expect_err("it has no steps");
    assert!(matches!(error, Error::Run(RunError::NotPlanned)));
    Ok(())
}
