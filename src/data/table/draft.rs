//! A column while it is read.

use super::{
    categories::Categories,
    column::{Cells, Column},
    message::shown,
};

/// A column while it is read.
pub(super) struct Draft {
    name: String,
    cells: Drafted,
    text_at: Option<(u64, String)>,
}

enum Drafted {
    /// NaN for those that are missing.
    Numbers {
        numbers: Vec<f64>,
        /// Whether a text is an error.
        only: bool,
    },
    Texts(Categories),
}

impl Draft {
    /// A column of numbers; of texts from the first one on, unless there may be numbers `only`.
    pub fn numbers(name: String, only: bool) -> Self {
        Draft { name, cells: Drafted::Numbers { numbers: vec![], only }, text_at: None }
    }

    /// A column of texts.
    pub fn texts(name: String) -> Self {
        Draft { name, cells: Drafted::Texts(Categories::default()), text_at: None }
    }

    /// Whether its cells are texts, for which the file is read again.
    pub fn is_text(&self) -> bool {
        matches!(self.cells, Drafted::Texts(_))
    }

    /// Adds a cell of a column of numbers; at the first text they are dropped.
    pub fn push_number(&mut self, line: u64, cell: Option<&str>) -> Result<(), String> {
        let Drafted::Numbers { numbers, only } = &mut self.cells else { return Ok(()) };
        let number = match cell.map(str::parse::<f64>) {
            None => f64::NAN,
            Some(Ok(number)) if number.is_finite() => number,
            Some(_) if *only => {
                let (name, cell) = (&self.name, shown(cell.unwrap_or_default()));
                return Err(format!("column {name:?}: expected a finite number, found {cell}"));
            }
            Some(_) => {
                let begins = numbers.iter().any(|x| !x.is_nan());
                self.text_at = begins.then(|| (line, cell.unwrap_or_default().to_owned()));
                self.cells = Drafted::Texts(Categories::default());
                return Ok(());
            }
        };
        numbers.try_reserve(1).map_err(|_| full(&self.name))?;
        numbers.push(number);
        Ok(())
    }

    /// Adds a cell of a column of texts.
    pub fn push_text(&mut self, cell: Option<&str>) -> Result<(), String> {
        let Drafted::Texts(texts) = &mut self.cells else { return Ok(()) };
        texts.push(cell).ok_or_else(|| full(&self.name))
    }

    /// The column.
    pub fn finish(self) -> Column {
        let cells = match self.cells {
            Drafted::Numbers { numbers, .. } => Cells::Numbers(numbers),
            Drafted::Texts(texts) => texts.finish(),
        };
        Column { name: self.name, cells, text_at: self.text_at }
    }
}

fn full(name: &str) -> String {
    format!("column {name:?}: the cells up to here do not fit in memory")
}
