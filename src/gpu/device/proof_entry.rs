//! The verdict on the dispatches of a step, and the key that identifies them.

use crate::gpu::codegen::Assembly;

/// Identifies the dispatches of a step: text, overrides, kind of module, grid and uniforms.
pub(crate) type Key = u128;

/// The verification result of a step's dispatches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// Their results were correct.
    Proved,
    /// Their results were correct but for those of NaN, infinities and other special values, with a
    /// description of one of these.
    Finite(String),
    /// They failed, with a description of the wrong result.
    Failed(String),
}

/// The key of the dispatches of a step.
pub(crate) fn key(assemblies: &[Assembly]) -> Key {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for assembly in assemblies {
        parts.extend(pipeline(assembly));
        parts.push(assembly.workgroups.iter().flat_map(|n| n.to_le_bytes()).collect());
        parts.push(assembly.params.bytes().to_vec());
        parts.push(assembly.slot_params.clone());
    }
    hash(parts.iter().map(Vec::as_slice))
}

/// The key of a pipeline.
#[cfg(feature = "files")]
pub(super) fn pipeline_key(assembly: &Assembly) -> Key {
    hash(pipeline(assembly).collect::<Vec<_>>().iter().map(Vec::as_slice))
}

/// The parts of a key that a pipeline depends on.
fn pipeline(assembly: &Assembly) -> impl Iterator<Item = Vec<u8>> {
    let text = [assembly.text.as_bytes().to_vec(), vec![assembly.module as u8]];
    let overrides = assembly.overrides.iter();
    text.into_iter()
        .chain(overrides.flat_map(|(name, x)| [name.as_bytes().to_vec(), x.to_le_bytes().to_vec()]))
}

/// 128-bit FNV-1a: it need not resist forgery, and must be the same in every process. Each part is
/// followed by its length.
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    const BASIS: u128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D;
    let step = |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
    parts.into_iter().fold(BASIS, |hash, part| {
        let hash = part.iter().fold(hash, step);
        (part.len() as u64).to_le_bytes().iter().fold(hash, step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_definition() {
        // FNV-1a of "a" and the 8 bytes of its length, computed from the definition with
        // arbitrary-precision integers.
        let bytes = [b'a', 1, 0, 0, 0, 0, 0, 0, 0];
        let mut expected = 144_066_263_297_769_815_596_495_629_667_062_367_629_u128;
        for byte in bytes {
            expected =
                (expected ^ u128::from(byte)).wrapping_mul(309_485_009_821_345_068_724_781_371);
        }
        assert_eq!(hash([b"a".as_slice()]), expected);
        assert_ne!(hash([b"ab".as_slice(), b"c"]), hash([b"a".as_slice(), b"bc"]));
    }
}
