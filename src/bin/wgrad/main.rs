//! The command line of wgrad: results go to stdout, everything else to stderr.

mod bench;
mod device;
mod devices;
mod diff;
mod failure;
mod model;
mod plan;
mod predict;
mod report;
mod repro;
mod sets;
mod train;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Trains neural networks on any GPU, and lets you check every number it prints.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  wgrad devices                      what there is to compute on
  wgrad train digits                 train a network on handwritten digits
  wgrad train digits --device cpu    the same without a GPU
  wgrad train images --data photos   train one on images, with a folder for each class
  wgrad predict MODEL cat.jpg        what a trained network sees in an image
  wgrad plan digits                  what one step of it computes, and where
  wgrad verify --device gpu          whether the GPU computes what the formulas say
  wgrad diff MODEL                   which step of a model goes wrong on the GPU
  wgrad bench --quick                what GPU and CPU really give, in TOPS"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
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
    // Errors in the arguments exit here, with code 2.
    let result = match Cli::parse().command {
        Command::Devices(args) => devices::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Bench(args) => bench::run_command(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A single line, even if the driver's message has several.
            let text = failure.to_string();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            eprintln!("error: {}", lines.join(" "));
            ExitCode::FAILURE
        }
    }
}
