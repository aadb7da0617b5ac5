//! Values on devices: what a run is given, and what comes out.

use crate::{
    array::Array,
    array64::Array64,
    error::{Error, RunError},
    resident::Resident,
    shape::Meta,
};
use std::sync::Arc;

/// Something an input can be given as: an [`Array`], or a [`Value`] of an earlier run.
pub trait Feed: sealed::Sealed {
    /// The value, wherever it is.
    fn feed(&self) -> Fed<'_>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Array {}
    impl Sealed for crate::Value {}
}

/// A value for an input, wherever it is.
#[derive(Clone, Copy, Debug)]
pub enum Fed<'a> {
    /// On the host.
    Host(&'a Array),
    /// On the device that computed it.
    Device(&'a Value),
}

impl Fed<'_> {
    /// Its shape and element type.
    pub fn meta(&self) -> &Meta {
        match self {
            Fed::Host(array) => array.meta(),
            Fed::Device(value) => &value.meta,
        }
    }
}

impl Feed for Array {
    fn feed(&self) -> Fed<'_> {
        Fed::Host(self)
    }
}

impl Feed for Value {
    fn feed(&self) -> Fed<'_> {
        Fed::Device(self)
    }
}

/// A tensor on a device. Cloning it does not copy its elements.
#[derive(Clone, Debug)]
pub struct Value {
    meta: Meta,
    pub(crate) data: Arc<dyn Resident>,
}

impl Value {
    /// Shape and element type.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Waits for the elements and copies them to the host.
    ///
    /// # Errors
    ///
    /// A [`DeviceError`](crate::DeviceError) that occurred since it was submitted.
    pub async fn read(&self) -> Result<Array, Error> {
        self.data.read(&self.meta).await
    }

    /// Blocks until the elements are there and copies them to the host.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Array, Error> {
        self.data.read_blocking(&self.meta)
    }

    /// As [`read_blocking`](Self::read_blocking), in f64: from the reference device, unrounded.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_f64(&self) -> Result<Vec<f64>, Error> {
        match self.data.is::<Array64>() {
            Some(exact) => Ok(exact.data.clone()),
            None => Ok(self.read_blocking()?.to_f64()),
        }
    }
}

/// The results of a run, in the order they were asked for.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// Those that were asked for, then those that are watched.
    values: Vec<Value>,
    watched: Arc<[String]>,
}

impl Outputs {
    pub(crate) fn new(
        metas: &[Meta],
        data: Vec<Arc<dyn Resident>>,
        watched: Arc<[String]>,
    ) -> Self {
        let values = metas.iter().cloned().zip(data).map(|(meta, data)| Value { meta, data });
        Outputs { values: values.collect(), watched }
    }

    /// Result `index`.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`].
    pub fn get(&self, index: usize) -> Result<&Value, Error> {
        let values = self.values();
        values.get(index).ok_or_else(|| RunError::NoOutput { index, len: values.len() }.into())
    }

    /// All of them.
    pub fn values(&self) -> &[Value] {
        &self.values[..self.values.len() - self.watched.len()]
    }

    /// The value of a tensor that is watched by this name: see
    /// [`Graph::watch`](crate::Graph::watch).
    ///
    /// # Errors
    ///
    /// [`RunError::NotWatched`], also where the tensor takes no part in the program.
    pub fn watched(&self, name: &str) -> Result<&Value, Error> {
        let values = &self.values[self.values.len() - self.watched.len()..];
        match self.watched.iter().position(|known| known == name) {
            Some(index) => Ok(&values[index]),
            None => {
                let (name, known) = (name.to_owned(), self.watched.join(", "));
                Err(RunError::NotWatched { name, known }.into())
            }
        }
    }

    /// Waits for result `index` and copies it to the host.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`]; those of [`Value::read`].
    pub async fn read(&self, index: usize) -> Result<Array, Error> {
        self.get(index)?.read().await
    }

    /// Blocks until result `index` is there and copies it to the host.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`]; those of [`Value::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self, index: usize) -> Result<Array, Error> {
        self.get(index)?.read_blocking()
    }
}
