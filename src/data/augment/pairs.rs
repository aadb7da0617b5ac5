//! Pairs of rows that are mixed, and the probabilities of their classes.

use crate::{
    array::Array,
    data::{Batch, Dataset, Random},
    dtype::DType,
    error::{DataError, Error, OpError, VariableError},
    numbers::Must,
    shape::{Meta, Shape},
};
use std::fmt;

/// A data set of which every row is mixed with another one.
pub(super) struct Pairs<D> {
    data: D,
    inputs: String,
    targets: String,
    classes: usize,
    alpha: f64,
    seed: u64,
}

impl<D: Dataset> Pairs<D> {
    /// Mixes rows of the set for the data set named `function`, with shares from Beta(alpha,
    /// alpha).
    pub fn new(
        function: &'static str,
        [inputs, targets]: [&str; 2],
        data: D,
        classes: usize,
        alpha: f64,
        seed: u64,
    ) -> Result<Self, Error> {
        let of_inputs = row_of(&data, inputs)?;
        let of_targets = row_of(&data, targets)?;
        for (of, expected, is) in [
            ("the inputs hold", DType::F32, of_inputs.dtype),
            ("the targets hold", DType::U32, of_targets.dtype),
        ] {
            if is != expected {
                return Err(VariableError::ElementType { of, expected, is }.into());
            }
        }
        let has_axes = of_targets.shape.rank() != 0;
        let refuse = |reason| {
            let operands = vec![of_inputs, of_targets];
            Err(VariableError::Array { function, operands, reason }.into())
        };
        if has_axes {
            return refuse(OpError::Argument("the target of a row is one class"));
        }
        let must = Must::BePositive;
        for (what, is) in [("alpha", alpha), ("classes", classes as f64)] {
            if !must.allows(is) {
                return refuse(OpError::Number { what, must: must.text(), is });
            }
        }
        let [inputs, targets] = [inputs, targets].map(str::to_owned);
        Ok(Pairs { data, inputs, targets, classes, alpha, seed })
    }

    pub fn data(&self) -> &D {
        &self.data
    }

    /// Fields of a row: the target has a number for each class.
    pub fn fields(&self) -> Vec<(String, Meta)> {
        let mut fields = self.data.fields();
        for (_, row) in fields.iter_mut().filter(|(name, _)| *name == self.targets) {
            *row = Meta::new([self.classes], DType::F32);
        }
        fields
    }

    /// All rows of a field that is not mixed.
    pub fn array(&self, field: &str) -> Option<&Array> {
        let is_mixed = field == self.inputs || field == self.targets;
        if is_mixed { None } else { self.data.array(field) }
    }

    /// Rows as they are, with 1 as the probability of their class.
    pub fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        let mut batch = self.data.get(rows)?;
        if let Some(targets) = find(&mut batch, &self.targets) {
            *targets = self.probabilities([(&*targets, vec![1.0; rows.len()])])?;
        }
        Ok(batch)
    }

    /// Rows that are mixed with others by `mix`, which is given the shape of the inputs of a row,
    /// the share that they should keep, and the inputs of both, and returns the share that they
    /// keep.
    pub fn draw(
        &self,
        rows: &[usize],
        turns: &[u64],
        mix: impl Fn(&mut Random, &[usize], f64, &mut [f32], &[f32]) -> f64,
    ) -> Result<Batch, Error> {
        // Transforms of the same row with the same seed have other numbers: they lack this key.
        let key = u64::from_le_bytes(*b"partners");
        let random =
            |(&row, &turn): (&usize, &u64)| Random::new(&[key, self.seed, turn, row as u64]);
        let mut randoms: Vec<Random> = rows.iter().zip(turns).map(random).collect();
        let partners: Vec<usize> =
            randoms.iter_mut().map(|random| random.below(self.data.len())).collect();
        let mut batch = self.data.draw(rows, turns)?;
        let others = self.data.draw(&partners, turns)?;
        let mut shares = vec![1.0; rows.len()];
        if let (Some(inputs), Some(other)) =
            (find(&mut batch, &self.inputs), others.get(&self.inputs))
        {
            let meta = inputs.meta().clone();
            if meta != *other.meta() {
                let operands = vec![meta, other.meta().clone()];
                let (function, reason) = ("mix", OpError::Shapes);
                return Err(VariableError::Array { function, operands, reason }.into());
            }
            let shape = meta.shape.dims().get(1..).unwrap_or_default();
            let len = Shape::from(shape).len().max(1);
            let (mut mixed, other) = (inputs.to_vec::<f32>()?, other.to_vec::<f32>()?);
            let pairs = mixed.chunks_exact_mut(len).zip(other.chunks_exact(len));
            for ((own, other), (random, share)) in pairs.zip(randoms.iter_mut().zip(&mut shares)) {
                let wanted = random.beta(self.alpha, self.alpha);
                *share = mix(random, shape, wanted, own, other);
            }
            *inputs = Array::from_vec(meta.shape, mixed)?;
        }
        if let (Some(targets), Some(other)) =
            (find(&mut batch, &self.targets), others.get(&self.targets))
        {
            let rest = shares.iter().map(|share| 1.0 - share).collect();
            *targets = self.probabilities([(&*targets, shares), (other, rest)])?;
        }
        Ok(batch)
    }

    /// The probability of each class, of rows that have shares of these.
    fn probabilities<const N: usize>(
        &self,
        shares: [(&Array, Vec<f64>); N],
    ) -> Result<Array, Error> {
        let rows = shares.first().map_or(0, |(_, shares)| shares.len());
        let shape = [rows, self.classes];
        let mut result = Array::full(shape, 0.0f32)?.into_vec::<f32>()?;
        for (classes, shares) in shares {
            let rows = classes.iter::<u32>()?.zip(shares);
            for ((class, share), row) in rows.zip(result.chunks_exact_mut(self.classes)) {
                let Some(probability) = row.get_mut(class as usize) else {
                    let reason = OpError::Index { index: class, extent: self.classes };
                    let (function, operands) = ("one_hot", vec![classes.meta().clone()]);
                    return Err(VariableError::Array { function, operands, reason }.into());
                };
                *probability += share as f32;
            }
        }
        Array::from_vec(shape, result)
    }
}

/// The field of this name.
fn find<'b>(batch: &'b mut Batch, name: &str) -> Option<&'b mut Array> {
    batch.fields.iter_mut().find(|(known, _)| known == name).map(|(_, array)| array)
}

impl<D> fmt::Debug for Pairs<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairs")
            .field("inputs", &self.inputs)
            .field("targets", &self.targets)
            .field("classes", &self.classes)
            .field("alpha", &self.alpha)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Shape and type of a field in one row.
pub(super) fn row_of(data: &impl Dataset, field: &str) -> Result<Meta, Error> {
    let fields = data.fields();
    let known = || fields.iter().map(|(name, _)| name.clone()).collect();
    let found = fields.iter().find(|(name, _)| name == field);
    let found = found.ok_or_else(|| DataError::NoField { name: field.to_owned(), known: known() });
    Ok(found?.1.clone())
}
