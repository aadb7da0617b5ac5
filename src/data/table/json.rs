//! An encoding as JSON.

use super::{
    Encoding, Target,
    column::ColumnKind,
    input::{Features, Input, MAX_CATEGORIES},
    message::shown,
    target::TargetColumn,
};
use crate::error::{Error, FileError};
use serde::Deserialize;
use std::collections::HashSet;

/// Version of the format.
const VERSION: u64 = 1;

/// The version, before anything else is looked at.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(rename = "version")]
    _version: u64,
    inputs: Vec<Input>,
    target: TargetColumn,
}

impl Encoding {
    /// As JSON, to be kept with the model, as the note of
    /// [`save_with_note`](crate::io::safetensors::save_with_note) for one:
    /// [`from_json`](Self::from_json) returns the same encoding, in all digits.
    pub fn to_json(&self) -> String {
        let Encoding { inputs, target } = self;
        serde_json::json!({ "version": VERSION, "inputs": inputs, "target": target }).to_string()
    }

    /// Reads what [`to_json`](Self::to_json) returns.
    ///
    /// # Errors
    ///
    /// [`FileError::Corrupt`] if it is something else, of another version, or contradicts itself;
    /// the path is `encoding`.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        read(json).map_err(|message| FileError::Corrupt { path: "encoding".into(), message }.into())
    }
}

/// Reads an encoding, or says what is wrong with it.
fn read(json: &str) -> Result<Encoding, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    let Versioned { version } = serde_json::from_str(json).map_err(wrong)?;
    if version != VERSION {
        return Err(format!("expected version {VERSION}, found {version}"));
    }
    let Saved { inputs, target, .. } = serde_json::from_str(json).map_err(wrong)?;
    if inputs.is_empty() {
        return Err("expected inputs, found none".to_owned());
    }
    let mut names = HashSet::from([target.name.as_str()]);
    if let Some(input) = inputs.iter().find(|input| !names.insert(&input.name)) {
        return Err(format!("two columns are named {:?}", input.name));
    }
    for Input { name, features, .. } in &inputs {
        is_possible(features).map_err(|message| format!("column {name:?}: {message}"))?;
    }
    is_target(&target).map_err(|message| format!("column {:?}: {message}", target.name))?;
    Ok(Encoding { inputs, target })
}

fn is_possible(features: &Features) -> Result<(), String> {
    match features {
        Features::Number { mean, std } => moments(*mean, *std, true),
        Features::Category(names) => {
            ordered(names)?;
            count(names.len(), 1)
        }
    }
}

fn is_target(column: &TargetColumn) -> Result<(), String> {
    match (&column.target, column.kind) {
        (&Target::Regression { mean, std }, ColumnKind::Number) => moments(mean, std, false),
        (Target::Regression { .. }, ColumnKind::Category) => {
            Err("expected numbers to predict, found categories".to_owned())
        }
        (Target::Classification { classes }, ColumnKind::Category) => {
            ordered(classes)?;
            count(classes.len(), 2)
        }
        (Target::Classification { classes }, ColumnKind::Number) => {
            let numbers = column.numbers(classes);
            // As they are written: without this, two names could be one number.
            let is_exact = |(x, name): (&f64, &String)| x.is_finite() && x.to_string() == *name;
            if numbers.len() != classes.len() || !numbers.iter().zip(classes).all(is_exact) {
                return Err("expected numbers as classes".to_owned());
            }
            if !numbers.is_sorted_by(|a, b| a < b) {
                return Err("expected classes in order of value".to_owned());
            }
            count(classes.len(), 2)
        }
    }
}

fn moments(mean: f64, std: f64, may_be_constant: bool) -> Result<(), String> {
    // A number that is too large for f64 is read as infinite.
    let is_std = std.is_normal() && std > 0.0 || may_be_constant && std == 0.0;
    match mean.is_finite() && is_std {
        true => Ok(()),
        false => Err(format!("mean {mean} and standard deviation {std} are no moments")),
    }
}

fn ordered(names: &[String]) -> Result<(), String> {
    match names.iter().zip(names.iter().skip(1)).find(|(a, b)| a >= b) {
        Some((a, b)) => {
            Err(format!("expected names in order, found {} before {}", shown(a), shown(b)))
        }
        None => Ok(()),
    }
}

fn count(found: usize, least: usize) -> Result<(), String> {
    match (least..=MAX_CATEGORIES).contains(&found) {
        true => Ok(()),
        false => Err(format!("expected {least} to {MAX_CATEGORIES} categories, found {found}")),
    }
}
