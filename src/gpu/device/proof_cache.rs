//! Cache of verification results for an adapter and driver, from this process and earlier ones.
//!
//! On disk it is a log ([`ProofLog`]), specific to this adapter, driver and version of the crate;
//! any other combination has its own file.

pub(crate) use super::proof_entry::{Entry, Key, key};
#[cfg(feature = "files")]
use super::{proof_entry::hash, proof_log::ProofLog};
use std::collections::{HashMap, HashSet};

/// Version of what the file holds. In the first, kernels had failed that were only in hand when a
/// device reported an error; the second knew only modules that are checked.
#[cfg(feature = "files")]
const VERSION: u32 = 3;

/// Names files of this kind and version that hold for an adapter, its driver and this version of the
/// crate.
#[cfg(feature = "files")]
pub(super) fn identity(kind: &str, version: u32, adapter: &wgpu::AdapterInfo) -> u128 {
    let identity = format!(
        "wgrad {} {kind} {version}\n{} {:x}:{:x}\n{}\n{} {}\n",
        env!("CARGO_PKG_VERSION"),
        adapter.name,
        adapter.vendor,
        adapter.device,
        adapter.backend,
        adapter.driver,
        adapter.driver_info,
    );
    hash([identity.as_bytes()])
}

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
            let name = format!("proofs-{:032x}.txt", identity("proofs", VERSION, adapter));
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
