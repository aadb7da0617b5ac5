//! Matrices of a unit, whose elements are shared out to the invocations of a subgroup.
//!
//! Element `e` of a matrix, row by row, is with invocation `e % subgroup` of each subgroup. Devices
//! share them out in ways of their own, so a shader that relies on one is wrong; barriers are between
//! invocations, whichever has what.

use super::{
    layout::{Packing, Types, edge},
    machine::{Frame, Machine},
    memory::Pointer,
    module::unsupported,
    value::{Mask, Words},
};
use crate::error::SimulationError;
use naga::{CooperativeData, Expression, Handle, Scalar, TypeInner};

impl<'a> Machine<'a> {
    /// Loads a matrix.
    pub fn load_matrix(
        &mut self,
        frame: &mut Frame<'a>,
        data: &CooperativeData,
        edge: usize,
        mask: &Mask,
        line: u32,
    ) -> Result<Words, SimulationError> {
        let (scalar, pointers) = self.elements(frame, data, edge, mask, line)?;
        let mut parts = Vec::with_capacity(pointers.len());
        for pointer in pointers {
            let part = self.memory.load(&pointer, &TypeInner::Scalar(scalar), mask, line);
            parts.push(part.ok_or_else(|| unsupported(data, line))?);
        }
        Ok(Words::joined(&parts.iter().collect::<Vec<_>>()))
    }

    /// Stores a matrix.
    pub fn store_matrix(
        &mut self,
        frame: &mut Frame<'a>,
        matrix: Handle<Expression>,
        data: &CooperativeData,
        mask: &Mask,
        line: u32,
    ) -> Result<(), SimulationError> {
        let inner = frame.info[matrix].ty.inner_with(&self.parsed.module.types);
        let edge = edge(inner).ok_or_else(|| unsupported(inner, line))?;
        let value = self.words(frame, matrix, mask)?;
        let (scalar, pointers) = self.elements(frame, data, edge, mask, line)?;
        for (number, pointer) in pointers.iter().enumerate() {
            let part = value.chosen(std::iter::once(number));
            let stored = self.memory.store(pointer, &TypeInner::Scalar(scalar), &part, mask, line);
            stored.ok_or_else(|| unsupported(data, line))?;
        }
        Ok(())
    }

    /// Pointers to the elements of each invocation, and their type.
    fn elements(
        &mut self,
        frame: &mut Frame<'a>,
        data: &CooperativeData,
        edge: usize,
        mask: &Mask,
        line: u32,
    ) -> Result<(Scalar, Vec<Pointer>), SimulationError> {
        let unknown = || unsupported(data, line);
        let pointee = self.pointee(frame, data.pointer, line)?;
        let (scalar, components) = match *pointee {
            TypeInner::Scalar(scalar) => (scalar, 1),
            TypeInner::Vector { size, scalar } => (scalar, size as u32),
            _ => return Err(unknown()),
        };
        let pointer = self.pointer(frame, data.pointer, mask)?;
        let stride = self.words(frame, data.stride, mask)?;
        let (lanes, subgroup) = (self.memory.lanes, self.constants.types.subgroup);
        if !lanes.is_multiple_of(subgroup) || !(edge * edge).is_multiple_of(subgroup) {
            return Err(unknown());
        }
        let packing = self.memory.packing(pointer.place).ok_or_else(unknown)?;
        let unit = match packing {
            Packing::Packed => 1,
            Packing::Bytes(unit) => u32::from(scalar.width) / unit,
        };
        let variable = self.memory.variable(pointer.place).ok_or_else(unknown)?;
        let (name, len) = (variable.name.to_string(), variable.cells.len() as u32 / unit.max(1));
        let mut pointers = Vec::with_capacity(edge * edge / subgroup);
        for first in (0..edge * edge).step_by(subgroup) {
            let index = |lane: usize| {
                let element = first + lane % subgroup;
                let (row, col) = ((element / edge) as u32, (element % edge) as u32);
                let (line, place) = if data.row_major { (row, col) } else { (col, row) };
                let begin = pointer.cell.get(0, lane) / unit.max(1);
                begin + line * stride.get(0, lane) * components + place
            };
            let index = Words::scalars((0..lanes).map(index).collect());
            self.memory.check_index(&name, &index, len, mask, line);
            let cell = index.map(|index| index.min(len.saturating_sub(1)) * unit);
            pointers.push(Pointer { place: pointer.place, cell });
        }
        Ok((scalar, pointers))
    }
}

impl Types<'_> {
    /// `a b + c` of each subgroup, in f32.
    pub fn multiply_add(&self, [a, b, c]: [&Words; 3], edge: usize, lanes: usize) -> Words {
        let subgroup = self.subgroup;
        let mut sums = Words::zeros(edge * edge / subgroup, lanes);
        for first in (0..lanes).step_by(subgroup) {
            let place = |row: usize, col: usize| {
                let element = row * edge + col;
                (element / subgroup, first + element % subgroup)
            };
            let at = |matrix: &Words, row, col| {
                let (number, lane) = place(row, col);
                f32::from_bits(matrix.get(number, lane))
            };
            for (row, col) in (0..edge).flat_map(|row| (0..edge).map(move |col| (row, col))) {
                let terms = (0..edge).map(|k| (at(a, row, k), at(b, k, col)));
                let sum = terms.fold(at(c, row, col), |sum, (a, b)| a.mul_add(b, sum));
                let (number, lane) = place(row, col);
                sums.data[number * lanes + lane] = sum.to_bits();
            }
        }
        sums
    }
}
