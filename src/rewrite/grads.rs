//! Gradients of a layer's weight and bias by one kernel, where both are of the same cotangent.
//!
//! The gradient of a bias is a sum over the cotangent, all of which the kernel of the weight's gradient reads.

use super::pass::{Wanted, keep};
use crate::{
    graph::{Graph, Node, NodeId, Tensor},
    ops::{
        Op,
        convolution::{ConvolutionGrads, ConvolutionWeightGrad},
        grads::GradOf,
        matmul::{LinearGrads, Matmul},
        reduce::{Reduce, ReduceFn},
    },
    shape::{Meta, Shape},
};
use std::collections::HashMap;

/// The gradient of a weight, whose kernel may have that of a bias.
#[derive(Clone)]
enum Weight {
    Dense(Matmul),
    Convolution(ConvolutionWeightGrad),
}

/// The gradients of a layer: that of the weight, the shape of the cotangent, and the other operand.
struct Layer {
    weight: Weight,
    ct: Shape,
    x: NodeId,
    of_x: Shape,
}

/// The gradients of layers that a graph has in pairs.
#[derive(Default)]
pub(super) struct Pairs {
    layers: Vec<Layer>,
    /// The nodes that are replaced: the layer of each, and its replacement.
    members: HashMap<NodeId, (usize, Member)>,
}

/// The replacement of a node.
#[derive(Clone, Copy)]
enum Member {
    /// A gradient by the kernel of both.
    Of(GradOf),
    /// The gradient of a bias by a kernel of its own, with the same bits.
    BiasAlone,
}

impl Weight {
    /// The gradient that a node is, with the positions of its cotangent and of its other operand.
    fn of(op: &Op, operands: [&Meta; 2]) -> Option<(Self, [usize; 2])> {
        match op {
            Op::Matmul(op) if LinearGrads::is_served(op, operands.map(|meta| &meta.shape)) => {
                Some((Weight::Dense(op.clone()), [0, 1]))
            }
            Op::ConvolutionWeightGrad(op) if ConvolutionGrads::is_served(op, operands) => {
                Some((Weight::Convolution(op.clone()), [1, 0]))
            }
            _ => None,
        }
    }

    /// Whether these sums, of a tensor with the elements of the cotangent, are the gradient of the bias.
    fn has_bias(&self, ct: &Meta, sums: &Sums) -> bool {
        let (ct, x) = (ct.shape.dims(), sums.meta.shape.dims());
        // A sum may leave out axes of extent 1.
        let all_but = |kept: usize| {
            (0..x.len()).all(|axis| match sums.axes.contains(&axis) {
                true => axis != kept,
                false => axis == kept || x[axis] == 1,
            })
        };
        match self {
            Weight::Dense(op) if op.transpose_a => x.last() == ct.last() && all_but(x.len() - 1),
            Weight::Dense(_) => x.first() == ct.first() && all_but(0),
            Weight::Convolution(_) => x == ct && all_but(1),
        }
    }

    /// A gradient of the layer, from the cotangent and the other operand.
    fn grad<'g>(&self, ct: Tensor<'g>, x: Tensor<'g>, of: GradOf) -> Tensor<'g> {
        match self.clone() {
            Weight::Dense(weight) => ct.graph.push(LinearGrads { weight, of }, &[ct, x]),
            Weight::Convolution(weight) => ct.graph.push(ConvolutionGrads { weight, of }, &[x, ct]),
        }
    }

    /// The gradient of the bias alone.
    fn bias_alone<'g>(&self, ct: Tensor<'g>, x: &Shape) -> Tensor<'g> {
        match self {
            Weight::Dense(weight) => LinearGrads::bias_alone(weight, ct, x),
            Weight::Convolution(weight) => ConvolutionGrads::bias_alone(weight, ct, x),
        }
    }
}

/// Sums of a tensor.
struct Sums<'a> {
    node: NodeId,
    meta: &'a Meta,
    axes: &'a [usize],
}

impl Pairs {
    /// The pairs of a graph: a gradient of a weight and the first sums that are the bias's. Those that are not
    /// needed count, too, so that bits do not depend on what else is needed.
    pub fn of(wanted: &Wanted<'_>, are_together: bool) -> Self {
        let inner = wanted.graph.inner.borrow();
        let nodes = &inner.nodes;
        let needed = wanted.needed(&inner);
        let meta = |id: NodeId| &nodes[id.index()].meta;
        // The tensor whose elements it has, in the same order.
        let origin = |mut id: NodeId| {
            while let Op::Reshape(_) = nodes[id.index()].op {
                id = nodes[id.index()].inputs[0];
            }
            id
        };
        let mut sums: HashMap<NodeId, Vec<Sums<'_>>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            if let Op::Reduce(Reduce { function: ReduceFn::Sum, axes }) = &node.op {
                let [x] = node.inputs[..] else { continue };
                let of_node = Sums { node: NodeId(index as u32), meta: meta(x), axes };
                sums.entry(origin(x)).or_default().push(of_node);
            }
        }
        let mut pairs = Pairs::default();
        for (index, node) in nodes.iter().enumerate() {
            let [a, b] = node.inputs[..] else { continue };
            let Some((weight, [ct, x])) = Weight::of(&node.op, [meta(a), meta(b)]) else {
                continue;
            };
            let (ct, x) = (node.inputs[ct], node.inputs[x]);
            let Some(of_ct) = sums.get_mut(&origin(ct)) else { continue };
            // The bias's may come before the weight's, but not before what both are made of.
            let fits = |sums: &Sums<'_>| weight.has_bias(meta(ct), sums) && x < sums.node;
            let Some(place) = of_ct.iter().position(fits) else { continue };
            let bias = of_ct.swap_remove(place).node;
            let layer = pairs.layers.len();
            if are_together && needed[index] && needed[bias.index()] {
                let of_weight = Member::Of(GradOf::Weight);
                pairs.members.insert(NodeId(index as u32), (layer, of_weight));
                pairs.members.insert(bias, (layer, Member::Of(GradOf::Bias)));
            } else {
                pairs.members.insert(bias, (layer, Member::BiasAlone));
            }
            let [ct, of_x] = [ct, x].map(|operand| meta(operand).shape.clone());
            pairs.layers.push(Layer { weight, ct, x, of_x });
        }
        pairs
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Replaces both nodes of a pair; `copies` are those of the nodes before this one.
    pub fn rule<'g>(
        &self,
        node: &Node,
        operands: &[Tensor<'g>],
        graph: &'g Graph,
        copies: &[NodeId],
    ) -> Tensor<'g> {
        let Some(&(layer, member)) = self.members.get(&NodeId(copies.len() as u32)) else {
            return keep(node, operands, graph);
        };
        let Layer { weight, ct, x, of_x } = &self.layers[layer];
        let from = match (member, weight) {
            (Member::Of(GradOf::Weight), Weight::Convolution(_)) => operands[1],
            _ => operands[0],
        };
        let ct = from.reshape(ct);
        let grad = match member {
            Member::Of(of) => weight.grad(ct, Tensor { graph, id: copies[x.index()] }, of),
            Member::BiasAlone => weight.bias_alone(ct, of_x),
        };
        grad.reshape(&node.meta.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Precision, autodiff,
        dtype::DType,
        nn::{Conv2d, Dense, Mode, Module, Scope},
        rewrite::{self, Grads, Target},
    };

    /// The operations of these gradients after rewriting that have taken the place of others, as dumps show them.
    fn pairs(graph: &Graph, wanted: &[Tensor<'_>]) -> Vec<String> {
        let ids: Vec<NodeId> = wanted.iter().map(|tensor| tensor.id).collect();
        let target = Target { grads: Grads::Together, ..Target::default() };
        let (rewritten, _) = rewrite::run(graph, &ids, false, target).expect("it is valid");
        let inner = rewritten.inner.borrow();
        let described = inner.nodes.iter().map(|node| node.op.describe());
        let is_new = |text: &String| text.contains("_grads") || text.contains("in_order");
        described.filter(is_new).collect()
    }

    /// Gradients of the parameters of a layer.
    fn gradients<'g>(graph: &'g Graph, layer: &dyn Module, x: &[usize]) -> Vec<Tensor<'g>> {
        let mut cx = Scope::new(graph, Mode::Train);
        let y = layer.forward(&mut cx, graph.input("x", x, DType::F32));
        let parameters: Vec<Tensor> = cx.params().into_iter().map(|(_, param)| param).collect();
        autodiff::grad((y * y).sum(..), &parameters)
    }

    #[test]
    fn gradients_of_a_layer_are_found() {
        let of = |layer: &dyn Module, x: &[usize]| {
            let graph = Graph::new();
            let wanted = gradients(&graph, layer, x);
            pairs(&graph, &wanted)
        };
        let dense = ["linear_grads[at, bias]", "linear_grads[at, weight]"];
        assert_eq!(of(&Dense::new(6), &[7, 5]), dense);
        assert_eq!(of(&Dense::new(6), &[2, 7, 5]), dense, "several axes of rows");
        assert_eq!(of(&Conv2d::new(6, 1), &[2, 5, 1, 1]), dense, "a convolution that is one");
        let convolved = of(&Conv2d::new(6, 3), &[2, 5, 7, 8]);
        assert_eq!(convolved.len(), 2, "{convolved:?}");
        assert!(convolved.iter().all(|op| op.starts_with("convolution_grads")), "{convolved:?}");
    }

    #[test]
    fn what_is_no_pair_stays() {
        let graph = Graph::new();
        let wanted = gradients(&graph, &Dense::new(6), &[7, 5]);
        // Only one of them is wanted: the bias's has the bits that it has in a pair.
        assert_eq!(pairs(&graph, &wanted[..1]), [""; 0]);
        assert_eq!(pairs(&graph, &wanted[1..]), ["sum_in_order[all but 1]"]);
        // Vectors and depthwise convolutions have kernels of their own.
        let of = |layer: &dyn Module, x: &[usize]| {
            let graph = Graph::new();
            let wanted = gradients(&graph, layer, x);
            pairs(&graph, &wanted)
        };
        assert_eq!(of(&Dense::new(3), &[300, 40]), [""; 0]);
        assert_eq!(of(&Conv2d::new(3, [4, 5]), &[300, 2, 4, 5]), [""; 0], "a product with vectors");
        assert_eq!(of(&Conv2d::new(5, 3).groups(5), &[2, 5, 7, 8]), [""; 0]);
        assert_eq!(of(&Dense::new(6).without_bias(), &[7, 5]), [""; 0]);
        // Other sums of the same cotangent, and those of another.
        let sums = |axes: &[i32], of_other: bool| {
            let graph = Graph::new();
            let [ct, x] = ["ct", "x"].map(|name| graph.input(name, [6, 6], DType::F32));
            let other = if of_other { ct.exp() } else { ct };
            pairs(&graph, &[ct.t().matmul(x), other.sum(axes)])
        };
        assert_eq!(sums(&[0], false).len(), 2);
        assert_eq!(sums(&[1], false), [""; 0]);
        assert_eq!(sums(&[0, 1], false), [""; 0]);
        assert_eq!(sums(&[0], true), [""; 0]);
    }

    /// Products that ask for matrix units get them, on devices without some as well.
    #[test]
    fn precision_comes_first() {
        let graph = Graph::new();
        graph.set_precision(Precision::Split);
        let wanted = gradients(&graph, &Dense::new(6), &[7, 5]);
        assert_eq!(pairs(&graph, &wanted), [""; 0]);
    }
}
