//! Quotients and remainders that processors and drivers disagree about, and floats that no integer
//! equals.

use crate::device;
use wgrad::{Array, DType, Device, Error, Feed, Graph, Meta, Tensor, Variables};

const SIGNED: [i32; 9] = [0, 1, -1, 3, -3, -7, 7, i32::MIN, i32::MAX];
const UNSIGNED: [u32; 6] = [0, 1, 3, 7, 1 << 31, u32::MAX];

fn devices() -> Vec<Device> {
    [Device::Reference, Device::cpu()].into_iter().chain(device::gpu()).collect()
}

/// Every word divided by every other one, as a tensor and as a number in the graph.
fn check(
    dtype: DType,
    words: &[u32],
    divide: impl Fn(u32, u32) -> u32,
    remain: impl Fn(u32, u32) -> u32,
) -> Result<(), Error> {
    let n = words.len();
    let a: Vec<u32> = (0..n * n).map(|k| words[k / n]).collect();
    let b: Vec<u32> = (0..n * n).map(|k| words[k % n]).collect();
    let array = |words: &[u32]| Array::from_words(Meta::new([words.len()], dtype), words.to_vec());
    let (left, right, each) = (array(&a)?, array(&b)?, array(words)?);
    for device in devices() {
        let graph = Graph::new();
        let [x, y] = ["a", "b"].map(|name| graph.input(name, [n * n], dtype));
        let z = graph.input("each", [n], dtype);
        let literals = words.iter().map(|&word| z.full_like(dtype.from_word(word)));
        let by_number: Vec<Tensor> = literals.flat_map(|b| [z / b, z % b]).collect();
        let wanted: Vec<Tensor> = [x / y, x % y].into_iter().chain(by_number).collect();
        let program = graph.compile_pure(&device, &wanted)?;
        let inputs: [(&str, &dyn Feed); 3] = [("a", &left), ("b", &right), ("each", &each)];
        let results = program.run(&Variables::new(0), &inputs)?;
        let functions: [&dyn Fn(u32, u32) -> u32; 2] = [&divide, &remain];
        for (k, function) in functions.into_iter().enumerate() {
            let got = results.read_blocking(k)?;
            for ((&a, &b), &got) in a.iter().zip(&b).zip(got.words()) {
                assert_eq!(got, function(a, b), "{k}: {a} and {b} on {}", device.name());
            }
            for (number, &b) in words.iter().enumerate() {
                let got = results.read_blocking(2 + 2 * number + k)?;
                for (&a, &got) in words.iter().zip(got.words()) {
                    assert_eq!(got, function(a, b), "{k}: {a} and {b} on {}", device.name());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn signed_quotients_and_remainders_on_cpu_and_gpu() -> Result<(), Error> {
    let words = SIGNED.map(|x| x as u32);
    let wide = |x: u32| i64::from(x as i32);
    let divide = |a, b| wide(a).checked_div(wide(b)).map_or(a, |quotient| quotient as u32);
    let remain = |a, b| wide(a).checked_rem(wide(b)).unwrap_or(0) as u32;
    check(DType::I32, &words, divide, remain)
}

#[test]
fn unsigned_quotients_and_remainders_on_cpu_and_gpu() -> Result<(), Error> {
    check(
        DType::U32,
        &UNSIGNED,
        |a, b| a.checked_div(b).unwrap_or(a),
        |a, b| a.checked_rem(b).unwrap_or(0),
    )
}

/// Toward zero; what is out of range saturates, and NaN is 0.
#[test]
fn floats_become_integers_on_cpu_and_gpu() -> Result<(), Error> {
    const FLOATS: [f32; 20] = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        0.99,
        -0.99,
        -1.0,
        2.5,
        -2.5,
        2_147_483_520.0,
        2_147_483_648.0,
        -2_147_483_648.0,
        -2_147_483_904.0,
        4_294_967_040.0,
        4_294_967_296.0,
        1e-40,
        3e38,
        -3e38,
        16_777_217.0,
    ];
    let x = Array::new([FLOATS.len()], &FLOATS)?;
    for device in devices() {
        let graph = Graph::new();
        let input = graph.input("x", [FLOATS.len()], DType::F32);
        let wanted = [DType::I32, DType::U32, DType::Bool].map(|dtype| input.cast(dtype));
        let program = graph.compile_pure(&device, &wanted)?;
        let results = program.run(&Variables::new(0), &[("x", &x)])?;
        let got = [0, 1, 2].map(|k| results.read_blocking(k));
        let [signed, unsigned, truth] = got;
        let (signed, unsigned, truth) = (signed?, unsigned?, truth?);
        for (k, &x) in FLOATS.iter().enumerate() {
            assert_eq!(signed.words()[k] as i32, x as i32, "{x} on {}", device.name());
            assert_eq!(unsigned.words()[k], x as u32, "{x} on {}", device.name());
            // A device may take a denormal for 0.
            let is_true = truth.words()[k] != 0;
            assert!(is_true == (x != 0.0) || x.is_subnormal(), "{x} on {}", device.name());
        }
    }
    Ok(())
}
