//! Buffer variables and bindings through which a slot loads its operands.

use crate::{
    dtype::DType,
    schedule::{
        expr::{Body, Term, TermId},
        plan::Region,
    },
};
use std::collections::BTreeMap;

/// The element type of a buffer in a shader.
pub(crate) fn storage_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::F16 => "f16",
        DType::I32 => "i32",
        DType::U32 | DType::Bool => "u32",
    }
}

/// The type in which kernels compute with elements.
pub(crate) fn wide_type(dtype: DType) -> &'static str {
    if dtype == DType::F16 { "f32" } else { storage_type(dtype) }
}

/// The type of a value in a shader.
pub(crate) fn value_type(dtype: DType) -> &'static str {
    if dtype == DType::Bool { "bool" } else { wide_type(dtype) }
}

/// The buffer variables that the loads of a dispatch read.
#[derive(Debug, Default)]
pub(crate) struct Operands {
    /// The variable of each loaded read, and its element type.
    variables: BTreeMap<usize, (String, DType)>,
    /// Bound in group 1 from binding 1 on, each region once: `x0`, `x1`, ….
    pub bound: Vec<Region>,
    /// The variable whose elements lie in vec4s, four in each.
    pub in_vec4s: Option<&'static str>,
}

impl Operands {
    /// Collects the operands of `bodies`. A region that is also written is read through the
    /// variable of the output, since a written buffer may not be bound twice.
    pub fn new(
        bodies: &[(&Body, &[TermId])],
        reads: &[Region],
        writes: &[(Region, String)],
    ) -> Self {
        let mut operands = Operands::default();
        for (body, roots) in bodies {
            let live = body.live(roots);
            for ((term, _), live) in body.terms.iter().zip(live) {
                if let (true, Term::Load { operand, .. }) = (live, term) {
                    operands.add(*operand, reads[*operand], writes);
                }
            }
        }
        operands
    }

    fn add(&mut self, operand: usize, region: Region, writes: &[(Region, String)]) {
        if self.variables.contains_key(&operand) {
            return;
        }
        let variable = match writes.iter().find(|(write, _)| write.aliases(&region)) {
            Some((write, name)) => (name.clone(), write.dtype),
            None => {
                let known = self.bound.iter().position(|bound| *bound == region);
                let position = known.unwrap_or_else(|| {
                    self.bound.push(region);
                    self.bound.len() - 1
                });
                (format!("x{position}"), region.dtype)
            }
        };
        self.variables.insert(operand, variable);
    }

    /// The element of an operand at an index, as a value of type `dtype`.
    pub fn load(&self, operand: usize, index: &str, dtype: DType) -> String {
        let (name, stored) = &self.variables[&operand];
        let element = match self.in_vec4s {
            Some(variable) if variable == name => format!("{name}[{index} / 4u][{index} % 4u]"),
            _ => format!("{name}[{index}]"),
        };
        // The memory of a value may be reused by one of another type.
        let element = match (storage_type(*stored), storage_type(dtype)) {
            ("f16", "f16") => format!("f32({element})"),
            (from, to) if from == to => element,
            (_, to) => format!("bitcast<{to}>({element})"),
        };
        if dtype == DType::Bool { format!("({element} != 0u)") } else { element }
    }

    /// The declarations of the bound variables.
    pub fn declarations(&self) -> String {
        let declare = |(position, region): (usize, &Region)| {
            let (binding, element) = (position + 1, storage_type(region.dtype));
            format!(
                "@group(1) @binding({binding}) var<storage, read> x{position}: array<{element}>;\n"
            )
        };
        self.bound.iter().enumerate().map(declare).collect()
    }
}
