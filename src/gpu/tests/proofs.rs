//! Deliberately wrong kernels are rejected and reported.

use super::own_device;
use crate::{
    Array, CompileError, DType, Device, Error, Feed, Graph, Init, Variables,
    gpu::{Assembly, GpuDevice, Verification},
};

/// `relu(a b)` of integers, which every correct kernel computes exactly.
fn product(device: &GpuDevice) -> Result<(Array, Vec<f64>), Error> {
    let graph = Graph::new();
    let [a, b] =
        [("a", [40, 3]), ("b", [3, 50])].map(|(name, dims)| graph.input(name, dims, DType::F32));
    let values = |dims: [usize; 2]| {
        let whole: Vec<f32> = (0..dims[0] * dims[1]).map(|k| (k % 7) as f32 - 2.0).collect();
        Array::new(dims, &whole)
    };
    let (left, right) = (values([40, 3])?, values([3, 50])?);
    let inputs: [(&str, &dyn Feed); 2] = [("a", &left), ("b", &right)];
    let y = a.matmul(b).relu();
    let expected = y.eval(&Device::Reference, &inputs)?.to_f64();
    Ok((y.eval(&Device::Gpu(device.clone()), &inputs)?, expected))
}

fn sabotaged(sabotage: fn(&mut Assembly)) -> Option<GpuDevice> {
    Some(own_device()?.with_verification(Verification::Full).edited(sabotage))
}

/// Makes every product too large by a thousandth.
fn inexact(assembly: &mut Assembly) {
    let right = "fn epilogue(acc: Acc, index: u32) -> Out {\n";
    let wrong = "fn epilogue(exact: Acc, index: u32) -> Out {\n    let acc = exact * 1.001;\n";
    assert!(assembly.text.contains(right), "{}", assembly.text);
    assembly.text = assembly.text.replace(right, wrong);
}

#[test]
fn a_broken_variant_gives_way_to_the_next() -> Result<(), Error> {
    let broken = |assembly: &mut Assembly| {
        if !assembly.overrides.contains(&("BM", 64.0)) {
            inexact(assembly);
        }
    };
    let Some(device) = sabotaged(broken) else { return Ok(()) };
    let (got, expected) = product(&device)?;
    assert_eq!(got.to_f64(), expected);
    let proofs = device.proofs();
    // The two tiles of 32 x 32 elements, and with a driver in software those of 128 rows, which take less
    // memory than those of 64.
    assert!(proofs.quarantined.len() >= 2, "{proofs:?}");
    for notice in &proofs.quarantined {
        assert!(notice.starts_with("matmul.wgsl of BM "), "{notice}");
        assert!(!notice.contains(" BM 64,"), "{notice}");
        assert!(notice.contains(" is not used on ") && notice.contains(" instead of "), "{notice}");
    }
    assert_eq!((proofs.proved, proofs.unproved), (1, 0));
    // It is not verified again.
    let (again, _) = product(&device.clone().with_verification(Verification::Lazy))?;
    assert_eq!(again, got);
    assert_eq!(device.proofs().proved, 1);
    Ok(())
}

#[test]
fn without_a_right_variant_there_is_no_program() -> Result<(), Error> {
    let Some(device) = sabotaged(inexact) else { return Ok(()) };
    let error = product(&device).expect_err("every variant is broken");
    let Error::Compile(CompileError::NoTrustedKernel { op, shape, failure, .. }) = &error else {
        unreachable!("{error} is typed otherwise")
    };
    assert!(op.starts_with("matmul") && shape.dims() == [2000], "{error}");
    assert!(failure.contains("and may be off by"), "{error}");
    assert_eq!(device.proofs().quarantined.len(), 6, "a notice each");
    Ok(())
}

/// Reads of uninitialized memory and writes outside a result.
#[test]
fn other_mistakes_show_too() -> Result<(), Error> {
    type Case = (fn(&mut Assembly), &'static str);
    let cases: [Case; 2] = [
        (|assembly| assembly.workgroups[0] -= 1, "is NaN instead of"),
        (
            |assembly| assembly.text = assembly.text.replace("y0[i] =", "y0[i + 1u] ="),
            "wrote behind its result",
        ),
    ];
    for (sabotage, what) in cases {
        let Some(device) = sabotaged(sabotage) else { return Ok(()) };
        let graph = Graph::new();
        let x = graph.input("x", [1000], DType::F32);
        let error = graph.compile(&Device::Gpu(device), &[x * 2.0 + 1.0]);
        let error = error.expect_err("the only kernel is broken").to_string();
        assert!(error.contains("no kernel can be trusted") && error.contains(what), "{error}");
    }
    Ok(())
}

/// Swallows NaN in every map and epilogue.
fn without_nan(assembly: &mut Assembly) {
    let stored = |line: &str| match line.split_once(" = v") {
        Some((place, value)) if place.trim_start().starts_with("y0[") => {
            let value = value.trim_end_matches(';');
            format!("{place} = select(v{value}, 0.0, is_nan_here(v{value}));\n")
        }
        _ => format!("{line}\n"),
    };
    let text: String = assembly.text.lines().map(stored).collect();
    let is_nan = "fn is_nan_here(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }\n";
    assembly.text = text + is_nan;
}

/// A kernel that is wrong only on NaN serves where there is no other, and that is said once.
#[test]
fn what_is_right_on_finite_values_has_to_do() -> Result<(), Error> {
    let Some(device) = sabotaged(without_nan) else { return Ok(()) };
    for _ in 0..2 {
        let graph = Graph::new();
        let x = graph.input("x", [100], DType::F32);
        let program = graph.compile(&Device::Gpu(device.clone()), &[x * 2.0 + 1.0])?;
        let ones = Array::new([100], &[1f32; 100])?;
        let y = program.run(&Variables::new(0), &[("x", &ones)])?.read_blocking(0)?;
        assert_eq!(y.to_f64(), [3.0; 100]);
    }
    let proofs = device.proofs();
    let [notice] = &proofs.finite_only[..] else { panic!("one map swallows NaN: {proofs:?}") };
    assert!(notice.starts_with("map.wgsl for ") && notice.contains("instead of NaN"), "{notice}");
    assert!(notice.contains(" is right only on finite values on "), "{notice}");
    assert!(proofs.quarantined.is_empty(), "{proofs:?}");
    Ok(())
}

/// A variant that is wrong only on NaN gives way to one that is right.
#[test]
fn a_variant_that_swallows_nan_gives_way() -> Result<(), Error> {
    let broken = |assembly: &mut Assembly| {
        if assembly.overrides.contains(&("BM", 32.0)) {
            let right = "fn epilogue(acc: Acc, index: u32) -> Out {\n";
            let wrong = "fn epilogue(exact: Acc, index: u32) -> Out {\n    let acc = \
                         select(exact, 0.0, (bitcast<u32>(exact) & 0x7fffffffu) > 0x7f800000u);\n";
            assert!(assembly.text.contains(right), "{}", assembly.text);
            assembly.text = assembly.text.replace(right, wrong);
        }
    };
    let Some(device) = sabotaged(broken) else { return Ok(()) };
    let (got, expected) = product(&device)?;
    assert_eq!(got.to_f64(), expected);
    let proofs = device.proofs();
    // A notice only for the preferred of the two tiles of 32 x 32 elements.
    let [notice] = &proofs.quarantined[..] else { panic!("one would have served: {proofs:?}") };
    assert!(notice.starts_with("matmul.wgsl of BM 32, BN 32, BK "), "{notice}");
    assert!(proofs.finite_only.is_empty(), "{proofs:?}");
    Ok(())
}

/// f16 truncated instead of rounded is off by up to one unit, and only half a unit is allowed.
#[test]
fn halves_that_are_not_rounded_show() -> Result<(), Error> {
    let cut_off = |assembly: &mut Assembly| {
        let rounded = "(magnitude + 0xfffu + ((magnitude >> 13u) & 1u))";
        assert!(assembly.text.contains(rounded), "{}", assembly.text);
        assembly.text = assembly.text.replace(rounded, "magnitude");
    };
    let Some(device) = sabotaged(cut_off) else { return Ok(()) };
    if !device.has(DType::F16) {
        eprintln!("skipped: {} has no f16", device.name());
        return Ok(());
    }
    let graph = Graph::new();
    let y = (graph.input("x", [1000], DType::F32) * 1.1).cast(DType::F16);
    let error = graph.compile(&Device::Gpu(device), &[y]).expect_err("nothing is rounded");
    assert!(error.to_string().contains("and may be off by"), "{error}");
    Ok(())
}

#[test]
fn nothing_is_proved_where_that_is_switched_off() -> Result<(), Error> {
    let Some(device) = own_device() else { return Ok(()) };
    let device = device.with_verification(Verification::Off);
    let (got, expected) = product(&device)?;
    assert_eq!(got.to_f64(), expected);
    let proofs = device.proofs();
    assert_eq!((proofs.proved, proofs.known, proofs.unproved), (0, 0, 1));
    Ok(())
}

/// The wrong step is found, even though all steps after it have wrong operands.
#[test]
fn a_difference_is_found_where_it_arises() -> Result<(), Error> {
    let broken = |assembly: &mut Assembly| {
        if assembly.shader == "softmax" {
            inexact(assembly);
        }
    };
    let Some(device) = sabotaged(broken) else { return Ok(()) };
    let devices = [Device::cpu(), Device::Gpu(device)];
    let graph = Graph::new();
    let x = graph.input("x", [6, 5], DType::F32);
    let w = graph.variable("w", [5, 4], DType::F32, Init::GlorotUniform);
    let outer = graph.enter(Some("head".into()));
    let y = x.matmul(w).softmax(-1); // the softmax
    graph.enter(outer);
    let program = graph.compile_pure(&devices[0], &[y.matmul(w.t()).sum(..)])?;
    let values: Vec<f32> = (0..30).map(|k| (k % 11) as f32 / 4.0).collect();
    let x = Array::new([6, 5], &values)?;
    let variables = Variables::new(1);
    let diff = program.diff(&variables, &[("x", &x)], &devices)?;
    let divergence = diff.divergence.as_ref().expect("the softmax is broken");
    let line = include_str!("proofs.rs").lines().position(|line| line.ends_with("// the softmax"));
    let place = divergence.place.as_ref().expect("the graph asked for it");
    assert_eq!((divergence.label.as_str(), divergence.shape.dims()), ("softmax", [24].as_slice()));
    assert_eq!(place.scope, "head");
    assert_eq!(Some(place.location.line() as usize), line.map(|line| line + 1));
    assert!(
        divergence.device.starts_with(&devices[1].name()) && divergence.ulp() > 1000.0,
        "{divergence}"
    );
    assert!(diff.worst[0] <= 1.0 && diff.worst[1] > 1.0, "{diff:?}");
    assert_eq!(diff.not_finite, None);
    let right = program.diff(&variables, &[("x", &x)], &devices[..1])?;
    assert_eq!(right.divergence, None);
    Ok(())
}
