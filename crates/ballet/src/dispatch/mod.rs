//! Where a job runs.
//!
//! A job is a *guest* on one of the *lanes* of its runtime: each lane is a long-running Tokio task that polls many
//! guests. Read the README of this folder for the picture, then `guest` (a cell and its turns), `lane`, `active` (the
//! one that this thread polls), `crew` (the lanes of a runtime), `parking` (who sleeps), `vigil` (who stays up), `watch`
//! (who helps behind a long poll) and `view` (limited views).
//! This module refuses to know what a job is.

mod active;
mod clearing;
mod clock;
mod crew;
pub(crate) mod guest;
mod hold;
mod lane;
mod local;
pub(crate) mod memory;
#[cfg(feature = "testing")]
pub(crate) mod order;
mod parking;
pub(crate) mod unit;
mod view;
mod vigil;
mod watch;
mod yield_now;

use std::fmt;
use std::sync::{Arc, PoisonError};

use tokio::runtime::Handle;

use crew::{Crew, Work};
use guest::Turn;
use local::LocalQueue;
use view::View;

use crate::sync::{Mutex, MutexGuard};

pub use yield_now::yield_now;

pub(crate) use clock::{Lapse, Looked, Moment, go_by, look_at_clock, now};
pub(crate) use crew::when_closed;
pub(crate) use hold::hold_wakes;

/// Where the children of a scope run: on the lanes of the runtime, on a limited view of them, or as Tokio tasks.
///
/// Children run on the lanes unless [`Child::on`](crate::Child::on) says otherwise. Cloning is one reference count.
///
/// A lane polls one child after the other, so a child must not wait by blocking: not in `tokio::task::block_in_place`
/// either, which gives Tokio another worker and Ballet no other lane. Children on the lanes that wait in it for other
/// children on the lanes wait for ever. [`Scope::blocking`](crate::Scope::blocking) is made for that, and
/// [`Dispatcher::tokio`] allows it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Dispatcher, Scope};
///
/// let disk = Dispatcher::limited(2, "disk");
/// let sum = ballet::scope(async |s: Scope| {
///     let reads = [1, 2, 3].map(|n| s.named("read").on(&disk).spawn(async move { Ok(n) })); // two at a time
///     let mut sum = 0;
///     for read in reads {
///         sum += read.await;
///     }
///     Ok(sum)
/// })
/// .await?;
/// assert_eq!(sum, 6);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Dispatcher(Kind);

#[derive(Clone)]
enum Kind {
    Lanes(Arc<Crew>),
    Limited(Arc<View>),
    Tokio(Handle),
    /// The task of a local scope.
    Local(Arc<LocalQueue>),
}

impl Dispatcher {
    /// The lanes of the runtime that is polling us: one for each worker.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn lanes() -> Self {
        Self(Kind::Lanes(Crew::of(&runtime())))
    }

    /// A view of the lanes that polls at most `limit` of its jobs at the same time, without threads of its own.
    ///
    /// It bounds how many run, not how many wait: a job that awaits something gives its place to the next, so this
    /// is not a mutex. The name appears where the dispatcher is displayed. A view whose jobs never wait takes turns
    /// with all other work of its lanes.
    ///
    /// # Panics
    ///
    /// When `limit` is zero; outside a Tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn limited(limit: usize, name: &'static str) -> Self {
        assert!(limit > 0, "a dispatcher limited to zero jobs would never run one");
        Self(Kind::Limited(View::new(name, limit, Crew::of(&runtime()))))
    }

    /// Ordinary Tokio tasks of the runtime that is polling us, for Tokio's own fairness and tools. A job costs one
    /// Tokio task more.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[must_use]
    #[track_caller]
    pub fn tokio() -> Self {
        Self(Kind::Tokio(runtime()))
    }

    /// The task that polls us, for the children of one local scope.
    #[track_caller]
    pub(crate) fn local() -> Self {
        Self(Kind::Local(Arc::new(LocalQueue::new(runtime()))))
    }

    /// The queue of a local scope.
    pub(crate) fn local_queue(&self) -> Option<&LocalQueue> {
        match &self.0 {
            Kind::Local(queue) => Some(queue),
            Kind::Lanes(_) | Kind::Limited(_) | Kind::Tokio(_) => None,
        }
    }

    pub(crate) fn is_tokio(&self) -> bool {
        matches!(self.0, Kind::Tokio(_))
    }

    /// Has the guest polled on a lane. On a runtime that has been shut down its body is dropped at once.
    #[inline]
    pub(crate) fn schedule(&self, turn: Turn) {
        match &self.0 {
            Kind::Lanes(crew) => crew.add(Work::Turn(turn)),
            Kind::Limited(view) => view.add(turn),
            Kind::Local(queue) => queue.add(turn),
            Kind::Tokio(_) => unreachable!("a job that is a Tokio task is scheduled by Tokio"),
        }
    }

    /// Runs `future` as a Tokio task of the same runtime. On one that has been shut down it is dropped at once.
    #[expect(clippy::disallowed_methods, reason = "the one place where an owned job becomes a Tokio task")]
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let handle = match &self.0 {
            Kind::Lanes(crew) => crew.handle(),
            Kind::Limited(view) => view.crew().handle(),
            Kind::Tokio(handle) => handle,
            Kind::Local(queue) => &queue.runtime,
        };
        drop(handle.spawn(future));
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Lanes(crew) => crew.fmt(f),
            Kind::Limited(view) => view.fmt(f),
            Kind::Tokio(_) => f.write_str("Tokio"),
            Kind::Local(_) => f.write_str("Local"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn runtime() -> Handle {
    let Ok(handle) = Handle::try_current() else {
        panic!(
            "Ballet runs on a Tokio runtime and there is none here: \
             call this inside #[tokio::main], #[ballet::main] or Runtime::block_on"
        );
    };
    handle
}
