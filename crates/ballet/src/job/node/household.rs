//! What a node has once it owns something: its family, and who waits for it to change.
//!
//! Most jobs own nothing, so this is made when it is first needed and lies outside the cell. Who comes in and who leaves is
//! the business of `family`.

use std::task::Poll;

use tokio::sync::Notify;

use super::family::Family;
use super::{Node, NodeRef};
use crate::job::Reason;
use crate::job::remark::Remarks;
use crate::sync::{Mutex, Ordering, ShortLock, fence};

/// What a node has once it owns something or somebody waits for more than its end.
pub(super) struct Household {
    pub(super) family: ShortLock<Family>,
    /// The owner, where it is not the one that the node was born with.
    pub(super) moved: Mutex<Option<NodeRef>>,
    /// What it says of itself in a snapshot. Its lock is taken alone.
    remarks: Mutex<Remarks>,
    /// Tells any code that this node has been asked or has lost its last child, whatever polls that code.
    notice: Notify,
}

/// How far a family has come to its end.
pub(crate) struct Closing {
    /// It takes no child any more.
    pub(crate) is_closed: bool,
    /// No child is left. One that is adopted may come in after the family was closed.
    pub(crate) is_childless: bool,
}

impl Household {
    fn new() -> Box<Self> {
        let (family, moved) = (ShortLock::new(Family::default()), Mutex::new(None));
        let remarks = Mutex::new(Remarks::default());
        Box::new(Self { family, moved, remarks, notice: Notify::new() })
    }
}

impl Node {
    #[inline]
    pub(super) fn household(&self) -> &Household {
        let household = self.household.get().unwrap_or_else(|| self.found_household());
        // An end that came before is seen from here on; one that comes later looks after the household.
        self.header.note_housed();
        household
    }

    #[cold]
    fn found_household(&self) -> &Household {
        let household = self.household.get_or_init(Household::new);
        // Pairs with the fence in `announced`: whoever made the household sees what was done before it was there.
        fence(Ordering::SeqCst);
        household
    }

    /// The household as it is after a change that whoever makes one later will see by himself.
    pub(super) fn announced(&self) -> Option<&Household> {
        fence(Ordering::SeqCst);
        self.known_household()
    }

    fn known_household(&self) -> Option<&Household> {
        self.household.get()
    }

    pub(in crate::job) fn remarks(&self) -> &Mutex<Remarks> {
        &self.household().remarks
    }

    pub(in crate::job) fn known_remarks(&self) -> Option<&Mutex<Remarks>> {
        self.known_household().map(|household| &household.remarks)
    }

    /// Tells those who wait for this node to be asked.
    pub(super) fn notify_asked(&self) {
        if let Some(household) = self.announced() {
            household.notice.notify_waiters();
        }
    }

    /// Tells those who wait for the family to change.
    pub(super) fn notify_family(&self) {
        self.household().notice.notify_waiters();
    }

    /// Waits until this node is asked to end.
    pub(crate) async fn wait_asked(&self) -> Reason {
        loop {
            let notice = self.household().notice.notified();
            if let Some(reason) = self.asked() {
                return reason;
            }
            notice.await;
        }
    }

    /// Ready when no child is left. Whoever takes the last one wakes the node's task.
    #[inline]
    pub(crate) fn poll_childless(&self) -> Poll<()> {
        if self.is_childless() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether no child is left.
    pub(super) fn is_childless(&self) -> bool {
        self.known_household().is_none_or(|household| household.family.lock().children.is_empty())
    }

    /// Waits until no child is left. Any number of tasks may call it; roots have no task of their own.
    pub(crate) async fn wait_childless(&self) {
        self.wait_until(|family| family.children.is_empty()).await;
    }

    /// Waits until neither a child nor an open scope is left.
    pub(crate) async fn wait_empty(&self) {
        self.wait_until(|family| family.children.is_empty() && family.inline.is_empty()).await;
    }

    async fn wait_until(&self, condition: impl Fn(&Family) -> bool) {
        loop {
            let household = self.household();
            let notice = household.notice.notified();
            {
                let mut family = household.family.lock();
                family.is_awaited = true;
                if condition(&family) {
                    return;
                }
            }
            notice.await;
        }
    }

    /// Refuses children from now on, if none is left.
    pub(crate) fn close_if_childless(&self) -> Closing {
        let mut family = self.household().family.lock();
        let is_childless = family.children.is_empty();
        family.closed |= is_childless;
        Closing { is_closed: family.closed, is_childless }
    }

    /// Refuses children from now on.
    pub(crate) fn close(&self) {
        self.household().family.lock().closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.household.get().is_some_and(|household| household.family.lock().closed)
    }
}
