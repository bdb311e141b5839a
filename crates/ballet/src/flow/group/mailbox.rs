//! What lies between a [`GroupBy`](super::GroupBy) and one of its groups: room for one item.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker, ready};

use crate::flow::basis::{Flow, Polled};
use crate::flow::error::Never;
use crate::job::lock;
use crate::sync::Mutex;

/// The writing side: room for one item on its way to a group.
pub(super) struct Mailbox<T>(Arc<Mutex<Inner<T>>>);

struct Inner<T> {
    item: Option<T>,
    /// The item is the one that the group began with.
    is_first: bool,
    /// Nothing more comes.
    is_closed: bool,
    /// Nothing more is wanted.
    is_deserted: bool,
    reader: Option<Waker>,
    /// Waits for room.
    writer: Option<Waker>,
}

/// Why an item was not put into a mailbox.
pub(super) enum Refused<T> {
    /// The group has not taken the one before.
    Full(T),
    /// The group is over, and perhaps left an item behind, which came before this one.
    Over(Option<T>, T),
}

impl<T> Mailbox<T> {
    /// The mailbox of a new group, with the item that it begins with.
    pub(super) fn with(item: T) -> (Self, Group<T>) {
        let inner = Arc::new(Mutex::new(Inner {
            item: Some(item),
            is_first: true,
            is_closed: false,
            is_deserted: false,
            reader: None,
            writer: None,
        }));
        (Self(Arc::clone(&inner)), Group(inner))
    }

    pub(super) fn put(&self, item: T) -> Result<(), Refused<T>> {
        let mut inner = lock(&self.0);
        if inner.is_over() {
            // Who has been told that nothing more comes may still take what is there.
            let left = if inner.is_deserted { inner.take_left() } else { None };
            return Err(Refused::Over(left, item));
        }
        if inner.item.is_some() {
            return Err(Refused::Full(item));
        }
        (inner.item, inner.is_first) = (Some(item), false);
        let reader = inner.reader.take();
        drop(inner);
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Ready when an item would not be refused for want of room.
    pub(super) fn poll_room(&self, cx: &Poller<'_>) -> Poll<()> {
        let mut inner = lock(&self.0);
        if inner.is_over() || inner.item.is_none() {
            return Poll::Ready(());
        }
        let before = inner.writer.replace(cx.waker().clone());
        drop(inner);
        drop(before);
        Poll::Pending
    }

    /// The group was dropped: nobody can be told that nothing more comes.
    pub(super) fn is_deserted(&self) -> bool {
        lock(&self.0).is_deserted
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let reader = {
            let mut inner = lock(&self.0);
            inner.is_closed = true;
            inner.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    /// The flow that was made of the group has ended, though it may be read elsewhere still. Gives what it did not take.
    pub(super) fn end(&self) -> Option<T> {
        let (left, reader) = {
            let mut inner = lock(&self.0);
            inner.is_closed = true;
            (inner.take_left(), inner.reader.take())
        };
        reader.into_iter().for_each(Waker::wake);
        left
    }
}

impl<T> Inner<T> {
    fn is_over(&self) -> bool {
        self.is_closed || self.is_deserted
    }

    /// What a group that is over did not take, unless it began with that: to begin with it again would never end.
    fn take_left(&mut self) -> Option<T> {
        if self.is_first { None } else { self.item.take() }
    }
}

/// The items of one kind, as a flow; see [`FlowExt::group_by`](crate::FlowExt::group_by). It cannot fail.
///
/// It ends when the source ends, when the flow that was made of it does, or when its place is wanted for another group.
pub struct Group<T>(Arc<Mutex<Inner<T>>>);

impl<T> Flow for Group<T> {
    type Item = T;
    type Error = Never;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        loop {
            let Some(item) = ready!(self.poll_take(cx)) else {
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            };
            if sink(item).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        }
    }
}

impl<T> Group<T> {
    fn poll_take(&self, cx: &Poller<'_>) -> Poll<Option<T>> {
        let mut inner = lock(&self.0);
        if inner.item.is_some() || inner.is_closed {
            let (item, writer) = (inner.item.take(), inner.writer.take());
            drop(inner);
            writer.into_iter().for_each(Waker::wake);
            return Poll::Ready(item);
        }
        let before = inner.reader.replace(cx.waker().clone());
        drop(inner);
        drop(before);
        Poll::Pending
    }
}

impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        let writer = {
            let mut inner = lock(&self.0);
            inner.is_deserted = true;
            inner.writer.take()
        };
        writer.into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group")
    }
}
