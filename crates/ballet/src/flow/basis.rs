//! The trait of all flows: what it is, for those who write one. What can be done with one stands in `operators`.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use super::error::FlowError;

/// What [`Flow::poll_each`] gives.
pub type Polled<E> = Poll<Result<ControlFlow<()>, E>>;

#[doc = include_str!("docs/flow.md")]
#[must_use = "a flow does nothing until it is collected"]
pub trait Flow {
    /// What it emits.
    type Item;

    /// What it may fail with; [`Never`](super::Never) where it cannot.
    type Error: FlowError;

    #[doc = include_str!("docs/poll_each.md")]
    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<Self::Error>
    where
        K: FnMut(Self::Item) -> ControlFlow<()>;
}
