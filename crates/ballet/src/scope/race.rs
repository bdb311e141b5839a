//! Races: of several futures that do the same, the first counts.
//!
//! The racers are children of a supervisor scope of their own, so that one may fail alone. A race returns when the
//! last racer has ended, not when the first has won: nothing of it goes on behind its caller's back.

use std::panic::Location;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{SupervisorScope, supervisor_scope};
use crate::job::{Deferred, Failure, Fault, Isolated};
use crate::observe::say;

/// Runs the futures in parallel and gives how the first of them ended, with a value or a failure; the others are
/// cancelled, and awaited before this returns.
///
/// To go on past failures, use [`race_ok`].
///
/// # Errors
///
/// The failure of the racer that ended first. A racer that fails later, in a shield for instance, is written to
/// `tracing` as an error, as under a [`supervisor_scope`](crate::supervisor_scope) that nobody watches.
///
/// # Panics
///
/// When there is no future to race. A racer that ends first by a panic resumes it here, when the others have ended.
///
/// # Cancel safety
///
/// As [`scope`](crate::scope): the racers are cancelled and adopted.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use std::time::Duration;
///
/// let ask = async |mirror: &'static str, ping: u64| {
///     tokio::time::sleep(Duration::from_millis(ping)).await;
///     Ok::<_, ballet::Error>(mirror)
/// };
/// let nearest = ballet::race([ask("Lima", 80), ask("Oslo", 2)]).await?;
/// assert_eq!(nearest, "Oslo");
/// # Ok(()) }
/// ```
#[track_caller]
pub fn race<T, E, F>(futures: impl IntoIterator<Item = F>) -> impl Future<Output = Result<T, Failure<E>>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    run(futures, async |racers: &mut Racers<T, E>| match racers.next().await {
        Some(ended) => ended.map_err(Failure::resume_panic),
        None => panic!("a race of nobody has no winner"),
    })
}

/// Runs the futures in parallel and gives the first value; the others are cancelled, and awaited before this returns.
///
/// A failure is not an end as long as another racer may still win.
///
/// # Errors
///
/// When all have failed: the first failure, with the others as [`suppressed`](Failure::suppressed). Where one has
/// won, the failures before it are written to `tracing` at the debug level, and those after it as errors.
///
/// # Panics
///
/// When there is no future to race. A racer that panics before one has won ends the race, and its panic resumes here.
///
/// # Cancel safety
///
/// As [`scope`](crate::scope): the racers are cancelled and adopted.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::Error;
///
/// let ask = async |mirror: &'static str, is_up: bool| {
///     if is_up { Ok(mirror) } else { Err(Error::msg(format!("{mirror} is down"))) }
/// };
/// assert_eq!(ballet::race_ok([ask("Lima", false), ask("Oslo", true)]).await?, "Oslo");
///
/// let failure = ballet::race_ok([ask("Lima", false), ask("Oslo", false)]).await.unwrap_err();
/// assert_eq!(failure.suppressed().len(), 1); // both are told
/// # Ok(()) }
/// ```
#[track_caller]
pub fn race_ok<T, E, F>(futures: impl IntoIterator<Item = F>) -> impl Future<Output = Result<T, Failure<E>>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    run(futures, async |racers: &mut Racers<T, E>| {
        let mut failures = Vec::with_capacity(racers.len());
        while let Some(ended) = racers.next().await {
            match ended {
                Ok(value) => {
                    failures.iter().for_each(outrun);
                    return Ok(value);
                }
                Err(failure) => failures.push(failure.resume_panic()),
            }
        }
        let mut failures = failures.into_iter();
        match failures.next() {
            Some(first) => Err(first.with_suppressed(failures.collect())),
            None => panic!("a race of nobody has no winner"),
        }
    })
}

/// Tells of a failure that no longer matters.
fn outrun<E: Fault>(failure: &Failure<E>) {
    say(|| {
        tracing::debug!(
            target: "ballet",
            path = %failure.path(), place = %failure.place(),
            "a racer failed, and another has won: {failure:?}"
        );
    });
}

type Racers<T, E> = FuturesUnordered<Deferred<T, E, Isolated>>;

/// Spawns the racers, lets `judge` decide, and ends those that are left.
#[track_caller]
fn run<T, E, F, J>(
    futures: impl IntoIterator<Item = F>,
    judge: J,
) -> impl Future<Output = Result<T, Failure<E>>>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
    J: AsyncFnOnce(&mut Racers<T, E>) -> Result<T, Failure<E>>,
{
    let place = Location::caller();
    // At once: the futures themselves would be copied through every layer of the scope's future.
    let futures: Vec<F> = futures.into_iter().collect();
    let race = supervisor_scope(async move |s: SupervisorScope<E>| {
        let mut child = s.nameless();
        child.place = Some(place);
        let mut racers: Racers<T, E> = child.spawn_all(futures).into_iter().collect();
        let verdict = judge(&mut racers).await;
        s.cancel_children_from(place);
        Ok(verdict)
    });
    race.map(Result::flatten)
}
