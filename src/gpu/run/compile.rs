//! Compiles a plan to commands: the dispatches and copies of a run, grouped into submissions.

use super::commands::{Command, Dispatch};
use crate::{
    dtype::DType,
    error::{CompileError, Error},
    gpu::{
        codegen::{Assembly, BindingKind, ModuleKind, hazards, reduction::partial_bytes},
        device::GpuDevice,
        elements::bytes_of,
    },
    ops::{cost::Cost, kernel::MAX_GROUPS},
    schedule::{
        expr::Body,
        plan::{Plan, Region, Step, StepKind},
    },
};
use std::{collections::BTreeMap, ops::Range};

/// The commands recorded in each run of a program.
#[derive(Debug)]
pub(crate) struct Recording {
    pub commands: Vec<Command>,
    /// The commands of each submission.
    pub submissions: Vec<Range<usize>>,
    /// Steps checked for NaN, by the index of their last command.
    pub looked_at: BTreeMap<usize, (usize, Step)>,
    /// The uniforms of all dispatches.
    pub uniforms: Vec<u8>,
    /// Sizes of the slots in bytes.
    pub slots: Vec<u64>,
    /// Whether some module runs without runtime checks.
    pub has_trusted: bool,
}

/// Compiles the dispatches that `choose` returns for the steps and the slot of partial results.
///
/// # Errors
///
/// [`CompileError`] if the device cannot run them.
pub(crate) fn compile(
    device: &GpuDevice,
    plan: &Plan,
    choose: impl FnOnce(&[Step], usize) -> Result<Vec<Vec<Assembly>>, Error>,
) -> Result<Recording, Error> {
    check_types(device, plan)?;
    let bindable = hazards::bindable(plan);
    let partials = bindable.slots.len();
    let mut slots = bindable.slots;
    slots.push(0);
    let mut uniforms = Uniforms::new(device);
    let mut commands = Vec::new();
    let mut costs = Vec::new();
    let mut looked_at = BTreeMap::new();
    let chosen = choose(&bindable.steps, partials)?;
    device.compile_all(chosen.iter().flatten());
    let has_trusted = chosen.iter().flatten().any(|part| part.module == ModuleKind::Trusted);
    let steps = bindable.numbers.iter().zip(&bindable.steps);
    for ((&number, step), assemblies) in steps.zip(chosen) {
        if let StepKind::Copy = step.kind {
            if step.writes[0].len > 0 {
                let (from, to) = (step.reads[0], step.writes[0]);
                commands.push(Command::Copy { label: step.label.clone(), from, to });
                costs.push(step.cost);
            }
            continue;
        }
        slots[partials] = slots[partials].max(partial_bytes(&assemblies, partials));
        for (index, assembly) in assemblies.into_iter().enumerate() {
            check_bindings(device, &assembly)?;
            commands.push(Command::Dispatch(Dispatch {
                pipeline: device.pipeline(&assembly)?,
                uniforms: uniforms.push(&assembly),
                label: assembly.label,
                workgroups: grid(device, assembly.workgroups, assembly.are_numbered),
                bindings: assembly.bindings,
            }));
            costs.push(if index == 0 { step.cost } else { Cost::default() });
        }
        if plan.checks_finite && step.writes.iter().any(|write| write.len > 0) {
            looked_at.insert(commands.len() - 1, (number, step.clone()));
        }
    }
    let submissions = split(&costs, device.is_guarded || plan.checks_finite);
    Ok(Recording { commands, submissions, looked_at, uniforms: uniforms.bytes, slots, has_trusted })
}

/// The grid of a dispatch. A guarded one is folded as if it were too large, with workgroups that
/// have nothing to do: a shader has to number them, and to see that. One whose axes have a meaning has
/// one more along each.
fn grid(device: &GpuDevice, [x, y, z]: [u32; 3], are_numbered: bool) -> [u32; 3] {
    match (device.folds_grids, are_numbered, y) {
        (false, ..) => [x, y, z],
        (true, false, _) => [x, y, z].map(|extent| (extent + 1).min(MAX_GROUPS)),
        (true, true, 1) => [x.div_ceil(2), 3, z],
        (true, true, _) => [x, y + 1, z],
    }
}

/// The uniforms of all dispatches, in one buffer.
struct Uniforms {
    bytes: Vec<u8>,
    alignment: usize,
}

impl Uniforms {
    fn new(device: &GpuDevice) -> Self {
        let alignment = device.shared.limits.min_uniform_buffer_offset_alignment as usize;
        Uniforms { bytes: Vec::new(), alignment: alignment.max(16) }
    }

    fn push(&mut self, assembly: &Assembly) -> [Range<usize>; 2] {
        [assembly.params.bytes(), &assembly.slot_params].map(|block| {
            let start = self.bytes.len().next_multiple_of(self.alignment);
            // Some APIs access uniforms in units of 16 bytes.
            let end = start + block.len().next_multiple_of(16);
            self.bytes.resize(start, 0);
            self.bytes.extend_from_slice(block);
            self.bytes.resize(end, 0);
            start..end
        })
    }
}

/// Rejects plans with f16 on a device without it, even if no half is stored: whether one is depends
/// on fusion.
fn check_types(device: &GpuDevice, plan: &Plan) -> Result<(), Error> {
    if device.has(DType::F16) {
        return Ok(());
    }
    let refuse = |op| {
        let device = device.name();
        Err(CompileError::Unsupported { op, dtype: DType::F16, device }.into())
    };
    let half = |region: &Region| region.dtype == DType::F16;
    for step in &plan.steps {
        if step.reads.iter().chain(&step.writes).any(half) || calculates_in_half(step) {
            return refuse(match &step.kind {
                StepKind::Kernel { kernel, .. } => kernel.shaders[0].file.name,
                StepKind::Reduce { function, .. } => function.name(),
                StepKind::Map { .. } => "map",
                StepKind::Copy => "copy",
            });
        }
    }
    if plan.inputs.iter().any(|(_, meta)| meta.dtype == DType::F16) {
        return refuse("input");
    }
    if plan.variables.iter().any(|(_, variable)| variable.meta.dtype == DType::F16) {
        return refuse("variable");
    }
    Ok(())
}

fn calculates_in_half(step: &Step) -> bool {
    let half = |body: &Body| body.terms.iter().any(|(_, dtype)| *dtype == DType::F16);
    match &step.kind {
        StepKind::Map { body, .. } => half(body),
        StepKind::Reduce { body, epilogue, .. } => half(body) || half(&epilogue.body),
        StepKind::Kernel { writes, .. } => {
            writes.iter().any(|write| write.dtype == DType::F16 || half(&write.epilogue.body))
        }
        StepKind::Copy => false,
    }
}

/// Checks that the bindings are within the limits of the device.
pub(crate) fn check_bindings(device: &GpuDevice, assembly: &Assembly) -> Result<(), Error> {
    let limits = &device.shared.limits;
    let limit = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    for region in assembly.bindings.iter().filter_map(|binding| binding.region) {
        let bytes = bytes_of(region.len, region.dtype);
        if bytes > limit {
            let tensor = format!("a tensor of {}", assembly.label);
            return Err(CompileError::BindingTooLarge { tensor, bytes, limit }.into());
        }
    }
    let buffers = assembly.bindings.iter().filter(|b| b.kind != BindingKind::Uniform).count();
    let offered = device.shared.limits.max_storage_buffers_per_shader_stage as usize;
    if buffers > offered {
        return Err(CompileError::Shader {
            shader: format!("{} ({})", assembly.shader, assembly.label),
            message: format!("it binds {buffers} storage buffers, the device offers {offered}"),
        }
        .into());
    }
    Ok(())
}

/// Splits commands into submissions of about half a second on a slow device, well below the two
/// seconds after which systems reset a GPU; one command each if every step is checked.
fn split(costs: &[Cost], one_by_one: bool) -> Vec<Range<usize>> {
    let mut submissions = Vec::new();
    let (mut start, mut seconds) = (0, 0.0);
    for (index, cost) in costs.iter().enumerate() {
        let own = cost.flops / 10e9 + cost.bytes / 5e9;
        if index > start && (one_by_one || seconds + own > 0.5) {
            submissions.push(start..index);
            (start, seconds) = (index, 0.0);
        }
        seconds += own;
    }
    submissions.push(start..costs.len());
    submissions
}
