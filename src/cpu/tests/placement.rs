//! Variables: arenas, in-place updates, and values that stay in place.

use super::*;
use crate::{
    backend::Executable, cpu::placement::Placed, error::RunError, graph::Declaration, init::Init,
    schedule::plan::Arena,
};

/// Adds variables of these lengths, initialized with ones, in one arena.
fn with_arena(mut plan: Plan, lens: &[usize]) -> Plan {
    let mut words = 0;
    let mut members = Vec::new();
    for (variable, &len) in lens.iter().enumerate() {
        let meta = Meta::new([len], DType::F32);
        plan.variables.push((format!("v{variable}"), Declaration::new(meta, Init::Ones)));
        plan.assigned.push(true);
        members.push((variable, words));
        words += len.next_multiple_of(64);
    }
    plan.arenas.push(Arena { members, words, dtype: DType::F32 });
    plan
}

/// `arena = arena * 3 + input`, in place over the whole arena.
fn update(words: usize) -> Step {
    let mut body = Body::default();
    let old = load(&mut body, 0, affine(0, &[1]), vec![]);
    let x = load(&mut body, 1, affine(0, &[1]), vec![]);
    let three = body.push(Term::Const(3.0f32.to_bits()), DType::F32);
    let scaled = body.push(Term::Apply(MUL, vec![old, three]), DType::F32);
    let new = body.push(Term::Apply(ADD, vec![scaled, x]), DType::F32);
    let arena = region(Storage::Arena(0), words);
    step(map(&[words], body, &[new]), vec![arena, region(Storage::Input(0), words)], vec![arena])
}

#[test]
fn an_arena_is_updated_in_place_and_stays() -> Result<(), Error> {
    let lens = [100, 30_000];
    let words = 128 + 30_016;
    let made = Arc::new(with_arena(plan(&[words], &[], vec![update(words)]), &lens));
    let input = Array::new([words], &vec![0.5f32; words])?;
    for threads in [1, 3] {
        let program = CpuProgram::new(&CpuDevice::with_threads(threads)?, made.clone())?;
        let variables = Variables::new(0);
        program.run(&mut variables.lock(), &[Fed::Host(&input)])?;
        let memory = |path: &str| match variables.lock().entry(path)?.data.is::<Placed>() {
            Some(placed) => Ok::<_, Error>((placed.memory.clone(), placed.offset)),
            None => unreachable!("it was run on the CPU"),
        };
        let first = memory("v0")?;
        assert!(Arc::ptr_eq(&first.0, &memory("v1")?.0));
        assert_eq!((first.1, memory("v1")?.1), (0, 128));
        program.run(&mut variables.lock(), &[Fed::Host(&input)])?;
        assert!(Arc::ptr_eq(&first.0, &memory("v0")?.0), "nothing moves");
        // (1 * 3 + 0.5) * 3 + 0.5
        assert_eq!(variables.get("v1")?.to_vec::<f32>()?, vec![11.0; 30_000]);

        // A value set from the host is written in place.
        variables.set("v0", Array::new([100], &[0.0f32; 100])?)?;
        program.prepare(&mut variables.lock())?;
        assert!(Arc::ptr_eq(&first.0, &memory("v0")?.0), "nothing moves");
        assert_eq!(variables.get("v0")?.to_vec::<f32>()?, vec![0.0; 100]);
        assert_eq!(variables.get("v1")?.to_vec::<f32>()?, vec![11.0; 30_000]);
    }
    Ok(())
}

#[test]
fn members_of_an_arena_alias_it() -> Result<(), Error> {
    // v1 = v0 + v0, each under its own name, then an output from the whole arena.
    let mut body = Body::default();
    let x = load(&mut body, 0, affine(0, &[1]), vec![]);
    let y = body.push(Term::Apply(ADD, vec![x, x]), DType::F32);
    let double = step(
        map(&[64], body.clone(), &[y]),
        vec![region(Storage::Variable(0), 64)],
        vec![region(Storage::Variable(1), 64)],
    );
    // Shifted by one member: reads overlap writes without being equal.
    let moved = step(
        map(&[64], body, &[y]),
        vec![region(Storage::Variable(1), 64)],
        vec![Region { offset: 64, ..region(Storage::Arena(0), 64) }],
    );
    let copy = step(
        StepKind::Copy,
        vec![region(Storage::Arena(0), 128)],
        vec![region(Storage::Output(0), 128)],
    );
    let plan = with_arena(plan(&[], &[128], vec![double, moved, copy]), &[64, 64]);
    let outs = run(plan, &[])?;
    assert_eq!(floats(&outs[0]), [[1.0; 64], [4.0; 64]].concat());
    Ok(())
}

#[test]
fn several_writes_share_a_slot() -> Result<(), Error> {
    let mut body = Body::default();
    let x = load(&mut body, 0, affine(0, &[1]), vec![]);
    let y = body.push(Term::Apply(ADD, vec![x, x]), DType::F32);
    let z = body.push(Term::Apply(MUL, vec![y, y]), DType::F32);
    let part = |offset| Region { offset, ..region(Storage::Slot(0), 64) };
    let split = step(
        map(&[64], body, &[z, y]),
        vec![region(Storage::Input(0), 64)],
        vec![part(128), part(0)],
    );
    let copy = step(
        StepKind::Copy,
        vec![region(Storage::Slot(0), 192)],
        vec![region(Storage::Output(0), 192)],
    );
    let mut plan = plan(&[64], &[192], vec![split, copy]);
    plan.slots = vec![192];
    let outs = run(plan, &[Array::new([64], &[3.0f32; 64])?])?;
    assert_eq!(floats(&outs[0]), [[6.0; 64], [0.0; 64], [36.0; 64]].concat());
    Ok(())
}

#[test]
fn values_of_other_devices_are_refused() -> Result<(), Error> {
    use crate::{Device, Graph, array64::Array64};
    let array = noise(4, 8);
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let program = graph.compile(&Device::Reference, &[x])?;
    let outputs = program.run(&Variables::new(0), &[("x", &array)])?;
    let value = outputs.get(0)?;
    assert_eq!(value.data.is::<Array64>(), Some(&Array64::from(&array)));
    let step = step(
        StepKind::Copy,
        vec![region(Storage::Input(0), 4)],
        vec![region(Storage::Output(0), 4)],
    );
    let program = CpuProgram::new(&CpuDevice::new(), Arc::new(plan(&[4], &[4], vec![step])))?;
    let error = program.run(&mut Variables::new(0).lock(), &[Fed::Device(value)]);
    assert!(matches!(error, Err(Error::Run(RunError::ForeignValue { name })) if name == "0"));
    Ok(())
}

#[test]
fn arenas_that_disagree_do_not_fight() -> Result<(), Error> {
    use crate::{Device, Graph};
    let over = |indices: &[usize], factor: f64| {
        let graph = Graph::new();
        for k in indices {
            let v = graph.variable(&format!("v{k}"), [30], DType::F32, Init::Ones);
            graph.assign(v, v * factor);
        }
        graph.compile(&Device::cpu(), &[])
    };
    let (all, some) = (over(&[0, 1, 2], 2.0)?, over(&[1, 2], 0.25)?);
    let variables = Variables::new(0);
    let memory = || match variables.lock().entry("v1")?.data.is::<Placed>() {
        Some(placed) => Ok::<_, Error>((placed.memory.clone(), placed.offset)),
        None => unreachable!("it was run on the CPU"),
    };
    all.run(&variables, &[])?;
    let (arena, first) = memory()?;
    for _ in 0..2 {
        some.run(&variables, &[])?;
        all.run(&variables, &[])?;
        assert!(Arc::ptr_eq(&arena, &memory()?.0), "nothing moves");
    }
    assert_eq!(first, 64);
    for (path, value) in [("v0", 8.0), ("v1", 0.5), ("v2", 0.5)] {
        assert_eq!(variables.get(path)?.to_f64(), [value; 30], "{path}");
    }
    // The program with the large arena is gone: the other one gets its own.
    drop(all);
    some.run(&variables, &[])?;
    assert_eq!(memory()?.1, 0);
    assert_eq!(variables.get("v1")?.to_f64(), [0.125; 30]);
    Ok(())
}
