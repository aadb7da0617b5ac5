//! File I/O: files are written atomically and validated when read.

#[cfg(feature = "files")]
pub(crate) mod kind;
#[cfg(feature = "files")]
pub mod safetensors;
#[cfg(feature = "files")]
pub mod state_dict;
#[cfg(feature = "files")]
mod write;

#[cfg(feature = "files")]
pub use write::{remove_leftovers, write_atomically};
