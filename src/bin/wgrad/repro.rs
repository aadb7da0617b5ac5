//! Reproduction files: one step of a model's training with its operands.

use crate::{
    console::Console,
    failure::Failure,
    model::Description,
    report::report,
    words::{count, shown_path},
};
use serde_json::{Value, json};
use std::{io::Write, path::Path};
use wgrad::{
    Array, Device, Program, Variables, data::Labeled, io::safetensors, optim::Adam, train::Trainer,
};

/// A step of the program that trains a model on this many images.
pub struct Repro {
    pub description: Description,
    pub rows: usize,
    pub step: usize,
}

/// Maximum number of images in a file.
const ROWS: usize = 4096;

/// Compiles a training step. Its plan is the same for all devices.
pub fn program(description: &Description, rows: usize) -> Result<Program, Failure> {
    let data =
        Labeled::new(Array::new::<f32>(description.shape(0), &[])?, Array::new::<u32>([0], &[])?)?;
    let (model, optimizer) = (description.model(), Adam::new(1e-3));
    Ok(Trainer::classifier(&model, &optimizer).step(&Device::cpu(), &data, rows)?)
}

impl Repro {
    /// The operations of the step, to detect that another version plans different steps.
    fn label(&self, program: &Program) -> Result<String, Failure> {
        let label = program.plan().and_then(|plan| plan.label(self.step));
        label.map(str::to_owned).ok_or_else(|| format!("there is no step {}", self.step).into())
    }

    /// Writes the step and its operands; returns what was written.
    pub fn save(
        &self,
        path: &Path,
        program: &Program,
        operands: Vec<Array>,
    ) -> Result<String, Failure> {
        let label = self.label(program)?;
        let reads = count(operands.len(), "operand", "operands");
        let elements = operands.iter().map(|operand| operand.words().len()).sum();
        let elements = count(elements, "element", "elements");
        let note = json!({
            "model": serde_json::from_str::<Value>(&self.description.to_json())?,
            "rows": self.rows,
            "step": self.step,
            "operations": label,
            "version": env!("CARGO_PKG_VERSION"),
        });
        let names = (0..operands.len()).map(|k| format!("operand{k:03}"));
        let variables = Variables::new(0);
        variables.insert_all(names.zip(operands))?;
        safetensors::save_with_note(path, &variables, "", &note.to_string())?;
        let (step, path) = (self.step, shown_path(path));
        Ok(format!("wrote step {step}, {label}, and its {reads} of {elements} to {path}"))
    }

    /// Reads the step of a file, its program and its operands.
    fn load(path: &Path) -> Result<(Repro, Program, Vec<Array>), Failure> {
        let (arrays, note) = safetensors::read_with_note(path)?;
        let wrong = |what: &str| Failure::from(format!("{}: {what}", shown_path(path)));
        let note = note.ok_or_else(|| wrong("it was not written by wgrad diff --repro"))?;
        let note: Value = serde_json::from_str(&note).map_err(|error| wrong(&error.to_string()))?;
        if !note["model"].is_object() {
            return Err(wrong("it was not written by wgrad diff --repro"));
        }
        let description = Description::from_json(&note["model"].to_string()).map_err(|error| {
            wrong(&format!("its description of the model is not valid: {error}"))
        })?;
        let number = |name: &str| note[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let (Some(rows @ 1..=ROWS), Some(step)) = (number("rows"), number("step")) else {
            return Err(wrong("it does not say which step it holds"));
        };
        let repro = Repro { description, rows, step };
        let program = program(&repro.description, rows)?;
        if repro.label(&program).ok().as_deref() != note["operations"].as_str() {
            let version = note["version"].as_str().unwrap_or("another version");
            return Err(wrong(&format!(
                "step {step} is a different one here: wgrad {version} wrote it"
            )));
        }
        Ok((repro, program, arrays.into_iter().map(|(_, array)| array).collect()))
    }
}

/// A step that was read from a file, to run on a device again.
pub struct Kept {
    step: usize,
    program: Program,
    operands: Vec<Array>,
}

impl Kept {
    pub fn load(path: &Path) -> Result<Kept, Failure> {
        let (Repro { step, .. }, program, operands) = Repro::load(path)?;
        Ok(Kept { step, program, operands })
    }

    /// Runs it and prints the outcome.
    pub fn replay(
        &self,
        device: &Device,
        json: bool,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let Kept { step, program, operands } = self;
        let devices = std::slice::from_ref(device);
        let diff = program.replay(*step, operands, devices)?;
        if !json {
            let label = program.plan().and_then(|plan| plan.label(*step)).unwrap_or_default();
            writeln!(console, "step {step}, {label}")?;
        }
        report(console, &diff, devices, json)
    }
}
