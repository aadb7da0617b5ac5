//! Recurrent layers.

use super::{Dropout, Module, Scope};
use crate::{
    dtype::DType, error::OpError, functions::precision::in_f32, graph::Tensor, init::Init,
    numbers::Must,
};
use std::panic::Location;

/// A recurrent network over sequences: Elman, LSTM, or GRU; with several layers, in one direction
/// or in both.
///
/// ```
/// use wgrad::{DType, Graph, nn::{Mode, Module, Recurrent, Scope}};
///
/// let layer = Recurrent::lstm(128).layers(2).bidirectional();
/// let graph = Graph::new();
/// let x = graph.input("x", [32, 20, 64], DType::F32);
/// let y = layer.forward(&mut Scope::new(&graph, Mode::Train), x);
/// assert_eq!(y.shape().dims(), [32, 20, 256]);
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Shapes
///
/// `x` is `[n, steps, inputs]`, `y` `[n, steps, hidden]`, or twice as wide if bidirectional:
/// forward first; with [`time_major`](Self::time_major) both are `[steps, n, ..]`. With
/// [`last`](Self::last), `y` is `[n, hidden]` or `[n, 2 hidden]`. Parameters
/// have the names and layouts of PyTorch: in layer `k`, `weight_ih_lk` is `[gates hidden, inputs]`,
/// `weight_hh_lk` `[gates hidden, hidden]`, `bias_ih_lk` and `bias_hh_lk` `[gates hidden]`; those
/// of the backward direction end in `_reverse`. All are initialized uniformly in
/// `+-1 / sqrt(hidden)`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Rank`] unless `x` has three axes; [`OpError::Empty`] if there
/// are no steps.
///
/// # Source
///
/// Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078.
#[doc(alias = "RNN")]
#[derive(Clone, Debug)]
pub struct Recurrent {
    cell: Cell,
    hidden: usize,
    layers: usize,
    bidirectional: bool,
    bias: bool,
    last: bool,
    time_major: bool,
    dropout: f64,
    line: &'static Location<'static>,
}

/// Position of the reset gate of a GRU.
#[doc(alias = "reset_after")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// After the product with the weight: `r (W h + b)`, as in PyTorch and cuDNN.
    AfterProduct,
    /// Before it: `W (r h) + b`, as in Cho et al. 2014.
    BeforeProduct,
}

/// Type of cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Elman,
    ElmanRelu,
    Lstm,
    Gru(Reset),
}

/// The state of a recurrent network between steps.
///
/// # Shapes
///
/// `[layers directions, n, hidden]`: the directions of a layer are adjacent.
#[derive(Clone, Copy, Debug)]
pub struct State<'g> {
    /// The hidden state of every layer and direction.
    pub hidden: Tensor<'g>,
    /// The cell states, only for LSTM.
    pub cell: Option<Tensor<'g>>,
}

impl Recurrent {
    #[track_caller]
    fn new(cell: Cell, hidden: usize) -> Self {
        let line = Location::caller();
        let (bidirectional, bias, last, time_major) = (false, true, false, false);
        let (layers, dropout) = (1, 0.0);
        Recurrent { cell, hidden, layers, bidirectional, bias, last, time_major, dropout, line }
    }

    /// `h' = tanh(W x + b + U h + c)`
    #[doc(alias = "SimpleRNN")]
    #[track_caller]
    pub fn elman(hidden: usize) -> Self {
        Recurrent::new(Cell::Elman, hidden)
    }

    /// Uses `max(0, .)` instead of the hyperbolic tangent in Elman networks; no effect on others.
    pub fn relu(self) -> Self {
        match self.cell {
            Cell::Elman => Recurrent { cell: Cell::ElmanRelu, ..self },
            _ => self,
        }
    }

    /// Long short-term memory (LSTM): see [`Tensor::lstm_cell`].
    #[doc(alias = "LSTM")]
    #[track_caller]
    pub fn lstm(hidden: usize) -> Self {
        Recurrent::new(Cell::Lstm, hidden)
    }

    /// Gated recurrent unit (GRU): see [`Tensor::gru_cell`].
    #[doc(alias = "GRU")]
    #[track_caller]
    pub fn gru(hidden: usize) -> Self {
        Recurrent::new(Cell::Gru(Reset::AfterProduct), hidden)
    }

    /// Sets the position of the reset gate of a GRU; no effect on others.
    pub fn reset(self, reset: Reset) -> Self {
        match self.cell {
            Cell::Gru(_) => Recurrent { cell: Cell::Gru(reset), ..self },
            _ => self,
        }
    }

    /// Sets the number of layers, each of which reads the states of the previous one.
    #[doc(alias = "num_layers")]
    pub fn layers(self, layers: usize) -> Self {
        Recurrent { layers, ..self }
    }

    /// Adds a second network to each layer, which reads the sequence in reverse.
    pub fn bidirectional(self) -> Self {
        Recurrent { bidirectional: true, ..self }
    }

    /// Drops the outputs between layers with this probability during training.
    pub fn dropout(self, dropout: f64) -> Self {
        Recurrent { dropout, ..self }
    }

    /// Omits the biases.
    pub fn without_bias(self) -> Self {
        Recurrent { bias: false, ..self }
    }

    /// Takes sequences as `[steps, n, inputs]`, and returns states so. PyTorch's layers do by
    /// default; ours and Keras' have the examples first.
    #[doc(alias = "batch_first")]
    pub fn time_major(self) -> Self {
        Recurrent { time_major: true, ..self }
    }

    /// As a [`Module`], returns only the last state of the last layer.
    #[doc(alias = "return_sequences")]
    pub fn last(self) -> Self {
        Recurrent { last: true, ..self }
    }

    /// Runs over sequences from an initial state, 0 by default. Returns the states of the last
    /// layer at all steps, `[n, steps, hidden]` (or `[steps, n, hidden]` if
    /// [`time_major`](Self::time_major)), and the final states of all layers.
    ///
    /// With `lengths`, `[n]` of u32, each sequence ends after that many steps: past the end its
    /// state is kept and its outputs are zeros; in reverse it starts at its end. What `x` holds past
    /// the end does not matter, be it NaN, and gets a derivative of 0.
    pub fn run<'g>(
        &self,
        cx: &mut Scope<'g>,
        x: Tensor<'g>,
        begin: Option<State<'g>>,
        lengths: Option<Tensor<'g>>,
    ) -> (Tensor<'g>, State<'g>) {
        let _line = cx.at(self.line);
        let numbers = [
            ("hidden", self.hidden as f64, Must::BePositive),
            ("layers", self.layers as f64, Must::CountLayers),
            ("dropout", self.dropout, Must::BeFraction),
        ];
        if let Some(refused) = cx.graph().refuse_invalid("recurrent", &[x], &numbers) {
            return (refused, State { hidden: refused, cell: None });
        }
        let graph = cx.graph();
        let fail = |x| (x, State { hidden: x, cell: None });
        if !x.failed() && x.rank() != 3 {
            return fail(graph.refuse("recurrent", &[x], OpError::Rank { least: 3 }));
        }
        let steps = if self.time_major { 0 } else { 1 };
        if !x.failed() && (x.dim(steps) == 0 || self.layers == 0) {
            return fail(graph.refuse("recurrent", &[x], OpError::Empty));
        }
        let directions = if self.bidirectional { 2 } else { 1 };
        // Time-major in memory, so that each step is contiguous.
        let x = cx.cast(x);
        let begin = begin.map(|State { hidden, cell }| State {
            hidden: cx.cast(hidden),
            cell: cell.map(|cell| cx.cast(cell)),
        });
        let mut x = if self.time_major { x } else { x.transpose([1, 0, 2]) };
        if let Some(lengths) = lengths {
            // Before any product, in which a derivative of 0 would meet what the padding holds.
            let step = graph.iota([x.dim(0), 1, 1], 0, DType::U32);
            x = step.less(lengths.unsqueeze(-1)).select(x, x.full_like(0.0));
        }
        let (mut hidden, mut cells) = (Vec::new(), Vec::new());
        for layer in 0..self.layers {
            if layer > 0 {
                x = Dropout::new(self.dropout).forward(cx, x);
            }
            let mut outputs = Vec::new();
            for direction in 0..directions {
                let index = layer * directions + direction;
                let zeros = || graph.full([x.dim(1), self.hidden], x.dtype(), 0.0);
                let part = |all: Tensor<'g>| all.slice(0, index..index + 1).squeeze(0);
                let hidden_before = begin.map_or_else(zeros, |state| part(state.hidden));
                let cell_before = begin.and_then(|state| state.cell).map_or_else(zeros, part);
                let weights = self.weights(cx, x, layer, direction == 1);
                let mut steps: Vec<usize> = (0..x.dim(0)).collect();
                if direction == 1 {
                    steps.reverse();
                }
                let (mut states, last) =
                    self.layer(&weights, x, [hidden_before, cell_before], &steps, lengths);
                if direction == 1 {
                    states.reverse();
                }
                outputs.push(graph.stack(&states, 0));
                hidden.push(last[0]);
                cells.push(last[1]);
            }
            x = graph.concat(&outputs, -1);
        }
        let cell = (self.cell == Cell::Lstm).then(|| graph.stack(&cells, 0));
        let y = if self.time_major { x } else { x.transpose([1, 0, 2]) };
        (y, State { hidden: graph.stack(&hidden, 0), cell })
    }

    /// The parameters of a layer in one direction.
    fn weights<'g>(
        &self,
        cx: &mut Scope<'g>,
        x: Tensor<'g>,
        layer: usize,
        reverse: bool,
    ) -> Weights<'g> {
        let gates = match self.cell {
            Cell::Elman | Cell::ElmanRelu => 1,
            Cell::Lstm => 4,
            Cell::Gru(_) => 3,
        };
        let rows = self.hidden.saturating_mul(gates);
        let width = (self.hidden.max(1) as f64).sqrt().recip();
        let init = Init::Uniform { low: -width, high: width };
        let suffix = if reverse { "_reverse" } else { "" };
        let mut param =
            |name: &str, dims: &[usize]| cx.param(&format!("{name}_l{layer}{suffix}"), dims, init);
        let input = param("weight_ih", &[rows, x.dim(-1)]).rounded_for(x);
        let state = param("weight_hh", &[rows, self.hidden]).rounded_for(x);
        let bias = self.bias.then(|| [param("bias_ih", &[rows]), param("bias_hh", &[rows])]);
        Weights { input, state, bias }
    }

    /// The states after each of the steps, in their order, and the final ones.
    fn layer<'g>(
        &self,
        weights: &Weights<'g>,
        x: Tensor<'g>,
        begin: [Tensor<'g>; 2],
        steps: &[usize],
        lengths: Option<Tensor<'g>>,
    ) -> (Vec<Tensor<'g>>, [Tensor<'g>; 2]) {
        // The contributions of the inputs, for all steps at once.
        let inputs = in_f32("recurrent", [x], |[x]| {
            let y = x.matmul(weights.input.swap_axes(0, 1));
            weights.bias.map_or(y, |[bias, _]| y + bias)
        });
        let mut state = begin;
        let mut outputs = Vec::with_capacity(steps.len());
        for &step in steps {
            let input = inputs.slice(0, step..step + 1).squeeze(0);
            let next = self.step(weights, input, state);
            match lengths {
                None => {
                    outputs.push(next[0]);
                    state = next;
                }
                Some(lengths) => {
                    let lasts = lengths.greater(step as u32).unsqueeze(-1);
                    let stays = |[next, before]: [Tensor<'g>; 2]| {
                        lasts.broadcast_to(next.shape()).select(next, before)
                    };
                    outputs.push(stays([next[0], next[0].full_like(0.0)]));
                    state = [[next[0], state[0]], [next[1], state[1]]].map(stays);
                }
            }
        }
        (outputs, state)
    }

    /// Hidden state and cell state after a step, calculated in f32 and of the type of the input.
    fn step<'g>(
        &self,
        weights: &Weights<'g>,
        input: Tensor<'g>,
        state: [Tensor<'g>; 2],
    ) -> [Tensor<'g>; 2] {
        let next = self.step_in_f32(weights, input.widened(), state.map(Tensor::widened));
        next.map(|next| next.cast(input.dtype()))
    }

    fn step_in_f32<'g>(
        &self,
        weights: &Weights<'g>,
        input: Tensor<'g>,
        [hidden, cell]: [Tensor<'g>; 2],
    ) -> [Tensor<'g>; 2] {
        let product = |x: Tensor<'g>, rows: std::ops::Range<usize>| {
            let y = x.matmul(weights.state.slice(0, rows.clone()).swap_axes(0, 1));
            weights.bias.map_or(y, |[_, bias]| y + bias.slice(0, rows))
        };
        // Beyond what has elements, which is an error above.
        let h = self.hidden.min(i32::MAX as usize / 4);
        match self.cell {
            Cell::Elman => [(input + product(hidden, 0..h)).tanh(), cell],
            Cell::ElmanRelu => [(input + product(hidden, 0..h)).relu(), cell],
            Cell::Lstm => (input + product(hidden, 0..4 * h)).lstm_cell(cell),
            Cell::Gru(Reset::AfterProduct) => {
                [input.gru_cell(product(hidden, 0..3 * h), hidden), cell]
            }
            Cell::Gru(Reset::BeforeProduct) => {
                let [xr, xz, xn] = input.gates("gru_cell", hidden);
                let [sr, sz] = product(hidden, 0..2 * h).gates("gru_cell", hidden);
                let reset = (xr + sr).sigmoid() * hidden;
                let n = (xn + product(reset, 2 * h..3 * h)).tanh();
                [n + (xz + sz).sigmoid() * (hidden - n), cell]
            }
        }
    }
}

/// The parameters of a layer in one direction.
struct Weights<'g> {
    input: Tensor<'g>,
    state: Tensor<'g>,
    /// Added to the contributions of the inputs and of the state.
    bias: Option<[Tensor<'g>; 2]>,
}

impl Module for Recurrent {
    fn name(&self) -> &str {
        match self.cell {
            Cell::Elman | Cell::ElmanRelu => "rnn",
            Cell::Lstm => "lstm",
            Cell::Gru(_) => "gru",
        }
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let (y, state) = self.run(cx, x, None, None);
        if !self.last {
            return y;
        }
        let directions = if self.bidirectional { 2 } else { 1 };
        let all = self.layers * directions;
        let last = state.hidden.slice(0, all - directions..all);
        let examples = if self.time_major { 1 } else { 0 };
        last.transpose([1, 0, 2]).reshape([y.dim(examples), y.dim(-1)])
    }
}
