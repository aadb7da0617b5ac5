//! Files from outside, damaged in thousands of ways: no panic, an error that names the file or a
//! whole result, and no more memory than the file has earned.
#![cfg(feature = "files")]
#![expect(unsafe_code, reason = "an allocator that counts is one")]

mod drawing;

use flate2::{Compression, write::GzEncoder};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};
use wgrad::{
    Array, Error, FileError, Variables,
    data::{idx, images, npy, series, table::Table, text},
    io::safetensors,
    testing::Noise,
};

/// Keeps the size of the largest block that was asked for.
struct Counting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A file in a folder of its own.
fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    fs::create_dir_all(&folder).expect("it can be made");
    folder.join(name)
}

/// The bytes with one to four kinds of damage.
fn damaged(bytes: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let below = |noise: &mut Noise, n: usize| (noise.unit() * n as f64) as usize;
    for _ in 0..=below(noise, 4) {
        let at = below(noise, bytes.len().max(1));
        // Most of what can go wrong is said at the beginning.
        let at = if noise.unit() < 0.5 { at % 64 } else { at }.min(bytes.len());
        match below(noise, 6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(noise, 8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, below(noise, 256) as u8),
            3 => _ = bytes.drain(at..(at + below(noise, 9)).min(bytes.len())),
            // A length that is none.
            4 => {
                let extreme = [0, 1, u32::MAX, 0x7FFF_FFFF, 0x8000_0000][below(noise, 5)];
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&u32::to_be_bytes(extreme)[..end - at]);
            }
            _ if at < bytes.len() => bytes[at] = [0, b'9', b'-', b'"', b'}', 0xFF][below(noise, 6)],
            _ => {}
        }
    }
    bytes
}

/// Number of damaged copies of a file.
const COPIES: u64 = 3000;

/// Reads damaged copies of a file; `most` is what a block of memory may have, of so many bytes.
fn survives<T>(
    name: &str,
    good: &[u8],
    read: impl Fn(&Path) -> Result<T, Error>,
    most: impl Fn(usize) -> usize,
) {
    survives_if(name, good, COPIES / 4, read, most);
}

/// The same of a format of which fewer are wrong: almost any text is a table.
fn survives_if<T>(
    name: &str,
    good: &[u8],
    least: u64,
    read: impl Fn(&Path) -> Result<T, Error>,
    most: impl Fn(usize) -> usize,
) {
    let path = file(name);
    fs::write(&path, good).expect("it can be written");
    assert!(read(&path).is_ok(), "{name} is not whole to begin with");
    let mut refused = 0;
    for seed in 0..COPIES {
        let bytes = damaged(good, &mut Noise::new(seed));
        fs::write(&path, &bytes).expect("it can be written");
        LARGEST.store(0, Ordering::Relaxed);
        let result = read(&path);
        let (largest, most) = (LARGEST.load(Ordering::Relaxed), most(bytes.len()));
        assert!(largest <= most, "{name}, seed {seed}: {largest} bytes at once, not {most}");
        if let Err(error) = result {
            let is_of_file = matches!(&error, Error::File(FileError::Corrupt { path: of, .. } | FileError::Io { path: of, .. }) if *of == path);
            assert!(is_of_file, "{name}, seed {seed}: {error}");
            refused += 1;
        }
    }
    assert!(refused > least, "{name}: only {refused} of {COPIES} were refused");
}

/// Memory that reading takes for any file: buffers, messages, tables of the decoders.
const FIXED: usize = 256 << 10;

/// One test: the largest block is that of the process.
#[test]
fn damaged_files_are_errors() -> Result<(), Error> {
    let variables = Variables::new(0);
    let values: Vec<f32> = (0..600).map(|k| k as f32).collect();
    variables.insert("model/0/weight", Array::new([20, 30], &values)?)?;
    variables.insert("model/0/bias", Array::new([30], &values[..30])?)?;
    let path = file("model.safetensors");
    safetensors::save_with_note(&path, &variables, "model/", "{\"task\":\"digits\"}")?;
    let good = fs::read(&path).expect("it is there");
    survives("model.safetensors", &good, safetensors::read_with_note, |len| 2 * len + FIXED);

    // Each byte becomes an f32, and never more are asked for than there are.
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 28];
    images.extend((0..5 * 28 * 28).map(|k| k as u8));
    survives("images", &images, idx::images, |len| 4 * len + FIXED);
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, 100];
    labels.extend([7; 100]);
    survives("labels", &labels, idx::labels, |len| 4 * len + FIXED);
    // The limit of a compressed file is its uncompressed size, up to 1032 times as much with deflate.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&images).expect("it fits in memory");
    let gzip = gzip.finish().expect("it fits in memory");
    survives("images.gz", &gzip, idx::images, |len| 4 * 1032 * len + FIXED);

    // A image may claim what the limits of the reader allow, and no more.
    const CLAIMED: usize = 512 << 20;
    for name in ["image.png", "image.jpg", "image.gif", "image.webp"] {
        drawing::save(&file(name), [24, 16], |x, y| [x as u8 * 9, y as u8 * 9, 77]);
        let good = fs::read(file(name)).expect("it is there");
        survives(name, &good, |path| images::read(path, [3, 8, 8]), |_| CLAIMED);
    }

    // Each element has a byte or more, and a deflated file is up to 1032 times as large.
    let (matrix, labels) = (Array::new([20, 30], &values)?, Array::new([20], &[1u32; 20])?);
    npy::write(&file("array.npy"), &matrix)?;
    let good = fs::read(file("array.npy")).expect("it is there");
    survives("array.npy", &good, npy::read, |len| 8 * len + FIXED);
    npy::write_npz(&file("arrays.npz"), &[("inputs", &matrix), ("targets", &labels)])?;
    let good = fs::read(file("arrays.npz")).expect("it is there");
    survives("arrays.npz", &good, npy::read_npz, |len| 4 * 1032 * len + FIXED);

    let row = |k: u32| format!("{k},{}.5,\"a, {}\",{}\r\n", k * 7, k % 3, k % 2);
    let csv: String =
        (0..40).map(row).fold("id,size,kind,label\r\n".to_owned(), |csv, row| csv + &row);
    survives_if("table.csv", csv.as_bytes(), 0, Table::read, |len| 64 * len + FIXED);
    let case =
        |k: u32| format!("{k},{}.25,3:1,{k},-2e-3:{}\n", k * 3, ["low", "high"][k as usize % 2]);
    let header = "@dimensions 2\n@classLabel true low high\n@data\n".to_owned();
    let series = (0..12).map(case).fold(header, |series, case| series + &case);
    survives("series.ts", series.as_bytes(), series::read, |len| 64 * len + FIXED);
    survives_if(
        "text.txt",
        "Ein Wort, ein Satz -: aus Chiffren steigen".as_bytes(),
        0,
        text::read,
        |len| 4 * len + FIXED,
    );
    Ok(())
}
