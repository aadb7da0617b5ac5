//! An LSTM step after its matrix product, and its derivative.

use super::super::{rows::Rows, *};
use super::{accuracy, infer_state, kernel, parts, rows_of, slices};
use crate::dtype::DType;
use crate::ops::kernel::shader_file;

/// Hidden state and cell after a step, `[2, .., h]`, from the pre-activations of the gates and the
/// previous cell: `c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(c')`.
///
/// It always expands, but its derivative is a separate operation, which recomputes the gates
/// from their pre-activations. So no gate is kept for the backward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmCell;

/// The derivative of [`LstmCell`], from its operands, the new cell, and the cotangents of hidden
/// state and cell.
///
/// With `d = dc' + dh' sigmoid(o) (1 - tanh(c')^2)`: w.r.t. the cell `d sigmoid(f)`; w.r.t. the
/// pre-activations, each times the slope of its gate, `d tanh(g)`, `d c`, `d sigmoid(i)` and
/// `dh' tanh(c')`.
#[derive(Clone, Debug, PartialEq)]
pub struct LstmCellGrad {
    pub(crate) by: By,
}

/// The operand to differentiate with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Gates,
    Cell,
}

/// Gates for each element of the cell, in the order `i, f, g, o`.
const GATES: usize = 4;

impl<'g> Tensor<'g> {
    /// An LSTM step: the new hidden state and the new cell, from the pre-activations of the gates
    /// and the previous cell.
    ///
    /// `c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(c')`
    ///
    /// # Shapes
    ///
    /// `self` is `[.., 4 h]`, in the order `i, f, g, o` of PyTorch; `cell` and the results are
    /// `[.., h]`.
    ///
    /// # Gradient
    ///
    /// Recomputes the gates from their pre-activations: only operands and results are kept.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there are four gates for each element of a cell;
    /// [`OpError::Target`] if the other axes differ; [`OpError::DType`].
    ///
    /// # Source
    ///
    /// Hochreiter & Schmidhuber 1997; the forget gate is from Gers et al. 2000.
    #[doc(alias = "LSTMCell")]
    #[track_caller]
    pub fn lstm_cell(self, cell: Tensor<'g>) -> [Tensor<'g>; 2] {
        states(self.graph.push(LstmCell, &[self, cell]))
    }
}

/// Splits into hidden state and cell.
#[track_caller]
fn states(both: Tensor<'_>) -> [Tensor<'_>; 2] {
    [0, 1].map(|k| both.slice(0, k..k + 1).squeeze(0))
}

impl std::fmt::Display for LstmCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl composite::Composite for LstmCell {
    fn name(&self) -> &'static str {
        "lstm_cell"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [gates, cell] = operands else { unreachable!("it has two operands") };
        let cell = infer_state(gates, cell, GATES)?;
        Ok(Meta::new([&[2], cell.dims()].concat(), gates.dtype))
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [gates, cell] = *operands else { unreachable!("it has two operands") };
        let ([_, next], [hidden_ct, cell_ct]) = (states(y), states(ct));
        let by =
            |by| Some(ct.graph.push(LstmCellGrad { by }, &[gates, cell, next, hidden_ct, cell_ct]));
        Some(vec![by(By::Gates), by(By::Cell)])
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [gates, cell] = *operands else { unreachable!("it has two operands") };
        let [i, f, g, o] = parts(gates);
        let cell = f.sigmoid() * cell + i.sigmoid() * g.tanh();
        cell.graph.stack(&[o.sigmoid() * cell.tanh(), cell], 0)
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Five functions, three products and a sum for two results.
        Cost::elementwise(4.5, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |outer: &[usize], h: usize| {
            let meta = |width: usize| Meta::new([outer, &[width]].concat(), DType::F32);
            Sample::new(LstmCell, [meta(GATES * h), meta(h)])
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

impl std::fmt::Display for LstmCellGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl composite::Composite for LstmCellGrad {
    fn name(&self) -> &'static str {
        match self.by {
            By::Gates => "lstm_cell_gates_grad",
            By::Cell => "lstm_cell_grad",
        }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        infer_state(&operands[0], &operands[1], GATES)?;
        if operands[2..].iter().any(|operand| *operand != operands[1]) {
            return Err(OpError::Target(operands[1].shape.clone()));
        }
        Ok(operands[self.by as usize].clone())
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let &[gates, cell, next, hidden_ct, cell_ct] = operands else {
            unreachable!("it has five operands")
        };
        let [i, f, g, o] = parts(gates);
        let [i, f, g, o, t] = [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid(), next.tanh()];
        let d = cell_ct + hidden_ct * o * (1.0 - t * t);
        if self.by == By::Cell {
            return d * f;
        }
        let slope = |y: Tensor<'g>| y * (1.0 - y);
        let by_gates = [
            d * g * slope(i),
            d * cell * slope(f),
            d * i * (1.0 - g * g),
            hidden_ct * t * slope(o),
        ];
        gates.graph.concat(&by_gates, -1)
    }

    fn has_kernel(&self, _: &[&Meta], result: &Meta) -> bool {
        result.dtype == DType::F32
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let (by, rows) = (self.by, rows_of(operands[1]));
        let each = if by == By::Gates { GATES } else { 1 };
        let width = each * rows.cols as usize;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, out) in (start / width..).zip(out.chunks_exact_mut(width)) {
                let gates = Rows { cols: rows.cols * GATES as u32, ..rows }.row(operands[0], row);
                let states: [&[f32]; 4] = std::array::from_fn(|k| rows.row(operands[k + 1], row));
                match by {
                    By::Gates => by_gates(gates, states, bytemuck::cast_slice_mut(out)),
                    By::Cell => by_cell(gates, states, bytemuck::cast_slice_mut(out)),
                }
            }
        };
        let file = shader_file!("recurrent/lstm_cell_grad", ["sigmoid", "tanh"]);
        let probe = Probe::new(self.clone(), operands, accuracy().0)
            .along_all(0..operands[1].shape.rank() - 1);
        Some(kernel(file, by as u32, rows, each, compute, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let flops = if self.by == By::Gates { 6.0 } else { 9.0 };
        Cost::elementwise(flops, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |by, outer: &[usize], h: usize| {
            let meta = |width: usize| Meta::new([outer, &[width]].concat(), DType::F32);
            let operands = [meta(GATES * h), meta(h), meta(h), meta(h), meta(h)];
            let (bound, reason) = accuracy();
            Sample::new(LstmCellGrad { by }, operands).bound(bound, reason)
        };
        let both = |by| {
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
        with_halves([both(By::Gates), both(By::Cell)].concat(), &[""])
    }
}

/// Computes one row w.r.t. the pre-activations.
fn by_gates(gates: &[f32], states: [&[f32]; 4], out: &mut [f32]) {
    // Here the loop is one function, which is compiled for each instruction set.
    pulp::Arch::new().dispatch(|| {
        let h = out.len() / GATES;
        let [i, f, g, o] = slices(gates, h);
        let [cell, next, hidden_ct, cell_ct] = states.map(|state| &state[..h]);
        let (ifs, gos) = out.split_at_mut(2 * h);
        let ((di, df), (dg, d_o)) = (ifs.split_at_mut(h), gos.split_at_mut(h));
        let (df, d_o) = (&mut df[..h], &mut d_o[..h]);
        for k in 0..h {
            let [i, f, o] = [i[k], f[k], o[k]].map(math::sigmoid);
            let [g, t] = [g[k], next[k]].map(math::tanh);
            let d = cell_ct[k] + hidden_ct[k] * o * (1.0 - t * t);
            di[k] = d * g * (i * (1.0 - i));
            df[k] = d * cell[k] * (f * (1.0 - f));
            dg[k] = d * i * (1.0 - g * g);
            d_o[k] = hidden_ct[k] * t * (o * (1.0 - o));
        }
    });
}

/// Computes one row w.r.t. the previous cell.
fn by_cell(gates: &[f32], states: [&[f32]; 4], out: &mut [f32]) {
    pulp::Arch::new().dispatch(|| {
        let h = out.len();
        let [_, f, _, o] = slices::<GATES>(gates, h);
        let [_, next, hidden_ct, cell_ct] = states.map(|state| &state[..h]);
        for k in 0..h {
            let [f, o] = [f[k], o[k]].map(math::sigmoid);
            let t = math::tanh(next[k]);
            out[k] = (cell_ct[k] + hidden_ct[k] * o * (1.0 - t * t)) * f;
        }
    });
}
