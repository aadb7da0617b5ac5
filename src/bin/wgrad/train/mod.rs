//! `wgrad train`: trains a network and writes it to a file.

mod args;
mod best;
mod checkpoint;
mod outcome;

use crate::{
    console::Console,
    failure::{Failure, line},
    model::Defaults,
    place::writable_directory,
    sets::Sets,
    words::{count, shown, shown_path},
};
pub use args::Args;
use best::Models;
use checkpoint::Settings;
use outcome::Outcome;
use serde_json::json;
use std::{cell::RefCell, io::Write, ops::ControlFlow, path::Path};
use wgrad::{
    Variables,
    optim::Adam,
    train::{Epoch, Step, Trainer},
};

pub fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    // The model is what counts.
    console.goes_on();
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(args.task.name()));
    writable_directory(&out)?;
    let Sets { description, train, test } = args.data.load(args.task)?;
    let model = description.model();
    let Defaults { epochs, batch, lr } = args.settings();
    let variables = Variables::new(args.seed);
    let settings =
        Settings { description: &description, images: train.len(), batch, lr, seed: args.seed };
    let mut models = Models::new(&out, &variables, settings);
    if args.resume {
        models.resume()?;
        if models.done >= epochs as usize {
            let file = shown_path(&models.checkpoint());
            return Err(
                format!("{file} is after epoch {}: ask for more --epochs", models.done).into()
            );
        }
    }
    let device = args.device.open(console)?;
    if !args.json {
        let settings = format!(
            "{}{}, batch size {batch}, learning rate {lr:?}",
            count(epochs as usize, "epoch", "epochs"),
            if args.resume { format!(", from {} on", models.done + 1) } else { String::new() },
        );
        writeln!(
            console,
            "{}: {}, {} held out, {}\n{settings}, on {}\nthe best model so far: {}\n",
            args.task.name(),
            count(train.len(), "training image", "training images"),
            test.len(),
            count(description.classes.len(), "class", "classes"),
            shown(&device.name()),
            shown_path(&models.best_file()),
        )?;
    }

    console.begin(args.json);
    let console = RefCell::new(console);
    let on_step = |Step { epoch, step, steps, .. }: Step| {
        let share = ((epoch - 1) as f64 + step as f64 / steps as f64) / f64::from(epochs);
        let text = format!("epoch {epoch}/{epochs}, step {step}/{steps}");
        console.borrow_mut().done(share, &text);
    };
    let optimizer = Adam::new(lr);
    let trainer = Trainer::new(&model, &optimizer)
        .resume_after(models.done)
        .epochs(epochs as usize)
        .batch(batch as usize)
        .seed(args.seed)
        .check_finite(args.check_finite)
        .on_step(&on_step);
    let mut diverged = None;
    let trained = trainer.fit(&device, &variables, (&train, &test), &mut |epoch| {
        if !(epoch.train_loss.is_finite() && epoch.test_loss.is_finite()) {
            diverged = Some(epoch.number);
            return ControlFlow::Break(());
        }
        let mut console = console.borrow_mut();
        let is_best = models.keep(epoch, &mut console);
        // A console that goes on takes everything.
        let _ = tell(epoch, is_best, args.json, &mut console);
        ControlFlow::Continue(())
    });
    let console = console.into_inner();
    let left = models.left();
    let report = trained.map_err(|error| {
        let way_on = models.way_on(&error);
        format!("{}{left}{way_on}", line(&error.into()))
    })?;
    if let Some(number) = diverged {
        return Err(format!("the loss diverged in epoch {number}: try a smaller --lr{left}").into());
    }
    models.save_last().map_err(|error| format!("{}{left}", line(&error.into())))?;
    let (device, variables, description) = (&device, &variables, &description);
    let outcome =
        Outcome { args, report: &report, description, device, variables, models: &models };
    if args.json {
        console.object(&outcome.object()?)?;
    } else {
        writeln!(console, "{}", outcome.text()?)?;
    }
    if console.is_full() {
        console.note(&format!("the model is saved: {}", shown_path(&models.last_file())));
    }
    Ok(())
}

fn tell(epoch: &Epoch, is_best: bool, json: bool, console: &mut Console) -> std::io::Result<()> {
    if json {
        return console.object(&json!({
            "epoch": epoch.number,
            "train_loss": epoch.train_loss,
            "test_loss": epoch.test_loss,
            "test_accuracy": epoch.test_accuracy,
            "seconds": epoch.seconds,
            "best": is_best,
        }));
    }
    writeln!(
        console,
        "epoch {:>3}  train loss {:.4}  test loss {:.4}  test accuracy {:>6.2}%{}",
        epoch.number,
        epoch.train_loss,
        epoch.test_loss,
        100.0 * epoch.test_accuracy,
        if is_best { "  best" } else { "" }
    )
}
