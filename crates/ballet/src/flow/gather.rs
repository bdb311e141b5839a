//! What becomes of a flow's items: the ends of a chain, which are awaited.
//!
//! [`Gather`] runs a flow into a [`Gatherer`]; each file of `gather/` holds gatherers of one kind.

mod collect;
mod fold;
mod next;
mod search;

pub use collect::Collect;
pub use fold::{Count, Drain, Fold, Last, Reduce};
pub use next::Next;
pub use search::{All, Any, First, NotSingle, Single};

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

use super::basis::Flow;
use super::describe;
use super::error::{FlowError, Output};
use super::upstream::Upstream;

/// Takes the items of a flow, one by one, and makes one value of them.
pub trait Gatherer<T> {
    /// What it makes.
    type Value;

    /// Takes an item; breaks when it has had enough.
    fn take_in(&mut self, item: T) -> ControlFlow<()>;

    /// What it has made.
    fn finish(self) -> Self::Value;
}

pin_project! {
    /// The future of the operators that end a chain. It gives a plain value where the flow cannot fail, and a `Result`
    /// elsewhere.
    #[must_use = "a flow runs only when it is awaited"]
    pub struct Gather<S, G> {
        #[pin]
        source: Upstream<S>,
        // Until it has finished.
        gatherer: Option<G>,
    }
}

impl<S: Flow, G: Gatherer<S::Item>> Gather<S, G> {
    pub(super) fn new(source: S, gatherer: G) -> Self {
        Self { source: Upstream::new(source), gatherer: Some(gatherer) }
    }
}

impl<S: Flow, G: Gatherer<S::Item>> Future for Gather<S, G> {
    type Output = Output<S::Error, G::Value>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut me = self.project();
        // On the stack while the flow runs, so that the compiler may keep it in registers.
        let Some(mut gatherer) = me.gatherer.take() else {
            panic!("a flow was awaited after it had given its value")
        };
        let polled = me.source.as_mut().poll_each(cx, &mut |item| gatherer.take_in(item));
        let Poll::Ready(ended) = polled else {
            *me.gatherer = Some(gatherer);
            return Poll::Pending;
        };
        // Also where the gatherer has had enough.
        me.source.stop();
        Poll::Ready(S::Error::output(ended.map(|_| gatherer.finish())))
    }
}

describe!(Gather<S, G>);
