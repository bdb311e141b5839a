//! What a node says of itself in a snapshot: a line for each thing that its code waits for, or is inside of.
//!
//! A remark is made for as long as its guard lives and is written out only when somebody looks, so it costs whoever
//! makes one a lock and a row. Nothing decides from a remark.

use std::sync::Arc;

use super::{NodeRef, current, lock};
use crate::observe::Kind;

/// Something that can say how it stands.
pub(crate) trait Remark: Send + Sync {
    /// One line, in the present tense. Called while a snapshot is taken, with no lock of the tree held.
    fn remark(&self) -> String;
}

/// Any function that writes the line.
impl<F: Fn() -> String + Send + Sync> Remark for F {
    fn remark(&self) -> String {
        self()
    }
}

/// The remarks of one node, oldest first.
#[derive(Default)]
pub(super) struct Remarks {
    rows: Vec<(u64, Arc<dyn Remark>)>,
    next: u64,
}

/// A remark that a node makes until this is dropped.
#[must_use = "the remark is taken back when this is dropped"]
pub(crate) struct Remarked {
    node: NodeRef,
    row: u64,
}

/// Lets the job or scope whose code runs here make a remark. Outside every scope there is nobody to make it.
pub(crate) fn remark(remark: Arc<dyn Remark>) -> Option<Remarked> {
    let node = current().nearest_owner();
    (node.kind() != Kind::Root).then(|| node.remark(remark))
}

impl NodeRef {
    /// Lets this node make a remark.
    pub(crate) fn remark(&self, remark: Arc<dyn Remark>) -> Remarked {
        let mut remarks = lock(self.remarks());
        let row = remarks.next;
        remarks.next += 1;
        remarks.rows.push((row, remark));
        Remarked { node: self.clone(), row }
    }

    /// What the node says now.
    pub(super) fn written_remarks(&self) -> Vec<String> {
        let Some(remarks) = self.known_remarks() else { return Vec::new() };
        let rows: Vec<_> = lock(remarks).rows.iter().map(|(_, remark)| Arc::clone(remark)).collect();
        rows.iter().map(|remark| remark.remark()).collect()
    }
}

impl Drop for Remarked {
    fn drop(&mut self) {
        let mut remarks = lock(self.node.remarks());
        let row = remarks.rows.iter().position(|(row, _)| *row == self.row);
        let taken = row.map(|row| remarks.rows.remove(row));
        drop(remarks);
        // Not under the lock: it may be the last reference to something of the user's.
        drop(taken);
    }
}
