//! The shaders of this crate: none races, every barrier is needed, and their results are right.

use super::super::{
    bind::{Buffers, Extent, simulate},
    check, check_hostile, key,
    report::{Hazard, Report},
};
use crate::{
    Error,
    gpu::codegen::{Assembly, assemble, hazards::bindable},
    ops::precision::MatrixUnits,
    proof::Case,
    schedule::plan::Step,
    testing::{planned, samples},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// Distinct steps of all samples in every variant, each with its dispatches: so many for each text
/// and choice of overrides.
fn steps(most: usize) -> Result<Vec<(Step, Vec<Assembly>)>, Error> {
    let (mut steps, mut known) = (Vec::new(), HashSet::new());
    let mut shapes: HashMap<_, usize> = HashMap::new();
    for sample in samples() {
        let bound = bindable(&planned(&sample, &MatrixUnits::ALL)?);
        for step in bound.steps {
            for variant in 0..step.variants() {
                let assemblies = assemble(&step, bound.slots.len(), variant);
                let text = |a: &Assembly| (a.text.clone(), format!("{:?}", a.overrides));
                let of_text: Vec<_> = assemblies.iter().map(text).collect();
                let is_new = known.insert(assemblies.iter().map(key).collect::<Vec<_>>());
                // Whatever reads an operand that has no elements is there.
                let is_empty = step.reads.iter().any(|region| region.len == 0);
                if is_new && (is_empty || *shapes.entry(of_text.clone()).or_default() < most) {
                    *shapes.entry(of_text).or_default() += 1;
                    steps.push((step.clone(), assemblies));
                }
            }
        }
    }
    Ok(steps)
}

/// Whether invocations of a workgroup share anything.
fn is_shared(assembly: &Assembly) -> bool {
    assembly.text.contains("var<workgroup>") || assembly.text.contains("Barrier()")
}

fn followed(step: &Step, assembly: &Assembly) -> Report {
    let report = check(step, std::slice::from_ref(assembly)).map(|mut reports| reports.remove(0));
    report.unwrap_or_else(|error| panic!("{} ({}): {error}", assembly.label, assembly.shader))
}

/// A barrier: its function, its number in it, and what it says.
type Barrier = (String, usize, String);

/// The barriers of a text by line, from 1.
fn barriers(text: &str) -> BTreeMap<u32, Barrier> {
    let (mut function, mut number) = (String::new(), 0);
    let mut found = BTreeMap::new();
    for (line, content) in text.lines().enumerate() {
        if let Some(rest) = content.strip_prefix("fn ") {
            (function, number) = (rest.split('(').next().unwrap_or_default().to_owned(), 0);
        }
        if content.split("//").next().is_some_and(|code| code.contains("workgroupBarrier();")) {
            let barrier = (function.clone(), number, content.trim().to_owned());
            found.insert(line as u32 + 1, barrier);
            number += 1;
        }
    }
    found
}

/// The same without a barrier.
fn without(assembly: &Assembly, line: u32) -> Assembly {
    let drop = |(number, content): (usize, &str)| match number as u32 + 1 == line {
        true => content.replacen("workgroupBarrier();", "", 1),
        false => content.to_owned(),
    };
    let text: Vec<String> = assembly.text.lines().enumerate().map(drop).collect();
    Assembly { text: text.join("\n"), ..assembly.clone() }
}

#[test]
fn no_shader_has_a_hazard() -> Result<(), Error> {
    let (mut count, mut capped) = (0, 0);
    for (step, assemblies) in steps(4)? {
        if !assemblies.iter().any(is_shared) {
            continue;
        }
        for assembly in &assemblies {
            let report = followed(&step, assembly);
            let Assembly { label, shader, .. } = assembly;
            assert_eq!(report.hazards, [], "{label} ({shader})");
            count += 1;
            capped += u32::from(report.is_capped());
        }
    }
    eprintln!("{count} dispatches, of which {capped} were capped");
    assert!(count > 300, "only {count}");
    Ok(())
}

/// No data lead past the end of an array, to workgroup memory that nobody wrote, or into a loop without
/// end: in modules without runtime checks nothing else would stop them.
#[test]
fn no_shader_follows_data_out_of_bounds() -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for (step, assemblies) in steps(2)? {
        for (assembly, report) in assemblies.iter().zip(check_hostile(&step, &assemblies)?) {
            let Assembly { label, shader, .. } = assembly;
            // Places that coincide are a race, but one within the result.
            let found: Vec<_> = report.hazards.iter().filter(|h| h.is_of_memory()).collect();
            assert!(found.is_empty(), "{label} ({shader}): {found:?}");
            seen.insert(*shader);
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
    Ok(())
}

/// A barrier whose loss is not found is not needed, or the samples are too few to show it.
#[test]
fn every_barrier_left_out_is_found() -> Result<(), Error> {
    let mut dispatches: Vec<(Step, Assembly)> = Vec::new();
    for (step, assemblies) in steps(usize::MAX)? {
        let shared = assemblies.into_iter().filter(is_shared);
        dispatches.extend(shared.map(|assembly| (step.clone(), assembly)));
    }
    let size = |assembly: &Assembly| assembly.workgroups.iter().product::<u32>();
    dispatches.sort_by_key(|(_, assembly)| size(assembly));
    let mut missed: BTreeSet<(&str, Barrier)> = BTreeSet::new();
    let mut reached: BTreeSet<(&str, Barrier)> = BTreeSet::new();
    for (step, assembly) in &dispatches {
        let barriers = barriers(&assembly.text);
        let open = |missed: &BTreeSet<(&str, Barrier)>, barrier: &Barrier| {
            !missed.contains(&(assembly.shader, barrier.clone()))
        };
        if !barriers.values().any(|barrier| open(&missed, barrier)) {
            continue;
        }
        let whole = followed(step, assembly);
        assert_eq!(whole.hazards, [], "{} ({})", assembly.label, assembly.shader);
        for (line, barrier) in barriers {
            if !whole.barriers.contains(&line) {
                continue;
            }
            reached.insert((assembly.shader, barrier.clone()));
            if open(&missed, &barrier) {
                let open = without(assembly, line);
                let is_race =
                    |h: &Hazard| matches!(h, Hazard::Race { .. } | Hazard::Unordered { .. });
                // Some protect what happens only where a number is infinite.
                let is_found = followed(step, &open).hazards.iter().any(is_race)
                    || check_hostile(step, &[open])?.iter().any(|r| r.hazards.iter().any(is_race));
                if is_found {
                    missed.insert((assembly.shader, barrier));
                }
            }
        }
    }
    let unneeded: Vec<_> = reached.difference(&missed).collect();
    assert!(unneeded.is_empty(), "{unneeded:#?}");
    // Those of every file, in a shader that is made of it.
    let (mut count, folder) = (0, Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"));
    // Those that guard others are outside of every plan.
    let is_in_plans = |(path, _): &(PathBuf, String)| !path.starts_with(folder.join("guards"));
    for (path, text) in files(&folder).into_iter().filter(is_in_plans) {
        let is_fragment = path.starts_with(folder.join("lib"));
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        for barrier in barriers(&text).into_values() {
            let is_it = |(shader, known): &(&str, Barrier)| {
                *known == barrier && (is_fragment || *shader == name)
            };
            assert!(missed.iter().any(is_it), "{}: {barrier:?} is not reached", path.display());
            count += 1;
        }
    }
    eprintln!("{count} barriers in files, {} in shaders made of them", missed.len());
    Ok(())
}

/// Path and text of every file of a folder.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).expect("the folder is part of the crate");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it is text");
        (path, text)
    };
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![read(path)] }).collect()
}

/// The simulation computes what a device must, so what it says of accesses is of the same program.
#[test]
fn results_are_those_of_the_reference() -> Result<(), Error> {
    let mut judged = 0;
    for (step, assemblies) in steps(2)? {
        let groups = |a: &Assembly| a.workgroups.iter().product::<u32>();
        if assemblies.is_empty() || assemblies.iter().any(|a| groups(a) > 6) {
            continue;
        }
        let case = Case::new(&step);
        let mut buffers = Buffers::new(&case);
        for assembly in &assemblies {
            let done = simulate(assembly, &mut buffers, Extent::All);
            let report = done.unwrap_or_else(|error| panic!("{}: {error}", assembly.label));
            assert_eq!(report.hazards, [], "{} ({})", assembly.label, assembly.shader);
        }
        let written: Vec<_> = case.regions.iter().map(|r| buffers.words(*r).clone()).collect();
        let agreement = case.judge(&written);
        assert!(agreement.holds(), "{} ({}): {agreement}", step.label, assemblies[0].shader);
        judged += 1;
    }
    eprintln!("{judged} steps");
    assert!(judged > 1000, "only {judged}");
    Ok(())
}
