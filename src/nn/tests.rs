use super::*;
use crate::{
    dtype::DType,
    error::{Error, GraphError},
    graph::Graph,
    init::Init,
};

/// A layer with a fixed weight shape, independent of its input.
struct Fixed;

impl Module for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let weight = cx.param("weight", [256, 10], Init::HeNormal);
        x.matmul(weight)
    }
}

#[test]
fn a_mistake_names_operands_path_and_line() {
    let net = Sequential::new()
        .add(Sequential::new().add(Dense::new(400)).add(Activation::relu()).add(Fixed));
    let graph = Graph::new();
    let mut root = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [32, 64], DType::F32);
    let y = net.forward(&mut root.child("net"), x);
    assert_eq!(y.rank(), 0);
    let text = graph.check().expect_err("400 is not 256").to_string();
    let expected = format!(
        "matmul: [32, 400] f32 x [256, 10] f32 in net/0:sequential/2:fixed, made at {}:",
        file!()
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn a_layer_of_the_library_shows_the_line_that_constructed_it() {
    let line = line!() + 1;
    let net = Sequential::new().add(Dense::new(400)).add(Dropout::new(1.5)).add(Dense::new(10));
    let graph = Graph::new();
    let x = graph.input("x", [32, 64], DType::F32);
    net.forward(&mut Scope::new(&graph, Mode::Eval), x);
    let text = graph.check().expect_err("1.5 is no probability").to_string();
    let expected = format!("dropout: [32, 400] f32 in 1:dropout, made at {}:{line} ", file!());
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn two_feature_sizes_cannot_share_a_layer() {
    let net = Dense::new(10);
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    net.forward(&mut cx, graph.input("x", [32, 64], DType::F32));
    net.forward(&mut cx, graph.input("y", [32, 65], DType::F32));
    assert!(matches!(graph.check(), Err(GraphError::Redeclared { name, .. }) if name == "weight"));
}

#[test]
fn scopes_nest_and_end() {
    let graph = Graph::new();
    let mut root = Scope::new(&graph, Mode::Train);
    {
        let mut inner = root.child("a").child("b");
        assert_eq!(inner.path(), "a/b");
        assert_eq!(graph.place().scope, "a/b");
        inner.param("w", [1], Init::Ones);
        inner.variable("state", [1], DType::U32, Init::Zeros);
    }
    root.param("w", [1], Init::Ones);
    root.param("w", [1], Init::Ones);
    let paths: Vec<_> = root.params().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a/b/w", "w"]);
    assert_eq!(graph.place().scope, "");
}

#[test]
fn dropout_keeps_the_mean_and_evaluation_is_the_identity() -> Result<(), Error> {
    let layer = Dropout::new(0.25);
    let eval = |mode| {
        let graph = Graph::new();
        let x = graph.full([64, 64], DType::F32, 1.0);
        let y = layer.forward(&mut Scope::new(&graph, mode), x);
        Ok::<_, Error>(y.eval(&crate::Device::Reference, &[])?.to_f64())
    };
    assert!(eval(Mode::Eval)?.iter().all(|&y| y == 1.0));
    let dropped = eval(Mode::Train)?;
    assert!(dropped.iter().all(|&y| y == 0.0 || (y - 4.0 / 3.0).abs() < 1e-6));
    // The standard error of the mean is sqrt(1/3 / 4096), that is 0.009.
    let mean = dropped.iter().sum::<f64>() / dropped.len() as f64;
    assert!((mean - 1.0).abs() < 0.045, "{mean}");
    Ok(())
}

#[test]
fn losses_are_their_formulas() -> Result<(), Error> {
    let graph = Graph::new();
    let logits = graph.input("logits", [2, 2], DType::F32);
    let labels = graph.input("labels", [2], DType::U32);
    let feeds = (
        crate::Array::new([2, 2], &[0.0f32, 0.0, 0.0, 3.0f32.ln()])?,
        crate::Array::new([2], &[1u32, 0])?,
    );
    let of = |loss: Tensor<'_>| {
        let array =
            loss.eval(&crate::Device::Reference, &[("logits", &feeds.0), ("labels", &feeds.1)])?;
        Ok::<_, Error>(array.to_f64()[0])
    };
    // Rows: -ln(1/2) and -ln(1/4).
    assert!((of(cross_entropy(logits, labels))? - 1.5 * 2f64.ln()).abs() < 1e-6);
    // The first row is a tie, which goes to class 0.
    assert_eq!(of(accuracy(logits, labels))?, 0.0);
    Ok(())
}

#[test]
fn an_embedding_looks_up_and_learns_by_symbol() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [2, 2], DType::U32);
    // A computed index is not checked on the host: 9 yields zeros.
    let y = Embedding::new(4, 3).init(Init::Ones).forward(&mut cx, x * 1u32);
    let weight = cx.params()[0].1;
    let gradient = crate::autodiff::grad((y * 2.0).sum(..), &[weight])[0];
    let program = graph.compile(&crate::Device::cpu(), &[y, gradient])?;
    let symbols = crate::Array::new([2, 2], &[3u32, 0, 3, 9])?;
    let outputs = program.run(&crate::Variables::new(0), &[("x", &symbols)])?;
    let y = outputs.read_blocking(0)?;
    assert_eq!(y.shape().dims(), [2, 2, 3]);
    assert_eq!(y.to_f64(), [[1.0; 3], [1.0; 3], [1.0; 3], [0.0; 3]].concat());
    let expected = [[2.0; 3], [0.0; 3], [0.0; 3], [4.0; 3]].concat();
    assert_eq!(outputs.read_blocking(1)?.to_f64(), expected);
    Ok(())
}
