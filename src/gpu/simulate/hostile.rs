//! Data that a program should never see.

use crate::{dtype::DType, proof::Case, schedule::plan::Step};

/// Operands of a step: integers past every end, and floats that are NaN, infinite or huge. Truth values
/// stay 0 or 1, as all kernels write them.
pub(super) fn case(step: &Step) -> Case {
    let mut case = Case::operands(step);
    let lens: Vec<u32> = case.regions.iter().map(|region| region.len as u32).collect();
    for (region, words) in case.regions.iter().zip(&mut case.words) {
        for (k, word) in words.iter_mut().enumerate() {
            match region.dtype {
                DType::Bool => {}
                DType::I32 | DType::U32 => *word = integer(k, &lens),
                DType::F32 | DType::F16 => {
                    let values = [f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY, 65504.0];
                    *word = values[k % values.len()].to_bits();
                }
            }
        }
    }
    case
}

/// The largest integers, -1 and the least, lengths of operands, and small numbers, of which some are one
/// past an end.
fn integer(k: usize, lens: &[u32]) -> u32 {
    match k % 6 {
        0 => u32::MAX,
        1 => i32::MIN as u32,
        2 => i32::MAX as u32,
        3 => lens[k / 6 % lens.len()],
        4 => lens[k / 6 % lens.len()].wrapping_neg(),
        _ => (k / 6 % 200) as u32,
    }
}
