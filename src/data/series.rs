//! Multivariate time series with class labels, in `.ts` files.
//!
//! # Source
//!
//! The time series classification archive (<https://www.timeseriesclassification.com>), whose sets
//! the Python package `aeon` provides: header lines starting with `@`, then one case per line;
//! dimensions are separated by colons, the values of each by commas, and the class comes last.

use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    shape::Meta,
};
use std::{fs, path::Path};

/// Maximum number of elements in a set once all series are padded to the longest: 1 GiB.
const MAX_ELEMENTS: usize = 1 << 28;

/// Series and their classes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// `[n, steps, dimensions]` in f32; shorter series are zero-padded at the end.
    pub values: Array,
    /// Number of steps of each, `[n]` in u32.
    pub lengths: Array,
    /// The class of each, `[n]` in u32: an index into `classes`.
    pub labels: Array,
    /// The names of the classes, in the order listed in the file header.
    pub classes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
///
/// [`FileError::Io`]; [`FileError::Corrupt`], with the line, if there is no list of classes, a
/// class is not in it, a value is not a number, or dimensions differ in number or length.
pub fn read(path: &Path) -> Result<Series, Error> {
    let io = |error: std::io::Error| super::refused(path, &error);
    let text = fs::read_to_string(path).map_err(io)?;
    parse(&text)
        .map_err(|message| FileError::Corrupt { path: path.to_owned(), message }.into())
        .and_then(|cases| cases.series())
}

/// Parsed content of a file.
struct Cases {
    classes: Vec<String>,
    /// For each case, the values of all dimensions step by step, and its class.
    cases: Vec<(Vec<f32>, u32)>,
    /// Number of values of the longest case.
    longest: usize,
    dimensions: usize,
}

fn parse(text: &str) -> Result<Cases, String> {
    let mut classes: Option<Vec<String>> = None;
    let mut cases: Vec<(Vec<f32>, u32)> = Vec::new();
    let mut dimensions = None;
    let mut data = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let at = |message: String| format!("line {}: {message}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !data {
            let mut words = line.split_whitespace();
            match words.next().unwrap_or_default().to_lowercase().as_str() {
                "@classlabel" if words.next().is_some_and(|word| word == "true") => {
                    classes = Some(words.map(str::to_owned).collect());
                }
                "@data" => data = true,
                _ => {}
            }
            continue;
        }
        let classes = classes.as_ref().ok_or_else(|| at("no classes were listed".to_owned()))?;
        let mut parts: Vec<&str> = line.split(':').collect();
        let class = parts.pop().unwrap_or_default().trim();
        let label = classes.iter().position(|known| known == class);
        let label = label.ok_or_else(|| at(format!("{class:?} is no class of the list")))?;
        let count = *dimensions.get_or_insert(parts.len());
        if parts.len() != count || count == 0 {
            return Err(at(format!("{} dimensions, not {count}", parts.len())));
        }
        let rows = parts.iter().map(|part| numbers(part)).collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(at)?;
        let steps = rows[0].len();
        if let Some(row) = rows.iter().find(|row| row.len() != steps) {
            return Err(at(format!("dimensions of {steps} and of {} steps", row.len())));
        }
        let by_step = (0..steps).flat_map(|step| rows.iter().map(move |row| row[step]));
        cases.push((by_step.collect(), label as u32));
    }
    let longest = cases.iter().map(|(values, _)| values.len()).max().unwrap_or_default();
    if cases.len().checked_mul(longest).is_none_or(|elements| elements > MAX_ELEMENTS) {
        return Err(format!("{} series of {longest} values do not fit in memory", cases.len()));
    }
    match (classes, dimensions) {
        (Some(classes), Some(dimensions)) => Ok(Cases { classes, cases, longest, dimensions }),
        _ => Err("there are no cases".to_owned()),
    }
}

fn numbers(text: &str) -> Result<Vec<f32>, String> {
    let number = |word: &str| match word.trim().parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{:?} is no number", word.trim())),
    };
    text.split(',').map(number).collect()
}

impl Cases {
    fn series(self) -> Result<Series, Error> {
        let Cases { classes, cases, longest, dimensions } = self;
        let count = cases.len();
        let mut padded = Vec::with_capacity(count * longest);
        for (values, _) in &cases {
            padded.extend_from_slice(values);
            padded.resize(padded.len() + longest - values.len(), 0.0);
        }
        let words = |words: Vec<u32>| Array::from_words(Meta::new([count], DType::U32), words);
        Ok(Series {
            values: Array::new([count, longest / dimensions, dimensions], &padded)?,
            lengths: words(cases.iter().map(|(v, _)| (v.len() / dimensions) as u32).collect())?,
            labels: words(cases.iter().map(|(_, label)| *label).collect())?,
            classes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# a comment\n@problemName Two\n@classLabel true low high\n@data\n";

    #[test]
    fn series_are_filled_up_with_zeros() -> Result<(), Error> {
        let cases = parse(&format!("{HEAD}1,2:3,4:high\n\n5:6:low\n")).expect("it is right");
        let series = cases.series()?;
        assert_eq!(series.values.shape().dims(), [2, 2, 2]);
        assert_eq!(series.values.to_f64(), [1., 3., 2., 4., 5., 6., 0., 0.]);
        assert_eq!((series.lengths.words(), series.labels.words()), (&[2, 1][..], &[1, 0][..]));
        assert_eq!(series.classes, ["low", "high"]);
        Ok(())
    }

    #[test]
    fn a_wrong_file_says_where() {
        for (data, message) in [
            ("1,2:3,4:middle", "line 5: \"middle\" is no class of the list"),
            ("1,x:3,4:low", "line 5: \"x\" is no number"),
            ("1,inf:3,4:low", "line 5: \"inf\" is no number"),
            ("1,2:3:low", "line 5: dimensions of 2 and of 1 steps"),
            ("1:2:low\n1:low", "line 6: 1 dimensions, not 2"),
            ("low", "line 5: 0 dimensions, not 0"),
            ("", "there are no cases"),
        ] {
            let error = parse(&format!("{HEAD}{data}")).map(|_| ()).expect_err(data);
            assert_eq!(error, message);
        }
        let error = parse("@data\n1:2:low").map(|_| ()).expect_err("no list");
        assert_eq!(error, "line 2: no classes were listed");
    }
}
