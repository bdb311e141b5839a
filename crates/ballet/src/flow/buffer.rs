//! Stages between which there is a child: what stands above runs in it, in parallel with what stands below.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::describe;
use super::error::FlowError;
use super::pipe::{Found, Keep, Reader, Writer, pipe};
use crate::dispatch::Dispatcher;
use crate::scope::Held;

/// How far ahead a flow on another dispatcher may run; see [`FlowExt::flow_on`](crate::FlowExt::flow_on).
pub const FLOW_ON_PLACES: usize = 64;

/// The flow of [`FlowExt::buffer`](crate::FlowExt::buffer), [`FlowExt::conflate`](crate::FlowExt::conflate) and [`FlowExt::flow_on`](crate::FlowExt::flow_on).
#[must_use = "a flow does nothing until it is collected"]
pub struct Buffer<S, T, E> {
    terms: Terms,
    /// [`Terms::begin`]. As a pointer, so that what it asks of the flow above is asked where the stage is made, and the
    /// stage is a flow without a condition: rustc (1.95) cannot tell whether code is `Send` while it still infers its types.
    begin: fn(&Terms, S, &mut Poller<'_>) -> Running<T, E>,
    state: State<S, T, E>,
}

#[derive(Clone)]
struct Terms {
    keep: Keep,
    /// Of the child.
    name: &'static str,
    dispatcher: Option<Dispatcher>,
    place: &'static Location<'static>,
}

enum State<S, T, E> {
    /// The flow above has not begun; empty in a clone of one that had.
    Fresh(Option<S>),
    /// It runs in its child.
    Running(Running<T, E>),
    /// It has ended or failed, and its child has ended.
    Over,
}

struct Running<T, E> {
    reader: Reader<T, E>,
    /// Owns the child.
    held: Held<Infallible>,
    /// How the flow above ended, from when all its items have been handed on.
    end: Option<Result<(), E>>,
}

impl<S, T, E> Buffer<S, T, E>
where
    S: Flow<Item = T, Error = E> + Send + 'static,
    T: Send + 'static,
    E: FlowError + Send + 'static,
{
    #[track_caller]
    pub(super) fn new(source: S, places: usize) -> Self {
        assert!(places > 0, "a buffer of zero places would hold no item");
        Self::with(source, Keep::All(places), "buffer", None)
    }

    #[track_caller]
    pub(super) fn conflate(source: S) -> Self {
        Self::with(source, Keep::Newest, "conflate", None)
    }

    #[track_caller]
    pub(super) fn flow_on(source: S, dispatcher: &Dispatcher) -> Self {
        Self::with(source, Keep::All(FLOW_ON_PLACES), "flow_on", Some(dispatcher.clone()))
    }

    #[track_caller]
    fn with(source: S, keep: Keep, name: &'static str, dispatcher: Option<Dispatcher>) -> Self {
        let terms = Terms { keep, name, dispatcher, place: Location::caller() };
        Self { terms, begin: Terms::begin, state: State::Fresh(Some(source)) }
    }
}

// The flow above is pinned in its child, not here.
impl<S, T, E> Unpin for Buffer<S, T, E> {}

impl<S, T, E: FlowError> Flow for Buffer<S, T, E> {
    type Item = T;
    type Error = E;

    fn poll_each<K>(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let Self { terms, begin, state } = &mut *self;
        if let State::Fresh(source) = state {
            let Some(source) = source.take() else { panic!("this flow is a clone of one that had begun") };
            *state = State::Running(begin(terms, source, cx));
        }
        let State::Running(running) = state else { return Poll::Ready(Ok(ControlFlow::Continue(()))) };
        if ready!(running.poll_items(cx, sink)).is_break() {
            return Poll::Ready(Ok(ControlFlow::Break(())));
        }
        // What the flow above left behind ends before this stage does.
        let _ = ready!(running.held.poll_end(cx));
        // Without an end the child was cancelled, and so is whoever polls this.
        let Some(end) = running.end.take() else { return Poll::Pending };
        *state = State::Over;
        Poll::Ready(end.map(ControlFlow::Continue))
    }
}

impl Terms {
    fn begin<S, T, E>(&self, source: S, cx: &mut Poller<'_>) -> Running<T, E>
    where
        S: Flow<Item = T, Error = E> + Send + 'static,
        T: Send + 'static,
        E: FlowError + Send + 'static,
    {
        let (writer, reader) = pipe(self.keep);
        let held = Held::open(self.place, cx);
        let mut child = held.named(self.name);
        if let Some(dispatcher) = &self.dispatcher {
            child = child.on(dispatcher);
        }
        child.spawn(Pump { source, writer });
        Running { reader, held, end: None }
    }
}

impl<T, E> Running<T, E> {
    /// Hands on what there is. Ready when the sink breaks, or when there is nothing more.
    fn poll_items<K>(&mut self, cx: &mut Poller<'_>, sink: &mut K) -> Poll<ControlFlow<()>>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        while self.end.is_none() {
            while let Some(item) = self.reader.next_in_hand() {
                if sink(item).is_break() {
                    self.reader.rest();
                    return Poll::Ready(ControlFlow::Break(()));
                }
            }
            match ready!(self.reader.poll_refill(cx)) {
                Found::Items => {}
                Found::End(end) => self.end = Some(end),
                Found::Nothing => break,
            }
        }
        Poll::Ready(ControlFlow::Continue(()))
    }
}

impl<S: Clone, T, E> Clone for Buffer<S, T, E> {
    fn clone(&self) -> Self {
        let source = match &self.state {
            State::Fresh(source) => source.clone(),
            State::Running(_) | State::Over => None,
        };
        Self { terms: self.terms.clone(), begin: self.begin, state: State::Fresh(source) }
    }
}

describe!(Buffer<S, T, E>);

pin_project! {
    /// The child: runs a flow into a pipe.
    struct Pump<S, T, E> {
        #[pin]
        source: S,
        writer: Writer<T, E>,
    }
}

impl<S, T, E> Future for Pump<S, T, E>
where
    S: Flow<Item = T, Error = E>,
{
    type Output = Result<(), Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut me = self.project();
        loop {
            let room = ready!(me.writer.poll_room(cx));
            let writer = &mut *me.writer;
            let polled = me.source.as_mut().poll_each(cx, &mut |item| {
                if writer.gather(item) == room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let end = match polled {
                Poll::Ready(Ok(ControlFlow::Break(()))) => {
                    me.writer.hand_over(None);
                    continue;
                }
                Poll::Pending => {
                    me.writer.hand_over(None);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(ControlFlow::Continue(()))) => Ok(()),
                Poll::Ready(Err(error)) => Err(error),
            };
            me.writer.hand_over(Some(end));
            return Poll::Ready(Ok(()));
        }
    }
}
