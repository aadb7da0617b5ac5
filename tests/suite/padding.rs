//! What padding holds reaches no result and no derivative: sequences past their lengths, keys that
//! are hidden, and rows that a loss ignores.

use crate::device;
use wgrad::{
    Array, AttentionOptions, DType, Device, Error, Feed, Graph, Reduction, Tensor, Variables,
    autodiff,
    nn::{CrossEntropy, Mode, Recurrent, Reset, Scope, State},
};

const STUFFINGS: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];

/// Every device there is.
fn devices() -> Vec<Device> {
    [Device::Reference, Device::cpu()].into_iter().chain(device::gpu()).collect()
}

/// Numbers between -1 and 1.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|k| ((k * 37 + 11) % 64) as f32 / 32.0 - 1.0).collect()
}

/// The results of `build`, bit for bit, where the input "x" of this shape holds `stuffing` at the
/// places that are padding.
struct Case<'a> {
    shape: &'a [usize],
    is_padding: &'a dyn Fn(usize) -> bool,
    others: &'a [(&'a str, Array)],
    build: &'a dyn for<'g> Fn(&'g Graph, Tensor<'g>) -> Vec<Tensor<'g>>,
}

impl Case<'_> {
    /// Fails unless every stuffing gives what 0 gives, and nothing that is not finite.
    fn check(&self, label: &str) -> Result<(), Error> {
        let graph = Graph::new();
        let x = graph.input("x", self.shape, DType::F32);
        let outputs = (self.build)(&graph, x);
        for device in devices() {
            let program = graph.compile_pure(&device, &outputs)?;
            let run = |stuffing: f32| {
                let mut data = numbers(self.shape.iter().product());
                for (place, x) in data.iter_mut().enumerate() {
                    if (self.is_padding)(place) {
                        *x = stuffing;
                    }
                }
                let x = Array::new(self.shape, &data)?;
                let mut inputs: Vec<(&str, &dyn Feed)> = vec![("x", &x)];
                inputs.extend(self.others.iter().map(|(name, array)| (*name, array as &dyn Feed)));
                let run = program.run(&Variables::new(5), &inputs)?;
                (0..outputs.len()).map(|k| run.read_blocking(k)).collect::<Result<Vec<_>, Error>>()
            };
            let expected = run(0.0)?;
            for (output, array) in expected.iter().enumerate() {
                let finite = array.to_f64().iter().all(|x| x.is_finite());
                assert!(finite, "{label}, output {output} on {}: {array:?}", device.name());
            }
            for stuffing in STUFFINGS {
                for (output, (got, expected)) in run(stuffing)?.iter().zip(&expected).enumerate() {
                    assert_eq!(
                        got.words(),
                        expected.words(),
                        "{label}, output {output}, padding of {stuffing} on {}",
                        device.name()
                    );
                }
            }
        }
        Ok(())
    }
}

/// First derivatives of a loss by all of these, and the derivative by `x` of the sum of squares of the
/// first.
fn derivatives<'g>(loss: Tensor<'g>, x: Tensor<'g>, by: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
    let mut all = autodiff::grad(loss, by);
    let squares = all.iter().map(|g| (*g * *g).sum(..)).reduce(|sum, next| sum + next);
    if let Some(squares) = squares {
        all.extend(autodiff::grad(squares, &[x]));
    }
    all
}

/// Outputs and final states of a layer from given states, and the derivatives of a sum of both by
/// the input, the states and the parameters.
fn of_sequences<'g>(
    layer: &Recurrent,
    states: usize,
    graph: &'g Graph,
    x: Tensor<'g>,
) -> Vec<Tensor<'g>> {
    let lengths = graph.input("lengths", [x.dim(0)], DType::U32);
    let begin = graph.input("begin", [states, x.dim(0), 3], DType::F32);
    let mut cx = Scope::new(graph, Mode::Train);
    let from = State { hidden: begin, cell: Some(begin * 0.5) };
    let (y, state) = layer.run(&mut cx, x, Some(from), Some(lengths));
    let mut loss = varied(y) + varied(state.hidden);
    if let Some(cell) = state.cell {
        loss = loss + varied(cell);
    }
    let mut by = vec![x, begin];
    by.extend(cx.params().into_iter().map(|(_, parameter)| parameter));
    [vec![y, state.hidden], derivatives(loss, x, &by)].concat()
}

/// A sum of squares in which no two elements weigh the same.
fn varied<'g>(x: Tensor<'g>) -> Tensor<'g> {
    let len = x.shape().len();
    let weight = x.graph().iota([len], 0, DType::F32) / len as f32 + 0.5;
    let flat = x.reshape([len]);
    (flat * flat * weight).sum(..)
}

/// Every recurrent layer, in one direction and in both, of one layer and of two, from a given state,
/// over sequences of no step, of one, of some and of all.
#[test]
fn sequences_end_at_their_lengths() -> Result<(), Error> {
    const LENGTHS: [u32; 4] = [0, 1, 2, 3];
    let cells = [
        ("elman", Recurrent::elman(3)),
        ("elman, relu", Recurrent::elman(3).relu()),
        ("lstm", Recurrent::lstm(3)),
        ("gru", Recurrent::gru(3)),
        ("gru, reset before", Recurrent::gru(3).reset(Reset::BeforeProduct)),
    ];
    let (n, steps, inputs) = (4, 3, 2);
    let lengths = ("lengths", Array::new([n], &LENGTHS)?);
    let mut count = 0;
    for (name, cell) in cells {
        for (layers, both) in [(1, false), (1, true), (2, false), (2, true)] {
            let layer = cell.clone().layers(layers);
            let layer = if both { layer.bidirectional() } else { layer };
            let states = layers * (1 + usize::from(both));
            let begin = Array::new([states, n, 3], &numbers(states * n * 3))?;
            Case {
                shape: &[n, steps, inputs],
                is_padding: &|place| {
                    let (row, step) = (place / (steps * inputs), place / inputs % steps);
                    step >= LENGTHS[row] as usize
                },
                others: &[lengths.clone(), ("begin", begin)],
                build: &|graph, x| of_sequences(&layer, states, graph, x),
            }
            .check(&format!("{name}, {layers} layers, both ways: {both}"))?;
            count += 1;
        }
    }
    assert_eq!(count, 20);
    Ok(())
}

/// Keys and values that a mask hides from all queries: by their lengths, by booleans and by negative
/// infinities, with heads that share them, in vectors that the kernels hold and in wider ones.
#[test]
fn hidden_keys_do_not_matter() -> Result<(), Error> {
    const LENGTHS: [u32; 2] = [2, 3];
    let (n, shared, s) = (2, 2, 4);
    let lengths = ("lengths", Array::new([n], &LENGTHS)?);
    let mut count = 0;
    for heads in [2, 4] {
        for width in [3, 130] {
            for kind in ["lengths", "pairs", "numbers", "causal"] {
                for dropout in [0.0, 0.4] {
                    let with = Attends { heads, kind, dropout };
                    Case {
                        shape: &[n, shared, s, width],
                        is_padding: &|place| {
                            let (row, key) = (place / (shared * s * width), place / width % s);
                            match kind {
                                // Only as many queries as hide the last key.
                                "causal" => key >= 3,
                                _ => key >= LENGTHS[row] as usize,
                            }
                        },
                        others: if kind == "causal" { &[] } else { std::slice::from_ref(&lengths) },
                        build: &|graph, x| with.build(graph, x),
                    }
                    .check(&format!("{heads} heads of width {width}, {kind}, dropout {dropout}"))?;
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 32);
    Ok(())
}

/// Attention to the keys and values of a test.
struct Attends {
    heads: usize,
    kind: &'static str,
    dropout: f64,
}

impl Attends {
    fn build<'g>(&self, graph: &'g Graph, x: Tensor<'g>) -> Vec<Tensor<'g>> {
        let &[n, _, s, width] = x.shape().dims() else { unreachable!("four axes") };
        let t = 3;
        let queries = [n, self.heads, t, width];
        let len = queries.iter().product::<usize>();
        let q = (graph.iota([len], 0, DType::F32) * 0.7).sin().reshape(queries);
        let sees = || graph.input("lengths", [n], DType::U32).key_padding(s);
        // The first query sees nothing.
        let pairs = || {
            let query = graph.iota([n, 1, t, s], -2, DType::U32);
            sees().broadcast_to([n, 1, t, s]).and(query.greater(0u32))
        };
        let mask = match self.kind {
            "lengths" => Some(sees()),
            "pairs" => Some(pairs()),
            "numbers" => {
                let bias = graph.iota([n, 1, t, s], -1, DType::F32) * 0.25;
                Some(pairs().select(bias, bias.full_like(f64::NEG_INFINITY)))
            }
            _ => None,
        };
        let causal = self.kind == "causal";
        let options = AttentionOptions { mask, causal, dropout: self.dropout, scale: None };
        let y = q.attention(x, x * 0.5, options);
        [vec![y], derivatives(varied(y), x, &[x])].concat()
    }
}

/// Rows of a label that is ignored.
#[test]
fn ignored_rows_do_not_matter() -> Result<(), Error> {
    const LABELS: [u32; 4] = [2, 9, 0, 9];
    let labels = [("labels", Array::new([4], &LABELS)?)];
    for (smoothing, weighted, logarithms) in
        [(0.0, false, false), (0.1, false, false), (0.0, true, false), (0.1, true, true)]
    {
        Case {
            shape: &[4, 3],
            is_padding: &|place| LABELS[place / 3] == 9,
            others: &labels,
            build: &|graph, x| {
                let labels = graph.input("labels", [4], DType::U32);
                let loss = CrossEntropy::new().smoothing(smoothing).ignoring(9);
                let loss = if logarithms { loss.of_logarithms() } else { loss };
                let loss = match weighted {
                    true => loss.weights(graph.iota([3], 0, DType::F32) + 0.5),
                    false => loss,
                };
                let each = loss.reduction(Reduction::None).loss(x, labels);
                [vec![each], derivatives(loss.loss(x, labels), x, &[x])].concat()
            },
        }
        .check(&format!("smoothing {smoothing}, weights {weighted}, logarithms {logarithms}"))?;
    }
    Ok(())
}

/// Steps past the lengths of connectionist temporal classification.
#[test]
fn steps_past_the_end_do_not_matter_to_ctc() -> Result<(), Error> {
    const LENGTHS: [u32; 3] = [4, 2, 1];
    let (steps, n, classes) = (4, 3, 3);
    Case {
        shape: &[steps, n, classes],
        is_padding: &|place| place / (n * classes) >= LENGTHS[place / classes % n] as usize,
        others: &[
            ("targets", Array::new([n, 2], &[1u32, 2, 2, 0, 1, 0])?),
            ("lengths", Array::new([n], &LENGTHS)?),
            ("target_lengths", Array::new([n], &[2u32, 1, 1])?),
        ],
        build: &|graph, x| {
            let targets = graph.input("targets", [n, 2], DType::U32);
            let [lengths, target_lengths] =
                ["lengths", "target_lengths"].map(|name| graph.input(name, [n], DType::U32));
            let each = x.ctc(targets, lengths, target_lengths, 0, Reduction::None);
            [vec![each], derivatives(each.sum(..), x, &[x])].concat()
        },
    }
    .check("ctc")
}
