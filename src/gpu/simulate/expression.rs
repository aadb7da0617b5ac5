//! Expressions of functions, evaluated for all invocations at once.

use super::{
    layout::{Types, edge},
    machine::{Frame, Machine, Value},
    memory::{Place, Pointer},
    module::unsupported,
    pure::{self, Scope},
    value::{Mask, Words},
};
use crate::error::SimulationError;
use naga::{Expression, Handle, Type, TypeInner};
use std::{borrow::Cow, rc::Rc};

/// The values of a function.
struct Known<'f, 'a> {
    frame: &'f Frame<'a>,
    types: &'a Types<'a>,
}

impl Scope for Known<'_, '_> {
    fn words(&self, operand: Handle<Expression>) -> Option<Rc<Words>> {
        match &self.frame.values[operand.index()] {
            Some(Value::Words(words)) => Some(words.clone()),
            _ => None,
        }
    }

    fn ty(&self, operand: Handle<Expression>) -> &TypeInner {
        self.frame.info[operand].ty.inner_with(&self.types.module.types)
    }
}

impl<'a> Machine<'a> {
    fn ty<'f>(&self, frame: &'f Frame<'a>, expression: Handle<Expression>) -> &'f TypeInner {
        frame.info[expression].ty.inner_with(&self.parsed.module.types)
    }

    fn line(&self, frame: &Frame<'a>, expression: Handle<Expression>) -> u32 {
        self.parsed.line(frame.function.expressions.get_span(expression))
    }

    fn unsupported(&self, frame: &Frame<'a>, handle: Handle<Expression>) -> SimulationError {
        unsupported(&frame.function.expressions[handle], self.line(frame, handle))
    }

    /// The type that a pointer points to.
    pub fn pointee(
        &self,
        frame: &Frame<'a>,
        pointer: Handle<Expression>,
        line: u32,
    ) -> Result<Cow<'a, TypeInner>, SimulationError> {
        match *self.ty(frame, pointer) {
            TypeInner::Pointer { base, .. } => Ok(Cow::Borrowed(self.inner(base))),
            TypeInner::ValuePointer { size: None, scalar, .. } => {
                Ok(Cow::Owned(TypeInner::Scalar(scalar)))
            }
            TypeInner::ValuePointer { size: Some(size), scalar, .. } => {
                Ok(Cow::Owned(TypeInner::Vector { size, scalar }))
            }
            ref other => Err(unsupported(other, line)),
        }
    }

    fn inner(&self, ty: Handle<Type>) -> &'a TypeInner {
        &self.parsed.module.types[ty].inner
    }

    /// The value of an expression, which is evaluated if it is not known yet: constants, arguments
    /// and variables are in no statement.
    pub fn value(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        mask: &Mask,
    ) -> Result<Value, SimulationError> {
        if let Some(value) = &frame.values[handle.index()] {
            return Ok(value.clone());
        }
        let value = self.evaluate(frame, handle, mask)?;
        frame.set(handle, value.clone());
        Ok(value)
    }

    pub fn words(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        mask: &Mask,
    ) -> Result<Rc<Words>, SimulationError> {
        match self.value(frame, handle, mask)? {
            Value::Words(words) => Ok(words),
            Value::Pointer(_) => Err(self.unsupported(frame, handle)),
        }
    }

    pub fn pointer(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        mask: &Mask,
    ) -> Result<Rc<Pointer>, SimulationError> {
        match self.value(frame, handle, mask)? {
            Value::Pointer(pointer) => Ok(pointer),
            Value::Words(_) => Err(self.unsupported(frame, handle)),
        }
    }

    /// Evaluates an expression for the invocations of a set; what others get is not used.
    pub fn evaluate(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        mask: &Mask,
    ) -> Result<Value, SimulationError> {
        let function = frame.function;
        let expression = &function.expressions[handle];
        let words = |words: Words| Ok(Value::Words(Rc::new(words)));
        match *expression {
            Expression::Constant(constant) => {
                return Ok(Value::Words(self.constants.constants[constant.index()].clone()));
            }
            Expression::Override(handle) => {
                return Ok(Value::Words(self.constants.overrides[handle.index()].clone()));
            }
            Expression::FunctionArgument(number) => {
                let argument = frame.arguments.get(number as usize).cloned();
                return argument.ok_or_else(|| self.unsupported(frame, handle));
            }
            Expression::GlobalVariable(variable) => {
                if self.memory.globals[variable.index()].is_none() {
                    let name = self.parsed.module.global_variables[variable].name.clone();
                    return Err(SimulationError::Unbound { variable: name.unwrap_or_default() });
                }
                return Ok(Value::to_variable(Place::Global(variable.index())));
            }
            Expression::LocalVariable(variable) => {
                let number = frame.first_local + variable.index();
                return Ok(Value::to_variable(Place::Local(number)));
            }
            Expression::Load { pointer } => {
                let line = self.line(frame, handle);
                let inner = self.pointee(frame, pointer, line)?;
                let pointer = self.pointer(frame, pointer, mask)?;
                let loaded = self.memory.load(&pointer, &inner, mask, line);
                return words(loaded.ok_or_else(|| unsupported(expression, line))?);
            }
            Expression::CooperativeLoad { rows, ref data, .. } => {
                let line = self.line(frame, handle);
                return words(self.load_matrix(frame, data, rows as usize, mask, line)?);
            }
            Expression::CooperativeMultiplyAdd { a, b, c } => {
                let edge = edge(self.ty(frame, c));
                let edge = edge.ok_or_else(|| self.unsupported(frame, handle))?;
                let [a, b, c] = [
                    self.words(frame, a, mask)?,
                    self.words(frame, b, mask)?,
                    self.words(frame, c, mask)?,
                ];
                let lanes = self.memory.lanes;
                return words(self.constants.types.multiply_add([&a, &b, &c], edge, lanes));
            }
            Expression::ArrayLength(array) => {
                let line = self.line(frame, handle);
                let inner = self.pointee(frame, array, line)?;
                let pointer = self.pointer(frame, array, mask)?;
                let len = self.memory.array_length(&pointer, &inner);
                let len = len.ok_or_else(|| unsupported(expression, line))?;
                return words(Words::uniform(vec![len]));
            }
            Expression::Access { base, index } => {
                let line = self.line(frame, handle);
                let index = self.words(frame, index, mask)?;
                match self.value(frame, base, mask)? {
                    Value::Pointer(pointer) => {
                        let inner = self.pointee(frame, base, line)?;
                        let part = self.memory.index(&pointer, &inner, &index, mask, line);
                        let part = part.ok_or_else(|| unsupported(expression, line))?;
                        return Ok(Value::Pointer(Rc::new(part)));
                    }
                    Value::Words(_) => {
                        let inner = self.ty(frame, base);
                        let packing = super::layout::Packing::Packed;
                        let elements = self.constants.types.elements(inner, packing);
                        let len = elements.and_then(|elements| elements.len).unwrap_or(0);
                        let name = function.named_expressions.get(&base);
                        let name = name.map_or("a value", String::as_str);
                        self.memory.check_index(name, &index, len, mask, line);
                    }
                }
            }
            Expression::AccessIndex { base, index } => {
                let line = self.line(frame, handle);
                if let Value::Pointer(pointer) = self.value(frame, base, mask)? {
                    let inner = self.pointee(frame, base, line)?;
                    let part = self.part(&pointer, &inner, index, mask, line);
                    return match part {
                        Some(part) => Ok(Value::Pointer(Rc::new(part))),
                        None => Err(unsupported(expression, line)),
                    };
                }
            }
            _ => {}
        }
        for operand in operands(expression) {
            self.value(frame, operand, mask)?;
        }
        let types = &self.constants.types;
        let value = pure::evaluate(types, expression, &Known { frame, types });
        words(value.ok_or_else(|| self.unsupported(frame, handle))?)
    }

    /// A pointer to a numbered part.
    fn part(
        &mut self,
        pointer: &Pointer,
        inner: &TypeInner,
        number: u32,
        mask: &Mask,
        line: u32,
    ) -> Option<Pointer> {
        let packing = self.memory.packing(pointer.place)?;
        let Some((offset, _)) = self.constants.types.member(inner, number, packing) else {
            let number = Words::uniform(vec![number]);
            return self.memory.index(pointer, inner, &number, mask, line);
        };
        Some(Pointer { place: pointer.place, cell: pointer.cell.map(|cell| cell + offset) })
    }
}

/// The operands of an expression that only depends on values.
fn operands(expression: &Expression) -> Vec<Handle<Expression>> {
    match *expression {
        Expression::Compose { ref components, .. } => components.clone(),
        Expression::Access { base, index } => vec![base, index],
        Expression::AccessIndex { base, .. } => vec![base],
        Expression::Splat { value, .. } => vec![value],
        Expression::Swizzle { vector, .. } => vec![vector],
        Expression::Unary { expr, .. } | Expression::As { expr, .. } => vec![expr],
        Expression::Binary { left, right, .. } => vec![left, right],
        Expression::Select { condition, accept, reject } => vec![condition, accept, reject],
        Expression::Relational { argument, .. } => vec![argument],
        Expression::Math { arg, arg1, arg2, arg3, .. } => {
            [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect()
        }
        _ => vec![],
    }
}
