use super::*;
use std::{fs, path::PathBuf};

/// A separate file for each test.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wgrad-npy-{}-{name}", std::process::id()))
}

/// Writes a file and reads it.
fn with<T>(name: &str, content: &[u8], read: impl Fn(&Path) -> T) -> T {
    let path = path(name);
    fs::write(&path, content).expect("it is written");
    let result = read(&path);
    fs::remove_file(path).expect("it can be removed");
    result
}

/// The error message of reading a damaged file, without its path.
fn damage<T>(name: &str, content: &[u8], read: impl Fn(&Path) -> Result<T, Error>) -> String {
    let error = with(name, content, read).map(drop).expect_err("it is damaged");
    assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
    let text = error.to_string();
    let message = text.strip_prefix(&format!("{}: ", path(name).display()));
    message.unwrap_or_else(|| panic!("it names the file: {text}")).to_owned()
}

/// A file of version 1.0 with this header, which is padded as `numpy.save` does.
fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
    let len = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((len as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = len - 1).bytes());
    file.extend(elements);
    file
}

/// The same for an array in row-major order.
fn array(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    npy(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), elements)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
}

#[test]
fn every_type_is_converted() -> Result<(), Error> {
    // Written by NumPy 2.4 from [1.5, -0.1], [-2, 100], [3, 200] and [True, False].
    for (descr, elements) in [
        ("<f2", "003e66ae"),
        (">f2", "3e00ae66"),
        ("<f4", "0000c03fcdccccbd"),
        (">f4", "3fc00000bdcccccd"),
        ("<f8", "000000000000f83f9a9999999999b9bf"),
        (">f8", "3ff8000000000000bfb999999999999a"),
        ("|i1", "fe64"),
        ("|u1", "03c8"),
        ("|b1", "0100"),
        ("<i2", "feff6400"),
        (">i2", "fffe0064"),
        ("<u2", "0300c800"),
        (">u2", "000300c8"),
        ("<i4", "feffffff64000000"),
        (">i4", "fffffffe00000064"),
        ("<u4", "03000000c8000000"),
        (">u4", "00000003000000c8"),
        ("<i8", "feffffffffffffff6400000000000000"),
        (">i8", "fffffffffffffffe0000000000000064"),
        ("<u8", "0300000000000000c800000000000000"),
        (">u8", "000000000000000300000000000000c8"),
    ] {
        let found = with("types", &array(descr, "(2,)", &bytes(elements)), read)?;
        let expected = match &descr[1..] {
            // -0.1 as float16 has these bits as float32.
            "f2" => {
                Array::new([2], &[1.5f32, f32::from_bits(3_184_312_320)].map(half::f16::from_f32))?
            }
            "f4" | "f8" => Array::from([1.5f32, -0.1]),
            "b1" => Array::from([true, false]),
            kind if kind.starts_with('i') => Array::from([-2i32, 100]),
            _ => Array::from([3u32, 200]),
        };
        assert_eq!(found, expected, "{descr}");
    }
    Ok(())
}

#[test]
fn arrays_of_numpy_are_read() -> Result<(), Error> {
    let text = "'shape': (2, 3), }                                                           \n";
    let fortran = [
        b"\x93NUMPY\x01\x00v\x00{'descr': '>i2', 'fortran_order': True, ",
        text.as_bytes(),
        &[0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5],
    ];
    let expected = Array::from([[0i32, 1, 2], [3, 4, 5]]);
    assert_eq!(with("fortran", &fortran.concat(), read)?, expected);
    let elements: Vec<u8> = (0..6).flat_map(|k| f64::from(k).to_le_bytes()).collect();
    for version in [2, 3] {
        let file = [
            &[0x93, b'N', b'U', b'M', b'P', b'Y', version, 0, b't', 0, 0, 0][..],
            b"{'descr': '<f8', 'fortran_order': False, ",
            // The header of these versions is two bytes shorter, as its length has two more, and
            // False has one more than True.
            &text.as_bytes()[..19],
            &text.as_bytes()[22..],
            &elements,
        ];
        let found = with("version", &file.concat(), read)?;
        assert_eq!(found, Array::from([[0f32, 1., 2.], [3., 4., 5.]]));
    }
    let scalar = with("scalar", &array("<f4", "()", &1.5f32.to_le_bytes()), read)?;
    assert_eq!(scalar, Array::scalar(1.5f32));
    let empty = with("empty", &array("<f4", "(0, 3)", &[]), read)?;
    assert_eq!(empty.shape().dims(), [0, 3]);
    // Python 2, and another writer.
    for header in [
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2L,), }",
        "{\"shape\":(2,),\"fortran_order\":True,\"descr\":\"<i4\"}",
    ] {
        let found = with("header", &npy(header, &bytes("feffffff64000000")), read)?;
        assert_eq!(found, Array::from([-2i32, 100]));
    }
    Ok(())
}

#[test]
fn fortran_order_has_any_number_of_axes() -> Result<(), Error> {
    // The element at [i, j, k] is 100 i + 10 j + k; the first index changes fastest.
    let (mut elements, mut expected) = (Vec::new(), Vec::new());
    for k in 0..4u8 {
        (0..3).for_each(|j| elements.extend((0..2).map(|i| 100 * i + 10 * j + k)));
    }
    for i in 0..2u32 {
        (0..3).for_each(|j| expected.extend((0..4).map(|k| 100 * i + 10 * j + k)));
    }
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }";
    let found = with("axes", &npy(header, &elements), read)?;
    assert_eq!(found, Array::new([2, 3, 4], &expected)?);
    Ok(())
}

#[test]
fn what_does_not_fit_names_the_element() -> Result<(), Error> {
    let both = |first: [u8; 8], second: [u8; 8]| [first, second].concat();
    let int = |x: i64| x.to_le_bytes();
    let float = |x: f64| x.to_le_bytes();
    for (descr, elements, expected) in [
        ("<i8", both(int(0), int(1 << 31)), "element [1, 0]: 2147483648 does not fit into i32"),
        (
            "<i8",
            both(int(0), int(i64::MIN)),
            "element [1, 0]: -9223372036854775808 does not fit into i32",
        ),
        ("<u8", both(int(0), int(1 << 32)), "element [1, 0]: 4294967296 does not fit into u32"),
        ("<f8", both(float(0.0), float(-1e39)), "element [1, 0]: -1e39 does not fit into f32"),
    ] {
        let text = damage("fit", &array(descr, "(2, 1)", &elements), read);
        assert_eq!(text, format!("at byte 136: {expected}"));
    }
    let text = damage("truth", &array("|b1", "(3,)", &[0, 1, 2]), read);
    assert_eq!(text, "at byte 130: element [2]: expected 0 or 1, found 2");
    let header = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 2), }";
    let elements = [int(0), int(0), int(1 << 40), int(0)].concat();
    let text = damage("order", &npy(header, &elements), read);
    assert_eq!(text, "at byte 144: element [0, 1]: 1099511627776 does not fit into i32");
    // The limits themselves, the largest number that is rounded to f32, and what is not finite.
    let limits = both(int(i64::from(i32::MIN)), int(i64::from(i32::MAX)));
    assert_eq!(
        with("i32", &array("<i8", "(2,)", &limits), read)?,
        Array::from([i32::MIN, i32::MAX])
    );
    let most = both(float(f64::from(f32::MAX)), float(f64::NEG_INFINITY));
    let expected = Array::from([f32::MAX, f32::NEG_INFINITY]);
    assert_eq!(with("f32", &array("<f8", "(2,)", &most), read)?, expected);
    Ok(())
}

#[test]
fn damage_names_the_byte() {
    let types = "expected elements of type f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 or b1";
    let keys = "expected each of descr, fortran_order and shape once";
    let header = |entries: &str| npy(&format!("{{{entries}}}"), &[0; 4]);
    let with_shape = |shape: &str| array("<f4", shape, &[0; 4]);
    let axes = format!("({})", "1, ".repeat(65));
    for (content, expected) in [
        (Vec::new(), "at byte 0: expected a NumPy array, found an empty file".to_owned()),
        (b"\x93NUMP".to_vec(), "at byte 0: expected a NumPy array, found the bytes".into()),
        (
            b"PK\x03\x04 and so on".to_vec(),
            "at byte 0: expected a NumPy array, found a ZIP archive".into(),
        ),
        (
            b"\x93NUMPY\x04\x00v\x00".to_vec(),
            "at byte 6: expected version 1.0, 2.0 or 3.0, found [4, 0]".into(),
        ),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            "at byte 12: expected a header of at most 65536 bytes".into(),
        ),
        (
            array("|O", "(1,)", b"\x80\x04"),
            format!("at byte 20: {types}, found \"|O\" (Python objects)"),
        ),
        (array("<U2", "(1,)", &[0; 8]), format!("at byte 20: {types}, found \"<U2\"")),
        (array("<c16", "(1,)", &[0; 16]), format!("at byte 20: {types}, found \"<c16\"")),
        (array("|f4", "(1,)", &[0; 4]), format!("at byte 20: {types}, found \"|f4\"")),
        (
            header(
                "'descr': [('a', '<i4'), ('b', '|u1')], 'fortran_order': False, 'shape': (1,), ",
            ),
            format!("at byte 20: {types}, not structures, found \"[('a', '<i4'), ('b', '|u1')]"),
        ),
        (header("'shape': (1,)"), "at byte 10: expected the entries descr".into()),
        (header("'descr': '<f4', 'descr': '<f4'"), format!("at byte 27: {keys}, found \"descr\"")),
        (header("'order': '<f4'"), format!("at byte 11: {keys}, found \"order\"")),
        (header("'fortran_order': 0"), "at byte 28: expected True or False, found \"0}\"".into()),
        (header("'shape': 1"), "at byte 20: expected (, found".into()),
        (header("'shape': (-1,)"), "at byte 21: expected an extent, found \"-1,)}\"".into()),
        (header("'shape': (99999999999999999999,)"), "at byte 21: expected an extent".into()),
        (header("'shape': (1 2)"), "at byte 23: expected ), found".into()),
        (header("'shape': (1,"), "at byte 23: expected an extent, found \"}\"".into()),
        (header("'shape"), "at byte 11: expected a string".into()),
        (header("} {"), "at byte 13: expected the end of the header, found \"{}\"".into()),
        (with_shape(&axes), "at byte 253: expected at most 64 axes".into()),
        (with_shape("(2,)"), "at byte 132: expected 136 bytes, found the end".into()),
        (with_shape("()")[..130].to_vec(), "at byte 130: expected 132 bytes".into()),
        (with_shape("(0,)"), "at byte 128: expected the end, found more".into()),
        (
            [with_shape("(1,)"), vec![0]].concat(),
            "at byte 132: expected the end, found more".into(),
        ),
        (with_shape("(1000000000,)"), "at byte 132: expected".into()),
        (
            with_shape("(32768, 32769)"),
            "at byte 128: expected at most 1073741824 elements, found the shape".into(),
        ),
        (with_shape("(0, 4294967296, 4294967296)"), "at byte 128: expected at most".into()),
    ] {
        let text = damage("damage", &content, read);
        assert!(text.starts_with(&expected), "{text}\n{expected}");
    }
    let io = read(&path("no file")).expect_err("there is none");
    assert!(matches!(io, Error::File(FileError::Io { .. })), "{io:?}");
}

#[test]
fn a_cut_array_is_an_error() {
    let good = array("<i2", "(2, 3)", &[7; 12]);
    assert!(with("whole", &good, read).is_ok());
    for cut in 0..good.len() {
        damage("cut", &good[..cut], read);
    }
}

#[test]
fn any_bytes_of_a_header_are_read_or_refused() {
    let good = array("<i2", "(2, 3)", &[7; 12]);
    for at in 0..60 {
        for byte in [0, b' ', b'\'', b'(', b'9', b'{', b'}', 0x93, 0xff] {
            let mut file = good.clone();
            file[at] = byte;
            let result = with("bytes", &file, read);
            // Either the byte was the same, or it is damage: byte 40 may be a space for a space.
            if let Ok(array) = result {
                assert_eq!(array.words().len(), 6, "byte {at}: {byte:#x}");
            }
        }
    }
}

/// Archives that `numpy.savez` and `numpy.savez_compressed` of NumPy 2.4 wrote, with
/// `x=arange(3, dtype="f4")` and `y=[True, False, True]`.
fn archives() -> [Vec<u8>; 2] {
    let spaces = "20".repeat(60);
    let descr = "934e554d5059010076007b276465736372273a20";
    let order =
        "2c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028332c292c207d";
    let stored = [
        "504b03042d000000000000002100b68c8653ffffffffffffffff05001400782e6e7079010010008c00000000000000\
         8c00000000000000",
        descr,
        "273c663427",
        order,
        &spaces,
        "0a000000000000803f00000040",
        "504b03042d00000000000000210016938cbbffffffffffffffff05001400792e6e7079010010008300000000000000\
         8300000000000000",
        descr,
        "277c623127",
        order,
        &spaces,
        "0a010001",
        "504b01022d032d000000000000002100b68c86538c0000008c000000050000000000000000000000800100000000\
         782e6e7079504b01022d032d00000000000000210016938cbb83000000830000000500000000000000000000008001\
         c3000000792e6e7079504b05060000000002000200660000007d0100000000",
    ];
    let compressed = "504b03042d000000080000002100b68c8653ffffffffffffffff05001400782e6e7079010010008c\
        000000000000004b000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54\
        529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e063068b007120e00504b0304\
        2d00000008000000210016938cbbffffffffffffffff05001400792e6e7079010010008300000000000000470000\
        00000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e9364a8aea3a09e965f54529498179f5f94920a12\
        774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e46064600504b01022d032d000000080000002100b68c\
        86534b0000008c000000050000000000000000000000800100000000782e6e7079504b01022d032d00000008000000\
        210016938cbb4700000083000000050000000000000000000000800182000000792e6e7079504b0506000000000200\
        0200660000000001\
        00000000";
    [bytes(&stored.concat()), bytes(compressed)]
}

#[test]
fn archives_of_numpy_are_read() -> Result<(), Error> {
    let expected = [
        ("x".to_owned(), Array::from([0f32, 1.0, 2.0])),
        ("y".to_owned(), Array::from([true, false, true])),
    ];
    for archive in archives() {
        assert_eq!(with("archive", &archive, read_npz)?, expected);
    }
    // An archive without entries: `numpy.savez` without arrays.
    let none = [&b"PK\x05\x06"[..], &[0; 18]].concat();
    assert_eq!(with("none", &none, read_npz)?, []);
    Ok(())
}

#[test]
fn a_cut_archive_is_an_error() {
    for archive in archives() {
        for cut in 0..archive.len() {
            damage("archive cut", &archive[..cut], read_npz);
        }
    }
}

#[test]
fn damage_in_an_archive_is_an_error() {
    let [stored, compressed] = archives();
    // Every byte of the first array: the checksum detects what the header does not.
    for at in 55..55 + 140 {
        let mut file = stored.clone();
        file[at] ^= 0x10;
        let text = damage("stored", &file, read_npz);
        assert!(text.starts_with("x.npy at byte "), "{text}");
    }
    for at in 55..55 + 75 {
        let mut file = compressed.clone();
        file[at] ^= 0x10;
        damage("compressed", &file, read_npz);
    }
    // Any damage anywhere is an error or whole, and never a panic.
    for archive in [stored, compressed] {
        for at in 0..archive.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut file = archive.clone();
                file[at] ^= flip;
                if let Ok(arrays) = with("flip", &file, read_npz) {
                    assert!(arrays.len() <= 2);
                }
            }
        }
    }
    let text = damage("single", &array("<f4", "()", &[0; 4]), read_npz);
    let expected =
        "at byte 0: expected a ZIP archive, found a NumPy array, which `npy::read` reads";
    assert_eq!(text, expected);
}

#[test]
fn what_is_written_is_read() -> Result<(), Error> {
    let halves = [0.5f32, -2.0].map(half::f16::from_f32);
    let arrays = [
        ("a", Array::from([[0.5f32, f32::NAN], [-0.0, f32::INFINITY]])),
        ("b", Array::new([2], &halves)?),
        ("c", Array::from([i32::MIN, -1])),
        ("d", Array::from([u32::MAX])),
        ("e", Array::from([[true], [false]])),
        ("f", Array::scalar(7u32)),
        ("g", Array::new([0, 2], &[0f32; 0])?),
    ];
    let file = path("written");
    for (_, array) in &arrays {
        write(&file, array)?;
        assert_eq!(read(&file)?, *array);
    }
    // As `numpy.save` writes [[True], [False]].
    write(&file, &arrays[4].1)?;
    let expected = array("|b1", "(2, 1)", &[1, 0]);
    assert_eq!(fs::read(&file).expect("it is there"), expected);
    let borrowed = arrays.each_ref().map(|(name, array)| (*name, array));
    write_npz(&file, &borrowed)?;
    let found = read_npz(&file)?;
    let found: Vec<_> = found.iter().map(|(name, array)| (name.as_str(), array)).collect();
    assert_eq!(found, borrowed);
    let twice = write_npz(&file, &[borrowed[0], borrowed[0]]).expect_err("one name");
    assert!(matches!(twice, Error::File(FileError::Io { .. })), "{twice:?}");
    let deep = write(&file, &Array::new(vec![1usize; 65], &[0f32])?).expect_err("too deep");
    assert!(deep.to_string().ends_with("NumPy has at most 64"), "{deep}");
    fs::remove_file(file).expect("it can be removed");
    Ok(())
}

#[test]
fn a_small_archive_that_claims_much_is_refused() {
    // 64 MiB of zeros in 64 KiB of DEFLATE, under a header that claims four elements.
    let mut content = array("<f4", "(4,)", &[]);
    content.resize(content.len() + (64 << 20), 0);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("x.npy", options).expect("memory takes it");
    archive.write_all(&content).expect("memory takes it");
    let archive = archive.finish().expect("memory takes it").into_inner();
    let text = damage("bomb", &archive, read_npz);
    assert_eq!(text, "x.npy at byte 144: expected the end, found more");
}
