//! A flow for each kind of item.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::mailbox::{Group, Mailbox, Refused};
use crate::flow::basis::{Flow, Polled};
use crate::flow::budget::is_spent;
use crate::flow::describe;
use crate::flow::error::{Both, Unify};
use crate::flow::herd::{Herd, Round};
use crate::flow::upstream::Upstream;

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
        // Nothing was left of the last poll after the source, so the groups come first in the next; then the source again.
        source_owes: bool,
    }
}

impl<S, T, V, F, M, I> GroupBy<S, T, V, F, M, I> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, limit: usize, key: F, make: M) -> Self {
        assert!(limit > 0, "with zero groups at a time there would be none for any item");
        let (source, members) = (Upstream::new(source), Herd::new());
        Self { source, key, make, limit, members, groups: Groups::default(), source_owes: false }
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
        let owed = mem::take(me.source_owes);
        let mut is_asked = !owed;
        loop {
            while is_asked
                && let next = me.groups.poll_next(me.source.as_mut(), me.key, cx)
                && let Poll::Ready(Some((key, item))) = next.map_err(Unify::first)?
            {
                match me.groups.give(key, item, me.members.len() < *me.limit) {
                    Given::Away => {}
                    Given::Waits => break,
                    Given::Begins(key, item) => {
                        let (mailbox, group) = Mailbox::with(item);
                        let seat = me.members.let_in((me.make)(key.clone(), group));
                        me.groups.open(key, seat, mailbox);
                    }
                }
            }
            *me.source_owes = !owed && is_spent();
            match me.members.poll_round(cx, sink) {
                Round::Spent => {}
                Round::Ended(seat) => me.groups.forget(seat),
                Round::Paused => return Poll::Ready(Ok(ControlFlow::Break(()))),
                Round::Failed(error) => return Poll::Ready(Err(S::Error::second(error))),
                Round::Waits if !is_asked || me.groups.poll_room(cx).is_ready() => {}
                Round::Waits if me.members.is_empty() && me.source.is_ended() && me.groups.are_served() => {
                    return Poll::Ready(Ok(ControlFlow::Continue(())));
                }
                Round::Waits => return Poll::Pending,
            }
            is_asked = true;
        }
    }
}

impl<S: Clone, T, V, F: Clone, M: Clone, I> Clone for GroupBy<S, T, V, F, M, I> {
    fn clone(&self) -> Self {
        let (source, key, make) = (self.source.clone(), self.key.clone(), self.make.clone());
        let (members, groups) = (Herd::new(), Groups::default());
        Self { source, key, make, limit: self.limit, members, groups, source_owes: false }
    }
}

describe!(GroupBy<S, T, V, F, M, I>);

/// The groups that are open, and those that were closed and have not ended.
struct Groups<V, T> {
    by_key: HashMap<V, Open<T>>,
    /// Counts what is given, so that it is known who was given something longest ago.
    now: u64,
    /// Those that get no more, and whose flows have not ended.
    closing: Vec<(V, Open<T>)>,
    /// The seat of the one of `closing` that was closed to make room. The others ended by themselves, and their flows may
    /// go on for as long as they like.
    making_room: Option<usize>,
    /// Taken from the source and given to no group yet, the oldest first: one item at most, and those that came back.
    waiting: VecDeque<(V, T)>,
    /// The source has ended.
    is_over: bool,
}

struct Open<T> {
    seat: usize,
    mailbox: Mailbox<T>,
    /// When it was last given something.
    used: u64,
}

/// An item with its key, or the end.
type Next<V, T, E> = Poll<Result<Option<(V, T)>, E>>;

/// What became of an item.
enum Given<V, T> {
    /// Its group has it.
    Away,
    /// It waits.
    Waits,
    /// A group is to begin with it.
    Begins(V, T),
}

impl<V, T> Default for Groups<V, T> {
    fn default() -> Self {
        let (closing, waiting) = (Vec::new(), VecDeque::new());
        Self { by_key: HashMap::new(), now: 0, closing, making_room: None, waiting, is_over: false }
    }
}

impl<V: Eq + Hash + Clone, T> Groups<V, T> {
    /// The next item: one that waits, or the source's next. With the source's end the groups end.
    fn poll_next<S: Flow<Item = T>>(
        &mut self,
        source: Pin<&mut Upstream<S>>,
        key_of: &mut impl FnMut(&T) -> V,
        cx: &mut Poller<'_>,
    ) -> Next<V, T, S::Error> {
        if let Some(next) = self.waiting.pop_front() {
            return Poll::Ready(Ok(Some(next)));
        }
        let next = ready!(source.poll_next(cx))?;
        if next.is_none() && !self.is_over {
            self.is_over = true;
            self.close_all();
        }
        Poll::Ready(Ok(next.map(|item| (key_of(&item), item))))
    }

    /// Gives an item to its group, if that has room.
    fn give(&mut self, key: V, item: T, has_seat: bool) -> Given<V, T> {
        let Some(open) = self.by_key.get_mut(&key) else { return self.begin(key, item, has_seat) };
        match open.mailbox.put(item) {
            Ok(()) => {
                self.now += 1;
                open.used = self.now;
                Given::Away
            }
            Err(Refused::Full(item)) => self.wait(key, item),
            Err(Refused::Over(left, item)) => {
                self.closing.extend(self.by_key.remove_entry(&key));
                let Some(left) = left else { return self.begin(key, item, has_seat) };
                self.waiting.push_front((key.clone(), item));
                self.begin(key, left, has_seat)
            }
        }
    }

    /// Has a group begin with an item, if there is a seat for it.
    fn begin(&mut self, key: V, item: T, has_seat: bool) -> Given<V, T> {
        if has_seat {
            return Given::Begins(key, item);
        }
        self.close_oldest();
        self.wait(key, item)
    }

    fn wait(&mut self, key: V, item: T) -> Given<V, T> {
        self.waiting.push_front((key, item));
        Given::Waits
    }

    /// Ready when the first item that waits need not wait any more.
    fn poll_room(&self, cx: &Poller<'_>) -> Poll<()> {
        let group = self.waiting.front().and_then(|(key, _)| self.by_key.get(key));
        // Where it has none, a flow has to end, which the herd tells.
        group.map_or(Poll::Pending, |open| open.mailbox.poll_room(cx))
    }

    fn open(&mut self, key: V, seat: usize, mailbox: Mailbox<T>) {
        if self.is_over {
            mailbox.close();
        }
        self.now += 1;
        self.by_key.insert(key, Open { seat, mailbox, used: self.now });
    }

    /// Makes room: the group that was given nothing for the longest time gets no more. One at a time. A group that ended
    /// by itself has no room to give: its flow keeps the seat, and cannot be told.
    fn close_oldest(&mut self) {
        if self.making_room.is_some() {
            return;
        }
        let groups = self.by_key.iter().filter(|(_, open)| !open.mailbox.is_deserted());
        let oldest = groups.min_by_key(|(_, open)| open.used).map(|(key, _)| key.clone());
        if let Some((key, open)) = oldest.and_then(|key| self.by_key.remove_entry(&key)) {
            open.mailbox.close();
            self.making_room = Some(open.seat);
            self.closing.push((key, open));
        }
    }

    /// The flow of the group in this seat has ended. What it was given and has not taken goes to the next group.
    fn forget(&mut self, seat: usize) {
        self.making_room.take_if(|making_room| *making_room == seat);
        let closed = self.closing.extract_if(.., |(_, open)| open.seat == seat);
        for (key, open) in closed.chain(self.by_key.extract_if(|_, open| open.seat == seat)) {
            if let Some(item) = open.mailbox.end() {
                self.waiting.push_front((key, item));
            }
        }
    }
}

impl<V, T> Groups<V, T> {
    /// Whether no item waits.
    fn are_served(&self) -> bool {
        self.waiting.is_empty()
    }

    fn close_all(&mut self) {
        self.by_key.values().for_each(|open| open.mailbox.close());
    }
}

/// Groups that are read elsewhere end with the flow.
impl<V, T> Drop for Groups<V, T> {
    fn drop(&mut self) {
        self.close_all();
    }
}
