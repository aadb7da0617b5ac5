//! Location of the on-disk cache for reproducible results.

use std::{env, path::PathBuf};

/// The cache directory: `WGRAD_CACHE_DIR`, or `wgrad` in the system's cache directory; `None` if
/// there is no such directory, or `WGRAD_CACHE_DIR` is empty.
pub(crate) fn directory() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if env::var_os("WGRAD_CACHE_DIR").is_some() {
        return folder("WGRAD_CACHE_DIR");
    }
    let of_system = if cfg!(target_os = "windows") {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    of_system.map(|folder| folder.join("wgrad"))
}
