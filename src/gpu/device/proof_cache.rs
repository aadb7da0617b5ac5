//! Cache of verification results for an adapter and driver, from this process and earlier ones.
//!
//! On disk it is a log ([`ProofLog`]), specific to this adapter, driver and version of the crate;
//! any other combination has its own file.

#[cfg(feature = "files")]
use super::proof_log::ProofLog;
use crate::gpu::codegen::Assembly;
use std::collections::{HashMap, HashSet};

/// Identifies the dispatches of a step: text, overrides, grid and uniforms.
pub(crate) type Key = u128;

/// The verification result of a step's dispatches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// Their results were correct.
    Proved,
    /// Their results were correct but for those of NaN, infinities and other special values, with a
    /// description of one of these.
    Finite(String),
    /// They failed, with a description of the wrong result.
    Failed(String),
}

/// Version of what the file holds. In the first, kernels had failed that were only in hand when a
/// device reported an error.
#[cfg(feature = "files")]
const VERSION: u32 = 2;

/// The verification results of an adapter.
#[derive(Debug, Default)]
pub(crate) struct ProofCache {
    entries: HashMap<Key, Entry>,
    /// Keys verified in this process.
    fresh: HashSet<Key>,
    #[cfg(feature = "files")]
    log: Option<ProofLog>,
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
            let identity = format!(
                "wgrad {} proofs {VERSION}\n{} {:x}:{:x}\n{}\n{} {}\n",
                env!("CARGO_PKG_VERSION"),
                adapter.name,
                adapter.vendor,
                adapter.device,
                adapter.backend,
                adapter.driver,
                adapter.driver_info,
            );
            let name = format!("proofs-{:032x}.txt", hash([identity.as_bytes()]));
            let folder = crate::cache::directory();
            folder.map(|folder| ProofCache::at(folder.join(name))).unwrap_or_default()
        }
    }

    /// The cache with this file.
    #[cfg(feature = "files")]
    pub fn at(path: std::path::PathBuf) -> Self {
        let (log, entries) = ProofLog::open(path);
        ProofCache { entries, fresh: HashSet::new(), log: Some(log) }
    }

    /// Looks up a result; if `fresh`, only among those of this process.
    pub fn entry(&self, key: Key, fresh: bool) -> Option<&Entry> {
        self.entries.get(&key).filter(|_| !fresh || self.fresh.contains(&key))
    }

    /// Records a result; `label` is human-readable. Returns an error message if it cannot be
    /// written to disk.
    pub fn record(&mut self, key: Key, entry: Entry, label: &str) -> Result<(), String> {
        self.fresh.insert(key);
        if self.entries.insert(key, entry.clone()).as_ref() == Some(&entry) {
            return Ok(());
        }
        #[cfg(feature = "files")]
        if let Some(log) = self.log.take() {
            // On failure the file is abandoned, so that the error is reported only once.
            log.append(key, &entry, label)?;
            self.log = Some(log);
        }
        let _ = label;
        Ok(())
    }
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
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    const BASIS: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
    let step = |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
    parts.into_iter().fold(BASIS, |hash, part| {
        let hash = part.iter().fold(hash, step);
        (part.len() as u64).to_le_bytes().iter().fold(hash, step)
    })
}

#[cfg(test)]
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
}
