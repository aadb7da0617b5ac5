//! One digit of a radix sort, in two steps; [`Argsort`](super::argsort::Argsort) expands to these
//! for long rows.
//!
//! [`RadixCount`] counts the digits of each block of a row. [`Cumsum`](super::cumsum::Cumsum) sums
//! the counts, ordered by digit, then by block; [`RadixScatter`] then knows where the elements of
//! each digit of each block start, and moves them there in their order.

use super::*;
use super::{
    argsort::{kind, sort_key},
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold, shader_file},
};
use crate::dtype::DType;
use crate::ops::params::params;

/// The digit of the sort key to sort by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Digit {
    /// Number of bits below it.
    pub(crate) shift: u32,
    /// Whether the largest elements come first.
    pub(crate) descending: bool,
}

/// `y[r, d, b]` = number of elements of block `b` whose digit is `d`. Operands: `x` and the order
/// so far, both `[rows, cols]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadixCount(pub(crate) Digit);

/// The order so far, stably sorted by the digit. Operands: those of [`RadixCount`], and where the
/// elements of each digit of each block start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RadixScatter(pub(crate) Digit);

/// Bits per digit, and the number of digits.
pub(super) const DIGIT_BITS: u32 = 4;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Elements per block: eight for each of 128 invocations.
const BLOCK: usize = 1024;

impl Digit {
    fn of(self, word: u32, dtype: DType) -> usize {
        (sort_key(word, dtype, self.descending) >> self.shift) as usize % DIGITS
    }

    /// Digit of the element at this position in the order so far.
    fn at(self, x: &Array64, order: &Array64, coordinate: &[usize]) -> usize {
        let index = order.at(coordinate) as usize;
        let dtype = x.meta.dtype;
        self.of(dtype.to_word(x.at(&[coordinate[0], index])), dtype)
    }

    /// One workgroup per block.
    fn shader(self, file: ShaderFile, x: &Meta) -> Shader {
        let [rows, cols] = extents(x);
        let blocks = cols.div_ceil(BLOCK);
        let params = params! {
            rows,
            cols,
            blocks,
            shift: self.shift,
        };
        Shader {
            file,
            overrides: vec![
                ("KIND", kind(x.dtype)),
                ("DESCENDING", f64::from(u8::from(self.descending))),
            ],
            params,
            workgroups: fold(rows * blocks),
        }
    }
}

fn extents(x: &Meta) -> [usize; 2] {
    [x.shape.dims()[0], x.shape.dims()[1]]
}

/// Shape and type of the counts.
fn counts(operands: &[Meta]) -> Result<Meta, OpError> {
    let (x, order) = (&operands[0], &operands[1]);
    if x.shape.rank() != 2 {
        return Err(OpError::Rank { least: 2 });
    }
    let [rows, cols] = extents(x);
    if *order == Meta::new(&x.shape, DType::U32) {
        Ok(Meta::new([rows, DIGITS, cols.div_ceil(BLOCK)], DType::U32))
    } else {
        Err(OpError::Target(x.shape.clone()))
    }
}

impl std::fmt::Display for RadixCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "radix_count[>> {}]", self.0.shift)
    }
}

impl Operation for RadixCount {
    fn name(&self) -> &'static str {
        "radix_count"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        counts(operands)
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, order] = operands else { unreachable!("it has two operands") };
        let [rows, cols] = extents(&x.meta);
        let meta = Meta::new([rows, DIGITS, cols.div_ceil(BLOCK)], DType::U32);
        let mut y = Array64 { data: vec![0.0; meta.shape.len()], meta };
        for c in x.shape().coordinates() {
            let digit = self.0.at(x, order, &c);
            let index = y.shape().index(&[c[0], digit, c[1] / BLOCK]);
            y.data[index] += 1.0;
        }
        y
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let ([_, cols], dtype, digit) = (extents(x), x.dtype, self.0);
        let blocks = cols.div_ceil(BLOCK);
        let granule = (DIGITS * blocks).max(1);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            out.fill(0);
            for (row, y) in (start / granule..).zip(out.chunks_exact_mut(granule)) {
                let [x, order] = [0, 1].map(|k| &operands[k][row * cols..][..cols]);
                for (block, order) in order.chunks(BLOCK).enumerate() {
                    for &index in order {
                        y[digit.of(x[index as usize], dtype) * blocks + block] += 1;
                    }
                }
            }
        };
        let file = shader_file!("radix_count", ["sort_key"]);
        let shader = digit.shader(file, x);
        let work = 4 * BLOCK / DIGITS;
        let cpu = CpuKernel::new(granule, work, compute);
        let probe = Probe::new(*self, operands, Bound::Exact)
            .along_all([0])
            .operand(1, Domain::Below(cols as u32));
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype, rows, cols, shift, descending| {
            let digit = Digit { shift, descending };
            let operands = [Meta::new([rows, cols], dtype), Meta::new([rows, cols], DType::U32)];
            Sample::new(RadixCount(digit), operands)
                .operand(1, Domain::Below(cols as u32))
                .bound(Bound::Exact, "numbers of elements")
                .without_gradient()
        };
        vec![
            of(DType::U32, 2, 1025, 0, false).named("one past a block"),
            of(DType::U32, 2, 7, 4, true).named("less than a block"),
            of(DType::F32, 1, 2048, 28, false),
            of(DType::F32, 1, 1500, 20, true),
            of(DType::I32, 3, 1100, 0, false),
            of(DType::Bool, 1, 1100, 0, true),
            of(DType::U32, 0, 5, 0, false).named("no rows"),
        ]
    }
}

/// Consistent operands of [`RadixScatter`]: everyday values in their own order, and where the
/// digits of its blocks start.
fn scattered(digit: Digit, x: &Meta) -> Vec<Array64> {
    let x = Domain::everyday(x.dtype).fill(x, 1);
    let order = Array64::from_fn(Meta::new(x.shape(), DType::U32), |c| c[1] as f64);
    let mut starts = RadixCount(digit).eval(&[&x, &order]);
    let row = starts.shape().dims()[1..].iter().product::<usize>();
    for row in starts.data.chunks_exact_mut(row.max(1)) {
        let mut before = 0.0;
        row.iter_mut().for_each(|count| before += std::mem::replace(count, before));
    }
    vec![x, order, starts]
}

impl std::fmt::Display for RadixScatter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "radix_scatter[>> {}]", self.0.shift)
    }
}

impl Operation for RadixScatter {
    fn name(&self) -> &'static str {
        "radix_scatter"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let starts = counts(operands)?;
        if operands[2] == starts {
            Ok(operands[1].clone())
        } else {
            Err(OpError::Target(starts.shape))
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, order, starts] = operands else { unreachable!("it has three operands") };
        let (mut y, mut next) = ((*order).clone(), (*starts).clone());
        for c in x.shape().coordinates() {
            let digit = self.0.at(x, order, &c);
            let next = &mut next.data[starts.shape().index(&[c[0], digit, c[1] / BLOCK])];
            let place = x.shape().index(&[c[0], *next as usize]);
            y.data[place] = order.at(&c);
            *next += 1.0;
        }
        y
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let ([_, cols], dtype, digit) = (extents(x), x.dtype, self.0);
        let blocks = cols.div_ceil(BLOCK);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start / cols..).zip(out.chunks_exact_mut(cols)) {
                let [x, order] = [0, 1].map(|k| &operands[k][row * cols..][..cols]);
                let mut next = operands[2][row * DIGITS * blocks..][..DIGITS * blocks].to_vec();
                for (block, order) in order.chunks(BLOCK).enumerate() {
                    for &index in order {
                        let digit = digit.of(x[index as usize], dtype);
                        let next = &mut next[digit * blocks + block];
                        y[*next as usize] = index;
                        *next += 1;
                    }
                }
            }
        };
        let file = shader_file!("radix_scatter", ["sort_key"]);
        let shader = digit.shader(file, x);
        let cpu = CpuKernel::new(cols, 8, compute);
        let x = x.clone();
        let probe = Probe::new(*self, operands, Bound::Exact)
            .along_all([0])
            .operands(move || scattered(digit, &x));
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(2.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        const LONG: usize = BLOCK + 6;
        // Four digits in turn, and a reversed order.
        const ORDER: [f64; LONG] = {
            let mut order = [0.0; LONG];
            let mut place = 0;
            while place < LONG {
                order[place] = (LONG - 1 - place) as f64;
                place += 1;
            }
            order
        };
        // 1030 elements are 258 of digits 0 and 1 and 257 of 2 and 3. Positions 0 to 1023 have 256
        // of each, followed by indices 5 to 0.
        const STARTS: [f64; 2 * DIGITS] = {
            let mut starts = [LONG as f64; 2 * DIGITS];
            let (first, count) = ([0, 258, 516, 773], 256);
            let mut digit = 0;
            while digit < 4 {
                starts[2 * digit] = first[digit] as f64;
                starts[2 * digit + 1] = (first[digit] + count) as f64;
                digit += 1;
            }
            starts
        };
        let of = |rows, shift, descending, values: &'static [f64]| {
            let digit = Digit { shift, descending };
            let whole = |dtype| Meta::new([rows, LONG], dtype);
            let starts = Meta::new([rows, DIGITS, 2], DType::U32);
            let operands = [whole(DType::U32), whole(DType::U32), starts];
            Sample::new(RadixScatter(digit), operands)
                .operand(0, Domain::Values(values))
                .operand(1, Domain::Values(&ORDER))
                .operand(2, Domain::Values(&STARTS))
                .bound(Bound::Exact, "indices")
                .without_gradient()
        };
        const ROW: [f64; LONG] = {
            let mut row = [0.0; LONG];
            let mut index = 0;
            while index < LONG {
                row[index] = (16 * (index % 4)) as f64;
                index += 1;
            }
            row
        };
        vec![of(1, 4, false, &ROW).named("one past a block"), of(3, 4, false, &ROW).named("rows")]
    }
}
