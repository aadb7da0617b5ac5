//! `wgrad train`: trains a network and writes it to a file.

mod args;
mod best;
mod outcome;

use crate::{
    console::Console,
    failure::{Failure, Interrupted, line},
    model::Defaults,
    place::writable_directory,
    sets::Sets,
    words::{count, shown, shown_path},
};
pub use args::Args;
use args::{BatchSize, LayerPrecision};
use best::{Best, Models, place, unsaved};
use outcome::Outcome;
use serde_json::json;
use std::{
    io::Write,
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use wgrad::{
    Error, Variables,
    io::remove_leftovers,
    nn::MixedPrecision,
    optim::Adam,
    train::{Callback, Checkpoint, Ending, Epoch, Resume, Step, Trainer},
};

/// How often a checkpoint is written within a long epoch.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(600);

/// Whether Ctrl-C was pressed.
static STOP: AtomicBool = AtomicBool::new(false);

pub fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    // The model is what counts.
    console.goes_on();
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(args.task.name()));
    writable_directory(&out)?;
    let Sets { description, train, test } = args.data.load(args.task)?;
    let model = description.model();
    let Defaults { epochs, batch, lr } = args.settings();
    let variables = Variables::new(args.seed);
    let models = Models::new(&out, &description);
    [models.best_file(), models.last_file()].iter().for_each(|file| remove_leftovers(file));
    let resumed = if args.resume { resumed(&models, epochs as usize)? } else { String::new() };
    let device = args.device.open(console)?;
    if !args.json {
        let batch = match args.batch_size {
            Some(BatchSize::Auto) => "auto".to_owned(),
            _ => batch.to_string(),
        };
        let mixed = if args.precision == LayerPrecision::Mixed { ", mixed precision" } else { "" };
        let settings = format!(
            "{}{resumed}, batch size {batch}, learning rate {lr:?}{mixed}",
            count(epochs as usize, "epoch", "epochs"),
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
    stop_on_ctrl_c()?;
    let mut checkpoint = Checkpoint::new(models.checkpoint())
        .every(CHECKPOINT_INTERVAL)
        .setting("model", description.to_json())
        .setting("learning rate", format_args!("{lr:?}"))
        .setting("precision", args.precision.name());
    if let Some(steps) = args.checkpoint_steps {
        checkpoint = checkpoint.every_steps(steps as usize);
    }
    let mut watch = Watch { models, console, epochs, json: args.json, diverged: None };
    let mut trainer = Trainer::classifier(&model, Adam::new(lr));
    if let Some(auto) = args.auto_batch() {
        trainer = trainer.auto_batch(auto);
    }
    if args.precision == LayerPrecision::Mixed {
        trainer = trainer.mixed_precision(MixedPrecision::new());
    }
    let trained = trainer
        .epochs(epochs as usize)
        .batch(batch as usize)
        .seed(args.seed)
        .check_finite(args.check_finite)
        .validate(&test)
        .checkpoint(checkpoint)
        .resume(if args.resume { Resume::Exact } else { Resume::Never })
        .callback(&mut watch)
        .stop_on(&STOP)
        .fit(&device, &variables, &train);
    let Watch { models, console, diverged, .. } = watch;
    let left = models.left();
    let report = trained.map_err(|error| {
        let way_on = models.way_on_after(&error);
        format!("{}{left}{way_on}", line(&error.into()))
    })?;
    if let Some(number) = diverged {
        return Err(format!("the loss diverged in epoch {number}: try a smaller --lr{left}").into());
    }
    if report.ending == Ending::Interrupted {
        let at = report
            .last
            .map_or("before the first step".to_owned(), |step| format!("after {}", place(&step)));
        let way_on = match report.last == models.saved {
            true => "; the same command with --resume goes on".to_owned(),
            false => models.way_on(),
        };
        return Err(Interrupted(format!("interrupted {at}{left}{way_on}")).into());
    }
    models.save_last(&variables).map_err(|error| format!("{}{left}", line(&error.into())))?;
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

/// Where the training goes on, for a list of settings.
fn resumed(models: &Models<'_>, epochs: usize) -> Result<String, Failure> {
    let file = models.checkpoint();
    let summary = Checkpoint::summary(&file)?;
    if summary.epochs > epochs {
        let file = shown_path(&file);
        let message = format!("{file} is after epoch {}: ask for more --epochs", summary.epochs);
        return Err(message.into());
    }
    // It may have been killed between its last checkpoint and its end.
    if summary.epochs == epochs {
        return Ok(", all done".to_owned());
    }
    let epoch = summary.epochs + 1;
    Ok(match summary.step {
        0 => format!(", from {epoch} on"),
        step => format!(", from step {} of epoch {epoch} on", step + 1),
    })
}

/// Makes Ctrl-C, and a request to terminate, end the training after its step; the second ends the
/// process.
fn stop_on_ctrl_c() -> Result<(), Failure> {
    let stop = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Interrupted::CODE));
        }
    };
    ctrlc::set_handler(stop).map_err(|error| format!("Ctrl-C cannot be handled: {error}").into())
}

/// Shows the training, and keeps its best model.
struct Watch<'a, 'c> {
    models: Models<'a>,
    console: &'c mut Console,
    epochs: u32,
    json: bool,
    /// The epoch whose loss is not finite.
    diverged: Option<usize>,
}

impl Callback for Watch<'_, '_> {
    fn on_step(&mut self, &Step { epoch, step, steps, .. }: &Step) -> ControlFlow<()> {
        let (epochs, steps) = (self.epochs, steps.unwrap_or(step));
        let share = ((epoch - 1) as f64 + step as f64 / steps as f64) / f64::from(epochs);
        let text = format!("epoch {epoch}/{epochs}, step {step}/{steps}");
        self.console.done(share, &text);
        ControlFlow::Continue(())
    }

    fn on_epoch(&mut self, epoch: &Epoch, variables: &Variables) -> ControlFlow<()> {
        let best = Best::new(epoch);
        if !(epoch.loss().is_finite() && best.test_loss.is_finite()) {
            self.diverged = Some(epoch.number);
            return ControlFlow::Break(());
        }
        let is_best = self.models.is_best(&best);
        if is_best && let Err(error) = self.models.keep(best, variables) {
            // The next epoch tries again.
            self.console.error(&unsaved(&format!("the model of epoch {}", epoch.number), &error));
        }
        // A console that goes on takes everything.
        let _ = tell(epoch, &best, is_best, self.json, self.console);
        ControlFlow::Continue(())
    }

    fn on_checkpoint(&mut self, last: &Step, written: Result<(), &Error>) {
        match written {
            Ok(()) => self.models.saved = Some(*last),
            Err(error) => self.console.error(&unsaved(&place(last), error)),
        }
    }

    fn key(&self) -> Option<&str> {
        Some("best")
    }

    fn save(&self) -> String {
        self.models.state()
    }

    fn load(&mut self, state: &str) {
        self.models.restore(state);
    }
}

fn tell(
    epoch: &Epoch,
    best: &Best,
    is_best: bool,
    json: bool,
    console: &mut Console,
) -> std::io::Result<()> {
    let &Best { number, test_loss, test_accuracy } = best;
    if json {
        return console.object(&json!({
            "epoch": number,
            "train_loss": epoch.loss(),
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            "seconds": epoch.seconds,
            "best": is_best,
        }));
    }
    writeln!(
        console,
        "epoch {number:>3}  train loss {:.4}  test loss {test_loss:.4}  test accuracy {:>6.2}%{}",
        epoch.loss(),
        100.0 * test_accuracy,
        if is_best { "  best" } else { "" }
    )
}
