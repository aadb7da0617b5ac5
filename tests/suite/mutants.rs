//! Mutants of shaders: what is made wrong, and that it is noticed.

use crate::device;
use std::collections::BTreeSet;
use wgrad::{
    Device, Error,
    testing::mutants::{Mutant, Mutants, Operator, Trial, Until},
};

fn of<'a>(mutants: &'a Mutants, shader: &str, after: &str) -> &'a Mutant {
    let it = mutants.all().iter().find(|m| m.shader == shader && m.after.contains(after));
    it.unwrap_or_else(|| unreachable!("{shader} has no mutant with {after}"))
}

/// Every operator finds something, and every shader that an operation runs has mutants.
#[test]
fn every_shader_has_mutants() -> Result<(), Error> {
    let mutants = Mutants::new()?;
    let operators: BTreeSet<Operator> = mutants.all().iter().map(|m| m.operator).collect();
    assert_eq!(operators.len(), Operator::ALL.len(), "{operators:?}");
    let mutated: BTreeSet<&str> = mutants.all().iter().map(|m| m.shader.as_str()).collect();
    let shaders = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut folders = vec![shaders.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it is a folder") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let stem = path.file_stem().expect("it is a file").to_string_lossy();
            let place = path.parent().and_then(|p| p.file_name()).map(|p| p.to_string_lossy());
            match place.as_deref() {
                // What measures a device has no result that anything relies on.
                Some("ceilings" | "guards") => {}
                // Only a device with matrix units runs these.
                _ if stem.ends_with("_units") || stem.starts_with("units") => {}
                // It has no expression that could be wrong.
                Some("lib") if stem.starts_with("weight") => {}
                Some("lib") => assert!(mutated.contains(format!("lib/{stem}").as_str()), "{stem}"),
                _ => assert!(mutated.contains(&*stem), "{stem}"),
            }
        }
    }
    Ok(())
}

/// Each is one change of one line, and no two are the same.
#[test]
fn mutants_differ_from_the_file_and_from_each_other() -> Result<(), Error> {
    let mutants = Mutants::new()?;
    let mut seen = BTreeSet::new();
    for mutant in mutants.all() {
        assert_ne!(mutant.before, mutant.after, "{mutant}");
        assert!(seen.insert((&mutant.shader, mutant.line, &mutant.after)), "{mutant}");
    }
    let [some, same, others] =
        [(10, 1), (10, 1), (10, 2)].map(|(n, seed)| mutants.one_in(nonzero(n), seed));
    let lines = |mutants: &[&Mutant]| mutants.iter().map(|m| m.to_string()).collect::<Vec<_>>();
    assert_eq!(lines(&some), lines(&same));
    assert_ne!(lines(&some), lines(&others));
    let share = some.len() as f64 / mutants.all().len() as f64;
    assert!((0.08..0.12).contains(&share), "{share}");
    Ok(())
}

fn nonzero(n: usize) -> std::num::NonZero<usize> {
    std::num::NonZero::new(n).expect("it is not 0")
}

/// One of each kind: noticed by the proof and by the results; by the results alone; by nothing, as
/// it does the same; and one that never ends, which ends.
#[test]
fn the_gpu_notices_mutants() -> Result<(), Error> {
    let Some(Device::Gpu(gpu)) = device::gpu() else { return Ok(()) };
    let mutants = Mutants::new()?;
    let noticed = |shader: &str, after: &str| {
        let trial = mutants.try_on(of(&mutants, shader, after), &gpu, Until::Failed)?;
        Ok::<_, Error>(match trial {
            Trial::Ran { proof, conformance, .. } => [proof, conformance],
            other => unreachable!("{shader}, {after}: {other:?}"),
        })
    };
    assert_eq!(noticed("gather", "pair + outer * params.count")?, [true, true]);
    // Only where a workgroup has nothing to do: the proof runs the grid that will run.
    assert_eq!(noticed("softmax", "if row > params.rows {")?, [false, true]);
    // The product of two bytes does not depend on their order.
    assert_eq!(noticed("lib/add_products_i8", "dot4I8Packed(others.w, words.w),")?, [false, false]);
    // It does not end.
    assert_eq!(noticed("segment_sum", "while low <= high {")?, [true, true]);
    // The first to notice it is enough, if that is all that is asked.
    let mutant = of(&mutants, "gather", "pair + outer * params.count");
    match mutants.try_on(mutant, &gpu, Until::Noticed)? {
        Trial::Ran { simulation, proof, conformance, .. } => {
            let count = [simulation, proof, conformance].iter().filter(|&&noticed| noticed).count();
            assert_eq!(count, 1);
        }
        other => unreachable!("{other:?}"),
    }
    Ok(())
}
