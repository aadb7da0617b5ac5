//! The simulation against formulas, and the shaders of this crate under it.

mod hazards;
mod language;
mod matrices;
mod shaders;

use super::{
    bind::{Buffers, Extent, simulate},
    finished,
    report::Report,
};
use crate::{
    dtype::DType,
    error::SimulationError,
    gpu::codegen::{Assembly, Binding, BindingKind, ModuleKind},
    ops::params::Params,
    schedule::plan::{Region, Storage},
};

/// Runs a shader whose binding 0 is `y`, a buffer of zeros; returns what is in it.
fn run(
    text: &str,
    workgroups: [u32; 3],
    len: usize,
    dtype: DType,
) -> Result<(Report, Vec<u32>), SimulationError> {
    let region = Region { storage: Storage::Output(0), offset: 0, len, dtype };
    let (kind, region) = (BindingKind::ReadWrite, region);
    let assembly = Assembly {
        label: "a test".to_owned(),
        shader: "test",
        text: text.to_owned(),
        overrides: vec![],
        workgroups,
        are_numbered: true,
        workgroup_memory: 0,
        params: Params::default(),
        slot_params: vec![],
        bindings: vec![Binding { group: 0, binding: 0, kind, region: Some(region) }],
        may_be_trusted: false,
        module: ModuleKind::Checked,
    };
    let mut buffers = Buffers::default();
    let report = finished(simulate(&assembly, &mut buffers, Extent::All)?)?;
    Ok((report, buffers.words(region).clone()))
}
