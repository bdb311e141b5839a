//! What all handles of one channel share: the books and their lock.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::aftermath::Aftermath;
use super::books::{Books, Overflow, Received};
use super::error::{Cause, Unsent};
use super::line::Ticket;
use super::stats::Stats;
use super::{Receiver, Sender};
use crate::sync::{ShortGuard, ShortLock};

pub(super) struct Shared<T> {
    books: ShortLock<Books<T>>,
}

impl<T> Shared<T> {
    pub(super) fn open(places: usize, overflow: Overflow) -> (Sender<T>, Receiver<T>) {
        let shared = Arc::new(Self { books: ShortLock::new(Books::new(places, overflow)) });
        (Sender::first(Arc::clone(&shared)), Receiver::first(shared))
    }

    /// Changes the books, then does what is left to do without the lock.
    pub(super) fn change<R>(&self, step: impl FnOnce(&mut Books<T>, &mut Aftermath) -> R) -> R {
        let mut after = Aftermath::new();
        let result = step(&mut self.books.lock(), &mut after);
        after.settle();
        result
    }

    /// One poll of a sender. What is simple is done here, and inlined into whoever sends.
    #[inline]
    pub(super) fn poll_send(
        &self,
        item: &mut Option<T>,
        ticket: &mut Option<Ticket>,
        brings: bool,
        waker: &Waker,
    ) -> Poll<Result<(), Unsent<T>>> {
        let mut wake = None;
        let mut books = self.books.lock();
        if ticket.is_some() || !books.put_at_once(item, &mut wake) {
            return poll_send_further(books, item, ticket, brings, waker);
        }
        drop(books);
        if let Some(wake) = wake {
            wake.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends without waiting, likewise.
    #[inline]
    pub(super) fn try_send(&self, item: T) -> Result<(), Unsent<T>> {
        let (mut item, mut wake) = (Some(item), None);
        let mut books = self.books.lock();
        books.put_at_once(&mut item, &mut wake);
        let Some(item) = item else {
            drop(books);
            if let Some(wake) = wake {
                wake.wake();
            }
            return Ok(());
        };
        try_send_further(books, item)
    }

    /// One poll of a receiver, likewise.
    #[inline]
    pub(super) fn poll_recv(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Poll<Received<T>> {
        let mut wake = None;
        let mut books = self.books.lock();
        let item = if ticket.is_none() { books.take_at_once(&mut wake) } else { None };
        if item.is_none() {
            return poll_recv_further(books, ticket, waker);
        }
        drop(books);
        if let Some(wake) = wake {
            wake.wake();
        }
        Poll::Ready(Ok(item))
    }

    pub(super) fn close_because(&self, cause: Cause) -> bool {
        self.change(|books, after| books.close(Some(cause), after))
    }

    pub(super) fn stats(&self) -> Stats {
        self.books.lock().stats()
    }

    pub(super) fn has_missed_receivers(&self) -> bool {
        self.books.lock().has_missed_receivers()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.books.lock().refusal().is_some()
    }
}

#[inline(never)]
fn poll_send_further<T>(
    mut books: ShortGuard<'_, Books<T>>,
    item: &mut Option<T>,
    ticket: &mut Option<Ticket>,
    brings: bool,
    waker: &Waker,
) -> Poll<Result<(), Unsent<T>>> {
    let mut after = Aftermath::new();
    let answer = books.poll_send(item, ticket, brings, waker, &mut after);
    drop(books);
    after.settle();
    answer.map_ok(drop)
}

#[inline(never)]
fn try_send_further<T>(mut books: ShortGuard<'_, Books<T>>, item: T) -> Result<(), Unsent<T>> {
    let mut after = Aftermath::new();
    let answer = books.try_send(item, &mut after);
    drop(books);
    after.settle();
    answer.map(drop)
}

#[inline(never)]
fn poll_recv_further<T>(
    mut books: ShortGuard<'_, Books<T>>,
    ticket: &mut Option<Ticket>,
    waker: &Waker,
) -> Poll<Received<T>> {
    let mut after = Aftermath::new();
    let answer = books.poll_recv(ticket, waker, &mut after);
    drop(books);
    after.settle();
    answer
}
