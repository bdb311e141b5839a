//! A flow for each kind of item.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker, ready};

use pin_project_lite::pin_project;

use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::error::{Both, Never, Unify};
use crate::flow::herd::{Herd, Round};
use crate::flow::upstream::Upstream;
use crate::job::lock;
use crate::sync::Mutex;

pin_project! {
    /// The flow of [`FlowExt::group_by`](crate::FlowExt::group_by).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct GroupBy<S, T, V, F, M, I> {
        #[pin]
        source: Upstream<S>,
        key: F,
        make: M,
        limit: usize,
        members: Herd<I>,
        groups: Groups<V, T>,
        // Taken from the source, and not yet wanted by its group.
        next: Option<(V, T)>,
    }
}

impl<S, T, V, F, M, I> GroupBy<S, T, V, F, M, I> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, limit: usize, key: F, make: M) -> Self {
        assert!(limit > 0, "with zero groups at a time there would be none for any item");
        let (source, members) = (Upstream::new(source), Herd::new());
        Self { source, key, make, limit, members, groups: Groups::default(), next: None }
    }
}

impl<S, T, V, F, M, I> Flow for GroupBy<S, T, V, F, M, I>
where
    S: Flow<Item = T, Error: Unify<I::Error>>,
    V: Eq + Hash + Clone,
    F: FnMut(&T) -> V,
    M: FnMut(V, Group<T>) -> I,
    I: Flow,
{
    type Item = I::Item;
    type Error = Both<S::Error, I::Error>;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(I::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        loop {
            loop {
                if me.next.is_none() {
                    let Poll::Ready(next) = me.source.as_mut().poll_next(cx).map_err(Unify::first)? else {
                        break;
                    };
                    let Some(item) = next else {
                        me.groups.close_all();
                        break;
                    };
                    *me.next = Some(((me.key)(&item), item));
                }
                let Some((key, item)) = me.next.take() else { unreachable!("it was put there just now") };
                let item = match me.groups.give(&key, item) {
                    Ok(()) => continue,
                    Err(Refused::Full(item)) => item,
                    Err(Refused::NoGroup(item)) if me.members.len() < *me.limit => {
                        let mailbox = Mailbox::with(item);
                        let seat = me.members.let_in((me.make)(key.clone(), Group(Arc::clone(&mailbox))));
                        me.groups.open(key, seat, mailbox);
                        continue;
                    }
                    Err(Refused::NoGroup(item)) => {
                        me.groups.close_oldest();
                        item
                    }
                };
                *me.next = Some((key, item));
                break;
            }
            match me.members.poll_round(cx, sink) {
                Round::Spent => {}
                Round::Ended(seat) => me.groups.forget(seat),
                Round::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Round::Failed(error) => return Poll::Ready(Err(S::Error::second(error))),
                Round::Waits if me.next.as_ref().is_some_and(|(key, _)| me.groups.has_room(key)) => {}
                Round::Waits if me.members.is_empty() && me.source.is_ended() && me.next.is_none() => {
                    return Poll::Ready(Ok(ControlFlow::Continue(())));
                }
                Round::Waits => return Poll::Pending,
            }
        }
    }
}

impl<S: Clone, T, V, F: Clone, M: Clone, I> Clone for GroupBy<S, T, V, F, M, I> {
    fn clone(&self) -> Self {
        let (source, key, make) = (self.source.clone(), self.key.clone(), self.make.clone());
        let (members, groups) = (Herd::new(), Groups::default());
        Self { source, key, make, limit: self.limit, members, groups, next: None }
    }
}

describe!(GroupBy<S, T, V, F, M, I>);

/// The groups that are open, and those that were closed and have not ended.
struct Groups<V, T> {
    by_key: HashMap<V, Open<T>>,
    /// Counts what is given, so that it is known who was given something longest ago.
    now: u64,
    /// How many were closed to make room, and have not ended.
    closing: Vec<usize>,
}

struct Open<T> {
    seat: usize,
    mailbox: Arc<Mutex<Mailbox<T>>>,
    /// When it was last given something.
    used: u64,
}

/// Why an item did not go to its group.
enum Refused<T> {
    /// The group has not taken the one before.
    Full(T),
    NoGroup(T),
}

impl<V, T> Default for Groups<V, T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), now: 0, closing: Vec::new() }
    }
}

impl<V: Eq + Hash + Clone, T> Groups<V, T> {
    fn give(&mut self, key: &V, item: T) -> Result<(), Refused<T>> {
        let Some(open) = self.by_key.get_mut(key) else { return Err(Refused::NoGroup(item)) };
        let mut mailbox = lock(&open.mailbox);
        if mailbox.is_closed {
            return Err(Refused::NoGroup(item));
        }
        if mailbox.item.is_some() {
            return Err(Refused::Full(item));
        }
        mailbox.item = Some(item);
        let reader = mailbox.reader.take();
        drop(mailbox);
        self.now += 1;
        open.used = self.now;
        reader.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether an item that was refused would not be refused for the same reason now.
    fn has_room(&self, key: &V) -> bool {
        self.by_key.get(key).is_some_and(|open| {
            let mailbox = lock(&open.mailbox);
            !mailbox.is_closed && mailbox.item.is_none()
        })
    }

    fn open(&mut self, key: V, seat: usize, mailbox: Arc<Mutex<Mailbox<T>>>) {
        self.now += 1;
        self.by_key.insert(key, Open { seat, mailbox, used: self.now });
    }

    /// Makes room: the group that was given nothing for the longest time gets no more. One at a time.
    fn close_oldest(&mut self) {
        if !self.closing.is_empty() {
            return;
        }
        let oldest = self.by_key.iter().min_by_key(|(_, open)| open.used).map(|(key, _)| key.clone());
        if let Some(open) = oldest.and_then(|key| self.by_key.remove(&key)) {
            self.closing.push(open.seat);
            close(&open.mailbox);
        }
    }

    fn close_all(&mut self) {
        self.by_key.values().for_each(|open| close(&open.mailbox));
    }

    /// The group in this seat has ended.
    fn forget(&mut self, seat: usize) {
        self.closing.retain(|closing| *closing != seat);
        self.by_key.retain(|_, open| open.seat != seat);
    }
}

/// Room for one item on its way to a group.
struct Mailbox<T> {
    item: Option<T>,
    /// Nothing more comes, or nothing more is wanted.
    is_closed: bool,
    reader: Option<Waker>,
}

impl<T> Mailbox<T> {
    fn with(item: T) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { item: Some(item), is_closed: false, reader: None }))
    }
}

fn close<T>(mailbox: &Mutex<Mailbox<T>>) {
    let reader = {
        let mut mailbox = lock(mailbox);
        mailbox.is_closed = true;
        mailbox.reader.take()
    };
    reader.into_iter().for_each(Waker::wake);
}

/// The items of one kind, as a flow; see [`FlowExt::group_by`](crate::FlowExt::group_by). It cannot fail.
///
/// It ends when the source ends, or when its place is wanted for another group.
pub struct Group<T>(Arc<Mutex<Mailbox<T>>>);

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
        let mut mailbox = lock(&self.0);
        if mailbox.item.is_some() || mailbox.is_closed {
            return Poll::Ready(mailbox.item.take());
        }
        let before = mailbox.reader.replace(cx.waker().clone());
        drop(mailbox);
        drop(before);
        Poll::Pending
    }
}

impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        close(&self.0);
        let unwanted = lock(&self.0).item.take();
        drop(unwanted);
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group")
    }
}
