//! Turns steps into shaders: a file of `shaders/`, followed by the declarations it needs.
//!
//! Nothing precedes the file except `enable f16;`, on its first line, so its line numbers stay
//! valid. No adapter is needed: tests assemble every shader and compare it with the host's
//! bindings.

use super::{
    Assembly, hazards,
    operands::{Operands, storage_type, wide_type},
    reduction,
    text::{Text, stored},
};
use crate::ops::params::params;
use crate::{
    dtype::DType,
    gpu::elements::ALIGNMENT,
    ops::kernel::{Kernel, Shader, fold, shader_file},
    schedule::{
        expr::{Body, TermId},
        plan::{Epilogue, KernelWrite, Plan, Region, Step, StepKind, Storage},
    },
};

/// Every dispatch of a plan, as a GPU executes it, with the number of its step.
pub(crate) fn assemble_plan(plan: &Plan) -> Vec<(usize, Assembly)> {
    let numbers = hazards::bindable(plan).numbers;
    let steps = numbers.into_iter().zip(assemble_steps(plan));
    steps.flat_map(|(number, (_, of_step))| of_step.into_iter().map(move |a| (number, a))).collect()
}

/// The steps of a plan as a GPU executes them, with their dispatches.
pub(crate) fn assemble_steps(plan: &Plan) -> Vec<(Step, Vec<Assembly>)> {
    let bound = hazards::bindable(plan);
    let partials = bound.slots.len();
    let assembled = |step: Step| {
        let dispatches = assemble(&step, partials, 0);
        (step, dispatches)
    };
    bound.steps.into_iter().map(assembled).collect()
}

/// Every dispatch of a plan in every variant of its kernels, those of a step one after another, the preferred
/// one first.
pub(crate) fn assemble_variants(plan: &Plan) -> Vec<Assembly> {
    let bound = hazards::bindable(plan);
    let partials = bound.slots.len();
    let variants = bound
        .steps
        .iter()
        .flat_map(|step| (0..step.variants()).map(move |variant| (step, variant)));
    variants.flat_map(|(step, variant)| assemble(step, partials, variant)).collect()
}

/// Assembles the dispatches of a step; none for a copy, or if nothing is written. Slot `partials`
/// may be used between them, and `variant` selects one of the kernel's shaders.
pub(crate) fn assemble(step: &Step, partials: usize, variant: usize) -> Vec<Assembly> {
    if step.writes.iter().all(|write| write.len == 0) {
        return Vec::new();
    }
    match &step.kind {
        StepKind::Copy => Vec::new(),
        StepKind::Map { space, body, roots } => vec![map(step, space, body, roots)],
        StepKind::Reduce { function, outer, inner, adjacent, body, value, epilogue } => {
            let (function, adjacent, value) = (*function, *adjacent, *value);
            let reduction = reduction::Reduction { function, outer, inner, adjacent, body, value };
            reduction.assemble(step, epilogue, Storage::Slot(partials))
        }
        StepKind::Kernel { kernel, operands, writes } => {
            let shader = kernel.shaders[variant].clone();
            let mut text = Text::new(&shader, step.label.clone());
            let dtype = kernel.results[0].dtype;
            let first = step.reads.first().filter(|_| *operands > 0);
            let elem = first.map_or(dtype, |region| region.dtype);
            text.alias("Elem", storage_type(elem));
            text.alias("Wide", wide_type(elem));
            text.alias("Acc", wide_type(dtype));
            let mut own = step.reads[..*operands].to_vec();
            if shader.file.swaps_operands {
                own.swap(0, 1);
            }
            let (between, wholes) = match kernel.parts {
                1 => (step.clone(), vec![]),
                _ => parts(step, kernel, writes, partials),
            };
            let StepKind::Kernel { writes, .. } = &between.kind else { unreachable!("as it was") };
            if !wholes.is_empty() {
                text.label += " (parts)";
            }
            if kernel.results.len() == 1 {
                text.own(&own, between.writes[0]);
                let acc = if dtype == DType::Bool { "(acc != 0u)" } else { "acc" };
                text.epilogue(&between, 0, &writes[0], acc);
            } else {
                text.own_reads(&own);
                text.stores(&between, &kernel.results, writes);
            }
            [vec![text.finish(shader)], wholes].concat()
        }
    }
}

/// A step that writes the parts of sums in place of the sums, and the dispatches that add them up.
fn parts(
    step: &Step,
    kernel: &Kernel,
    writes: &[KernelWrite],
    partials: usize,
) -> (Step, Vec<Assembly>) {
    let (mut between, mut wholes, mut offset) = (step.clone(), vec![], 0);
    for (n, write) in writes.iter().enumerate() {
        let len: usize = write.space.iter().product();
        // Nothing is rounded between the dispatches.
        let dtype = match write.dtype {
            DType::F16 => DType::F32,
            dtype => dtype,
        };
        let len = kernel.parts * len;
        let region = Region { storage: Storage::Slot(partials), offset, len, dtype };
        offset += len.next_multiple_of(ALIGNMENT as usize / 4);
        between.writes[n] = region;
        wholes.push(whole(step, kernel.parts, n, write, region));
    }
    if let StepKind::Kernel { writes, .. } = &mut between.kind {
        for write in writes {
            write.epilogue = Epilogue::identity(write.dtype);
        }
    }
    (between, wholes)
}

/// The dispatch that adds up parts of the sums of a result.
fn whole(step: &Step, parts: usize, n: usize, write: &KernelWrite, between: Region) -> Assembly {
    let len: usize = write.space.iter().product();
    let slices = if parts > MOST_IN_ORDER { PART_SLICES } else { 1 };
    let shader = Shader {
        file: shader_file!("reduce_parts", []),
        overrides: vec![("SLICES", slices as f64)],
        params: params! { len, parts, run: parts.div_ceil(slices) },
        workgroups: fold((len * slices).div_ceil(PART_INVOCATIONS)),
    };
    let mut text = Text::new(&shader, step.label.clone());
    text.alias("Acc", wide_type(between.dtype));
    text.own(&[between], step.writes[n]);
    text.epilogue(step, n, write, "acc");
    text.finish(shader)
}

/// Partial results that one invocation adds up; more are shared by several.
const MOST_IN_ORDER: usize = 16;
/// Invocations of `shaders/reduce_parts.wgsl` for an element of more parts.
const PART_SLICES: usize = 4;
/// Invocations of its workgroups.
const PART_INVOCATIONS: usize = 256;

fn map(step: &Step, space: &[usize], body: &Body, roots: &[TermId]) -> Assembly {
    let len = space.iter().product::<usize>();
    let shader = Shader {
        file: shader_file!("map", []),
        overrides: vec![],
        params: params! { len: len },
        workgroups: fold(len.div_ceil(MAP_INVOCATIONS)),
    };
    let mut text = Text::new(&shader, step.label.clone());
    let writes: Vec<_> =
        step.writes.iter().enumerate().map(|(n, &write)| (write, format!("y{n}"))).collect();
    let operands = Operands::new(&[(body, roots)], &step.reads, &writes);
    let emitted = text.emit(body, roots, &[("i", space)], &operands, "", "");
    let mut stores = String::new();
    for ((write, name), value) in writes.iter().zip(&emitted.values) {
        stores += &format!("    {name}[i] = {};\n", stored(value, write.dtype));
    }
    text.declare(&format!("fn map(i: u32) {{\n{}{stores}}}", emitted.statements), &[]);
    text.slot_operands(&operands);
    for (n, (write, name)) in writes.iter().enumerate() {
        text.slot_write(1 + operands.bound.len() + n, name, *write);
    }
    text.finish(shader)
}

/// Invocations per workgroup of `shaders/map.wgsl`.
const MAP_INVOCATIONS: usize = 256;
