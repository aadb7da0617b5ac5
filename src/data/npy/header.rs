//! The header of an array: a Python dictionary of three entries.

use super::elements::Format;

/// The first bytes of a file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Maximum number of axes, as in NumPy.
pub(super) const MAX_AXES: usize = 64;
/// The size of magic, version, length and header is a multiple of this.
const ALIGNMENT: usize = 64;

/// Type, order and shape of an array.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub format: Format,
    /// Whether the first index changes fastest.
    pub fortran: bool,
    pub dims: Vec<usize>,
}

/// A byte of the header, and what is wrong there.
type Fault = (usize, String);

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, in any order.
pub(super) fn parse(text: &[u8]) -> Result<Header, Fault> {
    let mut parser = Parser { text, at: 0 };
    let (mut format, mut fortran, mut dims) = (None, None, None);
    parser.expect("{")?;
    while !parser.accept("}") {
        let at = parser.at;
        let key = parser.string()?;
        parser.expect(":")?;
        let is_new = match key.as_str() {
            "descr" => format.replace(parser.format()?).is_none(),
            "fortran_order" => fortran.replace(parser.bool()?).is_none(),
            "shape" => dims.replace(parser.shape()?).is_none(),
            _ => false,
        };
        if !is_new {
            let expected = "each of descr, fortran_order and shape once";
            return Err((at, format!("expected {expected}, found {key:?}")));
        }
        if !parser.accept(",") {
            parser.expect("}")?;
            break;
        }
    }
    parser.skip_spaces();
    if parser.at < text.len() {
        return Err(parser.fault("the end of the header"));
    }
    match (format, fortran, dims) {
        (Some(format), Some(fortran), Some(dims)) => Ok(Header { format, fortran, dims }),
        _ => Err((0, "expected the entries descr, fortran_order and shape".to_owned())),
    }
}

/// Everything before the elements, in version 1.0.
pub(super) fn write(dims: &[usize], format: Format) -> Vec<u8> {
    let shape: String = dims.iter().map(|dim| format!("{dim}, ")).collect();
    // One axis needs its comma, else the tuple is a number.
    let shape = if dims.len() == 1 { shape.trim_end() } else { shape.trim_end_matches(", ") };
    let format = format.name();
    let text = format!("{{'descr': '{format}', 'fortran_order': False, 'shape': ({shape}), }}");
    let start = MAGIC.len() + 4;
    let len = (start + text.len() + 1).next_multiple_of(ALIGNMENT) - start;
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    // At most 64 axes of 22 digits and separators: a length of 16 bits is enough.
    header.extend((len as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = len - 1).bytes());
    header
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Skips a word, after any spaces, if it comes next.
    fn accept(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let is_next = self.rest().starts_with(word.as_bytes());
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.accept(word) { Ok(()) } else { Err(self.fault(word)) }
    }

    fn fault(&self, expected: &str) -> Fault {
        (self.at, format!("expected {expected}, found {}", excerpt(self.rest())))
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.skip_spaces();
        let at = self.at;
        let quote = self.rest().first().copied().filter(|byte| matches!(byte, b'\'' | b'"'));
        let end =
            quote.and_then(|quote| self.rest().iter().skip(1).position(|&byte| byte == quote));
        let Some(len) = end else { return Err(self.fault("a string")) };
        self.at += len + 2;
        let content = self.text.get(at + 1..at + 1 + len).unwrap_or_default();
        Ok(String::from_utf8_lossy(content).into_owned())
    }

    fn format(&mut self) -> Result<Format, Fault> {
        let known = "f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 or b1";
        if self.accept("[") {
            self.at -= 1;
            return Err(self.fault(&format!("elements of type {known}, not structures")));
        }
        let at = self.at;
        let name = self.string()?;
        Format::parse(&name).ok_or_else(|| {
            let objects = if name.ends_with('O') { " (Python objects)" } else { "" };
            (at, format!("expected elements of type {known}, found {name:?}{objects}"))
        })
    }

    fn bool(&mut self) -> Result<bool, Fault> {
        if self.accept("True") {
            return Ok(true);
        }
        if self.accept("False") { Ok(false) } else { Err(self.fault("True or False")) }
    }

    fn shape(&mut self) -> Result<Vec<usize>, Fault> {
        self.expect("(")?;
        let mut dims = Vec::new();
        while !self.accept(")") {
            if dims.len() == MAX_AXES {
                return Err(self.fault(&format!("at most {MAX_AXES} axes")));
            }
            let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = self.rest().get(..digits).unwrap_or_default();
            let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            dims.push(number.ok_or_else(|| self.fault("an extent"))?);
            self.at += digits;
            // Python 2 wrote long integers.
            self.accept("L");
            if !self.accept(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(dims)
    }
}

/// The beginning of a text, for messages.
fn excerpt(text: &[u8]) -> String {
    match text {
        [] => "the end".to_owned(),
        text => format!("{:?}", String::from_utf8_lossy(text.get(..40).unwrap_or(text)).trim_end()),
    }
}
