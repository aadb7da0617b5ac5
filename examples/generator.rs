//! Synthetic digits from a GAN: a style-based generator, and a discriminator that learns to tell
//! its images from real ones.
//!
//! Both are small versions of StyleGAN2: styles modulate convolutions, noise is added at each size,
//! images are resampled by 2 with a filter, and the discriminator is regularized by a penalty on
//! its gradient at real images, which requires a second derivative.
//!
//! Concepts: two networks and two optimizers in one store, each step training only the
//! parameters it is given, and a loss that contains a gradient.
//!
//! ```sh
//! cargo run --release --example generator              # 3,000 steps
//! cargo run --release --example generator -- 500
//! ```

use wgrad::{
    data::digits,
    nn::{
        gan::{discriminator_loss, generator_loss, r1_penalty},
        models::{Discriminator, Generator},
    },
    prelude::*,
};

const BATCH: usize = 32;
const NOISE: usize = 16;
const SIDE: usize = 8;

fn generator() -> Generator {
    Generator::new(SIDE, 1, 32)
}

fn made<'g>(cx: &mut Scope<'g>, count: usize) -> Tensor<'g> {
    let noise = cx.normal([count, NOISE]);
    generator().forward(&mut cx.child("generator"), noise)
}

fn scores<'g>(cx: &mut Scope<'g>, images: Tensor<'g>) -> Tensor<'g> {
    Discriminator::new(32).forward(&mut cx.child("discriminator"), images)
}

/// The parameters of one of the two networks.
fn params<'g>(cx: &Scope<'g>, of: &str) -> Vec<(String, Tensor<'g>)> {
    cx.params().into_iter().filter(|(path, _)| path.starts_with(of)).collect()
}

/// Adam without the first moment, which would average over gradients from outdated opponents.
fn adam(name: &str) -> Adam {
    Adam::new(2e-3).betas(0.0, 0.99).named(name)
}

/// Compiles a discriminator step, whose outputs are its loss and the fraction of images it
/// classifies correctly.
fn judging(device: &Device) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let real = graph.input("real", [BATCH, 1, SIDE, SIDE], DType::F32);
    let fake = made(&mut cx, BATCH).detach();
    let (of_real, of_fake) = (scores(&mut cx, real), scores(&mut cx, fake));
    let loss = discriminator_loss(of_real, of_fake);
    let right = [of_real.greater(0.0), of_fake.less(0.0)].map(|is| is.cast(DType::F32).mean(..));
    let total = loss + r1_penalty(of_real, real) * 0.5;
    let params = params(&cx, "discriminator");
    adam("judging").update_params(&mut cx, total, &params);
    graph.compile(device, &[("loss", loss), ("right", (right[0] + right[1]) / 2.0)])
}

/// Compiles a generator step.
fn making(device: &Device) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let images = made(&mut cx, BATCH);
    let loss = generator_loss(scores(&mut cx, images));
    let params = params(&cx, "generator");
    adam("making").update_params(&mut cx, loss, &params);
    graph.compile(device, &[("loss", loss)])
}

/// Renders images side by side, as characters.
fn drawn(images: &[f64], count: usize) -> String {
    const INK: &[u8] = b" .:-=+*#%@";
    let mut text = String::new();
    for row in 0..SIDE {
        for image in 0..count {
            for column in 0..SIDE {
                let value = images[(image * SIDE + row) * SIDE + column].clamp(0.0, 0.999);
                let ink = INK[(value * INK.len() as f64) as usize] as char;
                text.extend([ink, ink]);
            }
            text.push_str("  ");
        }
        text.push('\n');
    }
    text
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(3_000), |steps| steps.parse::<usize>())?;
    let device = Device::cpu();
    let data = digits::load()?;
    let (judging, making) = (judging(&device)?, making(&device)?);
    let variables = Variables::new(0);
    let loader = Loader::new(data.len() / BATCH * BATCH, BATCH, 0);
    let mut step = 0;
    'all: for epoch in 1.. {
        for batch in loader.epoch(epoch) {
            if step == steps {
                break 'all;
            }
            step += 1;
            let real = data.inputs().rows(&batch)?.reshape([-1, 1, SIDE as i64, SIDE as i64])?;
            let judged = judging.run(&variables, &[("real", &real)])?;
            let loss = making.run(&variables, &[])?;
            if step % 250 == 0 || step == steps {
                println!(
                    "step {step:5}  discriminator {:.3}, right {:.0}%  generator {:.3}",
                    judged.scalar("loss")?,
                    100.0 * judged.scalar("right")?,
                    loss.scalar("loss")?,
                );
            }
        }
    }

    let graph = Graph::new();
    let images = made(&mut Scope::new(&graph, Mode::Eval), 8);
    let program = graph.compile(&device, &[("images", images)])?;
    for _ in 0..2 {
        let images = program.run(&variables, &[])?.read_blocking("images")?.to_f64();
        println!("{}", drawn(&images, 8));
    }
    Ok(())
}
