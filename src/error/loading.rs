//! The outcome of loading a file into a model.

use crate::shape::Meta;
use std::fmt::{self, Display, Formatter};

/// The outcome of loading a file: the tensors that were loaded, and those that do not fit.
///
/// As text it is a line for each kind, with the first few of it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Paths of the variables that have the values of the file.
    pub loaded: Vec<String>,
    /// Variables of the model for which the file has no tensor.
    pub missing: Vec<MissingTensor>,
    /// Tensors of the file for which the model has no variable, by their names in the file.
    pub unexpected: Vec<(String, Meta)>,
    /// Tensors that do not fit their variables.
    pub mismatched: Vec<MismatchedTensor>,
}

/// A variable for which a file has no tensor.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MissingTensor {
    /// The name the tensor should have.
    pub name: String,
    /// Path of the variable.
    pub path: String,
    /// Shape and type of the variable.
    pub expected: Meta,
}

/// A tensor of a file that does not fit its variable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MismatchedTensor {
    /// The name of the tensor in the file.
    pub name: String,
    /// Path of the variable.
    pub path: String,
    /// Shape and type of the variable.
    pub expected: Meta,
    /// Shape and type of the tensor.
    pub is: Meta,
    /// A value that the type of the variable cannot hold, where that is the reason.
    pub value: Option<f64>,
}

impl LoadReport {
    /// Whether every variable was loaded, and every tensor used.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }

    /// A line for each kind of what does not fit.
    pub(super) fn faults(&self) -> Vec<String> {
        let lists = [
            ("missing", listed(&self.missing)),
            ("unexpected", listed(self.unexpected.iter().map(|(name, is)| format!("{name} {is}")))),
            ("mismatched", listed(&self.mismatched)),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        lists.map(|(kind, list)| format!("{kind}: {list}")).collect()
    }
}

impl Display for LoadReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.loaded.len() {
            1 => f.write_str("1 variable loaded")?,
            n => write!(f, "{n} variables loaded")?,
        }
        self.faults().iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl Display for MissingTensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let MissingTensor { name, path, expected } = self;
        write!(f, "{name} {expected}")?;
        if name == path { Ok(()) } else { write!(f, " for {path}") }
    }
}

impl Display for MismatchedTensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let MismatchedTensor { name, path, expected, is, value } = self;
        match value {
            Some(value) => {
                write!(f, "{name} holds {value}, which does not fit {}", expected.dtype)?
            }
            None => write!(f, "{name} is {is}, not {expected}")?,
        }
        if name == path { Ok(()) } else { write!(f, " as {path}") }
    }
}

/// The first few, and how many more there are.
fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    const FEW: usize = 6;
    let all: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let few = all[..all.len().min(FEW)].join(", ");
    match all.len().saturating_sub(FEW) {
        0 => few,
        more => format!("{few} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn a_report_is_a_few_lines() {
        let meta = |n| Meta::new([n], DType::I32);
        let mut report = LoadReport { loaded: vec!["net/a".into()], ..LoadReport::default() };
        assert_eq!(
            (report.to_string().as_str(), report.is_complete()),
            ("1 variable loaded", true)
        );
        report.missing = (0..8)
            .map(|n| MissingTensor {
                name: format!("m{n}"),
                path: format!("net/m{n}"),
                expected: meta(n),
            })
            .collect();
        report.unexpected = vec![("x".into(), meta(1))];
        let (name, path) = ("y".to_owned(), "net/y".to_owned());
        let y = MismatchedTensor { name, path, expected: meta(2), is: meta(3), value: None };
        let z =
            MismatchedTensor { name: "z".into(), path: "z".into(), value: Some(0.5), ..y.clone() };
        report.mismatched = vec![y, z];
        let text = "1 variable loaded\n\
            missing: m0 [0] i32 for net/m0, m1 [1] i32 for net/m1, m2 [2] i32 for net/m2, \
            m3 [3] i32 for net/m3, m4 [4] i32 for net/m4, m5 [5] i32 for net/m5 and 2 more\n\
            unexpected: x [1] i32\n\
            mismatched: y is [3] i32, not [2] i32 as net/y, z holds 0.5, which does not fit i32";
        assert_eq!(report.to_string(), text);
    }
}
