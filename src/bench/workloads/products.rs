//! Products of square matrices in f32, f16 and int8.

use crate::{
    bench::{
        check::Sum,
        workload::{Workload, at, words},
    },
    dtype::DType,
    ops::contract::Domain,
};

pub(super) fn workloads(sizes: &[usize]) -> Vec<Workload> {
    // Larger sizes take too long on a CPU.
    let is_large = |n: usize| n > 2048;
    let floats = sizes.iter().map(|&n| floats(n, DType::F32).large(is_large(n)));
    let halves = sizes.iter().filter(|&&n| n >= 1024 || sizes.len() == 1);
    let halves = halves.map(|&n| self::floats(n, DType::F16).large(is_large(n)));
    let bytes = sizes.iter().filter(|&&n| (512..=4096).contains(&n) || sizes.len() == 1);
    let bytes = bytes.map(|&n| self::bytes(n).large(is_large(n)));
    floats.chain(halves).chain(bytes).collect()
}

fn floats(n: usize, dtype: DType) -> Workload {
    let (name, of_type, size) = match dtype {
        DType::F16 => (format!("matmul_f16_{n}"), "f16", 2.0),
        _ => (format!("matmul_{n}"), "f32", 4.0),
    };
    let numbers = Domain::Range(-1.0, 1.0);
    Workload::new(
        "product",
        name,
        format!("{n}x{n} . {n}x{n}"),
        |x| vec![x[0].matmul(x[1])],
        move |x| {
            Box::new(move |_, c| {
                Sum::of((0..n).map(|k| at(&x[0], c[0] * n + k) * at(&x[1], k * n + c[1])))
            })
        },
    )
    .operand(&[n, n], dtype, numbers.clone())
    .operand(&[n, n], dtype, numbers)
    .of_type(of_type)
    .cost(2.0 * (n * n * n) as f64, 3.0 * size * (n * n) as f64)
}

/// Bytes are packed four per word.
fn bytes(n: usize) -> Workload {
    let count = n.div_ceil(4);
    Workload::new(
        "int8 product",
        format!("matmul_i8_{n}"),
        format!("{n}x{n} . {n}x{n}"),
        |x| vec![x[0].matmul_i8(x[1])],
        move |x| {
            Box::new(move |_, c| {
                let row = |k: usize, row: usize| &x[k].words()[row * count..][..count];
                let words = row(0, c[0]).iter().zip(row(1, c[1]));
                Sum::exact(words.map(|(&a, &b)| dot(a, b)).sum())
            })
        },
    )
    .operand(&[n, count], DType::U32, Domain::Below(u32::MAX))
    .operand(&[n, count], DType::U32, Domain::Below(u32::MAX))
    .of_type("i8")
    .cost(8.0 * (n * n * count) as f64, words(2 * n * count + n * n))
}

/// The dot product of four bytes.
pub(super) fn dot(a: u32, b: u32) -> f64 {
    let products = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
    products.map(|(a, b)| f64::from(a as i8) * f64::from(b as i8)).sum()
}
