//! Tensors of a file into the variables of a model.

use super::names::torch_name;
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError, LoadReport, MismatchedTensor, MissingTensor},
    graph::{Declaration, Graph},
    io::safetensors,
    ops::random,
    shape::Meta,
    variables::Variables,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
};

/// PyTorch's batch counter in batch normalization, which only a cumulative average has here.
const COUNTER: &str = "num_batches_tracked";

/// Options of loading a file into a model: which tensors are loaded, under which names, and what may
/// be left over.
///
/// ```
/// use wgrad::{DType, Graph, Variables, io::state_dict::{self, Load}};
/// use wgrad::nn::{Dense, Mode, Module, Scope, Sequential};
///
/// // A network of two layers, saved by PyTorch's names for it: 0.weight, 0.bias, 1.weight, 1.bias.
/// let graph = |classes: usize| {
///     let graph = Graph::new();
///     let x = graph.input("x", [1, 8], DType::F32);
///     let net = Sequential::new().add(Dense::new(4)).add(Dense::new(classes));
///     net.forward(&mut Scope::new(&graph, Mode::Eval).child("net"), x);
///     graph
/// };
/// # let path = std::env::temp_dir().join(format!("load-{}.safetensors", std::process::id()));
/// let trained = Variables::new(0);
/// # for (k, dims) in [[4, 8].as_slice(), &[4], &[10, 4], &[10]].iter().enumerate() {
/// #     let name = format!("net/{}:dense/{}", k / 2, ["weight", "bias"][k % 2]);
/// #     let zeros = vec![0f32; dims.iter().product()];
/// #     trained.insert(&name, wgrad::Array::new(*dims, &zeros)?)?;
/// # }
/// state_dict::save(&path, &trained, "net/")?;
///
/// // A model with another head takes all but the head.
/// let variables = Variables::new(1);
/// let report = Load::new()
///     .skip(|name| name.starts_with("1."))
///     .load(&path, &graph(3), "net/", &variables)?;
/// assert_eq!(report.loaded, ["net/0:dense/bias", "net/0:dense/weight"]);
/// # std::fs::remove_file(&path).expect("it was written");
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Load<'a> {
    strict: bool,
    allow_mismatched: bool,
    prefix: String,
    rename: Box<dyn Fn(&str) -> String + 'a>,
    skip: Box<dyn Fn(&str) -> bool + 'a>,
}

impl Default for Load<'_> {
    fn default() -> Self {
        Load::new()
    }
}

impl std::fmt::Debug for Load<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load")
            .field("strict", &self.strict)
            .field("allow_mismatched", &self.allow_mismatched)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<'a> Load<'a> {
    /// Every variable needs a tensor, and every tensor a variable.
    pub fn new() -> Self {
        Load {
            strict: true,
            allow_mismatched: false,
            prefix: String::new(),
            rename: Box::new(str::to_owned),
            skip: Box::new(|_| false),
        }
    }

    /// Sets whether missing and unexpected tensors are an error, as they are by default. Variables
    /// for which there is no tensor stay as they are, or are initialized by the first program.
    pub fn strict(self, strict: bool) -> Self {
        Load { strict, ..self }
    }

    /// Sets whether tensors whose shape or values do not fit are left out instead of an error, as
    /// PyTorch never does.
    #[doc(alias = "ignore_mismatched_sizes")]
    pub fn allow_mismatched(self, allow: bool) -> Self {
        Load { allow_mismatched: allow, ..self }
    }

    /// Takes only tensors whose name begins like this, and drops that from their names:
    /// `backbone.`, or `module.` of a model that was trained in parallel.
    pub fn prefix(self, prefix: &str) -> Self {
        Load { prefix: prefix.to_owned(), ..self }
    }

    /// Gives tensors of the file the names that the model has for them, after the prefix is dropped.
    pub fn rename(self, rename: impl Fn(&str) -> String + 'a) -> Self {
        Load { rename: Box::new(rename), ..self }
    }

    /// Leaves out what the model names like this, such as the last layer of a classifier: such
    /// tensors are neither loaded nor unexpected, and such variables are not missing.
    #[doc(alias = "reset_classifier")]
    pub fn skip(self, skip: impl Fn(&str) -> bool + 'a) -> Self {
        Load { skip: Box::new(skip), ..self }
    }

    /// Sets the variables that `graph` declares below `prefix` to the values of a file; all that the
    /// report lists as loaded or, on error, none.
    ///
    /// Names are those of PyTorch below the prefix; the paths that
    /// [`safetensors::save`] writes are taken too. Values of another type
    /// than declared are converted if they fit: weights in half or double precision can be loaded
    /// into an f32 model. The state of random numbers is no part of a model, and
    /// [settings](Graph::setting) are the code's: both stay as they are, whatever the file holds.
    /// Counters of batch normalization, which few models have here, may be left over.
    ///
    /// # Errors
    ///
    /// [`FileError::Mismatch`], with all that does not fit; [`FileError::Corrupt`] if two tensors
    /// get one name; otherwise those of the graph and of [`safetensors::read`].
    #[doc(alias("load_state_dict", "load_checkpoint"))]
    pub fn load(
        &self,
        path: &Path,
        graph: &Graph,
        prefix: &str,
        variables: &Variables,
    ) -> Result<LoadReport, Error> {
        graph.check()?;
        let mut tensors = self.named(path, safetensors::read(path)?)?;
        let (mut report, mut values) = (LoadReport::default(), BTreeMap::new());
        // The names in the file, by path.
        let mut sources = BTreeMap::new();
        for (declared, (_, Declaration { meta, is_setting, .. })) in &graph.inner.borrow().variables
        {
            let Some(below) = declared.strip_prefix(prefix) else { continue };
            let name = torch_name(below);
            if *is_setting || random::owns(declared) || (self.skip)(&name) {
                tensors.remove(&name);
                continue;
            }
            let (path, expected) = (declared.clone(), meta.clone());
            let Some((source, value)) = tensors.remove(&name) else {
                report.missing.push(MissingTensor { name, path, expected });
                continue;
            };
            let is = value.meta().clone();
            let mismatched = |value| MismatchedTensor {
                name: source.clone(),
                path: path.clone(),
                expected,
                is,
                value,
            };
            if value.shape() != &meta.shape {
                report.mismatched.push(mismatched(None));
                continue;
            }
            match converted(value, meta.dtype)? {
                Ok(value) => {
                    values.insert(path.clone(), value);
                    sources.insert(path, source);
                }
                Err(misfit) => report.mismatched.push(mismatched(Some(misfit))),
            }
        }
        let left =
            tensors.into_iter().filter(|(name, _)| !name.ends_with(COUNTER) && !(self.skip)(name));
        report.unexpected = left.map(|(_, (name, value))| (name, value.meta().clone())).collect();
        report.unexpected.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Another program may have made variables of other shapes.
        let mut store = variables.lock();
        for misfit in store.misfits(&values) {
            values.remove(&misfit.path);
            let name = sources.remove(&misfit.path).unwrap_or_default();
            report.mismatched.push(MismatchedTensor { name, ..misfit });
        }
        report.mismatched.sort_by(|a, b| a.path.cmp(&b.path));
        if self.refuses(&report) {
            let report = Box::new(report);
            return Err(FileError::Mismatch { path: path.to_owned(), report }.into());
        }
        report.loaded = values.keys().cloned().collect();
        store.load(values);
        Ok(report)
    }

    /// The tensors of a file by the names of the model, each with its name in the file.
    fn named(
        &self,
        path: &Path,
        tensors: Vec<(String, Array)>,
    ) -> Result<BTreeMap<String, (String, Array)>, Error> {
        let mut named = BTreeMap::new();
        for (source, value) in tensors {
            let Some(name) = source.strip_prefix(&self.prefix) else { continue };
            match named.entry(torch_name(&(self.rename)(name))) {
                Entry::Vacant(free) => {
                    free.insert((source, value));
                }
                Entry::Occupied(taken) => {
                    let (name, (first, _)) = (taken.key(), taken.get());
                    let message = format!("{first} and {source} both become {name}");
                    return Err(FileError::Corrupt { path: path.to_owned(), message }.into());
                }
            }
        }
        Ok(named)
    }

    /// Whether what does not fit is an error.
    fn refuses(&self, report: &LoadReport) -> bool {
        let is_partial = !(report.missing.is_empty() && report.unexpected.is_empty());
        self.strict && is_partial || !self.allow_mismatched && !report.mismatched.is_empty()
    }
}

/// Converts values to another element type: floats are rounded, everything else must be exact.
/// Returns a value that does not fit if there is one.
fn converted(array: Array, dtype: DType) -> Result<Result<Array, f64>, Error> {
    if array.dtype() == dtype {
        return Ok(Ok(array));
    }
    let is_rounded = array.dtype().is_float() && dtype.is_float();
    let values = array.to_f64();
    let misfit = values.iter().find(|&&x| {
        if is_rounded { x.is_finite() && !dtype.round(x).is_finite() } else { dtype.round(x) != x }
    });
    match misfit {
        Some(&x) => Ok(Err(x)),
        None => Array::from_f64(Meta { shape: array.shape().clone(), dtype }, &values).map(Ok),
    }
}
