//! Compiled pipelines on disk, a file each, where the driver hands them out (Vulkan).
//!
//! Drivers take such data at their word: data that somebody else made could do on a GPU, and in the
//! driver, whatever its maker likes. So a file is read only from a directory that no other user can
//! write to, and only if it is whole; wgpu then checks that it is of this driver. See decision 34.
//!
//! Like the proofs, the directory is of one adapter, driver and version of the crate.

use super::{proof_cache::identity, proof_entry::Key};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

/// Version of the files.
const VERSION: u32 = 1;

/// The first bytes of a file.
const MAGIC: [u8; 16] = *b"wgrad pipeline 1";

/// Magic, length of the data, and their SHA-256.
const HEADER: usize = 16 + 8 + 32;

/// Bytes of data of which nothing is kept: more than the headers of wgpu and Vulkan, all that a driver
/// returns which has a cache of its own.
const EMPTY: usize = 256;

/// The most data of a pipeline.
const MOST: u64 = 64 << 20;

/// Bytes of all files of a directory, past which the oldest half goes.
const MOST_OF_ALL: u64 = 256 << 20;

/// The directory of an adapter.
#[derive(Debug)]
pub(crate) struct PipelineFiles {
    path: PathBuf,
    /// Whether it can be trusted, once that was looked at.
    is_private: OnceLock<bool>,
}

impl PipelineFiles {
    /// The directory of an adapter; `None` if there is no cache directory.
    pub fn of(adapter: &wgpu::AdapterInfo) -> Option<Self> {
        let name = format!("pipelines-{:032x}", identity("pipelines", VERSION, adapter));
        Some(PipelineFiles::at(crate::cache::directory()?.join(name)))
    }

    fn at(path: PathBuf) -> Self {
        PipelineFiles { path, is_private: OnceLock::new() }
    }

    /// The data of a pipeline; `None` if there are none, or if they cannot be trusted.
    pub fn read(&self, key: Key) -> Option<Vec<u8>> {
        if !self.is_private() {
            return None;
        }
        let mut file = File::open(self.file(key)).ok()?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header).ok()?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (len, sum) = rest.split_at(8);
        let len = u64::from_le_bytes(len.try_into().ok()?);
        if magic != MAGIC || len > MOST || file.metadata().ok()?.len() != HEADER as u64 + len {
            return None;
        }
        let mut data = vec![];
        file.take(len).read_to_end(&mut data).ok()?;
        (data.len() as u64 == len && Sha256::digest(&data)[..] == *sum).then_some(data)
    }

    /// Keeps the data of a pipeline. What cannot be written is compiled again another time.
    pub fn write(&self, key: Key, data: &[u8]) {
        if data.len() <= EMPTY || data.len() as u64 > MOST || !self.is_private() {
            return;
        }
        if let Err(error) = self.replace(key, data) {
            log::info!("a pipeline is not kept: {}: {error}", self.path.display());
        }
    }

    fn replace(&self, key: Key, data: &[u8]) -> io::Result<()> {
        let beside = self.path.join(format!("{key:032x}.{}", process::id()));
        let write = || {
            let mut file = new_file(&beside)?;
            file.write_all(&MAGIC)?;
            file.write_all(&(data.len() as u64).to_le_bytes())?;
            file.write_all(&Sha256::digest(data))?;
            file.write_all(data)?;
            fs::rename(&beside, self.file(key))
        };
        write().inspect_err(|_| _ = fs::remove_file(&beside))
    }

    fn file(&self, key: Key) -> PathBuf {
        self.path.join(format!("{key:032x}.bin"))
    }

    /// Whether nobody else can write to the directory, which is created; makes room in it, too.
    fn is_private(&self) -> bool {
        *self.is_private.get_or_init(|| match self.prepare() {
            Ok(true) => true,
            Ok(false) => {
                let path = self.path.display();
                log::warn!("pipelines are not kept: others may write to {path}");
                false
            }
            Err(error) => {
                log::info!("pipelines are not kept: {}: {error}", self.path.display());
                false
            }
        })
    }

    fn prepare(&self) -> io::Result<bool> {
        create(&self.path)?;
        if !is_ours(&self.path)? {
            return Ok(false);
        }
        make_room(&self.path)?;
        Ok(true)
    }
}

/// Creates a directory for this user alone.
fn create(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates a file for this user alone; one that was left behind under this name goes.
fn new_file(path: &Path) -> io::Result<File> {
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether a directory is this user's, and no other user can write to it. Elsewhere than on Unix, cache
/// directories are private by their place.
#[cfg(unix)]
fn is_ours(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    // A link would be followed.
    let directory = fs::symlink_metadata(path)?;
    let own = path.join(format!("owner.{}", process::id()));
    let user = new_file(&own).and_then(|file| file.metadata());
    let _ = fs::remove_file(&own);
    Ok(directory.is_dir() && directory.uid() == user?.uid() && directory.mode() & 0o022 == 0)
}

#[cfg(not(unix))]
fn is_ours(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.is_dir())
}

/// Removes the oldest half of the files of a directory that has too many.
fn make_room(path: &Path) -> io::Result<()> {
    let files = fs::read_dir(path)?.filter_map(|entry| {
        let (path, content) = entry.ok().map(|entry| (entry.path(), entry.metadata()))?;
        let content = content.ok()?;
        Some((content.modified().ok()?, content.len(), path))
    });
    let mut files: Vec<_> = files.collect();
    let all: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if all <= MOST_OF_ALL {
        return Ok(());
    }
    files.sort();
    let mut left = all;
    for (_, bytes, path) in files {
        if left <= MOST_OF_ALL / 2 {
            break;
        }
        // Another process may have been here.
        let _ = fs::remove_file(path);
        left -= bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
