//! The stage: one scope that is the whole program.

use std::cmp::Reverse;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use futures_util::future::lazy;
use futures_util::{FutureExt, TryFutureExt};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep};

use super::phase::OfStage;
use super::{Curtain, Departure, Ending, Phase, Phases, signals};
use crate::dispatch::guest::Ref;
use crate::job::{Domain, Error, Failure, NodeRef, Origin, Owner, Panic, Reason, current, lock};
use crate::scope::{Frame, Scope};
use crate::sync::Mutex;

/// How long a runtime that is done waits for threads in blocking calls before the process exits.
const THREADS_WAIT_MAX: Duration = Duration::from_secs(1);

/// Runs one scope as the whole program, and ends it in phases when SIGINT or SIGTERM arrives or
/// [`Phases::shut_down`] is called:
///
/// 1. *ready off, drain*: [`draining`](crate::draining) resolves, for [components](crate::component) in their turn; they
///    stop taking work and finish what they have;
/// 2. *cancel*: jobs that are left are cancelled with [`Reason::Shutdown`];
/// 3. *finalize*: finalizers run;
/// 4. *abort*: what is left is abandoned and named.
///
/// Each phase has a budget and ends early when there is nothing left for it. A second signal skips ahead to the next
/// one. `#[ballet::main]` is the short form.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{Scope, Stage};
/// use std::time::Duration;
///
/// let stage = Stage::new().drain(Duration::from_secs(20)).cancel(Duration::from_secs(2));
/// # stage.phases().shut_down();
/// let curtain = stage
///     .run(async |s: Scope| {
///         s.named("http").spawn(async { Ok(ballet::draining().await) });
///         Ok(())
///     })
///     .await;
/// assert!(!curtain.is_lossy());
/// println!("{curtain}"); // the timeline of the shutdown
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stage does nothing until it is `run`"]
pub struct Stage {
    drain: Duration,
    cancel: Duration,
    finalize: Duration,
    phases: Phases,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// A stage with budgets of 20 s to drain, 5 s to cancel and 10 s to finalize.
    pub fn new() -> Self {
        Self {
            drain: Duration::from_secs(20),
            cancel: Duration::from_secs(5),
            finalize: Duration::from_secs(10),
            phases: Phases::new(),
        }
    }

    /// How long jobs may finish what they have, once the stage is asked to end.
    pub fn drain(mut self, budget: Duration) -> Self {
        self.drain = budget;
        self
    }

    /// How long cancelled jobs may take to be dropped: shields and graceful children end in this time.
    pub fn cancel(mut self, budget: Duration) -> Self {
        self.cancel = budget;
        self
    }

    /// How long all finalizers of the stage's scope may take together.
    pub fn finalize(mut self, budget: Duration) -> Self {
        self.finalize = budget;
        self
    }

    /// A view of the phases for code outside the stage's jobs, and the means to ask the stage to end.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.phases.clone()
    }

    /// Runs `body`, as [`run`](Self::run) does, on a multi-thread runtime of its own, which it ends afterwards: threads
    /// that are still in blocking calls have a second. A `main` is this and the curtain's
    /// [`report`](Curtain::report).
    ///
    /// # Errors
    ///
    /// When the machine does not give the runtime what it needs, such as its threads.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use ballet::{Scope, Stage};
    /// use std::process::ExitCode;
    /// use std::time::Duration;
    ///
    /// fn main() -> std::io::Result<ExitCode> {
    ///     let stage = Stage::new().drain(Duration::from_secs(30));
    ///     let curtain = stage.block_on(async |s: Scope| {
    ///         s.named("job").spawn(async { Ok(()) });
    ///         Ok(())
    ///     })?;
    ///     Ok(curtain.report())
    /// }
    /// ```
    pub fn block_on<B>(self, body: B) -> io::Result<Curtain>
    where
        B: AsyncFnOnce(Scope) -> Result<(), Error>,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            io::Error::new(error.kind(), format!("the Tokio runtime could not be started: {error}"))
        })?;
        let curtain = runtime.block_on(self.run(body));
        runtime.shutdown_timeout(THREADS_WAIT_MAX);
        Ok(curtain)
    }

    /// Runs `body` in a [`scope`](crate::scope) until it and all its jobs have ended, or the phases of a shutdown have
    /// passed. It waits for what else runs in the process: for scopes that were adopted by the root, and while it shuts
    /// down, for those that foreign tasks hold open, such as requests of a server.
    ///
    /// The budgets run in a shutdown only, which begins as the stage is asked to end or fails. Where the program ends by
    /// itself, the adopted scopes have all the time they take, until somebody asks.
    ///
    /// Inside another scope or job it is a part of that and no program: it ends what is its own, and no more.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO and time on. A panic of the program itself is in the [`Curtain`].
    ///
    /// # Cancel safety
    ///
    /// As [`scope`](crate::scope).
    #[track_caller]
    pub fn run<B>(self, body: B) -> impl Future<Output = Curtain>
    where
        B: AsyncFnOnce(Scope) -> Result<(), Error>,
    {
        let (place, ended) = (Location::caller(), EndsWith(self.phases.clone()));
        async move {
            let _ended = ended;
            let context = current().values().with::<OfStage>(self.phases.clone());
            let custody = Frame::open(Domain::Together, context, place);
            let frame = Arc::clone(&custody);
            let owner = frame.owner.clone();
            let handle = Scope::new(Arc::clone(&frame));
            let phases = self.phases.clone();
            // What else the process runs, if this is the program and no part of one.
            let root = owner.node().root_around();
            // What the program came to, as long as others are waited for.
            let early = Mutex::new(None);
            let show = async {
                let body = lazy(|_| body(handle)).flatten().inspect_ok(|()| phases.open());
                let verdict = custody.run(body).await;
                *lock(&early) = Some(verdict);
                if let Some(root) = &root {
                    root.wait_childless().await;
                    // Scopes that foreign tasks hold open delay a shutdown, and never a program that ends by itself.
                    if self.phases.current() >= Phase::Draining {
                        root.wait_empty().await;
                    }
                }
                lock(&early).take()
            };
            let mut outside = pin!(self.talk_to_outside());
            let mut show = pin!(show);
            let show = poll_fn(|cx| {
                let _ = outside.as_mut().poll(cx);
                poll_show(show.as_mut(), owner.node(), cx)
            });
            let mut shutdown = Shutdown::new(&self, &frame, root.as_ref());
            let ending = shutdown.follow(show).await;
            let failed = lock(&early).take().and_then(Result::err).filter(|failure| !failure.is_cancelled());
            shutdown.curtain(failed.map_or(ending, Ending::Failed))
        }
    }
}

impl Stage {
    /// How long a shutdown may take.
    #[cfg(feature = "systemd")]
    fn longest(&self) -> Duration {
        [self.cancel, self.finalize, THREADS_WAIT_MAX].into_iter().fold(self.drain, Duration::saturating_add)
    }

    /// Hears signals and, with the feature `systemd`, tells systemd; never ends.
    async fn talk_to_outside(&self) {
        let signals = signals::forward(&self.phases);
        #[cfg(feature = "systemd")]
        tokio::join!(signals, super::systemd::tell(&self.phases, self.longest()));
        #[cfg(not(feature = "systemd"))]
        signals.await;
    }
}

/// Polls the program; a panic that leaves it is an ending.
fn poll_show(
    show: Pin<&mut impl Future<Output = Option<Result<(), Failure<Error>>>>>,
    node: &NodeRef,
    cx: &mut Poller<'_>,
) -> Poll<Ending> {
    let _inside = node.stand_in();
    match catch_unwind(AssertUnwindSafe(|| show.poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(None | Some(Ok(())))) => Poll::Ready(Ending::Completed),
        Ok(Poll::Ready(Some(Err(failure)))) if failure.is_cancelled() => Poll::Ready(Ending::Cancelled),
        Ok(Poll::Ready(Some(Err(failure)))) => Poll::Ready(Ending::Failed(failure)),
        Err(payload) => Poll::Ready(Ending::Panicked(Panic::caught(payload, node))),
    }
}

/// The last phase comes with the end of this, also where the stage is dropped half-way or before it began.
struct EndsWith(Phases);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.enter(Phase::Ended);
    }
}

/// The phases of one shutdown, as they pass.
struct Shutdown<'a> {
    stage: &'a Stage,
    root: Option<&'a NodeRef>,
    frame: &'a Frame<Error>,
    owner: &'a Ref<Owner<Error>>,
    asked: bool,
    began: Instant,
    phases: Vec<(Phase, Duration)>,
    /// Every job that was alive when the shutdown began.
    cast: Vec<NodeRef>,
}

impl<'a> Shutdown<'a> {
    fn new(stage: &'a Stage, frame: &'a Frame<Error>, root: Option<&'a NodeRef>) -> Self {
        let (began, phases, cast) = (Instant::now(), Vec::new(), Vec::new());
        Self { stage, root, frame, owner: &frame.owner, asked: false, began, phases, cast }
    }

    /// Runs the show to its end: through the phases if it is asked to end, and without the first one if it fails.
    async fn follow(&mut self, show: impl Future<Output = Ending>) -> Ending {
        let mut show = pin!(show);
        let phases = self.stage.phases.clone();
        let failed = async { drop(self.owner.node().wait_asked().await) };
        if let Some(ending) = first(&mut show, either(phases.asked(1), failed)).await {
            return ending;
        }
        self.began = Instant::now();
        self.note_cast();
        self.asked = phases.times() > 0;
        // Whoever asked again before this was polled skips the first phase.
        let mut seen = u32::from(self.asked);
        let all = [Phase::Draining, Phase::Cancelling, Phase::Finalizing];
        for &phase in &all[usize::from(!self.asked)..] {
            let entered = Instant::now();
            phases.enter(phase);
            self.begin(phase);
            let over = self.over(phase, phases.asked(seen + 1));
            let ended = first(&mut show, over).await;
            seen += u32::from(phases.times() > seen);
            self.phases.push((phase, entered.elapsed()));
            if let Some(ending) = ended {
                return ending;
            }
        }
        Ending::Aborted
    }

    fn begin(&self, phase: Phase) {
        match phase {
            Phase::Cancelling => {
                let origin = Origin::new(self.owner.node().path(), self.owner.node().place);
                let reason = Reason::Shutdown(origin);
                self.owner.cancel(&reason);
                self.root.inspect(|root| root.ask_open_scopes(&reason));
            }
            Phase::Finalizing => self.frame.give_up(),
            Phase::Starting | Phase::Running | Phase::Draining | Phase::Ended => {}
        }
    }

    /// Adds the jobs that are alive now to the cast.
    fn note_cast(&mut self) {
        for node in self.root.unwrap_or(self.owner.node()).all() {
            if node.is_job() && !self.cast.iter().any(|known| known.ptr_eq(&node)) {
                self.cast.push(node);
            }
        }
    }

    /// Whether nobody is left who could drain or be cancelled.
    fn is_at_rest(&self) -> bool {
        let own = self.owner.node();
        own.is_closed() && self.root.is_none_or(|root| root.holds_only(own))
    }

    /// Ends with the phase: its budget is spent, somebody asks again, or all jobs have ended before it was time to
    /// finalize.
    async fn over(&self, phase: Phase, asked: impl Future<Output = ()>) {
        let budget = match phase {
            Phase::Draining => self.stage.drain,
            Phase::Cancelling => self.stage.cancel,
            Phase::Starting | Phase::Running | Phase::Finalizing | Phase::Ended => self.stage.finalize,
        };
        let mut over = pin!(sleep(budget));
        let mut asked = pin!(asked);
        poll_fn(|cx| {
            if phase < Phase::Finalizing && self.is_at_rest() || over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            asked.as_mut().poll(cx)
        })
        .await;
    }

    fn curtain(mut self, ending: Ending) -> Curtain {
        if !self.phases.is_empty() {
            self.note_cast();
        }
        let mut departures: Vec<_> = self.cast.iter().map(|node| departure(node, self.began)).collect();
        // Ends are known to the millisecond; within one, a child is told before whoever waited for it.
        departures.sort_by_key(|job| (job.after.as_millis(), Reverse(job.path.len())));
        let finalizers_dropped = self.owner.finalizers_dropped();
        Curtain { ending, asked: self.asked, phases: self.phases, departures, finalizers_dropped }
    }
}

fn departure(node: &NodeRef, began: Instant) -> Departure {
    let ended = node.ended();
    let at = ended.map_or_else(Instant::now, |(_, at)| at);
    Departure {
        path: node.path().to_string(),
        place: node.place.to_string(),
        state: ended.map_or_else(|| node.state(), |(state, _)| state),
        after: at.saturating_duration_since(began),
    }
}

/// The show's ending if it comes before `other` does.
async fn first(
    show: &mut Pin<&mut impl Future<Output = Ending>>,
    other: impl Future<Output = ()>,
) -> Option<Ending> {
    let mut other = pin!(other);
    poll_fn(|cx| {
        if let Poll::Ready(ending) = show.as_mut().poll(cx) {
            return Poll::Ready(Some(ending));
        }
        // Outside the cooperative budget: a show that uses it up must still hear that it is to end.
        pin!(unconstrained(other.as_mut())).poll(cx).map(|()| None)
    })
    .await
}

/// Ends when one of the two does.
pub(super) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| if one.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { other.as_mut().poll(cx) })
        .await;
}
