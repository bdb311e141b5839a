//! A limited view: at most `n` of its guests are polled at the same time, on the lanes that are there.
//!
//! A view queues its own guests and puts at most `n` tickets among the lanes' work. A ticket polls one guest and goes
//! to the end of the lane's queue again, so a view whose guests are always ready takes its turns with all others.

use std::fmt;
use std::sync::Arc;

use crossbeam_deque::{Injector, Steal};

use super::crew::{Crew, Work};
use super::guest::{Ran, Turn};
use crate::sync::{AtomicUsize, Ordering, fence};

/// A queue in front of the lanes of one runtime.
pub(crate) struct View {
    name: &'static str,
    limit: usize,
    crew: Arc<Crew>,
    queue: Injector<Turn>,
    /// Tickets that are queued or running; never more than `limit`.
    tickets: AtomicUsize,
}

/// The right to poll one guest of a view.
pub(crate) struct Ticket {
    view: Arc<View>,
}

impl View {
    pub(super) fn new(name: &'static str, limit: usize, crew: Arc<Crew>) -> Arc<Self> {
        Arc::new(Self { name, limit, crew, queue: Injector::new(), tickets: AtomicUsize::new(0) })
    }

    pub(super) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Queues a guest, and a ticket if there may be one more.
    pub(crate) fn add(self: &Arc<Self>, turn: Turn) {
        self.queue.push(turn);
        if self.crew.is_closed() {
            return self.clear();
        }
        fence(Ordering::SeqCst);
        self.issue();
    }

    /// Puts a ticket among the lanes' work unless there are enough.
    fn issue(self: &Arc<Self>) {
        let one_more = |tickets| (tickets < self.limit).then_some(tickets + 1);
        if self.tickets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok() {
            self.crew.add(Work::View(Ticket { view: Arc::clone(self) }));
        }
    }

    fn pop(&self) -> Option<Turn> {
        loop {
            match self.queue.steal() {
                Steal::Success(turn) => return Some(turn),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Hands the guests that nobody will poll any more to the closed crew, which drops them.
    fn clear(&self) {
        while let Some(turn) = self.pop() {
            self.crew.add(Work::Turn(turn));
        }
    }
}

impl Ticket {
    /// Polls one guest; the ticket is queued again while there are more.
    pub(super) fn run(self) {
        let view = Arc::clone(&self.view);
        if let Some(turn) = view.pop()
            && let Ran::Again(turn) = turn.run()
        {
            view.queue.push(turn);
        }
        if !view.queue.is_empty() {
            return view.crew.add(Work::View(self));
        }
        // Given back before the last look: whoever queues a guest after that look issues a ticket of his own.
        view.tickets.fetch_sub(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !view.queue.is_empty() {
            view.issue();
        }
    }
}

/// A ticket that is dropped with the lanes takes the guests behind it with it, because nobody will poll them.
impl Drop for Ticket {
    fn drop(&mut self) {
        if self.view.crew.is_closed() {
            self.view.clear();
        }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("name", &self.name).field("limit", &self.limit).finish_non_exhaustive()
    }
}
