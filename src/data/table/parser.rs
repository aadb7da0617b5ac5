//! Parses a table: first the numbers, then the texts of the columns that turned out to have some.

use super::{
    ColumnKind, Table, TableReader, delimiter,
    draft::Draft,
    header,
    message::corrupt,
    reader::{Choice, Said},
    records::Records,
};
use crate::{
    brief::Brief,
    error::{Error, FileError},
};
use std::path::Path;

/// Maximum number of columns: each takes memory of its own.
const MAX_COLUMNS: usize = 1 << 16;

impl TableReader {
    /// Parses the text of a file.
    pub(super) fn parse(&self, path: &Path, text: &str) -> Result<Table, Error> {
        let delimiter = match self.delimiter {
            None => delimiter::sniff(text),
            Some(delimiter) => byte(delimiter).ok_or_else(|| {
                let expected = "expected ASCII, and no quote or line break";
                refused(path, format!("a delimiter cannot be {delimiter:?}: {expected}"))
            })?,
        };
        let parser = Parser { options: self, path, text, delimiter };
        let mut drafts = parser.drafts()?;
        let lines = parser.read_numbers(&mut drafts)?;
        if drafts.iter().flatten().any(Draft::is_text) {
            parser.read_texts(&mut drafts)?;
        }
        let columns = drafts.into_iter().flatten().map(Draft::finish).collect();
        Ok(Table { path: path.to_owned(), columns, lines })
    }
}

struct Parser<'t> {
    options: &'t TableReader,
    path: &'t Path,
    text: &'t str,
    delimiter: u8,
}

impl<'t> Parser<'t> {
    /// The records of the text, from the first.
    fn records(&self) -> Records<'t> {
        Records::new(self.path, self.text, self.delimiter)
    }

    /// The records after the header.
    fn rows(&self) -> Result<Records<'t>, Error> {
        let mut records = self.records();
        if self.options.header != Some(false) {
            records.next()?;
        }
        Ok(records)
    }

    /// The names of the columns; `None` for one without name that is ignored.
    fn names(&self) -> Result<Vec<Option<String>>, Error> {
        let mut records = self.records();
        let Some((line, fields)) = records.next()? else {
            return Err(self.wrong(1, ": expected a table, found the end"));
        };
        if fields.len() > MAX_COLUMNS {
            let found = fields.len();
            let message = format!(": expected at most {MAX_COLUMNS} columns, found {found}");
            return Err(self.wrong(line, &message));
        }
        if self.options.header == Some(false) {
            return Ok((0..fields.len()).map(|index| Some(index.to_string())).collect());
        }
        let ignores_unnamed = self.options.choice("") == Some(Choice::Ignore);
        header::names(fields.iter(), ignores_unnamed, self.options.header.is_some())
            .map_err(|message| self.wrong(line, &format!(": {message}")))
    }

    /// A draft for each column; `None` for one that is ignored.
    fn drafts(&self) -> Result<Vec<Option<Draft>>, Error> {
        let names = self.names()?;
        let is_known = |name: &str| name.is_empty() || names.iter().flatten().any(|n| n == name);
        let mut named = self.options.said.iter().filter(|said| said.by_caller);
        if let Some(Said { column: name, .. }) = named.find(|said| !is_known(&said.column)) {
            let names = Brief::new(names.iter().flatten());
            let message = format!("there is no column {name:?}: there are {names:?}");
            return Err(refused(self.path, message));
        }
        let draft = |name: String| match self.options.choice(&name) {
            None => Some(Draft::numbers(name, false)),
            Some(Choice::Kind(ColumnKind::Number)) => Some(Draft::numbers(name, true)),
            Some(Choice::Kind(ColumnKind::Category)) => Some(Draft::texts(name)),
            Some(Choice::Ignore) => None,
        };
        Ok(names.into_iter().map(|name| name.and_then(draft)).collect())
    }

    /// Fills columns of numbers; returns the line of each row.
    fn read_numbers(&self, drafts: &mut [Option<Draft>]) -> Result<Vec<u64>, Error> {
        let width = drafts.iter().flatten().count();
        let most = self.options.max_cells;
        let mut lines = Vec::new();
        let mut rows = self.rows()?;
        while let Some((line, fields)) = rows.next()? {
            for (draft, cell) in drafts.iter_mut().zip(fields) {
                let Some(draft) = draft else { continue };
                let pushed = draft.push_number(line, self.options.value(cell));
                pushed.map_err(|message| self.wrong(line, &format!(", {message}")))?;
            }
            let full = |_| self.wrong(line, ": the rows up to here do not fit in memory");
            lines.try_reserve(1).map_err(full)?;
            lines.push(line);
            let found = lines.len().saturating_mul(width);
            if found > most {
                let message = format!(
                    ": expected at most {most} cells, found {found}: `ignore` leaves out columns, \
                     and `max_cells` allows more"
                );
                return Err(self.wrong(line, &message));
            }
        }
        match lines.is_empty() {
            true => {
                let end = 1 + self.text.lines().count() as u64;
                Err(self.wrong(end, ": expected rows, found the end"))
            }
            false => Ok(lines),
        }
    }

    /// Fills columns of texts.
    fn read_texts(&self, drafts: &mut [Option<Draft>]) -> Result<(), Error> {
        let mut rows = self.rows()?;
        while let Some((line, fields)) = rows.next()? {
            for (draft, cell) in drafts.iter_mut().zip(fields) {
                let Some(draft) = draft else { continue };
                let pushed = draft.push_text(self.options.value(cell));
                pushed.map_err(|message| self.wrong(line, &format!(", {message}")))?;
            }
        }
        Ok(())
    }

    /// The error of a line; the message goes on after its number.
    fn wrong(&self, line: u64, message: &str) -> Error {
        corrupt(self.path, format!("line {line}{message}"))
    }
}

/// The byte of a delimiter, if it can be one.
fn byte(delimiter: char) -> Option<u8> {
    let is_other = !matches!(delimiter, '"' | '\r' | '\n' | '\0');
    u8::try_from(delimiter).ok().filter(|byte| byte.is_ascii() && is_other)
}

fn refused(path: &Path, message: String) -> Error {
    FileError::Io { path: path.to_owned(), message }.into()
}
