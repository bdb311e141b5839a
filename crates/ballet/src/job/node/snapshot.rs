//! What can be seen of a node and all below it.

use super::NodeRef;
use crate::observe::Tree;
use crate::sync::Ordering;

impl NodeRef {
    /// This node and all below it, in order of birth.
    pub(crate) fn all(&self) -> Vec<NodeRef> {
        let mut found = vec![self.clone()];
        let mut next = 0;
        while let Some(node) = found.get(next).cloned() {
            found.extend(node.kin());
            next += 1;
        }
        found
    }

    /// Children and open scopes, in order of birth; those that were born at one look at the clock: children first.
    fn kin(&self) -> Vec<NodeRef> {
        let Some(household) = self.household.get() else { return Vec::new() };
        let family = household.family.lock();
        let mut kin: Vec<_> = family.children.iter().chain(family.inline.iter()).collect();
        drop(family);
        kin.sort_by_key(|node| node.born);
        kin
    }

    /// How this node and all below it stand. Goes from node to node, not into them: a chain may be longer than the stack.
    pub(crate) fn tree(&self) -> Tree {
        let mut nodes = vec![(usize::MAX, self.clone())];
        let mut seen = Vec::new();
        while let Some((owner, node)) = nodes.get(seen.len()).cloned() {
            let index = seen.len();
            nodes.extend(node.kin().into_iter().map(|kin| (index, kin)));
            seen.push((owner, node.snapshot()));
        }
        Tree::assemble(seen).unwrap_or_else(|| unreachable!("the top is among the nodes"))
    }

    /// How this node stands, without what it owns.
    fn snapshot(&self) -> Tree {
        let age = self.born.to_instant().elapsed();
        let polls = self.polls.load(Ordering::Relaxed);
        let polled_at = self.moment();
        Tree {
            path: self.path().to_string(),
            kind: self.kind(),
            place: self.place,
            state: self.state(),
            age,
            polls: polls.into(),
            idle: (polls > 0).then(|| age.saturating_sub(polled_at)),
            remarks: self.written_remarks(),
            children: Vec::new(),
        }
    }
}
