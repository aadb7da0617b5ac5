//! The store of variables: parameters, optimizer moments, counters, random seeds.
//!
//! A program finds its variables by path. Between runs their values stay on the device that
//! computed them; whoever asks gets a copy on the host.

use crate::{
    array::Array,
    cpu,
    error::{Error, VariableError},
    gpu,
    graph::Declaration,
    reference::Array64,
    shape::Meta,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values that outlive runs, by path. One store may serve many programs and threads.
#[derive(Debug, Default)]
pub struct Variables {
    store: Mutex<Store>,
}

/// What is behind the lock.
#[derive(Debug, Default)]
pub(crate) struct Store {
    seed: u64,
    entries: BTreeMap<String, Entry>,
}

/// A variable and where its value is.
#[derive(Debug)]
pub(crate) struct Entry {
    pub meta: Meta,
    pub place: Place,
}

/// Where a value is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On the host.
    Host(Array),
    /// On the host in f64: the reference device keeps all digits.
    Exact(Array64),
    /// In the memory of the CPU device.
    Cpu(cpu::Placed),
    /// In the memory of a GPU.
    Gpu(gpu::Placed),
}

impl Variables {
    /// An empty store; missing variables are initialised from this seed.
    pub fn new(seed: u64) -> Self {
        Variables { store: Mutex::new(Store { seed, entries: BTreeMap::new() }) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Store> {
        // The store is consistent between statements; a panic elsewhere does not spoil it.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The paths, in order.
    pub fn paths(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    /// Shape and element type of a variable, if there is one of this path.
    pub fn meta(&self, path: &str) -> Option<Meta> {
        self.lock().entries.get(path).map(|entry| entry.meta.clone())
    }

    /// A copy of a value.
    ///
    /// # Errors
    ///
    /// [`VariableError::Missing`]; a [`DeviceError`](crate::DeviceError) where it cannot be read
    /// back.
    pub fn get(&self, path: &str) -> Result<Array, Error> {
        self.lock().get(path)
    }

    /// Copies of all values, in order of path.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub fn to_arrays(&self) -> Result<Vec<(String, Array)>, Error> {
        let store = self.lock();
        store.entries.iter().map(|(path, entry)| Ok((path.clone(), entry.read()?))).collect()
    }

    /// Sets a value, new or old.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] where the path has another shape or type.
    pub fn set(&self, path: &str, value: Array) -> Result<(), Error> {
        let mut store = self.lock();
        if let Some(entry) = store.entries.get(path)
            && entry.meta != *value.meta()
        {
            return Err(VariableError::Mismatch {
                path: path.to_owned(),
                expected: value.meta().clone(),
                is: entry.meta.clone(),
            }
            .into());
        }
        let entry = Entry { meta: value.meta().clone(), place: Place::Host(value) };
        store.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Number of elements of all variables whose path starts with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        let store = self.lock();
        let chosen = store.entries.iter().filter(|(path, _)| path.starts_with(prefix));
        chosen.map(|(_, entry)| entry.meta.shape.len()).sum()
    }
}

impl Store {
    /// Makes the variables that are missing.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] where one has another shape or type than declared.
    pub fn ensure(&mut self, declared: &[(String, Declaration)]) -> Result<(), Error> {
        for (path, Declaration { meta, init }) in declared {
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
                    let value = init.values(meta, self.seed, path)?;
                    let entry = Entry { meta: meta.clone(), place: Place::Host(value) };
                    self.entries.insert(path.clone(), entry);
                }
            }
        }
        Ok(())
    }

    /// A copy of a value on the host.
    pub fn get(&self, path: &str) -> Result<Array, Error> {
        self.entry(path)?.read()
    }

    /// A variable.
    pub fn entry(&self, path: &str) -> Result<&Entry, Error> {
        self.entries.get(path).ok_or_else(|| VariableError::Missing(path.to_owned()).into())
    }

    /// Says where a value is from now on.
    pub fn place(&mut self, path: &str, place: Place) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.place = place;
        }
    }
}

impl Entry {
    /// A copy on the host.
    pub fn read(&self) -> Result<Array, Error> {
        match &self.place {
            Place::Host(array) => Ok(array.clone()),
            Place::Exact(array) => array.to_array(),
            Place::Cpu(placed) => Array::from_words(self.meta.clone(), placed.read()),
            Place::Gpu(placed) => Array::from_words(self.meta.clone(), placed.read_blocking()?),
        }
    }
}
