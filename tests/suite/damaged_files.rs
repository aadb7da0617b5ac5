//! Models that are cut off, damaged or no models: the error names the file, and says in plain words
//! what is wrong with it.

use std::path::PathBuf;
use wgrad::{Array, Error, Variables, io::safetensors};

/// A file of the test with this name, which is removed at its end.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        File(std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id())))
    }

    /// The text of the error for a file of these bytes, without its name; `None` if it is valid.
    fn error(&self, bytes: &[u8]) -> Option<String> {
        std::fs::write(&self.0, bytes).expect("it can be written");
        let error = safetensors::read_with_note(&self.0).err()?.to_string();
        let text = error.strip_prefix(&format!("{}: ", self.0.display()));
        Some(text.unwrap_or_else(|| unreachable!("{error} does not name the file")).to_owned())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A small model with a note.
fn model(file: &File) -> Result<Vec<u8>, Error> {
    let variables = Variables::new(0);
    variables.insert("net/weight", Array::new([2, 3], &[0.5f32; 6])?)?;
    variables.insert("net/count", Array::new([2], &[1u32, 2])?)?;
    variables.insert("net/mask", Array::new([3], &[true, false, true])?)?;
    safetensors::save_with_note(&file.0, &variables, "", "{}")?;
    Ok(std::fs::read(&file.0).expect("it was written"))
}

/// The length of the header.
fn header(bytes: &[u8]) -> usize {
    let (len, _) = bytes.split_first_chunk().expect("there are 8 bytes");
    usize::try_from(u64::from_le_bytes(*len)).expect("it is small")
}

fn report(wrong: &[String], all: usize) {
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

#[test]
fn a_model_that_is_cut_off_says_by_how_much() -> Result<(), Error> {
    let file = File::new("cut.safetensors");
    let good = model(&file)?;
    let (end, all) = (8 + header(&good), good.len());
    let mut wrong = Vec::new();
    for len in 0..all {
        let expected = match len {
            0 => "an empty file, where a safetensors file is expected".to_owned(),
            1..8 => format!(
                "cut off: {len} bytes, and a safetensors file begins with 8 for the length of its header"
            ),
            _ if len < end => {
                format!("cut off: {len} bytes, and its header alone ends at byte {end}")
            }
            _ => format!("cut off: {len} bytes, and its header says {all}"),
        };
        let text = file.error(&good[..len]).unwrap_or_default();
        if text != expected {
            wrong.push(format!("{len}: {text}"));
        }
    }
    report(&wrong, all);
    let longer = [&good[..], &[0; 3]].concat();
    let text = format!("damaged: {} bytes, and its header says {all}", all + 3);
    assert_eq!(file.error(&longer), Some(text));
    Ok(())
}

/// Every byte in front of the values is replaced by others, or lost.
#[test]
fn a_damaged_model_says_what_is_damaged() -> Result<(), Error> {
    let file = File::new("damaged.safetensors");
    let good = model(&file)?;
    let known = ["cut off: ", "damaged: ", "no safetensors file: ", "tensor net/"];
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for at in 0..8 + header(&good) {
        let replaced = |byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let lost = [&good[..at], &good[at + 1..]].concat();
        let others = [0, b'9', b'-', b'"', b'}', b']', 0xFF, good[at] ^ 1, good[at] ^ 0x20];
        for bytes in others.map(replaced).into_iter().chain([lost]) {
            let Some(text) = file.error(&bytes) else { continue };
            refused += 1;
            if !known.iter().any(|known| text.starts_with(known)) {
                wrong.push(format!("byte {at}: {text}"));
            }
        }
    }
    assert!(refused > 1500, "{refused}");
    report(&wrong, refused);
    Ok(())
}

/// A file with this header and as many bytes behind it.
fn with_header(header: &str, bytes: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![2; bytes]].concat()
}

#[test]
fn the_tensor_that_is_damaged_is_named() {
    let file = File::new("tensors.safetensors");
    let w = |entry: &str| format!(r#"{{"net/w":{{{entry}}}}}"#);
    let mut wrong = Vec::new();
    #[rustfmt::skip]
    let cases = [
        (w(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), 8, "damaged: tensor net/w, [3] in F32, takes 12 bytes, and has 8"),
        (w(r#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), 12, "damaged: tensor net/w begins at byte 4 of the data, and what comes before it ends at byte 0"),
        (w(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), 8, "damaged: tensor net/w ends at byte 0 of the data, and begins at byte 8"),
        (w(r#""dtype":"F31","shape":[2],"data_offsets":[0,8]"#), 8, "damaged: tensor net/w is of the unknown type \"F31\""),
        (w(r#""shape":[2],"data_offsets":[0,8]"#), 8, "damaged: tensor net/w has no type"),
        (w(r#""dtype":"F32","data_offsets":[0,8]"#), 8, "damaged: tensor net/w has no shape"),
        (w(r#""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#), 8, "damaged: tensor net/w has no shape"),
        (w(r#""dtype":"F32","shape":[2],"data_offsets":[0]"#), 8, "damaged: tensor net/w has no place in the data"),
        (w(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]"#), 8, "damaged: tensor net/w, [4294967296, 4294967296] in F32, takes more bytes than there are, and has 8"),
        (r#"{"net/w":1}"#.to_owned(), 8, "damaged: tensor net/w has no type"),
        (r#"{"__metadata__":{"a":1}}"#.to_owned(), 0, "damaged: __metadata__ holds more than texts"),
        ("[]".to_owned(), 0, "damaged: its header is no list of tensors"),
        ("{".to_owned(), 0, "damaged: its header is no JSON (EOF while parsing an object at line 1 column 1)"),
        (w(r#""dtype":"I16","shape":[4],"data_offsets":[0,8]"#), 8, "tensor net/w is of type I16, which is not supported: expected F64, F32, F16, BF16, I64, I32, U32 or BOOL"),
        (w(r#""dtype":"BOOL","shape":[8],"data_offsets":[0,8]"#), 8, "tensor net/w: element 0 is 2, and no truth value"),
        (w(r#""dtype":"I64","shape":[1],"data_offsets":[0,8]"#), 8, "tensor net/w: element 0 is 144680345676153346, which does not fit i32"),
    ];
    for (header, bytes, expected) in &cases {
        let text = file.error(&with_header(header, *bytes)).unwrap_or_default();
        if text != *expected {
            wrong.push(format!("{header}: {text}"));
        }
    }
    // What the type of an element cannot hold.
    let mut wide = with_header(&w(r#""dtype":"F64","shape":[2],"data_offsets":[0,16]"#), 8);
    wide.extend(1e300f64.to_le_bytes());
    let text = "tensor net/w: element 1 is 1e300, which does not fit f32";
    if file.error(&wide).as_deref() != Some(text) {
        wrong.push(format!("{:?}", file.error(&wide)));
    }
    report(&wrong, cases.len() + 1);
}

/// Files that people have instead.
#[test]
fn another_kind_of_file_is_told_by_its_kind() {
    let file = File::new("other.safetensors");
    let rest = [b' '; 100];
    let mut wrong = Vec::new();
    #[rustfmt::skip]
    let cases: [(&[u8], &str); 16] = [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"PK\x03\x04\0\0\x08\x08\0\0", "a ZIP archive, as of torch.save, numpy.savez or Keras"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", "a pickle, as of torch.save"),
        (b"\x80\x04\x95\x0b\0\0\0\0\0\0", "a pickle, as of torch.save"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "an HDF5 file, as of Keras"),
        (b"GGUF\x03\0\0\0\x01\0\0\0", "a GGUF file"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX file"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "a NumPy array"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "a gzip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS, in place of the file that was not fetched"),
        (b"{\"metadata\": {\"total_size\": 1}}", "JSON, as the index of a model in several files is"),
        (b"<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"%PDF-1.4", "a PDF document"),
        (b"hello world\n", "a text"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", "of a kind that is not known here"),
    ];
    for (start, kind) in cases {
        let bytes = [start, &rest].concat();
        let advice = match kind {
            kind if kind.contains("torch.save") => {
                ": safetensors.torch.save_file(model.state_dict(), path) writes one"
            }
            _ => "",
        };
        let expected = format!("no safetensors file: it is {kind}{advice}");
        let text = file.error(&bytes).unwrap_or_default();
        if text != expected {
            wrong.push(format!("{kind}: {text}"));
        }
    }
    report(&wrong, cases.len());
}
