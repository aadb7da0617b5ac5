//! Reductions: which shader, and whether in one stage or two.
//!
//! The choice depends only on the shape and the axes, not on what is fused, so results are bitwise
//! identical on every run, in every program, and on every device with the same rounding. Numerics classes:
//! * `reduce_rows`: four strided sums per invocation, then a tree over the workgroup;
//! * `reduce_serial`: sums of 64 adjacent elements, added in order;
//! * either split into `parts` chunks, combined by `reduce_rows`.

use super::{
    Assembly,
    emit::constant,
    operands::{Operands, storage_type, value_type},
    text::Text,
};
use crate::ops::params::params;
use crate::{
    dtype::DType,
    gpu::elements::{bytes_of, first_of},
    ops::{
        kernel::{Shader, fold, shader_file},
        reduce::ReduceFn,
    },
    schedule::{
        expr::{Affine, Body, Term, TermId},
        plan::{Epilogue, Region, Step, Storage},
    },
};

/// A reduction without its epilogue.
pub(crate) struct Reduction<'a> {
    pub function: ReduceFn,
    pub outer: &'a [usize],
    pub inner: &'a [usize],
    pub adjacent: usize,
    pub body: &'a Body,
    pub value: TermId,
}

/// Parameters of the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReductionShape {
    outer: usize,
    inner: usize,
    /// One workgroup per result, rather than one invocation.
    by_rows: bool,
    /// Number of chunks each inner space is split into.
    parts: usize,
    chunk: usize,
}

/// Results side by side from which one invocation a result loads coalesced.
const COALESCED: usize = 16;
/// Number of results from which splitting is not needed to fill the device.
const ENOUGH_WORKGROUPS: usize = 1024;
/// The same for `reduce_serial`.
const ENOUGH_INVOCATIONS: usize = 32 << 10;

impl ReductionShape {
    fn new(outer: usize, inner: usize, adjacent: usize) -> Self {
        let by_rows = inner >= 32 && adjacent < COALESCED;
        let wanted = if by_rows {
            (ENOUGH_WORKGROUPS / outer.max(1)).min(inner / 2048)
        } else {
            (ENOUGH_INVOCATIONS / outer.max(1)).min(inner / 64).min(1024)
        };
        let chunk = inner.div_ceil(wanted.max(1)).max(1);
        ReductionShape { outer, inner, by_rows, parts: inner.div_ceil(chunk).max(1), chunk }
    }

    /// A single stage of `reduce_rows`.
    fn rows(outer: usize, inner: usize) -> Self {
        ReductionShape { outer, inner, by_rows: true, parts: 1, chunk: inner }
    }

    /// Strides of the partial results of a first stage: from one result to the next, and between
    /// the parts of one result.
    fn strides(self) -> (i64, i64) {
        if self.by_rows { (self.parts as i64, 1) } else { (1, self.outer as i64) }
    }

    fn shader(self) -> Shader {
        let params = params! {
            outer: self.outer,
            inner: self.inner,
            parts: self.parts,
            chunk: self.chunk,
        };
        let results = self.outer * self.parts;
        if self.by_rows {
            let size = self.chunk.div_ceil(4).next_power_of_two().clamp(32, 256);
            return Shader {
                file: shader_file!("reduce_rows", []),
                overrides: vec![("WG_SIZE", size as f64)],
                params,
                workgroups: fold(results),
            };
        }
        Shader {
            file: shader_file!("reduce_serial", []),
            overrides: vec![],
            params,
            workgroups: fold(results.div_ceil(64)),
        }
    }
}

impl Reduction<'_> {
    /// Assembles its dispatches: one, or two with `partials` between them.
    pub fn assemble(&self, step: &Step, epilogue: &Epilogue, partials: Storage) -> Vec<Assembly> {
        let outer: usize = self.outer.iter().product();
        let inner: usize = self.inner.iter().product();
        let shape = ReductionShape::new(outer, inner, self.adjacent);
        let label = step.label.clone();
        if shape.parts == 1 {
            return vec![self.stage(shape, label, &step.reads, step.writes[0], Some(epilogue))];
        }
        // Nothing is rounded between the stages.
        let dtype = match self.body.dtype(self.value) {
            DType::F16 => DType::F32,
            dtype => dtype,
        };
        let len = outer * shape.parts;
        let between = Region { storage: partials, offset: 0, len, dtype };
        let first = self.stage(shape, format!("{label} (parts)"), &step.reads, between, None);

        // The second stage reads the output of the first one as an additional operand.
        let (by_outer, by_part) = shape.strides();
        let load = Term::Load {
            operand: step.reads.len(),
            index: Affine { offset: 0, coefs: vec![by_outer, by_part] },
            guards: vec![],
        };
        let body = Body { terms: vec![(load, dtype)] };
        let reads = [step.reads.as_slice(), &[between]].concat();
        let outer_dims = [outer];
        let inner_dims = [shape.parts];
        let whole = Reduction {
            function: self.function,
            outer: &outer_dims,
            inner: &inner_dims,
            adjacent: 1,
            body: &body,
            value: 0,
        };
        let shape = ReductionShape::rows(outer, shape.parts);
        let epilogue = Some((epilogue, self.outer));
        vec![first, whole.dispatch(shape, label, &reads, step.writes[0], epilogue)]
    }

    fn stage(
        &self,
        shape: ReductionShape,
        label: String,
        reads: &[Region],
        write: Region,
        epilogue: Option<&Epilogue>,
    ) -> Assembly {
        self.dispatch(shape, label, reads, write, epilogue.map(|epilogue| (epilogue, self.outer)))
    }

    /// Assembles one dispatch; the epilogue comes with the dimensions it is expressed over.
    fn dispatch(
        &self,
        shape: ReductionShape,
        label: String,
        reads: &[Region],
        write: Region,
        epilogue: Option<(&Epilogue, &[usize])>,
    ) -> Assembly {
        let shader = shape.shader();
        let dtype = self.body.dtype(self.value);
        let mut text = Text::new(&shader, label);
        text.alias("Acc", value_type(dtype));
        text.own(&[], write);

        let roots = [self.value];
        let epilogue_root = epilogue.map(|(epilogue, _)| [epilogue.root]);
        let mut bodies: Vec<(&Body, &[TermId])> = vec![(self.body, &roots)];
        if let (Some((epilogue, _)), Some(root)) = (epilogue, &epilogue_root) {
            bodies.push((&epilogue.body, root));
        }
        let operands = Operands::new(&bodies, reads, &[(write, "y".to_owned())]);

        let spaces = [("outer", self.outer), ("inner", self.inner)];
        let is_summed = self.function == ReduceFn::Sum && dtype.is_float();
        let element = text.emit_element(self.body, self.value, &spaces, &operands, is_summed);
        let (statements, value) = (element.statements, &element.values[0]);
        text.declare(
            &format!(
                "fn element(outer: u32, inner: u32) -> Acc {{\n{statements}    return {value};\n}}"
            ),
            &[],
        );
        let combine = self.function.wgsl_combine(dtype);
        text.declare(&combine.text, combine.lib);
        let identity = self.function.identity(dtype);
        let identity = constant(identity, dtype, "identity".to_owned(), &mut text.slot);
        text.declare(&format!("fn identity() -> Acc {{ return {identity}; }}"), &[]);
        match epilogue {
            Some((epilogue, space)) => {
                text.epilogue_of(epilogue, write.dtype, space, "acc", &operands);
            }
            None if storage_type(write.dtype) == value_type(dtype) => text.no_epilogue(),
            None => text.declare(
                "fn epilogue(acc: Acc, index: u32) -> Out { return select(0u, 1u, acc); }",
                &[],
            ),
        }
        text.slot_operands(&operands);
        text.finish(shader)
    }
}

/// Bytes of the slot of partial results that a step needs.
pub(crate) fn partial_bytes(assemblies: &[Assembly], partials: usize) -> u64 {
    let regions = assemblies.iter().flat_map(|assembly| &assembly.bindings);
    let of_slot = |region: Region| {
        let end = || first_of(region) + bytes_of(region.len, region.dtype);
        (region.storage == Storage::Slot(partials)).then(end)
    };
    regions.filter_map(|binding| binding.region.and_then(of_slot)).max().unwrap_or(0)
}
