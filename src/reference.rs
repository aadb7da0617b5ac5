//! The reference device: an interpreter of the graph in f64, the definition of every result.
//!
//! It evaluates the graph as it was built, before any rewriting or scheduling, with the plain
//! loops of each operation's file. It is never optimised, and never a fallback.

use crate::{
    array::Array,
    dtype::DType,
    error::{CompileError, Error, RunError},
    finite::NotFinite,
    graph::{Declaration, Effect, Graph, Node, NodeId},
    ops::Op,
    shape::{Meta, Shape},
    value::{Data, Fed},
    variables::{Place, Store},
};
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

/// A tensor in f64, whatever its element type: every i32, u32, bool, f16 and f32 is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Array64 {
    /// Shape and element type it stands for.
    pub meta: Meta,
    /// Elements in row-major order.
    pub data: Vec<f64>,
}

impl Array64 {
    /// The element at each coordinate.
    pub fn from_fn(meta: Meta, f: impl FnMut(Vec<usize>) -> f64) -> Self {
        let data = meta.shape.coordinates().map(f).collect();
        Array64 { meta, data }
    }

    /// `f` of each element, as a tensor of this type.
    pub fn map(&self, dtype: DType, f: impl FnMut(f64) -> f64) -> Self {
        let data = self.data.iter().copied().map(f).collect();
        Array64 { meta: Meta { shape: self.shape().clone(), dtype }, data }
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.meta.shape
    }

    /// The element at a coordinate.
    pub fn at(&self, coordinate: &[usize]) -> f64 {
        self.data[self.meta.shape.index(coordinate)]
    }

    /// Rounded to its element type, as a host array.
    ///
    /// # Errors
    ///
    /// None in practice: the lengths agree.
    pub fn to_array(&self) -> Result<Array, Error> {
        Array::from_f64(self.meta.clone(), &self.data)
    }
}

impl From<&Array> for Array64 {
    fn from(array: &Array) -> Self {
        Array64 { meta: array.meta().clone(), data: array.to_f64() }
    }
}

/// Values of the nodes that `wanted` depends on.
///
/// `source` gives the value of each input and variable.
pub fn evaluate(
    graph: &Graph,
    wanted: &[NodeId],
    source: impl FnMut(&Op) -> Result<Array64, Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    interpret(&graph.inner.borrow().nodes, wanted, source, |_, _| Ok(()))
}

fn interpret(
    nodes: &[Node],
    wanted: &[NodeId],
    mut source: impl FnMut(&Op) -> Result<Array64, Error>,
    look: impl Fn(&Node, &Array64) -> Result<(), Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    let mut last_use = vec![0; nodes.len()];
    for &id in wanted {
        last_use[id.index()] = usize::MAX;
    }
    for (index, node) in nodes.iter().enumerate().rev() {
        if last_use[index] > 0 {
            for id in &node.inputs {
                last_use[id.index()] = last_use[id.index()].max(index);
            }
        }
    }
    let mut values: HashMap<NodeId, Rc<Array64>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if last_use[index] == 0 {
            continue;
        }
        let value = match &node.op {
            Op::Input(_) | Op::Variable(_) => source(&node.op)?,
            op => {
                let operands: Vec<_> = node.inputs.iter().map(|id| values[id].clone()).collect();
                op.eval(&operands.iter().map(Rc::as_ref).collect::<Vec<_>>())
            }
        };
        look(node, &value)?;
        for id in &node.inputs {
            if last_use[id.index()] == index {
                values.remove(id);
            }
        }
        values.insert(NodeId(index as u32), Rc::new(value));
    }
    Ok(wanted.iter().map(|id| values[id].clone()).collect())
}

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

/// The value of an operation that is defined by its expansion.
pub(crate) fn expanded(op: &Op, operands: &[&Array64]) -> Array64 {
    let graph = Graph::new();
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(k, operand)| graph.input(&k.to_string(), operand.shape(), operand.meta.dtype))
        .collect();
    let y = op.expand(&inputs).expect("an expandable operation has an expansion");
    let values = evaluate(&graph, &[y.id], |op| match op {
        Op::Input(input) => {
            let index: usize = input.name.parse().expect("inputs are numbered above");
            Ok(operands[index].clone())
        }
        _ => unreachable!("an expansion reads its operands only"),
    });
    let value = values.expect("the operands are at hand").remove(0);
    Rc::unwrap_or_clone(value)
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
