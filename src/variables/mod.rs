//! The store of variables: parameters, optimizer moments, counters, random seeds.
//!
//! A program looks up its variables by path. Between runs their values stay on the device that
//! computed them; reading one copies it to the host, and setting one writes to the device.

pub(crate) mod initial;
mod store;

pub(crate) use store::Store;

use crate::{
    array::Array,
    brief::Brief,
    error::{Error, VariableError},
    shape::Meta,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};
use store::By;

/// Values that persist between runs, by path. One store may serve many programs and threads.
///
/// A run holds the lock of the store: on the CPU and the reference device until it finishes, on a
/// GPU while it submits. So runs over one store are serialized, in the order threads arrive, and
/// every other call sees the values from before a run or from after it, never a mixture: a thread
/// may save a snapshot while others train. Reading from a GPU waits for submitted work while
/// holding the lock. Threads that must not wait for each other need separate stores.
///
/// A value that is only in the memory of a device that was lost is
/// [`VariableError::Lost`] until another is loaded, set or inserted, which needs no new store. Settings
/// are kept on the host, and are not lost.
#[doc(alias = "state_dict")]
#[derive(Default)]
pub struct Variables {
    store: Mutex<Store>,
}

impl fmt::Debug for Variables {
    /// A summary: seed, number of variables and the first of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Variables");
        // A run may hold it.
        let Ok(store) = self.store.try_lock() else { return text.finish_non_exhaustive() };
        let entries = store.entries.iter().map(|(path, entry)| (path.clone(), &entry.meta));
        text.field("seed", &store.seed).field("variables", &Brief::named(entries)).finish()
    }
}

impl Variables {
    /// An empty store; missing variables are initialized from this seed.
    #[doc(alias("manual_seed", "set_random_seed"))]
    pub fn new(seed: u64) -> Self {
        Variables { store: Mutex::new(Store::new(seed)) }
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
    /// [`VariableError::Missing`]; [`VariableError::Lost`] if it was lost with its device; another
    /// [`DeviceError`](crate::DeviceError) if it cannot be read back.
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
        let chosen = store.entries.keys().filter(|path| path.starts_with(prefix));
        chosen.map(|path| Ok((path.clone(), store.get(path)?))).collect()
    }

    /// Sets a variable that exists. It stays on its device: setting it allocates nothing there and
    /// does not wait.
    ///
    /// A program creates the variables that it declares when it is
    /// [prepared](crate::Program::prepare) or first run; [`insert`](Self::insert) creates others.
    ///
    /// # Errors
    ///
    /// [`VariableError::Missing`]; [`VariableError::Mismatch`] if it has another shape or type.
    #[doc(alias("lr_scheduler", "LearningRateScheduler"))]
    pub fn set(&self, path: &str, value: Array) -> Result<(), Error> {
        self.set_all([(path.to_owned(), value)])
    }

    /// Sets all these variables, as [`set`](Self::set) does, or none, with no run in between.
    ///
    /// # Errors
    ///
    /// Same as [`set`](Self::set), the first by path; [`VariableError::Mismatch`] also if `values`
    /// has a path twice with different shapes or types.
    pub fn set_all(&self, values: impl IntoIterator<Item = (String, Array)>) -> Result<(), Error> {
        self.write(values, By::Set)
    }

    /// Creates a variable, or sets it if it exists. Programs that declare it find it there, and do
    /// not initialize it: also a [setting](crate::Graph::setting), whatever value they declare.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] if it exists with another shape or type.
    pub fn insert(&self, path: &str, value: Array) -> Result<(), Error> {
        self.insert_all([(path.to_owned(), value)])
    }

    /// Creates or sets all these variables, as [`insert`](Self::insert) does, or none, with no run
    /// in between.
    ///
    /// # Errors
    ///
    /// Same as [`insert`](Self::insert), and as [`set_all`](Self::set_all) for a path that is given
    /// twice.
    pub fn insert_all(
        &self,
        values: impl IntoIterator<Item = (String, Array)>,
    ) -> Result<(), Error> {
        self.write(values, By::Insert)
    }

    fn write(
        &self,
        values: impl IntoIterator<Item = (String, Array)>,
        by: By,
    ) -> Result<(), Error> {
        let mut all: BTreeMap<String, Array> = BTreeMap::new();
        // The iterator runs before the lock is taken: it may use the store itself.
        for (path, value) in values {
            if let Some(known) = all.get(&path)
                && known.meta() != value.meta()
            {
                let (expected, is) = (value.meta().clone(), known.meta().clone());
                return Err(VariableError::Mismatch { path, expected, is }.into());
            }
            all.insert(path, value);
        }
        self.lock().write(all, by)
    }

    /// Paths of the settings below a prefix, with the values that the code says.
    pub(crate) fn settings(&self, prefix: &str) -> Vec<(String, f32)> {
        self.lock().settings(prefix)
    }

    /// Number of elements of all variables whose path starts with `prefix`.
    #[doc(alias("numel", "count_params"))]
    pub fn count(&self, prefix: &str) -> usize {
        let store = self.lock();
        let chosen = store.entries.iter().filter(|(path, _)| path.starts_with(prefix));
        chosen.map(|(_, entry)| entry.meta.shape.len()).sum()
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
        variables.insert_all([of("b", 2)?])?;
        for wrong in [[of("a", 1)?, of("b", 3)?], [of("a", 1)?, of("a", 2)?]] {
            let error = variables.insert_all(wrong).expect_err("another shape");
            assert!(matches!(error, Error::Variable(VariableError::Mismatch { .. })));
            assert_eq!(variables.paths(), ["b"]);
        }
        variables.insert_all([of("a", 1)?, of("b", 2)?, of("a", 1)?])?;
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
