//! Who waits at one side of a channel: in order of arrival, and free to leave from anywhere.
//!
//! A list linked through a slab: joining, serving the first and leaving from the middle take constant time, and no
//! memory once as many have waited before. Whoever was served is no longer in the list, but keeps the ticket until it
//! has looked.

use std::task::Waker;

use slab::Slab;

/// One who waits, with what it brought along.
struct Waiting<P> {
    standing: Standing,
    /// Present as long as it is in the list.
    waker: Option<Waker>,
    brought: P,
    before: Option<Ticket>,
    behind: Option<Ticket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In the list.
    Waits,
    /// Called up: what it waits for is kept for it until it comes or leaves.
    Granted,
    /// What it brought has been taken; it has only to be told.
    Done,
}

pub(super) type Ticket = usize;

pub(super) struct Line<P> {
    all: Slab<Waiting<P>>,
    first: Option<Ticket>,
    last: Option<Ticket>,
    waiting: usize,
    granted: usize,
}

impl<P> Line<P> {
    pub(super) fn new() -> Self {
        Self { all: Slab::new(), first: None, last: None, waiting: 0, granted: 0 }
    }

    /// How many are in the list.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// For how many something is kept.
    #[inline]
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// Whether nobody waits and nothing is kept for anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting + self.granted == 0
    }

    #[inline]
    pub(super) fn join(&mut self, brought: P, waker: Waker) -> Ticket {
        let ticket = self.all.insert(Waiting {
            standing: Standing::Waits,
            waker: Some(waker),
            brought,
            before: self.last,
            behind: None,
        });
        match self.last.replace(ticket) {
            Some(last) => self.all[last].behind = Some(ticket),
            None => self.first = Some(ticket),
        }
        self.waiting += 1;
        ticket
    }

    #[inline]
    pub(super) fn standing(&self, ticket: Ticket) -> Standing {
        self.all[ticket].standing
    }

    /// What the first in the list brought.
    #[inline]
    pub(super) fn first_brought(&mut self) -> Option<&mut P> {
        self.first.map(|first| &mut self.all[first].brought)
    }

    /// Calls up the first in the list.
    #[inline]
    pub(super) fn grant_first(&mut self) -> Option<Waker> {
        let waker = self.serve_first(Standing::Granted)?;
        self.granted += 1;
        Some(waker)
    }

    /// Tells the first in the list that what it brought has been taken.
    #[inline]
    pub(super) fn tell_first_done(&mut self) -> Option<Waker> {
        self.serve_first(Standing::Done)
    }

    #[inline]
    fn serve_first(&mut self, standing: Standing) -> Option<Waker> {
        let first = self.first?;
        self.unlink(first);
        let waiting = &mut self.all[first];
        waiting.standing = standing;
        waiting.waker.take()
    }

    /// Keeps the waker up to date; gives the one that it replaced.
    pub(super) fn wait_on(&mut self, ticket: Ticket, waker: &Waker) -> Option<Waker> {
        match &mut self.all[ticket].waker {
            Some(known) if known.will_wake(waker) => None,
            known => known.replace(waker.clone()),
        }
    }

    /// Takes back what is kept for a ticket: it is the first in the list again.
    pub(super) fn return_to_front(&mut self, ticket: Ticket, waker: Waker) {
        self.granted -= 1;
        self.waiting += 1;
        let behind = self.first.replace(ticket);
        match behind {
            Some(behind) => self.all[behind].before = Some(ticket),
            None => self.last = Some(ticket),
        }
        let waiting = &mut self.all[ticket];
        waiting.standing = Standing::Waits;
        waiting.waker = Some(waker);
        waiting.before = None;
        waiting.behind = behind;
    }

    /// Leaves for good. The waker comes along, to be dropped.
    #[inline]
    pub(super) fn leave(&mut self, ticket: Ticket) -> Left<P> {
        match self.standing(ticket) {
            Standing::Waits => self.unlink(ticket),
            Standing::Granted => self.granted -= 1,
            Standing::Done => {}
        }
        let Waiting { standing, waker, brought, .. } = self.all.remove(ticket);
        Left { standing, waker, brought }
    }

    /// The wakers of all in the list, who stay there.
    pub(super) fn wakers(&self) -> impl Iterator<Item = Waker> {
        self.all.iter().filter_map(|(_, waiting)| waiting.waker.clone())
    }

    #[inline]
    fn unlink(&mut self, ticket: Ticket) {
        let Waiting { before, behind, .. } = self.all[ticket];
        match before {
            Some(before) => self.all[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.all[behind].before = before,
            None => self.last = before,
        }
        self.waiting -= 1;
    }
}

/// What remains of one who has left.
pub(super) struct Left<P> {
    pub(super) standing: Standing,
    pub(super) waker: Option<Waker>,
    pub(super) brought: P,
}
