//! The reference device: an interpreter of the graph in f64, the definition of every result.
//!
//! It evaluates the graph as it was built, before any rewriting or scheduling, with the plain
//! loops of each operation's file. It is never optimised, and never a fallback.

use crate::{
    array64::Array64,
    error::{CompileError, Error, NotFinite, RunError},
    graph::{Declaration, Effect, Graph, Node, NodeId},
    interpret::interpret,
    ops::Op,
    shape::Meta,
    value::{Data, Fed},
    variables::{Place, Store},
};
use std::collections::BTreeMap;

/// Refuses NaN and infinity.
fn finite(node: &Node, value: &Array64) -> Result<(), Error> {
    let found = value.data.iter().position(|x| node.meta.dtype.is_float() && !x.is_finite());
    let Some(index) = found else { return Ok(()) };
    let (label, place) = match &node.op {
        Op::Input(input) => (format!("input {:?}", input.name), None),
        Op::Variable(variable) => (format!("variable {:?}", variable.path), None),
        op => (op.name().to_owned(), Some(node.place())),
    };
    Err(RunError::from(NotFinite { step: None, label, place, index, value: value.data[index] }))?
}

/// A graph to be interpreted.
#[derive(Debug)]
pub(crate) struct ReferenceProgram {
    nodes: Vec<Node>,
    outputs: Vec<NodeId>,
    effects: Vec<Effect>,
    inputs: Vec<(String, Meta)>,
    variables: Vec<(String, Declaration)>,
}

impl ReferenceProgram {
    /// A copy of the nodes, and what is wanted of it.
    ///
    /// # Errors
    ///
    /// [`CompileError::Undefined`] for an operation of another crate without a definition.
    pub fn new(graph: &Graph, outputs: &[NodeId], effects: bool) -> Result<Self, Error> {
        let inner = graph.inner.borrow();
        let effects = if effects { inner.effects.clone() } else { vec![] };
        let mut program = ReferenceProgram {
            outputs: outputs.to_vec(),
            effects,
            inputs: vec![],
            variables: vec![],
            nodes: inner.nodes.clone(),
        };
        let needed = graph.needed(&program.wanted());
        for (node, _) in inner.nodes.iter().zip(&needed).filter(|(_, needed)| **needed) {
            if matches!(&node.op, Op::Custom(custom) if !custom.is_defined()) {
                let (op, place) = (node.op.name().to_owned(), Some(node.place()));
                let device = "the reference".to_owned();
                return Err(CompileError::Undefined { op, device, place }.into());
            }
        }
        for (name, id) in inner.inputs.iter().filter(|(_, id)| needed[id.index()]) {
            program.inputs.push((name.clone(), inner.nodes[id.index()].meta.clone()));
        }
        let assigned = |id| program.effects.iter().any(|effect| effect.variable == id);
        for (path, (id, declaration)) in &inner.variables {
            if needed[id.index()] || assigned(*id) {
                program.variables.push((path.clone(), declaration.clone()));
            }
        }
        Ok(program)
    }

    fn wanted(&self) -> Vec<NodeId> {
        self.outputs.iter().copied().chain(self.effects.iter().map(|e| e.value)).collect()
    }

    /// Names and types of the inputs that are needed, in order of name.
    pub fn inputs(&self) -> Vec<(String, Meta)> {
        self.inputs.clone()
    }

    /// Makes the missing variables.
    pub fn prepare(&self, store: &mut Store) -> Result<(), Error> {
        store.ensure(&self.variables)
    }

    /// Evaluates everything, then applies the effects. Where the first NaN or infinity is looked
    /// for, it is an error.
    pub fn run(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
        checks_finite: bool,
    ) -> Result<Vec<Array64>, Error> {
        store.ensure(&self.variables)?;
        let mut given = BTreeMap::new();
        for ((name, _), fed) in self.inputs.iter().zip(inputs) {
            let value = match fed {
                Fed::Host(array) => Array64::from(*array),
                Fed::Device(value) => match &value.data {
                    Data::Exact(array) => array.as_ref().clone(),
                    _ => return Err(RunError::ForeignValue { name: name.clone() }.into()),
                },
            };
            given.insert(name.as_str(), value);
        }
        let look = |node: &Node, value: &Array64| match checks_finite {
            true => finite(node, value),
            false => Ok(()),
        };
        let source = |op: &Op| match op {
            Op::Input(input) => Ok(given[input.name.as_str()].clone()),
            Op::Variable(variable) => match &store.entry(&variable.path)?.place {
                Place::Exact(array) => Ok(array.clone()),
                _ => Ok(Array64::from(&store.get(&variable.path)?)),
            },
            _ => unreachable!("only sources are asked for"),
        };
        let values = interpret(&self.nodes, &self.wanted(), source, look)?;
        let (outputs, updates) = values.split_at(self.outputs.len());
        for (effect, value) in self.effects.iter().zip(updates) {
            if let Op::Variable(variable) = &self.nodes[effect.variable.index()].op {
                store.place(&variable.path, Place::Exact(value.as_ref().clone()));
            }
        }
        Ok(outputs.iter().map(|value| value.as_ref().clone()).collect())
    }
}
