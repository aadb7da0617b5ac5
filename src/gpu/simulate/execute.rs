//! Statements, executed by all invocations of a workgroup in lockstep.
//!
//! A branch is executed by those that take it while the others wait; each statement has the set of
//! invocations that execute it. That is one order of many. Hazards are found by who uses what
//! between which barriers, which does not depend on the order.

use super::{
    layout::Packing,
    machine::{Flow, Frame, Machine, Value},
    memory::{Space, Variable},
    module::unsupported,
    report::Hazard,
    shadow::{Atomic, Shadow},
    value::{Mask, Words},
};
use crate::error::SimulationError;
use naga::{
    AtomicFunction, Barrier, Block, Expression, Function, Handle, Statement, SwitchCase,
    SwitchValue, TypeInner, valid::FunctionInfo,
};
use std::rc::Rc;

/// An evaluation takes about as long as for so many invocations more.
const OVERHEAD: u64 = 32;

impl<'a> Machine<'a> {
    /// Calls a function; returns its result.
    pub fn call(
        &mut self,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Value>,
        mask: &Mask,
    ) -> Result<Option<Words>, SimulationError> {
        let lanes = self.memory.lanes;
        let first_local = self.memory.locals.len();
        let mut frame = Frame::new(function, info, arguments, first_local);
        if let Some(result) = &function.result {
            let width = self.constants.types.width(self.constants.types.inner(result.ty));
            let width = width.ok_or_else(|| unsupported(&result.ty, 0))?;
            frame.result = Some(Words::zeros(width, lanes));
        }
        for (handle, local) in function.local_variables.iter() {
            let line = self.parsed.line(function.local_variables.get_span(handle));
            let width = self.constants.types.width(self.constants.types.inner(local.ty));
            let width = width.ok_or_else(|| unsupported(local, line))?;
            let cells = match local.init {
                Some(init) => {
                    let value = self.words(&mut frame, init, mask)?;
                    Words::joined(&[&value, &Words::zeros(0, lanes)]).data
                }
                None => vec![0; width * lanes],
            };
            self.memory.locals.push(Variable {
                name: local.name.as_deref().unwrap_or_default().into(),
                ty: local.ty,
                space: Space::Private,
                packing: Packing::Packed,
                cells,
                initial: None,
                shadow: Shadow::default(),
            });
        }
        self.block(&mut frame, &function.body, mask.clone())?;
        self.memory.locals.truncate(first_local);
        Ok(frame.result)
    }

    /// Executes a block; returns the invocations that reach its end.
    fn block(
        &mut self,
        frame: &mut Frame<'a>,
        block: &'a Block,
        mut mask: Mask,
    ) -> Result<Mask, SimulationError> {
        for (statement, span) in block.span_iter() {
            if mask.is_empty() {
                break;
            }
            let line = self.parsed.line(*span);
            mask = self.statement(frame, statement, line, mask)?;
        }
        Ok(mask)
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'a>,
        statement: &'a Statement,
        line: u32,
        mask: Mask,
    ) -> Result<Mask, SimulationError> {
        let lanes = self.memory.lanes;
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    let value = self.evaluate(frame, handle, &mask)?;
                    frame.set(handle, value);
                    self.work += lanes as u64 + OVERHEAD;
                }
            }
            Statement::Block(block) => return self.block(frame, block, mask),
            Statement::If { condition, accept, reject } => {
                let condition = self.words(frame, *condition, &mask)?;
                let (accepted, rejected) = mask.split(|lane| condition.get(0, lane) != 0);
                let mut ends = self.block(frame, accept, accepted)?;
                ends.add(self.block(frame, reject, rejected)?);
                return Ok(ends);
            }
            Statement::Switch { selector, cases } => {
                let selector = self.words(frame, *selector, &mask)?;
                return self.switch(frame, &selector, cases, mask);
            }
            Statement::Loop { body, continuing, break_if } => {
                return self.repeat(frame, body, continuing, *break_if, line, mask);
            }
            Statement::Break => {
                if let Some(flow) = frame.flows.last_mut() {
                    flow.broken.add(mask);
                }
                return Ok(Mask::default());
            }
            Statement::Continue => {
                if let Some(flow) = frame.flows.iter_mut().rev().find(|flow| flow.is_loop) {
                    flow.continued.add(mask);
                }
                return Ok(Mask::default());
            }
            Statement::Return { value } => {
                if let Some(value) = value {
                    let value = self.words(frame, *value, &mask)?;
                    if let Some(result) = &mut frame.result {
                        result.merge(&value, &mask);
                    }
                }
                return Ok(Mask::default());
            }
            Statement::ControlBarrier(barrier) => self.barrier(*barrier, line, &mask),
            Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let value = self.words(frame, *value, &mask)?;
                let inner = self.pointee(frame, *pointer, line)?;
                let pointer = self.pointer(frame, *pointer, &mask)?;
                let stored = self.memory.store(&pointer, &inner, &value, &mask, line);
                stored.ok_or_else(|| unsupported(statement, line))?;
            }
            Statement::Atomic { pointer, fun, value, result } => {
                let inner = self.pointee(frame, *pointer, line)?;
                let pointer = self.pointer(frame, *pointer, &mask)?;
                let value = self.words(frame, *value, &mask)?;
                let compare = match fun {
                    AtomicFunction::Exchange { compare: Some(compare) } => {
                        Some(self.words(frame, *compare, &mask)?)
                    }
                    _ => None,
                };
                let is_signed = matches!(*inner, TypeInner::Atomic(naga::Scalar::I32));
                let change = |old: u32, lane: usize| {
                    let new = value.get(0, lane);
                    let (a, b) = (old as i32, new as i32);
                    match fun {
                        AtomicFunction::Add => old.wrapping_add(new),
                        AtomicFunction::Subtract => old.wrapping_sub(new),
                        AtomicFunction::And => old & new,
                        AtomicFunction::InclusiveOr => old | new,
                        AtomicFunction::ExclusiveOr => old ^ new,
                        AtomicFunction::Min if is_signed => a.min(b) as u32,
                        AtomicFunction::Min => old.min(new),
                        AtomicFunction::Max if is_signed => a.max(b) as u32,
                        AtomicFunction::Max => old.max(new),
                        AtomicFunction::Exchange { compare: None } => new,
                        AtomicFunction::Exchange { compare: Some(_) } => {
                            let expected = compare.as_ref().map_or(old, |c| c.get(0, lane));
                            if old == expected { new } else { old }
                        }
                    }
                };
                let old = self.memory.atomic(&pointer, &mask, line, Atomic::update(*fun), change);
                let old = old.ok_or_else(|| unsupported(statement, line))?;
                if let Some(result) = result {
                    // What was there, and whether it was exchanged.
                    let words = match compare {
                        Some(compare) => {
                            Words::joined(&[&old, &old.zip(&compare, |a, b| u32::from(a == b))])
                        }
                        None => old,
                    };
                    frame.set(*result, Value::Words(Rc::new(words)));
                }
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let inner = self.pointee(frame, *pointer, line)?;
                let pointer = self.pointer(frame, *pointer, &mask)?;
                self.barrier(Barrier::WORK_GROUP, line, &mask);
                let words = self.memory.load(&pointer, &inner, &mask, line);
                let words = words.ok_or_else(|| unsupported(statement, line))?;
                frame.set(*result, Value::Words(Rc::new(words)));
                self.barrier(Barrier::WORK_GROUP, line, &mask);
            }
            Statement::CooperativeStore { target, data } => {
                self.store_matrix(frame, *target, data, &mask, line)?;
            }
            Statement::Call { function, arguments, result } => {
                let arguments: Result<Vec<Value>, _> =
                    arguments.iter().map(|&one| self.value(frame, one, &mask)).collect();
                let info = &self.constants.info()[*function];
                let function = &self.parsed.module.functions[*function];
                let value = self.call(function, info, arguments?, &mask)?;
                if let (Some(result), Some(value)) = (result, value) {
                    frame.set(*result, Value::Words(Rc::new(value)));
                }
            }
            _ => return Err(unsupported(statement, line)),
        }
        Ok(mask)
    }

    fn repeat(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        continuing: &'a Block,
        break_if: Option<Handle<Expression>>,
        line: u32,
        mut mask: Mask,
    ) -> Result<Mask, SimulationError> {
        let outer = std::mem::replace(&mut self.loop_line, line);
        frame.flows.push(Flow { is_loop: true, ..Flow::default() });
        while !mask.is_empty() {
            self.work += OVERHEAD;
            if self.work > self.end {
                return Err(SimulationError::Endless { line: self.loop_line, limit: self.limit });
            }
            mask = self.block(frame, body, mask)?;
            if let Some(flow) = frame.flows.last_mut() {
                mask.add(std::mem::take(&mut flow.continued));
            }
            mask = self.block(frame, continuing, mask)?;
            if let Some(condition) = break_if
                && !mask.is_empty()
            {
                let condition = self.words(frame, condition, &mask)?;
                let (leave, stay) = mask.split(|lane| condition.get(0, lane) != 0);
                if let Some(flow) = frame.flows.last_mut() {
                    flow.broken.add(leave);
                }
                mask = stay;
            }
        }
        self.loop_line = outer;
        Ok(frame.flows.pop().unwrap_or_default().broken)
    }

    fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        selector: &Words,
        cases: &'a [SwitchCase],
        mask: Mask,
    ) -> Result<Mask, SimulationError> {
        let is_of = |case: &SwitchCase, word: u32| match case.value {
            SwitchValue::I32(value) => value as u32 == word,
            SwitchValue::U32(value) => value == word,
            SwitchValue::Default => false,
        };
        let default = cases.iter().position(|case| case.value == SwitchValue::Default);
        let chosen = |lane: usize| {
            let word = selector.get(0, lane);
            cases.iter().position(|case| is_of(case, word)).or(default)
        };
        frame.flows.push(Flow::default());
        let (mut ends, mut rest) = mask.split(|lane| chosen(lane).is_none());
        let mut falling = Mask::default();
        for (number, case) in cases.iter().enumerate() {
            let (mut taken, others) = rest.split(|lane| chosen(lane) == Some(number));
            taken.add(std::mem::take(&mut falling));
            rest = others;
            let after = self.block(frame, &case.body, taken)?;
            if case.fall_through { falling = after } else { ends.add(after) }
        }
        ends.add(frame.flows.pop().unwrap_or_default().broken);
        Ok(ends)
    }

    fn barrier(&mut self, barrier: Barrier, line: u32, mask: &Mask) {
        self.memory.report.barriers.insert(line);
        let waiting = mask.lanes();
        let misses = (0..self.memory.lanes).find(|lane| waiting.get(*lane) != Some(lane));
        if let (Some(misses), Some(&waits)) = (misses, waiting.first()) {
            let [waits, misses] = [waits, misses].map(|lane| self.memory.invocation(lane));
            let hazard = || Hazard::DivergentBarrier { line, waits, misses };
            self.memory.note((1, String::new(), line, 0), hazard);
        }
        let orders = |part| barrier.contains(part);
        self.memory.barrier(orders(Barrier::WORK_GROUP), orders(Barrier::STORAGE));
    }
}
