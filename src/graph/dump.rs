//! Graphs as text, and for Graphviz.

use super::Graph;
use crate::brief::Brief;
use std::fmt::{self, Write};

impl fmt::Debug for Graph {
    /// A summary: numbers of nodes and assignments, inputs, variables, the first error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Graph");
        // While something is appended it cannot be looked at.
        let Ok(inner) = self.inner.try_borrow() else { return text.finish_non_exhaustive() };
        let meta = |id: super::NodeId| inner.nodes[id.index()].meta.clone();
        let inputs = inner.inputs.iter().map(|(name, &id)| (name.clone(), meta(id)));
        let variables = inner.variables.iter().map(|(path, (id, _))| (path.clone(), meta(*id)));
        text.field("nodes", &inner.nodes.len());
        text.field("inputs", &Brief::named(inputs));
        text.field("variables", &Brief::named(variables));
        text.field("assignments", &inner.effects.iter().count());
        if let Some(error) = &inner.error {
            text.field("error", &error.to_string());
        }
        text.finish()
    }
}

impl fmt::Display for Graph {
    /// One line per node: `%7 = matmul(%3, %5): [32, 10] f32   in net/2:dense`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.borrow();
        for (index, node) in inner.nodes.iter().enumerate() {
            let operands: Vec<_> = node.inputs.iter().map(|id| format!("%{}", id.0)).collect();
            let line = format!(
                "%{index} = {}({}): {}",
                node.op.describe(),
                operands.join(", "),
                node.meta
            );
            if node.scope.is_empty() {
                writeln!(f, "{line}")?
            } else {
                writeln!(f, "{line:<60} in {}", node.scope)?
            }
        }
        for effect in inner.effects.iter() {
            writeln!(f, "%{} := %{}", effect.variable.0, effect.value.0)?;
        }
        Ok(())
    }
}

impl Graph {
    /// The computation as text: the nodes, the assignments, and how variables start.
    #[cfg(feature = "files")]
    pub(crate) fn text(&self) -> String {
        let mut text = self.to_string();
        for (path, (_, declaration)) in &self.inner.borrow().variables {
            let _ = writeln!(text, "{path} = {:?}", declaration.init);
        }
        text
    }

    /// The graph in Graphviz `dot` format.
    #[doc(alias = "plot_model")]
    pub fn to_dot(&self) -> String {
        let inner = self.inner.borrow();
        let mut dot = String::from("digraph {\n  node [shape=box, fontname=monospace]\n");
        for (index, node) in inner.nodes.iter().enumerate() {
            let label = format!("{}\n{}", node.op.describe(), node.meta);
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(dot, "  n{index} [label=\"{label}\"]");
            for input in &node.inputs {
                let _ = writeln!(dot, "  n{} -> n{index}", input.0);
            }
        }
        for effect in inner.effects.iter() {
            let (value, variable) = (effect.value.0, effect.variable.0);
            let _ = writeln!(dot, "  n{value} -> n{variable} [style=dashed, constraint=false]");
        }
        dot.push_str("}\n");
        dot
    }
}
