//! Values of all invocations at once, and sets of invocations.

/// A value: the words of its scalars, those of one scalar for all invocations side by side. One
/// that is the same for all is kept once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    /// Number of scalars.
    pub width: usize,
    /// Number of invocations, or 1.
    pub lanes: usize,
    /// Word `scalar * lanes + invocation`.
    pub data: Vec<u32>,
}

impl Words {
    /// A value that is the same for all.
    pub fn uniform(data: Vec<u32>) -> Words {
        Words { width: data.len(), lanes: 1, data }
    }

    pub fn zeros(width: usize, lanes: usize) -> Words {
        Words { width, lanes, data: vec![0; width * lanes] }
    }

    /// A scalar of each invocation.
    pub fn scalars(data: Vec<u32>) -> Words {
        Words { width: 1, lanes: data.len(), data }
    }

    /// A scalar: one word per invocation, or one for all.
    pub fn scalar(&self, number: usize) -> &[u32] {
        &self.data[number * self.lanes..(number + 1) * self.lanes]
    }

    #[inline(always)]
    pub fn get(&self, number: usize, lane: usize) -> u32 {
        self.data[number * self.lanes + if self.lanes == 1 { 0 } else { lane }]
    }

    /// Some of the scalars, in the given order.
    pub fn chosen(&self, numbers: impl Iterator<Item = usize>) -> Words {
        let mut data = Vec::new();
        let mut width = 0;
        for number in numbers {
            data.extend_from_slice(self.scalar(number));
            width += 1;
        }
        Words { width, lanes: self.lanes, data }
    }

    /// All scalars of several values, one after the other.
    pub fn joined(parts: &[&Words]) -> Words {
        let lanes = parts.iter().map(|part| part.lanes).max().unwrap_or(1);
        let width = parts.iter().map(|part| part.width).sum();
        let mut data = Vec::with_capacity(width * lanes);
        for part in parts {
            if part.lanes == lanes {
                data.extend_from_slice(&part.data);
            } else {
                part.data.iter().for_each(|&word| data.extend(std::iter::repeat_n(word, lanes)));
            }
        }
        Words { width, lanes, data }
    }

    /// A function of each word.
    pub fn map(&self, function: impl Fn(u32) -> u32) -> Words {
        let data = self.data.iter().map(|&word| function(word)).collect();
        Words { data, ..*self }
    }

    /// A function of the words of two values; a scalar goes with each component of a vector.
    pub fn zip(&self, other: &Words, function: impl Fn(u32, u32) -> u32) -> Words {
        let (width, lanes) = (self.width.max(other.width), self.lanes.max(other.lanes));
        let mut data = Vec::with_capacity(width * lanes);
        for number in 0..width {
            match (self.component(number), other.component(number)) {
                (&[a], b) => data.extend(b.iter().map(|&b| function(a, b))),
                (a, &[b]) => data.extend(a.iter().map(|&a| function(a, b))),
                (a, b) => data.extend(a.iter().zip(b).map(|(&a, &b)| function(a, b))),
            }
        }
        Words { width, lanes, data }
    }

    /// The same of three values.
    pub fn zip3(&self, b: &Words, c: &Words, function: impl Fn(u32, u32, u32) -> u32) -> Words {
        let width = self.width.max(b.width).max(c.width);
        let lanes = self.lanes.max(b.lanes).max(c.lanes);
        let mut data = Vec::with_capacity(width * lanes);
        for number in 0..width {
            let (a, b, c) = (self.component(number), b.component(number), c.component(number));
            let [of_a, of_b, of_c] = [a, b, c].map(|words| usize::from(words.len() != 1));
            for lane in 0..lanes {
                data.push(function(a[lane * of_a], b[lane * of_b], c[lane * of_c]));
            }
        }
        Words { width, lanes, data }
    }

    fn component(&self, number: usize) -> &[u32] {
        self.scalar(if self.width == 1 { 0 } else { number })
    }

    /// Overwrites the words of some invocations.
    pub fn merge(&mut self, other: &Words, mask: &Mask) {
        for number in 0..self.width.min(other.width) {
            for &lane in mask.lanes() {
                self.data[number * self.lanes + lane] = other.get(number, lane);
            }
        }
    }
}

/// A set of invocations, in ascending order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mask {
    lanes: Vec<usize>,
}

impl Mask {
    pub fn all(lanes: usize) -> Mask {
        Mask { lanes: (0..lanes).collect() }
    }

    pub fn lanes(&self) -> &[usize] {
        &self.lanes
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Those of the set for which a condition holds, and the others.
    pub fn split(self, condition: impl Fn(usize) -> bool) -> (Mask, Mask) {
        let (yes, no) = self.lanes.into_iter().partition(|&lane| condition(lane));
        (Mask { lanes: yes }, Mask { lanes: no })
    }

    /// Adds those of another set that has none in common.
    pub fn add(&mut self, other: Mask) {
        if self.lanes.is_empty() {
            *self = other;
        } else if !other.lanes.is_empty() {
            self.lanes.extend(other.lanes);
            self.lanes.sort_unstable();
        }
    }
}
