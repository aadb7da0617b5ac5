//! The texts that the samples of the project assemble.

use crate::Failure;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use wgrad::testing::samples;

/// A text that a driver would get, of the many that are assembled of a file.
pub struct Kernel {
    /// The file in `shaders/`, without its extension.
    pub file: &'static str,
    /// The type of its elements, unless they are of four bytes: `f16`, or `i8` for words of bytes.
    pub elements: &'static str,
    pub overrides: Vec<(String, f64)>,
    pub text: String,
}

impl Kernel {
    /// All that tells it from others: `matmul f16 EDGE=16`.
    pub fn name(&self) -> String {
        let words = [self.file, self.elements].into_iter().filter(|word| !word.is_empty());
        let overrides = self.overrides.iter().map(|(name, value)| format!("{name}={value}"));
        words.map(str::to_owned).chain(overrides).collect::<Vec<_>>().join(" ")
    }

    /// The target that has the matrix units it is for, if there is one; `None` for a kernel that is for
    /// none, and so for all targets.
    pub fn units(&self) -> Option<Option<&'static str>> {
        let lanes =
            self.overrides.iter().find(|(name, _)| name == "LANES").map(|(_, lanes)| *lanes);
        let is_large = self.text.contains("coop_mat16x16");
        self.text.contains("enable wgpu_cooperative_matrix").then_some(match lanes {
            Some(32.0) if is_large => Some("hopper"),
            Some(64.0) if is_large => Some("navi33"),
            _ => None,
        })
    }

    /// Where [`write`] puts its text.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name().replace(' ', "_") + ".wgsl")
    }
}

/// One text for each file, type of elements and set of overrides, ordered by name: the shortest, in
/// which the least is fused; of those of one length, the first in the order of their bytes.
pub fn kernels() -> Result<Vec<Kernel>, Failure> {
    let mut kernels = BTreeMap::<String, Kernel>::new();
    for sample in samples() {
        for assembly in sample.shaders(true)? {
            let overrides = assembly.overrides.iter().map(|&(name, value)| (name.into(), value));
            let kernel = Kernel {
                file: assembly.shader,
                elements: match &assembly.text {
                    text if text.starts_with("enable f16; ") => "f16",
                    text if text.contains("dot4I8Packed(") => "i8",
                    _ => "",
                },
                overrides: overrides.collect(),
                text: assembly.text,
            };
            let order = |kernel: &Kernel| (kernel.text.len(), kernel.text.clone());
            match kernels.get_mut(&kernel.name()) {
                Some(known) if order(known) <= order(&kernel) => {}
                Some(known) => *known = kernel,
                None => drop(kernels.insert(kernel.name(), kernel)),
            }
        }
    }
    Ok(kernels.into_values().collect())
}

/// Writes every text into a folder, in place of what was there.
pub fn write(kernels: &[Kernel], folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for kernel in kernels {
        fs::write(kernel.path(folder), &kernel.text)?;
    }
    Ok(())
}
