//! Products of bytes, with the best instruction this CPU has for them.

use std::hint::black_box;

/// A loop of products of bytes.
pub(super) struct Kernel {
    /// Name of the instruction.
    pub name: &'static str,
    /// Operations per round: a multiply-add counts as two.
    pub operations: usize,
    /// Runs this many rounds, and returns whether the sums are correct.
    pub run: fn(u64) -> bool,
}

/// Accumulators: enough for two units with a latency of five cycles.
const CHAINS: usize = 12;

/// The fastest kernel supported by this CPU.
pub(super) fn best() -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            return Kernel {
                name: "vpdpbusd, 512 bits",
                operations: 2 * 64 * CHAINS,
                run: x86::vnni,
            };
        }
        if is_x86_feature_detected!("avx2") {
            return Kernel {
                name: "vpmaddubsw, 256 bits",
                operations: 2 * 32 * CHAINS,
                run: x86::avx2,
            };
        }
    }
    Kernel { name: "as compiled", operations: 2 * 16 * CHAINS, run: plain }
}

/// The expected sum of `rounds` products of four ones, in wrapping 32-bit arithmetic.
fn expected(rounds: u64) -> i32 {
    (4 * rounds) as i32
}

/// Without a dedicated instruction.
fn plain(rounds: u64) -> bool {
    let (a, b) = (black_box([1i8; 16]), black_box([1i8; 16]));
    let mut sums = [[0i32; 4]; CHAINS];
    for _ in 0..rounds {
        for sums in &mut sums {
            let products = a.iter().zip(&b).map(|(&a, &b)| i32::from(a) * i32::from(b));
            products.enumerate().for_each(|(k, x)| sums[k / 4] = sums[k / 4].wrapping_add(x));
        }
        sums = black_box(sums);
    }
    sums.iter().flatten().all(|&sum| sum == expected(rounds))
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that not every processor has")]
mod x86 {
    use super::{CHAINS, black_box, expected};
    use std::arch::x86_64::*;

    pub(super) fn vnni(rounds: u64) -> bool {
        // SAFETY: selected only if the CPU was detected to have both features.
        unsafe { vnni_loop(rounds) }
    }

    pub(super) fn avx2(rounds: u64) -> bool {
        // SAFETY: selected only if the CPU was detected to have the feature.
        unsafe { avx2_loop(rounds) }
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn vnni_loop(rounds: u64) -> bool {
        let ones = _mm512_set1_epi8(black_box(1));
        let mut sums = [_mm512_setzero_si512(); CHAINS];
        for _ in 0..rounds {
            for sums in &mut sums {
                *sums = _mm512_dpbusd_epi32(*sums, ones, ones);
            }
        }
        let all = _mm512_set1_epi32(expected(rounds));
        sums.iter().all(|&sums| _mm512_cmpeq_epi32_mask(sums, all) == u16::MAX)
    }

    #[target_feature(enable = "avx2")]
    fn avx2_loop(rounds: u64) -> bool {
        let (bytes, pairs) = (_mm256_set1_epi8(black_box(1)), _mm256_set1_epi16(1));
        let mut sums = [_mm256_setzero_si256(); CHAINS];
        // The operand is opaque in each round, or the products would be hoisted out of the loop.
        let mut turn = bytes;
        for _ in 0..rounds {
            for sums in &mut sums {
                let products = _mm256_madd_epi16(_mm256_maddubs_epi16(turn, bytes), pairs);
                *sums = _mm256_add_epi32(*sums, products);
            }
            turn = black_box(turn);
        }
        let all = _mm256_set1_epi32(expected(rounds));
        let alike = |&sums: &__m256i| _mm256_movemask_epi8(_mm256_cmpeq_epi32(sums, all)) == -1;
        sums.iter().all(alike)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_right() {
        for rounds in [1, 1000] {
            assert!((best().run)(rounds), "{}", best().name);
            assert!(plain(rounds));
        }
    }
}
