//! What all handles of one channel share: the books and their lock.

use std::sync::Arc;

use super::books::{Aftermath, Books, Overflow};
use super::stats::Stats;
use super::{Receiver, Sender};
use crate::job::lock;
use crate::sync::Mutex;

pub(super) struct Shared<T> {
    books: Mutex<Books<T>>,
}

impl<T> Shared<T> {
    pub(super) fn open(places: usize, overflow: Overflow) -> (Sender<T>, Receiver<T>) {
        let shared = Arc::new(Self { books: Mutex::new(Books::new(places, overflow)) });
        (Sender::first(Arc::clone(&shared)), Receiver::first(shared))
    }

    /// Changes the books, then does what is left to do without the lock.
    pub(super) fn change<R>(&self, step: impl FnOnce(&mut Books<T>, &mut Aftermath<T>) -> R) -> R {
        let mut after = Aftermath::new();
        let result = step(&mut lock(&self.books), &mut after);
        after.settle();
        result
    }

    pub(super) fn stats(&self) -> Stats {
        lock(&self.books).stats()
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.books).refusal().is_some()
    }
}
