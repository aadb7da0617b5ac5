//! Rust types as elements.

use crate::dtype::DType;
use half::f16;

/// A Rust type that can be an element of an [`Array`].
///
/// f64 is none, as no tensor has elements of 64 bits. All element types fit in it: it is what
/// [`Array::to_f64`], [`Array::at`] and [`Array::item`] return, without rounding, and what
/// [`Array::from_f64`] rounds to the element type that it is given.
///
/// [`Array`]: crate::Array
/// [`Array::to_f64`]: crate::Array::to_f64
/// [`Array::at`]: crate::Array::at
/// [`Array::item`]: crate::Array::item
/// [`Array::from_f64`]: crate::Array::from_f64
pub trait Element: Copy + Send + Sync + 'static {
    /// The corresponding element type.
    const DTYPE: DType;
    /// The word that stores this value.
    fn to_word(self) -> u32;
    /// The value stored in a word.
    fn from_word(word: u32) -> Self;

    /// The words of a vector without a copy, or the vector where its elements are no words.
    #[doc(hidden)]
    fn cast(elements: Vec<Self>) -> Result<Vec<u32>, Vec<Self>> {
        Err(elements)
    }
    /// The inverse of [`cast`](Self::cast).
    #[doc(hidden)]
    fn uncast(words: Vec<u32>) -> Result<Vec<Self>, Vec<u32>> {
        Err(words)
    }
}

macro_rules! element {
    ($Type:ty, $dtype:ident, |$x:ident| $to:expr, |$word:ident| $from:expr $(, $cast:path)?) => {
        impl Element for $Type {
            const DTYPE: DType = DType::$dtype;
            fn to_word(self) -> u32 {
                let $x = self;
                $to
            }
            fn from_word($word: u32) -> Self {
                $from
            }
            $(
                fn cast(elements: Vec<Self>) -> Result<Vec<u32>, Vec<Self>> {
                    $cast(elements).map_err(|(_, elements)| elements)
                }
                fn uncast(words: Vec<u32>) -> Result<Vec<Self>, Vec<u32>> {
                    $cast(words).map_err(|(_, words)| words)
                }
            )?
        }
    };
}
element!(f32, F32, |x| x.to_bits(), |word| f32::from_bits(word), bytemuck::try_cast_vec);
element!(f16, F16, |x| x.to_f32().to_bits(), |word| f16::from_f32(f32::from_bits(word)));
element!(i32, I32, |x| x as u32, |word| word as i32, bytemuck::try_cast_vec);
element!(u32, U32, |x| x, |word| word, bytemuck::try_cast_vec);
element!(bool, Bool, |x| u32::from(x), |word| word != 0);
