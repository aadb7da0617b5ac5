use super::*;
use crate::error::{Error, FileError};
use crate::{
    array::Array,
    data::{ArrayDataset, Dataset},
};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// The table of a text that is right.
fn table(text: &str) -> Table {
    Table::reader().parse(Path::new("t.csv"), text).expect("it is right")
}

/// The message about a text that is wrong.
fn error(reader: &TableReader, text: &str) -> String {
    let error = reader.parse(Path::new("t.csv"), text).expect_err("it is wrong");
    assert!(matches!(error, Error::File(_)), "{error:?}");
    let text = error.to_string();
    text.strip_prefix("t.csv: ").expect("the file is named").to_owned()
}

/// Cells row by row, `-` for those that are missing.
fn cells(table: &Table) -> Vec<String> {
    let show = |cell: Cell<'_>| if cell == Cell::Missing { "-".into() } else { cell.to_string() };
    let row = |row| {
        let cells = table.columns().iter().map(|c| show(c.get(row).expect("it is there")));
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..table.len()).map(row).collect()
}

/// A file of this content, removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        let name = format!("wgrad-table-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("it can be written");
        Temporary(path)
    }

    fn read(&self) -> Result<Table, Error> {
        Table::read(&self.0)
    }

    fn error(&self) -> String {
        let text = self.read().expect_err("it is wrong").to_string();
        let path = format!("{}: ", self.0.display());
        text.strip_prefix(&path).expect("the file is named").to_owned()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory takes it");
    gzip.finish().expect("memory takes it")
}

/// Six rows, as pandas reads them with "?" as missing.
const PEOPLE: &str = "age,income,color,flag,label\n\
    23,1200.5,red,yes,low\n\
    31,,blue,no,high\n\
    47,3100.25,green,yes,high\n\
    ,2875,red,NA,low\n\
    52,4100.75,?,no,high\n\
    38,1999,blue,yes,mid\n";

#[test]
fn columns_are_numbers_or_categories() -> Result<(), Error> {
    let table = table(PEOPLE);
    assert_eq!((table.len(), table.is_empty()), (6, false));
    let described = |c: &Column| (c.name().to_owned(), c.kind(), c.missing(), c.distinct());
    let expected = [
        ("age", ColumnKind::Number, 1, 5),
        ("income", ColumnKind::Number, 1, 5),
        ("color", ColumnKind::Category, 1, 3),
        ("flag", ColumnKind::Category, 1, 2),
        ("label", ColumnKind::Category, 0, 3),
    ];
    let expected = expected.map(|(name, kind, missing, n)| (name.to_owned(), kind, missing, n));
    assert_eq!(table.columns().iter().map(described).collect::<Vec<_>>(), expected);
    assert_eq!(cells(&table)[3..5], ["- 2875 red - low", "52 4100.75 - no high"]);
    assert_eq!(table.column("age")?.number(2), Some(47.0));
    assert_eq!((table.line(0), table.line(5), table.line(6)), (Some(2), Some(7), None));
    let unknown = table.column("aeg").expect_err("there is none").to_string();
    let names = "[age, income, color, flag, and 1 more]";
    assert_eq!(unknown, format!("t.csv: there is no column \"aeg\": there are {names}"));
    let debug = format!("{table:?}");
    assert!(debug.ends_with("flag: category, and 1 more] }"), "{debug}");
    Ok(())
}

#[test]
fn quotes_line_breaks_and_marks_are_no_part_of_cells() -> Result<(), Error> {
    let plain = table("a,b\n1,x\n2,\"y, \"\"z\"\"\nw\"\n3,x\n");
    assert_eq!(cells(&plain), ["1 x", "2 y, \"z\"\nw", "3 x"]);
    assert_eq!(plain.lines, [2, 3, 5]);
    let windows = table("a,b\r\n\r\n1,x\r\n 2 ,\" y, \"\"z\"\"\nw\"\r\n\r\n3,x");
    assert_eq!(windows, plain);
    assert_eq!(windows.lines, [3, 4, 7]);
    for delimiter in [";", "\t", "|"] {
        let text = format!("a{delimiter}b\n1{delimiter}x,y\n").replace(",y", "");
        assert_eq!(cells(&table(&text)), ["1 x"], "{delimiter:?}");
    }
    let said = Table::reader().delimiter(':').parse(Path::new("t.csv"), "a,b:c\n1:2\n");
    assert_eq!(cells(&said.expect("it is right")), ["1 2"]);
    let mark = Temporary::new("mark", "\u{feff}a,b\n1,x\n".as_bytes());
    assert_eq!(mark.read()?, table("a,b\n1,x\n"));
    let gzip = Temporary::new("gzip", &gzip(PEOPLE.as_bytes()));
    assert_eq!(gzip.read()?, table(PEOPLE));
    Ok(())
}

#[test]
fn the_caller_decides_what_columns_are() -> Result<(), Error> {
    let text = "id,zip,x\n1,04109,7\n2,4109,-1\n3,na,1e3\n";
    let path = Path::new("t.csv");
    let read = Table::reader().ignore("id").as_category("zip").missing("-1").missing("na");
    assert_eq!(cells(&read.parse(path, text)?), ["04109 7", "4109 -", "- 1000"]);
    assert_eq!(cells(&table(text))[1], "2 4109 -1");
    assert_eq!(table(text).column("zip")?.first_text(), Some((4, "na")));
    let strict = Table::reader().as_number("zip");
    let message = "line 4, column \"zip\": expected a finite number, found \"na\"";
    assert_eq!(error(&strict, text), message);
    let unknown = "there is no column \"y\": there are [id, zip, x]";
    assert_eq!(error(&Table::reader().ignore("y"), text), unknown);
    // The last choice counts.
    assert_eq!(strict.as_category("zip").parse(path, text)?.column("zip")?.distinct(), 3);
    let cells_text = "line 4, expected at most 5 cells, found 6: `ignore` leaves out columns, and \
                      `max_cells` allows more";
    let few = Table::reader().max_cells(5).ignore("id");
    assert_eq!(error(&few, text), cells_text.replace("4, ", "4: "));
    assert_eq!(few.max_cells(6).parse(path, text)?.len(), 3);
    let bad = error(&Table::reader().delimiter('"'), text);
    assert_eq!(bad, "a delimiter cannot be '\"': expected ASCII, and no quote or line break");
    // Numbers that f64 cannot hold are none, and never infinite.
    assert_eq!(table("x\n1\n1e999\ninf\n").column("x")?.kind(), ColumnKind::Category);
    Ok(())
}

#[test]
fn columns_without_header_have_numbers_as_names() -> Result<(), Error> {
    let text = "5.1,3.5,setosa\n4.9,3,setosa\n";
    let message = "line 1: expected the names of columns, found \"5.1\": if the file has none, say \
                   `header(false)`; if this is one, `header(true)`";
    assert_eq!(error(&Table::reader(), text), message);
    assert!(error(&Table::reader(), "1,2\n3,4\n").contains("found \"1\""));
    let path = Path::new("t.csv");
    let read = Table::reader().header(false).as_category("1").parse(path, text)?;
    assert_eq!(cells(&read), ["5.1 3.5 setosa", "4.9 3 setosa"]);
    assert_eq!((read.columns()[1].name(), read.lines[0]), ("1", 1));
    assert_eq!(Table::reader().header(true).parse(path, text)?.columns()[0].name(), "5.1");
    assert_eq!(table("country,2019,2020\nfr,1,2\n").columns()[1].name(), "2019");
    // As pandas writes its index.
    let index = ",a\n0,1\n1,2\n";
    let unnamed =
        "line 1: column 1 has no name: `ignore(\"\")` leaves it out (pandas writes its index so)";
    assert_eq!(error(&Table::reader(), index), unnamed);
    assert_eq!(cells(&Table::reader().ignore("").parse(path, index)?), ["1", "2"]);
    Ok(())
}

#[test]
fn damage_names_the_line() {
    for (text, message) in [
        ("", "line 1: expected a table, found the end"),
        ("\n\n", "line 1: expected a table, found the end"),
        ("a,b\n", "line 2: expected rows, found the end"),
        ("a,b", "line 2: expected rows, found the end"),
        ("a,b,a\n1,2,3\n", "line 1: columns 1 and 3 are both named \"a\""),
        ("a,b\n1,2\n\n3\n", "line 4: expected 2 fields, found 1"),
        ("a,b\r\n1,2\r\n3,4,5\r\n", "line 3: expected 2 fields, found 3"),
        ("a,b\n1,\"x\n2,y\n", "line 2, field 2: a quote is opened and never closed"),
        ("a,b\n1,\"x", "line 2, field 2: a quote is opened and never closed"),
        ("a,b\n1,x\n2,\"", "line 3, field 2: a quote is opened and never closed"),
        ("a,\"b", "line 1, field 2: a quote is opened and never closed"),
    ] {
        assert_eq!(error(&Table::reader(), text), message, "{text:?}");
    }
    let wide = error(&Table::reader(), &",".repeat(1 << 16));
    assert_eq!(wide, "line 1: expected at most 65536 columns, found 65537");
}

#[test]
fn what_is_no_text_says_what_it_is() {
    for (content, message) in [
        (&b"a,b\n1,\xe9\n"[..], "at byte 6: expected text in UTF-8, found the byte 0xe9"),
        (b"a,b\n1,\0\n", "at byte 6: expected text in UTF-8, found the byte 0x00"),
        (b"\xff\xfea\0,\0", "at byte 3: expected text in UTF-8, found UTF-16: save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "at byte 8: expected text in UTF-8, found a PNG image"),
        (b"<!DOCTYPE html><html>", "at byte 0: expected a table, found an HTML page"),
        (b"<html>\n<body>", "at byte 0: expected a table, found an HTML page"),
    ] {
        assert_eq!(Temporary::new("binary", content).error(), message);
    }
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert!(Temporary::new("lfs", lfs).error().contains("a pointer of Git LFS"));
    let missing = Table::read(Path::new("no/such/file.csv")).expect_err("there is none");
    assert!(matches!(missing, Error::File(FileError::Io { .. })), "{missing:?}");
}

#[test]
fn every_cut_is_an_error_or_a_shorter_table() {
    let text = "a,b\r\n1,\"x, \"\"y\"\"\"\r\n22,\"z\nw\"\r\n";
    let whole = cells(&table(text));
    for end in 0..text.len() {
        match Table::reader().parse(Path::new("t.csv"), &text[..end]) {
            // A row that is whole stays as it is, whatever is left of the next one.
            Ok(cut) if end >= text.len() - "22,\"z\nw\"\r\n".len() => {
                assert_eq!(cells(&cut)[0], whole[0], "{end}");
            }
            Ok(cut) => assert_eq!((cut.len(), cut.columns().len()), (1, 2), "{end}"),
            Err(error) => assert!(matches!(error, Error::File(FileError::Corrupt { .. }))),
        }
    }
    let whole = gzip(PEOPLE.as_bytes());
    for end in 2..whole.len() {
        let file = Temporary::new("cut-gzip", &whole[..end]);
        let error = file.read().expect_err("it is cut");
        assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{end}: {error:?}");
        assert!(error.to_string().contains("of what is compressed"), "{end}: {error}");
    }
}

#[test]
fn a_stream_that_never_ends_is_left() {
    let path = Path::new("t.csv.gz");
    let endless = text::content(path, std::io::repeat(b'1'), 1000).expect_err("it is too long");
    let message = "t.csv.gz: at byte 1000: expected at most 1000 bytes, found more";
    assert_eq!(endless.to_string(), message);
    let whole = text::content(path, std::io::repeat(b'1').take(1000), 1000);
    assert_eq!(whole.expect("it is short enough").len(), 1000);
}

#[test]
fn long_cells_are_cut_in_messages() {
    let text = format!("a,x\n1,{}\n", "é".repeat(1 << 20));
    let message = error(&Table::reader().as_number("x"), &text);
    assert!(message.len() < 200 && message.ends_with("éé\"..."), "{message}");
}

#[test]
fn rows_are_chosen_and_held_out() -> Result<(), Error> {
    let table = table(PEOPLE);
    let some = table.rows(&[4, 0, 4])?;
    assert_eq!(
        cells(&some),
        ["52 4100.75 - no high", "23 1200.5 red yes low", "52 4100.75 - no high"]
    );
    assert_eq!(some.lines, [6, 2, 6]);
    assert_eq!(some.column("color")?.distinct(), 1);
    let refused = table.rows(&[0, 6]).expect_err("there are six").to_string();
    assert_eq!(refused, "row 6 does not exist: the array [6, 5] has 6 rows");
    let (rest, held) = table.split(1.0 / 3.0)?;
    assert_eq!((rest.len(), held.len()), (4, 2));
    assert!(rest.lines.is_sorted() && held.lines.is_sorted());
    let mut lines = [rest.lines, held.lines].concat();
    lines.sort_unstable();
    assert_eq!(lines, table.lines);
    assert!(table.split(f64::NAN).is_err());
    let codes = |name| Ok::<_, Error>(table.column(name)?.codes());
    assert_eq!(codes("color")?.iter().filter(|&&code| code == u32::MAX).count(), 1);
    let ages = self::table("age\n3\n-0\n\"\"\n2.5\n0\n3\n");
    assert_eq!(ages.column("age")?.codes(), [2, 0, u32::MAX, 1, 0, 2]);
    assert_eq!(table.drop_missing("color")?.lines, [2, 3, 4, 5, 7]);
    assert_eq!(table.rows(&[])?.len(), 0);
    Ok(())
}

#[test]
fn a_summary_is_a_table_to_read() {
    let text = table("size,étage,note\n1,a,5\n2,b,6\n4,a,\n-7,,six\n").summary();
    let expected = "t.csv: 4 rows, 3 columns\n\
        column  kind      missing  distinct  values\n\
        size    number          0         4  -7 to 4, mean 0.0000, std 4.1833\n\
        étage   category        1         2  \"a\" 2, \"b\" 1\n\
        note    category        1         3  \"5\" 1, \"6\" 1, \"six\" 1 \
        (numbers before line 5: \"six\")\n";
    assert_eq!(text, expected);
}

/// The fields of all rows.
fn all(data: &ArrayDataset) -> (&Array, &Array) {
    let field = |name| data.array(name).expect("it is there");
    (field("inputs"), field("targets"))
}

#[test]
fn encodings_are_those_of_scikit_learn() -> Result<(), Error> {
    let train = table(PEOPLE);
    let encoding = Encoding::fit(&train, "label")?;
    let names = [
        "age",
        "age is missing",
        "income",
        "income is missing",
        "color=blue",
        "color=green",
        "color=red",
        "color is missing",
        "flag=no",
        "flag=yes",
        "flag is missing",
    ];
    assert_eq!(encoding.feature_names(), names);
    assert_eq!(encoding.features(), names.len());
    // StandardScaler (a missing number becomes 0) and OneHotEncoder of scikit-learn 1.x.
    let numbers = [
        [-1.4482102745367416, -1.4719616061856193],
        [-0.6859943405700356, 0.0],
        [0.8384375273633763, 0.4504631575646423],
        [0.0, 0.222524650900741],
        [1.3148224860925675, 1.4629047820584633],
        [-0.01905539834916792, -0.6639309843382268],
    ];
    let categories = [
        [0., 0., 1., 0., 0., 1., 0.],
        [1., 0., 0., 0., 1., 0., 0.],
        [0., 1., 0., 0., 0., 1., 0.],
        [0., 0., 1., 0., 0., 0., 1.],
        [0., 0., 0., 1., 1., 0., 0.],
        [1., 0., 0., 0., 0., 1., 0.],
    ];
    let missing = [[0., 0.], [0., 1.], [0., 0.], [1., 0.], [0., 0.], [0., 0.]];
    let row = |((numbers, missing), categories): ((&[f64; 2], &[f64; 2]), &[f64; 7])| {
        [&[numbers[0], missing[0], numbers[1], missing[1]], &categories[..]].concat()
    };
    let expected = numbers.iter().zip(&missing).zip(&categories).flat_map(row);
    // Both are rounded to f32 from f64 that differ in their last bits.
    let expected: Vec<f32> = expected.map(|x| x as f32).collect();
    let data = encoding.encode(&train)?;
    let (inputs, targets) = all(&data);
    assert_eq!(inputs.to_vec::<f32>()?, expected);
    assert_eq!(targets, &Array::from([1u32, 0, 0, 1, 0, 2]));
    let classes = ["high", "low", "mid"].map(str::to_owned).to_vec();
    assert_eq!(encoding.target(), &Target::Classification { classes });
    assert_eq!(encoding.encode_labeled(&train)?.targets(), targets);
    // Other rows, in another order of columns, with a category that training lacks; no target.
    let test = table("color,id,flag,income,age\nviolet,7,no,5000,60\ngreen,8,yes,100,20\n");
    let numbers: [[f64; 2]; 2] =
        [[2.0770384200592735, 2.372887921314904], [-1.7340412497742563, -2.5855967963459894]];
    let categories = [[0., 0., 0., 0., 1., 0., 0.], [0., 1., 0., 0., 0., 1., 0.]];
    let expected = numbers.iter().zip(&[[0.; 2]; 2]).zip(&categories).flat_map(row);
    let expected: Vec<f32> = expected.map(|x| x as f32).collect();
    assert_eq!(encoding.encode_inputs(&test)?.to_vec::<f32>()?, expected);
    Ok(())
}

#[test]
fn numbers_to_predict_come_back() -> Result<(), Error> {
    let train = table("x,y\n0,10\n1,20\n5,60\n");
    let encoding = Encoding::fit(&train, "y")?;
    // Mean 30, variance (400 + 100 + 900) / 3.
    let std = (1400.0f64 / 3.0).sqrt();
    let &Target::Regression { mean, std: found } = encoding.target() else { panic!("numbers") };
    assert!(mean == 30.0 && (found - std).abs() <= f64::EPSILON * std, "{mean}, {found}");
    let data = encoding.encode(&train)?;
    let (_, targets) = all(&data);
    assert_eq!(targets.shape().dims(), [3, 1]);
    let expected = [-20.0, -10.0, 30.0].map(|d| (d / std) as f32);
    assert_eq!(targets.to_vec::<f32>()?, expected);
    for cell in encoding.decode(targets)?.iter().zip([10.0, 20.0, 60.0]) {
        // One rounding to f32 of a number of standard deviations.
        let (Cell::Number(x), y) = cell else { panic!("{cell:?}") };
        assert!((x - y).abs() <= f64::from(f32::EPSILON) * 1.5 * std, "{x}, {y}");
    }
    let nan = Array::from([f32::NAN, 0.0]);
    assert_eq!(encoding.decode(&nan)?, [Cell::Missing, Cell::Number(30.0)]);
    let refused = encoding.decode(&Array::from([[1.0f32, 2.0]])).expect_err("two columns");
    assert_eq!(refused.to_string(), "decode: [1, 2] f32 (cannot become [1, 1])");
    let refused = encoding.encode_labeled(&train).expect_err("no classes").to_string();
    assert_eq!(refused, "t.csv: column \"y\" has numbers to predict, and no classes");
    Ok(())
}

#[test]
fn few_integers_are_classes() -> Result<(), Error> {
    let of = |rows: usize, classes: usize| {
        let rows = (0..rows).map(|row| format!("{row},{}\n", 10 - (row % classes) as i32));
        table(&["x,y\n".to_owned(), rows.collect()].concat())
    };
    let is_class = |table: &Table| {
        let encoding = Encoding::fit(table, "y");
        encoding.map(|e| matches!(e.target(), Target::Classification { .. }))
    };
    for (rows, classes, expected) in
        [(30, 3, true), (29, 3, false), (200, 20, true), (210, 21, false)]
    {
        assert_eq!(is_class(&of(rows, classes))?, expected, "{rows} rows, {classes} classes");
    }
    let halves = table(&format!("x,y\n{}", "1,0.5\n2,1\n".repeat(20)));
    assert!(!is_class(&halves)?);
    // In order of value, not of name.
    let twelve = of(120, 12);
    let encoding = Encoding::classification(&twelve, "y")?;
    let classes = (-1..=10).map(|class| class.to_string()).collect::<Vec<_>>();
    assert_eq!(encoding.target(), &Target::Classification { classes });
    assert_eq!(encoding.encode_labeled(&twelve.rows(&[0, 11])?)?.targets().words(), [11, 0]);
    assert_eq!(encoding.decode(&Array::from([0u32]))?, [Cell::Number(-1.0)]);
    let refused = encoding.decode(&Array::from([12u32])).expect_err("there are 12").to_string();
    assert_eq!(refused, "decode: [1] u32 (index 12 is out of range for extent 12)");
    assert!(matches!(Encoding::regression(&twelve, "y")?.target(), Target::Regression { .. }));
    let zeros = table("x,y\n1,0\n2,-0\n3,1\n");
    let encoding = Encoding::classification(&zeros, "y")?;
    assert_eq!(encoding.encode_labeled(&zeros)?.targets().words(), [0, 0, 1]);
    Ok(())
}

#[test]
fn what_cannot_be_learned_says_why() {
    let many: String = (0..1001).map(|row| format!("{row},id{row},{}\n", row % 2)).collect();
    for (text, message) in [
        ("a,y\n,1\n,2\n", "column \"a\" has no values: leave it out by `ignore(\"a\")`"),
        (
            &*format!("x,a,y\n{many}"),
            "column \"a\" has 1001 categories, and may have 1000; it looks like an id: leave it \
             out by `ignore(\"a\")`",
        ),
        (
            "a,y\n1,u\n2,\n",
            "line 3, column \"y\": expected a value to predict, found none: `drop_missing(\"y\")` \
             leaves out such rows",
        ),
        ("a,y\n1,u\n2,u\n", "column \"y\": expected 2 to 1000 classes, found 1"),
        ("a,y\n1,0.5\n2,0.5\n", "column \"y\": expected numbers to predict, found 0.5 only"),
        (
            "a,y\n1,1e300\n2,2e300\n",
            "column \"y\" has numbers whose squares are out of range of f64",
        ),
        (
            "y\n0.5\n2\n",
            "expected columns besides \"y\" to predict it from, found none: the file may have \
             another delimiter",
        ),
        ("a,b\n0.5,2\n", "there is no column \"y\": there are [a, b]"),
    ] {
        let error = Encoding::fit(&table(text), "y").expect_err(message).to_string();
        assert_eq!(error, format!("t.csv: {message}"));
    }
    let words = table("a,y\n1,u\n2,v\n");
    let error = Encoding::regression(&words, "y").expect_err("words").to_string();
    let message = "line 2, column \"y\": expected a column of numbers to predict, found \"u\"";
    assert_eq!(error, format!("t.csv: {message}"));
}

#[test]
fn other_tables_must_fit() -> Result<(), Error> {
    let train = table("x,zip,y\n0,04109,u\n1,a,v\n7,a,v\n");
    let encoding = Encoding::fit(&train, "y")?;
    let refused = |text: &str| {
        let error = encoding.encode(&table(text)).expect_err("it does not fit").to_string();
        error.strip_prefix("t.csv: ").map(str::to_owned).expect("the file is named")
    };
    assert_eq!(refused("x,y\n1,u\n"), "there is no column \"zip\": there are [x, y]");
    assert_eq!(
        refused("x,zip,y\n1,a,u\n2,a,w\n"),
        "line 3, column \"y\": expected a class of the rows to train on, [u, v], found \"w\""
    );
    assert_eq!(
        refused("x,zip,y\n,a,u\ntwo,a,u\n"),
        "line 3, column \"x\": expected a number, as in the rows to train on, found the category \
         \"two\": read the file by `Encoding::reader`"
    );
    let codes = "x,zip,y\n1,04109,u\n";
    assert!(refused(codes).contains("column \"zip\": expected a category"));
    assert!(refused("x,zip,y\n1,a,0\n").contains("column \"y\": expected a category"));
    let far = format!("x,zip,y\n1{},a,u\n", "0".repeat(200));
    assert!(refused(&far).ends_with("the number, standardized, is out of range of f32"));
    // Kinds of the rows to train on, by its own reader; columns without values have none.
    let read = encoding.reader().parse(Path::new("t.csv"), codes)?;
    let row = |data: &Array| data.to_vec::<f32>().map(|row| row[1..].to_vec());
    assert_eq!(row(&encoding.encode_inputs(&read)?)?, [1.0, 0.0]);
    let codes = encoding.reader().parse(Path::new("t.csv"), "x,zip,y\n1,a,0\n")?;
    let unknown = encoding.encode(&codes).expect_err("no class").to_string();
    assert!(unknown.ends_with("[u, v], found \"0\""), "{unknown}");
    // Its columns may be absent.
    let absent = encoding.reader().parse(Path::new("t.csv"), "zip,x\n04109,1\n")?;
    assert_eq!(row(&encoding.encode_inputs(&absent)?)?, [1.0, 0.0]);
    assert_eq!(row(&encoding.encode_inputs(&table("zip,x\n,\n"))?)?, [0.0, 0.0]);
    assert_eq!(encoding.encode(&train.rows(&[])?)?.len(), 0);
    Ok(())
}

#[test]
fn an_encoding_is_kept_with_its_model() -> Result<(), Error> {
    use crate::{Variables, io::safetensors};
    let mut text = "x,color,constant,y\n".to_owned();
    for row in 0..40u32 {
        // Numbers of which many have no short decimal.
        let x = f64::from(row.wrapping_mul(2_654_435_761)).sqrt() / 7.0;
        text +=
            &format!("{x},{},3.1,{}\n", ["red", "", "\u{1F600} \"b\""][row as usize % 3], x / 3.0);
    }
    let train = table(&text);
    let encoding = Encoding::fit(&train, "y")?;
    let variables = Variables::new(0);
    variables.insert("w", Array::from([1.0f32]))?;
    let file = Temporary::new("model", &[]);
    safetensors::save_with_note(&file.0, &variables, "", &encoding.to_json())?;
    let (_, note) = safetensors::read_with_note(&file.0)?;
    let read = Encoding::from_json(&note.expect("it has a note"))?;
    assert_eq!(read, encoding);
    assert_eq!(read.encode(&train)?, encoding.encode(&train)?);
    // Every last digit.
    for k in 1..2000u64 {
        let mean = f64::from_bits(k.wrapping_mul(0x9E37_79B9_7F4A_7C15) & !(1 << 62));
        let mut other = encoding.clone();
        other.target.target = Target::Regression { mean, std: mean.abs() };
        assert_eq!(Encoding::from_json(&other.to_json())?, other);
    }
    Ok(())
}

#[test]
fn json_that_contradicts_itself_is_refused() -> Result<(), Error> {
    let good = Encoding::fit(&table("x,c,y\n1,a,u\n2,b,v\n3,,u\n"), "y")?.to_json();
    let refused = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        let error = Encoding::from_json(&good.replacen(from, to, 1)).expect_err(to).to_string();
        error.strip_prefix("encoding: ").map(str::to_owned).expect("it is named")
    };
    for (from, to, message) in [
        ("\"version\":1", "\"version\":2", "expected version 1, found 2"),
        (
            "[\"a\",\"b\"]",
            "[\"a\",\"a\"]",
            "column \"c\": expected names in order, found \"a\" before \"a\"",
        ),
        (
            "[\"a\",\"b\"]",
            "[\"b\",\"a\"]",
            "column \"c\": expected names in order, found \"b\" before \"a\"",
        ),
        ("[\"a\",\"b\"]", "[]", "column \"c\": expected 1 to 1000 categories, found 0"),
        ("[\"u\",\"v\"]", "[\"u\"]", "column \"y\": expected 2 to 1000 categories, found 1"),
        ("\"name\":\"c\"", "\"name\":\"x\"", "two columns are named \"x\""),
        ("\"name\":\"c\"", "\"name\":\"y\"", "two columns are named \"y\""),
        (
            "\"kind\":\"category\"",
            "\"kind\":\"number\"",
            "column \"y\": expected numbers as classes",
        ),
    ] {
        assert_eq!(refused(from, to), message);
    }
    for end in 0..good.len() {
        assert!(Encoding::from_json(&good[..end]).is_err(), "{end}");
    }
    for number in ["1e999", "-1.0", "null", "\"1\"", "5e-324"] {
        let std = good.split("\"std\":").nth(1).and_then(|rest| rest.split(['}', ',']).next());
        let std = format!("\"std\":{}", std.expect("it is there"));
        refused(&std, &format!("\"std\":{number}"));
    }
    let deep = "[".repeat(1 << 20);
    assert!(Encoding::from_json(&deep).is_err());
    for none in ["", "{}", "null", "{\"version\":1}", "{\"version\":1,\"inputs\":[]}"] {
        assert!(Encoding::from_json(none).is_err(), "{none}");
    }
    Ok(())
}
