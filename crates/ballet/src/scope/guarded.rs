//! A future that holds something for as long as it lives.

use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// Drops the guard after the future, whether that ended, panicked or was dropped unpolled.
    ///
    /// An `async` block around the future would do the same and store the future twice.
    pub(super) struct Guarded<F, G> {
        #[pin]
        future: F,
        guard: G,
    }
}

impl<F, G> Guarded<F, G> {
    pub(super) fn new(future: F, guard: G) -> Self {
        Self { future, guard }
    }
}

impl<F: Future, G> Future for Guarded<F, G> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}
