//! The `Params` of a shader, field by field.

/// The content of a shader's `Params`, in the layout that WGSL gives a uniform structure of these
/// fields. A test compares their names and offsets with those of the structure in the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    bytes: Vec<u8>,
    fields: Vec<(&'static str, usize)>,
}

/// A scalar or vector of `Params`; it is 4 or 12 bytes long.
pub(crate) trait Field {
    /// The alignment in bytes.
    const ALIGNMENT: usize;

    /// Its words.
    fn words(&self) -> impl Iterator<Item = u32>;
}

impl Params {
    /// The content of a structure whose fields have no names here.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Params { bytes: bytes.to_vec(), fields: vec![] }
    }

    /// Adds a field.
    pub(crate) fn with<F: Field>(mut self, name: &'static str, value: F) -> Self {
        let offset = self.bytes.len().next_multiple_of(F::ALIGNMENT);
        self.bytes.resize(offset, 0);
        self.bytes.extend(value.words().flat_map(u32::to_le_bytes));
        self.fields.push((name, offset));
        self
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Name and offset in bytes of each field; none for an operation of another crate.
    pub fn fields(&self) -> &[(&'static str, usize)] {
        &self.fields
    }
}

impl Field for u32 {
    const ALIGNMENT: usize = 4;

    fn words(&self) -> impl Iterator<Item = u32> {
        [*self].into_iter()
    }
}

impl Field for usize {
    const ALIGNMENT: usize = 4;

    fn words(&self) -> impl Iterator<Item = u32> {
        [*self as u32].into_iter()
    }
}

impl Field for f32 {
    const ALIGNMENT: usize = 4;

    fn words(&self) -> impl Iterator<Item = u32> {
        [self.to_bits()].into_iter()
    }
}

impl Field for [usize; 3] {
    const ALIGNMENT: usize = 16;

    fn words(&self) -> impl Iterator<Item = u32> {
        self.map(|number| number as u32).into_iter()
    }
}

impl Field for [u32; 3] {
    const ALIGNMENT: usize = 16;

    fn words(&self) -> impl Iterator<Item = u32> {
        self.iter().copied()
    }
}

/// `Params` with these fields, in order: `params! { rows, eps: 1e-5f32 }`.
macro_rules! params {
    (@value $name:ident) => { $name };
    (@value $name:ident $value:expr) => { $value };
    ($($name:ident $(: $value:expr)?),* $(,)?) => {
        $crate::ops::params::Params::default()
            $(.with(stringify!($name), $crate::ops::params::params!(@value $name $($value)?)))*
    };
}
pub(crate) use params;

#[cfg(test)]
mod tests {
    /// A vec3 starts at a multiple of 16 bytes, and the scalar after it where it ends.
    #[test]
    fn fields_are_laid_out_as_in_wgsl() {
        let params =
            params! { a: 1u32, b: [2usize, 3, 4], c: 5usize, d: 0.5f32, e: [6usize, 7, 8] };
        assert_eq!(params.fields(), [("a", 0), ("b", 16), ("c", 28), ("d", 32), ("e", 48)]);
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(params.bytes());
        assert_eq!(words, [1, 0, 0, 0, 2, 3, 4, 5, 0.5f32.to_bits(), 0, 0, 0, 6, 7, 8]);
    }
}
