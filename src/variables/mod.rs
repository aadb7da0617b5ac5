//! The store of variables: parameters, optimizer moments, counters, random seeds.
//!
//! A program looks up its variables by path. Between runs their values stay on the device that
//! computed them; reading one copies it to the host, and setting one writes to the device.

pub(crate) mod initial;

use crate::{
    array::Array,
    error::{Error, VariableError},
    graph::Declaration,
    init::Init,
    resident::Resident,
    shape::Meta,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Values that persist between runs, by path. One store may serve many programs and threads.
///
/// A run holds the lock of the store: on the CPU and the reference device until it finishes, on a
/// GPU while it submits. So runs over one store are serialized, in the order threads arrive, and
/// every other call sees the values from before a run or from after it, never a mixture: a thread
/// may save a snapshot while others train. Reading from a GPU waits for submitted work while
/// holding the lock. Threads that must not wait for each other need separate stores.
#[doc(alias = "state_dict")]
#[derive(Debug, Default)]
pub struct Variables {
    store: Mutex<Store>,
}

/// The data behind the lock.
#[derive(Debug, Default)]
pub(crate) struct Store {
    seed: u64,
    entries: BTreeMap<String, Entry>,
}

/// A variable and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub meta: Meta,
    pub data: Arc<dyn Resident>,
}

impl Variables {
    /// An empty store; missing variables are initialized from this seed.
    #[doc(alias("manual_seed", "set_random_seed"))]
    pub fn new(seed: u64) -> Self {
        Variables { store: Mutex::new(Store { seed, entries: BTreeMap::new() }) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Store> {
        // The store is consistent between statements; a panic elsewhere does not corrupt it.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All paths, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    /// Shape and element type of the variable at this path, if it exists.
    pub fn meta(&self, path: &str) -> Option<Meta> {
        self.lock().entries.get(path).map(|entry| entry.meta.clone())
    }

    /// Copies a value to the host.
    ///
    /// # Errors
    ///
    /// [`VariableError::Missing`]; a [`DeviceError`](crate::DeviceError) if it cannot be read back.
    pub fn get(&self, path: &str) -> Result<Array, Error> {
        self.lock().get(path)
    }

    /// Copies all values to the host, ordered by path.
    ///
    /// # Errors
    ///
    /// Same as [`get`](Self::get).
    pub fn to_arrays(&self) -> Result<Vec<(String, Array)>, Error> {
        self.to_arrays_below("")
    }

    /// Copies all values whose path starts with `prefix`, ordered by path, with no run in between.
    ///
    /// # Errors
    ///
    /// Same as [`get`](Self::get).
    pub fn to_arrays_below(&self, prefix: &str) -> Result<Vec<(String, Array)>, Error> {
        let store = self.lock();
        let chosen = store.entries.iter().filter(|(path, _)| path.starts_with(prefix));
        chosen.map(|(path, entry)| Ok((path.clone(), entry.read()?))).collect()
    }

    /// Sets a new or existing value. An existing one stays on its device: setting it allocates
    /// nothing there and does not wait.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] if the path has another shape or type.
    #[doc(alias("lr_scheduler", "LearningRateScheduler"))]
    pub fn set(&self, path: &str, value: Array) -> Result<(), Error> {
        self.set_all([(path.to_owned(), value)])
    }

    /// Sets all these values, as [`set`](Self::set) does, or none, with no run in between.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] if a path has another shape or type, in the store or earlier in
    /// `values`.
    pub fn set_all(&self, values: impl IntoIterator<Item = (String, Array)>) -> Result<(), Error> {
        let mut set: BTreeMap<String, Array> = BTreeMap::new();
        let mismatch = |path: String, expected: &Meta, is: &Meta| {
            let (expected, is) = (expected.clone(), is.clone());
            Err(VariableError::Mismatch { path, expected, is }.into())
        };
        // The iterator runs before the lock is taken: it may use the store itself.
        for (path, value) in values {
            if let Some(known) = set.get(&path)
                && known.meta() != value.meta()
            {
                return mismatch(path, value.meta(), known.meta());
            }
            set.insert(path, value);
        }
        let mut store = self.lock();
        for (path, value) in &set {
            if let Some(entry) = store.entries.get(path)
                && entry.meta != *value.meta()
            {
                return mismatch(path.clone(), value.meta(), &entry.meta);
            }
        }
        for (path, value) in set {
            match store.entries.get_mut(&path) {
                Some(entry) => entry.write(value),
                None => {
                    let entry = Entry { meta: value.meta().clone(), data: Arc::new(value) };
                    store.entries.insert(path, entry);
                }
            }
        }
        Ok(())
    }

    /// Number of elements of all variables whose path starts with `prefix`.
    #[doc(alias("numel", "count_params"))]
    pub fn count(&self, prefix: &str) -> usize {
        let store = self.lock();
        let chosen = store.entries.iter().filter(|(path, _)| path.starts_with(prefix));
        chosen.map(|(_, entry)| entry.meta.shape.len()).sum()
    }
}

impl Store {
    /// Initializes missing variables.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] if one has another shape or type than declared.
    pub fn ensure(&mut self, declared: &[(String, Declaration)]) -> Result<(), Error> {
        // Variables initialized from others come last.
        let depends = |d: &&(String, Declaration)| matches!(d.1.init, Init::RowLengths(_));
        let (last, first): (Vec<_>, Vec<_>) = declared.iter().partition(depends);
        for (path, Declaration { meta, init }) in first.into_iter().chain(last) {
            match self.entries.get(path) {
                Some(entry) if entry.meta == *meta => {}
                Some(entry) => {
                    return Err(VariableError::Mismatch {
                        path: path.clone(),
                        expected: meta.clone(),
                        is: entry.meta.clone(),
                    }
                    .into());
                }
                None => {
                    let value = match init {
                        Init::RowLengths(name) => {
                            initial::row_lengths(meta, &self.get(&initial::beside(path, name))?)?
                        }
                        _ => initial::values(*init, meta, self.seed, path)?,
                    };
                    let entry = Entry { meta: meta.clone(), data: Arc::new(value) };
                    self.entries.insert(path.clone(), entry);
                }
            }
        }
        Ok(())
    }

    /// Copies a value to the host.
    pub fn get(&self, path: &str) -> Result<Array, Error> {
        self.entry(path)?.read()
    }

    /// A variable.
    pub fn entry(&self, path: &str) -> Result<&Entry, Error> {
        self.entries.get(path).ok_or_else(|| VariableError::Missing(path.to_owned()).into())
    }

    /// Replaces a value with another one of the same type, at any location.
    pub fn place(&mut self, path: &str, data: impl Resident + 'static) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.data = Arc::new(data);
        }
    }
}

impl Entry {
    /// Copies the value to the host.
    pub fn read(&self) -> Result<Array, Error> {
        self.data.read_blocking(&self.meta)
    }

    /// Replaces the value in place with another one of the same type.
    fn write(&mut self, value: Array) {
        // On the host, or if the device is lost, the new value replaces the old one.
        if !self.data.write(value.words()) {
            self.data = Arc::new(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device, Graph, Init};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_are_set_or_none() -> Result<(), Error> {
        let variables = Variables::new(0);
        let of = |path: &str, len: usize| {
            Ok::<_, Error>((path.to_owned(), Array::new([len], &vec![1f32; len])?))
        };
        variables.set_all([of("b", 2)?])?;
        for wrong in [[of("a", 1)?, of("b", 3)?], [of("a", 1)?, of("a", 2)?]] {
            let error = variables.set_all(wrong).expect_err("another shape");
            assert!(matches!(error, Error::Variable(VariableError::Mismatch { .. })));
            assert_eq!(variables.paths(), ["b"]);
        }
        variables.set_all([of("a", 1)?, of("b", 2)?, of("a", 1)?])?;
        assert_eq!(variables.paths(), ["a", "b"]);
        Ok(())
    }

    #[test]
    fn a_snapshot_is_from_between_two_runs() -> Result<(), Error> {
        let graph = Graph::new();
        for index in 0..32 {
            let v = graph.variable(&format!("net/{index}"), [256], DType::F32, Init::Zeros);
            graph.assign(v, v + 1.0);
        }
        let program = graph.compile(&Device::cpu_with_threads(1)?, &[])?;
        let (variables, runs) = (Variables::new(0), AtomicUsize::new(0));
        program.prepare(&variables)?;
        std::thread::scope(|scope| {
            let trains = scope.spawn(|| {
                while runs.load(Ordering::Relaxed) < 300 {
                    program.run(&variables, &[])?;
                    runs.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Error>(())
            });
            while !trains.is_finished() {
                let arrays = variables.to_arrays_below("net/")?;
                assert!(arrays.iter().all(|(_, array)| *array == arrays[0].1), "of several runs");
            }
            trains.join().expect("it does not panic")
        })
    }
}
