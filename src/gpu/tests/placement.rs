//! Programs that share a store but prefer different placements: variables soon stop moving.

use super::{own_device, ramp};
use crate::{
    Array, DType, Device, Error, Feed, Graph, Init, Program, Tensor, Variables,
    backend::Executable,
    gpu::{GpuDevice, memory::Placed},
};
use std::sync::Arc;

const LENS: [usize; 3] = [100, 30, 70];

/// A program that assigns these values to these variables.
fn program(
    device: &Device,
    updates: impl for<'g> Fn(&'g Graph) -> Vec<[Tensor<'g>; 2]>,
) -> Result<Program, Error> {
    let graph = Graph::new();
    for [variable, value] in updates(&graph) {
        graph.assign(variable, value);
    }
    graph.compile(device, &[])
}

fn variable<'g>(graph: &'g Graph, name: &str, index: usize) -> Tensor<'g> {
    let init = Init::Constant(1.0 + index as f64);
    graph.variable(&format!("{name}{index}"), [LENS[index]], DType::F32, init)
}

/// `acc += x`, each from an input: no arena.
fn accumulate(device: &Device) -> Result<Program, Error> {
    program(device, |graph| {
        let of = |k| {
            let acc = variable(graph, "acc", k);
            [acc, acc + graph.input(&format!("x{k}"), [LENS[k]], DType::F32)]
        };
        (0..3).map(of).collect()
    })
}

/// `w -= acc / 8`, `acc *= 0`: one arena each.
fn apply(device: &Device) -> Result<Program, Error> {
    program(device, |graph| {
        let of = |k| {
            let (w, acc) = (variable(graph, "w", k), variable(graph, "acc", k));
            [[w, w - acc * 0.125], [acc, acc * 0.0]]
        };
        (0..3).flat_map(of).collect()
    })
}

/// Objects created and submissions made since the last call.
fn made(gpu: &GpuDevice, before: &mut [u64; 4]) -> [u64; 4] {
    let now = gpu.counters();
    let now = [now.buffers, now.bind_groups, now.pipelines, now.submissions];
    let made = [0, 1, 2, 3].map(|k| now[k] - before[k]);
    *before = now;
    made
}

/// Runs programs in turn, five rounds; after two rounds nothing is created and nothing moves.
fn rounds(
    gpu: &GpuDevice,
    variables: &Variables,
    programs: &[&Program],
    inputs: &[(&str, &dyn Feed)],
) -> Result<(), Error> {
    let mut before = [0; 4];
    for round in 0..5 {
        made(gpu, &mut before);
        for program in programs {
            let own = inputs
                .iter()
                .filter(|(name, _)| program.inputs().iter().any(|(known, _)| known == name));
            program.run(variables, &own.copied().collect::<Vec<_>>())?;
        }
        let made = made(gpu, &mut before);
        if round >= 2 {
            assert_eq!(made, [0, 0, 0, programs.len() as u64], "in round {round}");
        }
    }
    Ok(())
}

fn placed(variables: &Variables, path: &str) -> Result<Placed, Error> {
    match variables.lock().entry(path)?.data.is::<Placed>() {
        Some(placed) => Ok(placed.clone()),
        None => unreachable!("{path} is not on the device"),
    }
}

#[test]
fn an_arena_stays_where_another_program_writes_its_members() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let xs = LENS.map(ramp);
    let inputs: Vec<(String, &Array)> =
        xs.iter().enumerate().map(|(k, x)| (format!("x{k}"), x)).collect();
    let inputs: Vec<(&str, &dyn Feed)> =
        inputs.iter().map(|(name, x)| (name.as_str(), *x as &dyn Feed)).collect();
    let device = Device::Gpu(gpu.clone());
    let (one, two) = (accumulate(&device)?, apply(&device)?);
    assert_eq!(two.plan().map(|plan| plan.arenas.len()), Some(2));
    let variables = Variables::new(0);
    rounds(&gpu, &variables, &[&one, &two], &inputs)?;
    let storages = [placed(&variables, "acc0")?, placed(&variables, "acc2")?].map(|p| p.slice);
    assert!(Arc::ptr_eq(&storages[0].buffer, &storages[1].buffer), "they are in an arena");

    let (one, two) = (accumulate(&Device::Reference)?, apply(&Device::Reference)?);
    let expected = Variables::new(0);
    for _ in 0..5 {
        one.run(&expected, &inputs)?;
        two.run(&expected, &[])?;
    }
    for path in ["w0", "w1", "w2", "acc1"] {
        super::assert_near(&variables.get(path)?, &expected.get(path)?, 1e-6);
    }
    Ok(())
}

#[test]
fn a_dispatch_that_cannot_bind_an_arena_twice_has_a_stand_in() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let run = |device: &Device, check: bool| {
        let arena = program(device, |graph| {
            (0..3).map(|k| variable(graph, "v", k)).map(|v| [v, v * 0.5]).collect()
        })?;
        // Reads one member and writes another.
        let mixed = program(device, |graph| {
            let (a, b) = (variable(graph, "v", 0), variable(graph, "v", 1));
            vec![[a, a + b.sum(..)], [b, b * a.slice(0, 0..30)]]
        })?;
        // Copies one member to another.
        let copied = program(device, |graph| {
            let (a, c) = (variable(graph, "v", 0), variable(graph, "v", 2));
            vec![[c, a.slice(0, 5..75)]]
        })?;
        let variables = Variables::new(0);
        if check {
            assert!(arena.plan().is_some_and(|plan| plan.arenas.len() == 1));
            rounds(&gpu, &variables, &[&arena, &mixed, &copied], &[])?;
        } else {
            for program in [&arena, &mixed, &copied].repeat(5) {
                program.run(&variables, &[])?;
            }
        }
        ["v0", "v1", "v2"]
            .map(|path| variables.get(path))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    };
    let got = run(&Device::Gpu(gpu.clone()), true)?;
    let expected = run(&Device::Reference, false)?;
    for (got, expected) in got.iter().zip(&expected) {
        super::assert_near(got, expected, 1e-5);
    }
    Ok(())
}

#[test]
fn arenas_that_disagree_do_not_fight() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let device = Device::Gpu(gpu.clone());
    let over = |indices: &'static [usize], factor: f64| {
        program(&device, |graph| {
            indices.iter().map(|&k| variable(graph, "v", k)).map(|v| [v, v * factor]).collect()
        })
    };
    let (all, some) = (over(&[0, 1, 2], 2.0)?, over(&[1, 2], 0.25)?);
    let variables = Variables::new(0);
    rounds(&gpu, &variables, &[&all, &some], &[])?;
    assert_eq!(variables.get("v0")?.to_f64(), [32.0; 100]);
    assert_eq!(variables.get("v1")?.to_f64(), [2.0 / 32.0; 30]);
    assert_eq!(variables.get("v2")?.to_f64(), [3.0 / 32.0; 70]);
    assert_eq!(placed(&variables, "v1")?.slice.first, 512);

    // The program with the large arena is gone: the other one gets its own.
    drop(all);
    rounds(&gpu, &variables, &[&some], &[])?;
    assert_eq!(placed(&variables, "v1")?.slice.first, 0);
    assert_eq!(variables.get("v0")?.to_f64(), [32.0; 100]);
    assert_eq!(variables.get("v2")?.to_f64(), [3.0 / 32.0 / 1024.0; 70]);
    Ok(())
}

#[test]
fn memory_that_variables_have_left_is_freed() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let device = Device::Gpu(gpu.clone());
    let sum = {
        let graph = Graph::new();
        let total = (0..3).map(|k| variable(&graph, "acc", k).sum(..));
        let total = total.reduce(|a, b| a + b).expect("there are three");
        graph.compile(&device, &[total])?
    };
    let sum = gpu.program(Arc::new(sum.plan().expect("it has one").clone()))?;
    let apply = apply(&device)?;
    let variables = Variables::new(0);
    sum.run(&mut variables.lock(), &[])?;
    let old = Arc::downgrade(&placed(&variables, "acc1")?.slice.buffer);
    let kept = sum.lock().bindings.len();
    assert!(old.strong_count() > 0 && kept > 0);
    apply.run(&variables, &[])?;
    assert_eq!(old.strong_count(), 0, "it is in the arena now");
    sum.run(&mut variables.lock(), &[])?;
    assert_eq!(sum.lock().bindings.len(), kept, "those of the old memory are gone");
    // The same when a store is dropped, but not when merely another one is used.
    let other = Variables::new(1);
    sum.run(&mut other.lock(), &[])?;
    assert!(sum.lock().bindings.len() > kept);
    drop(other);
    sum.run(&mut variables.lock(), &[])?;
    assert_eq!(sum.lock().bindings.len(), kept);
    Ok(())
}

#[test]
fn setting_a_variable_creates_nothing() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let device = Device::Gpu(gpu.clone());
    let apply = apply(&device)?;
    let variables = Variables::new(0);
    apply.prepare(&variables)?;
    let place = placed(&variables, "w1")?.slice;
    let mut before = [0; 4];
    made(&gpu, &mut before);
    for k in 1..5u8 {
        variables.set("w1", Array::new([30], &[f32::from(k); 30])?)?;
        variables.set("acc1", Array::new([30], &[8.0f32; 30])?)?;
        apply.run(&variables, &[])?;
    }
    assert_eq!(made(&gpu, &mut before), [0, 0, 0, 4]);
    assert!(placed(&variables, "w1")?.slice.is(&place));
    assert_eq!(variables.get("w1")?.to_f64(), [3.0; 30]);
    // Its neighbors in the arena are unchanged: w minus an eighth of the first acc.
    assert_eq!(variables.get("w0")?.to_f64(), [0.875; 100]);
    assert_eq!(variables.get("w2")?.to_f64(), [2.625; 70]);
    Ok(())
}
