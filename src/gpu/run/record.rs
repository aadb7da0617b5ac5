//! Recording of commands through wgpu.

use super::{bindings::StorageMap, commands::Command, timestamps::Timestamps};
use crate::gpu::{
    device::counters::{Tally, count},
    elements::bytes_of,
};
use std::ops::Range;

/// Records commands, with the dispatches between two copies in one pass.
pub(crate) fn record(
    encoder: &mut wgpu::CommandEncoder,
    commands: &[Command],
    tally: &Tally,
    range: Range<usize>,
    groups: &[Vec<wgpu::BindGroup>],
    storages: &StorageMap,
    timestamps: Option<&Timestamps>,
) {
    let is_dispatch = |index: &usize| matches!(commands[*index], Command::Dispatch(_));
    let first = (0..commands.len()).find(is_dispatch);
    let last = (0..commands.len()).rfind(is_dispatch);
    let end = range.end;
    let mut rest = range.peekable();
    while let Some(&index) = rest.peek() {
        if let Command::Copy { from, to, .. } = &commands[index] {
            let ((source, read), (target, write)) = (storages.locate(*from), storages.locate(*to));
            let bytes = bytes_of(to.len, to.dtype);
            encoder.copy_buffer_to_buffer(&source.buffer, read, &target.buffer, write, bytes);
            rest.next();
            continue;
        }
        let behind = (index..end).find(|next| !is_dispatch(next)).unwrap_or(end);
        let has = |one: Option<usize>| one.is_some_and(|one| (index..behind).contains(&one));
        let timestamp_writes =
            timestamps.and_then(|timestamps| timestamps.writes(has(first), has(last)));
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        while let Some(&index) = rest.peek()
            && let Command::Dispatch(dispatch) = &commands[index]
        {
            pass.set_pipeline(&dispatch.pipeline.pipeline);
            for (number, group) in groups[index].iter().enumerate() {
                pass.set_bind_group(number as u32, group, &[]);
            }
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
            count(&tally.dispatches, 1);
            rest.next();
        }
    }
}
