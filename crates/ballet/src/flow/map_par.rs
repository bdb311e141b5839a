//! Many items at work at the same time, each in a child of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::upstream::Upstream;
use crate::job::lock;
use crate::scope::Held;
use crate::sync::Mutex;

pin_project! {
    /// The flow of [`FlowExt::map_par`](crate::FlowExt::map_par) and [`FlowExt::map_par_unordered`](crate::FlowExt::map_par_unordered).
    #[must_use = "a flow does nothing until it is collected"]
    pub struct MapPar<S, F, W, U> {
        #[pin]
        source: Upstream<S>,
        map: F,
        terms: Terms,
        // `Crew::begin`; a pointer for the same reason as in `Buffer`.
        begin: fn(&mut Crew<U>, Order, W),
        // From the first poll on.
        crew: Option<Crew<U>>,
    }
}

#[derive(Clone, Copy)]
struct Terms {
    limit: usize,
    order: Order,
    place: &'static Location<'static>,
}

/// In which order results are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// That of the items.
    Kept,
    /// That in which they come.
    AsTheyCome,
}

impl<S, F, W, U> MapPar<S, F, W, U>
where
    W: Future<Output = U> + Send + 'static,
    U: Send + 'static,
{
    #[track_caller]
    pub(super) fn new(source: S, limit: usize, order: Order, map: F) -> Self {
        assert!(limit > 0, "a map of zero items at a time could never give one");
        let terms = Terms { limit, order, place: Location::caller() };
        Self { source: Upstream::new(source), map, terms, begin: Crew::begin, crew: None }
    }
}

impl<S, F, W, U> Flow for MapPar<S, F, W, U>
where
    S: Flow,
    F: FnOnce(S::Item) -> W + Clone,
{
    type Item = U;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(U) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let crew = me.crew.get_or_insert_with(|| Crew::open(me.terms.place, cx));
        loop {
            while let Some(result) = crew.take() {
                if sink(result).is_break() {
                    return Poll::Ready(Ok(ControlFlow::Break(())));
                }
            }
            while crew.at_work < me.terms.limit
                && let Poll::Ready(Some(item)) = me.source.as_mut().poll_next(cx)?
            {
                (me.begin)(crew, me.terms.order, me.map.clone()(item));
            }
            if crew.at_work == 0 && me.source.is_ended() {
                let _ = ready!(crew.held.poll_end(cx));
                return Poll::Ready(Ok(ControlFlow::Continue(())));
            }
            if ready!(crew.poll_result(cx)).is_err() {
                // A child panicked, which resumes here; or it was cancelled, and so is whoever polls this.
                let _ = ready!(crew.held.poll(cx));
                return Poll::Pending;
            }
        }
    }
}

impl<S: Clone, F: Clone, W, U> Clone for MapPar<S, F, W, U> {
    fn clone(&self) -> Self {
        let (source, map) = (self.source.clone(), self.map.clone());
        Self { source, map, terms: self.terms, begin: self.begin, crew: None }
    }
}

describe!(MapPar<S, F, W, U>);

/// The children at work.
struct Crew<U> {
    held: Held<Infallible>,
    results: Arc<Mutex<Results<U>>>,
    /// How many items were begun, and their results not handed on.
    at_work: usize,
    /// How many items were begun before the next one.
    begun: u64,
}

/// A child went without a result.
struct Lost;

impl<U> Crew<U> {
    fn open(place: &'static Location<'static>, cx: &mut Poller<'_>) -> Self {
        let results = Results { done: VecDeque::new(), first: 0, is_lost: false, reader: None };
        Self { held: Held::open(place, cx), results: Arc::new(Mutex::new(results)), at_work: 0, begun: 0 }
    }

    fn begin<W>(&mut self, order: Order, work: W)
    where
        W: Future<Output = U> + Send + 'static,
        U: Send + 'static,
    {
        let delivery =
            Delivery { results: Arc::clone(&self.results), order, number: self.begun, is_made: false };
        if order == Order::Kept {
            lock(&self.results).done.push_back(None);
        }
        self.begun += 1;
        self.at_work += 1;
        self.held.child().spawn(async move {
            let result = work.await;
            delivery.make(result);
            Ok(())
        });
    }

    /// The next result, if it is there.
    fn take(&mut self) -> Option<U> {
        let mut results = lock(&self.results);
        let result = results.done.front_mut()?.take()?;
        results.done.pop_front();
        results.first += 1;
        self.at_work -= 1;
        Some(result)
    }

    /// Ready when the next result is there.
    fn poll_result(&self, cx: &Poller<'_>) -> Poll<Result<(), Lost>> {
        let mut results = lock(&self.results);
        if results.done.front().is_some_and(Option::is_some) {
            return Poll::Ready(Ok(()));
        }
        if results.is_lost {
            return Poll::Ready(Err(Lost));
        }
        let replaced = results.reader.replace(cx.waker().clone());
        drop(results);
        drop(replaced);
        Poll::Pending
    }
}

/// Results on their way from the children to the flow.
struct Results<U> {
    /// Where the order is kept, a place for each item that was begun.
    done: VecDeque<Option<U>>,
    /// The number of the item that has the first place.
    first: u64,
    /// A child went without a result.
    is_lost: bool,
    reader: Option<Waker>,
}

impl<U> Results<U> {
    fn put(&mut self, order: Order, number: u64, result: U) {
        match order {
            Order::AsTheyCome => self.done.push_back(Some(result)),
            Order::Kept => {
                // Places before it are handed on first, so its own is there.
                let place =
                    usize::try_from(number - self.first).ok().and_then(|index| self.done.get_mut(index));
                if let Some(place) = place {
                    *place = Some(result);
                }
            }
        }
    }
}

/// One child's way to hand its result over.
struct Delivery<U> {
    results: Arc<Mutex<Results<U>>>,
    order: Order,
    /// Of its item.
    number: u64,
    is_made: bool,
}

impl<U> Delivery<U> {
    fn make(mut self, result: U) {
        self.is_made = true;
        let reader = {
            let mut results = lock(&self.results);
            results.put(self.order, self.number, result);
            let is_next = results.done.front().is_some_and(Option::is_some);
            if is_next { results.reader.take() } else { None }
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

/// Tells the flow where there will be no result: its child panicked, was cancelled or never ran.
impl<U> Drop for Delivery<U> {
    fn drop(&mut self) {
        if self.is_made {
            return;
        }
        let reader = {
            let mut results = lock(&self.results);
            results.is_lost = true;
            results.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}
