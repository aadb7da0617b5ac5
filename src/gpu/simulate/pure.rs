//! Expressions that only depend on other values.

use super::{
    arithmetic,
    layout::{Kind, Packing, Types},
    math::math,
    value::Words,
};
use naga::{Expression, Handle, Literal, TypeInner};
use std::rc::Rc;

/// The values and types that an expression may use.
pub(super) trait Scope {
    /// The value of an operand.
    fn words(&self, operand: Handle<Expression>) -> Option<Rc<Words>>;

    /// The type of an operand.
    fn ty(&self, operand: Handle<Expression>) -> &TypeInner;
}

/// The value of an expression; `None` if it is not supported. Indices are within bounds.
pub(super) fn evaluate(
    types: &Types<'_>,
    expression: &Expression,
    scope: &impl Scope,
) -> Option<Words> {
    let kind = |operand| Kind::of(scope.ty(operand));
    Some(match *expression {
        Expression::Literal(literal) => Words::uniform(vec![word(literal)?]),
        Expression::ZeroValue(ty) => Words::zeros(types.width(types.inner(ty))?, 1),
        Expression::Compose { ref components, .. } => {
            let parts: Option<Vec<_>> = components.iter().map(|part| scope.words(*part)).collect();
            Words::joined(&parts?.iter().map(Rc::as_ref).collect::<Vec<_>>())
        }
        Expression::Splat { size, value } => {
            scope.words(value)?.chosen(std::iter::repeat_n(0, size as usize))
        }
        Expression::Swizzle { size, vector, pattern } => {
            let components = pattern[..size as usize].iter().map(|component| *component as usize);
            scope.words(vector)?.chosen(components)
        }
        Expression::Access { base, index } => {
            let width = types.elements(scope.ty(base), Packing::Packed)?.stride as usize;
            element(&*scope.words(base)?, &*scope.words(index)?, width)
        }
        Expression::AccessIndex { base, index } => {
            let (first, width) = match types.member(scope.ty(base), index, Packing::Packed) {
                Some((first, ty)) => (first as usize, types.width(types.inner(ty))?),
                None => {
                    let elements = types.elements(scope.ty(base), Packing::Packed)?;
                    let width = elements.stride as usize;
                    (index as usize * width, width)
                }
            };
            scope.words(base)?.chosen(first..first + width)
        }
        Expression::Unary { op, expr } => arithmetic::unary(op, kind(expr)?, &*scope.words(expr)?)?,
        Expression::Binary { op, left, right } => {
            arithmetic::binary(op, kind(left)?, &*scope.words(left)?, &*scope.words(right)?)?
        }
        Expression::Select { condition, accept, reject } => scope.words(condition)?.zip3(
            &*scope.words(accept)?,
            &*scope.words(reject)?,
            |condition, accept, reject| if condition == 0 { reject } else { accept },
        ),
        Expression::Relational { fun, argument } => {
            arithmetic::relational(fun, &*scope.words(argument)?)
        }
        Expression::Math { fun, arg, arg1, arg2, arg3 } => {
            let args = [Some(arg), arg1, arg2, arg3].into_iter().flatten();
            let args: Option<Vec<_>> = args.map(|arg| scope.words(arg)).collect();
            math(fun, kind(arg)?, &args?.iter().map(Rc::as_ref).collect::<Vec<_>>())?
        }
        Expression::As { expr, kind: to, convert } => {
            arithmetic::convert(kind(expr)?, to, convert, &*scope.words(expr)?)?
        }
        _ => return None,
    })
}

fn word(literal: Literal) -> Option<u32> {
    match literal {
        Literal::F32(value) => Some(value.to_bits()),
        Literal::F16(value) => Some(value.to_f32().to_bits()),
        Literal::U32(value) => Some(value),
        Literal::I32(value) => Some(value as u32),
        Literal::Bool(value) => Some(value.into()),
        _ => None,
    }
}

/// An element of an array or vector, at a different index for each invocation.
fn element(base: &Words, index: &Words, width: usize) -> Words {
    let lanes = base.lanes.max(index.lanes);
    let last = (base.width / width.max(1)).saturating_sub(1);
    let mut data = Vec::with_capacity(width * lanes);
    for number in 0..width {
        data.extend((0..lanes).map(|lane| {
            let at = (index.get(0, lane) as usize).min(last);
            base.get(at * width + number, lane)
        }));
    }
    Words { width, lanes, data }
}
