//! Components: parts of the program that drain one after the other, the last one first.
//!
//! A component knows its turn by a number and looks it up among those that are left, so nobody conducts: the end of one
//! is the cue of the one before. It refuses to know what draining means, and leaves whoever is late to the stage.

use std::future::{pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::time::sleep;

use super::phase::OfStage;
use super::{Phase, Phases};
use crate::context::Key;
use crate::job::{Origin, Reason, current};
use crate::scope::with;

/// Runs `future` as a component of the stage: a part that drains in its turn.
///
/// When the stage is asked to end, code outside every component hears of it at once from [`draining`](crate::draining).
/// Components hear of it one after the other, in the reverse order of these calls, each when the one before it in that
/// order is gone: a server that was begun last is empty before the store that it writes to begins to close. `draining`
/// tells a component's own children the same.
///
/// One that is not gone `budget` after its cue has its job cancelled, with [`Reason::Shutdown`]; the next still waits
/// until its future is dropped, though not for scopes that it leaves half-way, which the stage adopts. The stage's own budget
/// for draining bounds them all, and it alone bounds a component that the stage's body awaits itself. Outside every stage
/// this is `future` alone.
///
/// The order is that of the calls, not of the first polls, so a story that [starts](crate::Scope::start) one part after
/// the other gives the order by being read.
///
/// # Cancel safety
///
/// As `future`; a component that is dropped is gone, and the one before it has its cue.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Error, Ready, Scope, Stage, component, draining};
/// use std::sync::mpsc::{Sender, channel};
/// use std::time::Duration;
///
/// async fn store(ready: Ready, says: Sender<&'static str>) -> Result<(), Error> {
///     ready.announce(());
///     draining().await; // not before the server is gone
///     Ok(says.send("store closed")?)
/// }
///
/// async fn server(ready: Ready, says: Sender<&'static str>) -> Result<(), Error> {
///     ready.announce(());
///     draining().await;
///     tokio::time::sleep(Duration::from_secs(1)).await; // the last request
///     Ok(says.send("server empty")?)
/// }
///
/// let (tx, rx) = channel();
/// let stage = Stage::new();
/// let phases = stage.phases();
/// let curtain = stage
///     .run(async |s: Scope| {
///         let budget = Duration::from_secs(5);
///         s.named("store").start(|ready| component(budget, store(ready, tx.clone()))).await?;
///         s.named("server").start(|ready| component(budget, server(ready, tx))).await?;
///         Ok(phases.shut_down())
///     })
///     .await;
/// assert!(!curtain.is_lossy());
/// assert_eq!(rx.iter().collect::<Vec<_>>(), ["server empty", "store closed"]);
/// # }
/// ```
#[track_caller]
pub fn component<F: Future>(budget: Duration, future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    let turn = current().values().get::<OfStage>().map(Phases::take_place);
    async move {
        let Some(Place(turn)) = &turn else { return future.await };
        let late = async {
            turn.comes().await;
            sleep(budget).await;
            cancel_job(place);
            pending::<()>().await;
        };
        let mut late = pin!(late);
        let mut inside = pin!(with(OfTurn, turn.clone(), future));
        poll_fn(|cx| {
            if let Poll::Ready(output) = inside.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            // Outside the cooperative budget: a component that uses it up must not silence its own clock.
            let _ = pin!(unconstrained(late.as_mut())).poll(cx);
            Poll::Pending
        })
        .await
    }
}

/// Asks the job that runs this code to end.
fn cancel_job(place: &'static Location<'static>) {
    let node = current();
    if let Some(job) = node.up_to_job().into_iter().find(|node| node.is_job()) {
        job.ask(&Reason::Shutdown(Origin::new(node.path(), place)));
    }
}

/// Finds, in the context of a component and its children, its turn.
pub(super) struct OfTurn;

impl Key for OfTurn {
    type Value = Turn;
}

/// The components of a stage that are not gone, by number, in the order of their calls.
pub(super) type Cast = watch::Sender<Vec<u64>>;

/// When a component drains. Whoever stands below it in the tree may keep this for long, so it holds nobody up.
#[derive(Clone)]
pub(super) struct Turn {
    number: u64,
    phases: Phases,
}

/// A component's place in the order; dropped after its future, it is gone.
struct Place(Turn);

impl Phases {
    fn take_place(&self) -> Place {
        let mut number = 0;
        self.cast.send_modify(|cast| {
            number = cast.last().map_or(0, |last| last + 1);
            cast.push(number);
        });
        Place(Turn { number, phases: self.clone() })
    }
}

impl Turn {
    /// Waits until the stage drains and all who were called later are gone, or until the stage cancels what is left.
    pub(super) async fn comes(&self) {
        self.phases.reached(Phase::Draining).await;
        let mut cast = self.phases.cast.subscribe();
        // The sender is in `self`, so the channel cannot close.
        let last = pin!(cast.wait_for(|cast| cast.last() == Some(&self.number)));
        let cancelling = pin!(self.phases.reached(Phase::Cancelling));
        super::stage::either(async { drop(last.await) }, cancelling).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self(Turn { number, phases }) = self;
        phases.cast.send_modify(|cast| cast.retain(|other| other != number));
    }
}
