//! Tables of numbers and categories, in CSV files.
//!
//! A [`TableReader`] reads a [`Table`]; an [`Encoding`], learned from the rows to train on, makes
//! the inputs and targets of a model of it.
//!
//! # Source
//!
//! RFC 4180, *Common Format and MIME Type for Comma-Separated Values (CSV) Files*, with any
//! delimiter, and with line feeds alone.

mod categories;
mod column;
mod delimiter;
mod draft;
mod encoding;
mod frame;
mod header;
mod input;
mod json;
mod message;
mod moments;
mod parser;
mod reader;
mod records;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod text;

pub use column::{Cell, Column, ColumnKind};
pub use encoding::Encoding;
pub use frame::Table;
pub use reader::TableReader;
pub use target::Target;
