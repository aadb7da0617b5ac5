//! The data of a store, behind its lock: values, and who decided them.

use super::initial;
#[cfg(feature = "files")]
use crate::error::MismatchedTensor;
use crate::{
    array::Array,
    dtype::DType,
    error::{DeviceError, Error, VariableError, similar},
    graph::Declaration,
    init::Init,
    resident::Resident,
    shape::Meta,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Default)]
pub(crate) struct Store {
    pub(super) seed: u64,
    pub(super) entries: BTreeMap<String, Entry>,
    /// Values of settings, by path, on the host: the code's, so they outlast a device. None of those
    /// that a program assigns.
    kept: BTreeMap<String, Array>,
}

/// A variable and its value.
pub(crate) struct Entry {
    pub meta: Meta,
    pub data: Arc<dyn Resident>,
    origin: Origin,
}

/// The origin of a variable's value; it matters for [settings](crate::Graph::setting) only.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// A program that declares it as a plain variable.
    Program,
    /// A program that declares it as a setting, with this value; it may have been set since.
    Setting(f32),
    /// The caller, who inserted it, or set what was neither a setting nor inserted.
    Caller,
    /// A file.
    #[cfg(feature = "files")]
    File,
}

/// Whether the caller may create variables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum By {
    /// Only variables that exist are written.
    Set,
    /// Missing ones are created.
    Insert,
}

impl Store {
    pub(super) fn new(seed: u64) -> Self {
        Store { seed, ..Store::default() }
    }

    /// Initializes missing variables, and settings that no other code has decided.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] if one has another shape or type than declared;
    /// [`VariableError::Setting`] if another program has declared a setting with another value.
    pub fn ensure(&mut self, declared: &[(String, Declaration)]) -> Result<(), Error> {
        let mut open = Vec::new();
        for variable in declared {
            if !self.is_settled(&variable.0, &variable.1)? {
                open.push(variable);
            }
        }
        // Variables initialized from others come last.
        open.sort_by_key(|(_, declaration)| matches!(declaration.init, Init::RowLengths(_)));
        open.into_iter().try_for_each(|(path, declaration)| self.initialize(path, declaration))
    }

    /// Whether a variable has a value that this declaration leaves as it is.
    fn is_settled(&self, path: &str, declared: &Declaration) -> Result<bool, VariableError> {
        let Some(entry) = self.entries.get(path) else { return Ok(false) };
        if entry.meta != declared.meta {
            let (path, expected) = (path.to_owned(), declared.meta.clone());
            return Err(VariableError::Mismatch { path, expected, is: entry.meta.clone() });
        }
        let Some(value) = setting(declared) else { return Ok(true) };
        match entry.origin {
            // NaN is itself here.
            Origin::Setting(first) if first.to_bits() != value.to_bits() => {
                Err(VariableError::Setting { path: path.to_owned(), first, second: value })
            }
            Origin::Setting(_) | Origin::Caller => Ok(true),
            Origin::Program => Ok(false),
            #[cfg(feature = "files")]
            Origin::File => Ok(false),
        }
    }

    /// Gives a variable its initial value; a setting may be there already.
    fn initialize(&mut self, path: &str, declared: &Declaration) -> Result<(), Error> {
        let Declaration { meta, init, .. } = declared;
        let value = match init {
            Init::RowLengths(name) => {
                initial::row_lengths(meta, &self.get(&initial::beside(path, name))?)?
            }
            _ => initial::values(*init, meta, self.seed, path)?,
        };
        self.put(
            path.to_owned(),
            value,
            setting(declared).map_or(Origin::Program, Origin::Setting),
        );
        Ok(())
    }

    /// Writes all these values or, on error, none.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`]; [`VariableError::Missing`] unless missing ones are created.
    pub(super) fn write(&mut self, values: BTreeMap<String, Array>, by: By) -> Result<(), Error> {
        for (path, value) in &values {
            match self.entries.get(path) {
                Some(entry) if entry.meta == *value.meta() => {}
                Some(entry) => {
                    let (expected, is) = (value.meta().clone(), entry.meta.clone());
                    return Err(VariableError::Mismatch { path: path.clone(), expected, is }.into());
                }
                None if by == By::Set => return Err(self.missing(path).into()),
                None => {}
            }
        }
        for (path, value) in values {
            let origin = match self.entries.get(&path) {
                Some(Entry { origin: Origin::Setting(declared), .. }) if by == By::Set => {
                    Origin::Setting(*declared)
                }
                _ => Origin::Caller,
            };
            self.put(path, value, origin);
        }
        Ok(())
    }

    /// The values of a file that do not fit the variables of the store, ordered by path.
    #[cfg(feature = "files")]
    pub fn misfits(&self, values: &BTreeMap<String, Array>) -> Vec<MismatchedTensor> {
        let misfit = |(path, value): (&String, &Array)| {
            let entry = self.entries.get(path).filter(|entry| entry.meta != *value.meta())?;
            let (expected, is) = (entry.meta.clone(), value.meta().clone());
            let (name, path) = (path.clone(), path.clone());
            Some(MismatchedTensor { name, path, expected, is, value: None })
        };
        values.iter().filter_map(misfit).collect()
    }

    /// Takes the values of a file, none of which is among the [misfits](Self::misfits). Settings of
    /// programs stay as they are.
    #[cfg(feature = "files")]
    pub fn load(&mut self, values: BTreeMap<String, Array>) {
        for (path, value) in values {
            let known = self.entries.get(&path);
            if !known.is_some_and(|entry| matches!(entry.origin, Origin::Setting(_))) {
                self.put(path, value, Origin::File);
            }
        }
    }

    /// Sets or creates a variable.
    fn put(&mut self, path: String, value: Array, origin: Origin) {
        match origin {
            Origin::Setting(_) => self.kept.insert(path.clone(), value.clone()),
            _ => self.kept.remove(&path),
        };
        match self.entries.get_mut(&path) {
            Some(entry) => {
                entry.write(value);
                entry.origin = origin;
            }
            None => {
                let entry = Entry { meta: value.meta().clone(), data: Arc::new(value), origin };
                self.entries.insert(path, entry);
            }
        }
    }

    /// Says that a run assigns these variables.
    pub fn assigns(&mut self, paths: &BTreeSet<String>) {
        self.kept.retain(|path, _| !paths.contains(path));
    }

    /// Paths of the settings below a prefix, with the values that the code says: that a program declares,
    /// or the caller has inserted.
    pub fn settings(&self, prefix: &str) -> Vec<(String, f32)> {
        let below = self.entries.iter().filter(|(path, _)| path.starts_with(prefix));
        let value = |(path, entry): (&String, &Entry)| {
            let value = match entry.origin {
                Origin::Setting(declared) => Some(declared),
                Origin::Caller => self.get(path).ok()?.item().map(|value| value as f32),
                _ => None,
            };
            Some((path.clone(), value?))
        };
        below.filter_map(value).collect()
    }

    /// Copies a value to the host.
    ///
    /// # Errors
    ///
    /// [`VariableError::Missing`]; [`VariableError::Lost`] if it was lost with its device; another
    /// error of the device.
    pub fn get(&self, path: &str) -> Result<Array, Error> {
        let entry = self.entry(path)?;
        match entry.data.read_blocking(&entry.meta) {
            Err(Error::Device(DeviceError::Lost { message })) => match self.kept.get(path) {
                Some(value) => value.try_clone(),
                None => Err(VariableError::Lost { path: path.to_owned(), message }.into()),
            },
            read => read,
        }
    }

    /// A variable.
    pub fn entry(&self, path: &str) -> Result<&Entry, Error> {
        self.entries.get(path).ok_or_else(|| self.missing(path).into())
    }

    /// The error for a path that is not there.
    fn missing(&self, path: &str) -> VariableError {
        let similar = similar(path, self.entries.keys().map(String::as_str));
        VariableError::Missing { path: path.to_owned(), similar }
    }

    /// Replaces a value with another one of the same type, at any location.
    pub fn place(&mut self, path: &str, data: impl Resident + 'static) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.data = Arc::new(data);
        }
    }
}

/// The value of a setting in the store.
fn setting(declared: &Declaration) -> Option<f32> {
    match declared.init {
        Init::Constant(value) if declared.is_setting => Some(DType::F32.round(value) as f32),
        _ => None,
    }
}

impl Entry {
    /// Replaces the value in place with another one of the same type.
    fn write(&mut self, value: Array) {
        // On the host, or if the device is lost, the new value replaces the old one.
        if !self.data.write(value.words()) {
            self.data = Arc::new(value);
        }
    }
}
