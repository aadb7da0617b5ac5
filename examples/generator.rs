//! Synthetic digits from a GAN: a style-based generator, and a discriminator that learns to tell
//! its images from real ones.
//!
//! Both are small versions of StyleGAN2: styles modulate convolutions, noise is added at each size,
//! images are resampled by 2 with a filter, and the discriminator is regularized by a penalty on
//! its gradient at real images, which requires a second derivative.
//!
//! Concepts: a training of several [`Objective`]s over one store, each with its parameters, its
//! optimizer and its interval, as the two networks of a GAN have them; losses that contain gradients.
//! The penalties are lazy: that of the discriminator runs every 16 steps, that of the generator, on
//! what a step in style space changes, every 4; each is stronger by as much.
//!
//! ```sh
//! cargo run --release --example generator              # 3,000 steps
//! cargo run --release --example generator -- 500
//! ```

use wgrad::{
    data::digits,
    nn::{
        gan::{discriminator_loss, generator_loss, path_length_penalty, r1_penalty},
        models::{Discriminator, Generator},
    },
    prelude::*,
};

const BATCH: usize = 32;
const NOISE: usize = 16;
const SIDE: usize = 8;

/// Images of new noise, and their styles.
fn made<'g>(cx: &mut Scope<'g>, count: usize) -> (Tensor<'g>, Tensor<'g>) {
    let generator = Generator::new(SIDE, 1, 32);
    let noise = cx.normal([count, NOISE]);
    let mut cx = cx.child("generator");
    let styles = generator.styles(&mut cx, noise);
    (generator.images(&mut cx, styles), styles)
}

fn scores<'g>(cx: &mut Scope<'g>, images: Tensor<'g>) -> Tensor<'g> {
    Discriminator::new(32).forward(&mut cx.child("discriminator"), images)
}

/// Adam without the first moment, which would average over gradients from outdated opponents.
fn adam() -> Adam {
    Adam::new(2e-3).betas(0.0, 0.99)
}

/// The images of a batch, as squares.
fn real<'g>(batch: &wgrad::Inputs<'g>) -> Tensor<'g> {
    let images = batch.get("inputs");
    images.reshape([images.dim(0), 1, SIDE, SIDE])
}

/// The objectives of both networks, and the penalties of both.
fn objectives() -> [Objective<'static>; 4] {
    let discriminator = Objective::new(
        "discriminator",
        |cx, batch| {
            let real = real(batch);
            let fake = made(cx, real.dim(0)).0.detach();
            let (of_real, of_fake) = (scores(cx, real), scores(cx, fake));
            // The share of images that it classifies correctly.
            let right = [of_real.greater(0.0), of_fake.less(0.0)].map(|is| is.cast(DType::F32));
            Loss::new(discriminator_loss(of_real, of_fake))
                .metric("right", Metric::mean(cx.graph().concat(&right, 0)))
        },
        adam(),
    );
    let r1 = Objective::new(
        "r1",
        |cx, batch| {
            let real = real(batch);
            (r1_penalty(scores(cx, real), real) * (0.5 * 16.0)).into()
        },
        adam(),
    );
    let generator = Objective::new(
        "generator",
        |cx, batch| {
            let (fake, _) = made(cx, batch.get("inputs").dim(0));
            generator_loss(scores(cx, fake)).into()
        },
        adam(),
    );
    let path_length = Objective::new(
        "path length",
        |cx, batch| {
            let (images, styles) = made(cx, batch.get("inputs").dim(0) / 2);
            let noise = cx.normal(images.shape());
            (path_length_penalty(cx, images, noise, styles, 0.01) * (2.0 * 4.0)).into()
        },
        adam(),
    );
    [
        discriminator.params("discriminator"),
        r1.params("discriminator").sharing("discriminator").every(16),
        generator.params("generator"),
        path_length.params("generator").sharing("generator").every(4),
    ]
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
    let (device, variables) = (Device::cpu(), Variables::new(0));
    let data = digits::load()?;
    let whole: Vec<usize> = (0..data.len() / BATCH * BATCH).collect();
    Trainer::of(objectives())
        .epochs(usize::MAX)
        .max_steps(steps)
        .batch(BATCH)
        .on_epoch(|epoch| {
            if epoch.number % 5 == 0 {
                println!("{epoch}");
            }
        })
        .fit(&device, &variables, &data.rows(&whole)?)?;

    let graph = Graph::new();
    let (images, _) = made(&mut Scope::new(&graph, Mode::Eval), 8);
    let program = graph.compile(&device, &[("images", images)])?;
    for _ in 0..2 {
        let images = program.run(&variables, &[])?.read_blocking("images")?.to_f64();
        println!("{}", drawn(&images, 8));
    }
    Ok(())
}
