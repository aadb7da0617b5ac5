//! Multivariate time series with a class or a number for each, in `.ts` files.
//!
//! # Source
//!
//! The time series classification archive (<https://www.timeseriesclassification.com>) and its
//! counterpart for regression, whose sets the Python package `aeon` provides: header lines starting
//! with `@`, then one case per line; dimensions are separated by colons, the values of each by
//! commas, and the class or the number comes last. A missing value is `?` or `NaN`.

use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    memory,
    shape::Meta,
};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// Maximum number of elements in a set once all series are padded to the longest: 1 GiB.
const MAX_ELEMENTS: usize = 1 << 28;
/// Maximum length of a line in bytes: more than a case of as many elements as are usual.
const MAX_LINE: u64 = 1 << 28;
/// Maximum number of dimensions.
const MAX_DIMENSIONS: usize = 1 << 16;

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

/// Series and the number that each is to predict.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegressionSeries {
    /// `[n, steps, dimensions]` in f32; shorter series are zero-padded at the end.
    pub values: Array,
    /// Number of steps of each, `[n]` in u32.
    pub lengths: Array,
    /// The number of each, `[n]` in f32.
    pub targets: Array,
}

/// Reads a file whose cases have classes.
///
/// # Errors
///
/// Same as [`Reader::read`]: a missing value is one.
pub fn read(path: &Path) -> Result<Series, Error> {
    Reader::new().read(path)
}

/// Reads files: how, if not as [`read`] does.
///
/// ```no_run
/// use std::path::Path;
/// use wgrad::data::series;
///
/// let path = Path::new("AustraliaRainfall_TRAIN.ts");
/// let rainfall = series::Reader::new().forward_fill().read_regression(path)?;
/// println!("{} series and as many numbers", rainfall.targets.shape().len());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    forward_fill: bool,
}

impl Reader {
    /// A missing value is an error.
    pub fn new() -> Self {
        Reader::default()
    }

    /// Replaces missing values by the last one before them in the same dimension of the same case.
    /// A case that begins with a missing value is still an error.
    #[doc(alias("ffill", "fillna"))]
    pub fn forward_fill(self) -> Self {
        Reader { forward_fill: true }
    }

    /// Reads a file whose cases have classes.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`]; [`FileError::Corrupt`], with the line, if there is no list of classes, a
    /// class is not in it, a value is missing or not a number, dimensions differ in number or
    /// length, the cases are not as the header says, or they have timestamps.
    pub fn read(&self, path: &Path) -> Result<Series, Error> {
        let content = self.content(path)?;
        let (values, lengths) = content.arrays()?;
        let Content { kind: Kind::Classes(classes), labels, .. } = content else {
            let message = "the cases have numbers, not classes: `read_regression` reads them";
            return Err(corrupt(path, message.to_owned()));
        };
        Ok(Series { values, lengths, labels: Array::from_vec([labels.len()], labels)?, classes })
    }

    /// Reads a file whose cases have numbers to predict.
    ///
    /// # Errors
    ///
    /// Same as [`read`](Self::read), except that there must be numbers instead of classes.
    #[doc(alias = "load_regression")]
    pub fn read_regression(&self, path: &Path) -> Result<RegressionSeries, Error> {
        let content = self.content(path)?;
        let (values, lengths) = content.arrays()?;
        let Content { kind: Kind::Numbers, labels, .. } = content else {
            let message = "the cases have classes, not numbers: `read` reads them";
            return Err(corrupt(path, message.to_owned()));
        };
        let targets = Meta::new([labels.len()], DType::F32);
        Ok(RegressionSeries { values, lengths, targets: Array::from_words(targets, labels)? })
    }

    /// Reads a file line by line: besides its values, only one line is in memory.
    fn content(&self, path: &Path) -> Result<Content, Error> {
        let io = |error: std::io::Error| super::refused(path, &error);
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let (mut parser, mut line) = (Parser::new(self.forward_fill), Vec::new());
        for number in 1.. {
            line.clear();
            (&mut file).take(MAX_LINE).read_until(b'\n', &mut line).map_err(io)?;
            if line.is_empty() {
                break;
            }
            let result = if line.len() as u64 == MAX_LINE {
                Err(format!("expected fewer than {MAX_LINE} bytes, found more"))
            } else {
                text(&line).and_then(|line| parser.line(line))
            };
            result.map_err(|message| corrupt(path, format!("line {number}: {message}")))?;
        }
        parser.finish().map_err(|message| corrupt(path, message))
    }
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

/// A line without its end, spaces around it, and the byte order mark of a file.
fn text(line: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(line).map_err(|error| {
        format!("byte {}: expected UTF-8, found something else", error.valid_up_to() + 1)
    })?;
    Ok(text.trim_start_matches('\u{feff}').trim())
}

/// The last part of every case.
#[derive(Debug, PartialEq)]
enum Kind {
    /// One of these.
    Classes(Vec<String>),
    Numbers,
}

/// Parsed content of a file.
struct Content {
    kind: Kind,
    /// The values of each case, all dimensions step by step.
    cases: Vec<Vec<f32>>,
    /// The class of each case, or its number as f32, as a word.
    labels: Vec<u32>,
    /// Number of values of the longest case.
    longest: usize,
    dimensions: usize,
}

impl Content {
    /// The values, padded, and the lengths.
    fn arrays(&self) -> Result<(Array, Array), Error> {
        let (count, longest) = (self.cases.len(), self.longest);
        let mut padded = memory::room(count * longest)?;
        for values in &self.cases {
            padded.extend_from_slice(values);
            padded.resize(padded.len() + longest - values.len(), 0.0);
        }
        let length = |values: &Vec<f32>| (values.len() / self.dimensions) as u32;
        let lengths = self.cases.iter().map(length).collect();
        let shape = [count, longest / self.dimensions, self.dimensions];
        Ok((Array::from_vec(shape, padded)?, Array::from_vec([count], lengths)?))
    }
}

struct Parser {
    forward_fill: bool,
    kind: Option<Kind>,
    /// From the header, else from the first case.
    dimensions: Option<usize>,
    /// Whether the header says that all cases have as many steps.
    equal_length: bool,
    /// Whether the cases have begun.
    data: bool,
    cases: Vec<Vec<f32>>,
    labels: Vec<u32>,
    longest: usize,
}

impl Parser {
    fn new(forward_fill: bool) -> Self {
        Parser {
            forward_fill,
            kind: None,
            dimensions: None,
            equal_length: false,
            data: false,
            cases: Vec::new(),
            labels: Vec::new(),
            longest: 0,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        match line.chars().next() {
            None | Some('#') => Ok(()),
            _ if self.data => self.case(line),
            Some('@') => self.keyword(line),
            Some(_) => Err("expected a line that begins with @ before @data".to_owned()),
        }
    }

    /// Parses a line of the header. What does not concern the values is ignored.
    fn keyword(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_lowercase();
        let value = words.next().unwrap_or_default();
        let is_true = value.eq_ignore_ascii_case("true");
        match keyword.as_str() {
            "@classlabel" if is_true => {
                self.kind = Some(Kind::Classes(words.map(str::to_owned).collect()));
            }
            "@targetlabel" if is_true => self.kind = Some(Kind::Numbers),
            "@timestamps" if is_true => {
                return Err("expected cases without timestamps, found @timeStamps true".to_owned());
            }
            "@equallength" => self.equal_length = is_true,
            "@dimensions" | "@dimension" => {
                let dimensions = value.parse().ok().filter(|&dimensions: &usize| dimensions > 0);
                let wrong = || format!("expected a number of dimensions, found {value:?}");
                self.dimensions = Some(dimensions.ok_or_else(wrong)?);
            }
            "@data" => self.data = true,
            _ => {}
        }
        Ok(())
    }

    fn case(&mut self, line: &str) -> Result<(), String> {
        let kind = self.kind.as_ref().ok_or("no classes were listed")?;
        let (values, label) = line.rsplit_once(':').unwrap_or(("", line));
        let label = label.trim();
        let label = match kind {
            Kind::Classes(classes) => {
                let class = classes.iter().position(|known| known == label);
                class.ok_or_else(|| format!("{label:?} is no class of the list"))? as u32
            }
            Kind::Numbers => number(label)?.ok_or("the number to predict is missing")?.to_bits(),
        };
        let found = if values.is_empty() { 0 } else { values.split(':').count() };
        let count = *self.dimensions.get_or_insert(found);
        if found != count || count == 0 {
            return Err(format!("{found} dimensions, not {}", count.max(1)));
        }
        if found > MAX_DIMENSIONS {
            return Err(format!("expected at most {MAX_DIMENSIONS} dimensions, found {found}"));
        }
        let parts = values.split(':').map(|part| self.dimension(part));
        let rows = parts.collect::<Result<Vec<_>, _>>()?;
        let steps = rows.first().map_or(0, Vec::len);
        if let Some(row) = rows.iter().find(|row| row.len() != steps) {
            return Err(format!("dimensions of {steps} and of {} steps", row.len()));
        }
        let values: Vec<f32> = (0..steps)
            .flat_map(|step| rows.iter().filter_map(move |row| row.get(step)))
            .copied()
            .collect();
        if self.equal_length && self.longest > 0 && values.len() != self.longest {
            let before = self.longest / count;
            return Err(format!("{steps} steps, not {before} as before: @equalLength is true"));
        }
        self.longest = self.longest.max(values.len());
        self.cases.push(values);
        self.labels.push(label);
        let (count, longest) = (self.cases.len(), self.longest);
        if count.checked_mul(longest).is_none_or(|elements| elements > MAX_ELEMENTS) {
            return Err(format!("{count} series of {longest} values do not fit in memory"));
        }
        Ok(())
    }

    /// Parses the values of a dimension.
    fn dimension(&self, text: &str) -> Result<Vec<f32>, String> {
        let mut last = None;
        let value = |word: &str| {
            last = match number(word)? {
                None if !self.forward_fill => return Err("a value is missing".to_owned()),
                None => last,
                value => value,
            };
            last.ok_or_else(|| "a value is missing, and there is none before it".to_owned())
        };
        text.split(',').map(value).collect()
    }

    fn finish(self) -> Result<Content, String> {
        let Parser { cases, labels, longest, .. } = self;
        match (self.kind, self.dimensions) {
            (Some(kind), Some(dimensions)) if !cases.is_empty() => {
                Ok(Content { kind, cases, labels, longest, dimensions })
            }
            _ => Err("there are no cases".to_owned()),
        }
    }
}

/// A number; `None` if it is missing.
fn number(word: &str) -> Result<Option<f32>, String> {
    let word = word.trim();
    match word.parse::<f32>() {
        _ if word == "?" => Ok(None),
        Ok(value) if value.is_nan() => Ok(None),
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(format!("{word:?} is no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const HEAD: &str = "# a comment\n@problemName Two\n@classLabel true low high\n@data\n";

    /// Writes a file and reads it.
    fn with<T>(name: &str, text: &str, read: impl Fn(&Path) -> T) -> T {
        let name = format!("wgrad-series-{}-{name}.ts", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("it is written");
        let result = read(&path);
        fs::remove_file(path).expect("it can be removed");
        result
    }

    /// The error message without the path.
    fn message<T>(result: Result<T, Error>) -> String {
        let error = result.map(drop).expect_err("it is wrong");
        assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
        let text = error.to_string();
        let (path, message) = text.split_once(".ts: ").expect("it names the file");
        assert!(path.contains("wgrad-series"), "{text}");
        message.to_owned()
    }

    #[test]
    fn series_are_filled_up_with_zeros() -> Result<(), Error> {
        let series = with("zeros", &format!("{HEAD}1,2:3,4:high\n\n5:6:low\n"), read)?;
        assert_eq!(series.values.shape().dims(), [2, 2, 2]);
        assert_eq!(series.values.to_f64(), [1., 3., 2., 4., 5., 6., 0., 0.]);
        assert_eq!((series.lengths.words(), series.labels.words()), (&[2, 1][..], &[1, 0][..]));
        assert_eq!(series.classes, ["low", "high"]);
        Ok(())
    }

    #[test]
    fn a_wrong_file_says_where() {
        for (data, expected) in [
            ("1,2:3,4:middle", "line 5: \"middle\" is no class of the list"),
            ("1,x:3,4:low", "line 5: \"x\" is no number"),
            ("1,inf:3,4:low", "line 5: \"inf\" is no number"),
            ("1,2:3:low", "line 5: dimensions of 2 and of 1 steps"),
            ("1:2:low\n1:low", "line 6: 1 dimensions, not 2"),
            ("low", "line 5: 0 dimensions, not 1"),
            ("1,?:low", "line 5: a value is missing"),
            ("1,NaN:low", "line 5: a value is missing"),
            ("1,,2:low", "line 5: \"\" is no number"),
            ("", "there are no cases"),
        ] {
            assert_eq!(message(with("wrong", &format!("{HEAD}{data}"), read)), expected);
        }
        for (text, expected) in [
            ("@data\n1:2:low", "line 2: no classes were listed"),
            ("@classLabel false\n@data\n1:2", "line 3: no classes were listed"),
            ("1:2:low", "line 1: expected a line that begins with @ before @data"),
            ("@dimensions two\n", "line 1: expected a number of dimensions, found \"two\""),
            (
                "@timeStamps TRUE\n",
                "line 1: expected cases without timestamps, found @timeStamps true",
            ),
            ("@dimensions 3\n@classLabel true a\n@data\n1:2:a", "line 4: 2 dimensions, not 3"),
            (
                "@equalLength true\n@classLabel true a\n@data\n1,2:3,4:a\n1:3:a",
                "line 5: 1 steps, not 2 as before: @equalLength is true",
            ),
            (
                "@targetlabel true\n@data\n1:2",
                "the cases have numbers, not classes: `read_regression` reads them",
            ),
        ] {
            assert_eq!(message(with("header", text, read)), expected);
        }
        let name = format!("wgrad-series-{}-bytes.ts", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, b"@data\n@\xff").expect("it is written");
        assert_eq!(message(read(&path)), "line 2: byte 2: expected UTF-8, found something else");
        fs::remove_file(path).expect("it can be removed");
    }

    #[test]
    fn keywords_are_in_any_case_and_order() -> Result<(), Error> {
        let text = "\u{feff}@EQUALLENGTH False\r\n@Dimensions 1\r\n@CLASSLABEL True b a\r\n@DATA\r\n\
                    1,2:a\r\n3:b\r\n";
        let series = with("case", text, read)?;
        assert_eq!(series.values.shape().dims(), [2, 2, 1]);
        assert_eq!(series.labels.words(), [1, 0]);
        assert_eq!(series.values.to_f64(), [1., 2., 3., 0.]);
        Ok(())
    }

    #[test]
    fn missing_values_are_the_last_one_of_the_dimension() -> Result<(), Error> {
        let reader = Reader::new().forward_fill();
        let text = format!("{HEAD}1,?,nan,2:3,4,?,?:low\n5:6:high");
        let series = with("missing", &text, |path| reader.read(path))?;
        let expected = [1., 3., 1., 4., 1., 4., 2., 4., 5., 6., 0., 0., 0., 0., 0., 0.];
        assert_eq!(series.values.to_f64(), expected);
        let text = format!("{HEAD}1:2:low\n3:?:low");
        let first = message(with("first", &text, |path| reader.read(path)));
        assert_eq!(first, "line 6: a value is missing, and there is none before it");
        Ok(())
    }

    #[test]
    fn targets_are_numbers() -> Result<(), Error> {
        let text = "@targetLabel true\n@data\n1,2:3,4:-0.5\n5,6:7,8:1e3\n";
        let series = with("numbers", text, |path| Reader::new().read_regression(path))?;
        assert_eq!(series.targets, Array::from([-0.5f32, 1000.0]));
        assert_eq!(series.values.to_f64(), [1., 3., 2., 4., 5., 7., 6., 8.]);
        assert_eq!(series.lengths.words(), [2, 2]);
        let regression = |path: &Path| Reader::new().read_regression(path);
        let missing = message(with("target", "@targetLabel true\n@data\n1:?", regression));
        assert_eq!(missing, "line 3: the number to predict is missing");
        let classes = message(with("classes", &format!("{HEAD}1:low"), regression));
        assert_eq!(classes, "the cases have classes, not numbers: `read` reads them");
        Ok(())
    }

    #[test]
    fn a_cut_file_is_an_error_or_has_fewer_cases() {
        let text = format!("{HEAD}1,2:3,4:high\n5:6:low\n");
        for cut in 0..text.len() {
            match with("cut", &text[..cut], read) {
                Ok(series) => assert!(series.labels.shape().len() <= 2),
                Err(error) => assert!(error.to_string().contains(".ts: "), "{error}"),
            }
        }
    }
}
