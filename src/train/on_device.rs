//! Data sets that stay in the memory of a device.

use super::{Objective, Trainer, source::Source};
use crate::{
    array::Array,
    data::Batch,
    device::Device,
    error::{DeviceError, Error},
    graph::{Graph, Tensor},
    ops::SharedConstant,
    program::{Inputs, reads_whole_rows},
    shape::Meta,
};

/// Bytes up to which a set stays on the device, whatever the training itself takes.
const SMALL: usize = 256 << 20;

/// The fields of a set, constants of every program of the training: a batch is then no more than the
/// numbers of its rows, and the device gathers them.
#[derive(Debug)]
pub(super) struct OnDevice {
    /// Ordered by name.
    fields: Vec<(String, SharedConstant)>,
}

impl OnDevice {
    /// Name of the numbers of the rows of a batch.
    pub const ROWS: &str = "rows of the data set";

    /// The set, if it is to stay on the device: where there is memory of its own, all fields are in that
    /// of the host, and they take no more than what was said, or than the training does by its plan.
    pub fn of(
        trainer: &Trainer<'_>,
        device: &Device,
        source: &Source<'_>,
    ) -> Result<Option<Self>, Error> {
        let names = source.fields.iter().map(|(name, _)| name);
        let arrays: Option<Vec<_>> =
            names.map(|name| Some((name.clone(), source.array(name)?))).collect();
        let (Some(mut arrays), Some(largest)) = (arrays, device.backend().largest_binding()) else {
            return Ok(None);
        };
        let size = |array: &Array| 4 * array.shape().len();
        let bytes: usize = arrays.iter().map(|(_, array)| size(array)).sum();
        let is_bindable = arrays.iter().all(|(_, array)| size(array) as u64 <= largest);
        // NaN among the rows is looked for on the host.
        if trainer.check_finite || !is_bindable || !fits(trainer, source, bytes)? {
            return Ok(None);
        }
        let mut are_checked = true;
        for objective in &trainer.objectives {
            are_checked &= checked(objective, source)?;
        }
        if !are_checked {
            return Ok(None);
        }
        arrays.sort_by(|(a, _), (b, _)| a.cmp(b));
        let shared = |(name, array): (String, &Array)| {
            // Halves and truth values are rounded where they are fed.
            Some((name, SharedConstant::new(array).ok()?))
        };
        let fields: Option<Vec<_>> = arrays.into_iter().map(shared).collect();
        Ok(fields.map(|fields| OnDevice { fields }))
    }

    /// The type of a batch of so many rows.
    pub fn inputs(rows: usize) -> Vec<(String, Meta)> {
        vec![(OnDevice::ROWS.to_owned(), Meta::new([rows], crate::dtype::DType::U32))]
    }

    /// The batch of these rows.
    pub fn batch(rows: &[usize]) -> Result<Batch, Error> {
        let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        Ok(Batch::new([(OnDevice::ROWS, Array::from_vec([rows.len()], rows)?)]))
    }

    /// The fields of the batch of these rows.
    pub fn gathered<'g>(&self, graph: &'g Graph, rows: Tensor<'g>) -> Inputs<'g> {
        let fields = self
            .fields
            .iter()
            .map(|(name, all)| (name.clone(), graph.shared_constant(all).index_select(rows, 0)));
        Inputs::of(graph, fields.collect())
    }
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
    let batch = super::source::batch_of(&source.fields, rows);
    let inputs = batch.iter().map(|(name, meta)| (&**name, meta));
    objective.trace(&graph, &Inputs::declared(&graph, inputs));
    reads_whole_rows(&graph, |name| source.array(name))
}

/// Whether a program without the set may be tried in place of one that has no memory for it.
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
            fits(&trainer, &Source::set(&trainer, &data), bytes)
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
