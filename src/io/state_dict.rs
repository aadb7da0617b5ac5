//! Parameters as PyTorch names them, in safetensors files.
//!
//! What `safetensors.torch.save_file(model.state_dict(), path)` wrote, [`load`] reads into the
//! variables of the same model here, and what [`save`] wrote, `load_state_dict(load_file(path))`
//! takes. The names differ in this: PyTorch joins them by dots, and a
//! [`Sequential`](crate::nn::Sequential) has `0.weight` where there is `0:dense/weight` here.

use super::safetensors;
use crate::{
    array::Array,
    error::{Error, FileError},
    graph::Graph,
    variables::Variables,
};
use std::{collections::BTreeMap, path::Path};

/// What batch normalisation counts in PyTorch and not here.
const COUNTER: &str = "num_batches_tracked";

/// The name that PyTorch has for a path below a prefix.
fn torch_name(path: &str) -> String {
    let position = |part: &str| match part.split_once(':') {
        Some((number, _)) if number.bytes().all(|byte| byte.is_ascii_digit()) => number.to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').map(position).collect::<Vec<_>>().join(".")
}

/// Sets those variables that `graph` declares below `prefix` to the values of a file; all of them,
/// or none where something is wrong.
///
/// # Errors
///
/// [`FileError::Corrupt`] where the file lacks one of them or has one more, counters of batch
/// normalisation apart; otherwise as for [`safetensors::load`].
pub fn load(path: &Path, graph: &Graph, prefix: &str, variables: &Variables) -> Result<(), Error> {
    let corrupt = |message| Error::from(FileError::Corrupt { path: path.to_owned(), message });
    let mut file: BTreeMap<String, Array> = safetensors::read(path)?.into_iter().collect();
    let mut values = Vec::new();
    for declared in graph.inner.borrow().variables.keys() {
        let Some(below) = declared.strip_prefix(prefix) else { continue };
        let name = torch_name(below);
        let value = file.remove(&name);
        let value = value.ok_or_else(|| corrupt(format!("there is no {name} for {declared}")))?;
        values.push((declared.clone(), value));
    }
    let left = file.keys().find(|name| !name.ends_with(COUNTER));
    if let Some(name) = left {
        return Err(corrupt(format!("{name} is no variable of the model")));
    }
    variables.set_all(values)
}

/// Writes all variables below `prefix`.
///
/// # Errors
///
/// As for [`safetensors::save`].
pub fn save(path: &Path, variables: &Variables, prefix: &str) -> Result<(), Error> {
    let named = variables.to_arrays_below(prefix)?.into_iter();
    let named = named.map(|(path, array)| (torch_name(&path[prefix.len()..]), array));
    safetensors::write(path, &named.collect::<Vec<_>>(), None)
}
