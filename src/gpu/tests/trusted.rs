//! Kernels run without runtime checks once they were seen to give the same bits.

use super::{device, own_device, own_proofs, verdicts};
use crate::{
    Array, DType, Device, Error, Feed, Graph, Variables,
    gpu::{Assembly, GpuDevice, codegen::ModuleKind, device::proof_cache::ProofCache},
};

/// A device of its own that runs trusted modules, whatever it is.
fn trusting() -> Option<GpuDevice> {
    Some(own_device()?.with_runtime_checks(false))
}

/// A product and a row kernel, both of which have workgroup memory, on integers; enough workgroups for
/// every multiprocessor, or thread of a software driver.
fn run(gpu: &GpuDevice) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [256, 5], DType::F32);
    let y = x.matmul(x.t()).cumsum(1);
    let values: Vec<f32> = (0..1280).map(|k| (k % 7) as f32 - 2.0).collect();
    let x = Array::new([256, 5], &values)?;
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[y])?;
    let got = program.run(&Variables::new(0), &[("x", &x as &dyn Feed)])?.read_blocking(0)?;
    let program = graph.compile(&Device::Reference, &[y])?;
    let expected = program.run(&Variables::new(0), &[("x", &x as &dyn Feed)])?.read_blocking(0)?;
    assert_eq!(got.to_f64(), expected.to_f64());
    Ok(got.to_f64())
}

#[test]
fn a_kernel_is_proved_with_runtime_checks_and_serves_without() -> Result<(), Error> {
    let Some(gpu) = trusting() else { return Ok(()) };
    let path = own_proofs(&gpu, "trusted");
    run(&gpu)?;
    // Both kernels with checks and without, and the poison of their workgroup memory.
    assert_eq!((verdicts(&path), gpu.counters().pipelines), ((4, 0), 5));
    assert_eq!(gpu.proofs().proved, 2);
    // Where that is known, checked modules are not even compiled.
    let another = trusting().expect("there was one");
    *another.shared.proof_cache.lock().expect("nothing panics") = ProofCache::at(path.clone());
    run(&another)?;
    assert_eq!((verdicts(&path), another.counters().pipelines), ((4, 0), 2));
    assert_eq!((another.proofs().known, another.proofs().proved), (2, 0));
    let _ = std::fs::remove_file(path);
    Ok(())
}

#[test]
fn runtime_checks_can_be_asked_for() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let path = own_proofs(&gpu, "checked");
    run(&gpu.clone().with_runtime_checks(true))?;
    assert_eq!((verdicts(&path), gpu.counters().pipelines), ((2, 0), 2));
    assert_eq!(gpu.proofs().checked_only, [] as [String; 0]);
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// Adds a word of workgroup memory to every result of a product, which nobody has written: 0 with
/// runtime checks.
fn trusting_in_zeros(assembly: &mut Assembly) {
    if assembly.shader == "matmul" {
        let right = "fn epilogue(acc: Acc, index: u32) -> Out {\n";
        let wrong = "var<workgroup> zero: f32;\n\
                     fn epilogue(sum: Acc, index: u32) -> Out {\n    let acc = sum + zero;\n";
        assert!(assembly.text.contains(right), "{}", assembly.text);
        assembly.text = assembly.text.replace(right, wrong);
    }
}

/// The foreign kernel before it leaves NaN in workgroup memory.
#[test]
fn a_kernel_that_needs_zeros_keeps_its_runtime_checks() -> Result<(), Error> {
    let Some(gpu) = trusting() else { return Ok(()) };
    if gpu.name().contains("SwiftShader") {
        eprintln!("skipped: this driver clears workgroup memory by itself");
        return Ok(());
    }
    let path = own_proofs(&gpu, "zeros");
    let edited = gpu.edited(trusting_in_zeros);
    for round in 1..=2 {
        run(&edited)?;
        let proofs = gpu.proofs();
        // It is said once; the kernel is not tried again.
        let [notice] = &proofs.checked_only[..] else { panic!("round {round}: {proofs:?}") };
        assert!(
            notice.starts_with("matmul.wgsl of ") && notice.contains(" for matmul"),
            "{notice}"
        );
        assert!(notice.contains(" keeps its runtime checks on "), "{notice}");
        assert!(notice.contains(": element ") && notice.contains(", not "), "{notice}");
        assert_eq!((proofs.quarantined.len(), proofs.proved), (0, 2), "round {round}");
    }
    // The product with checks, the row kernel with both.
    assert_eq!(verdicts(&path), (3, 1));
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// A function of indices, and the shape of its other operand.
struct Function {
    name: &'static str,
    shape: &'static [usize],
    build: for<'g> fn(crate::Tensor<'g>, crate::Tensor<'g>) -> crate::Tensor<'g>,
}

/// Every kernel that finds its elements by data, on 6 indices below 5, with its derivative.
fn functions() -> Vec<Function> {
    let function = |name, shape, build| Function { name, shape, build };
    vec![
        function("gather", &[5, 3], |x, i| x.index_select(i, 0)),
        function("gather rows", &[6, 5], |x, i| x.take_along_axis(i.unsqueeze(-1), -1)),
        function("gather_nd", &[5, 2], |x, i| x.gather_nd(i.unsqueeze(-1))),
        function("scatter_add", &[6, 3], |x, i| x.scatter_add(i, 0, 5)),
        function("scatter_nd", &[6], |x, i| x.scatter_nd(i.unsqueeze(-1), x * 2.0)),
        function("cross_entropy", &[6, 5], |x, i| x.cross_entropy(i, -1, crate::Reduction::None)),
        function("one_hot", &[6, 5], |x, i| x * i.one_hot(5)),
    ]
}

/// Indices past an extent leave the bands around results alone, and give the same with runtime checks.
#[test]
fn trusted_kernels_guard_their_indices() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let [trusted, checked] =
        [false, true].map(|checks| gpu.clone().with_guards().with_runtime_checks(checks));
    for Function { name, shape, build } in functions() {
        let graph = Graph::new();
        let x = graph.input("x", shape, DType::F32);
        // The host sees an index that is an input, and refuses it.
        let i = graph.input("i", [6], DType::U32) + graph.input("zero", [6], DType::U32);
        let y = build(x, i);
        let slope = crate::autodiff::grad((y * y).sum(..), &[x])[0];
        let programs = [trusted.clone(), checked.clone()]
            .map(|gpu| graph.compile(&Device::Gpu(gpu), &[y, slope]));
        let [trusted, checked] = programs;
        let (trusted, checked) = (trusted?, checked?);
        let values: Vec<f32> =
            (1..=shape.iter().product()).map(|k: usize| k as f32 / 8.0).collect();
        let (x, zero) = (Array::new(shape, &values)?, Array::new([6], &[0u32; 6])?);
        for indices in [
            [u32::MAX; 6],
            [5; 6],
            [0, 5, u32::MAX, 4, 6, 0x8000_0000],
            [0x7fff_ffff, 1, 0xffff_fffb, 0x3fff_ffff, 30, 2],
        ] {
            let i = Array::new([6], &indices)?;
            let inputs: [(&str, &dyn Feed); 3] = [("x", &x), ("i", &i), ("zero", &zero)];
            for output in 0..2 {
                let read = |program: &crate::Program| {
                    program.run(&Variables::new(0), &inputs)?.read_blocking(output)
                };
                let bits = |array: Array| -> Vec<u32> {
                    array.to_f64().iter().map(|&x| (x as f32).to_bits()).collect()
                };
                let (got, expected) = (bits(read(&trusted)?), bits(read(&checked)?));
                assert_eq!(got, expected, "{name} on {indices:?}, output {output}");
            }
        }
    }
    Ok(())
}

/// The first step of the samples in every shader runs without runtime checks, and gives the same bits.
#[test]
#[cfg(feature = "bench")]
fn no_shader_needs_its_runtime_checks() -> Result<(), Error> {
    let Some(gpu) = trusting() else { return Ok(()) };
    let mut seen = std::collections::BTreeSet::new();
    for sample in crate::testing::samples() {
        let graph = Graph::new();
        let (_, y) = sample.build(&graph);
        let program = graph.compile_pure(&Device::cpu(), &[y])?;
        let steps = program.plan().map(crate::gpu::assemble_steps).unwrap_or_default();
        for (step, assemblies) in steps {
            let has_halves = step.reads.iter().chain(&step.writes).any(|r| r.dtype == DType::F16);
            let Some(shader) = assemblies.first().map(|assembly| assembly.shader) else { continue };
            if assemblies.iter().any(|a| !a.may_be_trusted) || has_halves || !seen.insert(shader) {
                continue;
            }
            let judged = gpu.judge_variant(&step, 0)?;
            assert_eq!(judged.distrust, None, "{shader} for {}", step.label);
            let are_trusted = judged.assemblies.iter().all(|a| a.module == ModuleKind::Trusted);
            assert!(are_trusted, "{shader} for {}: {:?}", step.label, judged.verdict);
        }
    }
    assert!(seen.len() > 25, "{seen:?}");
    Ok(())
}
