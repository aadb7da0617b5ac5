//! The names of the columns.

use std::collections::HashMap;

/// Names of the columns of a header; `None` for a column without name that is ignored.
///
/// `is_said` is whether the caller said that there is one: otherwise numbers are taken for the
/// first row of a file without.
pub(super) fn names<'a>(
    fields: impl Iterator<Item = &'a str>,
    ignores_unnamed: bool,
    is_said: bool,
) -> Result<Vec<Option<String>>, String> {
    let names: Vec<&str> = fields.map(str::trim).collect();
    let is_number = |name: &&&str| name.parse::<f64>().is_ok_and(f64::is_finite);
    let numbers = names.iter().filter(is_number).count();
    // Years are names, if there are others.
    let decimal = names.iter().filter(is_number).find(|name| name.parse::<i64>().is_err());
    if !is_said && let Some(number) = decimal.or(names.first().filter(|_| numbers == names.len())) {
        return Err(format!(
            "expected the names of columns, found {number:?}: if the file has none, say \
             `header(false)`; if this is one, `header(true)`"
        ));
    }
    let mut known = HashMap::new();
    let name = |(index, name): (usize, &str)| {
        let number = index + 1;
        if name.is_empty() {
            return if ignores_unnamed {
                Ok(None)
            } else {
                Err(format!(
                    "column {number} has no name: `ignore(\"\")` leaves it out (pandas writes its \
                     index so)"
                ))
            };
        }
        match known.insert(name.to_owned(), number) {
            Some(first) => Err(format!("columns {first} and {number} are both named {name:?}")),
            None => Ok(Some(name.to_owned())),
        }
    };
    names.into_iter().enumerate().map(name).collect()
}
