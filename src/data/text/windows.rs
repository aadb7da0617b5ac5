//! Windows over a text.

use crate::{
    array::Array,
    brief::Brief,
    data::{Batch, Dataset},
    dtype::DType,
    error::{Error, TokenError, VariableError},
    memory,
    shape::{Meta, Shape},
};

/// Windows over a long text: the fields `inputs` and `targets`, both `[length]` in u32, where the
/// target of each token is the next one.
///
/// The text is kept once, however much the windows overlap.
///
/// ```
/// use wgrad::{Array, data::{Dataset, text::Windows}};
///
/// let windows = Windows::with_stride((0..9).collect(), 4, 2)?;
/// assert_eq!(windows.len(), 3);
/// let batch = windows.get(&[0, 1])?;
/// assert_eq!(batch.get("inputs"), Some(&Array::from([[0u32, 1, 2, 3], [2, 3, 4, 5]])));
/// assert_eq!(batch.get("targets"), Some(&Array::from([[1u32, 2, 3, 4], [3, 4, 5, 6]])));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Windows {
    /// At least one more than `length`.
    tokens: Vec<u32>,
    /// Neither it nor `stride` is 0.
    length: usize,
    stride: usize,
}

impl Windows {
    /// Windows of `length` tokens side by side: each token is the target of one.
    ///
    /// Tokens at the end that do not fill a window are left out.
    ///
    /// # Errors
    ///
    /// [`TokenError::Windows`] if there are not more tokens than `length`, or it is 0.
    #[doc(alias = "block_size")]
    pub fn new(tokens: Vec<u32>, length: usize) -> Result<Self, TokenError> {
        Windows::with_stride(tokens, length, length)
    }

    /// Windows of `length` tokens, of which one begins at every `stride` tokens.
    ///
    /// # Errors
    ///
    /// Same as [`new`](Self::new), also if `stride` is 0.
    pub fn with_stride(tokens: Vec<u32>, length: usize, stride: usize) -> Result<Self, TokenError> {
        if length == 0 || stride == 0 || tokens.len() <= length {
            return Err(TokenError::Windows { tokens: tokens.len(), length, stride });
        }
        Ok(Windows { tokens, length, stride })
    }

    /// All tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The tokens of some rows, each as many tokens after the begin of its window.
    fn shifted(&self, rows: &[usize], shift: usize) -> Result<Array, Error> {
        let mut words = memory::room(rows.len().saturating_mul(self.length))?;
        for &row in rows {
            let begin = row.checked_mul(self.stride).and_then(|begin| begin.checked_add(shift));
            let window = begin
                .filter(|_| row < self.len())
                .and_then(|begin| self.tokens.get(begin..)?.get(..self.length));
            let missing =
                || VariableError::Row { row, shape: Shape::from([self.len(), self.length]) };
            words.extend_from_slice(window.ok_or_else(missing)?);
        }
        Array::from_words(Meta::new([rows.len(), self.length], DType::U32), words)
    }
}

impl Dataset for Windows {
    fn len(&self) -> usize {
        (self.tokens.len() - self.length - 1) / self.stride + 1
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        let row = Meta::new([self.length], DType::U32);
        ["inputs", "targets"].map(|name| (name.to_owned(), row.clone())).into()
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        let (inputs, targets) = (self.shifted(rows, 0)?, self.shifted(rows, 1)?);
        Ok(Batch::new([("inputs", inputs), ("targets", targets)]))
    }
}

impl std::fmt::Debug for Windows {
    /// A summary.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Windows")
            .field("tokens", &Brief::new(&self.tokens))
            .field("length", &self.length)
            .field("stride", &self.stride)
            .finish()
    }
}
