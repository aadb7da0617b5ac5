//! Indices out of range that the host can see.

use wgrad::{
    Array, DType, Device, Error, Feed, Graph, GraphError, OpError, RunError, Tensor, Variables,
    nn::{Embedding, Mode, Module, Scope},
};

/// `W[x]` for seven symbols, with the indices arranged in some ways that move no element away.
fn chosen<'g>(graph: &'g Graph, x: Tensor<'g>) -> Tensor<'g> {
    let mut cx = Scope::new(graph, Mode::Train);
    let x = x.t().flip(0).unsqueeze(0);
    Embedding::new(7, 3).forward(&mut cx, x)
}

#[test]
fn an_input_is_looked_at() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let x = graph.input("x", [2, 3], DType::U32);
        // The least of the extents counts.
        let other = graph.full([9], DType::F32, 1.0).index_select(x, 0);
        let program = graph.compile(&device, &[chosen(&graph, x).sum(..), other])?;
        let variables = Variables::new(0);
        let run = |indices: [u32; 6]| -> Result<_, Error> {
            let indices = Array::new([2, 3], &indices)?;
            program.run(&variables, &[("x", &indices as &dyn Feed)])
        };
        run([0, 1, 2, 6, 4, 5])?;
        let Err(Error::Run(error)) = run([0, 1, 2, 6, 7, u32::MAX]) else {
            unreachable!("7 is no symbol")
        };
        let (name, index, position, extent) = ("x".to_owned(), 7, 4, 7);
        assert_eq!(error, RunError::IndexOutOfRange { name, index, position, extent });
        let text = "input \"x\" holds 7 at position 4, where numbers below 7 are expected";
        assert_eq!(error.to_string(), text);
    }
    Ok(())
}

#[test]
fn a_constant_is_refused() {
    let graph = Graph::new();
    let x = graph.full([4, 3], DType::F32, 1.0);
    x.index_select(graph.full([2], DType::U32, 3.0).unsqueeze(0), 0);
    assert!(graph.check().is_ok());
    x.scatter_add(graph.full([4], DType::U32, 5.0), 0, 5);
    let Err(GraphError::Op { op: "scatter_add", reason, .. }) = graph.check() else {
        unreachable!("5 does not lie in an extent of 5")
    };
    assert_eq!(reason, OpError::Index { index: 5, extent: 5 });
}

/// The host cannot check indices that a device computes: one out of range gives 0 there.
#[test]
fn a_computed_index_is_none_of_the_hosts_business() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let x = graph.input("x", [3], DType::U32);
        let table = graph.iota([4], 0, DType::F32) + 1.0;
        let indices = Array::new([3], &[0u32, 3, 4])?;
        let y = table.index_select(x * 1u32, 0).eval(&device, &[("x", &indices)])?;
        assert_eq!(y.to_f64(), [1.0, 4.0, 0.0]);
    }
    Ok(())
}
