//! A convolutional network on RGB images, with the purpose of each layer explained.
//!
//! The images are generated: a disc, a square or a cross of random color, on a background of
//! another, at a random position in 16x16 pixels. Color carries no information, so the network has
//! to learn the shape.
//!
//! Concepts: a network as a [`Sequential`] of layers, [`Labeled`] images of your own, and
//! the [`Trainer`], which does the rest and reports what is confused with what.
//!
//! ```sh
//! cargo run --release --example shapes          # 1,500 images, 15 epochs
//! cargo run --release --example shapes -- 120 2
//! ```

use wgrad::{prelude::*, testing::Noise};

const EDGE: usize = 16;
const SHAPES: [&str; 3] = ["disc", "square", "cross"];

/// Draws images `[n, 3, 16, 16]`, labeled with the shape in each.
fn draw(count: usize, seed: u64) -> Result<Labeled, Error> {
    let mut noise = Noise::new(seed);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for image in 0..count {
        let shape = image % SHAPES.len();
        let [shown, behind] = [(); 2].map(|()| [(); 3].map(|()| noise.unit() as f32));
        let (x, y) = (5.0 + 6.0 * noise.unit(), 5.0 + 6.0 * noise.unit());
        let size = 2.5 + 1.5 * noise.unit();
        for channel in 0..3 {
            for pixel in 0..EDGE * EDGE {
                let (dx, dy) = ((pixel % EDGE) as f64 - x, (pixel / EDGE) as f64 - y);
                let inside = match SHAPES[shape] {
                    "disc" => dx.hypot(dy) < size,
                    "square" => dx.abs().max(dy.abs()) < size,
                    _ => dx.abs().min(dy.abs()) < 0.8 && dx.abs().max(dy.abs()) < size + 1.0,
                };
                pixels.push(if inside { shown[channel] } else { behind[channel] });
            }
        }
        labels.push(shape as u32);
    }
    Labeled::new(Array::from_vec([count, 3, EDGE, EDGE], pixels)?, Array::from(labels))
}

fn main() -> Result<(), Error> {
    let number = |position, default| {
        std::env::args().nth(position).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (images, epochs) = (number(1, 1500), number(2, 15));
    let network = Sequential::new()
        // Input: three channels, red, green and blue. Convolution: 8 filters detect edges.
        .add(Conv2d::new(8, 3).same())
        .add(Activation::relu())
        // Pooling: the strongest activation of every 2x2 pixels, regardless of its exact position.
        .add(MaxPool2d::new(2))
        // Convolution: 16 filters over the activations of the first detect corners and arcs.
        .add(Conv2d::new(16, 3).same())
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        // Dense: combines all activations into scores of the shapes.
        .add(Flatten::new())
        .add(Dense::new(32))
        .add(Activation::relu())
        .add(Dense::new(SHAPES.len()));
    let (train, test) = (draw(images, 1)?, draw(150, 2)?);
    let variables = Variables::new(0);
    let report = Trainer::classifier(&network, Adam::new(3e-3))
        .epochs(epochs)
        .batch(30)
        .validate(&test)
        .on_epoch(|epoch| println!("{epoch}"))
        .fit(&Device::best(), &variables, &train)?;
    println!("\nrows are {}", SHAPES.join(", "));
    report.confusion().into_iter().for_each(|confusion| println!("{confusion}"));
    Ok(())
}
