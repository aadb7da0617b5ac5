//! Lists in `Debug`, cut short: a program has dozens of inputs, and a model hundreds of variables.

use std::fmt;

/// Number of entries that are shown.
const FIRST: usize = 4;

/// The first entries of a list, and how many there are beside.
pub(crate) struct Brief(Vec<String>, usize);

impl Brief {
    pub fn new<T: fmt::Display>(entries: impl IntoIterator<Item = T>) -> Self {
        let mut entries = entries.into_iter();
        let first = entries.by_ref().take(FIRST).map(|entry| entry.to_string()).collect();
        Brief(first, entries.count())
    }

    /// Names with what belongs to each: `x: [2, 3] f32`.
    pub fn named<T: fmt::Display>(entries: impl IntoIterator<Item = (String, T)>) -> Self {
        Brief::new(entries.into_iter().map(|(name, what)| format!("{name}: {what}")))
    }
}

impl fmt::Debug for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.0.join(", "))?;
        match self.1 {
            0 => f.write_str("]"),
            more => write!(f, ", and {more} more]"),
        }
    }
}
