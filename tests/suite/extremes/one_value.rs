//! One value has no variance: normalization in training refuses it, where PyTorch does.

use wgrad::{
    DType, Graph, GraphError, OpError,
    nn::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Mode, Module, RmsNorm, Scope},
};

/// All shapes of 2 to 5 axes of 1 or 2 elements, but one of 4 channels in each.
fn shapes() -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for rank in 2..=5 {
        for bits in 0..1 << (rank - 1) {
            let mut dims: Vec<usize> = (0..rank - 1).map(|k| 1 + (bits >> k & 1)).collect();
            dims.insert(1, 4);
            all.push(dims);
        }
    }
    all
}

/// What a layer says of an input of this shape.
fn said(layer: &dyn Module, mode: Mode, dims: &[usize]) -> Result<(), GraphError> {
    let graph = Graph::new();
    let x = graph.input("x", dims, DType::F32);
    layer.forward(&mut Scope::new(&graph, mode), x);
    graph.check()
}

#[test]
fn one_value_is_refused_in_training() {
    type Rule = fn(examples: usize, pixels: usize) -> usize;
    let (all, apart): (Rule, Rule) = (|n, pixels| n * pixels, |_, pixels| pixels);
    // Layers, how many values are needed to be more than one, and whether in evaluation as well.
    let layers: [(&str, Box<dyn Module>, Rule, bool); 9] = [
        ("batch_norm", Box::new(BatchNorm::new()), all, false),
        ("batch_norm", Box::new(BatchNorm::new().cumulative()), all, false),
        ("batch_norm", Box::new(BatchNorm::new().without_affine()), all, false),
        ("instance_norm", Box::new(InstanceNorm::new().affine()), apart, true),
        ("instance_norm", Box::new(InstanceNorm::new().affine().running(0.1)), apart, false),
        ("group_norm", Box::new(GroupNorm::new(4)), all, true),
        ("group_norm", Box::new(GroupNorm::new(2)), |n, pixels| 2 * n * pixels, true),
        ("layer_norm", Box::new(LayerNorm::new()), |_, _| 2, true),
        ("rms_norm", Box::new(RmsNorm::new()), |_, _| 2, true),
    ];
    let mut refused = 0;
    for dims in shapes() {
        let pixels = dims[2..].iter().product();
        for (name, layer, count, always) in &layers {
            for mode in [Mode::Train, Mode::Eval] {
                let is_one = count(dims[0], pixels) == 1 && (*always || mode == Mode::Train);
                let said = said(layer.as_ref(), mode, &dims);
                let Err(GraphError::Op { op, operands, reason, .. }) = &said else {
                    assert!(!is_one && said == Ok(()), "{name} {mode:?} of {dims:?}: {said:?}");
                    continue;
                };
                assert!(is_one, "{name} {mode:?} of {dims:?}: {said:?}");
                assert_eq!((*op, operands[0].shape.dims()), (*name, &dims[..]));
                assert!(matches!(reason, OpError::Number { is: 1.0, .. }), "{reason}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 44);
}
