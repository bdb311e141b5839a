//! The hand-over between a flow that runs in a child and the stage that reads it: one writer, one reader, in batches.
//!
//! It is no channel, because both sides are state machines that hand over what has gathered in one poll: one lock and at
//! most one wake pay for all of it. With one lock for each item a buffer costs several times as much
//! (docs/design/flows.md).

use std::any::type_name;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context as Poller, Poll, Waker};

use crate::job::{lock, waits_for};
use crate::sync::{Mutex, Ordering};

/// The most that a writer gathers before it hands over, so that a reader that waits has something to do.
const BATCH: usize = 64;

/// What a pipe does with items for which there is no place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// The writer waits. At most so many items lie between the two sides, those in their hands included.
    All(usize),
    /// The newest item takes the place of one that has not been read.
    Newest,
}

/// What both sides share.
struct Pipe<T, E> {
    books: Mutex<Books<T, E>>,
    /// The writer waits, and wants to hear of every place that becomes free.
    is_starved: AtomicBool,
}

struct Books<T, E> {
    queue: VecDeque<T>,
    /// Items that the reader has taken and not handed on, as it last said.
    in_hand: usize,
    keep: Keep,
    /// How the flow ended, once it has.
    end: Option<Result<(), E>>,
    /// The writer has gone.
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<T, E> Books<T, E> {
    fn free(&self) -> usize {
        match self.keep {
            Keep::All(places) => places.saturating_sub(self.queue.len() + self.in_hand),
            Keep::Newest => BATCH,
        }
    }

    /// Half of the places at most, so that the writer can fill the others meanwhile. The first of them is handed on at
    /// once and takes no place.
    fn give_out(&mut self, hand: &mut VecDeque<T>) {
        let most = match self.keep {
            Keep::All(places) => places.div_ceil(2).max(1),
            Keep::Newest => 1,
        };
        if self.queue.len() <= most {
            mem::swap(hand, &mut self.queue);
        } else {
            hand.extend(self.queue.drain(..most));
        }
        self.in_hand = hand.len().saturating_sub(1);
    }
}

impl<T, E> Pipe<T, E> {
    /// The writer, where it waits and need not.
    fn release(&self, books: &mut Books<T, E>) -> Option<Waker> {
        if books.free() == 0 {
            return None;
        }
        self.is_starved.store(false, Ordering::Relaxed);
        books.writer.take()
    }
}

pub(super) fn pipe<T, E>(keep: Keep) -> (Writer<T, E>, Reader<T, E>) {
    let books = Books {
        queue: VecDeque::new(),
        in_hand: 0,
        keep,
        end: None,
        is_closed: false,
        reader: None,
        writer: None,
    };
    let pipe = Arc::new(Pipe { books: Mutex::new(books), is_starved: AtomicBool::new(false) });
    (Writer { pipe: Arc::clone(&pipe), batch: Vec::new() }, Reader { pipe, hand: VecDeque::new() })
}

/// The side that the flow runs on.
pub(super) struct Writer<T, E> {
    pipe: Arc<Pipe<T, E>>,
    /// What has gathered since it last handed over.
    batch: Vec<T>,
}

impl<T, E> Writer<T, E> {
    /// How many items may be gathered now; pending where there is no place for one.
    pub(super) fn poll_room(&self, cx: &Poller<'_>) -> Poll<usize> {
        let mut books = lock(&self.pipe.books);
        let free = books.free();
        if free > 0 {
            return Poll::Ready(free.min(BATCH));
        }
        let replaced = books.writer.replace(cx.waker().clone());
        self.pipe.is_starved.store(true, Ordering::Relaxed);
        drop(books);
        drop(replaced);
        waits_for(|| format!("waits for a place in a buffer of {}", type_name::<T>()));
        Poll::Pending
    }

    /// Gathers an item; returns how many have gathered.
    #[inline]
    pub(super) fn gather(&mut self, item: T) -> usize {
        self.batch.push(item);
        self.batch.len()
    }

    /// Hands over what has gathered, and the end where it has come.
    pub(super) fn hand_over(&mut self, end: Option<Result<(), E>>) {
        if self.batch.is_empty() && end.is_none() {
            return;
        }
        let mut replaced = None;
        let reader = {
            let mut books = lock(&self.pipe.books);
            if let Keep::Newest = books.keep
                && let Some(newest) = self.batch.pop()
            {
                replaced = books.queue.pop_front();
                books.queue.push_back(newest);
            } else {
                books.queue.extend(self.batch.drain(..));
            }
            books.end = end.or(books.end.take());
            books.reader.take()
        };
        drop(replaced);
        self.batch.clear();
        reader.into_iter().for_each(Waker::wake);
    }
}

/// The writer goes after it has handed over the end, or because its child panicked or was cancelled.
impl<T, E> Drop for Writer<T, E> {
    fn drop(&mut self) {
        let reader = {
            let mut books = lock(&self.pipe.books);
            books.is_closed = true;
            books.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

/// What a reader finds.
pub(super) enum Found<E> {
    /// Items, which are in hand now.
    Items,
    /// The end of the flow.
    End(Result<(), E>),
    /// That the writer went without an end.
    Nothing,
}

/// The side that the stage reads.
pub(super) struct Reader<T, E> {
    pipe: Arc<Pipe<T, E>>,
    /// Taken, and not yet handed on.
    hand: VecDeque<T>,
}

impl<T, E> Reader<T, E> {
    /// The next item that has been taken already.
    #[inline]
    pub(super) fn next_in_hand(&mut self) -> Option<T> {
        self.hand.pop_front()
    }

    /// Takes what has been handed over, when nothing is left in hand.
    pub(super) fn poll_refill(&mut self, cx: &Poller<'_>) -> Poll<Found<E>> {
        let Self { pipe, hand } = self;
        let mut books = lock(&pipe.books);
        books.give_out(hand);
        let answer = if !hand.is_empty() {
            Poll::Ready(Found::Items)
        } else if let Some(end) = books.end.take() {
            Poll::Ready(Found::End(end))
        } else if books.is_closed {
            Poll::Ready(Found::Nothing)
        } else {
            Poll::Pending
        };
        // Nothing of the one that is replaced runs under the lock: it is dropped at the end.
        let replaced = answer.is_pending().then(|| books.reader.replace(cx.waker().clone()));
        let writer = pipe.release(&mut books);
        drop(books);
        drop(replaced);
        writer.into_iter().for_each(Waker::wake);
        if answer.is_pending() {
            waits_for(|| format!("waits for an item through a buffer of {}", type_name::<T>()));
        }
        answer
    }

    /// Tells a writer that waits how many are still in hand, now that its reader rests.
    #[inline]
    pub(super) fn rest(&self) {
        if self.pipe.is_starved.load(Ordering::Relaxed) {
            self.tell_writer();
        }
    }

    #[cold]
    fn tell_writer(&self) {
        let writer = {
            let mut books = lock(&self.pipe.books);
            books.in_hand = self.hand.len();
            self.pipe.release(&mut books)
        };
        writer.into_iter().for_each(Waker::wake);
    }
}
