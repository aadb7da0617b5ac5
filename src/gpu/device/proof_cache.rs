//! Cache of verification results for an adapter and driver, from this process and earlier ones.
//!
//! The file is a log with one line per step, appended immediately: processes may share it, and a
//! truncated line is ignored. It is specific to this adapter, driver and version of the crate; any
//! other combination has its own file.

use crate::gpu::codegen::Assembly;
use std::collections::{HashMap, HashSet};
#[cfg(feature = "files")]
use std::{fs, io::Write, path::PathBuf};

/// Identifies the dispatches of a step: text, overrides, grid and uniforms.
pub(crate) type Key = u128;

/// The verification result of a step's dispatches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// Their results were correct.
    Proved,
    /// They failed, with a description of the wrong result.
    Failed(String),
}

/// The verification results of an adapter.
#[derive(Debug, Default)]
pub(crate) struct ProofCache {
    entries: HashMap<Key, Entry>,
    /// Keys verified in this process.
    fresh: HashSet<Key>,
    #[cfg(feature = "files")]
    file: Option<PathBuf>,
}

impl ProofCache {
    /// Opens the cache of an adapter and loads its file. If there is no directory for the file, or
    /// it cannot be read, the cache lasts only as long as the process.
    pub fn open(adapter: &wgpu::AdapterInfo) -> Self {
        #[cfg(not(feature = "files"))]
        {
            let _ = adapter;
            ProofCache::default()
        }
        #[cfg(feature = "files")]
        {
            let mut proof_cache = ProofCache::default();
            let identity = format!(
                "wgrad {}\n{} {:x}:{:x}\n{}\n{} {}\n",
                env!("CARGO_PKG_VERSION"),
                adapter.name,
                adapter.vendor,
                adapter.device,
                adapter.backend,
                adapter.driver,
                adapter.driver_info,
            );
            let name = format!("proofs-{:032x}.txt", hash([identity.as_bytes()]));
            proof_cache.file = crate::cache::directory().map(|folder| folder.join(name));
            let known = proof_cache.file.as_ref().and_then(|file| fs::read_to_string(file).ok());
            proof_cache.entries =
                known.iter().flat_map(|text| text.lines()).filter_map(parse).collect();
            proof_cache
        }
    }

    /// Looks up a result; if `fresh`, only among those of this process.
    pub fn entry(&self, key: Key, fresh: bool) -> Option<&Entry> {
        self.entries.get(&key).filter(|_| !fresh || self.fresh.contains(&key))
    }

    /// Records a result; `label` is human-readable. Returns an error message if it cannot be
    /// written to disk.
    pub fn record(&mut self, key: Key, entry: Entry, label: &str) -> Result<(), String> {
        let line = match &entry {
            Entry::Proved => format!("{key:032x} proved {label}\n"),
            Entry::Failed(what) => format!("{key:032x} failed {label}: {what}\n"),
        };
        self.fresh.insert(key);
        let known = self.entries.insert(key, entry.clone());
        if known == Some(entry) {
            return Ok(());
        }
        self.append(&line)
    }

    #[cfg(feature = "files")]
    fn append(&mut self, line: &str) -> Result<(), String> {
        let Some(path) = self.file.take() else { return Ok(()) };
        let append = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())
        };
        // On failure the file is abandoned, so that the error is reported only once.
        append().map_err(|error| format!("{}: {error}", path.display()))?;
        self.file = Some(path);
        Ok(())
    }

    #[cfg(not(feature = "files"))]
    fn append(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// Parses a line; `None` if it is invalid.
#[cfg(feature = "files")]
fn parse(line: &str) -> Option<(Key, Entry)> {
    let (key, rest) = line.split_at_checked(32)?;
    let key = Key::from_str_radix(key, 16).ok()?;
    let entry = match rest.strip_prefix(' ')?.split_once(' ')? {
        ("proved", _) => Entry::Proved,
        ("failed", what) => Entry::Failed(what.to_owned()),
        _ => return None,
    };
    Some((key, entry))
}

/// The key of the dispatches of a step.
pub(crate) fn key(assemblies: &[Assembly]) -> Key {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for assembly in assemblies {
        parts.push(assembly.text.as_bytes().to_vec());
        let overrides = assembly.overrides.iter();
        parts.extend(
            overrides.flat_map(|(name, x)| [name.as_bytes().to_vec(), x.to_le_bytes().to_vec()]),
        );
        parts.push(assembly.workgroups.iter().flat_map(|n| n.to_le_bytes()).collect());
        parts.push(assembly.params.bytes().to_vec());
        parts.push(assembly.slot_params.clone());
    }
    hash(parts.iter().map(Vec::as_slice))
}

/// 128-bit FNV-1a: it need not resist forgery, and must be the same in every process. Each part is
/// followed by its length.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    const BASIS: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
    let step = |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
    parts.into_iter().fold(BASIS, |hash, part| {
        let hash = part.iter().fold(hash, step);
        (part.len() as u64).to_le_bytes().iter().fold(hash, step)
    })
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_definition() {
        // FNV-1a of "a" and the 8 bytes of its length, computed from the definition with
        // arbitrary-precision integers.
        let bytes = [b'a', 1, 0, 0, 0, 0, 0, 0, 0];
        let mut expected = 144_066_263_297_769_815_596_495_629_667_062_367_629_u128;
        for byte in bytes {
            expected =
                (expected ^ u128::from(byte)).wrapping_mul(309_485_009_821_345_068_724_781_371);
        }
        assert_eq!(hash([b"a".as_slice()]), expected);
        assert_ne!(hash([b"ab".as_slice(), b"c"]), hash([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn torn_lines_prove_nothing() {
        let line = format!("{:032x} proved matmul", 7u128);
        assert_eq!(parse(&line), Some((7, Entry::Proved)));
        for end in 0..line.len() - "matmul".len() {
            assert_eq!(parse(&line[..end]), None, "{:?}", &line[..end]);
        }
        for text in ["", "proved", "é", "00000000000000000000000000000000 trusted x"] {
            assert_eq!(parse(text), None);
        }
    }
}
