//! Summaries of tables, to be read by a person.

use super::{Column, Table, column::ColumnKind, message::shown, moments::Moments};

/// Number of categories that are listed.
const LISTED: usize = 4;

impl Table {
    /// A table to read, with a line for each column: its kind, how many cells are missing, how many
    /// values differ, and which these are.
    #[doc(alias("describe", "info"))]
    pub fn summary(&self) -> String {
        let head = ["column", "kind", "missing", "distinct", "values"].map(str::to_owned);
        let line = |column: &Column| {
            [
                column.name().to_owned(),
                column.kind().to_string(),
                column.missing().to_string(),
                column.distinct().to_string(),
                values(column),
            ]
        };
        let lines: Vec<[String; 5]> =
            [head].into_iter().chain(self.columns().iter().map(line)).collect();
        let width = |cell: usize| {
            lines.iter().filter_map(|line| line.get(cell)).map(|cell| cell.chars().count()).max()
        };
        let [name, kind, missing, distinct] =
            [0, 1, 2, 3].map(|cell| width(cell).unwrap_or_default());
        let (path, rows, columns) = (self.path.display(), self.len(), self.columns().len());
        let mut text = format!("{path}: {rows} rows, {columns} columns\n");
        for [a, b, c, d, e] in &lines {
            text += &format!("{a:name$}  {b:kind$}  {c:>missing$}  {d:>distinct$}  {e}\n");
        }
        text
    }
}

/// The range of numbers, or the most frequent categories.
fn values(column: &Column) -> String {
    match column.kind() {
        ColumnKind::Number => range(column).unwrap_or_default(),
        ColumnKind::Category => {
            let mut counted = column.categories();
            counted.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
            let mut parts: Vec<String> = counted
                .iter()
                .take(LISTED)
                .map(|(name, count)| format!("{} {count}", shown(name)))
                .collect();
            if counted.len() > LISTED {
                parts.push(format!("and {} more", counted.len() - LISTED));
            }
            let listed = parts.join(", ");
            match column.first_text() {
                Some((line, text)) => {
                    format!("{listed} (numbers before line {line}: {})", shown(text))
                }
                None => listed,
            }
        }
    }
}

/// The range of numbers, and their moments if f64 can hold them.
fn range(column: &Column) -> Option<String> {
    let least = column.numbers().reduce(f64::min)?;
    let most = column.numbers().reduce(f64::max)?;
    let moments = Moments::of(column.numbers());
    let moments = moments.map(|Moments { mean, std }| format!(", mean {mean:.4}, std {std:.4}"));
    Some(format!("{least} to {most}{}", moments.unwrap_or_default()))
}
