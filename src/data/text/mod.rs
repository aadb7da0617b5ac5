//! Texts as tokens, and the data sets of a language model.
//!
//! A [`Tokenizer`] turns a text into numbers and back: [`Characters`] has one per character of a
//! text, [`Bytes`] the 256 bytes, [`BytePairs`] the vocabulary of a model like GPT-2. [`Windows`]
//! are the examples that a language model is trained on:
//!
//! ```
//! use wgrad::{Array, data::{Dataset, text::{Characters, Tokenizer, Windows}}};
//!
//! let text = "to be or not to be";
//! let characters = Characters::new(text);
//! let windows = Windows::new(characters.encode(text)?, 5)?;
//! let batch = windows.get(&[0])?;
//! let decoded = |field| characters.decode(batch.get(field).expect("a field").words());
//! assert_eq!((decoded("inputs")?, decoded("targets")?), ("to be".into(), "o be ".into()));
//! # Ok::<(), wgrad::Error>(())
//! ```

mod byte_pairs;
mod characters;
mod windows;
mod words;

pub use byte_pairs::BytePairs;
pub use characters::Characters;
pub use windows::Windows;

use super::refused;
use crate::{
    error::{Error, FileError, TokenError},
    io::kind::kind,
};
use std::{fs::File, io::Read, path::Path};

/// Maximum size of a file: 1 GiB. Its tokens take up to four times as much.
const MAX_BYTES: u64 = 1 << 30;

/// Turns texts into tokens, numbers from 0 to below [`size`](Self::size), and back.
pub trait Tokenizer {
    /// The tokens of a text.
    ///
    /// # Errors
    ///
    /// [`TokenError::Character`] if a character has no token.
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError>;

    /// The text of tokens.
    ///
    /// # Errors
    ///
    /// [`TokenError::Token`] if there is no such token.
    fn decode(&self, tokens: &[u32]) -> Result<String, TokenError>;

    /// Number of tokens in the vocabulary.
    #[doc(alias("vocab_size", "n_vocab"))]
    fn size(&self) -> usize;
}

/// The 256 bytes as tokens: of any text, in any language.
///
/// Sampled bytes need not be UTF-8: [`decode`](Tokenizer::decode) replaces those that are not by
/// U+FFFD.
///
/// ```
/// use wgrad::data::text::{Bytes, Tokenizer};
///
/// assert_eq!(Bytes.encode("né")?, [0x6e, 0xc3, 0xa9]);
/// assert_eq!(Bytes.decode(&[0x6e, 0xc3, 0xa9])?, "né");
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes;

impl Tokenizer for Bytes {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        Ok(text.bytes().map(u32::from).collect())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, TokenError> {
        let byte = |(index, &token)| {
            u8::try_from(token).map_err(|_| TokenError::Token { token, index, size: self.size() })
        };
        let bytes = tokens.iter().enumerate().map(byte).collect::<Result<Vec<u8>, _>>()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn size(&self) -> usize {
        256
    }
}

/// Reads a text in UTF-8, without its byte order mark.
///
/// # Errors
///
/// [`FileError::Io`]; [`FileError::Corrupt`], with the byte, if it is not UTF-8 or larger than
/// 1 GiB.
pub fn read(path: &Path) -> Result<String, Error> {
    let io = |error| refused(path, &error);
    let corrupt = |message| FileError::Corrupt { path: path.to_owned(), message };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(corrupt(format!("at byte {MAX_BYTES}: expected the end, found more")).into());
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        let kind = kind(error.as_bytes()).filter(|kind| *kind != "a text");
        let hint = kind.map(|kind| format!(" of {kind}")).unwrap_or_default();
        corrupt(format!("at byte {at}: expected UTF-8, found {byte:#04x}{hint}"))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
