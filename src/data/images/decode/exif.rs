//! The orientation that a camera notes.
//!
//! # Source
//!
//! Exif 2.32, section 4.6: a TIFF header, then directories of entries; the orientation, tag 0x112,
//! is in the first.

/// The orientation, 1 to 8, in an Exif block; 1, upright, without one.
pub(super) fn orientation(exif: Option<&[u8]>) -> u8 {
    exif.and_then(read).unwrap_or(1)
}

fn read(exif: &[u8]) -> Option<u8> {
    // Some files of WebP repeat the signature that the block has in a JPEG file.
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = usize::try_from(u32_at(4)?).ok()?;
    // An entry is a tag, a type, a count and four bytes of value; the orientation is one u16.
    for entry in 0..usize::from(u16_at(directory)?) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if (u16_at(at)?, u16_at(at + 2)?, u32_at(at + 4)?) == (0x112, 3, 1) {
            return u8::try_from(u16_at(at + 8)?)
                .ok()
                .filter(|orientation| (1..=8).contains(orientation));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exif_block_may_end_anywhere() {
        let exif =
            b"MM\0*\0\0\0\x08\0\x02\x01\0\0\x04\0\0\0\x01\0\0\0\x09\x01\x12\0\x03\0\0\0\x01\0\x06";
        for cut in 0..exif.len() {
            assert_eq!(orientation(Some(&exif[..cut])), 1, "{cut}");
        }
        assert_eq!(orientation(Some(exif)), 6);
        assert_eq!(orientation(Some(&[b"Exif\0\0", &exif[..]].concat())), 6);
        assert_eq!(orientation(None), 1);
    }
}
