//! The outcome of a diff, human-readable and as JSON.

use crate::{console::Console, device::described, failure::Failure, words::count};
use serde_json::{Value, json};
use std::io::Write;
use wgrad::{Device, Diff};

/// Prints the outcome; an error if a step is wrong.
pub fn report(
    console: &mut Console,
    diff: &Diff,
    devices: &[Device],
    json: bool,
) -> Result<(), Failure> {
    if json {
        console.object(&object(diff, devices))?;
    } else {
        write!(console, "{}", text(diff, devices))?;
    }
    match &diff.divergence {
        None => Ok(()),
        Some(wrong) => Err(format!("step {} is wrong on {}", wrong.step, wrong.device).into()),
    }
}

fn text(diff: &Diff, devices: &[Device]) -> String {
    let mut text = String::new();
    for (device, worst) in devices.iter().zip(&diff.worst) {
        let share = match 100.0 * worst {
            share if share.is_finite() => format!("{share:.1}% of its bound"),
            _ => "not finite where it must be".to_owned(),
        };
        text += &format!("{}: the largest error is {share}\n", described(device));
    }
    let steps = count(diff.steps, "step", "steps");
    let results = count(diff.compared, "result", "results");
    text += &format!("{steps}, {results} compared\n\n");
    if let Some(origin) = &diff.not_finite {
        text += &format!("The first value that is not finite: {origin}\n");
    }
    text += &match (&diff.divergence, devices) {
        (Some(divergence), _) => format!("WRONG: {divergence}\n"),
        (None, [_]) => "RIGHT: every result is within its bound.\n".to_owned(),
        (None, _) => "RIGHT: every result is within its bound on all devices.\n".to_owned(),
    };
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
        "verdict": if diff.divergence.is_none() { "right" } else { "wrong" },
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
