//! Host memory that the system may refuse: for everything that is as large as a tensor.
//!
//! `vec![0; n]` aborts the process where memory is refused, and a fallible reservation that is then
//! filled touches every page on the calling thread. Here memory is first reserved on trial, which
//! touches nothing, and then asked for as usual. One thread does so at a time, so that no other
//! takes what was found to be free.

use crate::error::DeviceError;
use std::{
    hint::black_box,
    sync::{Mutex, PoisonError},
};

/// Bytes below which memory is not asked for on trial: a process that lacks even those cannot go on
/// anyway.
const SMALL: usize = 1 << 20;

/// Held from the trial until the memory is taken.
static TRIAL: Mutex<()> = Mutex::new(());

/// Fails unless this many bytes more can be had at the moment.
pub(crate) fn reserve(bytes: usize) -> Result<(), DeviceError> {
    if bytes < SMALL {
        return Ok(());
    }
    let _turn = TRIAL.lock().unwrap_or_else(PoisonError::into_inner);
    trial(bytes)
}

/// `len` zeros.
pub(crate) fn zeroed(len: usize) -> Result<Vec<u32>, DeviceError> {
    let bytes = len.saturating_mul(size_of::<u32>());
    if bytes < SMALL {
        return Ok(vec![0; len]);
    }
    let _turn = TRIAL.lock().unwrap_or_else(PoisonError::into_inner);
    trial(bytes)?;
    Ok(vec![0; len])
}

/// A copy.
pub(crate) fn copied<T: Copy>(elements: &[T]) -> Result<Vec<T>, DeviceError> {
    let mut copy = room(elements.len())?;
    copy.extend_from_slice(elements);
    Ok(copy)
}

/// The elements of an iterator that knows how many there are.
pub(crate) fn collected<T>(
    elements: impl ExactSizeIterator<Item = T>,
) -> Result<Vec<T>, DeviceError> {
    let mut collected = room(elements.len())?;
    collected.extend(elements);
    Ok(collected)
}

/// An empty vector with room for `len` elements.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>, DeviceError> {
    let mut room = Vec::new();
    match room.try_reserve_exact(len) {
        Ok(()) => Ok(room),
        Err(_) => Err(refused(len.saturating_mul(size_of::<T>()))),
    }
}

fn trial(bytes: usize) -> Result<(), DeviceError> {
    // A compiler may leave out memory that nobody looks at.
    black_box(&room::<u8>(bytes)?);
    Ok(())
}

fn refused(bytes: usize) -> DeviceError {
    DeviceError::OutOfMemory { bytes: Some(bytes as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_machine_has_half_the_address_space() {
        let most = isize::MAX as usize / 8 * 8;
        let refused = Err(DeviceError::OutOfMemory { bytes: Some(most as u64) });
        assert_eq!(reserve(most), refused);
        assert_eq!(zeroed(most / 4).map(drop), refused);
        assert_eq!(room::<u64>(most / 8).map(drop), refused);
        assert_eq!(zeroed(1 << 20).map(|words| words.iter().all(|&word| word == 0)), Ok(true));
        assert_eq!(copied(&[1, 2, 3]), Ok(vec![1, 2, 3]));
        assert_eq!(collected((0..4).map(|k| k * k)), Ok(vec![0, 1, 4, 9]));
    }
}
