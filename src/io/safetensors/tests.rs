use super::*;

/// A separate path for each test.
fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wgrad-{}-{name}.safetensors", std::process::id()))
}

/// A file with this header, followed by `zeros` zero bytes.
fn file(header: &str, zeros: usize) -> Vec<u8> {
    let mut content = (header.len() as u64).to_le_bytes().to_vec();
    content.extend(header.as_bytes());
    content.extend(std::iter::repeat_n(0, zeros));
    content
}

fn read_bytes(name: &str, content: &[u8]) -> Result<Vec<(String, Array)>, Error> {
    let path = temporary(name);
    std::fs::write(&path, content).map_err(|error| failed(&path, &error))?;
    let arrays = read(&path);
    std::fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
    arrays
}

#[test]
fn every_type_survives_and_bytes_repeat() -> Result<(), Error> {
    let path = temporary("round");
    let io = |error| failed(&path, &error);
    let variables = Variables::new(0);
    let arrays = [
        ("net/f32", Array::new([2, 2], &[0.1f32, -0.0, f32::NAN, f32::INFINITY])?),
        ("net/f16", Array::new([3], &[1.5, -2.0, 65504.0].map(f16::from_f32))?),
        ("net/i32", Array::new([2], &[i32::MIN, -1])?),
        ("net/u32", Array::scalar(u32::MAX)),
        ("net/bool", Array::new([2], &[true, false])?),
        ("net/none", Array::new([0, 5], &[] as &[f32])?),
        ("optim/step", Array::scalar(7.0f32)),
    ];
    for (name, array) in &arrays {
        variables.insert(name, array.clone())?;
    }
    save(&path, &variables, "net/")?;
    let first = std::fs::read(&path).map_err(io)?;
    save(&path, &variables, "net/")?;
    assert_eq!(first, std::fs::read(&path).map_err(io)?);
    let read = read(&path)?;
    assert_eq!(read.len(), 6);
    for (name, array) in &read {
        let (_, before) = arrays.iter().find(|(known, _)| known == name).expect("it was saved");
        assert_eq!((array.meta(), array.words()), (before.meta(), before.words()), "{name}");
    }
    // Another shape in the store: nothing is loaded.
    let other = Variables::new(0);
    other.insert("net/u32", Array::new([1], &[1u32])?)?;
    let error = load(&path, &other).expect_err("a scalar is not [1]").to_string();
    let text =
        format!("{} does not fit: mismatched: net/u32 is [] u32, not [1] u32", path.display());
    assert_eq!(error, text);
    assert_eq!(other.paths(), ["net/u32"]);
    std::fs::remove_file(&path).map_err(io)
}

#[test]
fn wide_floats_are_rounded_or_are_an_error() -> Result<(), Error> {
    let header = r#"{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#;
    let of = |x: f64| {
        let mut content = file(header, 0);
        content.extend(x.to_le_bytes());
        read_bytes("double", &content)
    };
    assert_eq!(of(0.1)?, [("x".to_owned(), Array::new([1], &[0.1f32])?)]);
    assert_eq!(of(f64::INFINITY)?, [("x".to_owned(), Array::new([1], &[f32::INFINITY])?)]);
    let text = of(1e300).expect_err("it does not fit").to_string();
    assert!(text.ends_with("tensor x: element 0 is 1e300, which does not fit f32"), "{text}");
    Ok(())
}

#[test]
fn wide_integers_fit_or_are_an_error() -> Result<(), Error> {
    let header = r#"{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#;
    let of = |x: i64| {
        let mut content = file(header, 0);
        content.extend(x.to_le_bytes());
        read_bytes("wide", &content)
    };
    assert_eq!(of(-5)?, [("x".to_owned(), Array::new([1], &[-5i32])?)]);
    let text = of(1 << 40).expect_err("it does not fit").to_string();
    assert!(
        text.ends_with("tensor x: element 0 is 1099511627776, which does not fit i32"),
        "{text}"
    );
    Ok(())
}

#[test]
fn hostile_files_are_errors() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let huge: Vec<String> = (0..9u128)
        .map(|i| {
            let size = (1u128 << 61) - 1;
            let offsets = format!("[{},{}]", i * size, ((i + 1) * size).min(u128::from(u64::MAX)));
            format!(r#""x{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":{offsets}}}"#)
        })
        .collect();
    let cases = [
        vec![],
        vec![1, 2, 3],
        u64::MAX.to_le_bytes().to_vec(),
        [1u64 << 40].map(u64::to_le_bytes).concat(),
        file("", 0),
        file("[", 0),
        file(&"[".repeat(100_000), 0),
        file(r#"{"x":1}"#, 0),
        file(&entry("F32", "[2]", "[0,8]"), 7),
        file(&entry("F32", "[2]", "[0,8]"), 9),
        file(&entry("F32", "[3]", "[0,8]"), 8),
        file(&entry("F32", "[2]", "[8,0]"), 8),
        file(&entry("F32", "[-2]", "[0,8]"), 8),
        file(&entry("F32", "[4294967296,4294967296]", "[0,0]"), 0),
        file(&entry("F32", "[0,9999999999,9999999999]", "[0,0]"), 0),
        file(&entry("F32", "[2]", "[0,18446744073709551615]"), 8),
        file(&entry("I16", "[1]", "[0,2]"), 2),
        file(&format!("{{{}}}", huge.join(",")), 0),
        {
            let mut content = file(&entry("BOOL", "[1]", "[0,1]"), 0);
            content.push(2);
            content
        },
    ];
    for (index, content) in cases.into_iter().enumerate() {
        let result = read_bytes("hostile", &content);
        let corrupt = matches!(result, Err(Error::File(FileError::Corrupt { .. })));
        assert!(corrupt, "case {index}: {result:?}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let path = Path::new("/nowhere/at/all.safetensors");
    let result = save(path, &Variables::new(0), "");
    assert!(matches!(result, Err(Error::File(FileError::Io { .. }))), "{result:?}");
    assert!(matches!(read(path), Err(Error::File(FileError::Io { .. }))));
}

#[test]
fn a_note_survives_and_changes_no_value() -> Result<(), Error> {
    let path = temporary("note");
    let io = |error| failed(&path, &error);
    let variables = Variables::new(0);
    variables.insert("net/a", Array::new([2], &[1.0f32, 2.0])?)?;
    // Digits, quotes and escapes, which the offset check must skip.
    let note = r#"{"a \"b\" \\": [123456789012345678901234567890, "ü"]}"#;
    save_with_note(&path, &variables, "net/", note)?;
    let first = std::fs::read(&path).map_err(io)?;
    save_with_note(&path, &variables, "net/", note)?;
    assert_eq!(first, std::fs::read(&path).map_err(io)?);
    assert_eq!(read_with_note(&path)?, (variables.to_arrays()?, Some(note.to_owned())));
    assert_eq!(read(&path)?, variables.to_arrays()?);
    save(&path, &variables, "net/")?;
    assert_eq!(read_with_note(&path)?.1, None);
    std::fs::remove_file(&path).map_err(io)
}
