//! Tables as inputs and targets of a model.

use super::{
    Cell, Table, TableReader, Target, input::Input, moments::Moments, target::TargetColumn,
};
use crate::{
    array::Array,
    brief::Brief,
    data::{ArrayDataset, Labeled},
    dtype::DType,
    error::{Error, OpError, VariableError},
    memory,
    shape::{Meta, Shape},
};
use std::fmt;

/// How rows become inputs and targets, learned from those to train on.
///
/// A number is standardized: minus the mean, divided by the standard deviation (with the number of
/// values as divisor), both of the rows to train on. One that is missing is the mean, 0; a column
/// that is constant in the rows to train on is 0 everywhere. A category is one feature for each
/// that occurs in the rows to train on, in order of name: 1 for its own, 0 for the others; another
/// category is 0 in all. A column that has missing values in the rows to train on has one more
/// feature, 1 where the value is missing.
///
/// Inputs are all columns but the target. Other tables have them in any order, and may have more.
///
/// ```
/// use wgrad::{Array, data::{Dataset, table::{Cell, Encoding, Table, Target}}};
///
/// let path = std::env::temp_dir().join(format!("wgrad-encoding-{}.csv", std::process::id()));
/// std::fs::write(&path, "width,color,kind\n1,red,b\n3,,a\n,blue,b\n").expect("it can be written");
/// let table = Table::read(&path)?;
/// let encoding = Encoding::fit(&table, "kind")?;
/// let names = ["width", "width is missing", "color=blue", "color=red", "color is missing"];
/// assert_eq!(encoding.feature_names(), names);
/// let Target::Classification { classes } = encoding.target() else { panic!("these are texts") };
/// assert_eq!(classes, &["a", "b"]);
///
/// let data = encoding.encode(&table)?.get(&[0, 1])?;
/// let inputs = [[-1.0f32, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 1.0]];
/// assert_eq!(data.get("inputs"), Some(&Array::from(inputs)));
/// assert_eq!(data.get("targets"), Some(&Array::from([1u32, 0])));
/// let logits = Array::from([[2.0f32, -1.0], [0.0, 0.5]]);
/// assert_eq!(encoding.decode(&logits)?, [Cell::Category("a"), Cell::Category("b")]);
/// # std::fs::remove_file(path).expect("it was written");
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias(
    "StandardScaler",
    "OneHotEncoder",
    "LabelEncoder",
    "ColumnTransformer",
    "SimpleImputer"
))]
#[derive(Clone, PartialEq)]
pub struct Encoding {
    /// Not empty; names are distinct.
    pub(super) inputs: Vec<Input>,
    pub(super) target: TargetColumn,
}

impl Encoding {
    /// Learns from the rows to train on. The target is a class if its column has categories, or at
    /// most 20 different integers with 10 rows each on average; otherwise it is a number.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`](crate::FileError::Io) if there is no such column or no other one, if a column has no values or
    /// more than 1,000 categories, if there are fewer than two classes or different numbers to
    /// predict, or if numbers are so large or so close to each other that f64 cannot hold their
    /// squares; [`FileError::Corrupt`](crate::FileError::Corrupt), with the line, if a target is missing.
    #[doc(alias("fit_transform", "adapt"))]
    pub fn fit(train: &Table, target: &str) -> Result<Self, Error> {
        Encoding::learn(train, TargetColumn::fit(train, train.column(target)?)?)
    }

    /// Same as [`fit`](Self::fit), with a class as target.
    ///
    /// # Errors
    ///
    /// Same as [`fit`](Self::fit).
    pub fn classification(train: &Table, target: &str) -> Result<Self, Error> {
        Encoding::learn(train, TargetColumn::classification(train, train.column(target)?)?)
    }

    /// Same as [`fit`](Self::fit), with a number as target.
    ///
    /// # Errors
    ///
    /// Same as [`fit`](Self::fit), and [`FileError::Corrupt`](crate::FileError::Corrupt) if the column has categories.
    pub fn regression(train: &Table, target: &str) -> Result<Self, Error> {
        Encoding::learn(train, TargetColumn::regression(train, train.column(target)?)?)
    }

    fn learn(train: &Table, target: TargetColumn) -> Result<Self, Error> {
        let columns = train.columns().iter().filter(|column| column.name() != target.name);
        let inputs =
            columns.map(|column| Input::fit(train, column)).collect::<Result<Vec<_>, _>>()?;
        if inputs.is_empty() {
            let message = format!(
                "expected columns besides {:?} to predict it from, found none: the file may have \
                 another delimiter",
                target.name
            );
            return Err(train.refused(message));
        }
        Ok(Encoding { inputs, target })
    }

    /// The names of the features, by index: `age`, `age is missing`, `color=red`.
    #[doc(alias = "get_feature_names_out")]
    pub fn feature_names(&self) -> Vec<String> {
        self.inputs.iter().flat_map(Input::names).collect()
    }

    /// Number of features: the width of the inputs.
    pub fn features(&self) -> usize {
        self.inputs.iter().map(Input::width).sum()
    }

    /// The target: classes, or a number.
    pub fn target(&self) -> &Target {
        &self.target.target
    }

    /// The name of the column that is predicted.
    pub fn target_name(&self) -> &str {
        &self.target.name
    }

    /// Options of reading other files, in which each column has the kind that it has in the rows to
    /// train on: a file of few rows may have only numbers where texts are possible. Other options,
    /// such as words for missing values, are to be said again.
    pub fn reader(&self) -> TableReader {
        let inputs = self.inputs.iter().map(|input| (&input.name, input.kind()));
        let columns = inputs.chain([(&self.target.name, self.target.kind)]);
        columns.fold(TableReader::new(), |reader, (name, kind)| reader.expect(name, kind))
    }

    /// Inputs and targets of all rows: the fields `inputs`, `[n, features]` in f32, and `targets`,
    /// classes `[n]` in u32 or standardized numbers `[n, 1]` in f32.
    ///
    /// # Errors
    ///
    /// Those of [`encode_inputs`](Self::encode_inputs); [`FileError::Corrupt`](crate::FileError::Corrupt), with the line, if a
    /// target is missing, or a class that the rows to train on lack.
    #[doc(alias = "transform")]
    pub fn encode(&self, table: &Table) -> Result<ArrayDataset, Error> {
        let targets = match self.target() {
            Target::Classification { classes } => {
                Array::from_vec([table.len()], self.target.classes(table, classes)?)?
            }
            &Target::Regression { mean, std } => {
                let values = self.target.values(table, Moments { mean, std })?;
                Array::from_vec([table.len(), 1], values)?
            }
        };
        ArrayDataset::new([("inputs", self.encode_inputs(table)?), ("targets", targets)])
    }

    /// Same as [`encode`](Self::encode), as the data set of a classifier.
    ///
    /// # Errors
    ///
    /// Same as [`encode`](Self::encode); [`FileError::Io`](crate::FileError::Io) if the target is a number.
    pub fn encode_labeled(&self, table: &Table) -> Result<Labeled, Error> {
        let Target::Classification { classes } = self.target() else {
            let message =
                format!("column {:?} has numbers to predict, and no classes", self.target.name);
            return Err(table.refused(message));
        };
        let targets = Array::from_vec([table.len()], self.target.classes(table, classes)?)?;
        Labeled::new(self.encode_inputs(table)?, targets)
    }

    /// Inputs of all rows, `[n, features]` in f32, to predict from: the target may be absent.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`](crate::FileError::Io) if a column is missing; [`FileError::Corrupt`](crate::FileError::Corrupt), with the line, if a column
    /// is of another kind than in the rows to train on, or a number too far from those for f32;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub fn encode_inputs(&self, table: &Table) -> Result<Array, Error> {
        let (rows, width) = (table.len(), self.features());
        let mut words = memory::zeroed(rows.saturating_mul(width))?;
        let mut at = 0;
        for input in &self.inputs {
            input.write(table, at, words.chunks_exact_mut(width))?;
            at += input.width();
        }
        Array::from_words(Meta::new([rows, width], DType::F32), words)
    }

    /// Predictions as cells of the target's column: of a number `[n, 1]` or `[n]` in f32, as it was
    /// before it was standardized; of a class the logits or probabilities `[n, classes]` in f32, of
    /// which the largest counts, or indices `[n]` in u32. A prediction that is NaN is a missing
    /// cell.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`] for other shapes or types, and for an index that is no class.
    #[doc(alias("inverse_transform", "argmax"))]
    pub fn decode(&self, predictions: &Array) -> Result<Vec<Cell<'_>>, Error> {
        let refused = |reason| {
            let operands = vec![predictions.meta().clone()];
            VariableError::Array { function: "decode", operands, reason }.into()
        };
        let shape = predictions.shape().dims();
        let rows = shape.first().copied().unwrap_or_default();
        match (self.target(), predictions.dtype(), shape) {
            (&Target::Regression { mean, std }, DType::F32, [_] | [_, 1]) => {
                let cell =
                    |x: f64| if x.is_nan() { Cell::Missing } else { Cell::Number(mean + std * x) };
                Ok(predictions.to_f64().into_iter().map(cell).collect())
            }
            (Target::Classification { classes }, DType::U32, [_]) => {
                let cell = |&index: &u32| {
                    let class = classes.get(index as usize).map(|class| self.target.cell(class));
                    class.ok_or_else(|| refused(OpError::Index { index, extent: classes.len() }))
                };
                predictions.words().iter().map(cell).collect()
            }
            (Target::Classification { classes }, DType::F32, &[_, width])
                if width == classes.len() =>
            {
                let cell = |logits: &[f64]| {
                    let largest = largest(logits).and_then(|index| classes.get(index));
                    largest.map_or(Cell::Missing, |class| self.target.cell(class))
                };
                Ok(predictions.to_f64().chunks_exact(width).map(cell).collect())
            }
            (Target::Regression { .. }, ..) => {
                Err(refused(OpError::Target(Shape::from([rows, 1]))))
            }
            (Target::Classification { classes }, ..) => {
                Err(refused(OpError::Target(Shape::from([rows, classes.len()]))))
            }
        }
    }
}

impl fmt::Debug for Encoding {
    /// A summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoding")
            .field("features", &Brief::new(self.feature_names()))
            .field("target_name", &self.target.name)
            .field("target", self.target())
            .finish()
    }
}

/// The index of the first of the largest numbers; `None` if there is a NaN.
fn largest(numbers: &[f64]) -> Option<usize> {
    let mut largest = None;
    for (index, &x) in numbers.iter().enumerate() {
        if x.is_nan() {
            return None;
        }
        if largest.is_none_or(|(_, most)| x > most) {
            largest = Some((index, x));
        }
    }
    largest.map(|(index, _)| index)
}
