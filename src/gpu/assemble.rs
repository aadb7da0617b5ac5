//! Steps become shaders: a file of `shaders/`, followed by the declarations it asks for.
//!
//! Nothing is put in front of the file but `enable f16;`, on its first line, so its line numbers stay
//! true. No adapter is needed:
//! tests assemble every shader and compare it with what the host binds.

use super::{
    detour,
    emit::{Emitted, Emitter},
    operands::{Operands, storage_type, value_type, wide_type},
    reduction,
    slot_params::SlotParams,
};
use crate::{
    dtype::DType,
    ops::{
        library::closure,
        lowering::{Shader, fold},
    },
    schedule::{
        expr::{Body, TermId},
        plan::{Epilogue, Plan, Region, Step, StepKind, Storage},
    },
};
use std::collections::BTreeSet;

/// One dispatch: a shader as it is given to the driver, and all that is bound to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Assembly {
    /// The operations in it, for people.
    pub label: String,
    /// Name of the file of `shaders/`, without its ending.
    pub shader: &'static str,
    /// The text.
    pub text: String,
    /// Values of its overrides.
    pub overrides: Vec<(&'static str, f64)>,
    /// Extent of the grid.
    pub workgroups: [u32; 3],
    /// What `Params` holds, group 0, binding 0.
    pub params: Vec<u8>,
    /// What `SlotParams` holds, group 1, binding 0; nothing where there is no such binding.
    pub slot_params: Vec<u8>,
    /// All bindings, in order of group and binding.
    pub bindings: Vec<Binding>,
}

/// Something bound to a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The group.
    pub group: u32,
    /// The number in the group.
    pub binding: u32,
    /// What it is.
    pub kind: BindingKind,
    /// The words that are bound; `None` for uniforms.
    pub(crate) region: Option<Region>,
}

/// What is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingKind {
    /// `Params`, or `SlotParams` in group 1.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    ReadWrite,
}

/// Every dispatch of a plan, as a GPU executes it.
pub(crate) fn assemble_plan(plan: &Plan) -> Vec<Assembly> {
    let bound = detour::bindable(plan);
    let partials = bound.slots.len();
    bound.steps.iter().flat_map(|step| assemble(step, partials, 0)).collect()
}

/// The dispatches of a step; none for a copy, or where nothing is written. Slot `partials` may be
/// used between them, and `variant` is which of the shaders of a kernel is taken.
pub(super) fn assemble(step: &Step, partials: usize, variant: usize) -> Vec<Assembly> {
    if step.writes.iter().all(|write| write.len == 0) {
        return Vec::new();
    }
    match &step.kind {
        StepKind::Copy => Vec::new(),
        StepKind::Map { space, body, roots } => vec![map(step, space, body, roots)],
        StepKind::Reduce { function, outer, inner, body, value, epilogue } => {
            let reduction =
                reduction::Reduction { function: *function, outer, inner, body, value: *value };
            reduction.assemble(step, epilogue, Storage::Slot(partials))
        }
        StepKind::Kernel { kernel, operands, space, dtype, epilogue } => {
            let shader = kernel.shaders[variant].clone();
            let mut text = Text::new(&shader, step.label.clone());
            let first = step.reads.first().filter(|_| *operands > 0);
            let elem = first.map_or(*dtype, |region| region.dtype);
            text.alias("Elem", storage_type(elem));
            text.alias("Wide", wide_type(elem));
            text.alias("Acc", wide_type(*dtype));
            text.own(&step.reads[..*operands], step.writes[0]);
            let acc = if *dtype == DType::Bool { "(acc != 0u)" } else { "acc" };
            text.epilogue(step, epilogue, space, acc);
            vec![text.finish(shader)]
        }
    }
}

fn map(step: &Step, space: &[usize], body: &Body, roots: &[TermId]) -> Assembly {
    let len = space.iter().product::<usize>();
    let shader = Shader {
        name: "map",
        source: include_str!("../../shaders/map.wgsl"),
        overrides: vec![],
        params: (len as u32).to_le_bytes().to_vec(),
        workgroups: fold(len.div_ceil(MAP_INVOCATIONS)),
    };
    let mut text = Text::new(&shader, step.label.clone());
    let writes: Vec<_> =
        step.writes.iter().enumerate().map(|(n, &write)| (write, format!("y{n}"))).collect();
    let operands = Operands::new(&[(body, roots)], &step.reads, &writes);
    let emitted = text.emit(body, roots, &[("i", space)], &operands, "", "");
    let mut stores = String::new();
    for ((write, name), value) in writes.iter().zip(&emitted.values) {
        stores += &format!("    {name}[i] = {};\n", text.stored(value, write.dtype));
    }
    text.declarations += &format!("fn map(i: u32) {{\n{}{stores}}}\n", emitted.statements);
    text.slot_operands(&operands);
    for (n, (write, name)) in writes.iter().enumerate() {
        let (binding, element) = (1 + operands.bound.len() + n, storage_type(write.dtype));
        text.declarations += &format!(
            "@group(1) @binding({binding}) var<storage, read_write> {name}: array<{element}>;\n"
        );
        text.bind(1, binding, BindingKind::ReadWrite, *write);
    }
    text.finish(shader)
}

/// Invocations per workgroup of `shaders/map.wgsl`.
const MAP_INVOCATIONS: usize = 256;

/// A shader while declarations are appended to it.
pub(super) struct Text {
    label: String,
    declarations: String,
    /// What shape values the slots need.
    pub slot: SlotParams,
    lib: BTreeSet<&'static str>,
    bindings: Vec<Binding>,
    /// What the file calls its result.
    output: &'static str,
}

/// The name of the variable that a file writes.
fn output_of(source: &'static str) -> &'static str {
    let declared = source.split_once("read_write> ").and_then(|(_, rest)| rest.split_once(':'));
    declared.map_or("", |(name, _)| name)
}

impl Text {
    pub fn new(shader: &Shader, label: String) -> Self {
        let header = shader.source.lines().take_while(|line| line.starts_with("//"));
        let lib = header
            .filter_map(|line| line.strip_prefix("// Lib "))
            .flat_map(|names| names.split(',').map(str::trim).filter(|name| !name.is_empty()));
        let uniform = Binding { group: 0, binding: 0, kind: BindingKind::Uniform, region: None };
        Text {
            label,
            declarations: String::new(),
            slot: SlotParams::default(),
            lib: lib.collect(),
            bindings: vec![uniform],
            output: output_of(shader.source),
        }
    }

    pub fn alias(&mut self, name: &str, dtype: &str) {
        self.declarations += &format!("alias {name} = {dtype};\n");
    }

    /// Appends a function, and the fragments it calls.
    pub fn function(&mut self, text: &str, lib: &[&'static str]) {
        self.declarations += text;
        self.declarations.push('\n');
        self.lib.extend(lib);
    }

    /// A value as it is stored.
    pub fn stored(&mut self, value: &str, dtype: DType) -> String {
        match dtype {
            DType::Bool => format!("select(0u, 1u, {value})"),
            // Rounded by us: a conversion may cut off instead.
            DType::F16 => {
                self.lib.insert("half");
                format!("f16(round_to_half({value}))")
            }
            _ => value.to_owned(),
        }
    }

    /// The bindings of group 0: what the file itself declares.
    pub fn own(&mut self, reads: &[Region], write: Region) {
        self.alias("Out", storage_type(write.dtype));
        for (n, read) in reads.iter().enumerate() {
            self.bind(0, n + 1, BindingKind::Read, *read);
        }
        self.bind(0, reads.len() + 1, BindingKind::ReadWrite, write);
    }

    fn bind(&mut self, group: u32, binding: usize, kind: BindingKind, region: Region) {
        let region = Some(region);
        self.bindings.push(Binding { group, binding: binding as u32, kind, region });
    }

    /// The bindings of group 1 that are read.
    pub fn slot_operands(&mut self, operands: &Operands) {
        self.declarations += &operands.declarations();
        for (n, region) in operands.bound.iter().enumerate() {
            self.bind(1, n + 1, BindingKind::Read, *region);
        }
    }

    /// Prints what the roots of a body need.
    pub fn emit(
        &mut self,
        body: &Body,
        roots: &[TermId],
        spaces: &[(&str, &[usize])],
        operands: &Operands,
        prefix: &str,
        acc: &str,
    ) -> Emitted {
        let (slot, lib) = (&mut self.slot, &mut self.lib);
        Emitter { spaces, operands, slot, prefix, acc, lib }.emit(body, roots)
    }

    /// Appends `epilogue`, and binds what it reads: the only slot of the shader.
    fn epilogue(&mut self, step: &Step, epilogue: &Epilogue, space: &[usize], acc: &str) {
        let roots = [epilogue.root];
        let writes = [(step.writes[0], self.output.to_owned())];
        let operands = Operands::new(&[(&epilogue.body, &roots)], &step.reads, &writes);
        self.epilogue_of(epilogue, step.writes[0].dtype, space, acc, &operands);
        self.slot_operands(&operands);
    }

    /// Appends `epilogue`; `acc` is the expression of the value it gets.
    pub fn epilogue_of(
        &mut self,
        epilogue: &Epilogue,
        dtype: DType,
        space: &[usize],
        acc: &str,
        operands: &Operands,
    ) {
        let spaces = [("index", space)];
        let emitted =
            self.emit(&epilogue.body, &[epilogue.root], &spaces, operands, "epilogue_", acc);
        let (statements, value) = (emitted.statements, self.stored(&emitted.values[0], dtype));
        self.declarations += &format!(
            "fn epilogue(acc: Acc, index: u32) -> Out {{\n{statements}    return {value};\n}}\n"
        );
    }

    /// Appends an `epilogue` that changes nothing.
    pub fn no_epilogue(&mut self) {
        self.declarations += "fn epilogue(acc: Acc, index: u32) -> Out {\n    return acc;\n}\n";
    }

    /// The whole text.
    pub fn finish(mut self, shader: Shader) -> Assembly {
        let mut regions = self.bindings.iter().filter_map(|binding| binding.region);
        let has_halves = regions.any(|region| region.dtype == DType::F16);
        let mut text = String::from(if has_halves { "enable f16; " } else { "" });
        text += shader.source;
        text += "\n// ---- appended by the host ----\n";
        if !self.slot.is_empty() {
            text += &self.slot.declaration();
            let kind = BindingKind::Uniform;
            self.bindings.push(Binding { group: 1, binding: 0, kind, region: None });
        }
        text += &self.declarations;
        text += &closure(&self.lib.into_iter().collect::<Vec<_>>()).join("\n");
        self.bindings.sort_by_key(|binding| (binding.group, binding.binding));
        Assembly {
            label: self.label,
            shader: shader.name,
            text,
            overrides: shader.overrides,
            workgroups: shader.workgroups,
            params: shader.params,
            slot_params: self.slot.bytes(),
            bindings: self.bindings,
        }
    }
}

/// The alias of the type reductions calculate in.
pub(super) fn accumulator(dtype: DType) -> &'static str {
    value_type(dtype)
}
