//! Reductions in every order and partition, compared with f64.

use super::*;
use crate::ops::reduce::ReduceFn;

/// Reduces an input of `dims` along `axes`; the epilogue doubles.
fn reduce(function: ReduceFn, dims: &[usize], axes: &[usize]) -> Result<(), Error> {
    let outer_axes: Vec<usize> = (0..dims.len()).filter(|axis| !axes.contains(axis)).collect();
    let shape = crate::shape::Shape::from(dims);
    let strides = shape.strides();
    let order: Vec<usize> = outer_axes.iter().chain(axes).copied().collect();
    let coefs: Vec<i64> = order.iter().map(|&axis| strides[axis] as i64).collect();
    let mut body = Body::default();
    let x = load(&mut body, 0, affine(0, &coefs), vec![]);
    let value = body.push(Term::Apply(MUL, vec![x, x]), DType::F32);
    let mut end = Body::default();
    let acc = end.push(Term::Acc, DType::F32);
    let root = end.push(Term::Apply(ADD, vec![acc, acc]), DType::F32);
    let extents = |axes: &[usize]| axes.iter().map(|&axis| dims[axis]).collect::<Vec<_>>();
    let (outer, inner) = (extents(&outer_axes), extents(axes));
    let results: usize = outer.iter().product();
    let terms: usize = inner.iter().product();
    let adjacent = axes.last().map_or(1, |&last| dims[last + 1..].iter().product());
    for (value, epilogue) in
        [(x, Epilogue { body: end.clone(), root: acc }), (value, Epilogue { body: end, root })]
    {
        let doubled = epilogue.root == root;
        let kind = StepKind::Reduce {
            function,
            outer: outer.clone(),
            inner: inner.clone(),
            adjacent,
            body: body.clone(),
            value,
            epilogue,
        };
        let reads = vec![region(Storage::Input(0), shape.len())];
        let step = step(kind, reads, vec![region(Storage::Output(0), results)]);
        let input = noise(shape.len(), 7);
        let plan = plan(&[shape.len()], &[results], vec![step]);
        let outs = run(plan, std::slice::from_ref(&input))?;
        let x = floats(input.words());
        let mut expected = vec![function.identity_f64(); results];
        let mut size = vec![0.0; results];
        for (at, coordinate) in shape.coordinates().enumerate() {
            let outer_dims = crate::shape::Shape::from(outer.as_slice());
            let point: Vec<usize> = outer_axes.iter().map(|&axis| coordinate[axis]).collect();
            let result = outer_dims.index(&point);
            let x = if doubled { f64::from(x[at] * x[at]) } else { f64::from(x[at]) };
            expected[result] = function.combine(expected[result], x);
            size[result] += x.abs();
        }
        for (at, &word) in outs[0].iter().enumerate() {
            let factor = if doubled { 2.0 } else { 1.0 };
            let error = (f64::from(f32::from_bits(word)) - factor * expected[at]).abs();
            // 300 instead of `terms`: far below the worst case of sequential summation.
            let bound = (terms.min(300) as f64) * 2f64.powi(-24) * factor * size[at];
            let exact = function != ReduceFn::Sum || terms == 0;
            assert!(
                if exact { error == 0.0 || error.is_nan() } else { error <= bound },
                "{function:?} of {dims:?} along {axes:?}, {at}: {error} > {bound}"
            );
        }
    }
    Ok(())
}

impl ReduceFn {
    fn identity_f64(self) -> f64 {
        DType::F32.from_word(self.identity(DType::F32))
    }
}

#[test]
fn rows() -> Result<(), Error> {
    for dims in [[70, 3], [3, 1000], [5, 5000], [3001, 70], [2, 300_001]] {
        reduce(ReduceFn::Sum, &dims, &[1])?;
    }
    Ok(())
}

#[test]
fn columns() -> Result<(), Error> {
    for dims in [[70, 3], [1000, 3], [5000, 10], [40, 5000], [300, 1025], [20_000, 37]] {
        reduce(ReduceFn::Sum, &dims, &[0])?;
    }
    Ok(())
}

#[test]
fn middle_and_all_axes() -> Result<(), Error> {
    reduce(ReduceFn::Sum, &[7, 30, 11], &[1])?;
    reduce(ReduceFn::Sum, &[40, 6, 99], &[0, 2])?;
    reduce(ReduceFn::Max, &[40, 6, 99], &[0, 2])?;
    reduce(ReduceFn::Sum, &[500_003], &[0])?;
    reduce(ReduceFn::Min, &[300_007], &[0])?;
    reduce(ReduceFn::Sum, &[], &[])?;
    Ok(())
}

#[test]
fn nothing_gives_the_identity() -> Result<(), Error> {
    reduce(ReduceFn::Sum, &[5, 0], &[1])?;
    reduce(ReduceFn::Max, &[5, 0], &[1])?;
    reduce(ReduceFn::Sum, &[0, 5], &[1])?;
    Ok(())
}
