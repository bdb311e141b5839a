//! A node's place in the tree, as a path of names.

use super::NodeRef;
use super::current::current;
use crate::context::{Context, Name, Named, Path};

struct Position(NodeRef);

impl Named for Position {
    fn names(&self) -> Vec<Name> {
        let births = std::iter::successors(Some(&self.0), |node| node.birth());
        let mut names: Vec<_> = births.filter_map(NodeRef::segment).collect();
        names.reverse();
        names
    }

    fn name(&self) -> Option<Name> {
        std::iter::successors(Some(&self.0), |node| node.birth()).find_map(NodeRef::segment)
    }
}

impl NodeRef {
    /// The names from the root to this node.
    pub(crate) fn path(&self) -> Path {
        Path::of(Position(self.clone()))
    }
}

impl Context {
    /// The context of the job that is running on this thread now.
    #[must_use]
    pub fn current() -> Context {
        let node = current();
        Context::new(node.values(), node.path())
    }
}
