//! Cumulative sums along an axis.

use super::*;
use super::{
    kernel::{CpuKernel, Kernel, Shader, fold, shader_file},
    rows::Rows,
};
use crate::{
    dtype::DType,
    shape::{AxisError, resolve_axis},
};

/// `y[i] = sum of x[j] over j <= i` along `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cumsum {
    pub(crate) axis: usize,
    /// Over `j < i` instead.
    pub(crate) exclusive: bool,
    /// From the end: over `j >= i`, or `j > i`.
    pub(crate) reverse: bool,
}

/// Elements per invocation in `shaders/cumsum.wgsl`.
const ITEMS: u32 = 4;

impl<'g> Tensor<'g> {
    /// Cumulative sum along `axis`: `y[i] = sum of self[j] over j <= i`.
    ///
    /// # Numerics
    ///
    /// In f64 on the CPU, rounded once; on a GPU a result has the roundings of at most 1,024
    /// elements, however many there are. Integers wrap.
    ///
    /// # Gradient
    ///
    /// The cumulative sum of the cotangent from the end.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `cumsum`.
    #[track_caller]
    pub fn cumsum(self, axis: i32) -> Tensor<'g> {
        self.cumsum_from(axis, false, false)
    }

    /// Like [`Tensor::cumsum`], but with `exclusive` without the element itself, starting at 0,
    /// and with `reverse` from the end.
    ///
    /// # Source
    ///
    /// ONNX's `CumSum`.
    #[doc(alias("exclusive cumsum", "exclusive_cumsum"))]
    #[track_caller]
    pub fn cumsum_from(self, axis: i32, exclusive: bool, reverse: bool) -> Tensor<'g> {
        match resolve_axis(axis, self.rank()) {
            Ok(axis) => self.graph.push(Cumsum { axis, exclusive, reverse }, &[self]),
            Err(reason) => self.graph.refuse("cumsum", &[self], reason),
        }
    }
}

impl Cumsum {
    /// Cumulative sum of a row, from 0; `add` adds a word, `word` is that of a sum.
    fn scan<T: Copy>(
        &self,
        x: &[u32],
        y: &mut [u32],
        mut sum: T,
        add: impl Fn(T, u32) -> T,
        word: impl Fn(T) -> u32,
    ) {
        let len = x.len();
        for step in 0..len {
            let i = if self.reverse { len - 1 - step } else { step };
            let with = add(sum, x[i]);
            y[i] = word(if self.exclusive { sum } else { with });
            sum = with;
        }
    }
}

/// Error bound for rows of `cols` elements, and its justification.
fn accuracy(dtype: DType, cols: usize) -> (Bound, &'static str) {
    if !dtype.is_float() {
        return (Bound::Exact, "integers are exact");
    }
    // A GPU has 4 elements and 8 steps between invocations, then adds what was before.
    (Bound::Terms(cols.min(14) as f64), "one rounding an addition of a tile, and two behind it")
}

impl std::fmt::Display for Cumsum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exclusive = if self.exclusive { ", exclusive" } else { "" };
        let reverse = if self.reverse { ", from the end" } else { "" };
        write!(f, "cumsum[{}{exclusive}{reverse}]", self.axis)
    }
}

impl Operation for Cumsum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        let rank = x.shape.rank();
        if self.axis >= rank {
            return Err(AxisError::missing(self.axis, rank).into());
        }
        match x.dtype {
            DType::Bool => Err(OpError::DType(x.dtype)),
            _ => Ok(x.clone()),
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let dtype = x.meta.dtype;
        let extent = x.shape().dims()[self.axis];
        let mut y = x.clone();
        for mut c in x.shape().keepdims(&[self.axis]).coordinates() {
            let mut sum = 0.0;
            for step in 0..extent {
                c[self.axis] = if self.reverse { extent - 1 - step } else { step };
                let index = x.shape().index(&c);
                let with = sum + x.data[index];
                let exact = if self.exclusive { sum } else { with };
                y.data[index] =
                    if dtype.is_float() { exact } else { dtype.from_word((exact as i64) as u32) };
                sum = with;
            }
        }
        y
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![Some(ct.graph.push(Cumsum { reverse: !self.reverse, ..self.clone() }, &[ct]))]
    }

    /// Moves the axis last.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let x = operands[0];
        let last = x.rank() - 1;
        let op = Cumsum { axis: last, ..self.clone() };
        let (axis, last) = (self.axis as i32, last as i32);
        Some(x.graph.push(op, &[x.swap_axes(axis, last)]).swap_axes(axis, last))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        Class::kernel_if(Rows::along(operands[0], self.axis).is_some())
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let rows = Rows::along(x, self.axis)?;
        let lanes = rows.cols.div_ceil(ITEMS).next_power_of_two().clamp(32, 256);
        let shader = Shader {
            file: shader_file!("cumsum", []),
            overrides: vec![
                ("WG_SIZE", f64::from(lanes)),
                ("EXCLUSIVE", f64::from(u8::from(self.exclusive))),
                ("REVERSE", f64::from(u8::from(self.reverse))),
            ],
            params: rows.params(),
            workgroups: fold(rows.rows as usize),
        };
        let (op, cols, is_float) = (self.clone(), (rows.cols as usize).max(1), x.dtype.is_float());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let rows = operands[0][start..].chunks_exact(cols);
            for (x, y) in rows.zip(out.chunks_exact_mut(cols)) {
                if is_float {
                    let add = |sum, word| sum + f64::from(f32::from_bits(word));
                    op.scan(x, y, 0.0, add, |sum: f64| (sum as f32).to_bits())
                } else {
                    op.scan(x, y, 0, u32::wrapping_add, |sum| sum)
                }
            }
        };
        let cpu = CpuKernel::new(cols, 4, compute);
        let axes = (0..x.shape.rank()).filter(|&axis| axis != self.axis);
        let bound = accuracy(x.dtype, cols).0;
        let probe = Probe::new(self.clone(), operands, bound).along_all(axes);
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(1.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype, dims: &[usize], axis, [exclusive, reverse]: [bool; 2]| {
            let op = Cumsum { axis, exclusive, reverse };
            Sample::new(op, [Meta::new(dims, dtype)]).bound(Bound::Exact, "integers are exact")
        };
        let floats = |dims: &[usize], axis: usize, flags| {
            let (bound, reason) = accuracy(DType::F32, dims[axis]);
            of(DType::F32, dims, axis, flags).bound(bound, reason)
        };
        let mut samples = Vec::new();
        for flags in [[false, false], [true, false], [false, true], [true, true]] {
            samples.extend([
                floats(&[3, 7], 1, flags),
                floats(&[5, 2, 3], 1, flags).named("middle axis"),
                floats(&[2, 1025], 1, flags).named("one past a tile"),
                of(DType::U32, &[2, 3000], 1, flags)
                    .operand(0, Domain::Values(&[4e9, 3e9, 7.0, 2e9, 65_537.0]))
                    .named("past u32"),
            ]);
        }
        let forward = |dims: &[usize], axis| floats(dims, axis, [false, false]);
        samples.extend([
            forward(&[7, 3], 0).named("columns"),
            forward(&[9], 0).named("one row"),
            forward(&[3, 1], 1).named("rows of one"),
            forward(&[2, 5, 1], 1).named("behind it an extent of 1"),
            forward(&[0, 3], 1).named("no rows"),
            forward(&[3, 0], 1).named("empty rows"),
            forward(&[3, 0, 2], 1).named("empty middle axis"),
            forward(&[65_537, 2], 1).without_gradient().named("past 65,535 groups"),
            of(DType::I32, &[4, 9], 1, [false, false]),
            floats(&[2, 4], 1, [true, false])
                .operand(
                    0,
                    Domain::Values(&[1.0, f64::INFINITY, 2.0, 3.0, 4.0, 5.0, f64::NAN, 1.0]),
                )
                .without_gradient()
                .named("NaN and infinite"),
        ]);
        with_halves(samples, &["", "middle axis", "NaN and infinite"])
    }
}
