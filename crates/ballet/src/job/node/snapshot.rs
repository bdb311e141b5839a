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

    /// Children and open scopes, in order of birth.
    fn kin(&self) -> Vec<NodeRef> {
        let Some(household) = self.household.get() else { return Vec::new() };
        let family = household.family.lock();
        let mut kin: Vec<_> = family.children.iter().chain(family.inline.iter()).collect();
        drop(family);
        kin.sort_by_key(|node| node.order.load(Ordering::Relaxed));
        kin
    }

    pub(crate) fn tree(&self) -> Tree {
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
            children: self.kin().iter().map(NodeRef::tree).collect(),
        }
    }
}
