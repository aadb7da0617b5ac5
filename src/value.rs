//! Values on devices: inputs and results of runs.

use crate::{
    array::Array,
    array64::Array64,
    error::{Error, RunError},
    memory,
    resident::Resident,
    shape::Meta,
};
use std::sync::Arc;

/// A value that can be passed as an input: an [`Array`], or a [`Value`] of an earlier run.
pub trait Feed: sealed::Sealed {
    /// The value, with its location.
    fn feed(&self) -> Fed<'_>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Array {}
    impl Sealed for crate::Value {}
}

/// An input value, on the host or on a device.
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

    /// Blocks until the elements are available and copies them to the host.
    ///
    /// # Errors
    ///
    /// Same as [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Array, Error> {
        self.data.read_blocking(&self.meta)
    }

    /// Same as [`read_blocking`](Self::read_blocking), in f64: unrounded if from the reference
    /// device.
    ///
    /// # Errors
    ///
    /// Same as [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_f64(&self) -> Result<Vec<f64>, Error> {
        match self.data.is::<Array64>() {
            Some(exact) => Ok(memory::copied(&exact.data)?),
            None => Ok(Array64::of(&self.read_blocking()?)?.data),
        }
    }
}

/// The results of a run, in the order of the requested outputs.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// The requested outputs, followed by the watched tensors.
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

    /// All requested results.
    pub fn values(&self) -> &[Value] {
        &self.values[..self.values.len() - self.watched.len()]
    }

    /// The value of the tensor watched under this name: see [`Graph::watch`](crate::Graph::watch).
    ///
    /// # Errors
    ///
    /// [`RunError::NotWatched`], also if the program does not compute the tensor.
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

    /// Blocks until result `index` is available and copies it to the host.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`]; those of [`Value::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self, index: usize) -> Result<Array, Error> {
        self.get(index)?.read_blocking()
    }
}
