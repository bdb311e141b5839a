//! What becomes of the operations of one frame: taken, refused, held, or known already.

use super::{RESERVE_SHARE, batch::Batch, crowd::Connection, live::ConnectionId, writer::Drawing};
use crate::{
    model::{Code, ReadOnly},
    wire::{Op, Ops},
};

/// What the room takes at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    /// Nothing is taken.
    pub(super) trouble: Option<ReadOnly>,
    pub(super) used_bytes: u64,
    pub(super) quota_bytes: u64,
}

impl Gate {
    /// Why strokes are not taken, if they are not.
    pub(super) fn read_only(&self) -> Option<ReadOnly> {
        let is_full = self.used_bytes >= self.quota_bytes;
        self.trouble.or(is_full.then_some(ReadOnly::Quota))
    }

    fn holds(&self, op: &Op<'_>) -> Option<ReadOnly> {
        let needs_little =
            matches!(op, Op::Undo { .. } | Op::Redo { .. } | Op::Clear { .. } | Op::Lock { .. });
        let reserve = self.quota_bytes / RESERVE_SHARE;
        if self.trouble.is_none() && needs_little && self.used_bytes < self.quota_bytes + reserve {
            return None;
        }
        self.read_only()
    }
}

/// Decides the operations of one frame, in their order.
pub(super) fn decide(
    drawing: &mut Drawing,
    batch: &mut Batch,
    gate: Gate,
    from: ConnectionId,
    connection: &mut Connection,
    ops: &Ops,
) {
    let (member, role) = (connection.member, connection.role);
    for (number, op) in ops.iter() {
        if connection.held.is_some_and(|held| held != number) {
            continue;
        }
        connection.held = None;
        let last = drawing.last_op(member);
        if number <= last {
            // It was decided before; that it comes again means that its author did not hear of it.
            batch.tell(from);
            continue;
        }
        if number > last + 1 && !connection.is_fresh {
            connection.mailbox.end(Code::Gap);
            return;
        }
        // What is on its way to the store takes up room as well: without it, a fast hand would use up the reserve.
        let gate = Gate { used_bytes: gate.used_bytes + batch.bytes(), ..gate };
        if let Some(reason) = hold(&gate, connection, &op) {
            connection.held = Some(number);
            connection.mailbox.hold(number, reason);
            continue;
        }
        connection.is_fresh = false;
        match drawing.take(member, role, number, op) {
            Ok(()) => batch.add(from, member, number, op),
            Err(code) => {
                connection.mailbox.refuse(number, code);
                batch.tell(from);
            }
        }
    }
}

/// A guest has no number that lasts, so nothing of theirs can be taken.
fn hold(gate: &Gate, connection: &Connection, op: &Op<'_>) -> Option<ReadOnly> {
    if connection.is_guest() { Some(gate.trouble.unwrap_or(ReadOnly::Store)) } else { gate.holds(op) }
}
