//! Parameters under their PyTorch names, in safetensors files.
//!
//! Files written by `safetensors.torch.save_file(model.state_dict(), path)` are read by [`load`]
//! into the variables of the same model here, and files written by [`save`] are accepted by
//! `load_state_dict(load_file(path))`. The names differ as follows: PyTorch joins them by dots, and
//! a [`Sequential`](crate::nn::Sequential) has `0.weight` instead of `0:dense/weight`.

use super::safetensors;
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    graph::{Declaration, Graph},
    ops::random,
    shape::Meta,
    variables::Variables,
};
use std::{collections::BTreeMap, path::Path};

/// PyTorch's batch counter in batch normalization, which only a cumulative average has here.
const COUNTER: &str = "num_batches_tracked";

/// PyTorch's name for a path below a prefix.
fn torch_name(path: &str) -> String {
    let position = |part: &str| match part.split_once(':') {
        Some((number, _)) if number.bytes().all(|byte| byte.is_ascii_digit()) => number.to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').map(position).collect::<Vec<_>>().join(".")
}

/// Converts values to another element type: floats are rounded, everything else must be exact.
fn converted(array: Array, dtype: DType) -> Result<Array, String> {
    if array.dtype() == dtype {
        return Ok(array);
    }
    let is_rounded = array.dtype().is_float() && dtype.is_float();
    let values = array.to_f64();
    let misfit = values.iter().find(|&&x| {
        if is_rounded { x.is_finite() && !dtype.round(x).is_finite() } else { dtype.round(x) != x }
    });
    match misfit {
        Some(x) => Err(format!("{x} does not fit {dtype}")),
        None => Array::from_f64(Meta { shape: array.shape().clone(), dtype }, &values)
            .map_err(|error| error.to_string()),
    }
}

/// Sets the variables that `graph` declares below `prefix` to the values of a file; either all of
/// them or, on error, none. The state of random number generators is not part of a model, and is
/// kept. Values of another type than declared are converted if they fit: weights in half or double
/// precision can be loaded into an f32 model.
///
/// # Errors
///
/// [`FileError::Corrupt`] if the file lacks one of them or contains additional ones, except
/// counters of batch normalization, or if a value does not fit its type; otherwise same as
/// [`safetensors::load`].
#[doc(alias("load_state_dict", "load_weights"))]
pub fn load(path: &Path, graph: &Graph, prefix: &str, variables: &Variables) -> Result<(), Error> {
    let corrupt = |message| Error::from(FileError::Corrupt { path: path.to_owned(), message });
    let mut file: BTreeMap<String, Array> = safetensors::read(path)?.into_iter().collect();
    let mut values = Vec::new();
    for (declared, (_, Declaration { meta, .. })) in &graph.inner.borrow().variables {
        let Some(below) = declared.strip_prefix(prefix).filter(|_| !random::owns(declared)) else {
            continue;
        };
        let name = torch_name(below);
        let value = file.remove(&name);
        let value = value.ok_or_else(|| corrupt(format!("there is no {name} for {declared}")))?;
        let value = converted(value, meta.dtype)
            .map_err(|message| corrupt(format!("{name}: {message}")))?;
        values.push((declared.clone(), value));
    }
    let left = file.keys().find(|name| !name.ends_with(COUNTER));
    if let Some(name) = left {
        return Err(corrupt(format!("{name} is no variable of the model")));
    }
    let loaded = variables.load(values.into_iter().collect());
    loaded.map_err(|mut errors| errors.swap_remove(0).into())
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
mod tests {
    use super::*;
    use crate::Init;

    /// Loads a variable declared as `dtype` from a file with these values.
    fn loaded(name: &str, values: &Array, dtype: DType) -> Result<Array, Error> {
        let path = std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id()));
        safetensors::write(&path, &[("w".to_owned(), values.clone())], None)?;
        let (graph, store) = (Graph::new(), Variables::new(0));
        graph.variable("w", values.shape(), dtype, Init::Zeros);
        let result = load(&path, &graph, "", &store);
        std::fs::remove_file(&path).expect("it was written");
        result.and_then(|()| store.get("w"))
    }

    #[test]
    fn values_become_the_declared_type_where_they_fit() -> Result<(), Error> {
        let half = Array::from_f64(Meta::new([3], DType::F16), &[0.5, -2.0, 65504.0])?;
        let single = loaded("half", &half, DType::F32)?;
        assert_eq!((single.dtype(), single.to_f64()), (DType::F32, half.to_f64()));
        let rounded = loaded("single", &Array::new([2], &[0.1f32, -7.0])?, DType::F16)?;
        assert_eq!(rounded.to_f64(), [0.1, -7.0].map(|x| DType::F16.round(x)));
        let counts = loaded("counts", &Array::new([2], &[7i32, 0])?, DType::U32)?;
        assert_eq!((counts.dtype(), counts.to_f64()), (DType::U32, vec![7.0, 0.0]));
        Ok(())
    }

    /// Dropout and noise use random states that are neither loaded from nor saved to files.
    #[test]
    fn random_numbers_are_of_no_model() -> Result<(), Error> {
        let path = std::env::temp_dir().join(format!("wgrad-{}-noise", std::process::id()));
        let (graph, store) = (Graph::new(), Variables::new(0));
        let w = graph.variable("w", [2], DType::F32, Init::Ones);
        let y = w + graph.normal([2]);
        graph.compile(&crate::Device::cpu(), &[y])?.prepare(&store)?;
        save(&path, &store, "")?;
        assert_eq!(safetensors::read(&path)?.len(), 1);
        let result = load(&path, &graph, "", &store);
        std::fs::remove_file(&path).expect("it was written");
        result
    }

    #[test]
    fn values_that_do_not_fit_are_an_error() -> Result<(), Error> {
        let message = |name, values: &Array, dtype| match loaded(name, values, dtype) {
            Err(Error::File(FileError::Corrupt { message, .. })) => message,
            other => unreachable!("{other:?}"),
        };
        let large = Array::new([2], &[1.0f32, 1e6])?;
        assert_eq!(message("large", &large, DType::F16), "w: 1000000 does not fit f16");
        let negative = Array::new([1], &[-1i32])?;
        assert_eq!(message("negative", &negative, DType::U32), "w: -1 does not fit u32");
        let broken = Array::new([1], &[0.5f32])?;
        assert_eq!(message("broken", &broken, DType::I32), "w: 0.5 does not fit i32");
        Ok(())
    }
}
