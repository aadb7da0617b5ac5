//! Digits from a variational autoencoder: an encoder that maps an image to a normal distribution of
//! eight numbers, and a decoder that maps numbers drawn from it back to the image.
//!
//! The loss is what the image costs given the numbers, and what the numbers cost: the divergence of
//! their distribution from a standard normal one. Numbers drawn from the latter then decode to images
//! that nobody has written.
//!
//! Concepts: random numbers in a loss, [`Scope::normal`]; a [`Trainer`] of a loss of your own, with metrics; and
//! a second program of one network, that shares its weights.
//!
//! ```sh
//! cargo run --release --example vae             # 60 epochs
//! cargo run --release --example vae -- 2
//! ```

use wgrad::{data::digits, prelude::*};

const CODE: usize = 8;

/// The means and the logarithms of the variances of the codes of images.
fn encoded<'g>(cx: &mut Scope<'g>, images: Tensor<'g>) -> (Tensor<'g>, Tensor<'g>) {
    let mut cx = cx.child("encoder");
    let hidden = Dense::new(128).forward(&mut cx.child("hidden"), images).relu();
    let of = |cx: &mut Scope<'g>, name: &str| Dense::new(CODE).forward(&mut cx.child(name), hidden);
    (of(&mut cx, "mean"), of(&mut cx, "log_variance"))
}

/// Logits of the pixels of codes.
fn decoded<'g>(cx: &mut Scope<'g>, codes: Tensor<'g>) -> Tensor<'g> {
    let mut cx = cx.child("decoder");
    let hidden = Dense::new(128).forward(&mut cx.child("hidden"), codes).relu();
    Dense::new(digits::PIXELS).forward(&mut cx.child("pixels"), hidden)
}

/// Renders images side by side, as characters.
fn drawn(images: &[f64], count: usize) -> String {
    const INK: &[u8] = b" .:-=+*#%@";
    let mut text = String::new();
    for row in 0..8 {
        for image in 0..count {
            for column in 0..8 {
                let value = images[(image * 8 + row) * 8 + column].clamp(0.0, 0.999);
                let ink = INK[(value * INK.len() as f64) as usize] as char;
                text.extend([ink, ink]);
            }
            text.push_str("  ");
        }
        text.push('\n');
    }
    text
}

fn main() -> Result<(), Error> {
    let epochs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let (train, test) = digits::load()?.split(0.2)?;
    let (device, variables) = (Device::best(), Variables::new(0));
    let mut trainer = Trainer::new(
        |cx, batch| {
            let images = batch.get("inputs");
            let (mean, log_variance) = encoded(cx, images);
            let noise = cx.normal(mean.shape());
            let pixels = decoded(cx, mean + (log_variance * 0.5).exp() * noise);
            let image = pixels.binary_cross_entropy_with_logits(images, Reduction::None).sum(1);
            let code = (mean.square() + log_variance.exp() - log_variance - 1.0).sum(1) * 0.5;
            Loss::new((image + code).mean(..))
                .metric("image", Metric::mean(image))
                .metric("code", Metric::mean(code))
        },
        Adam::new(2e-3),
    )
    .epochs(epochs)
    .validate(&test)
    .predictor(|cx, batch| {
        let (mean, _) = encoded(cx, batch.get("inputs"));
        vec![("images", decoded(cx, mean).sigmoid())]
    })
    .on_epoch(|epoch| {
        if epoch.number % 10 == 0 || epoch.number == epochs {
            println!("{epoch}");
        }
    });
    trainer.fit(&device, &variables, &train)?;

    let some = test.rows(&[0, 40, 80, 120, 160, 200])?;
    let again = trainer.predict(&device, &variables, &some)?;
    println!("\nheld out:\n{}", drawn(&some.inputs().to_f64(), 6));
    let again = again.get("images").map(Array::to_f64).unwrap_or_default();
    println!("encoded and decoded:\n{}", drawn(&again, 6));
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Eval);
    let codes = cx.normal([6, CODE]);
    let images = decoded(&mut cx, codes).sigmoid();
    let program = graph.compile(&device, &[images])?;
    let images = program.run(&variables, &[])?.read_blocking(0)?.to_f64();
    println!("decoded from random codes:\n{}", drawn(&images, 6));
    Ok(())
}
