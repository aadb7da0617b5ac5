//! A step of a gated recurrent unit after its matrix products, and its derivative.

use super::{
    super::{rows::Rows, *},
    accuracy, infer_state, kernel, parts, rows_of, slices,
};
use crate::dtype::DType;
use crate::ops::kernel::shader_file;

/// The hidden state after a step, from the pre-activations of the gates due to the input and to the
/// state, and the previous state: `r = sigmoid(x_r + s_r)`, `z = sigmoid(x_z + s_z)`,
/// `n = tanh(x_n + r s_n)`, `h' = n + z (h - n)`.
///
/// It always expands, but its derivative is a separate operation, which recomputes the gates
/// from their pre-activations. So no gate is kept for the backward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct GruCell;

/// The derivative of [`GruCell`], from its operands and the cotangent of the new state.
///
/// With `dn = dh' (1 - z) (1 - n^2)`: w.r.t. the state `dh' z`; w.r.t. the pre-activations of the
/// input `dn s_n r (1 - r)`, `dh' (h - n) z (1 - z)` and `dn`; w.r.t. those of the state the same,
/// with `dn r` as the last.
#[derive(Clone, Debug, PartialEq)]
pub struct GruCellGrad {
    pub(crate) by: By,
}

/// The operand to differentiate with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Input,
    Sums,
    Hidden,
}

/// Gates for each element of the state, in the order `r, z, n`.
const GATES: usize = 3;

impl<'g> Tensor<'g> {
    /// A step of a gated recurrent unit: the new hidden state, from the pre-activations of the
    /// gates due to the input (`self`) and to the state (`sums`), and the previous state.
    ///
    /// `r = sigmoid(x_r + s_r)`, `z = sigmoid(x_z + s_z)`, `n = tanh(x_n + r s_n)`,
    /// `h' = (1 - z) n + z h`
    ///
    /// # Shapes
    ///
    /// `self` and `sums` are `[.., 3 h]`, in the order `r, z, n` of PyTorch; `hidden` and the
    /// result are `[.., h]`.
    ///
    /// # Gradient
    ///
    /// Recomputes the gates from their pre-activations: only the operands are kept.
    ///
    /// # Errors
    ///
    /// As for [`lstm_cell`](Self::lstm_cell), with three gates.
    ///
    /// # Source
    ///
    /// Cho et al. 2014, arXiv:1406.1078, with the reset gate applied after the product, as in
    /// cuDNN.
    #[doc(alias = "GRUCell")]
    #[track_caller]
    pub fn gru_cell(self, sums: Tensor<'g>, hidden: Tensor<'g>) -> Tensor<'g> {
        self.graph.push(GruCell, &[self, sums, hidden])
    }
}

/// `r`, `z` and `n`.
fn gates<'g>(input: Tensor<'g>, sums: Tensor<'g>) -> [Tensor<'g>; GATES] {
    let ([xr, xz, xn], [sr, sz, sn]) = (parts(input), parts(sums));
    let r = (xr + sr).sigmoid();
    [r, (xz + sz).sigmoid(), (xn + r * sn).tanh()]
}

/// Checks that both pre-activations are alike, and fit the state.
fn infer(operands: &[Meta]) -> Result<(), OpError> {
    infer_state(&operands[0], &operands[2], GATES)?;
    infer_state(&operands[1], &operands[2], GATES).map(|_| ())
}

impl std::fmt::Display for GruCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl composite::Composite for GruCell {
    fn name(&self) -> &'static str {
        "gru_cell"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        infer(operands)?;
        Ok(operands[2].clone())
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let operands = [operands, &[ct]].concat();
        let by = |by| Some(ct.graph.push(GruCellGrad { by }, &operands));
        Some(vec![by(By::Input), by(By::Sums), by(By::Hidden)])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [input, sums, hidden] = *operands else { unreachable!("it has three operands") };
        let [_, z, n] = gates(input, sums);
        // (1 - z) n + z h, with one product less.
        n + z * (hidden - n)
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(10.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |outer: &[usize], h: usize| {
            let meta = |width: usize| Meta::new([outer, &[width]].concat(), DType::F32);
            Sample::new(GruCell, [meta(GATES * h), meta(GATES * h), meta(h)])
                .bound(Bound::Abs(1e-6), "a handful of rounded operations on values below 2")
        };
        vec![
            of(&[3], 5),
            of(&[], 7).named("one row"),
            of(&[2, 1], 33).named("two axes of rows"),
            of(&[0], 3).named("no rows"),
        ]
    }
}

impl std::fmt::Display for GruCellGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl composite::Composite for GruCellGrad {
    fn name(&self) -> &'static str {
        match self.by {
            By::Input => "gru_cell_input_grad",
            By::Sums => "gru_cell_sums_grad",
            By::Hidden => "gru_cell_grad",
        }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        infer(operands)?;
        if operands[3] == operands[2] {
            Ok(operands[self.by as usize].clone())
        } else {
            Err(OpError::Target(operands[2].shape.clone()))
        }
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [input, sums, hidden, ct] = *operands else { unreachable!("it has four operands") };
        let [r, z, n] = gates(input, sums);
        if self.by == By::Hidden {
            return ct * z;
        }
        let [_, _, sn] = parts(sums);
        let slope = |y: Tensor<'g>| y * (1.0 - y);
        let dn = ct * (1.0 - z) * (1.0 - n * n);
        let last = if self.by == By::Input { dn } else { dn * r };
        let by_gates = [dn * sn * slope(r), ct * (hidden - n) * slope(z), last];
        input.graph.concat(&by_gates, -1)
    }

    fn has_kernel(&self, _: &[&Meta], result: &Meta) -> bool {
        result.dtype == DType::F32
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let (by, rows) = (self.by, rows_of(operands[2]));
        let each = if by == By::Hidden { 1 } else { GATES };
        let width = each * rows.cols as usize;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let sums = Rows { cols: rows.cols * GATES as u32, ..rows };
            for (row, out) in (start / width..).zip(out.chunks_exact_mut(width)) {
                let [x, s] = [0, 1].map(|k| sums.row(operands[k], row));
                let [hidden, ct] = [2, 3].map(|k| rows.row(operands[k], row));
                let out = bytemuck::cast_slice_mut(out);
                match by {
                    By::Hidden => by_hidden(x, s, ct, out),
                    _ => by_gates(by, [x, s], [hidden, ct], out),
                }
            }
        };
        let file = shader_file!("recurrent/gru_cell_grad", ["sigmoid", "tanh"]);
        let probe = Probe::new(self.clone(), operands, accuracy().0)
            .along_all(0..operands[2].shape.rank() - 1);
        Some(kernel(file, by as u32, rows, each, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = if self.by == By::Hidden { 3.0 } else { 8.0 };
        Cost::elementwise(flops, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |by, outer: &[usize], h: usize| {
            let meta = |width: usize| Meta::new([outer, &[width]].concat(), DType::F32);
            let operands = [meta(GATES * h), meta(GATES * h), meta(h), meta(h)];
            let (bound, reason) = accuracy();
            Sample::new(GruCellGrad { by }, operands).bound(bound, reason)
        };
        let every = |by| {
            [
                of(by, &[3], 5),
                of(by, &[], 7).named("one row"),
                of(by, &[2, 1], 259).named("past a workgroup"),
                of(by, &[0], 3).named("no rows"),
                of(by, &[2], 64)
                    .operand(0, Domain::Range(-200.0, 200.0))
                    .without_gradient()
                    .named("gates that are shut or open"),
            ]
        };
        with_halves([every(By::Input), every(By::Sums), every(By::Hidden)].concat(), &[""])
    }
}

/// Computes one row w.r.t. the pre-activations of the input or of the state.
fn by_gates(by: By, [x, s]: [&[f32]; 2], [hidden, ct]: [&[f32]; 2], out: &mut [f32]) {
    // Here the loop is one function, which is compiled for each instruction set.
    pulp::Arch::new().dispatch(|| {
        let h = out.len() / GATES;
        let [[xr, xz, xn], [sr, sz, sn]] = [x, s].map(|x| slices::<GATES>(x, h));
        let [hidden, ct] = [&hidden[..h], &ct[..h]];
        let (dr, rest) = out.split_at_mut(h);
        let (dz, dn) = rest.split_at_mut(h);
        let dn = &mut dn[..h];
        for k in 0..h {
            let [r, z] = [xr[k] + sr[k], xz[k] + sz[k]].map(math::sigmoid);
            let n = math::tanh(xn[k] + r * sn[k]);
            let d = ct[k] * (1.0 - z) * (1.0 - n * n);
            dr[k] = d * sn[k] * (r * (1.0 - r));
            dz[k] = ct[k] * (hidden[k] - n) * (z * (1.0 - z));
            dn[k] = if by == By::Sums { d * r } else { d };
        }
    });
}

/// Computes one row w.r.t. the previous state.
fn by_hidden(x: &[f32], s: &[f32], ct: &[f32], out: &mut [f32]) {
    pulp::Arch::new().dispatch(|| {
        let h = out.len();
        let [[_, xz, _], [_, sz, _]] = [x, s].map(|x| slices::<GATES>(x, h));
        let ct = &ct[..h];
        for k in 0..h {
            out[k] = ct[k] * math::sigmoid(xz[k] + sz[k]);
        }
    });
}
