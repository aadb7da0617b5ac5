//! Special values among the seeded operands of a step: what everyday ones do not show.
//!
//! They are few, so that most results stay finite and are compared by their bounds. In a map every
//! result has operands of its own, and one element in eleven is special; of an operand that a
//! kernel or a reduction combines it is one element, so that it reaches a row or a tile.

use crate::{
    dtype::DType,
    schedule::plan::{Region, Step, StepKind},
};

/// A denormal: devices may take it for 0.
const DENORMAL: f32 = 1e-40;

/// Special words of a type; f16 has no denormals here, which a GPU may not even load.
fn special(dtype: DType) -> &'static [u32] {
    const FLOATS: [u32; 8] = [
        f32::NAN.to_bits(),
        f32::INFINITY.to_bits(),
        f32::NEG_INFINITY.to_bits(),
        0.0f32.to_bits(),
        (-0.0f32).to_bits(),
        DENORMAL.to_bits(),
        // The NaN whose bits are nearest to those of an infinity, and the farthest.
        0x7f80_0001,
        u32::MAX,
    ];
    const SIGNED: [u32; 4] = [0, 1 << 31, (1 << 31) - 1, u32::MAX];
    const UNSIGNED: [u32; 3] = [0, u32::MAX, 1 << 31];
    match dtype {
        DType::F32 => &FLOATS,
        DType::F16 => &FLOATS[..5],
        DType::I32 => &SIGNED,
        DType::U32 => &UNSIGNED,
        DType::Bool => &[],
    }
}

/// The fewest elements of an operand of a map some of which are replaced: a number that every
/// result depends on is not.
const MANY: usize = 8;

/// Replaces some words of a region that the step reads.
pub(super) fn scatter(step: &Step, region: Region, words: &mut [u32]) {
    let values = special(region.dtype);
    let reads = step.reads.iter().enumerate().filter(|(_, read)| read.aliases(&region));
    let Some((read, _)) = reads.into_iter().next() else { return };
    if values.is_empty() || words.is_empty() {
        return;
    }
    let is_combined = match &step.kind {
        StepKind::Copy => return,
        StepKind::Map { .. } => false,
        StepKind::Reduce { .. } => true,
        StepKind::Kernel { operands, .. } => read < *operands,
    };
    if is_combined {
        if let StepKind::Kernel { kernel, .. } = &step.kind {
            let mut probes = kernel.results.iter().filter_map(|result| result.probe.as_ref());
            // Integers may be indices, and it states which there are.
            if !region.dtype.is_float() || !probes.all(|probe| probe.has_special_values) {
                return;
            }
        }
        // No two operands of a kernel at the same place, where one would hide the other.
        let place = [0, words.len() - 1, words.len() / 2][read % 3];
        words[place] = values[(read + words.len()) % values.len()];
    } else if words.len() >= MANY {
        // Coprime, so that every value stands beside every coordinate; operands begin apart.
        for (k, word) in words.iter_mut().skip(3 * read + 1).step_by(11).enumerate() {
            *word = values[(k + read) % values.len()];
        }
    }
}
