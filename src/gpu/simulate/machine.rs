//! A workgroup at work: its memory, the functions being called, and what expressions have given.

use super::{
    memory::{Memory, Place, Pointer},
    module::{Constants, Parsed},
    value::{Mask, Words},
};
use naga::{Expression, Function, Handle, valid::FunctionInfo};
use std::rc::Rc;

/// A workgroup that executes a shader.
pub(super) struct Machine<'a> {
    pub parsed: &'a Parsed,
    pub constants: &'a Constants<'a>,
    pub memory: Memory<'a>,
    /// Expressions evaluated so far, counted for each invocation, with an overhead.
    pub work: u64,
    /// Where `work` must end, and how much that is for a workgroup.
    pub end: u64,
    pub limit: u64,
    /// Line of the innermost loop.
    pub loop_line: u32,
}

/// The invocations of a workgroup that leave a loop or `switch` early.
#[derive(Default)]
pub(super) struct Flow {
    pub is_loop: bool,
    pub broken: Mask,
    pub continued: Mask,
}

/// What an expression gives.
#[derive(Clone)]
pub(super) enum Value {
    Words(Rc<Words>),
    Pointer(Rc<Pointer>),
}

/// A function being called.
pub(super) struct Frame<'a> {
    pub function: &'a Function,
    pub info: &'a FunctionInfo,
    pub arguments: Vec<Value>,
    /// By the index of their handle.
    pub values: Vec<Option<Value>>,
    /// Index of its first local variable.
    pub first_local: usize,
    /// The loops and `switch`es it is in.
    pub flows: Vec<Flow>,
    /// What those that returned have given.
    pub result: Option<Words>,
}

impl<'a> Frame<'a> {
    pub fn new(
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Value>,
        first_local: usize,
    ) -> Self {
        let values = vec![None; function.expressions.len()];
        let (flows, result) = (Vec::new(), None);
        Frame { function, info, arguments, values, first_local, flows, result }
    }

    pub fn set(&mut self, expression: Handle<Expression>, value: Value) {
        self.values[expression.index()] = Some(value);
    }
}

impl Value {
    /// A pointer to a local or global variable.
    pub fn to_variable(place: Place) -> Value {
        Value::Pointer(Rc::new(Pointer { place, cell: Words::uniform(vec![0]) }))
    }
}
