//! Sizes of types, and where their scalars lie.
//!
//! A value is a list of words, one per scalar, in the order of declaration. Memory is a list of
//! cells, each of which holds one scalar: in a buffer a cell stands for two or four bytes, so that
//! alignment leaves gaps; elsewhere there are none.

use naga::{ArraySize, Handle, Module, Override, Scalar, ScalarKind, Type, TypeInner};
use std::collections::HashMap;

/// Type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, 0 or 1.
    Bool,
    Sint,
    Uint,
    Float,
    /// f16, kept as the word of the f32 of that value.
    Half,
}

impl Kind {
    pub fn new(kind: ScalarKind, width: u8) -> Option<Kind> {
        match (kind, width) {
            (ScalarKind::Bool, _) => Some(Kind::Bool),
            (ScalarKind::Sint, 4) => Some(Kind::Sint),
            (ScalarKind::Uint, 4) => Some(Kind::Uint),
            (ScalarKind::Float, 4) => Some(Kind::Float),
            (ScalarKind::Float, 2) => Some(Kind::Half),
            _ => None,
        }
    }

    /// The type of the components of a scalar or vector.
    pub fn of(inner: &TypeInner) -> Option<Kind> {
        match inner {
            TypeInner::Scalar(scalar)
            | TypeInner::Vector { scalar, .. }
            | TypeInner::CooperativeMatrix { scalar, .. }
            | TypeInner::Atomic(scalar) => Kind::new(scalar.kind, scalar.width),
            _ => None,
        }
    }
}

/// The number of rows and columns of a square matrix of a unit.
pub(super) fn edge(inner: &TypeInner) -> Option<usize> {
    match inner {
        TypeInner::CooperativeMatrix { columns, rows, .. } if columns == rows => {
            Some(*rows as usize)
        }
        _ => None,
    }
}

/// How scalars are laid out in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// One after the other.
    Packed,
    /// As the host sees them, a cell every so many bytes.
    Bytes(u32),
}

/// The parts of an array or vector.
pub(super) struct Elements {
    /// Cells from one to the next.
    pub stride: u32,
    /// How many there are; `None` if that depends on the buffer.
    pub len: Option<u32>,
}

/// The largest array that a value or a variable outside of buffers may be.
const MAX_WIDTH: usize = 1 << 20;

/// The types of a module, under given overrides.
pub(super) struct Types<'a> {
    pub module: &'a Module,
    /// Lengths of arrays that depend on overrides.
    pub sizes: HashMap<Handle<Override>, u32>,
    /// Invocations of a subgroup.
    pub subgroup: usize,
}

impl<'a> Types<'a> {
    pub fn inner(&self, ty: Handle<Type>) -> &'a TypeInner {
        &self.module.types[ty].inner
    }

    fn len(&self, size: ArraySize) -> Option<u32> {
        match size {
            ArraySize::Constant(len) => Some(len.get()),
            ArraySize::Pending(size) => self.sizes.get(&size).copied(),
            ArraySize::Dynamic => None,
        }
    }

    /// Number of scalars of a value; `None` for types that are not supported.
    pub fn width(&self, inner: &TypeInner) -> Option<usize> {
        match inner {
            TypeInner::Scalar(_) | TypeInner::Atomic(_) => Kind::of(inner).map(|_| 1),
            TypeInner::Vector { size, .. } => Kind::of(inner).map(|_| *size as usize),
            TypeInner::CooperativeMatrix { .. } => {
                edge(inner).map(|edge| edge * edge / self.subgroup)
            }
            TypeInner::Array { base, size, .. } => {
                let len = self.len(*size)? as usize;
                let width = self.width(self.inner(*base))?.checked_mul(len);
                width.filter(|&width| width <= MAX_WIDTH)
            }
            TypeInner::Struct { members, .. } => {
                members.iter().map(|member| self.width(self.inner(member.ty))).sum()
            }
            _ => None,
        }
    }

    /// The packing of a variable that the host sees: two bytes to a cell if it holds f16.
    pub fn host_packing(&self, inner: &TypeInner) -> Packing {
        Packing::Bytes(if self.has_halves(inner) { 2 } else { 4 })
    }

    fn has_halves(&self, inner: &TypeInner) -> bool {
        match inner {
            TypeInner::Array { base, .. } => self.has_halves(self.inner(*base)),
            TypeInner::Struct { members, .. } => {
                members.iter().any(|member| self.has_halves(self.inner(member.ty)))
            }
            _ => Kind::of(inner) == Some(Kind::Half),
        }
    }

    /// Cells between the components of a vector.
    fn scalar_stride(scalar: Scalar, packing: Packing) -> u32 {
        match packing {
            Packing::Packed => 1,
            Packing::Bytes(unit) => u32::from(scalar.width) / unit,
        }
    }

    /// The elements of an array or vector.
    pub fn elements(&self, inner: &TypeInner, packing: Packing) -> Option<Elements> {
        match inner {
            TypeInner::Vector { size, scalar } => Some(Elements {
                stride: Self::scalar_stride(*scalar, packing),
                len: Some(*size as u32),
            }),
            TypeInner::Array { base, size, stride } => {
                let stride = match packing {
                    Packing::Packed => self.width(self.inner(*base))? as u32,
                    Packing::Bytes(unit) => stride / unit,
                };
                Some(Elements { stride, len: self.len(*size) })
            }
            _ => None,
        }
    }

    /// First cell of a member of a structure, and its type.
    pub fn member(
        &self,
        inner: &TypeInner,
        number: u32,
        packing: Packing,
    ) -> Option<(u32, Handle<Type>)> {
        let TypeInner::Struct { members, .. } = inner else { return None };
        let member = members.get(number as usize)?;
        let first = match packing {
            Packing::Bytes(unit) => member.offset / unit,
            Packing::Packed => {
                let before = &members[..number as usize];
                let widths = before.iter().map(|member| self.width(self.inner(member.ty)));
                widths.sum::<Option<usize>>()? as u32
            }
        };
        Some((first, member.ty))
    }

    /// The cells of all scalars of a type, from `first` on.
    pub fn cells(
        &self,
        inner: &TypeInner,
        packing: Packing,
        first: u32,
        cells: &mut Vec<u32>,
    ) -> Option<()> {
        match inner {
            TypeInner::Struct { members, .. } => {
                for number in 0..members.len() as u32 {
                    let (offset, ty) = self.member(inner, number, packing)?;
                    self.cells(self.inner(ty), packing, first + offset, cells)?;
                }
            }
            TypeInner::Array { base, .. } => {
                let Elements { stride, len } = self.elements(inner, packing)?;
                for number in 0..len? {
                    self.cells(self.inner(*base), packing, first + number * stride, cells)?;
                }
            }
            TypeInner::Vector { size, .. } => {
                let Elements { stride, .. } = self.elements(inner, packing)?;
                cells.extend((0..*size as u32).map(|number| first + number * stride));
            }
            TypeInner::CooperativeMatrix { .. } => {
                cells.extend((0..self.width(inner)? as u32).map(|number| first + number));
            }
            _ => {
                Kind::of(inner)?;
                cells.push(first);
            }
        }
        Some(())
    }

    /// The part of a variable that a cell holds, as it is written in WGSL behind the name.
    pub fn path(&self, inner: &TypeInner, packing: Packing, cell: u32) -> String {
        match inner {
            TypeInner::Struct { members, .. } => {
                let parts = (0..members.len() as u32)
                    .filter_map(|number| Some((number, self.member(inner, number, packing)?)));
                let mut parts = parts.rev();
                let Some((number, (first, ty))) = parts.find(|(_, (at, _))| *at <= cell) else {
                    return String::new();
                };
                let name = members[number as usize].name.as_deref().unwrap_or("?");
                format!(".{name}{}", self.path(self.inner(ty), packing, cell - first))
            }
            TypeInner::Array { base, .. } => {
                let stride = self.elements(inner, packing).map_or(1, |e| e.stride.max(1));
                let rest = self.path(self.inner(*base), packing, cell % stride);
                format!("[{}]{rest}", cell / stride)
            }
            TypeInner::Vector { .. } => {
                let stride = self.elements(inner, packing).map_or(1, |e| e.stride.max(1));
                let names = [".x", ".y", ".z", ".w"];
                names.get((cell / stride) as usize).copied().unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }
}
