//! Gates and cells of recurrent networks, defined by their formulas.

use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Splits the last axis into equal parts, each as long as that of `state`.
    #[track_caller]
    pub(crate) fn gates<const N: usize>(
        self,
        name: &'static str,
        state: Tensor<'g>,
    ) -> [Tensor<'g>; N] {
        let (x, width) = (self.of_floats(name), state.dim(-1));
        if !x.failed() && !state.failed() && (x.rank() == 0 || x.dim(-1) != N * width) {
            let what = "extents of gates and of all states";
            let reason = OpError::Extents { what, lhs: x.dim(-1), rhs: N * width };
            return [self.graph().refuse(name, &[self, state], reason); N];
        }
        let mut gates = [x; N];
        for (k, gate) in gates.iter_mut().enumerate() {
            *gate = x.slice(-1, k * width..(k + 1) * width);
        }
        gates
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Samples of the cells, defined by their formulas.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    // Hidden state and cell concatenated.
    let lstm = Function::new(
        "lstm_cell",
        |x| x[0].graph().concat(&x[0].lstm_cell(x[1]), 1),
        |x| {
            let [gates, cell] = x else { unreachable!("two operands") };
            let h = cell.shape().dims()[1];
            Array64::from_fn(Meta::new([cell.shape().dims()[0], 2 * h], gates.meta.dtype), |c| {
                let (row, k) = (c[0], c[1] % h);
                let gate = |index: usize| gates.at(&[row, index * h + k]);
                let cell =
                    sigmoid(gate(1)) * cell.at(&[row, k]) + sigmoid(gate(0)) * gate(2).tanh();
                if c[1] < h { sigmoid(gate(3)) * cell.tanh() } else { cell }
            })
        },
    );
    let gru = Function::new(
        "gru_cell",
        |x| x[0].gru_cell(x[1], x[2]),
        |x| {
            let [input, sums, hidden] = x else { unreachable!("three operands") };
            let h = hidden.shape().dims()[1];
            Array64::from_fn(hidden.meta.clone(), |c| {
                let of = |x: &Array64, index: usize| x.at(&[c[0], index * h + c[1]]);
                let r = sigmoid(of(input, 0) + of(sums, 0));
                let z = sigmoid(of(input, 1) + of(sums, 1));
                let n = (of(input, 2) + r * of(sums, 2)).tanh();
                (1.0 - z) * n + z * hidden.at(&c)
            })
        },
    );
    let few = "a handful of rounded operations on values below 2";
    vec![
        Sample::new(lstm.clone(), [of(&[3, 20]), of(&[3, 5])]).bound(Bound::Abs(1e-6), few),
        Sample::new(lstm, [of(&[1, 4]), of(&[1, 1])]).bound(Bound::Abs(1e-6), few).named("one"),
        Sample::new(gru, [of(&[3, 15]), of(&[3, 15]), of(&[3, 5])]).bound(Bound::Abs(1e-6), few),
    ]
}
