//! A test that is run again and again, and dropped at each of its yields.

use std::future::poll_fn;
use std::panic::Location;
use std::task::Poll;
use std::thread;

use super::rehearsal::{Rehearsal, this_test};
use crate::dispatch::order;
use crate::job::current;

/// How many yields of a body [`cancel_at_every_await`] goes through.
pub const CUTS_MAX: u64 = 10_000;

/// Runs `body` again and again: dropped at its first yield, at its second, and so on, until it comes to its end.
///
/// A yield is one of the body itself or of any job below it, so the body is dropped between any two steps of its tree.
/// (Jobs that are Tokio tasks are not counted, nor are tasks of other libraries.) It runs below a root of its own each
/// time. After each cut, what the body left must end: no job or open scope stays, every finalizer ends within its budget,
/// no failure goes unobserved: a job that fails just before a cut is one, unless its scope has an `on_failure` sink. What
/// else must hold after a cut is asserted at the beginning of `body`, about what stands
/// outside of it.
///
/// `body` has to come to its end after the same steps each time, or nearly so: its time is virtual, and its order is that
/// of the queues or of the test's seed.
///
/// # Panics
///
/// When anything is wrong after a cut: the message says at which yield, and draws the tree as it was then. When the body
/// panics. When it still yields after [`CUTS_MAX`] cuts. Outside of a `#[ballet::test]`, and inside a job of one.
///
/// # Cancel safety
///
/// Dropping it drops the body, as a cut does, and nothing is asserted.
///
/// # Examples
///
/// ```
/// use ballet::{Bulkhead, testing};
/// use std::time::Duration;
///
/// testing::run("a place is given back, wherever its user is cut", async {
///     let places = Bulkhead::new("stage", 1);
///     testing::cancel_at_every_await(async || {
///         assert_eq!(places.occupancy().in_use, 0);
///         let _place = places.acquire().await.unwrap().begin();
///         tokio::time::sleep(Duration::from_secs(1)).await;
///     })
///     .await;
/// });
/// ```
#[track_caller]
pub fn cancel_at_every_await<B, R>(body: B) -> impl Future<Output = R>
where
    B: AsyncFn() -> R,
{
    let place = Location::caller();
    async move {
        let in_a_job = current().up_to_job().iter().any(|node| node.is_job());
        assert!(
            !in_a_job,
            "cancel_at_every_await cuts a lane's whole work: call it from the test's own code, not from a job"
        );
        for cut in 1..=CUTS_MAX {
            let _announced = Announced(cut);
            if let Some(result) = attempt(cut, &body, place).await {
                return result;
            }
        }
        panic!("this body still yields after {CUTS_MAX} cuts: is it endless?");
    }
}

/// One run, cut at its `cut`th yield; gives the result where it comes to its end before.
async fn attempt<R>(cut: u64, body: &impl AsyncFn() -> R, place: &'static Location<'static>) -> Option<R> {
    let rehearsal = Rehearsal::new(format!("cut at yield {cut}"), &this_test(), place);
    let (result, tree) = perform(cut, &rehearsal, body).await;
    let verdict = rehearsal.verdict().await;
    let dropped = rehearsal.finalizers_dropped();
    let wrong = match verdict {
        Err(wrong) => wrong,
        Ok(()) if dropped.is_empty() => return result,
        Ok(()) => format!("finalizers did not end within their budgets: {}", dropped.join(", ")),
    };
    let when = if result.is_some() { "after its end" } else { "after a cut" };
    panic!("{when}: {wrong}\nthis was the tree then:\n{tree}");
}

/// Polls the body until it is ready or to be cut; also gives the tree as it was then.
async fn perform<R>(cut: u64, rehearsal: &Rehearsal, body: &impl AsyncFn() -> R) -> (Option<R>, String) {
    let mut order = None;
    let mut running = Box::pin(body());
    let ended = poll_fn(|cx| {
        order.get_or_insert_with(|| order::cut_after(cut, cx.waker().clone()));
        if !order::is_cut() {
            if let Poll::Ready(result) = rehearsal.poll(running.as_mut(), cx) {
                return Poll::Ready(Some(result));
            }
            order::note_own_poll();
        }
        if order::is_cut() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    let tree = rehearsal.root().tree().to_string();
    // What is left of the order would hold the finalizers back.
    drop(order);
    rehearsal.perform(async { drop(running) }).await;
    (ended, tree)
}

/// Says at which cut a panic came.
struct Announced(u64);

impl Drop for Announced {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("cancel_at_every_await: the body was to be cut at its yield {}", self.0);
        }
    }
}
