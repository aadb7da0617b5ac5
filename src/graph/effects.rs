//! Side effects of a program besides its outputs: assigning variables, keeping watched tensors, and
//! checking results for NaN.

use super::{Effect, Graph, NodeId, Tensor};
use crate::{
    error::{GraphError, OpError},
    ops::{Op, source},
};
use std::collections::{HashMap, HashSet, btree_map::Entry};

/// Assignments in the order in which they were made, at most one per variable.
#[derive(Clone, Default)]
pub(crate) struct Effects {
    /// A gap where one was withdrawn.
    list: Vec<Option<Effect>>,
    /// Positions by variable.
    of_variable: HashMap<NodeId, usize>,
    /// Variables whose assignments no [condition](Graph::assign_only_if) changes any more.
    settled: HashSet<NodeId>,
}

impl Effects {
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter().flatten()
    }

    fn contains(&self, variable: NodeId) -> bool {
        self.of_variable.contains_key(&variable)
    }

    fn push(&mut self, effect: Effect) {
        self.of_variable.insert(effect.variable, self.list.len());
        self.list.push(Some(effect));
    }

    fn withdraw(&mut self, variable: NodeId) -> Option<Effect> {
        self.list[self.of_variable.remove(&variable)?].take()
    }
}

impl FromIterator<Effect> for Effects {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Self {
        let mut all = Effects::default();
        effects.into_iter().for_each(|effect| all.push(effect));
        all
    }
}

impl Graph {
    /// Assigns `variable` the value that `value` has in the run; the new value is visible only
    /// after the run.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotAVariable`]; [`GraphError::AssignedTwice`]; [`GraphError::Op`] if
    /// shape or type differ.
    #[doc(alias = "copy_")]
    #[track_caller]
    pub fn assign<'g>(&'g self, variable: Tensor<'g>, value: Tensor<'g>) {
        let place = self.place();
        if !std::ptr::eq(variable.graph, self) || !std::ptr::eq(value.graph, self) {
            self.fail(GraphError::ForeignTensor { op: "assign", place });
            return;
        }
        if variable.failed() || value.failed() {
            return;
        }
        let Op::Variable(source::Variable { path, meta }) = self.op(variable.id) else {
            self.fail(GraphError::NotAVariable { place });
            return;
        };
        if meta != value.meta() {
            let reason = if meta.dtype == value.dtype() {
                OpError::Target(meta.shape.clone())
            } else {
                OpError::DTypes
            };
            let operands = vec![meta, value.meta()];
            self.fail(GraphError::Op { op: "assign", operands, reason, place });
            return;
        }
        if self.assigns(variable) {
            self.fail(GraphError::AssignedTwice { name: path, place });
            return;
        }
        self.inner.borrow_mut().effects.push(Effect { variable: variable.id, value: value.id });
    }

    /// Like [`assign`](Self::assign), but maps the pending value of the variable: the value from
    /// before the run, or the one already assigned, which this replaces.
    #[track_caller]
    pub(crate) fn assign_next<'g>(
        &'g self,
        variable: Tensor<'g>,
        next: impl FnOnce(Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let assigned = self.inner.borrow_mut().effects.withdraw(variable.id);
        let value = next(assigned.map_or(variable, |e| Tensor { graph: self, id: e.value }));
        self.assign(variable, value);
        value
    }

    /// Whether the variable is already assigned.
    pub(crate) fn assigns(&self, variable: Tensor<'_>) -> bool {
        self.inner.borrow().effects.contains(variable.id)
    }

    /// The value that a variable will have after the run: its own, unless it is assigned.
    pub(crate) fn after_run<'g>(&'g self, variable: Tensor<'g>) -> Tensor<'g> {
        let effects = &self.inner.borrow().effects;
        let assigned = effects.of_variable.get(&variable.id).and_then(|&at| effects.list.get(at));
        let assigned = assigned.copied().flatten();
        assigned.map_or(variable, |effect| Tensor { graph: self, id: effect.value })
    }

    /// Makes the assignments so far depend on a condition, a scalar of booleans: where it is false in a
    /// run, variables keep their values. Those that are [settled](Self::settle) do not depend on it.
    #[track_caller]
    pub(crate) fn assign_only_if<'g>(&'g self, condition: Tensor<'g>) {
        let open: Vec<(usize, Effect)> = {
            let effects = &self.inner.borrow().effects;
            let made = effects.list.iter().copied().enumerate();
            let made = made.filter_map(|(position, effect)| Some((position, effect?)));
            made.filter(|(_, effect)| !effects.settled.contains(&effect.variable)).collect()
        };
        for (position, Effect { variable, value }) in open {
            let [before, after] = [variable, value].map(|id| Tensor { graph: self, id });
            let value = condition.select(after, before);
            if !value.failed() {
                let effect = Effect { variable, value: value.id };
                self.inner.borrow_mut().effects.list[position] = Some(effect);
            }
        }
    }

    /// Number of assignments so far.
    pub(crate) fn assignments(&self) -> usize {
        self.inner.borrow().effects.list.len()
    }

    /// Keeps the assignments since there were so many from depending on a later condition.
    pub(crate) fn settle(&self, since: usize) {
        let effects = &mut self.inner.borrow_mut().effects;
        let made = effects.list.iter().skip(since).flatten().map(|effect| effect.variable);
        let made: Vec<NodeId> = made.collect();
        effects.settled.extend(made);
    }

    /// Names a tensor, so that every program that computes it returns its value besides the
    /// outputs: see [`Outputs::watched`](crate::Outputs::watched). Within a scope the name is
    /// prefixed by the scope and a slash. Watching a tensor does not cause it to be computed.
    ///
    /// # Errors
    ///
    /// [`GraphError::WatchedTwice`] if the name is taken by another tensor.
    #[doc(alias = "register_forward_hook")]
    #[track_caller]
    pub fn watch<'g>(&'g self, name: &str, tensor: Tensor<'g>) {
        let place = self.place();
        if !std::ptr::eq(tensor.graph, self) {
            self.fail(GraphError::ForeignTensor { op: "watch", place });
            return;
        }
        if tensor.failed() {
            return;
        }
        let name = match place.scope.as_str() {
            "" => name.to_owned(),
            scope => format!("{scope}/{name}"),
        };
        let known = match self.inner.borrow_mut().watched.entry(name.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => *free.insert(tensor.id),
        };
        if known != tensor.id {
            self.fail(GraphError::WatchedTwice { name, place });
        }
    }

    /// Makes programs compiled from now on stop at the first NaN or infinity with
    /// [`RunError::NotFinite`](crate::RunError::NotFinite), which names operation, scope, line and
    /// element.
    ///
    /// Checks all floats: inputs and variables before the run, and the results of each step after
    /// it has run. On a GPU this means a submission and a readback per step, so it is meant for
    /// debugging; in a browser, where readbacks cannot be awaited, only inputs and variables are
    /// checked. A step may fuse several operations, all of which are named; the reference device
    /// checks each operation separately, in f64.
    #[doc(alias("set_detect_anomaly", "enable_check_numerics"))]
    pub fn check_finite(&self) {
        self.inner.borrow_mut().checks_finite = true;
    }
}
