//! Mini-batches.

use super::random::permutation;

/// Splits a data set into shuffled mini-batches, or ordered ones, the last of which may be shorter.
///
/// The order depends only on seed and epoch, so a run that is resumed at an epoch sees the same
/// batches as an uninterrupted one.
#[doc(alias = "DataLoader")]
#[derive(Clone, Debug)]
pub struct Loader {
    len: usize,
    batch: usize,
    seed: u64,
    in_order: bool,
}

impl Loader {
    /// Creates a loader for `len` rows, `batch` at a time; a batch has at least one row.
    pub fn new(len: usize, batch: usize, seed: u64) -> Self {
        Loader { len, batch: batch.max(1), seed, in_order: false }
    }

    /// Keeps the rows in their order, in every epoch.
    #[doc(alias = "shuffle")]
    pub fn in_order(self) -> Self {
        Loader { in_order: true, ..self }
    }

    /// The batches of an epoch, as row indices.
    pub fn epoch(&self, epoch: usize) -> Vec<Vec<usize>> {
        if self.in_order {
            let rows: Vec<usize> = (0..self.len).collect();
            return rows.chunks(self.batch).map(<[usize]>::to_vec).collect();
        }
        // An odd multiplier separates (seed, epoch) from (seed + 1, epoch - 1).
        let key = self.seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(epoch as u64);
        permutation(self.len, key).chunks(self.batch).map(<[usize]>::to_vec).collect()
    }
}

/// The different sizes of the batches of at most `batch` out of `len` rows: a program has fixed
/// shapes, so each size needs its own.
pub fn sizes(len: usize, batch: usize) -> Vec<usize> {
    let batch = batch.max(1);
    let mut sizes = Vec::new();
    if len >= batch {
        sizes.push(batch);
    }
    if !len.is_multiple_of(batch) {
        sizes.push(len % batch);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_every_row_once() {
        let loader = Loader::new(10, 4, 7);
        let batches = loader.epoch(3);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let mut rows = batches.concat();
        rows.sort_unstable();
        assert_eq!(rows, (0..10).collect::<Vec<_>>());
        assert_eq!(batches, loader.epoch(3));
        assert_ne!(batches, loader.epoch(4));
        assert_ne!(batches, Loader::new(10, 4, 8).epoch(3));
        let ordered: [&[usize]; 3] = [&[0, 1, 2, 3], &[4, 5, 6, 7], &[8, 9]];
        assert_eq!(loader.in_order().epoch(3), ordered);
    }

    #[test]
    fn sizes_are_those_that_occur() {
        assert_eq!(sizes(10, 4), [4, 2]);
        assert_eq!(sizes(8, 4), [4]);
        assert_eq!(sizes(3, 4), [3]);
        assert_eq!(sizes(0, 4), [] as [usize; 0]);
    }
}
