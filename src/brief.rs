//! Short texts: lists in `Debug`, cut short, as a program has dozens of inputs, and a model hundreds of
//! variables; and sizes.

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

/// `42.6 MiB`.
pub(crate) fn bytes(number: usize) -> String {
    scaled(number as f64, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB"])
}

/// A number in the largest of the units in which it is 1 or more, each `base` times the one before.
pub(crate) fn scaled(mut number: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // It is printed with one digit after the point.
    while number >= base - 0.05 && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let digits = if unit == 0 { 0 } else { 1 };
    format!("{number:.digits$}{}", units.get(unit).unwrap_or(&""))
}
