//! File formats recognized by their first bytes.

/// The kind of a file, with its article; `None` if it is not known.
pub(crate) fn kind(content: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| content.starts_with(magic);
    let at = |index: usize| content.get(index).copied().unwrap_or(0);
    // A safetensors file begins with a length, whose last bytes are 0: two bytes of magic are too few.
    let kind = match content {
        _ if begins(b"\x89PNG\r\n\x1a\n") => "a PNG image",
        _ if begins(b"\xff\xd8\xff") && at(3) >= 0xC0 => "a JPEG image",
        _ if begins(b"GIF8") => "a GIF image",
        _ if begins(b"BM") && at(14) == 40 => "a BMP image",
        _ if begins(b"RIFF") && content.get(8..12) == Some(b"WEBP") => "a WebP image",
        _ if begins(b"II*\0") || begins(b"MM\0*") => "a TIFF image",
        _ if begins(b"PK\x03\x04") => "a ZIP archive, as of torch.save, numpy.savez or Keras",
        [0x80, 2..=5, rest @ ..] if rest.iter().take(6).any(|&byte| byte != 0) => {
            "a pickle, as of torch.save"
        }
        _ if begins(b"\x89HDF\r\n\x1a\n") => "an HDF5 file, as of Keras",
        _ if begins(b"GGUF") => "a GGUF file",
        [8, 1..=32, 0x12, 1..=255, ..] => "an ONNX file",
        _ if begins(b"\x93NUMPY") => "a NumPy array",
        _ if begins(b"\x1f\x8b\x08") => "a gzip archive",
        _ if begins(b"%PDF") => "a PDF document",
        _ if is_text(content) => text(content),
        _ => return None,
    };
    Some(kind)
}

fn is_text(content: &[u8]) -> bool {
    let is_printed = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    content.len() >= 8 && content.iter().take(64).all(is_printed)
}

fn text(content: &[u8]) -> &'static str {
    let content = content.trim_ascii_start();
    let begins = |word: &str| {
        content.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    match content.first() {
        _ if begins("version https://git-lfs") => {
            "a pointer of Git LFS, in place of the file that was not fetched"
        }
        _ if begins("<!doctype html") || begins("<html") => "an HTML page",
        Some(b'{' | b'[') => "JSON, as the index of a model in several files is",
        _ => "a text",
    }
}
