//! Steps of recurrent networks, behind their products: gates, and what they let pass.

use crate::{
    dtype::DType,
    error::OpError,
    graph::Tensor,
    reference::Array64,
    shape::Meta,
    testing::{Bound, Function, Sample},
};

impl<'g> Tensor<'g> {
    /// A step of long short-term memory: the new hidden state and the new cell, of the sums that
    /// enter the gates and of the cell before.
    ///
    /// `c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(c')`
    ///
    /// # Shapes
    ///
    /// `self` is `[.., 4 h]`, in the order `i, f, g, o` of PyTorch; `cell` and the results are
    /// `[.., h]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there are four gates for each element of a cell;
    /// [`OpError::DType`].
    ///
    /// # Source
    ///
    /// Hochreiter & Schmidhuber 1997; the forget gate is of Gers et al. 2000.
    #[track_caller]
    pub fn lstm_cell(self, cell: Tensor<'g>) -> [Tensor<'g>; 2] {
        let [i, f, g, o] = self.gates("lstm_cell", cell);
        let cell = f.sigmoid() * cell + i.sigmoid() * g.tanh();
        [o.sigmoid() * cell.tanh(), cell]
    }

    /// A step of a gated recurrent unit: the new hidden state, of the sums that enter the gates from
    /// the input (`self`) and from the state (`sums`), and of the state before.
    ///
    /// `r = sigmoid(x_r + s_r)`, `z = sigmoid(x_z + s_z)`, `n = tanh(x_n + r s_n)`,
    /// `h' = (1 - z) n + z h`
    ///
    /// # Shapes
    ///
    /// `self` and `sums` are `[.., 3 h]`, in the order `r, z, n` of PyTorch; `hidden` and the result
    /// are `[.., h]`.
    ///
    /// # Errors
    ///
    /// As for [`lstm_cell`](Self::lstm_cell), with three gates.
    ///
    /// # Source
    ///
    /// Cho et al. 2014, arXiv:1406.1078, with the reset gate behind the product, as in cuDNN.
    #[track_caller]
    pub fn gru_cell(self, sums: Tensor<'g>, hidden: Tensor<'g>) -> Tensor<'g> {
        let [xr, xz, xn] = self.gates("gru_cell", hidden);
        let [sr, sz, sn] = sums.gates("gru_cell", hidden);
        let n = (xn + (xr + sr).sigmoid() * sn).tanh();
        // (1 - z) n + z h, with one product less.
        n + (xz + sz).sigmoid() * (hidden - n)
    }

    /// Equal parts along the last axis, each as long as that of `state`.
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

/// The cells, from their formulas.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    // Hidden state and cell one after the other.
    let lstm = Function::new(
        "lstm_cell",
        |x| x[0].graph().concat(&x[0].lstm_cell(x[1]), 1),
        |x| {
            let [gates, cell] = x else { unreachable!("two operands") };
            let h = cell.shape().dims()[1];
            Array64::from_fn(Meta::new([cell.shape().dims()[0], 2 * h], DType::F32), |c| {
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
