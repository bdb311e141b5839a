//! The flow that an operator stands on.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::{Flow, Polled};

pin_project! {
    /// A flow until its end: it is dropped as soon as it has ended or failed, or when no more of it is wanted.
    #[derive(Clone)]
    pub struct Upstream<S> {
        #[pin]
        flow: Option<S>,
    }
}

/// How many items one of several flows may give before it is the turn of the next.
const BURST: u32 = 32;

/// How a flow's turn went.
pub(super) enum Burst<E> {
    /// It waits, and has seen to it that it will be woken.
    Waits,
    /// It has had its turn, and may have more.
    Spent,
    /// The sink broke.
    Paused,
    /// It has ended, now or before.
    Ended,
    /// It has failed.
    Failed(E),
}

impl<E> Burst<E> {
    pub(super) fn map_err<G>(self, map: impl FnOnce(E) -> G) -> Burst<G> {
        match self {
            Burst::Waits => Burst::Waits,
            Burst::Spent => Burst::Spent,
            Burst::Paused => Burst::Paused,
            Burst::Ended => Burst::Ended,
            Burst::Failed(error) => Burst::Failed(map(error)),
        }
    }
}

impl<S> Upstream<S> {
    pub(super) fn new(flow: S) -> Self {
        Self { flow: Some(flow) }
    }

    /// None yet: as one that has ended.
    pub(super) fn none() -> Self {
        Self { flow: None }
    }

    /// Takes the place of the flow that was there.
    pub(super) fn begin(self: Pin<&mut Self>, flow: S) {
        self.project().flow.set(Some(flow));
    }

    pub(super) fn is_ended(&self) -> bool {
        self.flow.is_none()
    }

    /// Drops the flow: whatever it holds and runs ends here.
    pub(super) fn stop(self: Pin<&mut Self>) {
        self.project().flow.set(None);
    }
}

impl<S: Flow> Upstream<S> {
    /// As [`Flow::poll_each`]; a flow that has ended ends again.
    #[inline]
    pub(super) fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let mut me = self.project();
        let Some(flow) = me.flow.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(ControlFlow::Continue(())));
        };
        let polled = flow.poll_each(cx, sink);
        if matches!(polled, Poll::Ready(Ok(ControlFlow::Continue(())) | Err(_))) {
            me.flow.set(None);
        }
        polled
    }

    /// A few items, so that others have their turn; a flow that has ended ends again.
    #[inline]
    pub(super) fn poll_burst<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Burst<S::Error>
    where
        K: FnMut(S::Item) -> ControlFlow<()>,
    {
        let (mut left, mut step) = (BURST, ControlFlow::Continue(()));
        let polled = self.poll_each(cx, &mut |item| {
            left -= 1;
            step = sink(item);
            if left == 0 { ControlFlow::Break(()) } else { step }
        });
        match polled {
            Poll::Pending => Burst::Waits,
            Poll::Ready(Err(error)) => Burst::Failed(error),
            Poll::Ready(Ok(ControlFlow::Continue(()))) => Burst::Ended,
            Poll::Ready(Ok(ControlFlow::Break(()))) if step.is_break() => Burst::Paused,
            Poll::Ready(Ok(ControlFlow::Break(()))) => Burst::Spent,
        }
    }

    /// One item, or `None` at the end.
    #[inline]
    pub(super) fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Result<Option<S::Item>, S::Error>> {
        let mut next = None;
        let polled = self.poll_each(cx, &mut |item| {
            next = Some(item);
            ControlFlow::Break(())
        });
        polled.map_ok(|_| next)
    }
}
