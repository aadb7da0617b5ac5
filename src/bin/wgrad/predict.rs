//! `wgrad predict`: classifies images with a saved model.

use crate::{
    console::Console,
    device::DeviceArgs,
    failure::{Failure, line},
    model::Description,
    words::{count, shown, shown_path},
};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use wgrad::{
    Array, DType, Device, Error, Graph, Program, Tensor, Variables,
    data::images,
    io::{safetensors, state_dict::Load},
    nn::{Mode, Module, Scope},
    train::MODEL,
};

/// Print the most probable classes of images according to a saved model.
///
/// An image that cannot be read does not stop the others; the exit code is then 1. Images are PNG, JPEG, GIF or
/// WebP files. They are scaled to the size the model was trained on, and
/// converted to grayscale if its images were. Models of digits, mnist and fashion-mnist expect
/// light shapes on a dark background: use --invert for dark ones on a light background.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad predict runs/images/model.safetensors cat.jpg dog.png
  wgrad predict runs/mnist/model.safetensors --invert --top 1 scan.png
  wgrad predict runs/images/model.safetensors *.jpg --json | jq -r .class")]
pub struct Args {
    /// A model written by `wgrad train`.
    model: PathBuf,
    /// Images: PNG, JPEG, GIF or WebP.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Number of classes to print, the most probable first.
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Invert every image.
    #[arg(long)]
    invert: bool,
    /// Print one JSON object per line, one for each image.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    let (description, variables) = load(&args.model)?;
    let model = shown_path(&args.model);
    finite(&variables).map_err(|why| format!("{model}: {why}"))?;
    let program = compile(&args.device.open(console)?, &description)?;
    program.prepare(&variables)?;
    let (mut bad, all) = (0, args.files.len());
    for file in &args.files {
        let image = match read(file, &description, args.invert) {
            Ok(image) => image,
            Err(error) if all == 1 => return Err(error.into()),
            // The others may be readable.
            Err(error) => {
                bad += 1;
                let why = line(&error.into());
                if args.json {
                    let file = file.display().to_string();
                    console.object(&json!({ "file": file, "error": why }))?;
                }
                console.error(&format!("error: {why}"));
                continue;
            }
        };
        let outputs = program.run(&variables, &[("images", &image)])?;
        let probabilities = outputs.read_blocking(0)?.to_f64();
        if !probabilities.iter().all(|probability| probability.is_finite()) {
            let message = "the probabilities are not finite: the weights are too large";
            return Err(format!("{model}: {message}").into());
        }
        let mut ranked: Vec<(&str, f64)> =
            description.classes.iter().map(String::as_str).zip(probabilities).collect();
        // Stable: among equals the first class comes first.
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked.truncate(args.top as usize);
        if args.json {
            console.object(&object(file, &ranked))?;
        } else {
            write!(console, "{}", text(file, &ranked))?;
        }
    }
    match bad {
        0 => Ok(()),
        _ => {
            let images = count(all, "image", "images");
            Err(format!("{bad} of {images} could not be read").into())
        }
    }
}

/// Reads an image as the model expects it.
fn read(file: &Path, description: &Description, invert: bool) -> Result<Array, Error> {
    let mut pixels = images::read(file, description.input)?.to_vec::<f32>()?;
    if invert {
        pixels.iter_mut().for_each(|pixel| *pixel = 1.0 - *pixel);
    }
    Array::new(description.shape(1), &pixels)
}

/// An error if a weight is NaN or infinite: no image can be classified with it, but some classes
/// would have probabilities.
fn finite(variables: &Variables) -> Result<(), Failure> {
    for path in variables.paths() {
        let values = variables.get(&path)?.to_f64();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(format!("a weight of {path} is {value}").into());
        }
    }
    Ok(())
}

/// Reads the description of a model and its weights, if they are all there.
pub fn load(path: &Path) -> Result<(Description, Variables), Failure> {
    let (_, note) = safetensors::read_with_note(path)?;
    let of_model = |message: String| format!("{}: {message}", shown_path(path));
    let note = note.ok_or_else(|| of_model("it does not say what it was trained on".to_owned()))?;
    let description = Description::from_json(&note)
        .map_err(|error| of_model(format!("its description is not valid: {error}")))?;
    let (graph, variables) = (Graph::new(), Variables::new(0));
    logits(&graph, &description);
    // Other variables, such as an optimizer's, are no part of the model.
    let below = format!("{MODEL}/");
    Load::new().prefix(&below).load(path, &graph, &below, &variables)?;
    Ok((description, variables))
}

/// Compiles a program that computes the class probabilities of one image.
fn compile(device: &Device, description: &Description) -> Result<Program, Failure> {
    let graph = Graph::new();
    let logits = logits(&graph, description);
    Ok(graph.compile_pure(device, &[logits.softmax(-1)])?)
}

/// The logits of one image.
fn logits<'g>(graph: &'g Graph, description: &Description) -> Tensor<'g> {
    let images = graph.input("images", description.shape(1), DType::F32);
    let mut cx = Scope::new(graph, Mode::Eval);
    description.model().forward(&mut cx.child(MODEL), images)
}

fn text(file: &Path, ranked: &[(&str, f64)]) -> String {
    let lines = ranked
        .iter()
        .map(|(class, share)| format!("  {:>6.2}%  {}\n", 100.0 * share, shown(class)));
    format!("{}\n{}", shown_path(file), lines.collect::<String>())
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
