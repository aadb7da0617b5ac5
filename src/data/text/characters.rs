//! Characters as tokens.

use super::Tokenizer;
use crate::error::TokenError;
use serde_json::{Value, json};

/// The characters of a text as tokens, in order of code point.
///
/// A character that is not among them is an error, or the [unknown token](Self::with_unknown).
///
/// ```
/// use wgrad::data::text::{Characters, Tokenizer};
///
/// let characters = Characters::new("banana");
/// assert_eq!(characters.encode("nab")?, [2, 0, 1]);
/// assert_eq!(characters.decode(&[1, 0, 2])?, "ban");
/// let error = characters.encode("bandana").map_err(|error| error.to_string());
/// assert_eq!(error, Err("at byte 3 of the text: 'd' is not in the vocabulary".into()));
/// // In the file of a model, the vocabulary is part of its metadata.
/// assert_eq!(Characters::from_json(&characters.to_json())?, characters);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias = "CharTokenizer")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Characters {
    /// Ascending; a token is an index.
    characters: Vec<char>,
    unknown: bool,
}

impl Characters {
    /// The characters that occur in a text.
    pub fn new(text: &str) -> Self {
        let characters: std::collections::BTreeSet<char> = text.chars().collect();
        Characters { characters: characters.into_iter().collect(), unknown: false }
    }

    /// Adds a token, after the others, for every character that is not among them. It is decoded as
    /// U+FFFD.
    #[doc(alias = "oov_token")]
    pub fn with_unknown(self) -> Self {
        Characters { unknown: true, ..self }
    }

    /// The characters, each at the index that is its token.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// The vocabulary as JSON, for the file of the model.
    pub fn to_json(&self) -> String {
        let characters: String = self.characters.iter().collect();
        json!({ "characters": characters, "unknown": self.unknown }).to_string()
    }

    /// The vocabulary of [`to_json`](Self::to_json).
    ///
    /// # Errors
    ///
    /// [`TokenError::Vocabulary`].
    pub fn from_json(json: &str) -> Result<Self, TokenError> {
        let wrong = |message: String| TokenError::Vocabulary { message };
        let value: Value = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        let field = |name: &str| value.get(name).cloned().unwrap_or_default();
        let (Value::String(characters), Value::Bool(unknown)) =
            (field("characters"), field("unknown"))
        else {
            let expected = "expected {\"characters\": a string, \"unknown\": a boolean}";
            return Err(wrong(expected.to_owned()));
        };
        let characters: Vec<char> = characters.chars().collect();
        if let Some(pair) = characters.windows(2).find(|pair| pair[0] >= pair[1]) {
            let message = format!("expected ascending characters, found {pair:?}");
            return Err(wrong(message));
        }
        Ok(Characters { characters, unknown })
    }
}

impl Tokenizer for Characters {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let token = |(byte, character)| match self.characters.binary_search(&character) {
            Ok(token) => Ok(token as u32),
            Err(_) if self.unknown => Ok(self.characters.len() as u32),
            Err(_) => Err(TokenError::Character { character, byte }),
        };
        text.char_indices().map(token).collect()
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, TokenError> {
        let character = |(index, &token)| match self.characters.get(token as usize) {
            Some(&character) => Ok(character),
            None if self.unknown && token as usize == self.characters.len() => {
                Ok(char::REPLACEMENT_CHARACTER)
            }
            None => Err(TokenError::Token { token, index, size: self.size() }),
        };
        tokens.iter().enumerate().map(character).collect()
    }

    fn size(&self) -> usize {
        self.characters.len() + usize::from(self.unknown)
    }
}
