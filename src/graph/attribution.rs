//! The line that new nodes are attributed to, while code of this library builds them.

use super::Graph;
use std::panic::Location;

/// While it is alive, new nodes are attributed to one line of the user's program.
#[derive(Debug)]
pub struct Attribution<'g> {
    graph: &'g Graph,
    outer: Option<&'static Location<'static>>,
}

impl<'g> Attribution<'g> {
    /// Attributes them to this line.
    pub(crate) fn new(graph: &'g Graph, line: &'static Location<'static>) -> Self {
        Attribution { graph, outer: graph.attribute(Some(line)) }
    }

    /// Attributes them to the caller, or to whomever the caller's nodes are attributed.
    #[track_caller]
    pub(crate) fn to_caller(graph: &'g Graph) -> Self {
        Attribution::new(graph, graph.line())
    }
}

impl Drop for Attribution<'_> {
    fn drop(&mut self) {
        self.graph.attribute(self.outer);
    }
}
