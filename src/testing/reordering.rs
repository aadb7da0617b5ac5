//! Definitions must survive a compiler that reorders the factors of a product, as NVIDIA's does: a
//! product of three that is finite in one order and overflows in another is not portable.

use super::{evaluate, samples};
use crate::{
    Graph,
    error::Error,
    graph::{NodeId, Tensor},
    ops::{
        Op,
        binary::{Binary, BinaryFn},
    },
};

/// Whether a value is 0 or infinite in f32.
fn is_lost(x: f64) -> bool {
    matches!(x as f32, y if y == 0.0 || y.is_infinite())
}

fn factors(op: &Op, inputs: &[NodeId]) -> Option<[NodeId; 2]> {
    match (op, inputs) {
        (Op::Binary(Binary(BinaryFn::Mul)), &[a, b]) => Some([a, b]),
        _ => None,
    }
}

#[test]
fn products_may_be_reordered() -> Result<(), Error> {
    let (mut products, mut lost) = (0, Vec::new());
    for sample in samples() {
        let graph = Graph::new();
        sample.build(&graph);
        graph.check()?;
        let operands = sample.values();
        let ids: Vec<NodeId> = (0..graph.len() as u32).map(NodeId).collect();
        let nodes: Vec<_> = ids.iter().map(|&id| Tensor { graph: &graph, id }).collect();
        let names: Vec<String> = (0..operands.len()).map(|k| k.to_string()).collect();
        let inputs: Vec<_> = names.iter().map(String::as_str).zip(&operands).collect();
        let values = evaluate(&graph, &nodes, &inputs)?;
        for &id in &ids {
            let node = graph.node(id);
            let Some([a, b]) = factors(&node.op, &node.inputs) else { continue };
            for (inner, outer) in [(a, b), (b, a)] {
                let inner = graph.node(inner);
                let Some([c, d]) = factors(&inner.op, &inner.inputs) else { continue };
                for (first, second) in [(c, d), (d, c)] {
                    let [product, outer, first, second] =
                        [id, outer, first, second].map(|id| &values[id.index()].data);
                    let finite = [product, outer, first, second];
                    for k in 0..product.len() {
                        let is_plain = finite.iter().all(|x| !x[k].is_nan() && !is_lost(x[k]));
                        products += 1;
                        if is_plain && is_lost(outer[k] * first[k]) {
                            lost.push(format!("{sample}: {:e} x {:e}", outer[k], first[k]));
                        }
                    }
                }
            }
        }
    }
    assert!(products > 100, "only {products} products");
    assert!(lost.is_empty(), "{} of {products}:\n{}", lost.len(), lost.join("\n"));
    Ok(())
}
