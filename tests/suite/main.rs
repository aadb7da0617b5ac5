//! The tests of the crate from outside, a subject a file. They are one program, so that the crate
//! is linked once and not once a file; `tests/hostile.rs` is another, as it replaces the allocator.
//!
//! `test(gpu)` selects those that need a GPU: no module may have that in its name.

mod attention;
#[cfg(feature = "cli")]
mod bench;
#[cfg(feature = "cli")]
mod cli;
mod conformance;
mod constants;
mod custom;
#[cfg(feature = "files")]
mod damaged_files;
#[cfg(feature = "cli")]
mod damaged_images;
mod device;
mod diff;
mod documents;
#[cfg(feature = "cli")]
#[path = "../drawing/mod.rs"]
mod drawing;
mod embedding;
mod extremes;
mod faults;
mod finite;
#[cfg(feature = "cli")]
mod golden;
mod gradients;
mod graphs;
mod halves;
#[cfg(feature = "cli")]
mod images;
mod indices;
#[cfg(feature = "cli")]
mod initial_values;
mod labels;
mod layers;
mod long_sums;
#[cfg(target_os = "linux")]
mod memory;
mod misuse;
mod model;
mod mutants;
mod names;
mod nonsense;
mod normalization;
mod op_checks;
mod optimizers;
mod outputs;
mod padding;
mod plans;
mod ports;
mod prelude;
mod programs;
#[cfg(feature = "files")]
mod quantized;
mod races;
mod random_graphs;
mod scatter;
mod scheduling;
#[cfg(feature = "files")]
mod settings;
mod shaders;
mod shrinking;
mod special_values;
#[cfg(feature = "files")]
mod state_dicts;
mod summaries;
mod threads;
mod training;
