//! The command line of wgrad: results go to stdout, everything else to stderr.

mod bench;
mod console;
mod device;
mod devices;
mod diff;
mod failure;
mod junit;
mod logger;
mod model;
mod mutants;
mod place;
mod plan;
mod precision;
mod predict;
mod progress;
mod report;
mod repro;
mod sets;
mod sweep;
mod train;
mod verify;
mod words;

use clap::{Parser, Subcommand};
use console::Console;
use std::process::ExitCode;

/// Trains neural networks on any GPU, and lets you check every number it prints.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  wgrad devices                      list the devices
  wgrad train digits                 train a network on handwritten digits
  wgrad train digits --device cpu    train it without a GPU
  wgrad train images --data photos   train one on images, one folder per class
  wgrad predict MODEL cat.jpg        classify an image with a trained network
  wgrad plan digits                  print what one training step computes
  wgrad verify --device gpu          check every operation on the GPU against f64
  wgrad diff MODEL                   find the step of a model that a GPU gets wrong
  wgrad bench --quick                measure GPU and CPU, in two minutes"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print no progress, no notes and no warnings: nothing on stderr but errors.
    #[arg(short, long, global = true, display_order = 900)]
    quiet: bool,
    /// Tell more on stderr than warnings: -v what happens, -vv details, -vvv those of other crates too.
    ///
    /// Without it WGRAD_LOG counts, or else RUST_LOG: error, warn, info, debug or trace, also for a
    /// single module, as in wgrad::gpu=debug.
    #[arg(short, long, global = true, display_order = 901, conflicts_with = "quiet",
          action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Devices(devices::Args),
    Train(train::Args),
    Predict(predict::Args),
    Plan(plan::Args),
    Verify(verify::Args),
    Diff(diff::Args),
    Bench(Box<bench::Args>),
    Sweep(sweep::Args),
    Tune(sweep::TuneArgs),
}

/// Turns off Mesa's Vulkan layer that asks Wayland for the default device, where there is no session
/// and it would print errors only. A user who chooses a device through it keeps it.
#[cfg(target_os = "linux")]
fn disable_device_select() {
    let relevant = ["XDG_RUNTIME_DIR", "MESA_VK_DEVICE_SELECT", "DRI_PRIME"];
    if relevant.iter().all(|name| std::env::var_os(name).is_none()) {
        #[expect(unsafe_code, reason = "no other thread that could read the environment runs yet")]
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    disable_device_select();
    let Cli { command, quiet, verbose } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(stop) => return usage(&stop),
    };
    logger::install(quiet, verbose);
    let mut console = Console::new(quiet);
    let result = match command {
        Command::Devices(args) => devices::run(&args, &mut console),
        Command::Train(args) => train::run(&args, &mut console),
        Command::Predict(args) => predict::run(&args, &mut console),
        Command::Plan(args) => plan::run(&args, &mut console),
        Command::Verify(args) => verify::run(&args, &mut console),
        Command::Diff(args) => diff::run(&args, &mut console),
        Command::Bench(args) => bench::run_command(&args, &mut console),
        Command::Sweep(args) => sweep::run(&args, &mut console),
        Command::Tune(args) => sweep::tune(&args, &mut console),
    };
    console.end(result)
}

/// Prints the help, or what is wrong with the arguments: exit code 2.
fn usage(stop: &clap::Error) -> ExitCode {
    if stop.use_stderr() {
        // There is no other place to say so.
        let _ = stop.print();
        return ExitCode::from(2);
    }
    let mut console = Console::new(false);
    let result = console.print(|| stop.print());
    console.end(result.map_err(Into::into))
}
