//! A shader that is parsed, and its constants.

use super::{
    layout::Types,
    pure::{Scope, evaluate},
    value::Words,
};
use crate::error::SimulationError;
use naga::{
    Arena, EntryPoint, Expression, Handle, Module, Override, ScalarKind, ShaderStage, Span,
    TypeInner,
    front::wgsl,
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};
use std::{collections::HashMap, rc::Rc};

/// A shader, checked by naga.
pub(super) struct Parsed {
    pub module: Module,
    pub info: ModuleInfo,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl Parsed {
    pub fn new(text: &str) -> Result<Parsed, SimulationError> {
        let invalid = |message| SimulationError::Invalid { message };
        let module = wgsl::parse_str(text).map_err(|error| invalid(error.emit_to_string(text)))?;
        let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module);
        let info = info.map_err(|error| invalid(error.emit_to_string(text)))?;
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(end, _)| end as u32 + 1)).collect();
        Ok(Parsed { module, info, lines })
    }

    /// The line in which a part of the text begins, from 1.
    pub fn line(&self, span: Span) -> u32 {
        let first = span.to_range().map_or(0, |range| range.start as u32);
        self.lines.partition_point(|&start| start <= first) as u32
    }

    /// The entry point `main`.
    pub fn main(&self) -> Result<(usize, &EntryPoint), SimulationError> {
        let is_main =
            |entry: &EntryPoint| entry.stage == ShaderStage::Compute && entry.name == "main";
        let mut entries = self.module.entry_points.iter().enumerate();
        entries.find(|(_, entry)| is_main(entry)).ok_or_else(|| SimulationError::Invalid {
            message: "there is no entry point `main`".to_owned(),
        })
    }
}

/// The override that tells a shader how many invocations a subgroup has, and how many it has without.
const LANES: &str = "LANES";
const SUBGROUP: usize = 32;

/// Constants and overrides, by the index of their handle.
pub(super) struct Constants<'a> {
    pub types: Types<'a>,
    pub constants: Vec<Rc<Words>>,
    pub overrides: Vec<Rc<Words>>,
    /// The expressions outside of functions.
    global: Globals<'a>,
}

struct Globals<'a> {
    info: &'a ModuleInfo,
    types: Vec<&'a TypeInner>,
    values: Vec<Option<Rc<Words>>>,
}

impl Scope for Globals<'_> {
    fn words(&self, operand: Handle<Expression>) -> Option<Rc<Words>> {
        self.values.get(operand.index())?.clone()
    }

    fn ty(&self, operand: Handle<Expression>) -> &TypeInner {
        self.types[operand.index()]
    }
}

impl<'a> Constants<'a> {
    /// Evaluates them in the order of their expressions, which use earlier ones only.
    pub fn new(parsed: &'a Parsed, given: &[(&'static str, f64)]) -> Result<Self, SimulationError> {
        let module = &parsed.module;
        let expressions: &Arena<Expression> = &module.global_expressions;
        let types = expressions
            .iter()
            .map(|(handle, _)| parsed.info[handle].inner_with(&module.types))
            .collect();
        let global = Globals { info: &parsed.info, types, values: Vec::new() };
        let lanes = given.iter().find(|(name, _)| *name == LANES);
        let subgroup = lanes.map_or(SUBGROUP, |&(_, lanes)| lanes as usize).max(1);
        let types = Types { module, sizes: HashMap::new(), subgroup };
        let mut constants =
            Constants { types, constants: Vec::new(), overrides: Vec::new(), global };
        for (name, _) in given {
            let is_it = |o: &Override| o.name.as_deref() == Some(name);
            if !module.overrides.iter().any(|(_, o)| is_it(o)) {
                let message = format!("there is no override {name}");
                return Err(SimulationError::Invalid { message });
            }
        }
        for (handle, expression) in expressions.iter() {
            let value = constants.global(expression, given);
            let line = parsed.line(expressions.get_span(handle));
            let value = value.ok_or_else(|| unsupported(expression, line))?;
            constants.global.values.push(Some(value));
        }
        for (handle, constant) in module.constants.iter() {
            let line = parsed.line(module.constants.get_span(handle));
            let value = constants.global.words(constant.init);
            constants.constants.push(value.ok_or_else(|| unsupported(constant, line))?);
        }
        for (handle, constant) in module.overrides.iter() {
            let line = parsed.line(module.overrides.get_span(handle));
            let value = constants.value_of(handle, given);
            let value = value.ok_or_else(|| unsupported(constant, line))?;
            if let [size] = value.data[..] {
                constants.types.sizes.insert(handle, size);
            }
            constants.overrides.push(value);
        }
        Ok(constants)
    }

    fn global(&self, expression: &Expression, given: &[(&'static str, f64)]) -> Option<Rc<Words>> {
        match *expression {
            Expression::Constant(constant) => {
                self.global.words(self.types.module.constants[constant].init)
            }
            Expression::Override(handle) => self.value_of(handle, given),
            _ => evaluate(&self.types, expression, &self.global).map(Rc::new),
        }
    }

    /// The value of an override: as given, or its default.
    fn value_of(&self, handle: Handle<Override>, given: &[(&str, f64)]) -> Option<Rc<Words>> {
        let Override { name, ty, init, .. } = &self.types.module.overrides[handle];
        let Some((_, value)) = given.iter().find(|(known, _)| name.as_deref() == Some(known))
        else {
            return self.global.words((*init)?);
        };
        let TypeInner::Scalar(scalar) = self.types.inner(*ty) else { return None };
        let word = match scalar.kind {
            ScalarKind::Bool => u32::from(*value != 0.0),
            ScalarKind::Sint => *value as i32 as u32,
            ScalarKind::Uint => *value as u32,
            ScalarKind::Float => (*value as f32).to_bits(),
            _ => return None,
        };
        Some(Rc::new(Words::uniform(vec![word])))
    }

    /// The value of an expression outside of functions.
    pub fn value(&self, expression: Handle<Expression>) -> Option<Rc<Words>> {
        self.global.words(expression)
    }

    pub fn info(&self) -> &'a ModuleInfo {
        self.global.info
    }
}

/// Something of a shader that the simulation does not know.
pub(super) fn unsupported(what: &impl std::fmt::Debug, line: u32) -> SimulationError {
    let mut what = format!("{what:?}");
    if let Some((end, _)) = what.char_indices().nth(160) {
        what.truncate(end);
    }
    SimulationError::Unsupported { what, line }
}
