//! What a node says of itself in a snapshot: a line for each thing that its code waits for, or is inside of.
//!
//! A remark is made for as long as its guard lives and is written out only when somebody looks, so it costs whoever
//! makes one a lock and a row. Nothing decides from a remark.
//!
//! A test that has come to a standstill *asks*: it has every job polled once more, and whatever finds that it has to go
//! on waiting says for what. Only then is that a remark, so a wait costs nothing in any other poll.

#[cfg(feature = "testing")]
use std::cell::RefCell;
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

#[cfg(feature = "testing")]
thread_local! {
    /// What has been said since somebody began to ask on this thread.
    static SAID: RefCell<Option<Vec<Remarked>>> = const { RefCell::new(None) };
}

/// Says what the code that runs here waits for, if anybody asks.
#[inline]
pub(crate) fn waits_for(_what: impl FnOnce() -> String) {
    #[cfg(feature = "testing")]
    if SAID.with_borrow(Option::is_some) {
        let line = _what();
        let said = remark(Arc::new(move || line.clone()));
        SAID.with_borrow_mut(|all| all.as_mut().map(|all| all.extend(said)));
    }
}

/// Asks, on this thread, until the result is dropped; that takes the answers back.
#[cfg(feature = "testing")]
pub(crate) fn ask() -> Asking {
    SAID.set(Some(Vec::new()));
    Asking(())
}

#[cfg(feature = "testing")]
#[must_use = "the answers are taken back when this is dropped"]
pub(crate) struct Asking(());

#[cfg(feature = "testing")]
impl Drop for Asking {
    fn drop(&mut self) {
        drop(SAID.take());
    }
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
