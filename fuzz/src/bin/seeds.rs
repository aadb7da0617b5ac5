//! Writes a whole file of each kind for the targets to begin with, below `corpus`.

#[path = "../../../tests/drawing/mod.rs"]
mod drawing;

use flate2::{Compression, write::GzEncoder};
use std::{error::Error, fs, io::Write, path::Path};
use wgrad::{Array, Variables, data::npy, io::safetensors};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["safetensors", "idx", "images", "tables", "arrays", "series"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    let variables = Variables::new(0);
    variables.insert("net/weight", Array::new([2, 3], &[0.5f32; 6])?)?;
    variables.insert("net/count", Array::new([2], &[1u32, 2])?)?;
    safetensors::save_with_note(&corpus.join("safetensors/model"), &variables, "", "{}")?;

    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4];
    images.extend(0..32);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&images)?;
    fs::write(corpus.join("idx/images"), &images)?;
    fs::write(corpus.join("idx/images.gz"), gzip.finish()?)?;
    fs::write(corpus.join("idx/labels"), [0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9])?;

    for ending in ["png", "jpg", "gif", "webp"] {
        let path = corpus.join(format!("images/image.{ending}"));
        drawing::save(&path, [6, 4], |x, y| [x as u8 * 40, y as u8 * 60, 77]);
    }

    fs::write(corpus.join("tables/table"), "size,kind\r\n1.5,\"a, b\"\r\n,c\r\n")?;
    let series = "@dimensions 2\n@classLabel true low high\n@data\n1,2:3,?:low\n";
    fs::write(corpus.join("series/series"), series)?;
    let array = Array::from([[0.5f32, 1.0], [2.0, 3.0]]);
    npy::write(&corpus.join("arrays/array"), &array)?;
    npy::write_npz(&corpus.join("arrays/archive"), &[("x", &array)])?;
    Ok(())
}
