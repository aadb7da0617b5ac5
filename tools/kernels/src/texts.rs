//! The texts that the samples of the project assemble.

use crate::Failure;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use wgrad::{Device, Graph, testing::samples};

/// A text that a driver would get, of the many that are assembled of a file.
pub struct Kernel {
    /// The file in `shaders/`, without its extension.
    pub file: &'static str,
    /// Whether its elements are stored as halves.
    pub is_half: bool,
    pub overrides: Vec<(String, f64)>,
    pub text: String,
}

impl Kernel {
    /// All that tells it from others: `matmul f16 EDGE=16`.
    pub fn name(&self) -> String {
        let half = if self.is_half { " f16" } else { "" };
        let overrides = self.overrides.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{half}{}", self.file, overrides.collect::<String>())
    }

    /// Where [`write`] puts its text.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name().replace(' ', "_") + ".wgsl")
    }
}

/// One text for each file, type of elements and set of overrides, ordered by name: the shortest, in
/// which the least is fused; of those of one length, the first in the order of their bytes.
pub fn kernels() -> Result<Vec<Kernel>, Failure> {
    let device = Device::cpu();
    let mut kernels = BTreeMap::<String, Kernel>::new();
    for sample in samples() {
        let graph = Graph::new();
        let (_, y) = sample.build(&graph);
        for assembly in graph.compile_pure(&device, &[y])?.shader_variants() {
            let overrides = assembly.overrides.iter().map(|&(name, value)| (name.into(), value));
            let kernel = Kernel {
                file: assembly.shader,
                is_half: assembly.text.starts_with("enable f16; "),
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
