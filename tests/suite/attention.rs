//! Attention as layers use it: what is dropped, hidden and shared stays within its kernels.

use crate::device;
use wgrad::{
    AttentionOptions, DType, Device, Error, Graph, Init, Variables, autodiff,
    nn::{Mode, Module, MultiHeadAttention, Scope},
    schedule::Plan,
};

/// In evaluation nothing is dropped: the layer is that without dropout.
#[test]
fn evaluation_drops_nothing() -> Result<(), Error> {
    let variables = Variables::new(3);
    let run = |layer: MultiHeadAttention, mode| {
        let graph = Graph::new();
        let x = graph.variable("x", [2, 5, 8], DType::F32, Init::HeNormal);
        let y = layer.forward(&mut Scope::new(&graph, mode).child("net"), x);
        let program = graph.compile(&Device::cpu(), &[y])?;
        Ok::<_, Error>(program.run(&variables, &[])?.read_blocking(0)?.to_f64())
    };
    let layer = || MultiHeadAttention::new(4).key_value_heads(2).causal();
    let plain = run(layer(), Mode::Eval)?;
    assert_eq!(run(layer().dropout(0.5), Mode::Eval)?, plain);
    assert_ne!(run(layer().dropout(0.5), Mode::Train)?, plain);
    Ok(())
}

/// The plan of a loss of attention and of its derivatives, of vectors of this width: with a mask,
/// dropout and shared heads.
fn plan(width: usize) -> Result<String, Error> {
    let graph = Graph::new();
    let input = |name: &str, heads: usize| graph.input(name, [2, heads, 96, width], DType::F32);
    let (q, k, v) = (input("q", 4), input("k", 2), input("v", 2));
    let mask = Some(graph.input("lengths", [2], DType::U32).key_padding(96));
    let options = AttentionOptions { mask, dropout: 0.25, ..Default::default() };
    let loss = q.attention(k, v, options).sum(..);
    let outputs = [&[loss], autodiff::grad(loss, &[q, k, v]).as_slice()].concat();
    let program = graph.compile(&Device::cpu(), &outputs)?;
    Ok(program.plan().map(Plan::to_string).unwrap_or_default())
}

/// No step stores what is as large as all scores, unless vectors are wider than the kernels hold.
#[test]
fn scores_are_not_stored() -> Result<(), Error> {
    let (narrow, wide) = (plan(4)?, plan(130)?);
    // Rows of scores of two examples with four heads.
    assert!(!narrow.contains("[768, 96]") && !narrow.contains("[73728]"), "{narrow}");
    assert!(wide.contains("[768, 96]"), "{wide}");
    Ok(())
}

/// The pass that computes the output writes what the derivatives need of it; forward only, there is
/// nothing else to write.
#[test]
fn derivatives_do_not_repeat_the_forward_pass() -> Result<(), Error> {
    let plan = plan(4)?;
    let steps = |kernel: &str| plan.lines().filter(|line| line.contains(kernel)).count();
    assert_eq!(steps("  attention ["), 1, "{plan}");
    assert_eq!(steps("attention [3072] and [768]"), 1, "{plan}");
    assert_eq!(steps("  attention_grad ["), 3, "{plan}");
    Ok(())
}

/// All devices drop the same weights, and the mean over many stays.
#[test]
fn dropped_weights_are_those_of_the_definition() -> Result<(), Error> {
    let mut all = Vec::new();
    for device in
        [Some(Device::Reference), Some(Device::cpu()), device::gpu()].into_iter().flatten()
    {
        let graph = Graph::new();
        let ones = graph.full([2, 40, 4], DType::F32, 1.0) + graph.iota([4], 0, DType::F32) * 0.0;
        let options = AttentionOptions { dropout: 0.4, ..Default::default() };
        let y = ones.attention(ones, ones, options);
        let program = graph.compile(&device, &[y])?;
        let y = program.run(&Variables::new(7), &[])?.read_blocking(0)?.to_f64();
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        // 3,200 weights: the mean of them has a standard error of 0.014.
        assert!((mean - 1.0).abs() < 0.06, "{mean} on {}", device.name());
        all.push(y);
    }
    for y in &all[1..] {
        assert!(y.iter().zip(&all[0]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    Ok(())
}
