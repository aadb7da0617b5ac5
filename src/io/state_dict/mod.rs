//! Parameters under their PyTorch names, in safetensors files.
//!
//! Files written by `safetensors.torch.save_file(model.state_dict(), path)` are read by [`load`]
//! into the variables of the same model here, and files written by [`save`] are accepted by
//! `load_state_dict(load_file(path))`. The names differ as follows: PyTorch joins them by dots, and
//! a [`Sequential`](crate::nn::Sequential) has `0.weight` instead of `0:dense/weight`.

mod load;
mod names;

pub use load::Load;

use super::safetensors;
use crate::{error::Error, graph::Graph, ops::random, variables::Variables};
use names::torch_name;
use std::path::Path;

/// Sets the variables that `graph` declares below `prefix` to the values of a file; either all of
/// them or, on error, none. Every variable needs a tensor, and every tensor a variable: [`Load`] loads
/// in part, or by other names, and says how values are converted and what stays as it is.
///
/// # Errors
///
/// Same as [`Load::load`].
#[doc(alias("load_state_dict", "load_weights"))]
pub fn load(path: &Path, graph: &Graph, prefix: &str, variables: &Variables) -> Result<(), Error> {
    Load::new().load(path, graph, prefix, variables).map(drop)
}

/// Writes all variables below `prefix`, except the state of random number generators.
///
/// # Errors
///
/// Same as [`safetensors::save`].
#[doc(alias("state_dict", "save_weights"))]
pub fn save(path: &Path, variables: &Variables, prefix: &str) -> Result<(), Error> {
    let named = variables.to_arrays_below(prefix)?.into_iter();
    let named = named.filter(|(path, _)| !random::owns(path));
    let named = named.map(|(path, array)| (torch_name(&path[prefix.len()..]), array));
    safetensors::write(path, &named.collect::<Vec<_>>(), None)
}

#[cfg(test)]
mod tests;
