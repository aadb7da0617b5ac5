//! Quotients of whole numbers whose products need not fit in 32 bits.

use crate::{
    dtype::DType,
    graph::{Graph, Tensor},
};

/// The places of `(i slope + offset) / by`, for whole numbers `i`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub slope: u64,
    pub offset: u64,
    /// At least 1.
    pub by: u64,
}

impl Line {
    /// Slope and offset without the multiples of the divisor.
    fn rest(self) -> [u64; 2] {
        [self.slope % self.by, self.offset % self.by]
    }

    /// Numbers of that many bits at once: what is carried from one to the next, times their number,
    /// and what is added still fit in 32 bits. `None` if no number of bits does.
    fn bits(self, size: usize) -> Option<u32> {
        let [slope, offset] = self.rest();
        let last = (size as u64).saturating_sub(1);
        if last.checked_mul(slope).is_some_and(|most| most + offset < 1 << 32) {
            return Some(32);
        }
        // The smallest power of 2 that is not below the divisor.
        let wide = self.by.next_power_of_two().trailing_zeros();
        31u32.checked_sub(wide).filter(|&bits| bits > 0)
    }

    /// Whether [`quotients`](Self::quotients) are for this many numbers.
    pub fn is_for(self, size: usize) -> bool {
        self.bits(size).is_some()
    }

    /// The quotients for `i` from 0 to below `size`, and what remains of each, as u32. All quotients
    /// are below 2^32.
    ///
    /// As on paper, from the first digits of `i` to the last: what remains of those before is
    /// carried on. The digits are of as many bits as possible, which is mostly one digit.
    #[track_caller]
    pub fn quotients(self, graph: &Graph, size: usize) -> [Tensor<'_>; 2] {
        let i = graph.iota([size], 0, DType::U32);
        let word = |value: u64| i.full_like(value as f64);
        let by = word(self.by);
        let [slope, offset] = self.rest();
        let bits = self.bits(size).unwrap_or(1);
        let length = u64::BITS - (size as u64).saturating_sub(1).leading_zeros();
        let mut found: Option<[Tensor; 2]> = None;
        for digit in (0..length.div_ceil(bits).max(1)).rev() {
            let above = if digit > 0 { i >> word(u64::from(digit * bits)) } else { i };
            let own = if bits < 32 { above.and(word((1 << bits) - 1)) } else { i };
            let mut sum = own * word(slope);
            if let Some([_, rest]) = found {
                sum = sum + rest * word(1 << bits);
            }
            if digit == 0 {
                sum = sum + word(offset);
            }
            let quotient = sum / by;
            let rest = sum - quotient * by;
            let before = found.map(|[before, _]| before * word(1 << bits));
            found = Some([before.map_or(quotient, |before| before + quotient), rest]);
        }
        let [quotient, rest] = found.unwrap_or([i, i]);
        let whole = i * word(self.slope / self.by) + word(self.offset / self.by);
        [quotient + whole, rest]
    }
}

/// How far apart the elements of a resized axis are, in elements of the axis before, as a quotient of
/// whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub over: u64,
    pub under: u64,
}

impl Step {
    /// The centers of the new elements, in old ones.
    pub fn centers(self) -> Line {
        Line { slope: 2 * self.over, offset: self.over, by: (2 * self.under).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Error, Variables};

    /// Every divisor and slope against products in 128 bits, also where a digit is one bit.
    #[test]
    fn quotients_are_exact() -> Result<(), Error> {
        let cases = [
            (1, 0, 1, 0),
            (1, 5, 3, 7),
            (9, 4, 8, 10),
            (1000, 20_003, 17, 100_003),
            (100_003, 22_006, 111_009, 200_006),
            (70_000, 1_999_999_999, 3, 1 << 30),
            (70_000, (1 << 30) + 1, (1 << 31) - 5, (1 << 30) - 1),
            (4097, 1, 0, 1 << 29),
            (65_537, (1 << 31) - 1, 0, (1 << 16) + 1),
        ];
        for (size, slope, offset, by) in cases {
            let by = by.max(1);
            let line = Line { slope, offset, by };
            assert!(line.is_for(size), "{line:?}");
            for device in [Device::Reference, Device::cpu()] {
                let graph = Graph::new();
                let found = line.quotients(&graph, size);
                let program = graph.compile(&device, &found)?;
                let outputs = program.run(&Variables::new(0), &[])?;
                let [quotients, rests] =
                    [0, 1].map(|k| outputs.read_blocking(k).map(|value| value.to_f64()));
                for (i, got) in quotients?.into_iter().zip(rests?).enumerate() {
                    let exact = i as u128 * u128::from(slope) + u128::from(offset);
                    let (quotient, rest) = (exact / u128::from(by), exact % u128::from(by));
                    if quotient < 1 << 32 {
                        assert_eq!(got, (quotient as f64, rest as f64), "{i} of {line:?}");
                    }
                }
            }
        }
        assert!(!Line { slope: 1 << 31, offset: 0, by: (1 << 30) + 1 }.is_for(1 << 30));
        Ok(())
    }
}
