//! Values on devices: inputs and results of runs.

use crate::{
    array::Array,
    array64::Array64,
    brief::Brief,
    error::{Error, RunError},
    memory,
    resident::{Resident, Wait},
    shape::Meta,
};
use std::{fmt, sync::Arc};

/// A value that can be passed as an input: an [`Array`], or a [`Value`] of an earlier run.
pub trait Feed: sealed::Sealed {
    /// The value, with its location.
    fn feed(&self) -> Fed<'_>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Array {}
    impl Sealed for crate::Value {}
    pub trait Key {}
    impl Key for usize {}
    impl Key for &str {}
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
#[derive(Clone)]
pub struct Value {
    meta: Meta,
    pub(crate) data: Arc<dyn Resident>,
}

impl Value {
    /// A value whose elements are there.
    pub(crate) fn new(meta: Meta, data: Arc<dyn Resident>) -> Self {
        Value { meta, data }
    }

    /// Shape and element type.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Waits for the elements and copies them to the host.
    ///
    /// The future is `Send` and needs no particular executor. While a GPU is at work it is pending, and
    /// its thread is free: a thread of the device waits in its place and wakes the task. It may be
    /// dropped at any time; the value can be read again, and its buffers serve other reads.
    ///
    /// # Errors
    ///
    /// A [`DeviceError`](crate::DeviceError) that occurred since it was submitted.
    pub async fn read(&self) -> Result<Array, Error> {
        self.data.read(&self.meta, Wait::Yield).await
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

    /// Blocks until the only element is available, and returns it as f64.
    ///
    /// # Errors
    ///
    /// [`RunError::NotASingleNumber`] unless there is exactly one; same as [`read`](Self::read).
    #[doc(alias = "item")]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn scalar(&self) -> Result<f64, Error> {
        if self.meta.shape.checked_len() != Some(1) {
            return Err(RunError::NotASingleNumber { is: self.meta.clone() }.into());
        }
        // Its length is that of its shape.
        Ok(self.read_f64()?.first().copied().unwrap_or(f64::NAN))
    }
}

impl fmt::Debug for Value {
    /// Writes its type: its elements may still be on a device.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.meta)
    }
}

/// What a program returns.
#[derive(Debug)]
pub(crate) struct Returned {
    /// Of the requested outputs, followed by the watched tensors.
    pub metas: Vec<Meta>,
    /// Names of the requested outputs, or none.
    pub names: Vec<String>,
    pub watched: Vec<String>,
}

impl Returned {
    /// Of the requested outputs.
    pub fn requested(&self) -> &[Meta] {
        &self.metas[..self.metas.len() - self.watched.len()]
    }
}

/// The results of a run, in the order of the requested outputs. Clones share them, and may be read by
/// several threads and tasks.
#[derive(Clone)]
pub struct Outputs {
    /// The requested outputs, followed by the watched tensors.
    values: Vec<Value>,
    returned: Arc<Returned>,
}

/// The position of an output, or its name.
pub trait OutputKey: Copy + sealed::Key {
    /// The position.
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`], [`RunError::UnknownOutput`].
    #[doc(hidden)]
    fn position(self, names: &[String], len: usize) -> Result<usize, RunError>;
}

impl OutputKey for usize {
    fn position(self, _: &[String], len: usize) -> Result<usize, RunError> {
        if self < len { Ok(self) } else { Err(RunError::NoOutput { index: self, len }) }
    }
}

impl OutputKey for &str {
    fn position(self, names: &[String], _: usize) -> Result<usize, RunError> {
        let unknown = || RunError::UnknownOutput { name: self.to_owned(), known: names.to_vec() };
        names.iter().position(|name| name == self).ok_or_else(unknown)
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Returned { names, watched, .. } = &*self.returned;
        let requested = self.returned.requested();
        let mut text = f.debug_struct("Outputs");
        match &names[..] {
            [] => text.field("values", &Brief::new(requested)),
            names => text.field("values", &Brief::named(names.iter().cloned().zip(requested))),
        };
        if !watched.is_empty() {
            text.field("watched", &Brief::new(watched));
        }
        text.finish()
    }
}

impl Outputs {
    pub(crate) fn new(returned: &Arc<Returned>, data: Vec<Arc<dyn Resident>>) -> Self {
        let metas = returned.metas.iter().cloned();
        let values = metas.zip(data).map(|(meta, data)| Value::new(meta, data));
        Outputs { values: values.collect(), returned: returned.clone() }
    }

    /// The result at a position or of a name: see [`Graph::compile`](crate::Graph::compile).
    ///
    /// # Errors
    ///
    /// [`RunError::NoOutput`], [`RunError::UnknownOutput`].
    pub fn get(&self, output: impl OutputKey) -> Result<&Value, Error> {
        let values = self.values();
        Ok(&values[output.position(&self.returned.names, values.len())?])
    }

    /// All requested results.
    pub fn values(&self) -> &[Value] {
        &self.values[..self.returned.requested().len()]
    }

    /// The value of the tensor watched under this name: see [`Graph::watch`](crate::Graph::watch).
    ///
    /// # Errors
    ///
    /// [`RunError::NotWatched`], also if the program does not compute the tensor.
    pub fn watched(&self, name: &str) -> Result<&Value, Error> {
        let watched = &self.returned.watched;
        let values = &self.values[self.returned.requested().len()..];
        match watched.iter().position(|known| known == name) {
            Some(index) => Ok(&values[index]),
            None => {
                let (name, known) = (name.to_owned(), watched.join(", "));
                Err(RunError::NotWatched { name, known }.into())
            }
        }
    }

    /// Waits for a result and copies it to the host, as [`Value::read`] does: the thread is free
    /// meanwhile, and the future may be dropped. Several may be awaited at once, in any order.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`Value::read`].
    pub async fn read(&self, output: impl OutputKey) -> Result<Array, Error> {
        self.get(output)?.read().await
    }

    /// Blocks until a result is available and copies it to the host.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`Value::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self, output: impl OutputKey) -> Result<Array, Error> {
        self.get(output)?.read_blocking()
    }

    /// Blocks until a result is available and returns its only element: a loss, an accuracy. f64
    /// holds every element exactly; in a browser, `read` it and take its [`item`](Array::item).
    ///
    /// # Errors
    ///
    /// [`RunError::NotASingleNumber`]; those of [`get`](Self::get) and [`Value::read`].
    #[doc(alias = "item")]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn scalar(&self, output: impl OutputKey) -> Result<f64, Error> {
        self.get(output)?.scalar()
    }
}
