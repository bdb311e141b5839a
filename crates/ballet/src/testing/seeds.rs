//! The same test in many orders of its polls, each drawn from a seed.

use std::fmt;
use std::panic::Location;
use std::thread;

use super::rehearsal::rehearse;
use crate::dispatch::order;

/// The environment variable that names the one seed to run.
const VARIABLE: &str = "BALLET_SEED";

/// Runs the body of a test once for each seed below `seeds`, as [`run`](super::run) does, each time in another order of
/// polls. This is what `#[ballet::test(seeds = 64)]` calls.
///
/// Whenever several jobs can run, the seed decides which is next, and now and then that the code of the test and other
/// tasks come before any. From the seed come also Ballet's own dice (the jitter of a [`Backoff`](crate::Backoff), the
/// arms of a fair select) and the chances of [`Faults`](super::Faults); not those of `tokio::select!` without `biased`,
/// nor the order of a `HashMap`. So an order can be had again: the seed of a run that fails is printed, and with
/// `BALLET_SEED` set to it that run alone is made.
///
/// # Panics
///
/// When a run fails, and when `BALLET_SEED` is set to what is not a number.
///
/// # Examples
///
/// ```
/// use ballet::{Scope, testing};
/// use std::collections::HashSet;
/// use std::sync::Mutex;
///
/// let orders = Mutex::new(HashSet::new());
/// testing::run_seeds("three children in every order", 64, async || {
///     let order = ballet::scope(async |s: Scope| {
///         let (tx, rx) = std::sync::mpsc::channel();
///         for child in 1..=3 {
///             let tx = tx.clone();
///             s.spawn(async move { Ok(tx.send(child)?) });
///         }
///         drop(tx);
///         testing::wait_idle().await;
///         Ok(rx.iter().collect::<Vec<_>>())
///     });
///     orders.lock().unwrap().insert(order.await.unwrap());
/// });
/// assert_eq!(orders.into_inner().unwrap().len(), 6);
/// ```
#[track_caller]
pub fn run_seeds<B, R>(name: &'static str, seeds: u64, body: B)
where
    B: AsyncFn() -> R,
    R: Verdict,
{
    let place = Location::caller();
    let wanted = wanted();
    for seed in wanted.map_or(0..seeds, |seed| seed..seed.saturating_add(1)) {
        let _announced = Announced { name, seed };
        let _order = order::seeded(seed);
        fastrand::seed(seed);
        if let Some(error) = rehearse(name, place, body()).error() {
            panic!("the test `{name}` returned an error: {error}");
        }
    }
}

/// The seed that is asked for.
fn wanted() -> Option<u64> {
    let text = std::env::var(VARIABLE).ok()?;
    let Ok(seed) = text.parse() else { panic!("{VARIABLE} is `{text}`, which is not the number of a seed") };
    Some(seed)
}

/// What a test may return.
///
/// # Examples
///
/// ```
/// use ballet::testing::Verdict;
///
/// assert_eq!(Err::<(), _>("torn").error().as_deref(), Some("\"torn\""));
/// ```
pub trait Verdict {
    /// Why the test failed, if it did.
    fn error(&self) -> Option<String>;
}

impl Verdict for () {
    fn error(&self) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Debug> Verdict for Result<T, E> {
    fn error(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}

/// Says under which seed a panic came.
struct Announced {
    name: &'static str,
    seed: u64,
}

impl Drop for Announced {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { name, seed } = self;
            eprintln!(
                "`{name}` failed under the seed {seed}; to run it alone: {VARIABLE}={seed} cargo test {name}"
            );
        }
    }
}
