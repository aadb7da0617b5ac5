//! Rows that come one after another.

use super::{Batch, random::Random};
use crate::{error::Error, shape::Meta};
use std::sync::Arc;

/// Rows that are read from their beginning to their end: of files larger than memory, of a simulation,
/// of a connection.
///
/// ```
/// use wgrad::{Array, DType, Error, Meta, data::{Batch, Pieces, Stream}, prelude::*, train::Loss};
///
/// /// Points of a line, new ones in each epoch.
/// struct Points;
///
/// impl Stream for Points {
///     fn fields(&self) -> Vec<(String, Meta)> {
///         ["x", "y"].map(|name| (name.to_owned(), Meta::new([1], DType::F32))).into()
///     }
///
///     fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
///         let x = move |k: usize| ((k + epoch) % 17) as f32 / 17.0;
///         Ok(Box::new((0..200).map(move |k| {
///             let x = x(k);
///             let row = |value: f32| Array::new([1, 1], &[value]);
///             Ok(Batch::new([("x", row(x)?), ("y", row(2.0 * x)?)]))
///         })))
///     }
/// }
///
/// let (line, variables) = (Dense::new(1), Variables::new(0));
/// let report = Trainer::new(
///     |cx, batch| {
///         let y = line.forward(&mut cx.child("line"), batch.get("x"));
///         Loss::new(nn::mean_squared_error(y, batch.get("y")))
///     },
///     Sgd::new(0.5),
/// )
/// .epochs(3)
/// .fit_stream(&Device::cpu(), &variables, &Points)?;
/// // 200 rows are six batches of 32 and one of 8.
/// assert_eq!(report.steps, 21);
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("IterableDataset", "from_generator", "Dataset.from_generator"))]
pub trait Stream: Send + Sync {
    /// Names of the fields, and the shape and type that each has in one row: see
    /// [`Dataset::fields`](super::Dataset::fields).
    fn fields(&self) -> Vec<(String, Meta)>;

    /// The rows of an epoch, counted from 1, in pieces of one row or more. An epoch has the same rows
    /// whenever it is asked for: a training that resumes reads it again up to where it was.
    ///
    /// # Errors
    ///
    /// Those of opening it; those of reading it come in the place of a piece.
    fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error>;

    /// How the rows are made, for checkpoints: see [`Dataset::description`](super::Dataset::description).
    fn description(&self) -> String {
        "as they are".to_owned()
    }
}

/// The rows of an epoch of a [`Stream`], in pieces of one row or more.
pub type Pieces<'s> = Box<dyn Iterator<Item = Result<Batch, Error>> + Send + 's>;

/// The methods of the stream that this refers to.
macro_rules! forwarded {
    ($($Type:ty),*) => {$(
        impl<S: Stream + ?Sized> Stream for $Type {
            fn fields(&self) -> Vec<(String, Meta)> {
                (**self).fields()
            }

            fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
                (**self).epoch(epoch)
            }

            fn description(&self) -> String {
                (**self).description()
            }
        }
    )*};
}
forwarded!(&S, Box<S>, Arc<S>);

/// Shuffles a stream within a buffer of rows, and returns a random one of them each time.
#[doc(alias = "shuffle")]
#[derive(Clone, Debug)]
pub struct ShuffleBuffer<S> {
    stream: S,
    rows: usize,
    seed: u64,
}

impl<S: Stream> ShuffleBuffer<S> {
    /// Shuffles with a buffer of so many rows.
    pub fn new(stream: S, rows: usize, seed: u64) -> Self {
        ShuffleBuffer { stream, rows: rows.max(1), seed }
    }
}

impl<S: Stream> Stream for ShuffleBuffer<S> {
    fn fields(&self) -> Vec<(String, Meta)> {
        self.stream.fields()
    }

    fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
        let rows = single_rows(self.stream.epoch(epoch)?);
        let mut random = Random::new(&[self.seed, epoch as u64]);
        let mut rows = rows.fuse();
        let mut buffer: Vec<Batch> = Vec::new();
        Ok(Box::new(std::iter::from_fn(move || {
            while buffer.len() < self.rows {
                match rows.next() {
                    Some(Ok(row)) => buffer.push(row),
                    Some(Err(error)) => return Some(Err(error)),
                    None => break,
                }
            }
            let drawn = random.below(buffer.len());
            (drawn < buffer.len()).then(|| Ok(buffer.swap_remove(drawn)))
        })))
    }

    fn description(&self) -> String {
        let ShuffleBuffer { stream, rows, seed } = self;
        format!("{}, shuffled within {rows} rows, seed {seed}", stream.description())
    }
}

/// The rows of pieces, one at a time.
fn single_rows(pieces: Pieces<'_>) -> Pieces<'_> {
    let rows = |piece: Result<Batch, Error>| -> Vec<Result<Batch, Error>> {
        match piece {
            Ok(piece) if piece.len() == 1 => vec![Ok(piece)],
            Ok(piece) => (0..piece.len()).map(|row| piece.section(row, row + 1)).collect(),
            Err(error) => vec![Err(error)],
        }
    };
    Box::new(pieces.flat_map(rows))
}

/// The rows of pieces, so many at a time; the last time perhaps fewer.
pub(crate) fn batches(pieces: Pieces<'_>, rows: usize) -> Pieces<'_> {
    let rows = rows.max(1);
    let mut pieces = pieces.fuse();
    let mut rest: Option<Batch> = None;
    Box::new(std::iter::from_fn(move || {
        let mut gathered: Vec<Batch> = rest.take().into_iter().collect();
        let mut len: usize = gathered.iter().map(Batch::len).sum();
        while len < rows {
            match pieces.next() {
                Some(Ok(piece)) => {
                    len += piece.len();
                    gathered.push(piece);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        if len == 0 {
            return None;
        }
        let cut = |all: Batch| {
            let first = all.section(0, rows)?;
            Ok::<_, Error>((first, Some(all.section(rows, len)?)))
        };
        let all = Batch::concat(gathered);
        let batch = all.and_then(|all| if len > rows { cut(all) } else { Ok((all, None)) });
        Some(batch.map(|(batch, after)| {
            rest = after;
            batch
        }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array::Array, dtype::DType};

    /// Numbers from 0 on, in pieces of these lengths.
    struct Numbers(&'static [usize]);

    impl Stream for Numbers {
        fn fields(&self) -> Vec<(String, Meta)> {
            vec![("x".to_owned(), Meta::new([], DType::U32))]
        }

        fn epoch(&self, epoch: usize) -> Result<Pieces<'_>, Error> {
            let mut next = 100 * (epoch as u32 - 1);
            Ok(Box::new(self.0.iter().map(move |&len| {
                let words: Vec<u32> = (next..).take(len).collect();
                next += len as u32;
                Ok(Batch::new([("x", Array::new([len], &words)?)]))
            })))
        }
    }

    fn words(pieces: Pieces<'_>) -> Result<Vec<Vec<u32>>, Error> {
        let words = |batch: Batch| batch.get("x").map(|x| x.words().to_vec()).unwrap_or_default();
        pieces.map(|batch| Ok(words(batch?))).collect()
    }

    #[test]
    fn batches_have_their_size_whatever_the_pieces() -> Result<(), Error> {
        for pieces in [&[1; 11][..], &[11], &[4, 4, 3], &[0, 7, 0, 4, 0], &[2, 9]] {
            let batches = words(batches(Numbers(pieces).epoch(1)?, 4))?;
            let expected: [&[u32]; 3] = [&[0, 1, 2, 3], &[4, 5, 6, 7], &[8, 9, 10]];
            assert_eq!(batches, expected, "{pieces:?}");
        }
        assert_eq!(words(batches(Numbers(&[]).epoch(1)?, 4))?, [[0u32; 0]; 0]);
        assert_eq!(words(batches(Numbers(&[4, 4]).epoch(2)?, 4))?.len(), 2);
        Ok(())
    }

    #[test]
    fn a_buffer_shuffles_within_itself() -> Result<(), Error> {
        let shuffled = |seed, epoch| -> Result<Vec<u32>, Error> {
            let stream = ShuffleBuffer::new(Numbers(&[3, 20, 1, 26]), 5, seed);
            Ok(words(stream.epoch(epoch)?)?.concat())
        };
        let rows = shuffled(1, 1)?;
        assert_eq!(rows, shuffled(1, 1)?);
        assert_ne!(rows, shuffled(2, 1)?);
        let early = rows.iter().enumerate().all(|(at, &row)| row as usize <= at + 4);
        assert!(early, "{rows:?}");
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(rows, sorted);
        Ok(())
    }
}
