//! The outcome of a diff, human-readable and as JSON.

use crate::{device::described, failure::Failure};
use serde_json::{Value, json};
use std::io::Write;
use wgrad::{Device, Diff};

/// Prints the outcome; an error if a step is wrong.
pub fn report(
    out: &mut impl Write,
    diff: &Diff,
    devices: &[Device],
    json: bool,
) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", object(diff, devices))?
    } else {
        write!(out, "{}", text(diff, devices))?
    }
    match diff.divergence {
        None => Ok(()),
        Some(_) => Err("a step gives what it must not".into()),
    }
}

fn text(diff: &Diff, devices: &[Device]) -> String {
    let mut text = String::new();
    for (device, worst) in devices.iter().zip(&diff.worst) {
        text +=
            &format!("{}: at most {:.1}% of what is allowed\n", described(device), 100.0 * worst);
    }
    let steps = if diff.steps == 1 { "step" } else { "steps" };
    text += &format!("{} {steps}, {} results compared\n", diff.steps, diff.compared);
    if let Some(divergence) = &diff.divergence {
        text += &format!("wrong first in {divergence}\n");
    }
    if let Some(origin) = &diff.not_finite {
        text += &format!("not finite first in {origin}\n");
    }
    text
}

fn object(diff: &Diff, devices: &[Device]) -> Value {
    let place = |place: &Option<wgrad::Place>| {
        place.as_ref().map(|place| {
            let (file, line) = (place.location.file(), place.location.line());
            json!({ "scope": place.scope, "file": file, "line": line })
        })
    };
    json!({
        "devices": devices.iter().map(described).collect::<Vec<_>>(),
        "steps": diff.steps,
        "compared": diff.compared,
        "worst": diff.worst.iter().map(|x| x.is_finite().then_some(*x)).collect::<Vec<_>>(),
        "divergence": diff.divergence.as_ref().map(|p| json!({
            "step": p.step,
            "operations": p.label,
            "shape": p.shape.dims(),
            "place": place(&p.place),
            "device": p.device,
            "element": p.index,
            "got": p.got,
            "expected": p.expected,
            "allowed": p.allowed,
            "ulp": p.ulp(),
        })),
        "not_finite": diff.not_finite.as_ref().map(|n| json!({
            "step": n.step,
            "operations": n.label,
            "place": place(&n.place),
            "element": n.index,
            "value": n.value.to_string(),
        })),
    })
}
