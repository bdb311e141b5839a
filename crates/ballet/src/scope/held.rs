//! A scope that is held as a value and polled by hand, for what is a state machine and no code: the stages of a flow.
//!
//! It is an ordinary scope in all else. It stands where it is first polled; dropped before its end, its children are
//! cancelled and adopted there.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::{Child, Frame, Scope};
use crate::job::{Domain, Failure, Fault, current};

/// An open scope in which all fail together.
pub(crate) struct Held<E: Fault> {
    scope: Scope<E>,
    /// Until it has ended.
    run: Option<BoxFuture<'static, Result<(), Failure<E>>>>,
    /// Ends the scope's body, so that it waits for its last children; present until then.
    close: Option<oneshot::Sender<()>>,
    place: &'static Location<'static>,
}

impl<E: Fault> Held<E> {
    /// Opens a scope inside the job that polls.
    pub(crate) fn open(place: &'static Location<'static>, cx: &mut Poller<'_>) -> Self {
        let frame = Frame::open(Domain::Together, current().values(), place);
        let scope = Scope::new(Arc::clone(&frame));
        let (close, closed) = oneshot::channel();
        let body = async move {
            // An error says that the other end was dropped, and the scope is dropped with it.
            let _ = closed.await;
            Ok(())
        };
        let mut held = Self { scope, run: Some(Box::pin(frame.run(body))), close: Some(close), place };
        // So that it waits to be closed.
        let _ = held.poll(cx);
        held
    }

    /// A child that is told to have been born where the scope was.
    pub(crate) fn child(&self) -> Child<'_, E> {
        let mut child = self.scope.nameless();
        child.place = Some(self.place);
        child
    }

    /// As [`child`](Self::child), with a name.
    pub(crate) fn named(&self, name: &'static str) -> Child<'_, E> {
        let mut child = self.scope.named(name);
        child.place = Some(self.place);
        child
    }

    /// A handle to it.
    pub(crate) fn handle(&self) -> Scope<E> {
        self.scope.clone()
    }

    /// Ready when the scope has ended before it was let end: it has failed, or was cancelled. Pending ever after.
    ///
    /// # Panics
    ///
    /// Resumes the first panic of a child.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Failure<E>>> {
        let Some(run) = &mut self.run else { return Poll::Pending };
        let polled = run.as_mut().poll(cx);
        if polled.is_ready() {
            self.run = None;
        }
        polled
    }

    /// As [`poll`](Self::poll), and lets the scope end when its children have.
    pub(crate) fn poll_end(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Failure<E>>> {
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        self.poll(cx)
    }

    /// Lets the scope end, and waits for that.
    pub(crate) async fn ended(mut self) -> Result<(), Failure<E>> {
        poll_fn(|cx| self.poll_end(cx)).await
    }
}

impl<E: Fault> fmt::Debug for Held<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.scope).finish()
    }
}
