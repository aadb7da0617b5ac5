//! Hand-written plans compared with plain loops, each on one and on three threads.

mod placement;
mod reductions;

use super::{CpuDevice, program::CpuProgram};
use crate::{
    array::Array,
    backend::Executable,
    dtype::DType,
    error::Error,
    ops::{
        binary::BinaryFn,
        class::Pointwise,
        contract::Noise,
        cost::Cost,
        kernel::{CpuKernel, Kernel, KernelResult, Shader},
    },
    schedule::{
        expr::{Affine, Body, Guard, Term, TermId},
        plan::{Epilogue, KernelWrite, Plan, Region, Step, StepKind, Storage},
    },
    shape::Meta,
    value::Fed,
    variables::Variables,
};
use std::sync::Arc;

const ADD: Pointwise = Pointwise::Binary(BinaryFn::Add);
const MUL: Pointwise = Pointwise::Binary(BinaryFn::Mul);
const MAX: Pointwise = Pointwise::Binary(BinaryFn::Max);

fn affine(offset: i64, coefs: &[i64]) -> Affine {
    Affine { offset, coefs: coefs.to_vec() }
}

fn region(storage: Storage, len: usize) -> Region {
    Region { storage, offset: 0, len, dtype: DType::F32 }
}

fn step(kind: StepKind, reads: Vec<Region>, writes: Vec<Region>) -> Step {
    Step { label: String::new(), kind, reads, writes, cost: Cost::default(), place: None }
}

fn plan(inputs: &[usize], outputs: &[usize], steps: Vec<Step>) -> Plan {
    let inputs = inputs.iter().enumerate();
    Plan {
        steps,
        slots: Vec::new(),
        inputs: inputs.map(|(k, &len)| (k.to_string(), Meta::new([len], DType::F32))).collect(),
        variables: Vec::new(),
        constants: Vec::new(),
        assigned: Vec::new(),
        arenas: Vec::new(),
        outputs: outputs.iter().map(|&len| Meta::new([len], DType::F32)).collect(),
        checks_finite: false,
        half_bytes: 4,
    }
}

fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|&word| f32::from_bits(word)).collect()
}

fn noise(len: usize, seed: u64) -> Array {
    let mut noise = Noise::new(seed);
    let values: Vec<f32> = (0..len).map(|_| noise.unit() as f32 - 0.3).collect();
    Array::new([len], &values).expect("as many as there are")
}

/// The outputs, which must be bitwise identical on one and on three threads, and in two runs.
fn run(plan: Plan, inputs: &[Array]) -> Result<Vec<Vec<u32>>, Error> {
    let plan = Arc::new(plan);
    let fed: Vec<Fed<'_>> = inputs.iter().map(Fed::Host).collect();
    let mut results = Vec::new();
    for threads in [1, 3] {
        let program = CpuProgram::new(&CpuDevice::with_threads(threads)?, plan.clone())?;
        let variables = Variables::new(0);
        for _ in 0..2 {
            let outputs = program.run(&mut variables.lock(), &fed)?.into_iter().zip(&plan.outputs);
            let words = outputs.map(|(y, meta)| Ok(y.read_blocking(meta)?.words().to_vec()));
            results.push(words.collect::<Result<Vec<_>, Error>>()?);
        }
    }
    assert!(results.iter().all(|result| *result == results[0]), "depends on the threads");
    Ok(results.swap_remove(0))
}

fn load(body: &mut Body, operand: usize, index: Affine, guards: Vec<Guard>) -> TermId {
    body.push(Term::Load { operand, index, guards }, DType::F32)
}

fn map(space: &[usize], body: Body, roots: &[TermId]) -> StepKind {
    StepKind::Map { space: space.to_vec(), body, roots: roots.to_vec() }
}

#[test]
fn loads_broadcast_transpose_flip_and_pad() -> Result<(), Error> {
    let [rows, columns] = [211, 157];
    let mut body = Body::default();
    let straight = load(&mut body, 0, affine(0, &[columns as i64, 1]), vec![]);
    let turned = load(&mut body, 0, affine(0, &[1, rows as i64]), vec![]);
    let last = (rows * columns - 1) as i64;
    let flipped = load(&mut body, 0, affine(last, &[-(columns as i64), -1]), vec![]);
    let bias = load(&mut body, 1, affine(0, &[0, 1]), vec![]);
    let scale = load(&mut body, 1, affine(3, &[0, 0]), vec![]);
    let guard = |offset, coefs: &[i64], extent| Guard { coordinate: affine(offset, coefs), extent };
    // Padded by 2 rows and 5 columns in front; only columns 11 to 100.
    let guards = vec![
        guard(-2, &[1, 0], rows as i64),
        guard(-5, &[0, 1], columns as i64),
        guard(100, &[0, -1], 90),
    ];
    let padded = load(&mut body, 0, affine(-2 * columns as i64 - 5, &[columns as i64, 1]), guards);
    let mut sum = straight;
    for term in [turned, flipped, bias, padded] {
        sum = body.push(Term::Apply(ADD, vec![sum, term]), DType::F32);
    }
    let scaled = body.push(Term::Apply(MUL, vec![sum, scale]), DType::F32);
    let coordinate = body.push(Term::Coord(affine(7, &[2, 3])), DType::I32);
    let inside = body.push(Term::Inside(vec![guard(-3, &[1, -1], 9)]), DType::Bool);
    let len = rows * columns;
    let roots = [scaled, coordinate, inside, sum];
    let writes: Vec<_> = (0..4).map(|output| region(Storage::Output(output), len)).collect();
    let reads = vec![region(Storage::Input(0), len), region(Storage::Input(1), columns)];
    let step = step(map(&[rows, columns], body, &roots), reads, writes);
    let (x, y) = (noise(len, 1), noise(columns, 2));
    let outs = run(plan(&[len, columns], &[len; 4], vec![step]), &[x.clone(), y.clone()])?;
    let (x, y) = (floats(x.words()), floats(y.words()));
    for row in 0..rows {
        for column in 0..columns {
            let at = row * columns + column;
            let mut sum = x[at] + x[column * rows + row];
            sum += x[len - 1 - at];
            sum += y[column];
            let inside = row >= 2 && (11..=100).contains(&column);
            sum += if inside { x[(row - 2) * columns + column - 5] } else { 0.0 };
            assert_eq!(outs[0][at], (sum * y[3]).to_bits(), "({row}, {column})");
            assert_eq!(outs[1][at] as usize, 7 + 2 * row + 3 * column);
            let band = (3..12).contains(&(row as i64 - column as i64));
            assert_eq!(outs[2][at], u32::from(band), "({row}, {column})");
            assert_eq!(outs[3][at], sum.to_bits(), "({row}, {column})");
        }
    }
    Ok(())
}

#[test]
fn a_long_chain_reuses_registers() -> Result<(), Error> {
    let len = 40_000;
    let mut body = Body::default();
    let x = load(&mut body, 0, affine(0, &[1]), vec![]);
    let two = body.push(Term::Const(2.0f32.to_bits()), DType::F32);
    let four = body.push(Term::Apply(MUL, vec![two, two]), DType::F32);
    let square = body.push(Term::Apply(MUL, vec![x, x]), DType::F32);
    let mut y = square;
    for _ in 0..50 {
        let doubled = body.push(Term::Apply(ADD, vec![y, y]), DType::F32);
        y = body.push(Term::Apply(MAX, vec![doubled, four]), DType::F32);
        y = body.push(Term::Apply(MUL, vec![y, square]), DType::F32);
    }
    let reads = vec![region(Storage::Input(0), len)];
    let writes = vec![region(Storage::Output(0), len), region(Storage::Output(1), len)];
    let step = step(map(&[len], body, &[y, square]), reads, writes);
    let input = noise(len, 3);
    let outs = run(plan(&[len], &[len, len], vec![step]), std::slice::from_ref(&input))?;
    for (at, x) in floats(input.words()).into_iter().enumerate() {
        let square = x * x;
        let y = (0..50).fold(square, |y, _| (y + y).max(4.0) * square);
        assert_eq!([outs[0][at], outs[1][at]], [y.to_bits(), square.to_bits()]);
    }
    Ok(())
}

#[test]
fn f16_is_rounded_where_it_is_calculated() -> Result<(), Error> {
    let len = 3_000;
    let mut body = Body::default();
    let load = Term::Load { operand: 0, index: affine(0, &[1]), guards: vec![] };
    let x = body.push(load, DType::F16);
    let y = body.push_node(Term::Apply(MUL, vec![x, x]), DType::F16);
    let reads = vec![region(Storage::Input(0), len)];
    let step = step(map(&[len], body, &[y]), reads, vec![region(Storage::Output(0), len)]);
    let input = noise(len, 4);
    let outs = run(plan(&[len], &[len], vec![step]), std::slice::from_ref(&input))?;
    for (x, &y) in floats(input.words()).into_iter().zip(&outs[0]) {
        assert_eq!(y, half::f16::from_f32(x * x).to_f32().to_bits());
    }
    Ok(())
}

#[test]
fn empty_and_scalar_spaces() -> Result<(), Error> {
    for (space, len) in [(vec![], 1), (vec![0, 4], 0), (vec![1, 1], 1)] {
        let mut body = Body::default();
        let index = Affine::constant(0, space.len());
        let x = load(&mut body, 0, index, vec![]);
        let y = body.push(Term::Apply(ADD, vec![x, x]), DType::F32);
        let reads = vec![region(Storage::Input(0), len)];
        let step = step(map(&space, body, &[y]), reads, vec![region(Storage::Output(0), len)]);
        let outs =
            run(plan(&[len], &[len], vec![step]), &[Array::new([len], &vec![1.5f32; len])?])?;
        assert_eq!(floats(&outs[0]), vec![3.0; len]);
    }
    Ok(())
}

#[test]
fn a_kernel_and_its_epilogue() -> Result<(), Error> {
    let (rows, width) = (700, 300);
    let len = rows * width;
    // The running sum of each row, costed at 300 operations to make it worth several chunks.
    let compute = move |x: &[&[u32]], start: usize, out: &mut [u32]| {
        assert!(start.is_multiple_of(width) && out.len().is_multiple_of(width));
        for (row, out) in out.chunks_mut(width).enumerate() {
            let mut sum = 0.0;
            for (y, &x) in out.iter_mut().zip(&x[0][start + row * width..]) {
                sum += f32::from_bits(x);
                *y = sum.to_bits();
            }
        }
    };
    let shader = Shader::new("", "", &[], 1);
    let cpu = CpuKernel::new(width, 300, compute);
    let mut body = Body::default();
    let acc = body.push(Term::Acc, DType::F32);
    let bias = load(&mut body, 1, affine(0, &[0, 1]), vec![]);
    let sum = body.push(Term::Apply(ADD, vec![acc, bias]), DType::F32);
    let input = [noise(len, 5), noise(width, 6)];
    let [x, y] = [floats(input[0].words()), floats(input[1].words())];
    for root in [acc, sum] {
        let result = KernelResult { name: "", dtype: DType::F32, probe: None };
        let write = KernelWrite {
            result: 0,
            space: vec![rows, width],
            dtype: DType::F32,
            epilogue: Epilogue { body: body.clone(), root },
        };
        let kind = StepKind::Kernel {
            kernel: Kernel {
                shaders: vec![shader.clone()],
                cpu: Some(cpu.clone()),
                order: None,
                parts: 1,
                results: vec![result],
                result: 0,
            },
            operands: 1,
            writes: vec![write],
        };
        let reads = vec![region(Storage::Input(0), len), region(Storage::Input(1), width)];
        let step = step(kind, reads, vec![region(Storage::Output(0), len)]);
        let outs = run(plan(&[len, width], &[len], vec![step]), &input)?;
        for row in 0..rows {
            let mut sum = 0.0;
            for column in 0..width {
                sum += x[row * width + column];
                let expected = if root == acc { sum } else { sum + y[column] };
                assert_eq!(outs[0][row * width + column], expected.to_bits());
            }
        }
    }
    Ok(())
}

/// Running sums of rows, and their totals: chunks of both belong to the same rows, whether both are
/// written or one, as they are or through an epilogue.
#[test]
fn a_kernel_with_two_results() -> Result<(), Error> {
    let (rows, width) = (700, 300);
    let len = rows * width;
    let compute = move |x: &[&[u32]], first: usize, outs: &mut [&mut [u32]]| {
        let count = (outs[0].len() / width).max(outs[1].len());
        for row in 0..count {
            let mut sum = 0.0;
            for column in 0..width {
                sum += f32::from_bits(x[0][(first + row) * width + column]);
                if let Some(y) = outs[0].get_mut(row * width + column) {
                    *y = sum.to_bits();
                }
            }
            if let Some(total) = outs[1].get_mut(row) {
                *total = sum.to_bits();
            }
        }
    };
    let result = KernelResult { name: "", dtype: DType::F32, probe: None };
    let kernel = Kernel {
        order: None,
        parts: 1,
        shaders: vec![Shader::new("", "", &[], 1)],
        cpu: Some(CpuKernel::with_siblings([width, 1], 300, compute)),
        results: vec![result.clone(), result],
        result: 0,
    };
    let mut body = Body::default();
    let acc = body.push(Term::Acc, DType::F32);
    let twice = body.push(Term::Apply(ADD, vec![acc, acc]), DType::F32);
    let input = [noise(len, 5)];
    let x = floats(input[0].words());
    let mut expected = [vec![0.0; len], vec![0.0; rows]];
    for row in 0..rows {
        let mut sum = 0.0;
        for column in 0..width {
            sum += x[row * width + column];
            expected[0][row * width + column] = sum;
        }
        expected[1][row] = sum;
    }
    let spaces = [vec![rows, width], vec![rows]];
    for wanted in [&[0, 1][..], &[0], &[1]] {
        for (root, factor) in [(acc, 1.0), (twice, 2.0)] {
            let write = |&result: &usize| KernelWrite {
                result,
                space: spaces[result].clone(),
                dtype: DType::F32,
                epilogue: Epilogue { body: body.clone(), root },
            };
            let writes = wanted.iter().map(write).collect();
            let kind = StepKind::Kernel { kernel: kernel.clone(), operands: 1, writes };
            let lens: Vec<usize> = wanted.iter().map(|&k| expected[k].len()).collect();
            let regions =
                lens.iter().enumerate().map(|(k, &len)| region(Storage::Output(k), len)).collect();
            let step = step(kind, vec![region(Storage::Input(0), len)], regions);
            let outs = run(plan(&[len], &lens, vec![step]), &input)?;
            for (out, &result) in outs.iter().zip(wanted) {
                let scaled: Vec<f32> = expected[result].iter().map(|y| y * factor).collect();
                assert!(floats(out) == scaled, "result {result} of {wanted:?}, {factor}");
            }
        }
    }
    Ok(())
}
