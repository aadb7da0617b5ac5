//! A value that is NaN or infinite, and where it is.

use super::Place;
use crate::dtype::DType;

/// A value that is NaN or infinite.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub struct NotFinite {
    /// Index of the step that computed it, as numbered by `wgrad plan`; `None` for values from
    /// before the run, and on the reference device, which has no steps.
    pub step: Option<usize>,
    /// The operations of the step, or the name of the input or variable.
    pub label: String,
    /// Where the last of the operations was created.
    pub place: Option<Place>,
    /// Row-major index of the first such element.
    pub index: usize,
    /// The value.
    pub value: f64,
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let NotFinite { step, label, place, index, value } = self;
        if let Some(step) = step {
            write!(f, "step {step}, ")?;
        }
        f.write_str(label)?;
        if let Some(place) = place {
            write!(f, "{place}")?;
        }
        write!(f, ": element {index} is {value}")
    }
}

impl NotFinite {
    /// Finds the first such value among words of this type.
    pub(crate) fn among(dtype: DType, words: &[u32]) -> Option<(usize, f64)> {
        if !dtype.is_float() {
            return None;
        }
        let index = words.iter().position(|&word| !f32::from_bits(word).is_finite())?;
        Some((index, dtype.from_word(words[index])))
    }

    /// Fails on such a value in words that existed before the run.
    pub(crate) fn refuse(
        what: impl std::fmt::Display,
        dtype: DType,
        words: &[u32],
    ) -> Result<(), NotFinite> {
        let Some((index, value)) = NotFinite::among(dtype, words) else { return Ok(()) };
        let label = what.to_string();
        Err(NotFinite { step: None, label, place: None, index, value })
    }
}
