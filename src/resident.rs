//! Tensors stored in the memory of a device or on the host.

use crate::{array::Array, array64::Array64, error::Error, shape::Meta};
use std::{any::Any, fmt, pin::Pin};

/// The elements of a tensor in the memory of some device.
///
/// Each device has its own types for the values of variables and for results, and recognizes them
/// by [`as_any`](Self::as_any). Values of other types are read through the host.
pub(crate) trait Resident: fmt::Debug + Send + Sync {
    /// Waits for the elements and copies them to the host, as a tensor of this type.
    fn read<'a>(&'a self, meta: &'a Meta, wait: Wait) -> Read<'a>;

    /// Replaces the elements in place. Returns `false` if that is impossible: the owner then stores
    /// the new ones elsewhere.
    fn write(&self, words: &[u32]) -> bool;

    /// The concrete type, for downcasting by its device.
    fn as_any(&self) -> &dyn Any;
}

/// How a read waits for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The thread that polls it sleeps: the shortest way for one that has nothing else to do.
    Block,
    /// It is pending, and its task is woken.
    Yield,
}

/// A copy in flight to the host.
pub(crate) type Read<'a> = Pin<Box<dyn Future<Output = Result<Array, Error>> + Send + 'a>>;

impl dyn Resident {
    /// Blocks until the elements are available and copies them to the host.
    ///
    /// # Errors
    ///
    /// Any fault the device has reported. A browser cannot block: there, elements that are not yet
    /// on the host are an error.
    pub fn read_blocking(&self, meta: &Meta) -> Result<Array, Error> {
        #[cfg(not(target_arch = "wasm32"))]
        return pollster::block_on(self.read(meta, Wait::Block));
        #[cfg(target_arch = "wasm32")]
        {
            use std::task::{Context, Poll, Waker};
            match self
                .read(meta, Wait::Yield)
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(array) => array,
                Poll::Pending => {
                    let message = "a browser cannot block until a device has finished".to_owned();
                    Err(crate::error::DeviceError::Reported { message }.into())
                }
            }
        }
    }

    /// Downcasts to a device's type; `None` if it is another type.
    pub fn is<T: Resident + 'static>(&self) -> Option<&T> {
        self.as_any().downcast_ref()
    }
}

impl Resident for Array {
    fn read<'a>(&'a self, _: &'a Meta, _: Wait) -> Read<'a> {
        Box::pin(async { self.try_clone() })
    }

    fn write(&self, _: &[u32]) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Results of the reference device, in full precision.
impl Resident for Array64 {
    fn read<'a>(&'a self, _: &'a Meta, _: Wait) -> Read<'a> {
        Box::pin(async { self.to_array() })
    }

    fn write(&self, _: &[u32]) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
