//! Resolves buffer hazards: steps that a GPU cannot bind write to scratch memory first.
//!
//! WebGPU forbids a buffer that is both read and written in a dispatch, and a copy within one
//! buffer. If a step does that, its result goes to a scratch slot and is copied from there. An
//! in-place update is the one exception: only the output is bound then.

use crate::{
    gpu::elements::{ALIGNMENT, bytes_of, first_of, width},
    ops::cost::Cost,
    schedule::plan::{Buffers, Plan, Region, Step, StepKind, Storage},
};

/// Steps that can be bound.
#[derive(Debug)]
pub(crate) struct Bindable {
    pub steps: Vec<Step>,
    /// Index of the plan step that each of them belongs to.
    pub numbers: Vec<usize>,
    /// Sizes of the slots in bytes, the scratch slot being the last.
    pub slots: Vec<u64>,
}

/// Inserts scratch copies where they are needed.
pub(crate) fn bindable(plan: &Plan) -> Bindable {
    let scratch = Storage::Slot(plan.slots.len());
    let buffers = plan.buffers();
    let mut steps = Vec::with_capacity(plan.steps.len());
    let mut numbers = Vec::with_capacity(plan.steps.len());
    for (number, step) in plan.steps.iter().enumerate() {
        let mut step = step.clone();
        let mut copies = Vec::new();
        let mut used = 0;
        for index in 0..step.writes.len() {
            let write = step.writes[index];
            if write.len > 0 && conflicts(&buffers, &step, write) {
                let offset = (used / width(write.dtype)) as usize;
                let region = Region { storage: scratch, offset, ..write };
                used += bytes_of(write.len, write.dtype).next_multiple_of(ALIGNMENT);
                step.writes[index] = region;
                copies.push(Step {
                    label: format!("{} (copied out)", step.label),
                    kind: StepKind::Copy,
                    reads: vec![region],
                    writes: vec![write],
                    cost: Cost { flops: 0.0, bytes: 8.0 * write.len as f64 },
                    place: None,
                });
            }
        }
        numbers.extend(std::iter::repeat_n(number, 1 + copies.len()));
        steps.push(step);
        steps.extend(copies);
    }
    let mut slots = vec![0; plan.slots.len() + 1];
    for region in steps.iter().flat_map(|step: &Step| step.reads.iter().chain(&step.writes)) {
        if let Storage::Slot(slot) = region.storage {
            slots[slot] = slots[slot].max(first_of(*region) + bytes_of(region.len, region.dtype));
        }
    }
    Bindable { steps, numbers, slots }
}

/// Whether a step reads the buffer of `write` in a way that cannot be bound.
fn conflicts(buffers: &Buffers, step: &Step, write: Region) -> bool {
    let own_operands = match &step.kind {
        StepKind::Kernel { operands, .. } => *operands,
        StepKind::Copy => step.reads.len(),
        StepKind::Map { .. } | StepKind::Reduce { .. } => 0,
    };
    step.reads.iter().enumerate().any(|(index, read)| {
        let is_in_place = read.aliases(&write);
        buffers.of(*read).0 == buffers.of(write).0 && (index < own_operands || !is_in_place)
    })
}
