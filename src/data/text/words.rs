//! Words of a text that no token extends beyond.
//!
//! # Source
//!
//! The pattern of GPT-2: a contraction (`'s|'t|'re|'ve|'m|'ll|'d`); letters, numbers, or what is
//! neither, each with a space before it if there is one (` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`);
//! or white space, of which the last character is left to the next word (`\s+(?!\S)|\s+`).

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        c if c.is_whitespace() => Class::Space,
        c if c.is_ascii() => Class::Other,
        c => match c.general_category_group() {
            GeneralCategoryGroup::Letter => Class::Letter,
            GeneralCategoryGroup::Number => Class::Number,
            _ => Class::Other,
        },
    }
}

/// The words of a text, which together are the text.
pub(super) fn words(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (word, rest) =
            text.split_at_checked(first(text)).filter(|(word, _)| !word.is_empty())?;
        text = rest;
        Some(word)
    })
}

/// Length of the first word in bytes; 0 if the text is empty.
fn first(text: &str) -> usize {
    if let Some(contraction) = CONTRACTIONS.iter().find(|word| text.starts_with(**word)) {
        return contraction.len();
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    match body.chars().next().map(class) {
        Some(kind) if kind != Class::Space => text.len() - body.len() + run(body, kind),
        _ => {
            let spaces = run(text, Class::Space);
            let last = text[..spaces].chars().next_back().map_or(0, char::len_utf8);
            if spaces == text.len() || spaces == last { spaces } else { spaces - last }
        }
    }
}

/// Length in bytes of the characters of a class that a text begins with.
fn run(text: &str, kind: Class) -> usize {
    text.find(|c| class(c) != kind).unwrap_or(text.len())
}
