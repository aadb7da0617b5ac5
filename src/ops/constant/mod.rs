//! Tensors whose elements are known while the graph is built.

mod numbers;

pub use numbers::{IntoConstant, Numbers};

use super::full::Full;
use super::*;
use crate::{array::Array, dtype::DType, graph::Graph};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// A tensor of given elements, not all of them equal: those are [`Full`].
///
/// A program keeps them: on a GPU they are uploaded when it is compiled.
#[derive(Clone)]
pub struct Constant {
    pub(crate) array: Arc<Array>,
    /// Of the type and all words. Passes tell nodes apart by their text, and this is what the text
    /// has instead of the elements.
    digest: u64,
}

/// A constant that several graphs have in common. Its elements are kept once.
#[derive(Clone, Debug)]
pub(crate) enum SharedConstant {
    Full(Full),
    Different(Constant),
}

impl SharedConstant {
    pub fn new(elements: impl IntoConstant) -> Result<Self, OpError> {
        let array = elements.into_array()?;
        let word = array.words().first().copied().unwrap_or(0);
        Ok(match array.words().iter().all(|&other| other == word) {
            true => SharedConstant::Full(Full { word, meta: array.meta().clone() }),
            false => SharedConstant::Different(Constant::new(array)),
        })
    }
}

impl Constant {
    fn new(array: Array) -> Self {
        let mut digest = DefaultHasher::new();
        array.meta().to_string().hash(&mut digest);
        array.words().hash(&mut digest);
        Constant { array: Arc::new(array), digest: digest.finish() }
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.array, &other.array)
            || self.digest == other.digest && self.array == other.array
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constant({}, {:016x})", self.array.meta(), self.digest)
    }
}

impl fmt::Display for Constant {
    /// The first elements: `constant[1, 2.5, 4, ..]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let (dtype, words) = (self.array.dtype(), self.array.words());
        let shown = words.iter().take(SHOWN).map(|&word| dtype.from_word(word).to_string());
        let rest = (words.len() > SHOWN).then(|| "..".to_owned());
        write!(f, "constant[{}]", shown.chain(rest).collect::<Vec<_>>().join(", "))
    }
}

impl Graph {
    /// A tensor of these elements: numbers, nested Rust arrays, vectors and slices of them, or an
    /// [`Array`]. Numbers of f64 become f32.
    ///
    /// ```
    /// use wgrad::{Device, Graph};
    ///
    /// let graph = Graph::new();
    /// let weights = graph.constant([[1.0, 2.0], [3.0, 4.0]]);
    /// let order = graph.constant([1u32, 0]);
    /// let y = weights.index_select(order, 0);
    /// assert_eq!(y.eval(&Device::Reference, &[])?.to_vec::<f32>()?, [3.0, 4.0, 1.0, 2.0]);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// The elements are kept by the graph and by every program that reads them, and count as its
    /// memory: what is large, or changes, is better an [`input`](Self::input). Constants that are
    /// equal are kept once a program; where all elements are equal, this is
    /// [`full`](Self::full). Indices among them are checked where they are used.
    ///
    /// # Gradient
    ///
    /// None.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] if nested vectors or slices differ in length, or there is not enough
    /// memory; [`OpError::TooLarge`].
    #[doc(alias("tensor", "as_tensor", "from_numpy", "asarray", "torch.tensor", "np.array"))]
    #[track_caller]
    pub fn constant(&self, elements: impl IntoConstant) -> Tensor<'_> {
        match SharedConstant::new(elements) {
            Ok(constant) => self.shared_constant(&constant),
            Err(reason) => self.refuse("constant", &[], reason),
        }
    }

    /// The tensor of a constant that other graphs have, too.
    #[track_caller]
    pub(crate) fn shared_constant(&self, constant: &SharedConstant) -> Tensor<'_> {
        match constant {
            SharedConstant::Full(full) => self.push(full.clone(), &[]),
            SharedConstant::Different(constant) => self.push(constant.clone(), &[]),
        }
    }
}

impl Operation for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn infer(&self, _: &[Meta]) -> Result<Meta, OpError> {
        Ok(self.array.meta().clone())
    }

    fn eval(&self, _: &[&Array64]) -> Array64 {
        Array64::from(&*self.array)
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Source
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, _: &[&Meta], _: &Meta) -> Cost {
        Cost::default()
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype: DType, values: &[f64]| {
            let words = values.iter().map(|&x| dtype.to_word(x)).collect();
            let array = Array::from_words(Meta::new([values.len()], dtype), words);
            let op = Constant::new(array.unwrap_or_else(|_| Array::scalar(0.0f32)));
            Sample::new(op, []).bound(Bound::Exact, "a constant is stored as it is")
        };
        const ENDS: [f64; 7] = [f64::NAN, f64::INFINITY, -0.0, 0.1, -1e-30, 3e38, 1.0];
        vec![
            of(DType::F32, &ENDS),
            of(DType::F16, &ENDS),
            of(DType::I32, &[-7.0, 2_147_483_647.0, -2_147_483_648.0]),
            of(DType::U32, &[4e9, 0.0, 1.0]),
            of(DType::Bool, &[1.0, 0.0, 0.0, 1.0, 1.0]),
        ]
    }
}
