//! Lowers a graph to a [`Plan`]: which operations run together, in which order, and where values
//! live.
//!
//! Each stage has its own file: `fuse` walks from results to operands and decides what is stored,
//! `inline` builds the terms of everything else; `siblings` joins kernels that are one pass over their
//! operands; `horizontal_fusion` combines maps over the same space; `order`
//! decides which variables are updated in place, and when; `arena` combines identical updates into
//! one step; `memory_plan` shares memory by liveness. A plan is independent of the device.
//!
//! Every stage takes time proportional to the graph, or nearly so: none looks at all groups, values
//! or effects once for each of them.

mod arena;
mod display;
mod draft;
pub(crate) mod expr;
mod fuse;
mod group;
#[cfg(test)]
mod growth;
mod horizontal_fusion;
mod index;
mod inline;
mod live_out;
mod memory_plan;
mod order;
pub(crate) mod plan;
mod sequence;
pub(crate) mod siblings;

pub use plan::Plan;

use crate::{
    array::Array,
    dtype::DType,
    graph::{Declaration, Effect, Graph, Node, NodeId, Tensor},
    ops::{Op, cost::Cost},
    shape::Meta,
};
use arena::{Batch, Role};
use expr::{Affine, Body};
use fuse::Fuser;
use group::{Group, GroupKind};
use horizontal_fusion::Count;
use index::Compaction;
use live_out::LiveOut;
use plan::{Arena, Epilogue, KernelWrite, Region, Step, StepKind, Storage};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Builds the plan of a graph that is already fully expanded, for a device on which an element of f16
/// takes so many bytes.
pub(crate) fn plan(graph: &Graph, outputs: &[NodeId], half_bytes: usize) -> Plan {
    let (outputs, effects) = distinct(graph, outputs);
    let live_out = LiveOut::new(&outputs, &effects);
    let roots: Vec<NodeId> =
        outputs.iter().copied().chain(effects.iter().map(|effect| effect.value)).collect();
    let assigned: Vec<NodeId> = effects.iter().map(|effect| effect.variable).collect();
    let needed = graph.needed(&[roots.as_slice(), &assigned].concat());
    let inner = graph.inner.borrow();
    let planned = |count| {
        let fused = siblings::join(Fuser::new(&inner.nodes, &needed, &roots).groups());
        let merged = horizontal_fusion::merge(fused, inner.nodes.len(), &live_out, count);
        order::order(merged, &live_out)
    };
    let mut ordered = planned(Count::InPlace);
    // An update planned in place may have had to become a copy, which needs more bindings.
    if !ordered.fits(&live_out) {
        ordered = planned(Count::All);
    }
    let batches = arena::batches(&ordered, &inner.nodes, &live_out);

    let inputs: Vec<(String, NodeId)> = inner
        .inputs
        .iter()
        .filter(|(_, id)| needed[id.index()])
        .map(|(name, id)| (name.clone(), *id))
        .collect();
    let variables: Vec<(String, NodeId, Declaration)> = inner
        .variables
        .iter()
        .filter(|(_, (id, _))| needed[id.index()])
        .map(|(path, (id, declaration))| (path.clone(), *id, declaration.clone()))
        .collect();
    let constants: Vec<(NodeId, Arc<Array>)> = inner
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| match &node.op {
            Op::Constant(constant) if needed[index] => {
                Some((NodeId(index as u32), constant.array.clone()))
            }
            _ => None,
        })
        .collect();
    let mut locations =
        Locations { nodes: &inner.nodes, storage_of: BTreeMap::new(), slots: vec![], half_bytes };
    for (k, (_, id)) in inputs.iter().enumerate() {
        locations.storage_of.insert(*id, (Storage::Input(k), 0));
    }
    for (k, (id, _)) in constants.iter().enumerate() {
        locations.storage_of.insert(*id, (Storage::Constant(k), 0));
    }
    for (k, (_, id, _)) in variables.iter().enumerate() {
        locations.storage_of.insert(*id, (Storage::Variable(k), 0));
    }
    for (k, id) in outputs.iter().enumerate() {
        locations.storage_of.insert(*id, (Storage::Output(k), 0));
    }
    for effect in effects.iter().filter(|effect| ordered.in_place.contains(&effect.value)) {
        locations.storage_of.insert(effect.value, locations.storage_of[&effect.variable]);
    }
    let numbers: HashMap<NodeId, usize> =
        variables.iter().enumerate().map(|(k, (_, id, _))| (*id, k)).collect();
    let variable_index = |id: NodeId| numbers.get(&id).copied();
    let mut arenas = Vec::new();
    let firsts: Vec<usize> = batches
        .iter()
        .map(|batch| {
            let first = arenas.len();
            arenas.extend(arenas_of(
                batch,
                &ordered.groups,
                &live_out,
                &inner.nodes,
                variable_index,
            ));
            first
        })
        .collect();
    let schedule = schedule(&ordered.groups, &batches);
    locations.assign_slots(&schedule, &ordered.groups, &batches, &live_out, &ordered.in_place);

    let mut steps: Vec<Step> = schedule
        .iter()
        .filter_map(|item| match *item {
            Item::Group(k) => locations.step(&ordered.groups[k]),
            Item::Batch(k) => Some(locations.batch_step(&batches[k], &ordered.groups, firsts[k])),
        })
        .collect();
    for effect in effects.iter().filter(|effect| !ordered.in_place.contains(&effect.value)) {
        let [read, write] = [effect.value, effect.variable].map(|id| locations.region(id));
        steps.push(Step {
            label: "copy".to_owned(),
            kind: StepKind::Copy,
            cost: Cost { flops: 0.0, bytes: 8.0 * read.len as f64 },
            reads: vec![read],
            writes: vec![write],
            place: Some(inner.nodes[effect.value.index()].place()),
        });
    }
    let assigned: BTreeSet<NodeId> = assigned.into_iter().collect();
    Plan {
        steps,
        inputs: inputs.into_iter().map(|(name, id)| (name, locations.meta(id).clone())).collect(),
        constants: constants.into_iter().map(|(_, array)| array).collect(),
        assigned: variables.iter().map(|(_, id, _)| assigned.contains(id)).collect(),
        outputs: outputs.iter().map(|&id| locations.meta(id).clone()).collect(),
        variables: variables.into_iter().map(|(path, _, d)| (path, d)).collect(),
        arenas,
        slots: locations.slots,
        half_bytes,
        checks_finite: false,
    }
}

/// Outputs and effects whose nodes are computed and pairwise distinct: sources and repeated nodes
/// get a node of their own.
fn distinct(graph: &Graph, outputs: &[NodeId]) -> (Vec<NodeId>, Vec<Effect>) {
    let mut seen = BTreeSet::new();
    let mut own = |id: NodeId| {
        let source = matches!(graph.op(id), Op::Input(_) | Op::Variable(_) | Op::Constant(_));
        if !source && seen.insert(id) { id } else { Tensor { graph, id }.alias().id }
    };
    let outputs = outputs.iter().map(|&id| own(id)).collect();
    let effects: Vec<Effect> = graph.inner.borrow().effects.iter().copied().collect();
    let effects = effects.into_iter().map(|e| Effect { value: own(e.value), ..e }).collect();
    (outputs, effects)
}

/// An item of the schedule.
enum Item {
    Group(usize),
    Batch(usize),
}

fn schedule(groups: &[Group], batches: &[Batch]) -> Vec<Item> {
    let mut batch_of = vec![None; groups.len()];
    for (number, batch) in batches.iter().enumerate() {
        batch.groups.iter().for_each(|&position| batch_of[position] = Some(number));
    }
    let item = |position: usize| match batch_of[position] {
        None => Some(Item::Group(position)),
        Some(batch) if batches[batch].groups.last() == Some(&position) => Some(Item::Batch(batch)),
        Some(_) => None,
    };
    (0..groups.len()).filter_map(item).collect()
}

/// One arena per variable updated by the groups of a batch.
fn arenas_of(
    batch: &Batch,
    groups: &[Group],
    live_out: &LiveOut<'_>,
    nodes: &[Node],
    variable_index: impl Fn(NodeId) -> Option<usize>,
) -> Vec<Arena> {
    let updated = 0..groups[batch.groups[0]].roots.len();
    updated
        .map(|root| {
            let members =
                batch.groups.iter().zip(&batch.offsets).filter_map(|(&group, &offset)| {
                    let variable = live_out.variable_of(groups[group].roots[root])?;
                    Some((variable_index(variable)?, offset))
                });
            let dtype = nodes[groups[batch.groups[0]].roots[root].index()].meta.dtype;
            Arena { members: members.collect(), words: batch.words, dtype }
        })
        .collect()
}

/// Memory location of every stored node.
struct Locations<'a> {
    nodes: &'a [Node],
    storage_of: BTreeMap<NodeId, (Storage, usize)>,
    slots: Vec<usize>,
    half_bytes: usize,
}

impl Locations<'_> {
    fn meta(&self, id: NodeId) -> &Meta {
        &self.nodes[id.index()].meta
    }

    fn region(&self, id: NodeId) -> Region {
        let (storage, offset) = self.storage_of[&id];
        let Meta { shape, dtype } = self.meta(id);
        Region { storage, offset, len: shape.len(), dtype: *dtype }
    }

    /// Assigns a slot to every value that has no location yet.
    fn assign_slots(
        &mut self,
        schedule: &[Item],
        groups: &[Group],
        batches: &[Batch],
        live_out: &LiveOut<'_>,
        in_place: &BTreeSet<NodeId>,
    ) {
        // Gradients of a batch share a slot, live from the first gradient to the batch itself.
        let mut shared: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
        let mut ranges: Vec<memory_plan::LiveRange> = Vec::new();
        for batch in batches {
            for (slot, role) in batch.operands.iter().enumerate() {
                if *role == Role::Gradient {
                    for (&group, &offset) in batch.groups.iter().zip(&batch.offsets) {
                        shared.insert(groups[group].operands[slot], (ranges.len(), offset));
                    }
                    // They are alike in all groups.
                    let gradient = batch.groups.first().map(|&group| groups[group].operands[slot]);
                    let dtype = gradient.map_or(DType::F32, |gradient| self.meta(gradient).dtype);
                    ranges.push(memory_plan::LiveRange {
                        words: plan::words_of(batch.words, dtype, self.half_bytes),
                        from: usize::MAX,
                        to: 0,
                    });
                }
            }
        }
        let mut value_of: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
        for (time, item) in schedule.iter().enumerate() {
            let members: Vec<&Group> = match *item {
                Item::Group(k) => vec![&groups[k]],
                Item::Batch(k) => batches[k].groups.iter().map(|&k| &groups[k]).collect(),
            };
            for group in members {
                for &root in group.roots.iter().filter(|root| !self.storage_of.contains_key(root)) {
                    let (value, offset) = shared.get(&root).copied().unwrap_or_else(|| {
                        let Meta { shape, dtype } = self.meta(root);
                        let words = plan::words_of(shape.len(), *dtype, self.half_bytes);
                        ranges.push(memory_plan::LiveRange { words, from: time, to: time });
                        (ranges.len() - 1, 0)
                    });
                    ranges[value].from = ranges[value].from.min(time);
                    value_of.insert(root, (value, offset));
                }
                for operand in &group.operands {
                    if let Some(&(value, _)) = value_of.get(operand) {
                        ranges[value].to = time;
                    }
                }
            }
        }
        for effect in live_out.effects.iter().filter(|e| !in_place.contains(&e.value)) {
            if let Some(&(value, _)) = value_of.get(&effect.value) {
                ranges[value].to = usize::MAX;
            }
        }
        let (assigned, sizes) = memory_plan::assign(&ranges);
        self.slots = sizes;
        for (node, (value, offset)) in value_of {
            self.storage_of.insert(node, (Storage::Slot(assigned[value]), offset));
        }
    }

    /// The step of a group; `None` if its result is empty.
    fn step(&self, group: &Group) -> Option<Step> {
        if group.roots.iter().all(|&root| self.meta(root).shape.is_empty()) {
            return None;
        }
        let reads = group.operands.iter().map(|&id| self.region(id)).collect();
        let writes = group.roots.iter().map(|&id| self.region(id)).collect();
        let kind = compacted(group.kind.clone());
        let siblings = match &group.kind {
            GroupKind::Kernel { anchors, .. } => anchors.as_slice(),
            GroupKind::Map { .. } | GroupKind::Reduce { .. } => &[],
        };
        let flops = self.flops(&group.nodes, siblings);
        Some(self.labeled(&group.nodes, flops, kind, reads, writes))
    }

    /// The step of a batch, whose arenas start at number `first`.
    fn batch_step(&self, batch: &Batch, groups: &[Group], first: usize) -> Step {
        let representative = &groups[batch.groups[0]];
        let whole = |storage, id: NodeId| Region {
            storage,
            offset: 0,
            len: batch.words,
            dtype: self.meta(id).dtype,
        };
        let operands = representative.operands.iter().zip(&batch.operands);
        let reads = operands
            .map(|(&id, role)| match role {
                Role::Updated(root) => whole(Storage::Arena(first + root), id),
                Role::Gradient => whole(self.storage_of[&id].0, id),
                Role::Shared(id) => self.region(*id),
            })
            .collect();
        let roots = representative.roots.iter().enumerate();
        let writes = roots.map(|(k, &id)| whole(Storage::Arena(first + k), id)).collect();
        let GroupKind::Map { terms, .. } = &representative.kind else {
            unreachable!("batches are made of maps")
        };
        let kind = StepKind::Map {
            space: vec![batch.words],
            body: batch.body.clone(),
            roots: terms.clone(),
        };
        let nodes: Vec<NodeId> =
            batch.groups.iter().flat_map(|&k| groups[k].nodes.iter().copied()).collect();
        self.labeled(&nodes, self.flops(&nodes, &[]), kind, reads, writes)
    }

    /// Operations of some nodes. What siblings among them do together counts once.
    fn flops(&self, nodes: &[NodeId], siblings: &[NodeId]) -> f64 {
        let flops = |id: &NodeId| {
            let node = &self.nodes[id.index()];
            let operands: Vec<&Meta> = node.inputs.iter().map(|&id| self.meta(id)).collect();
            node.op.cost(&operands, &node.meta).flops
        };
        let alone = nodes.iter().filter(|id| !siblings.contains(id)).map(flops).sum::<f64>();
        alone + siblings.iter().map(flops).fold(0.0, f64::max)
    }

    fn labeled(
        &self,
        nodes: &[NodeId],
        flops: f64,
        kind: StepKind,
        reads: Vec<Region>,
        writes: Vec<Region>,
    ) -> Step {
        let words: usize = reads.iter().chain(&writes).map(|region| region.len).sum();
        let cost = Cost { flops, bytes: 4.0 * words as f64 };
        let mut names: Vec<(&str, usize)> = Vec::new();
        for id in nodes {
            let name = self.nodes[id.index()].op.name();
            match names.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => names.push((name, 1)),
            }
        }
        let times = |(name, count): (&str, usize)| match count {
            1 => name.to_owned(),
            _ => format!("{count} {name}"),
        };
        let label = names.into_iter().map(times).collect::<Vec<_>>().join(" + ");
        let place = nodes.iter().max().map(|id| self.nodes[id.index()].place());
        Step { label, kind, reads, writes, cost, place }
    }
}

/// Compacts the space of a step.
fn compacted(kind: GroupKind) -> StepKind {
    let apply = |body: &mut Body, coefs: &dyn Fn(&Affine) -> Vec<i64>| {
        for affine in body.affines_mut() {
            affine.coefs = coefs(affine);
        }
    };
    match kind {
        GroupKind::Map { space, mut body, terms } => {
            let compaction = {
                let affines: Vec<Affine> = body.affines_mut().map(|a| a.clone()).collect();
                Compaction::new(&space, 0..space.len(), &affines.iter().collect::<Vec<_>>())
            };
            apply(&mut body, &|affine| compaction.coefs(affine));
            StepKind::Map { space: compaction.space, body, roots: terms }
        }
        GroupKind::Reduce { function, outer, inner, adjacent, mut body, value, mut epilogue } => {
            let whole = [outer.as_slice(), &inner].concat();
            let in_body: Vec<Affine> = body.affines_mut().map(|a| a.clone()).collect();
            let mut everywhere = in_body.clone();
            everywhere.extend(epilogue.body.affines_mut().map(|affine| {
                let mut affine = affine.clone();
                affine.coefs.resize(whole.len(), 0);
                affine
            }));
            let across =
                Compaction::new(&whole, 0..outer.len(), &everywhere.iter().collect::<Vec<_>>());
            let along = Compaction::new(
                &whole,
                outer.len()..whole.len(),
                &in_body.iter().collect::<Vec<_>>(),
            );
            apply(&mut body, &|affine| [across.coefs(affine), along.coefs(affine)].concat());
            apply(&mut epilogue.body, &|affine| across.coefs(affine));
            let (outer, inner) = (across.space, along.space);
            StepKind::Reduce { function, outer, inner, adjacent, body, value, epilogue }
        }
        GroupKind::Kernel { kernel, operands, anchors: _, mut writes } => {
            for KernelWrite { space, epilogue: Epilogue { body, .. }, .. } in &mut writes {
                let affines: Vec<Affine> = body.affines_mut().map(|a| a.clone()).collect();
                let affines: Vec<&Affine> = affines.iter().collect();
                let compaction = Compaction::new(space, 0..space.len(), &affines);
                apply(body, &|affine| compaction.coefs(affine));
                *space = compaction.space;
            }
            StepKind::Kernel { kernel, operands, writes }
        }
    }
}
