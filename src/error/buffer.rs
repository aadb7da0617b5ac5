//! Errors of buffers that others made, or others are to use.

use crate::shape::Meta;
use wgpu::BufferUsages;

/// A buffer of wgpu cannot be a value, or a value is not in one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BufferError {
    /// The shape has more elements than a tensor may have.
    #[error("{meta} has more elements than a tensor may have")]
    TooLarge {
        /// Shape and type.
        meta: Meta,
    },
    /// The buffer was created without usages that kernels need.
    #[error("the buffer lacks the usages {}", named(*missing))]
    Usage {
        /// Those it lacks, of `STORAGE` and `COPY_SRC`.
        missing: BufferUsages,
    },
    /// The host can map the buffer at any time, and a GPU cannot use it meanwhile.
    #[error("the buffer can be mapped by the host: copy it to one that cannot")]
    Mappable,
    /// The buffer is mapped by the host.
    #[error("the buffer is mapped by the host: unmap it first")]
    Mapped,
    /// The tensor starts where the device cannot bind it.
    #[error(
        "the tensor starts at byte {offset} of the buffer, and must at a multiple of {alignment}"
    )]
    Unaligned {
        /// Byte offset of the tensor in the buffer.
        offset: u64,
        /// The alignment that the device demands.
        alignment: u64,
    },
    /// The buffer ends before the tensor.
    #[error("{meta} takes {needed} bytes from byte {offset} on, and the buffer has {size}")]
    TooSmall {
        /// Shape and type.
        meta: Meta,
        /// Size of the tensor in bytes, a multiple of 4.
        needed: u64,
        /// Byte offset of the tensor in the buffer.
        offset: u64,
        /// Size of the buffer in bytes.
        size: u64,
    },
    /// The buffer was created by another device.
    #[error("the buffer is that of another device")]
    Foreign,
    /// The buffer cannot be bound: it was destroyed, or its creation failed.
    #[error("the buffer cannot be used: {message}")]
    Unusable {
        /// The message of wgpu.
        message: String,
    },
    /// The value is not in the memory of this device.
    #[error("the value, {meta}, is not in the memory of this device")]
    NotOnDevice {
        /// Its shape and type.
        meta: Meta,
    },
}

/// `COPY_SRC | STORAGE`, in the order of wgpu.
fn named(usages: BufferUsages) -> String {
    usages.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join(" | ")
}
