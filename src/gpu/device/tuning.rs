//! Which variant of a kernel is the fastest on an adapter, as measured there.
//!
//! Variants agree bit for bit, so what is in this file decides how long a program takes and nothing
//! else. It is of one adapter, driver and version of the crate, a line a problem: a check sum, the key
//! of the problem, the number of the variant, and a label for people.

use super::{proof_cache::identity, proof_entry::hash};
use crate::ops::kernel::Shader;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Version of the file.
const VERSION: u32 = 1;

/// Identifies the variants of a kernel at a shape.
type Key = u128;

/// The measured choices of an adapter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuning {
    path: Option<PathBuf>,
    best: BTreeMap<Key, (usize, String)>,
}

impl Tuning {
    /// Reads the file of an adapter. Lines that are damaged are left out.
    pub fn of(adapter: &wgpu::AdapterInfo) -> Self {
        let name = format!("tuning-{:032x}.txt", identity("tuning", VERSION, adapter));
        match crate::cache::directory() {
            Some(folder) => Tuning::at(folder.join(name)),
            None => Tuning::default(),
        }
    }

    fn at(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        Tuning { best: text.lines().filter_map(parse).collect(), path: Some(path) }
    }

    /// The fastest of these variants, if that was measured.
    pub fn best(&self, variants: &[Shader]) -> Option<usize> {
        let &(best, _) = self.best.get(&key(variants))?;
        (best < variants.len()).then_some(best)
    }

    /// Notes the fastest of these variants.
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "benchmarks tune"))]
    pub fn note(&mut self, variants: &[Shader], best: usize, label: &str) {
        let label = label.replace(char::is_control, " ");
        self.best.insert(key(variants), (best, label));
    }

    /// Writes the file, with what other processes have noted since it was read; returns its path,
    /// `None` if there is no cache directory.
    ///
    /// # Errors
    ///
    /// An error of the file system.
    #[cfg_attr(not(feature = "bench"), expect(dead_code, reason = "benchmarks tune"))]
    pub fn save(&self) -> io::Result<Option<&Path>> {
        let Some(path) = self.path.as_deref() else { return Ok(None) };
        let mut all = Tuning::at(path.to_owned()).best;
        all.extend(self.best.clone());
        let mut text = String::new();
        for (key, (best, label)) in all {
            let rest = format!("{key:032x} {best} {label}");
            let _ = writeln!(text, "{:032x} {rest}", hash([rest.as_bytes()]));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })?;
        Ok(Some(path))
    }
}

fn parse(line: &str) -> Option<(Key, (usize, String))> {
    let (sum, rest) = line.split_once(' ')?;
    if sum != format!("{:032x}", hash([rest.as_bytes()])) {
        return None;
    }
    let mut parts = rest.splitn(3, ' ');
    let key = Key::from_str_radix(parts.next()?, 16).ok()?;
    let best = parts.next()?.parse().ok()?;
    Some((key, (best, parts.next().unwrap_or_default().to_owned())))
}

fn key(variants: &[Shader]) -> Key {
    let mut parts: Vec<Vec<u8>> = vec![];
    for Shader { file, overrides, params, workgroups } in variants {
        parts.push(file.source.as_bytes().to_vec());
        parts.extend(file.imports.iter().map(|import| import.as_bytes().to_vec()));
        parts.extend(overrides.iter().map(|(name, x)| format!("{name} {x}").into_bytes()));
        parts.push(params.bytes().to_vec());
        parts.push(workgroups.extents.iter().flat_map(|n| n.to_le_bytes()).collect());
    }
    hash(parts.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variants(params: u32) -> Vec<Shader> {
        [16.0, 8.0, 4.0]
            .map(|edge| {
                Shader::new("product", "// text", &params.to_le_bytes(), 9)
                    .with_override("EDGE", edge)
            })
            .into()
    }

    #[test]
    fn what_was_noted_is_found_by_other_processes() {
        let name = format!("wgrad-tuning-{}.txt", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        let [mut one, mut other] = [Tuning::at(path.clone()), Tuning::at(path.clone())];
        assert_eq!(one.best(&variants(1)), None);
        one.note(&variants(1), 2, "a product");
        one.note(&variants(2), 1, "another\nproduct");
        other.note(&variants(3), 0, "");
        assert_eq!(one.save().expect("it can be written"), Some(path.as_path()));
        other.save().expect("it can be written");
        let found = |tuning: &Tuning| [1, 2, 3, 4].map(|n| tuning.best(&variants(n)));
        assert_eq!(found(&Tuning::at(path.clone())), [Some(2), Some(1), Some(0), None]);
        // A list that lacks a variant is another problem.
        assert_eq!(Tuning::at(path.clone()).best(&variants(1)[..2]), None);

        // A damaged line is left out, whatever it says.
        let text = fs::read_to_string(&path).expect("it was written");
        assert_eq!(text.lines().count(), 3);
        for damaged in
            [text.replace(" 2 a", " 1 a"), text.replace(" a ", " A "), text.replace(" 2 a", " 7 a")]
        {
            fs::write(&path, damaged).expect("it can be written");
            assert_eq!(found(&Tuning::at(path.clone())), [None, Some(1), Some(0), None]);
        }
        fs::write(&path, [0xff, 0xfe, 0]).expect("it can be written");
        assert_eq!(found(&Tuning::at(path.clone())), [None; 4]);
        fs::remove_file(path).expect("it is there");
    }
}
