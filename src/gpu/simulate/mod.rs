//! A dispatch executed on the host, to see what a device hides.
//!
//! A driver is free to run the invocations of a workgroup in any order, and one that happens to run
//! them one after the other gives correct results without a barrier. Here the invocations of a
//! workgroup execute the shader in lockstep (`execute`), as [naga](https://docs.rs/naga) parses
//! it, with the overrides, uniforms and operands of a dispatch. Beside every word that several of
//! them can see, `shadow` keeps who used it last and after how many barriers: two uses by
//! different invocations with no barrier between, of which one is a write, are a race, whichever
//! came first.
//!
//! What is found is true of these operands: nothing that is reported is harmless on another device,
//! and what other operands would do is not seen.

mod access;
mod arithmetic;
mod bind;
mod execute;
mod expression;
#[cfg(any(test, feature = "cli"))]
mod hostile;
mod layout;
mod machine;
mod math;
mod matrix;
mod memory;
mod module;
mod pure;
mod report;
mod shadow;
#[cfg(test)]
mod tests;
mod value;

pub use report::{Access, DispatchReport, Hazard, Invocation, Report};

#[cfg(any(test, feature = "cli"))]
use crate::schedule::plan::Step;
use crate::{
    error::SimulationError,
    gpu::codegen::{Assembly, assemble, hazards::bindable},
    proof::Case,
    schedule::plan::Plan,
};
#[cfg(any(test, feature = "cli"))]
use bind::WORK_OF_ONE;
use bind::{Buffers, Extent, simulate};
use std::collections::HashMap;

/// Follows some workgroups of the dispatches of a step, on seeded operands.
///
/// # Errors
///
/// [`SimulationError`]; a workgroup that is given up is one.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn check(step: &Step, assemblies: &[Assembly]) -> Result<Vec<Report>, SimulationError> {
    check_on(&Case::operands(step), assemblies)
}

/// The same on data that a program should never see: indices past every end, numbers that are none.
///
/// # Errors
///
/// Those of [`check`].
#[cfg(any(test, feature = "cli"))]
pub(crate) fn check_hostile(
    step: &Step,
    assemblies: &[Assembly],
) -> Result<Vec<Report>, SimulationError> {
    check_on(&hostile::case(step), assemblies)
}

#[cfg(any(test, feature = "cli"))]
fn check_on(case: &Case, assemblies: &[Assembly]) -> Result<Vec<Report>, SimulationError> {
    let mut buffers = Buffers::new(case);
    let mut follow = |assembly| finished(simulate(assembly, &mut buffers, Extent::Some)?);
    assemblies.iter().map(&mut follow).collect()
}

/// Takes a workgroup that is given up for an error.
#[cfg(any(test, feature = "cli"))]
fn finished(report: Report) -> Result<Report, SimulationError> {
    match report.unfinished {
        Some(line) => Err(SimulationError::Endless { line, limit: WORK_OF_ONE }),
        None => Ok(report),
    }
}

/// Follows some workgroups of every dispatch of a plan, in every variant of its kernels, on seeded
/// operands. Dispatches that are alike are followed once.
///
/// # Errors
///
/// [`SimulationError`].
pub(crate) fn check_plan(plan: &Plan) -> Result<Vec<DispatchReport>, SimulationError> {
    let bound = bindable(plan);
    let partials = bound.slots.len();
    let mut known: HashMap<_, Report> = HashMap::new();
    let mut reports = Vec::new();
    for (&number, step) in bound.numbers.iter().zip(&bound.steps) {
        for variant in 0..step.variants() {
            let mut buffers = None;
            for assembly in assemble(step, partials, variant) {
                let report = match known.get(&key(&assembly)) {
                    Some(report) => report.clone(),
                    None => {
                        let seeded = || Buffers::new(&Case::operands(step));
                        let buffers = buffers.get_or_insert_with(seeded);
                        let report = simulate(&assembly, buffers, Extent::Some)?;
                        known.insert(key(&assembly), report.clone());
                        report
                    }
                };
                let Assembly { label, shader, .. } = assembly;
                reports.push(DispatchReport { step: number, label, shader, report });
            }
        }
    }
    Ok(reports)
}

/// What dispatches that are alike have in common.
fn key(assembly: &Assembly) -> impl std::hash::Hash + Eq + use<> {
    let Assembly { text, overrides, workgroups, params, slot_params, .. } = assembly;
    let overrides: Vec<_> =
        overrides.iter().map(|(name, value)| (*name, value.to_bits())).collect();
    (text.clone(), overrides, *workgroups, params.bytes().to_vec(), slot_params.clone())
}
