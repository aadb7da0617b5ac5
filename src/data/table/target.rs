//! The column that is predicted.

use super::{
    Cell, Column, Table,
    column::ColumnKind,
    input::{MAX_CATEGORIES, other_kind},
    message::shown,
    moments::Moments,
};
use crate::{brief::Brief, error::Error};
use serde::{Deserialize, Serialize};

/// Maximum number of different integers that are classes unless said otherwise.
const MAX_INTEGERS: usize = 20;
/// Minimum number of rows for each of them.
const ROWS_PER_INTEGER: usize = 10;

/// The target of a model: classes, or a number.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Target {
    /// One of several classes.
    Classification {
        /// Their names, by index: in order of name, and numbers in order of value.
        classes: Vec<String>,
    },
    /// A number.
    Regression {
        /// Mean of the rows to train on.
        mean: f64,
        /// Their standard deviation, with the number of rows as divisor: errors in units of the
        /// file are those of predictions times this.
        std: f64,
    },
}

impl std::fmt::Debug for Target {
    /// A summary.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Classification { classes } => {
                f.debug_struct("Classification").field("classes", &Brief::new(classes)).finish()
            }
            Target::Regression { mean, std } => {
                f.debug_struct("Regression").field("mean", mean).field("std", std).finish()
            }
        }
    }
}

/// The column that is predicted, as the rows to train on are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetColumn {
    pub name: String,
    /// Whether classes are numbers.
    pub kind: ColumnKind,
    pub target: Target,
}

impl TargetColumn {
    /// Learns what the column seems to be.
    pub fn fit(table: &Table, column: &Column) -> Result<Self, Error> {
        let is_integer = |x: f64| x == x.trunc();
        let is_class = match column.kind() {
            ColumnKind::Category => true,
            ColumnKind::Number => {
                column.numbers().all(is_integer) && {
                    let distinct = column.distinct();
                    distinct <= MAX_INTEGERS && distinct * ROWS_PER_INTEGER <= column.len()
                }
            }
        };
        match is_class {
            true => TargetColumn::classification(table, column),
            false => TargetColumn::regression(table, column),
        }
    }

    /// Learns classes.
    pub fn classification(table: &Table, column: &Column) -> Result<Self, Error> {
        complete(table, column)?;
        let classes: Vec<String> = match column.kind() {
            ColumnKind::Category => {
                column.categories().into_iter().map(|(name, _)| name.to_owned()).collect()
            }
            ColumnKind::Number => {
                let mut numbers: Vec<f64> = column.numbers().map(|x| x + 0.0).collect();
                numbers.sort_unstable_by(f64::total_cmp);
                numbers.dedup();
                numbers.iter().map(f64::to_string).collect()
            }
        };
        let (name, found) = (column.name(), classes.len());
        if !(2..=MAX_CATEGORIES).contains(&found) {
            let message =
                format!("column {name:?}: expected 2 to {MAX_CATEGORIES} classes, found {found}");
            return Err(table.refused(message));
        }
        let target = Target::Classification { classes };
        Ok(TargetColumn { name: name.to_owned(), kind: column.kind(), target })
    }

    /// Learns mean and standard deviation.
    pub fn regression(table: &Table, column: &Column) -> Result<Self, Error> {
        complete(table, column)?;
        let name = column.name();
        if column.kind() == ColumnKind::Category {
            let found = shown(&column.get(0).map(|cell| cell.to_string()).unwrap_or_default());
            let message = format!("expected a column of numbers to predict, found {found}");
            return Err(table.wrong(0, name, &message));
        }
        match Moments::of(column.numbers()) {
            Some(Moments { mean, std }) if std > 0.0 => {
                let target = Target::Regression { mean, std };
                Ok(TargetColumn { name: name.to_owned(), kind: ColumnKind::Number, target })
            }
            Some(Moments { mean, .. }) => {
                let message =
                    format!("column {name:?}: expected numbers to predict, found {mean} only");
                Err(table.refused(message))
            }
            None => {
                let message =
                    format!("column {name:?} has numbers whose squares are out of range of f64");
                Err(table.refused(message))
            }
        }
    }

    /// The class of each row.
    pub fn classes(&self, table: &Table, classes: &[String]) -> Result<Vec<u32>, Error> {
        let column = self.column(table)?;
        let numbers = self.numbers(classes);
        let class = |(row, cell): (usize, Cell<'_>)| {
            let class = match cell {
                Cell::Category(text) => classes.binary_search_by(|known| known.as_str().cmp(text)),
                Cell::Number(x) => numbers.binary_search_by(|known| known.total_cmp(&(x + 0.0))),
                // There is none in a complete column.
                Cell::Missing => Err(0),
            };
            class.map(|class| class as u32).map_err(|_| {
                let (known, found) = (Brief::new(classes), shown(&cell.to_string()));
                let message =
                    format!("expected a class of the rows to train on, {known:?}, found {found}");
                table.wrong(row, &self.name, &message)
            })
        };
        column.cells().enumerate().map(class).collect()
    }

    /// The standardized number of each row.
    pub fn values(&self, table: &Table, moments: Moments) -> Result<Vec<f32>, Error> {
        let value = |(row, x)| {
            let value = moments.standardized(x) as f32;
            let out_of_range = "the number, standardized, is out of range of f32";
            let wrong = || table.wrong(row, &self.name, out_of_range);
            value.is_finite().then_some(value).ok_or_else(wrong)
        };
        self.column(table)?.numbers().enumerate().map(value).collect()
    }

    /// The cell that a class is.
    pub fn cell<'a>(&self, class: &'a str) -> Cell<'a> {
        match (self.kind, class.parse()) {
            (ColumnKind::Number, Ok(x)) => Cell::Number(x),
            _ => Cell::Category(class),
        }
    }

    /// The numbers that classes are, if they are.
    pub fn numbers(&self, classes: &[String]) -> Vec<f64> {
        match self.kind {
            ColumnKind::Number => classes.iter().filter_map(|class| class.parse().ok()).collect(),
            ColumnKind::Category => vec![],
        }
    }

    /// The column in another table, complete and of the same kind.
    fn column<'t>(&self, table: &'t Table) -> Result<&'t Column, Error> {
        let column = table.column(&self.name)?;
        complete(table, column)?;
        match column.kind() == self.kind || column.is_empty() {
            true => Ok(column),
            false => Err(other_kind(table, 0, column, self.kind)),
        }
    }
}

/// Checks that no target is missing.
fn complete(table: &Table, column: &Column) -> Result<(), Error> {
    let name = column.name();
    match column.cells().position(|cell| cell == Cell::Missing) {
        None => Ok(()),
        Some(row) => {
            let message = format!(
                "expected a value to predict, found none: `drop_missing({name:?})` leaves out such \
                 rows"
            );
            Err(table.wrong(row, name, &message))
        }
    }
}
