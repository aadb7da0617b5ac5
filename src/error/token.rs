//! Errors of texts as tokens.

/// A text is not tokens, or tokens are no text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The vocabulary has no token for a character.
    #[error("at byte {byte} of the text: {character:?} is not in the vocabulary")]
    Character {
        /// The character.
        character: char,
        /// Where it begins.
        byte: usize,
    },
    /// The vocabulary has no such token.
    #[error("token {index}: there is no {token} in a vocabulary of {size}")]
    Token {
        /// The token.
        token: u32,
        /// Its index in the tokens.
        index: usize,
        /// Size of the vocabulary.
        size: usize,
    },
    /// A vocabulary is malformed.
    #[error("no vocabulary: {message}")]
    Vocabulary {
        /// The reason.
        message: String,
    },
    /// There are no windows of this size.
    #[error(
        "there are no windows of {length} tokens at every {stride} in {tokens} tokens: {}",
        match (length, stride) {
            (0, _) | (_, 0) => "expected at least 1 and 1".to_owned(),
            _ => format!("expected at least {}, one for the last target", length.saturating_add(1)),
        }
    )]
    Windows {
        /// Number of tokens.
        tokens: usize,
        /// Tokens in a window.
        length: usize,
        /// Distance between windows.
        stride: usize,
    },
}
