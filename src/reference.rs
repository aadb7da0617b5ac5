//! The reference device: an f64 interpreter of the graph, the definition of every result.
//!
//! It evaluates the graph as built, before any rewriting or scheduling, with the plain loops of
//! each operation's file. It is never optimized, and never a fallback. It rounds nothing but halves,
//! each node once: what becomes infinite there is part of the definition.

use crate::{
    array64::Array64,
    backend::{Backend, Compiled, Executable, Results},
    dtype::DType,
    error::{CompileError, Error, NotFinite, RunError},
    graph::{Declaration, Effect, Graph, Node, NodeId},
    interpret::interpret,
    ops::{Op, precision::MatrixUnits},
    schedule::plan::Plan,
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{
    collections::{BTreeMap, HashSet},
    rc::Rc,
    sync::Arc,
};

/// Rounds halves.
fn rounded(node: &Node, mut value: Array64) -> Array64 {
    if node.meta.dtype == DType::F16 {
        value.data.iter_mut().for_each(|x| *x = DType::F16.round(*x));
    }
    value
}

/// Rejects NaN and infinity.
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

/// The reference device.
#[derive(Debug)]
pub(crate) struct ReferenceDevice;

impl Backend for ReferenceDevice {
    fn matrix_units(&self) -> Vec<MatrixUnits> {
        Vec::new()
    }

    fn pairs_grads(&self) -> bool {
        false
    }

    fn half_bytes(&self) -> usize {
        4
    }

    fn name(&self) -> String {
        "reference (f64)".to_owned()
    }

    fn kind(&self) -> &'static str {
        "reference"
    }

    fn numerics(&self) -> String {
        format!("reference, {}", std::env::consts::ARCH)
    }

    fn interpret(&self, graph: &Graph, outputs: &[NodeId], effects: bool) -> Option<Compiled> {
        let program = ReferenceProgram::new(graph, outputs, effects);
        Some(program.map(|program| Box::new(program) as _))
    }

    fn compile(&self, _: Arc<Plan>) -> Compiled {
        Err(RunError::NotPlanned.into())
    }
}

/// A graph to be interpreted.
#[derive(Debug)]
struct ReferenceProgram {
    nodes: Vec<Node>,
    outputs: Vec<NodeId>,
    effects: Vec<Effect>,
    inputs: Vec<(String, Meta)>,
    variables: Vec<(String, Declaration)>,
    checks_finite: bool,
}

impl ReferenceProgram {
    /// Copies the nodes, with the requested outputs.
    ///
    /// # Errors
    ///
    /// [`CompileError::Undefined`] for an operation of another crate without a definition.
    fn new(graph: &Graph, outputs: &[NodeId], effects: bool) -> Result<Self, Error> {
        let inner = graph.inner.borrow();
        let effects = if effects { inner.effects.iter().copied().collect() } else { vec![] };
        let mut program = ReferenceProgram {
            outputs: outputs.to_vec(),
            effects,
            inputs: vec![],
            variables: vec![],
            nodes: inner.nodes.clone(),
            checks_finite: inner.checks_finite,
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
        let assigned: HashSet<NodeId> = program.effects.iter().map(|e| e.variable).collect();
        for (path, (id, declaration)) in &inner.variables {
            if needed[id.index()] || assigned.contains(id) {
                program.variables.push((path.clone(), declaration.clone()));
            }
        }
        Ok(program)
    }

    fn wanted(&self) -> Vec<NodeId> {
        self.outputs.iter().copied().chain(self.effects.iter().map(|e| e.value)).collect()
    }
}

impl Executable for ReferenceProgram {
    fn inputs(&self) -> &[(String, Meta)] {
        &self.inputs
    }

    fn prepare(&self, store: &mut Store) -> Result<(), Error> {
        store.ensure(&self.variables)
    }

    /// Evaluates everything, then applies the effects.
    fn run(&self, store: &mut Store, inputs: &[Fed<'_>]) -> Result<Results, Error> {
        store.ensure(&self.variables)?;
        let mut given = BTreeMap::new();
        for ((name, _), fed) in self.inputs.iter().zip(inputs) {
            let value = match fed {
                Fed::Host(array) => Array64::of(array)?,
                Fed::Device(value) => match value.data.is::<Array64>() {
                    Some(array) => array.try_clone()?,
                    None => return Err(RunError::ForeignValue { name: name.clone() }.into()),
                },
            };
            given.insert(name.as_str(), value);
        }
        let settle = |node: &Node, value: Array64| {
            let value = rounded(node, value);
            if self.checks_finite {
                finite(node, &value)?;
            }
            Ok(value)
        };
        let source = |op: &Op| match op {
            Op::Input(input) => given[input.name.as_str()].try_clone(),
            Op::Variable(variable) => match store.entry(&variable.path)?.data.is::<Array64>() {
                Some(array) => array.try_clone(),
                None => Array64::of(&store.get(&variable.path)?),
            },
            _ => unreachable!("only sources are asked for"),
        };
        let values = interpret(&self.nodes, &self.wanted(), source, settle)?;
        let owned = values
            .into_iter()
            .map(|value| Rc::try_unwrap(value).or_else(|shared| shared.try_clone()));
        let mut outputs = owned.collect::<Result<Vec<Array64>, Error>>()?;
        let updates = outputs.split_off(self.outputs.len());
        for (effect, value) in self.effects.iter().zip(updates) {
            if let Op::Variable(variable) = &self.nodes[effect.variable.index()].op {
                store.place(&variable.path, value);
            }
        }
        Ok(outputs.into_iter().map(|value| Arc::new(value) as _).collect())
    }
}
