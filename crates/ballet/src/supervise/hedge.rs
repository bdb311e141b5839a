//! Hedging: a call that takes long is made a second time, and the first answer counts.
//!
//! It is for the slow tail of calls that are safe to repeat, and cheap enough to be made in vain. The copies are children
//! of a supervisor scope, so each is seen in the tree, and none is left behind.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

use super::RetryBudget;
use crate::job::{Deferred, Failure, Fault, Isolated, Origin, Reason, current};
use crate::observe::say;
use crate::scope::{SupervisorScope, supervisor_scope};

/// A policy of hedging.
///
/// The call is made. Where it has not ended after a while, it is made again, and so on up to the number of copies; a copy
/// that fails brings the next one forward. The first value counts: the other copies are cancelled, and awaited before
/// this returns.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, Hedge};
/// use std::time::Duration;
/// use tokio::time::{Instant, sleep};
///
/// let hedge = Hedge::after(Duration::from_millis(50));
/// let began = Instant::now();
/// let answer = hedge
///     .run(async |copy| {
///         let ping = if copy == 1 { 2_000 } else { 20 }; // the first one is stuck
///         sleep(Duration::from_millis(ping)).await;
///         Ok::<_, Error>(copy)
///     })
///     .await?;
/// assert_eq!((answer, began.elapsed().as_millis()), (2, 70));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a hedge does nothing until it is given a call to `run`"]
pub struct Hedge {
    delay: Duration,
    copies: u32,
    budget: Option<RetryBudget>,
}

impl Hedge {
    /// A second copy after `delay`: the time that only a few calls take, such as the 95th percentile.
    pub const fn after(delay: Duration) -> Self {
        Self { delay, copies: 2, budget: None }
    }

    /// At most this many copies, the first included, each `delay` after the one before; at least one is made.
    pub const fn copies(mut self, copies: u32) -> Self {
        self.copies = copies;
        self
    }

    /// Copies after the first come out of this budget, and none is made when it is spent. Give hedges one of their own:
    /// each call pays in.
    pub fn budget(mut self, budget: &RetryBudget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Makes the call. `call` is given the number of the copy, from 1.
    ///
    /// # Errors
    ///
    /// When all copies have failed: the first failure, with the others as [`suppressed`](Failure::suppressed). Where one
    /// has succeeded, failures before it are written to `tracing` at the debug level.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with its timer on. A copy that panics before one has succeeded ends the call, and its panic
    /// resumes here.
    ///
    /// # Cancel safety
    ///
    /// As [`scope`](crate::scope): the copies are cancelled and adopted.
    #[track_caller]
    pub fn run<T, E, C, F>(&self, call: C) -> impl Future<Output = Result<T, Failure<E>>> + use<T, E, C, F>
    where
        C: FnOnce(u32) -> F + Clone,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Fault,
    {
        let (hedge, place) = (self.clone(), Location::caller());
        let race = supervisor_scope(async move |scope: SupervisorScope<E>| {
            let copies = Copies { hedge, call, place, scope, racers: FuturesUnordered::new(), made: 0 };
            Ok(copies.first().await)
        });
        race.map(Result::flatten)
    }
}

/// The copies of one call.
struct Copies<C, T, E: Fault> {
    hedge: Hedge,
    call: C,
    place: &'static Location<'static>,
    scope: SupervisorScope<E>,
    racers: FuturesUnordered<Deferred<T, E, Isolated>>,
    made: u32,
}

impl<C, F, T, E> Copies<C, T, E>
where
    C: FnOnce(u32) -> F + Clone,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    async fn first(mut self) -> Result<T, Failure<E>> {
        self.hedge.budget.iter().for_each(RetryBudget::deposit);
        self.make();
        let mut failures = Vec::new();
        loop {
            match self.next().await {
                None => self.hedge(),
                Some(Ok(value)) => {
                    self.end();
                    failures.iter().for_each(outrun);
                    return Ok(value);
                }
                Some(Err(failure)) => {
                    failures.push(failure.resume_panic());
                    self.hedge();
                    if self.racers.is_empty() {
                        let mut failures = failures.into_iter();
                        let Some(first) = failures.next() else { unreachable!("one has just failed") };
                        return Err(first.with_suppressed(failures.collect()));
                    }
                }
            }
        }
    }

    /// How the next copy ends; `None` where it is time for another.
    async fn next(&mut self) -> Option<Result<T, Failure<E>>> {
        let may_hedge = self.made < self.hedge.copies;
        let mut timer = pin!(may_hedge.then(|| sleep(self.hedge.delay)));
        poll_fn(|cx| {
            if let Poll::Ready(ended) = self.racers.poll_next_unpin(cx) {
                return Poll::Ready(ended);
            }
            match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Makes another copy, if there may be one.
    fn hedge(&mut self) {
        let is_allowed =
            self.made < self.hedge.copies && self.hedge.budget.as_ref().is_none_or(RetryBudget::withdraw);
        if is_allowed {
            self.make();
        } else {
            self.hedge.copies = self.made;
        }
    }

    fn make(&mut self) {
        self.made += 1;
        let call = self.call.clone();
        let name = format!("copy-{}", self.made);
        self.racers.push(self.scope.named(name).born_at(self.place).spawn(call(self.made)));
    }

    /// Cancels the copies that are left.
    fn end(&self) {
        let reason = Reason::Requested(Origin::new(current().path(), self.place));
        self.racers.iter().for_each(|racer| racer.job().ask(&reason));
    }
}

/// Tells of a failure that no longer matters.
fn outrun<E: Fault>(failure: &Failure<E>) {
    say(|| {
        tracing::debug!(
            target: "ballet",
            path = %failure.path(), place = %failure.place(),
            "a copy of a call failed, and another has succeeded: {failure:?}"
        );
    });
}
