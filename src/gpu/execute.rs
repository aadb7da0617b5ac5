//! A run: everything is there already, so it is recorded and submitted.

use super::{
    bindings::Homes,
    counters::count,
    device::Submissions,
    elements::{bytes_of, decode},
    guard,
    memory::Home,
    program::{Command, GpuProgram, State},
    stopwatch::Stopwatch,
    uploads::IN_FLIGHT,
    values::{GpuValue, OutputSet},
};
use crate::{
    backend::Results,
    error::{Error, NotFinite, RunError},
    schedule::plan::{Region, Step, Storage},
    value::Fed,
    variables::Store,
};
use std::{ops::Range, sync::Arc};

impl GpuProgram {
    /// Submits one run; the results are on their way when this returns. Waits where three runs are on
    /// their way already. A stopwatch notes when the first dispatch begins and the last one ends.
    pub(super) fn run_watched(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
        watch: Option<&Stopwatch>,
    ) -> Result<Results, Error> {
        let device = &self.device;
        device.shared.faults.check()?;
        let mut state = self.lock();
        let (mut homes, visits) = self.ready(&mut state, store)?;
        let from_host = self.feed(&mut homes, inputs)?;
        state.bindings.forget_the_dead();
        if state.bindings.is_empty() {
            self.bind_all(&mut state, &homes);
        }
        while state.in_flight.len() >= IN_FLIGHT
            && let Some(oldest) = state.in_flight.pop_front()
        {
            device.wait(oldest)?;
        }
        let State { uploads, outputs, bindings, in_flight, .. } = &mut *state;
        let set = self.free_set(outputs)?;
        homes.outputs.clone_from(&set.homes);
        let groups = bindings.of(device, &self.uniforms, &self.commands, &homes);

        let submissions = device.submissions();
        if device.is_guarded {
            guard::poison(&submissions, &homes.slots);
            guard::poison(&submissions, &homes.outputs);
        }
        let mut frame = None;
        let last = self.submissions.len() - 1;
        for (index, range) in self.submissions.iter().enumerate() {
            let mut encoder = submissions.encoder();
            if let (0, Some(uploads)) = (index, &mut *uploads) {
                frame = uploads.record(device, &submissions, &mut encoder, &from_host)?;
            }
            if index == 0 {
                visits.iter().for_each(|visit| visit.begin(&mut encoder));
            }
            self.record(&mut encoder, range.clone(), groups, &homes, watch);
            if index == last {
                visits.iter().for_each(|visit| visit.end(&mut encoder));
                set.stage(&mut encoder);
                if let Some(watch) = watch {
                    watch.resolve(&mut encoder);
                }
            }
            let submission = submissions.submit(encoder);
            if index == 0
                && let (Some(frame), Some(uploads)) = (frame, &mut *uploads)
            {
                uploads.submitted(frame, submission.clone());
            }
            if device.is_guarded {
                self.check_guards(&submissions, range.clone(), &homes)?;
            }
            for (_, (number, step)) in self.looked_at.range(range.clone()) {
                self.check_finite(&submissions, *number, step, &homes)?;
            }
            if index == last {
                set.submitted(submission.clone());
                in_flight.push_back(submission);
            }
        }
        drop(submissions);
        device.shared.faults.check()?;
        Ok(GpuValue::all(device, &set))
    }

    /// Puts values of the device in the place of inputs; returns those that must be uploaded.
    fn feed<'a>(
        &self,
        homes: &mut Homes,
        inputs: &[Fed<'a>],
    ) -> Result<Vec<(usize, &'a [u32])>, Error> {
        let mut from_host = Vec::new();
        for (input, fed) in inputs.iter().enumerate() {
            match fed {
                Fed::Host(array) => from_host.push((input, array.words())),
                Fed::Device(value) => match value.data.is::<GpuValue>() {
                    Some(value) if value.device().is(&self.device) => {
                        homes.inputs[input] = value.home().clone();
                    }
                    _ => {
                        let name = self.plan.inputs[input].0.clone();
                        return Err(RunError::ForeignValue { name }.into());
                    }
                },
            }
        }
        Ok(from_host)
    }

    /// Buffers for results that nobody holds; new ones only where the caller holds all.
    fn free_set(&self, sets: &mut Vec<Arc<OutputSet>>) -> Result<Arc<OutputSet>, Error> {
        let set = match sets.iter().position(|set| Arc::strong_count(set) == 1) {
            Some(free) => sets.remove(free),
            None => Arc::new(OutputSet::new(&self.device, &self.plan.outputs)?),
        };
        set.reuse();
        // Used in turn: the one that was used last comes back last.
        sets.push(set.clone());
        Ok(set)
    }

    /// Records commands, the dispatches between two copies in one pass.
    fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        range: Range<usize>,
        groups: &[Vec<wgpu::BindGroup>],
        homes: &Homes,
        watch: Option<&Stopwatch>,
    ) {
        let is_dispatch = |index: &usize| matches!(self.commands[*index], Command::Dispatch(_));
        let first = (0..self.commands.len()).find(is_dispatch);
        let last = (0..self.commands.len()).rfind(is_dispatch);
        let end = range.end;
        let mut commands = range.peekable();
        while let Some(&index) = commands.peek() {
            if let Command::Copy { from, to, .. } = &self.commands[index] {
                let ((source, read), (target, write)) = (homes.locate(*from), homes.locate(*to));
                let bytes = bytes_of(to.len, to.dtype);
                encoder.copy_buffer_to_buffer(&source.buffer, read, &target.buffer, write, bytes);
                commands.next();
                continue;
            }
            let behind = (index..end).find(|next| !is_dispatch(next)).unwrap_or(end);
            let has = |one: Option<usize>| one.is_some_and(|one| (index..behind).contains(&one));
            let timestamp_writes = watch.and_then(|watch| watch.writes(has(first), has(last)));
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            while let Some(&index) = commands.peek()
                && let Command::Dispatch(dispatch) = &self.commands[index]
            {
                pass.set_pipeline(&dispatch.pipeline.pipeline);
                for (number, group) in groups[index].iter().enumerate() {
                    pass.set_bind_group(number as u32, group, &[]);
                }
                let [x, y, z] = dispatch.workgroups;
                pass.dispatch_workgroups(x, y, z);
                count(&self.device.shared.tally.dispatches, 1);
                commands.next();
            }
        }
    }

    /// Waits for what a step wrote and looks for NaN and infinity.
    fn check_finite(
        &self,
        submissions: &Submissions<'_>,
        number: usize,
        step: &Step,
        homes: &Homes,
    ) -> Result<(), Error> {
        for write in step.writes.iter().filter(|write| write.len > 0 && write.dtype.is_float()) {
            let (home, first) = homes.locate(*write);
            let home = Home { buffer: home.buffer.clone(), first };
            let bytes = bytes_of(write.len, write.dtype);
            let bytes = self.device.read_between(submissions, &home, bytes)?;
            let words = decode(&bytes, write.dtype, write.len);
            for (first, count) in self.elements_of(*write) {
                let elements = words.get(first..first + count).unwrap_or_default();
                if let Some((index, value)) = NotFinite::among(write.dtype, elements) {
                    let found = step.not_finite(number, (first + index, value));
                    return Err(RunError::from(found).into());
                }
            }
        }
        Ok(())
    }

    /// Where in a region there are elements, and how many. Between the members of an arena there is nothing: its
    /// words are made of what other values have left in the memory of a gradient, and two halves that
    /// were one float may well be NaN.
    fn elements_of(&self, region: Region) -> Vec<(usize, usize)> {
        let Storage::Arena(arena) = region.storage else { return vec![(0, region.len)] };
        let members = self.plan.arenas[arena].members.iter();
        let elements = |&(variable, first): &(usize, usize)| {
            (first, self.plan.variables[variable].1.meta.shape.len())
        };
        members.map(elements).collect()
    }

    /// Checks the bands around everything that these commands wrote.
    fn check_guards(
        &self,
        submissions: &Submissions<'_>,
        range: Range<usize>,
        homes: &Homes,
    ) -> Result<(), Error> {
        for command in &self.commands[range] {
            for (region, label) in command.writes() {
                let (home, _) = homes.locate(region);
                let is_guarded = |known: &Home| known.is(home);
                if homes.slots.iter().chain(&homes.outputs).any(is_guarded) {
                    guard::check(&self.device, submissions, home, label)?;
                }
            }
        }
        Ok(())
    }
}

impl Command {
    /// What it writes, and its name.
    fn writes(&self) -> Vec<(Region, &str)> {
        match self {
            Command::Copy { label, to, .. } => vec![(*to, label)],
            Command::Dispatch(dispatch) => {
                let writes = dispatch
                    .bindings
                    .iter()
                    .filter(|binding| binding.kind == super::assemble::BindingKind::ReadWrite);
                let regions = writes.filter_map(|binding| binding.region);
                regions.map(|region| (region, dispatch.label.as_str())).collect()
            }
        }
    }
}
