//! Joins kernels that differ only in the result they are for into one step that writes several.

use super::{
    expr::Term,
    fuse::MAX_BUFFERS,
    group::{Group, GroupKind},
    plan::{KernelWrite, Plan, StepKind},
};
use crate::{graph::NodeId, ops::grads::GradOf};
use std::collections::{HashMap, HashSet};

/// Joins siblings at the place of the first, or of the second if that needs what is made in between. Groups are
/// topologically sorted before and after.
pub(super) fn join(groups: Vec<Group>) -> Vec<Group> {
    let mut joined: Vec<Option<Group>> = Vec::with_capacity(groups.len());
    let mut position_of: HashMap<NodeId, usize> = HashMap::new();
    let mut kernels: HashMap<Vec<NodeId>, Vec<usize>> = HashMap::new();
    let mut are_read: HashSet<NodeId> = HashSet::new();
    for group in groups {
        let here = joined.len();
        are_read.extend(&group.operands);
        let own = kernel_operands(&group).map(<[NodeId]>::to_vec);
        let known = own.as_ref().and_then(|operands| kernels.get(operands));
        let together = known.into_iter().flatten().find_map(|&first| {
            let before = joined[first].as_ref()?;
            let exists = |operand| position_of.get(operand).is_none_or(|&made| made < first);
            let is_unread = |root| !are_read.contains(root);
            let place = match () {
                () if group.operands.iter().all(exists) => first,
                () if before.roots.iter().all(is_unread) => here,
                () => return None,
            };
            Some((first, place, both(before, &group)?))
        });
        let (place, group) = match together {
            Some((first, place, group)) => {
                joined[first] = None;
                (place, group)
            }
            None => (here, group),
        };
        position_of.extend(group.roots.iter().map(|&root| (root, place)));
        if let Some(operands) = own.filter(|_| place == here) {
            kernels.entry(operands).or_default().push(here);
        }
        joined.resize_with(joined.len().max(place + 1), || None);
        joined[place] = Some(group);
    }
    joined.into_iter().flatten().collect()
}

/// Whether a kernel has the gradient of a bias as its only result: the product is calculated for nothing, or twice.
pub(crate) fn are_apart(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.kind {
        StepKind::Kernel { kernel, writes, .. } => {
            let is_bias =
                |write: &KernelWrite| kernel.results[write.result].name == GradOf::Bias.name();
            writes.len() == 1 && writes.iter().all(is_bias)
        }
        _ => false,
    })
}

/// The operands of a kernel without those of its epilogues.
fn kernel_operands(group: &Group) -> Option<&[NodeId]> {
    match &group.kind {
        GroupKind::Kernel { operands, .. } => Some(&group.operands[..*operands]),
        GroupKind::Map { .. } | GroupKind::Reduce { .. } => None,
    }
}

/// The group of both, which have the same kernel operands, if they are siblings and the bindings
/// suffice.
fn both(first: &Group, second: &Group) -> Option<Group> {
    let (
        GroupKind::Kernel { kernel, operands, anchors, writes },
        GroupKind::Kernel { kernel: other, anchors: others, writes: more, .. },
    ) = (&first.kind, &second.kind)
    else {
        return None;
    };
    let is_new = |result| writes.iter().all(|write| write.result != result);
    if !kernel.is_sibling_of(other) || !more.iter().all(|write| is_new(write.result)) {
        return None;
    }
    let (operands, own) = (*operands, first.operands.len());
    let mut more = more.clone();
    let terms = more.iter_mut().flat_map(|write| &mut write.epilogue.body.terms);
    for (term, _) in terms {
        if let Term::Load { operand, .. } = term {
            *operand += own - operands;
        }
    }
    let all = [first.operands.as_slice(), &second.operands[operands..]].concat();
    // In the order of the results, so that the text of the shader does not depend on the graph.
    let mut written: Vec<(KernelWrite, NodeId)> = writes
        .iter()
        .cloned()
        .chain(more)
        .zip(first.roots.iter().chain(&second.roots).copied())
        .collect();
    written.sort_by_key(|(write, _)| write.result);
    let (writes, roots): (Vec<_>, Vec<_>) = written.into_iter().unzip();
    let mut nodes = [first.nodes.as_slice(), &second.nodes].concat();
    nodes.sort_unstable();
    nodes.dedup();
    let anchors = [anchors.as_slice(), others].concat();
    let kind = GroupKind::Kernel { kernel: kernel.clone(), operands, anchors, writes };
    (all.len() + roots.len() <= MAX_BUFFERS).then_some(Group { roots, operands: all, nodes, kind })
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::{
        Array, DType, Device, Error, Feed, Graph, Tensor, Variables,
        ops::{
            attention::{Attention, AttentionLogSumExp},
            grads::GradOf,
            matmul::{LinearGrads, Matmul},
        },
        schedule::plan::{Step, StepKind},
    };

    /// Output and log-sum-exp of attention over 3 heads of 5 queries and 7 keys.
    pub(crate) fn results(graph: &Graph) -> [Tensor<'_>; 2] {
        let [q, k, v] = [("q", [3, 5, 4]), ("k", [3, 7, 4]), ("v", [3, 7, 2])]
            .map(|(name, dims)| graph.input(name, dims, DType::F32));
        let op = Attention { causal: false, scale: None, masked: false, dropped: None };
        let operands = [q, k, v, q, q];
        [graph.push(op.clone(), &operands), graph.push(AttentionLogSumExp(op), &operands)]
    }

    /// The kernels of the plan, by the numbers of the results that each writes, after checking what
    /// it computes against the reference.
    pub(crate) fn kernels(
        device: &Device,
        wanted: &[Tensor<'_>],
    ) -> Result<Vec<Vec<usize>>, Error> {
        let graph = wanted[0].graph;
        let array = |dims: [usize; 3]| {
            let values: Vec<f32> =
                (0..dims.iter().product()).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0).collect();
            Array::new(dims, &values)
        };
        let (q, k, v) = (array([3, 5, 4])?, array([3, 7, 4])?, array([3, 7, 2])?);
        let inputs: [(&str, &dyn Feed); 3] = [("q", &q), ("k", &k), ("v", &v)];
        let program = graph.compile(device, wanted)?;
        let got = program.run(&Variables::new(0), &inputs)?;
        let expected = graph.compile(&Device::Reference, wanted)?;
        let expected = expected.run(&Variables::new(0), &inputs)?;
        for k in 0..wanted.len() {
            let pair = [got.read_blocking(k)?.to_f64(), expected.read_blocking(k)?.to_f64()];
            for (got, expected) in pair[0].iter().zip(&pair[1]) {
                assert!((got - expected).abs() < 1e-5 * expected.abs().max(1.0), "{pair:?}");
            }
        }
        let steps = program.plan().map(|plan| plan.steps.as_slice()).unwrap_or_default();
        let results = |step: &Step| match &step.kind {
            StepKind::Kernel { writes, .. } => {
                Some(writes.iter().map(|write| write.result).collect())
            }
            _ => None,
        };
        Ok(steps.iter().filter_map(results).collect())
    }

    #[test]
    fn one_pass_writes_what_is_wanted() -> Result<(), Error> {
        let graph = Graph::new();
        let [output, logs] = results(&graph);
        let cpu = Device::cpu();
        assert_eq!(kernels(&cpu, &[output])?, [vec![0]]);
        assert_eq!(kernels(&cpu, &[logs])?, [vec![1]]);
        assert_eq!(kernels(&cpu, &[output, logs])?, [vec![0, 1]]);
        assert_eq!(kernels(&cpu, &[logs, output * 2.0])?, [vec![0, 1]]);
        // Both with an epilogue.
        assert_eq!(kernels(&cpu, &[output + 1.0, logs * 2.0])?, [vec![0, 1]]);
        Ok(())
    }

    /// The first one waits for what only the second one needs.
    #[test]
    fn siblings_run_where_both_can() -> Result<(), Error> {
        let graph = Graph::new();
        let [ct, x] =
            [("ct", [7, 5]), ("x", [7, 6])].map(|(name, dims)| graph.input(name, dims, DType::F32));
        let [weight, bias] = [GradOf::Weight, GradOf::Bias]
            .map(|of| graph.push(LinearGrads { weight: Matmul::full(true, false), of }, &[ct, x]));
        let after = x.exp().sum(..).broadcast_to(weight.shape());
        let values = Array::new([7, 5], &[0.5; 35])?;
        let others = Array::new([7, 6], &[0.25; 42])?;
        let inputs: [(&str, &dyn Feed); 2] = [("ct", &values), ("x", &others)];
        let program = graph.compile(&Device::cpu(), &[bias, weight * after])?;
        let plan = program.plan().map(ToString::to_string).unwrap_or_default();
        assert!(plan.contains("[30] and [5]"), "{plan}");
        let outputs = program.run(&Variables::new(0), &inputs)?;
        assert_eq!(outputs.read_blocking(0)?.to_f64(), [3.5; 5]);
        let expected = 7.0 * 0.5 * 0.25 * 42.0 * 0.25_f64.exp();
        for got in outputs.read_blocking(1)?.to_f64() {
            assert!((got - expected).abs() < 1e-4, "{got}, {expected}");
        }
        Ok(())
    }

    /// An epilogue that needs the other result can only run after it.
    #[test]
    fn a_sibling_that_depends_on_the_other_runs_alone() -> Result<(), Error> {
        let graph = Graph::new();
        let [output, logs] = results(&graph);
        let wanted = [output, logs * output.sum(..).broadcast_to([3, 5])];
        assert_eq!(kernels(&Device::cpu(), &wanted)?, [vec![0], vec![1]]);
        Ok(())
    }

    /// With operands of epilogues there would be more buffers than the smallest adapters bind.
    #[test]
    fn bindings_limit_what_is_joined() -> Result<(), Error> {
        let graph = Graph::new();
        let [output, logs] = results(&graph);
        let q = graph.input("q", [3, 5, 4], DType::F32);
        let wanted = [output, logs * q.slice(-1, 0..1).reshape([3, 5])];
        assert_eq!(kernels(&Device::cpu(), &wanted)?, [vec![0], vec![1]]);
        Ok(())
    }
}
