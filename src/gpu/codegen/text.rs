//! Shader text under construction.

use super::{
    Assembly, Binding, BindingKind, ModuleKind,
    emit::{Emitted, Emitter},
    folding::Products,
    operands::{Operands, storage_type, wide_type},
    slot_params::SlotParams,
};
use crate::{
    dtype::DType,
    ops::{
        kernel::{KernelResult, Shader, ShaderFile},
        library::closure,
    },
    schedule::{
        expr::{Body, TermId},
        plan::{Epilogue, KernelWrite, Region, Step},
    },
};
use std::collections::BTreeSet;

/// The directive that a shader begins with if it has halves in memory.
pub(crate) const ENABLE_HALVES: &str = "enable f16; ";
/// The directive behind that, of a shader that uses matrix units.
pub(crate) const ENABLE_UNITS: &str = "enable wgpu_cooperative_matrix; ";

/// A shader file with the declarations appended so far.
pub(crate) struct Text {
    pub label: String,
    declarations: String,
    /// Shape values that the slots need.
    pub slot: SlotParams,
    lib: BTreeSet<&'static str>,
    bindings: Vec<Binding>,
    output: Output,
    /// Whether what the file passes to its epilogue may be a product.
    may_be_product: bool,
}

/// Beginnings of the names of files that pass a sum, or a chain of `fma`, to their epilogue: no
/// product that a compiler could contract with a sum that follows.
const SUMS: [&str; 3] = ["convolution", "matmul", "reduce"];

/// The expression that stores a value of this type. One of f16 was rounded where it was calculated:
/// a conversion might truncate instead.
pub(crate) fn stored(value: &str, dtype: DType) -> String {
    match dtype {
        DType::Bool => format!("select(0u, 1u, {value})"),
        DType::F16 => format!("f16({value})"),
        _ => value.to_owned(),
    }
}

/// The variable that a shader writes, which its file declares, or a fragment that it imports.
struct Output {
    name: &'static str,
    /// Whether it is an array of vec4s.
    in_vec4s: bool,
}

impl Output {
    fn of(file: &ShaderFile) -> Self {
        let texts = closure(file.imports).into_iter().chain([file.source]);
        let declared = |text: &'static str| text.split_once("read_write> ")?.1.split_once(": ");
        let declared = texts.filter_map(declared).next();
        let (name, rest) = declared.unwrap_or_default();
        Output { name, in_vec4s: rest.starts_with("array<vec4<") }
    }
}

impl Text {
    pub fn new(shader: &Shader, label: String) -> Self {
        let uniform = Binding { group: 0, binding: 0, kind: BindingKind::Uniform, region: None };
        Text {
            label,
            declarations: String::new(),
            slot: SlotParams::default(),
            lib: shader.file.imports.iter().copied().collect(),
            bindings: vec![uniform],
            output: Output::of(&shader.file),
            may_be_product: !SUMS.iter().any(|sum| shader.file.name.starts_with(sum)),
        }
    }

    pub fn alias(&mut self, name: &str, dtype: &str) {
        self.declarations += &format!("alias {name} = {dtype};\n");
    }

    /// Appends a declaration, and the fragments it calls.
    pub fn declare(&mut self, text: &str, lib: &[&'static str]) {
        self.declarations += text;
        self.declarations.push('\n');
        self.lib.extend(lib);
    }

    /// Binds the operands that the file itself declares, in group 0.
    pub fn own_reads(&mut self, reads: &[Region]) {
        for (n, read) in reads.iter().enumerate() {
            self.bind(0, n + 1, BindingKind::Read, *read);
        }
    }

    /// Binds operands and result that the file itself declares, in group 0.
    pub fn own(&mut self, reads: &[Region], write: Region) {
        self.own_reads(reads);
        self.alias("Out", storage_type(write.dtype));
        self.bind(0, reads.len() + 1, BindingKind::ReadWrite, write);
    }

    /// Declares a result in group 1.
    pub fn slot_write(&mut self, binding: usize, name: &str, write: Region) {
        let element = storage_type(write.dtype);
        self.declare(
            &format!(
                "@group(1) @binding({binding}) var<storage, read_write> {name}: array<{element}>;"
            ),
            &[],
        );
        self.bind(1, binding, BindingKind::ReadWrite, write);
    }

    /// Binds a region.
    pub fn bind(&mut self, group: u32, binding: usize, kind: BindingKind, region: Region) {
        let region = Some(region);
        self.bindings.push(Binding { group, binding: binding as u32, kind, region });
    }

    /// Binds the operands read in group 1.
    pub fn slot_operands(&mut self, operands: &Operands) {
        self.declarations += &operands.declarations();
        for (n, region) in operands.bound.iter().enumerate() {
            self.bind(1, n + 1, BindingKind::Read, *region);
        }
    }

    /// Emits everything the roots of a body need; the shader stores them.
    pub fn emit(
        &mut self,
        body: &Body,
        roots: &[TermId],
        spaces: &[(&str, &[usize])],
        operands: &Operands,
        prefix: &str,
        acc: &str,
    ) -> Emitted {
        let products = Products { acc: self.may_be_product, roots: false };
        let (slot, lib) = (&mut self.slot, &mut self.lib);
        Emitter { spaces, operands, slot, prefix, acc, lib, products }.emit(body, roots)
    }

    /// Emits what a reduction combines.
    pub fn emit_element(
        &mut self,
        body: &Body,
        root: TermId,
        spaces: &[(&str, &[usize])],
        operands: &Operands,
        is_summed: bool,
    ) -> Emitted {
        let products = Products { acc: false, roots: is_summed };
        let (slot, lib, prefix, acc) = (&mut self.slot, &mut self.lib, "", "");
        Emitter { spaces, operands, slot, prefix, acc, lib, products }.emit(body, &[root])
    }

    /// Appends `epilogue` of write `n` of the step, and binds its operands; it is the only slot of the shader.
    pub fn epilogue(&mut self, step: &Step, n: usize, write: &KernelWrite, acc: &str) {
        let KernelWrite { space, epilogue, .. } = write;
        let roots = [epilogue.root];
        let writes = [(step.writes[n], self.output.name.to_owned())];
        let mut operands = Operands::new(&[(&epilogue.body, &roots)], &step.reads, &writes);
        operands.in_vec4s = self.output.in_vec4s.then_some(self.output.name);
        self.epilogue_of(epilogue, step.writes[n].dtype, space, acc, &operands);
        self.slot_operands(&operands);
    }

    /// Appends `store_NAME` for each result of a kernel that has several: it applies the epilogue and
    /// writes the element, or does nothing if the step does not write the result.
    pub fn stores(&mut self, step: &Step, results: &[KernelResult], writes: &[KernelWrite]) {
        let names = || writes.iter().map(|write| results[write.result].name);
        let regions: Vec<(Region, String)> =
            step.writes.iter().copied().zip(names().map(str::to_owned)).collect();
        let roots: Vec<[TermId; 1]> = writes.iter().map(|write| [write.epilogue.root]).collect();
        let bodies: Vec<(&Body, &[TermId])> = writes
            .iter()
            .zip(&roots)
            .map(|(write, root)| (&write.epilogue.body, root.as_slice()))
            .collect();
        let operands = Operands::new(&bodies, &step.reads, &regions);
        self.slot_operands(&operands);
        for (k, KernelResult { name, dtype, .. }) in results.iter().enumerate() {
            let mut content = String::new();
            if let Some(n) = writes.iter().position(|write| write.result == k) {
                let KernelWrite { space, epilogue: Epilogue { body, root }, .. } = &writes[n];
                let write = step.writes[n];
                self.slot_write(1 + operands.bound.len() + n, name, write);
                let (spaces, prefix) = ([("index", space.as_slice())], format!("{name}_"));
                let acc = if *dtype == DType::Bool { "(acc != 0u)" } else { "acc" };
                let emitted = self.emit(body, &[*root], &spaces, &operands, &prefix, acc);
                let value = stored(&emitted.values[0], write.dtype);
                content = format!("\n{}    {name}[index] = {value};\n", emitted.statements);
            }
            let acc = wide_type(*dtype);
            self.declare(&format!("fn store_{name}(acc: {acc}, index: u32) {{{content}}}"), &[]);
        }
    }

    /// Appends `epilogue`; `acc` is the expression of its input.
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
        let (statements, value) = (emitted.statements, stored(&emitted.values[0], dtype));
        self.declarations += &format!(
            "fn epilogue(acc: Acc, index: u32) -> Out {{\n{statements}    return {value};\n}}\n"
        );
    }

    /// Appends an identity epilogue.
    pub fn no_epilogue(&mut self) {
        self.declarations += "fn epilogue(acc: Acc, index: u32) -> Out {\n    return acc;\n}\n";
    }

    /// Returns the complete text.
    pub fn finish(mut self, shader: Shader) -> Assembly {
        let mut regions = self.bindings.iter().filter_map(|binding| binding.region);
        let has_halves = regions.any(|region| region.dtype == DType::F16);
        let fragments = closure(&self.lib.into_iter().collect::<Vec<_>>()).join("\n");
        let mut text = String::from(if has_halves { ENABLE_HALVES } else { "" });
        if fragments.contains("coop_mat") {
            text += ENABLE_UNITS;
        }
        text += shader.file.source;
        text += "\n// ---- appended by the host ----\n";
        if !self.slot.is_empty() {
            text += &self.slot.declaration();
            let kind = BindingKind::Uniform;
            self.bindings.push(Binding { group: 1, binding: 0, kind, region: None });
        }
        text += &self.declarations;
        text += &fragments;
        self.bindings.sort_by_key(|binding| (binding.group, binding.binding));
        Assembly {
            label: self.label,
            shader: shader.file.name,
            text,
            overrides: shader.overrides,
            workgroups: shader.workgroups.extents,
            are_numbered: shader.workgroups.are_numbered,
            workgroup_memory: shader.workgroups.memory,
            params: shader.params,
            slot_params: self.slot.bytes(),
            bindings: self.bindings,
            may_be_trusted: shader.file.guards_data,
            module: ModuleKind::default(),
        }
    }
}
