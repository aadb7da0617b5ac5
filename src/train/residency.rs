//! Whether a data set stays in the memory of the device.

use super::{
    Objective, Trainer,
    resident::ResidentSet,
    source::{Source, batch_of},
};
use crate::{
    array::Array,
    device::Device,
    error::{DeviceError, Error},
    graph::Graph,
    program::{Inputs, reads_whole_rows},
};

/// Bytes up to which a set stays on the device, whatever the training itself takes.
const SMALL: usize = 256 << 20;

/// The set, if it is to stay on the device: where that has memory of its own, all fields are in the
/// memory of the host, and they take no more than was said, or than the training does by its plan.
pub(super) fn resident_set(
    trainer: &Trainer<'_>,
    device: &Device,
    source: &Source<'_>,
) -> Result<Option<ResidentSet>, Error> {
    let names = source.fields.iter().map(|(name, _)| name);
    let arrays: Option<Vec<_>> =
        names.map(|name| Some((name.clone(), source.array(name)?))).collect();
    let (Some(arrays), Some(largest)) = (arrays, device.backend().largest_binding()) else {
        return Ok(None);
    };
    let size = |array: &Array| array.shape().len().saturating_mul(4);
    let bytes: usize = arrays.iter().map(|(_, array)| size(array)).sum();
    let is_bindable = arrays.iter().all(|(_, array)| size(array) as u64 <= largest);
    // NaN among the rows is looked for on the host.
    if trainer.check_finite || !is_bindable || !fits(trainer, source, bytes)? {
        return Ok(None);
    }
    for objective in &trainer.objectives {
        if !checked(objective, source)? {
            return Ok(None);
        }
    }
    Ok(ResidentSet::new(&arrays))
}

/// Whether a set of so many bytes may take them.
fn fits(trainer: &Trainer<'_>, source: &Source<'_>, bytes: usize) -> Result<bool, Error> {
    if let Some(most) = trainer.resident {
        return Ok(bytes as u64 <= most);
    }
    if bytes <= SMALL {
        return Ok(true);
    }
    let Some(&rows) = source.sizes().first() else { return Ok(false) };
    for objective in &trainer.objectives {
        // A plan for the CPU has the values of that for a GPU, and compiles no shader.
        let program = trainer.step_of(&Device::cpu(), objective, &source.fields, rows)?;
        if program.plan().is_some_and(|plan| bytes <= plan.peak_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the indices among the fields are checked once for all rows.
///
/// # Errors
///
/// [`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange).
fn checked(objective: &Objective<'_>, source: &Source<'_>) -> Result<bool, Error> {
    let Some(&rows) = source.sizes().first() else { return Ok(false) };
    let graph = Graph::new();
    let batch = batch_of(&source.fields, rows);
    let inputs = batch.iter().map(|(name, meta)| (&**name, meta));
    let loss = objective.trace(&graph, &Inputs::declared(&graph, inputs));
    reads_whole_rows(&graph, &loss.outputs(), |name| source.array(name))
}

/// Whether a training without the set may be tried in place of one that has no memory for it.
pub(super) fn is_no_memory(error: &Error) -> bool {
    matches!(error, Error::Device(DeviceError::OutOfMemory { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Labeled, nn::Dense, optim::Adam};

    #[test]
    fn a_set_takes_no_more_than_its_training() -> Result<(), Error> {
        let data = Labeled::new(Array::full([8, 4096], 0.5f32)?, Array::full([8], 0u32)?)?;
        // Weights, two moments and a gradient of 4096x4608: 302 MB, more than 256 MiB.
        let [small, large] = [2, 4608].map(Dense::new);
        let stays = |net: &Dense, resident: Option<u64>, bytes: usize| {
            let mut trainer = Trainer::classifier(net, Adam::new(0.1));
            trainer.resident = resident;
            fits(&trainer, &Source::set(&trainer.drawing, &data), bytes)
        };
        assert!(stays(&small, None, SMALL)?);
        assert!(!stays(&small, None, SMALL + 1)?);
        assert!(stays(&large, None, SMALL + 1)?);
        assert!(!stays(&large, None, 2 * SMALL)?);
        assert!(stays(&small, Some(u64::MAX), usize::MAX)?);
        assert!(!stays(&large, Some(0), 1)?);
        Ok(())
    }
}
