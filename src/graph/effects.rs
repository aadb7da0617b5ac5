//! What a program does besides computing its outputs: variables get new values, watched tensors
//! are kept, and results are searched for NaN.

use super::{Effect, Graph, Tensor};
use crate::{
    error::{GraphError, OpError},
    ops::{Op, source},
};
use std::collections::btree_map::Entry;

impl Graph {
    /// After the run, `variable` holds what `value` was in it; before the end of the run nobody
    /// sees it.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotAVariable`]; [`GraphError::AssignedTwice`]; [`GraphError::Op`] where
    /// shape or type differ.
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

    /// As [`assign`](Self::assign), of what becomes of the value that the variable will have: that
    /// from before the run, or what it was assigned already, which this replaces.
    #[track_caller]
    pub(crate) fn assign_next<'g>(
        &'g self,
        variable: Tensor<'g>,
        next: impl FnOnce(Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let of_variable = |effect: &Effect| effect.variable == variable.id;
        let known = self.inner.borrow().effects.iter().position(of_variable);
        let assigned = known.map(|index| self.inner.borrow_mut().effects.remove(index).value);
        let value = next(assigned.map_or(variable, |id| Tensor { graph: self, id }));
        self.assign(variable, value);
        value
    }

    /// Whether a variable gets a new value already.
    pub(crate) fn assigns(&self, variable: Tensor<'_>) -> bool {
        self.inner.borrow().effects.iter().any(|effect| effect.variable == variable.id)
    }

    /// Names a tensor, so that every program in which it takes part gives its value besides the
    /// outputs: see [`Outputs::watched`](crate::Outputs::watched). Within a scope the name is
    /// that of the scope, a slash, and `name`. It is computed by no program that does not need it.
    ///
    /// # Errors
    ///
    /// [`GraphError::WatchedTwice`] where the name stands for another tensor.
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

    /// Programs compiled from now on stop at the first NaN or infinity with
    /// [`RunError::NotFinite`](crate::RunError::NotFinite), which names operation, scope, line and
    /// element.
    ///
    /// Everything floating is looked at: inputs and variables before the run, and what each step
    /// stores when it has run. On a GPU that means a submission and a copy to the host for every
    /// step, so this is for finding mistakes; in a browser, where nobody may wait for a copy, only
    /// inputs and variables are looked at. A step may hold several operations, all of which it
    /// names; on the reference device each is looked at on its own, in f64.
    pub fn check_finite(&self) {
        self.inner.borrow_mut().checks_finite = true;
    }
}
