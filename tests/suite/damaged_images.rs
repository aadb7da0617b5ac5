//! Images that are cut off, damaged or no images: the error says which, in plain words.

use crate::drawing;
use wgrad::data::images;

/// Every prefix of an image, and the image with a byte changed, is read or says what it is and that
/// it is damaged: no decoder is quoted alone.
#[test]
fn a_damaged_image_says_what_is_damaged() {
    let (mut wrong, mut refused) = (Vec::new(), 0);
    let kinds = [
        ("png", "a PNG image"),
        ("jpg", "a JPEG image"),
        ("gif", "a GIF image"),
        ("webp", "a WebP image"),
    ];
    for (ending, kind) in kinds {
        let path =
            std::env::temp_dir().join(format!("wgrad-{}-damaged.{ending}", std::process::id()));
        drawing::save(&path, [8, 8], |x, y| [x as u8 * 30, y as u8 * 30, 7]);
        let good = std::fs::read(&path).expect("it was written");
        let cut = (0..good.len()).map(|len| good[..len].to_vec());
        let changed = (0..good.len()).map(|at| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x41;
            bytes
        });
        for bytes in cut.chain(changed) {
            std::fs::write(&path, &bytes).expect("it can be written");
            let Err(error) = images::read(&path, [3, 8, 8]) else { continue };
            refused += 1;
            let error = error.to_string();
            let text = error.strip_prefix(&format!("{}: ", path.display())).unwrap_or_default();
            let known = [
                &format!("{kind} that is cut off"),
                &format!("a damaged {}", &kind[2..]),
                &format!("{kind} of which"),
                "none of PNG, JPEG, GIF, WebP",
                "an empty file, where an image is expected (PNG, JPEG, GIF, WebP)",
            ];
            let is_too_large = text.ends_with(" per side");
            if !is_too_large && !known.iter().any(|known| text.starts_with(known)) {
                wrong.push(text.to_owned());
            }
        }
        std::fs::remove_file(&path).expect("it was written");
    }
    assert!(refused > 700, "{refused}");
    assert!(wrong.is_empty(), "{} of {refused}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn another_kind_of_file_is_no_image() {
    let path = std::env::temp_dir().join(format!("wgrad-{}-kind.png", std::process::id()));
    for (bytes, text) in [
        (&b"II*\0\0\0\0\0"[..], "none of PNG, JPEG, GIF, WebP: it is a TIFF image"),
        (b"no image at all", "none of PNG, JPEG, GIF, WebP: it is a text"),
        (b"\0\x01\x02", "none of PNG, JPEG, GIF, WebP"),
        (b"", "an empty file, where an image is expected (PNG, JPEG, GIF, WebP)"),
    ] {
        std::fs::write(&path, bytes).expect("it can be written");
        let error = images::read(&path, [3, 8, 8]).expect_err("it is none").to_string();
        assert_eq!(error, format!("{}: {text}", path.display()));
    }
    std::fs::remove_file(&path).expect("it was written");
}
