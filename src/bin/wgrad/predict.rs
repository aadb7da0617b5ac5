//! `wgrad predict`: classifies images with a saved model.

use crate::{device::DeviceArgs, failure::Failure, model::Description};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use wgrad::{
    Array, DType, Device, Error, Graph, Program, Variables,
    data::images,
    io::safetensors,
    nn::{Mode, Module, Scope},
    train::MODEL,
};

/// Print the most probable classes of images according to a saved model.
///
/// Images are PNG or JPEG files. They are scaled to the size the model was trained on, and
/// converted to grayscale if its images were. Models of digits, mnist and fashion-mnist expect
/// light shapes on a dark background: use --invert for dark ones on a light background.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad predict runs/images/model.safetensors cat.jpg dog.png
  wgrad predict runs/mnist/model.safetensors --invert --top 1 scan.png
  wgrad predict runs/images/model.safetensors *.jpg --json | jq -r .class")]
pub struct Args {
    /// The model.safetensors written by `wgrad train`.
    model: PathBuf,
    /// Images, PNG or JPEG.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print this many classes, the most probable first.
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Invert every image.
    #[arg(long)]
    invert: bool,
    /// Print one JSON object per line, one for each image.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let (description, variables) = load(&args.model)?;
    let program = compile(&args.device.open()?, &description)?;
    let trained = variables.paths().len();
    program.prepare(&variables).map_err(|error| match error {
        Error::Variable(error) => format!("{}: {error}", args.model.display()).into(),
        error => Failure::from(error),
    })?;
    // Weights missing from the file were initialized above.
    if variables.paths().len() != trained {
        return Err(format!("{}: weights are missing", args.model.display()).into());
    }
    let mut out = std::io::stdout().lock();
    for file in &args.files {
        let image = images::read(file, description.input)?;
        let mut pixels = image.to_vec::<f32>()?;
        if args.invert {
            pixels.iter_mut().for_each(|pixel| *pixel = 1.0 - *pixel);
        }
        let image = Array::new(description.shape(1), &pixels)?;
        let outputs = program.run(&variables, &[("images", &image)])?;
        let probabilities = outputs.read_blocking(0)?.to_f64();
        let mut ranked: Vec<(&str, f64)> =
            description.classes.iter().map(String::as_str).zip(probabilities).collect();
        // Stable: among equals the first class comes first.
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked.truncate(args.top as usize);
        if args.json {
            writeln!(out, "{}", object(file, &ranked))?
        } else {
            write!(out, "{}", text(file, &ranked))?
        }
    }
    Ok(())
}

/// Reads the description of a model and its weights.
pub fn load(path: &Path) -> Result<(Description, Variables), Failure> {
    let (arrays, note) = safetensors::read_with_note(path)?;
    let of_model = |message: String| format!("{}: {message}", path.display());
    let note = note.ok_or_else(|| of_model("does not say what it was trained on".to_owned()))?;
    let description = Description::from_json(&note)
        .map_err(|error| of_model(format!("what it says of itself is wrong: {error}")))?;
    let variables = Variables::new(0);
    variables.set_all(arrays)?;
    Ok((description, variables))
}

/// Compiles a program that computes the class probabilities of one image.
fn compile(device: &Device, description: &Description) -> Result<Program, Failure> {
    let graph = Graph::new();
    let images = graph.input("images", description.shape(1), DType::F32);
    let mut cx = Scope::new(&graph, Mode::Eval);
    let logits = description.model().forward(&mut cx.child(MODEL), images);
    Ok(graph.compile_pure(device, &[logits.softmax(-1)])?)
}

fn text(file: &Path, ranked: &[(&str, f64)]) -> String {
    let lines = ranked
        .iter()
        .map(|(class, probability)| format!("  {:>6.2}%  {class}\n", 100.0 * probability));
    format!("{}\n{}", file.display(), lines.collect::<String>())
}

fn object(file: &Path, ranked: &[(&str, f64)]) -> serde_json::Value {
    let top: Vec<_> = ranked
        .iter()
        .map(|(class, probability)| json!({ "class": class, "probability": probability }))
        .collect();
    let first = ranked.first();
    json!({
        "file": file.display().to_string(),
        "class": first.map(|(class, _)| class),
        "probability": first.map(|(_, probability)| probability),
        "top": top,
    })
}
