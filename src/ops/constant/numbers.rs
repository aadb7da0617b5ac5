//! What constants are made of.

use crate::{array::Array, array::Element, dtype::DType, error::OpError, shape::Meta};
use half::f16;

/// A number, or an array, vector or slice of such, nested to any depth.
pub trait Numbers {
    /// The element type.
    #[doc(hidden)]
    const DTYPE: DType;

    /// Appends the extents, outermost first, as the first elements have them.
    #[doc(hidden)]
    fn extents(first: Option<&Self>, extents: &mut Vec<usize>);

    /// Appends the words, in row-major order; `None` where an extent is another one.
    #[doc(hidden)]
    fn words(&self, extents: &[usize], words: &mut Vec<u32>) -> Option<()>;
}

/// What a constant is made of: [`Numbers`], or an [`Array`] or a reference to one.
pub trait IntoConstant {
    /// The elements, or why there are none.
    #[doc(hidden)]
    fn into_array(self) -> Result<Array, OpError>;
}

const NO_MEMORY: OpError = OpError::Argument("there is not enough memory for its elements");

impl IntoConstant for Array {
    /// Halves are rounded and truth values are 0 or 1, whatever the words of the array are.
    fn into_array(self) -> Result<Array, OpError> {
        let meta = self.meta().clone();
        if !matches!(meta.dtype, DType::F16 | DType::Bool) {
            return Ok(self);
        }
        let mut words = self.into_words();
        for word in &mut words {
            *word = meta.dtype.to_word(meta.dtype.from_word(*word));
        }
        Array::from_words(meta, words).map_err(|_| NO_MEMORY)
    }
}

impl IntoConstant for &Array {
    fn into_array(self) -> Result<Array, OpError> {
        self.try_clone().map_err(|_| NO_MEMORY)?.into_array()
    }
}

fn array_of<N: Numbers + ?Sized>(numbers: &N) -> Result<Array, OpError> {
    let mut extents = Vec::new();
    N::extents(Some(numbers), &mut extents);
    let meta = Meta::new(extents.as_slice(), N::DTYPE);
    if !meta.shape.is_addressable() {
        return Err(OpError::TooLarge);
    }
    let mut words = Vec::new();
    words.try_reserve_exact(meta.shape.len()).map_err(|_| NO_MEMORY)?;
    let filled = numbers.words(&extents, &mut words);
    let array = filled.and_then(|()| Array::from_words(meta, words).ok());
    array.ok_or(OpError::Argument("nested rows differ in length"))
}

macro_rules! scalars {
    ($($Number:ty, $dtype:ident, |$x:ident| $word:expr;)*) => {$(
        impl Numbers for $Number {
            const DTYPE: DType = DType::$dtype;

            fn extents(_: Option<&Self>, _: &mut Vec<usize>) {}

            fn words(&self, _: &[usize], words: &mut Vec<u32>) -> Option<()> {
                let $x = *self;
                words.push($word);
                Some(())
            }
        }

        impl IntoConstant for $Number {
            fn into_array(self) -> Result<Array, OpError> {
                array_of(&self)
            }
        }
    )*};
}
scalars! {
    f64, F32, |x| (x as f32).to_bits();
    f32, F32, |x| x.to_word();
    f16, F16, |x| x.to_word();
    i32, I32, |x| x.to_word();
    u32, U32, |x| x.to_word();
    bool, Bool, |x| x.to_word();
}

impl<N: Numbers> Numbers for [N] {
    const DTYPE: DType = N::DTYPE;

    fn extents(first: Option<&Self>, extents: &mut Vec<usize>) {
        extents.push(first.map_or(0, <[N]>::len));
        N::extents(first.and_then(<[N]>::first), extents);
    }

    fn words(&self, extents: &[usize], words: &mut Vec<u32>) -> Option<()> {
        let (&len, rest) = extents.split_first()?;
        if self.len() != len {
            return None;
        }
        self.iter().try_for_each(|row| row.words(rest, words))
    }
}

/// As the slice that it is.
macro_rules! rows {
    ($([$($generics:tt)*] $Rows:ty, |$rows:ident, $first:ident| $as_slice:expr, $len:expr;)*) => {$(
        impl<$($generics)*> Numbers for $Rows {
            const DTYPE: DType = N::DTYPE;

            fn extents($first: Option<&Self>, extents: &mut Vec<usize>) {
                extents.push($len);
                N::extents($first.and_then(|rows| rows.first()), extents);
            }

            fn words(&self, extents: &[usize], words: &mut Vec<u32>) -> Option<()> {
                let $rows = self;
                <[N]>::words($as_slice, extents, words)
            }
        }

        impl<$($generics)*> IntoConstant for $Rows {
            fn into_array(self) -> Result<Array, OpError> {
                array_of(&self)
            }
        }
    )*};
}
rows! {
    // Its length is known even where there is none.
    [N: Numbers, const LEN: usize] [N; LEN], |rows, _first| rows, LEN;
    [N: Numbers, const LEN: usize] &[N; LEN], |rows, _first| *rows, LEN;
    [N: Numbers] Vec<N>, |rows, first| rows, first.map_or(0, Vec::len);
    [N: Numbers] &Vec<N>, |rows, first| rows, first.map_or(0, |rows| rows.len());
    [N: Numbers] &[N], |rows, first| rows, first.map_or(0, |rows| rows.len());
}
