//! Textual form of plans.

use super::plan::{Plan, Region, Step, StepKind, Storage};
use crate::{
    brief::Brief,
    shape::{Meta, Shape},
};
use std::fmt;

impl fmt::Debug for Plan {
    /// A summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("inputs", &Brief::named(self.inputs.iter().cloned()))
            .field("outputs", &Brief::new(&self.outputs))
            .field("variables", &self.variables.len())
            .field("steps", &self.len())
            .field("bytes", &self.peak_bytes())
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Bytes of slots, inputs, constants, variables and results, each counted once, as far as the plan knows
    /// them. An element of f16 takes two bytes in a plan for a GPU, and four in others.
    ///
    /// A GPU adds two more sets of results and staging buffers for runs in flight, and scratch
    /// memory for two-stage reductions.
    pub fn peak_bytes(&self) -> usize {
        let bytes = |meta: &Meta| self.bytes_of(meta.shape.len(), meta.dtype);
        let given = self.inputs.iter().map(|(_, meta)| meta).chain(&self.outputs);
        let given: usize = given.map(bytes).sum();
        let in_arena = |k: usize| {
            self.arenas.iter().any(|arena| arena.members.iter().any(|(member, _)| *member == k))
        };
        let alone = self.variables.iter().enumerate().filter(|(k, _)| !in_arena(*k));
        let alone: usize = alone.map(|(_, (_, variable))| bytes(&variable.meta)).sum();
        let arenas = self.arenas.iter().map(|arena| self.bytes_of(arena.words, arena.dtype));
        let constants: usize = self.constants.iter().map(|array| bytes(array.meta())).sum();
        given + constants + alone + arenas.sum::<usize>() + 4 * self.slots.iter().sum::<usize>()
    }

    /// Bytes of each variable.
    pub(crate) fn variable_bytes(&self) -> Vec<(String, usize)> {
        let bytes = |meta: &Meta| self.bytes_of(meta.shape.len(), meta.dtype);
        self.variables.iter().map(|(path, known)| (path.clone(), bytes(&known.meta))).collect()
    }

    /// Bytes of the inputs and results of a run.
    pub(crate) fn given_bytes(&self) -> usize {
        let given = self.inputs.iter().map(|(_, meta)| meta).chain(&self.outputs);
        given.map(|meta| self.bytes_of(meta.shape.len(), meta.dtype)).sum()
    }

    /// Human-readable list of the operations in a step; steps are counted from 0.
    pub fn label(&self, step: usize) -> Option<&str> {
        self.steps.get(step).map(|step| step.label.as_str())
    }

    /// Number of steps per run; a GPU may take two dispatches for one.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Number of arithmetic operations per run.
    pub fn flops(&self) -> f64 {
        self.steps.iter().map(|step| step.cost.flops).sum()
    }

    fn name(&self, region: &Region) -> String {
        let name = match region.storage {
            Storage::Slot(k) => format!("s{k}"),
            Storage::Input(k) => format!("<{}>", self.inputs[k].0),
            Storage::Constant(k) => format!("const{k}"),
            Storage::Variable(k) => self.variables[k].0.clone(),
            Storage::Arena(k) => format!("arena{k}"),
            Storage::Output(k) => format!("out{k}"),
        };
        match region.offset {
            0 => name,
            offset => format!("{name}+{offset}"),
        }
    }
}

impl fmt::Display for Plan {
    /// One line per step, then the sizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, step) in self.steps.iter().enumerate() {
            let list = |regions: &[Region]| {
                regions.iter().map(|region| self.name(region)).collect::<Vec<_>>().join(", ")
            };
            writeln!(f, "{k:>4}  {:<24} {}", kind(step), step.label)?;
            writeln!(f, "      {} <- {}", list(&step.writes), list(&step.reads))?;
        }
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        writeln!(
            f,
            "{}, {:.3} Mflop, {} of {} bytes, {}, {} bytes in all",
            count(self.len(), "step"),
            self.flops() / 1e6,
            count(self.slots.len(), "slot"),
            4 * self.slots.iter().sum::<usize>(),
            count(self.arenas.len(), "arena"),
            self.peak_bytes(),
        )
    }
}

fn kind(step: &Step) -> String {
    let shape = |dims: &[usize]| Shape::from(dims).to_string();
    match &step.kind {
        StepKind::Map { space, .. } => format!("map {}", shape(space)),
        StepKind::Reduce { function, outer, inner, .. } => {
            format!("{} {} of {}", function.name(), shape(outer), shape(inner))
        }
        StepKind::Kernel { kernel, writes, .. } => {
            let mark = if kernel.is_defined() { "" } else { " (unverified)" };
            let shapes: Vec<String> = writes.iter().map(|write| shape(&write.space)).collect();
            let order = kernel.order.as_ref().map_or(String::new(), |order| format!(" {order}"));
            format!("{} {}{order}{mark}", kernel.shaders[0].file.name, shapes.join(" and "))
        }
        StepKind::Copy => "copy".to_owned(),
    }
}
