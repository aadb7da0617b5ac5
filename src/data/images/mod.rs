//! Image files (PNG, JPEG, GIF, WebP), and directories of them.
//!
//! [`read`] reads one, [`ImageFolder`] decodes those of a directory when they are asked for, and
//! [`load`] reads them all into memory.

mod decode;
#[cfg(test)]
#[path = "../../../tests/drawing/mod.rs"]
mod drawing;
mod fit;
mod folder;
mod read;
mod resize;

pub use fit::Fit;
pub use folder::{ImageFolder, load};
pub use read::{read, read_fitted};

#[cfg(test)]
mod tests;
