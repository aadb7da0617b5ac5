//! Labels and indices out of range: an error wherever the host can see them, also in programs of
//! derivatives only; on a device, losses are NaN.

use crate::device;
use wgrad::{
    Array,
    DType::{F32, I32, U32},
    Device, Error, Feed, GaussianNll, Graph, GraphError, Init, OpError, PoissonNll, Reduction,
    RunError, Tensor, Variables,
    autodiff::grad,
    nn::{self, CrossEntropy},
};

/// Number of labels.
const ROWS: usize = 6;
/// Number of classes, or extent of an axis.
const CLASSES: usize = 5;

/// A function of labels `[ROWS]`.
struct Function {
    name: &'static str,
    /// The shape of its other operand.
    shape: &'static [usize],
    is_loss: bool,
    build: for<'g> fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
}

/// Every function of labels or indices.
fn functions() -> Vec<Function> {
    const LOGITS: &[usize] = &[ROWS, CLASSES];
    let loss = |name, build| Function { name, shape: LOGITS, is_loss: true, build };
    let function = |name, shape, build| Function { name, shape, is_loss: false, build };
    vec![
        loss("cross_entropy", |x, t| x.cross_entropy(t, -1, Reduction::None)),
        loss("nn::cross_entropy", nn::cross_entropy),
        loss("mean", |x, t| CrossEntropy::new().loss(x, t)),
        loss("sum", |x, t| CrossEntropy::new().reduction(Reduction::Sum).loss(x, t)),
        loss("smoothing", |x, t| {
            CrossEntropy::new().smoothing(0.1).reduction(Reduction::None).loss(x, t)
        }),
        loss("ignoring a class", |x, t| CrossEntropy::new().ignoring(4).loss(x, t)),
        loss("ignoring no class", |x, t| CrossEntropy::new().ignoring(9).loss(x, t)),
        loss("weights", |x, t| {
            let weights = x.graph().iota([CLASSES], 0, F32) + 1.0;
            CrossEntropy::new().weights(weights).ignoring(9).loss(x, t)
        }),
        loss("of_logarithms", |x, t| CrossEntropy::new().of_logarithms().loss(x, t)),
        loss("multi_margin", |x, t| x.multi_margin(t, -1, 1.0, 1, Reduction::None)),
        loss("negative_log_likelihood", |x, t| x.negative_log_likelihood(t, -1, Reduction::None)),
        Function {
            shape: &[3, ROWS, CLASSES],
            ..loss("ctc", |x, t| {
                let [lengths, ones] = [3.0, 1.0].map(|n| x.graph().full([ROWS], U32, n));
                x.log_softmax(-1).ctc(t.unsqueeze(-1), lengths, ones, 4, Reduction::None)
            })
        },
        function("index_select", &[CLASSES, 2], |x, t| x.index_select(t, 0)),
        function("take_along_axis", LOGITS, |x, t| x.take_along_axis(t.unsqueeze(-1), -1)),
        function("scatter_add", &[ROWS], |x, t| x.scatter_add(t, 0, CLASSES)),
        function("gather_nd", &[CLASSES, 2], |x, t| x.gather_nd(t.unsqueeze(-1))),
        function("scatter_nd", &[CLASSES], |x, t| {
            let updates = x.slice(0, ..1).broadcast_to([ROWS]);
            x.scatter_nd(t.unsqueeze(-1), updates)
        }),
        function("one_hot", LOGITS, |x, t| x * t.one_hot(CLASSES)),
    ]
}

/// A way for labels to move from an input `x` to `[ROWS]`.
struct Path {
    name: &'static str,
    shape: &'static [usize],
    build: for<'g> fn(&'g Graph, Tensor<'g>) -> Tensor<'g>,
    /// Positions of labels, and of what is cut off.
    reached: &'static [usize],
    skipped: &'static [usize],
}

fn paths() -> Vec<Path> {
    let path = |name, shape, build, reached, skipped| Path { name, shape, build, reached, skipped };
    vec![
        path("nothing", &[6], |_, x| x, &[0, 5], &[]),
        path("reshape", &[2, 3], |_, x| x.reshape([6]), &[0, 4], &[]),
        path("flip", &[6], |_, x| x.flip(0), &[0, 5], &[]),
        path("transpose", &[2, 3], |_, x| x.t().reshape([6]), &[1, 5], &[]),
        path("broadcast", &[1, 3], |_, x| x.broadcast_to([2, 3]).reshape([6]), &[2], &[]),
        path("detach", &[6], |_, x| x.detach(), &[3], &[]),
        path("slice", &[2, 9], |_, x| x.slice(1, 3..6).reshape([6]), &[3, 14], &[2, 6, 17]),
        path("steps", &[12], |_, x| x.slice_step(0, 1.., 2), &[1, 11], &[0, 10]),
        path("flip, then slice", &[8], |_, x| x.flip(0).slice(0, ..6), &[7, 2], &[0, 1]),
        path("pad", &[4], |_, x| x.pad([(1, 1)], 3.0), &[0, 3], &[]),
        path(
            "concat",
            &[4],
            |g, x| g.concat(&[g.full([1], U32, 3.0), x, g.input("y", [1], U32)], 0),
            &[0, 3],
            &[],
        ),
        path(
            "slices, stacked",
            &[4, 3],
            |g, x| {
                let column = |at: usize| x.slice(1, at..at + 1).squeeze(1).slice(0, 1..);
                g.stack(&[column(2), column(0)], 0).reshape([6])
            },
            &[3, 5, 11],
            &[0, 2, 4, 10],
        ),
    ]
}

/// Runs a program on labels `x` that are 1, and this one.
fn run(program: &wgrad::Program, shape: &[usize], at: usize, label: u32) -> Result<(), Error> {
    let mut labels = vec![1u32; shape.iter().product()];
    labels[at] = label;
    let (x, y) = (Array::new(shape, &labels)?, Array::new([1], &[1u32])?);
    let all: [(&str, &dyn Feed); 2] = [("x", &x), ("y", &y)];
    let named = |name: &str| program.inputs().iter().any(|(known, _)| known == name);
    let inputs: Vec<_> = all.into_iter().filter(|(name, _)| named(name)).collect();
    program.run(&Variables::new(0), &inputs).map(drop)
}

/// Labels from 1 to 5 of 5 classes, and PyTorch's -100, on every path to every function.
#[test]
fn labels_are_looked_at_wherever_they_come_from() -> Result<(), Error> {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for Function { name, shape, build, .. } in functions() {
        for path in paths() {
            let graph = Graph::new();
            let x = graph.variable("w", shape, F32, Init::Constant(-1.0));
            let y = build(x, (path.build)(&graph, graph.input("x", path.shape, U32)));
            let derivative = grad(y.sum(..), &[x])[0];
            for (what, outputs) in [
                ("value", vec![y]),
                ("derivative", vec![derivative]),
                ("both", vec![y, derivative]),
            ] {
                let program = graph.compile(&Device::Reference, &outputs)?;
                // Derivatives of sums need no labels.
                if program.inputs().is_empty() {
                    continue;
                }
                for label in [CLASSES as u32, -100i32 as u32] {
                    for &at in path.reached {
                        tried += 1;
                        let expected = RunError::IndexOutOfRange {
                            name: "x".to_owned(),
                            index: label.into(),
                            position: at,
                            extent: CLASSES,
                        };
                        match run(&program, path.shape, at, label) {
                            Err(Error::Run(error)) if error == expected => {}
                            other => wrong.push(format!(
                                "{what} of {name} by {}, {label} at {at}: {other:?}",
                                path.name
                            )),
                        }
                    }
                    for &at in path.skipped {
                        tried += 1;
                        if let Err(error) = run(&program, path.shape, at, label) {
                            wrong.push(format!("{name} by {}, unread {at}: {error}", path.name));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 1000, "{tried} runs");
    Ok(())
}

/// The ignored label, and what connectionist temporal classification does not read.
#[test]
fn labels_that_do_not_count_may_be_anything() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.variable("w", [ROWS, CLASSES], F32, Init::Ones);
    let labels = graph.input("x", [2, 9], U32).slice(1, 3..6).reshape([6]);
    let loss = CrossEntropy::new().ignoring(-100i32 as u32).loss(x, labels);
    let program = graph.compile(&Device::cpu(), &[loss])?;
    run(&program, &[2, 9], 4, -100i32 as u32)?;
    assert!(run(&program, &[2, 9], 4, -101i32 as u32).is_err());

    let graph = Graph::new();
    let odds = graph.variable("w", [4, 2, CLASSES], F32, Init::Constant(-1.0));
    let of = |name: &str| graph.input(name, [2], U32);
    let targets = graph.input("targets", [2, 3], U32);
    let loss = odds.ctc(targets, of("lengths"), of("target_lengths"), 0, Reduction::None);
    let program = graph.compile(&Device::cpu(), &[loss])?;
    let run = |targets: [u32; 6], lengths: [u32; 2], target_lengths: [u32; 2]| {
        let (lengths, target_lengths) =
            (Array::new([2], &lengths)?, Array::new([2], &target_lengths)?);
        program
            .run(
                &Variables::new(0),
                &[
                    ("targets", &Array::new([2, 3], &targets)? as &dyn Feed),
                    ("lengths", &lengths),
                    ("target_lengths", &target_lengths),
                ],
            )
            .map(drop)
    };
    let name = |result: Result<(), Error>| match result {
        Err(Error::Run(RunError::IndexOutOfRange { name, index, position, extent })) => {
            format!("{name} {position}: {index} of {extent}")
        }
        other => format!("{other:?}"),
    };
    const PADDED: [u32; 6] = [1, 2, 99, 4, 77, u32::MAX];
    assert_eq!(name(run(PADDED, [4, 3], [2, 1])), "Ok(())");
    assert_eq!(name(run(PADDED, [4, 3], [2, 2])), "targets 4: 77 of 5");
    assert_eq!(name(run(PADDED, [4, 5], [2, 1])), "lengths 1: 5 of 5");
    assert_eq!(name(run(PADDED, [4, 4], [4, 1])), "target_lengths 0: 4 of 4");
    Ok(())
}

/// Labels of i32, as they come from other frameworks: a cast would make 0 of a negative one.
#[test]
fn negative_labels_are_looked_at_before_they_are_cast() -> Result<(), Error> {
    for ignored in [None, Some(-100i32 as u32)] {
        for is_sliced in [false, true] {
            let graph = Graph::new();
            let x = graph.variable("w", [ROWS, CLASSES], F32, Init::Ones);
            let input = graph.input("x", [ROWS + 1], I32);
            let labels = if is_sliced { input.slice(0, 1..) } else { input.slice(0, ..ROWS) };
            let loss =
                ignored.map_or(CrossEntropy::new(), |label| CrossEntropy::new().ignoring(label));
            let program = graph.compile(&Device::cpu(), &[loss.loss(x, labels.cast(U32))])?;
            let run = |labels: [i32; ROWS + 1]| {
                let labels = Array::new([ROWS + 1], &labels)?;
                program.run(&Variables::new(0), &[("x", &labels as &dyn Feed)]).map(drop)
            };
            run([0, 1, 2, 3, 4, 0, 1])?;
            let Err(Error::Run(error)) = run([0, 1, -100, 3, 4, 0, 1]) else {
                unreachable!("-100 is no class")
            };
            let text = "input \"x\" holds -100 at position 2, where numbers below 5 are expected";
            assert_eq!(error.to_string(), text);
        }
    }
    Ok(())
}

/// Where only the device knows a label, the loss is NaN.
#[test]
fn losses_of_labels_out_of_range_are_nan_on_cpu_and_gpu() -> Result<(), Error> {
    let devices = [Device::Reference, Device::cpu()].into_iter().chain(device::gpu());
    let mut wrong = Vec::new();
    for device in devices {
        for Function { name, shape, build, is_loss } in functions() {
            if !is_loss {
                continue;
            }
            let graph = Graph::new();
            let x = graph.variable("w", shape, F32, Init::Constant(-1.0));
            let y = build(x, graph.input("x", [ROWS], U32) * 1u32);
            let outputs = [y, y.sum(..), grad(y.sum(..), &[x])[0]];
            let program = graph.compile(&device, &outputs)?;
            let labels = Array::new([ROWS], &[1, 0, 5, 1, 2, u32::MAX])?;
            let results = program.run(&Variables::new(0), &[("x", &labels)])?;
            let [y, sum, derivative] = [0, 1, 2].map(|k| results.read_blocking(k));
            let (y, sum, derivative) = (y?.to_f64(), sum?.to_f64(), derivative?.to_f64());
            let is_bad = |row: usize| row == 2 || row == 5;
            let rows_are_right =
                y.len() != ROWS || y.iter().enumerate().all(|(row, y)| y.is_nan() == is_bad(row));
            // Of logits `[.., ROWS, CLASSES]`. A gather drops the derivative of what is out of range.
            let has_slopes = ["cross_entropy", "nn::cross_entropy", "ctc"].contains(&name);
            let derivatives_are_right =
                derivative.chunks(CLASSES).enumerate().all(|(at, slopes)| {
                    slopes.iter().any(|slope| slope.is_nan()) == (has_slopes && is_bad(at % ROWS))
                });
            if !rows_are_right || !sum[0].is_nan() || !derivatives_are_right {
                wrong.push(format!("{} on {}: {y:?}, {derivative:?}", name, device.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn constant_labels_are_refused_while_the_graph_is_built() -> Result<(), Error> {
    let mut wrong = Vec::new();
    for Function { name, shape, build, .. } in functions() {
        for (is_moved, is_right) in [(false, false), (true, false), (true, true)] {
            let graph = Graph::new();
            let x = graph.variable("w", shape, F32, Init::Ones);
            let label = if is_right { 3.0 } else { 7.0 };
            let labels = match is_moved {
                true => graph
                    .concat(&[graph.full([1], U32, label), graph.input("x", [ROWS - 1], U32)], 0),
                false => graph.full([2, 3], U32, label).reshape([ROWS]),
            };
            let y = build(x, labels);
            // A program knows how many labels count, and the function does not.
            let checked = match is_moved || name == "ctc" {
                true => graph.compile(&Device::Reference, &[y]).map(drop),
                false => graph.check().map_err(Error::from),
            };
            let is_refused = matches!(
                checked,
                Err(Error::Graph(GraphError::Op {
                    reason: OpError::Index { index: 7, extent: 5 },
                    ..
                }))
            );
            if is_refused == is_right {
                wrong.push(format!("{name}, moved {is_moved}, right {is_right}: {checked:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Predictions `[n, 1]` and targets `[n]` would be broadcast to `[n, n]`.
#[test]
fn losses_take_targets_of_the_shape_of_predictions() {
    type Loss = for<'g> fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>;
    let losses: [(&str, Loss); 19] = [
        ("mean_squared_error", nn::mean_squared_error),
        ("squared_error", |x, t| x.squared_error(t, Reduction::None)),
        ("absolute_error", |x, t| x.absolute_error(t, Reduction::None)),
        ("huber", |x, t| x.huber(t, 1.0, Reduction::None)),
        ("smooth_l1", |x, t| x.smooth_l1(t, 1.0, Reduction::None)),
        ("binary_cross_entropy_with_logits", |x, t| {
            x.binary_cross_entropy_with_logits(t, Reduction::None)
        }),
        ("weighted_binary_cross_entropy_with_logits", |x, t| {
            x.weighted_binary_cross_entropy_with_logits(t, x.full_like(2.0), Reduction::None)
        }),
        ("binary_cross_entropy", |x, t| x.binary_cross_entropy(t, Reduction::None)),
        ("soft_margin", |x, t| x.soft_margin(t, Reduction::None)),
        ("multilabel_soft_margin", |x, t| x.multilabel_soft_margin(t, Reduction::None)),
        ("hinge_embedding", |x, t| x.hinge_embedding(t, 1.0, Reduction::None)),
        ("margin_ranking", |x, t| x.margin_ranking(x, t, 1.0, Reduction::None)),
        ("poisson_nll", |x, t| x.poisson_nll(t, PoissonNll::default(), Reduction::None)),
        ("gaussian_nll", |x, t| {
            x.gaussian_nll(t, x.full_like(1.0), GaussianNll::default(), Reduction::None)
        }),
        ("kl_divergence", |x, t| x.kl_divergence(t, Reduction::None)),
        ("kl_divergence_of_logarithms", |x, t| x.kl_divergence_of_logarithms(t, Reduction::None)),
        ("hinge", |x, t| x.hinge(t, Reduction::None)),
        ("soft_cross_entropy", |x, t| x.soft_cross_entropy(t, -1, Reduction::None)),
        ("cross_entropy", |x, t| {
            CrossEntropy::new().reduction(Reduction::None).loss_of_probabilities(x, t)
        }),
    ];
    for (name, loss) in losses {
        for (x, target, fits) in [
            (&[4, 1][..], &[4][..], false),
            (&[4], &[4, 1], false),
            (&[4, 3], &[3], false),
            (&[1, 3], &[4, 3], false),
            (&[4, 3], &[1, 1], false),
            (&[4, 3], &[4, 3], true),
            (&[4, 3], &[], true),
        ] {
            let graph = Graph::new();
            let [x, target] =
                [("x", x), ("t", target)].map(|(name, of)| graph.input(name, of, F32));
            loss(x, target);
            match graph.check() {
                Ok(()) => assert!(fits, "{name} of {x:?} and {target:?}"),
                Err(GraphError::Op { op, operands, reason: OpError::Shapes, .. }) if !fits => {
                    assert_eq!((op, operands), (name, vec![x.meta(), target.meta()]));
                }
                Err(error) => unreachable!("{name} of {x:?} and {target:?}: {error}"),
            }
        }
    }
    // So do metrics, by rows.
    let graph = Graph::new();
    let [x, t] = [graph.input("x", [4, 3], F32), graph.input("t", [4, 1], U32)];
    nn::accuracy(x, t);
    assert!(matches!(graph.check(), Err(GraphError::Op { reason: OpError::Shapes, .. })));
    // Targets of the cosine loss are a row each.
    let graph = Graph::new();
    let [x, t] = [[4, 3], [4, 1]].map(|of| graph.input(&format!("{of:?}"), of, F32));
    x.cosine_embedding(x, t, 0.0, Reduction::None);
    assert!(matches!(graph.check(), Err(GraphError::Op { reason: OpError::Shapes, .. })));
}
