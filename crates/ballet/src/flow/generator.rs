//! Flows that are written as code: an `async` closure that emits.
//!
//! [`Body`] is the code as it runs, with the slot that its items go through; it is also a part of the operators that
//! let code emit (`transform`, `catch`, `on_start`, `on_empty`). [`Generator`] is the flow that is nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};
use super::budget::Turns;
use super::describe;
use super::emitter::Emitter;
use super::error::Verdict;
use super::slot::Slot;
use std::ops::ControlFlow;

/// A flow that is written as code. It emits what `body` emits, one item at a time: the code rests at each
/// [`emit`](Emitter::emit) until the next item is wanted.
///
/// It is cold: the code runs when the flow is collected, inside the collector's task and context, once for each clone.
/// It cannot fail where the code returns `()`; where it returns `Result<(), E>`, the flow fails with `E`.
///
/// # Cancel safety
///
/// When the collector has had enough or is dropped, the code is dropped where it rests.
///
/// # Panics
///
/// A panic in the code unwinds into the collector. A flow that was cloned from one that had begun panics when it is polled:
/// the code was gone by then.
///
/// # Cost
///
/// One small allocation when it begins.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, FlowExt, flow};
///
/// let fibonacci = flow(async |out| {
///     let (mut one, mut next) = (0_u64, 1);
///     loop {
///         out.emit(one).await;
///         (one, next) = (next, one + next);
///     }
/// });
/// let first: Vec<u64> = fibonacci.take(8).collect().await;
/// assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13]);
///
/// // Code that may fail: so may the flow, and awaiting it gives a `Result`.
/// let numbers = flow(async |out| {
///     for word in ["1", "2", "three"] {
///         out.emit(word.parse::<u32>()?).await;
///     }
///     Ok::<_, Error>(())
/// });
/// assert!(numbers.collect::<Vec<_>>().await.is_err());
/// # Ok(()) }
/// ```
pub fn flow<T, R, B>(body: B) -> Generator<B, T, impl Future<Output = R>>
where
    B: AsyncFnOnce(&mut Emitter<'_, T>) -> R,
    R: Verdict,
{
    Generator::new(body, |body: B, slot| async move { body(&mut Emitter::new(&slot)).await })
}

pin_project! {
    /// The flow that [`flow`](fn@crate::flow) makes.
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Generator<B, T, F> {
        // Until it begins.
        code: Option<B>,
        has_ended: bool,
        begin: fn(B, Arc<Slot<T>>) -> F,
        #[pin]
        body: Body<T, F>,
    }
}

impl<B, T, F> Generator<B, T, F> {
    pub(super) fn new(code: B, begin: fn(B, Arc<Slot<T>>) -> F) -> Self {
        Self { code: Some(code), has_ended: false, begin, body: Body::new() }
    }
}

impl<B, T, F> Flow for Generator<B, T, F>
where
    F: Future<Output: Verdict>,
{
    type Item = T;
    type Error = <F::Output as Verdict>::Error;

    #[inline]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(T) -> ControlFlow<()>,
    {
        let mut me = self.project();
        if *me.has_ended {
            return Poll::Ready(Ok(ControlFlow::Continue(())));
        }
        if !me.body.is_running() {
            let Some(code) = me.code.take() else { panic!("this flow is a clone of one that had begun") };
            me.body.as_mut().begin(|slot| (me.begin)(code, slot));
        }
        let polled = me.body.as_mut().poll_each(cx, sink);
        *me.has_ended = !me.body.is_running();
        polled
    }
}

impl<B: Clone, T, F> Clone for Generator<B, T, F> {
    fn clone(&self) -> Self {
        Self { code: self.code.clone(), has_ended: false, begin: self.begin, body: Body::new() }
    }
}

describe!(Generator<B, T, F>);

pin_project! {
    /// Emitting code, while it runs.
    pub struct Body<T, F> {
        // Made at the first run.
        slot: Option<Arc<Slot<T>>>,
        #[pin]
        code: Option<F>,
        turns: Turns,
    }
}

impl<T, F> Body<T, F> {
    pub(super) fn new() -> Self {
        Self { slot: None, code: None, turns: Turns::new() }
    }

    pub(super) fn is_running(&self) -> bool {
        self.code.is_some()
    }

    /// Runs this code from now on. The slot is the one that it emits through.
    pub(super) fn begin(self: Pin<&mut Self>, code: impl FnOnce(Arc<Slot<T>>) -> F) {
        let mut me = self.project();
        let slot = me.slot.get_or_insert_with(|| Arc::new(Slot::new()));
        me.code.set(Some(code(Arc::clone(slot))));
    }

    /// As a flow's; the code must be running. At its end it is dropped, and other code can begin.
    #[inline]
    pub(super) fn poll_each<K, E>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<E>
    where
        K: FnMut(T) -> ControlFlow<()>,
        F: Future<Output: Verdict<Error = E>>,
    {
        let mut me = self.project();
        let slot: &Slot<T> = me.slot.as_deref().unwrap_or_else(|| unreachable!("made when the code began"));
        slot.polled_by(cx.waker());
        let Some(mut code) = me.code.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(ControlFlow::Continue(())));
        };
        let end = loop {
            ready!(me.turns.poll(cx));
            if let Poll::Ready(end) = code.as_mut().poll(cx) {
                break end;
            }
            let Some(item) = slot.take() else {
                me.turns.waits();
                return Poll::Pending;
            };
            if sink(item).is_break() {
                return Poll::Ready(Ok(ControlFlow::Break(())));
            }
        };
        // An `emit` that was leaked may have left its item.
        drop(slot.take());
        me.code.set(None);
        Poll::Ready(end.verdict().map(ControlFlow::Continue))
    }
}
