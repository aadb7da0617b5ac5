//! Derivatives of layers, by their operand and their parameters, against differences in f64.

use wgrad::{
    DType, Error, Init, Meta, Tensor,
    nn::{
        Activation, BatchNorm, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten, GroupNorm,
        InstanceNorm, LayerNorm, LearnedPositions, MaxPool2d, Module, MultiHeadAttention, PRelu,
        Recurrent, RmsNorm, Scope, Sequential, SinusoidalPositions, TransformerLayer,
    },
    testing::{Domain, SLOPE_BOUNDS, layer_slopes},
};

const NOISE: Domain = Domain::Range(-1.0, 1.0);

/// Every layer, by what passes it and by its parameters.
#[test]
fn slopes_of_layers_agree_with_differences() -> Result<(), Error> {
    let layers: Vec<(Box<dyn Module>, &[usize], Domain)> = vec![
        (Box::new(Dense::new(3)), &[4, 5], NOISE),
        (Box::new(Conv2d::new(4, [3, 2]).groups(2).stride([2, 1])), &[2, 4, 6, 5], NOISE),
        (Box::new(ConvTranspose2d::new(2, [3, 3]).stride([2, 2])), &[1, 3, 3, 4], NOISE),
        (Box::new(LayerNorm::new()), &[3, 6], NOISE),
        (Box::new(RmsNorm::new()), &[3, 6], NOISE),
        (Box::new(GroupNorm::new(2)), &[2, 4, 5], NOISE),
        (Box::new(BatchNorm::new()), &[5, 3, 4], NOISE),
        (Box::new(InstanceNorm::new()), &[2, 3, 5], NOISE),
        (Box::new(PRelu::new()), &[2, 3, 4], Domain::Distinct),
        (Box::new(MaxPool2d::new(2)), &[1, 2, 4, 6], Domain::Distinct),
        (Box::new(Dropout::new(0.4)), &[4, 8], NOISE),
        (Box::new(Dense::new(3).weight_norm()), &[4, 5], NOISE),
        (Box::new(Recurrent::elman(3).layers(2).dropout(0.5)), &[2, 3, 4], NOISE),
        (Box::new(Recurrent::lstm(3).bidirectional().last()), &[2, 3, 4], NOISE),
        (Box::new(Recurrent::gru(3)), &[2, 3, 4], NOISE),
        (Box::new(MultiHeadAttention::new(2).dropout(0.5).rotary(10.0)), &[2, 3, 4], NOISE),
        (Box::new(LearnedPositions::new(5)), &[2, 3, 4], NOISE),
        (Box::new(SinusoidalPositions::new()), &[2, 3, 4], NOISE),
        (
            Box::new(TransformerLayer::new(MultiHeadAttention::new(2).causal(), 6).dropout(0.3)),
            &[2, 3, 4],
            NOISE,
        ),
        (
            Box::new(
                Sequential::new()
                    .add(Conv2d::new(3, [3, 3]).same())
                    .add(Activation::tanh())
                    .add(Flatten::new())
                    .add(Dense::new(2))
                    .add(Activation::softmax()),
            ),
            &[2, 2, 3, 3],
            NOISE,
        ),
    ];
    for (layer, shape, domain) in &layers {
        let x = domain.fill(&Meta::new(*shape, DType::F32), 5);
        let [first, second] = layer_slopes(layer.as_ref(), &x)?.expect("it is of floats");
        let name = layer.name();
        assert!(first.error() < SLOPE_BOUNDS[0], "{name}: {first:?}");
        assert!(second.error() < SLOPE_BOUNDS[1], "{name}: {second:?}");
    }
    Ok(())
}

/// A layer that passes no cotangent on to its parameter.
#[test]
fn a_wrong_layer_is_noticed() -> Result<(), Error> {
    struct Forgetful;
    impl Module for Forgetful {
        fn name(&self) -> &str {
            "forgetful"
        }
        fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
            let scale = cx.param("scale", [x.dim(-1)], Init::Ones);
            x * (scale + scale.detach()) * 0.5
        }
    }
    let x = NOISE.fill(&Meta::new([3, 4], DType::F32), 5);
    let [first, _] = layer_slopes(&Forgetful, &x)?.expect("it is of floats");
    assert!(first.error() > 1e-3, "{first:?}");
    Ok(())
}
