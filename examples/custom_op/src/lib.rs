//! SwiGLU (Shazeer 2020) as an operation of this crate: half of each row gates the other half,
//! `y = a sigmoid(a) b`, without a tensor for either half in memory.
//!
//! ```
//! use custom_op::swiglu;
//! use wgrad::prelude::*;
//!
//! let graph = Graph::new();
//! let x = graph.input("x", [1, 4], DType::F32);
//! let y = graph.custom(&swiglu(), &[x]);
//! let slope = autodiff::grad(y.sum(..), &[x])[0];
//! let x = Array::new([1, 4], &[0.0f32, 2.0, 5.0, 0.5])?;
//! let program = graph.compile(&Device::cpu(), &[("y", y), ("slope", slope)])?;
//! let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
//! assert_eq!(outputs.read_blocking("y")?.shape().dims(), [1, 2]);
//! assert_eq!(outputs.read_blocking("slope")?.to_f64()[0], 2.5);
//! # Ok::<(), Error>(())
//! ```

use wgrad::{
    Array64, DType, Meta, OpError, Tensor,
    ops::{CpuKernel, Custom, Shader},
    testing::{Bound, Domain},
};

/// SwiGLU of the rows of a matrix `[rows, 2 cols]` in f32, with the gates in front: a matrix
/// `[rows, cols]`.
pub fn swiglu() -> Custom {
    Custom::new("swiglu", infer, shader)
        // The sigmoid is within a few units in the last place, and two products add one each.
        .with_definition(Bound::Ulp(12), definition)
        .with_operand(0, Domain::Range(-4.0, 4.0))
        // A row depends on its row only: large proofs take some of them.
        .with_free_axis(0, [Some(0)])
        .with_cpu(cpu)
        .with_vjp(vjp)
}

fn infer(operands: &[Meta]) -> Result<Meta, OpError> {
    let [x] = operands else { return Err(OpError::Argument("needs one operand")) };
    match *x.shape.dims() {
        _ if x.dtype != DType::F32 => Err(OpError::DType(x.dtype)),
        [rows, both] if both % 2 == 0 => Ok(Meta::new([rows, both / 2], DType::F32)),
        [_, number] => Err(OpError::Indivisible { what: "columns", number, by: 2 }),
        _ => Err(OpError::Argument("needs a matrix")),
    }
}

fn shader(_: &[&Meta], y: &Meta) -> Shader {
    let params = [0, 1].map(|axis| (y.shape.dims()[axis] as u32).to_le_bytes()).concat();
    let groups = y.shape.len().div_ceil(64);
    Shader::new("swiglu", include_str!("swiglu.wgsl"), &params, groups).importing(&["sigmoid"])
}

/// The formula, in f64.
fn definition(operands: &[&Array64]) -> Vec<f64> {
    let x = operands[0];
    let (rows, cols) = (x.shape().dims()[0], x.shape().dims()[1] / 2);
    let element = |row: usize, col: usize| {
        let [a, b] = [0, cols].map(|first| x.data[row * 2 * cols + first + col]);
        a / (1.0 + (-a).exp()) * b
    };
    (0..rows).flat_map(|row| (0..cols).map(move |col| element(row, col))).collect()
}

/// The same in f32, some rows at a time. Without it the CPU would run the definition.
fn cpu(_: &[&Meta], y: &Meta) -> CpuKernel {
    let cols = y.shape.dims()[1];
    CpuKernel::new(cols, 20, move |operands, start, out| {
        // Rows of no columns have no elements to write.
        let rows = operands[0][2 * start..].chunks_exact(2 * cols.max(1));
        for (x, y) in rows.zip(out.chunks_exact_mut(cols.max(1))) {
            let (gates, values) = x.split_at(cols);
            for ((y, a), b) in y.iter_mut().zip(gates).zip(values) {
                let [a, b] = [a, b].map(|word| f32::from_bits(*word));
                *y = (a / (1.0 + (-a).exp()) * b).to_bits();
            }
        }
    })
}

/// `da = ct b (s + a s (1 - s))` and `db = ct a s` for `s = sigmoid(a)`, in operations of the graph: so
/// it has a derivative too.
fn vjp<'g>(operands: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
    let x = operands[0];
    let cols = x.shape().dims()[1] / 2;
    let (a, b) = (x.slice(1, ..cols), x.slice(1, cols..));
    let s = a.sigmoid();
    let (da, db) = (ct * b * (s + a * s * (1.0 - s)), ct * a * s);
    vec![Some(ct.graph().concat(&[da, db], 1))]
}

wgrad::testing::verify_op! {
    swiglu,
    operands: [(f32[3, 8]), (f32[40, 34])],
}
