//! Supervisors: children that are kept alive by a policy.
//!
//! A [`Supervisor`] is a description; running it opens a supervisor scope whose children are the *lives* of the
//! supervised children, one job each. The rules are OTP's and stand, as plain sequential code, in `roster`; the
//! `director` carries out what they say. `spec` is what a child is described by, `life` what it sees, `children` the
//! handle, `status` what it shows and `refusal` what it refuses, `incident` and `verdict` what is told of failures.
//! A supervisor refuses to decide what a failure means to a child's work: it starts it again, later, or gives up.

mod children;
mod director;
mod incident;
mod life;
mod refusal;
mod roster;
mod spec;
mod status;
mod verdict;
mod window;

pub use children::Children;
pub use incident::{INCIDENTS_KEPT, Incident};
pub use life::Life;
pub use refusal::ChildError;
pub use spec::{ChildSpec, READY_BUDGET, Restart, STOP_PATIENCE, Supervised, child};
pub use status::{Census, ChildState, ChildStatus};
pub use verdict::{Closing, Escalation, Report};

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::job::{Domain, Error, Fault, Origin, Remark, current, remark};
use crate::scope::{Frame, Scope, shield};
use children::Run;
use director::{Director, Script};
use incident::History;
use window::Intensity;

/// Who is started again when a child is.
///
/// # Examples
///
/// ```
/// use ballet::Strategy;
///
/// assert_eq!(Strategy::RestForOne.to_string(), "rest_for_one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The child alone.
    OneForOne,
    /// All children: for those that are of no use without each other.
    OneForAll,
    /// The child and those that were started after it: for those that need the ones before.
    RestForOne,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::OneForOne => "one_for_one",
            Strategy::OneForAll => "one_for_all",
            Strategy::RestForOne => "rest_for_one",
        })
    }
}

/// Which significant children have to end for the supervisor to close.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Significance {
    Any,
    All,
}

/// What a supervisor goes by.
#[derive(Clone, Copy)]
struct Rules {
    strategy: Strategy,
    /// `None` where there is no limit.
    intensity: Option<Intensity>,
    significance: Significance,
    keep_open: bool,
    stop_together: bool,
}

/// Restarts that are allowed unless [`Supervisor::intensity`] says otherwise; OTP's.
const INTENSITY: Intensity = Intensity { restarts: 1, within: Duration::from_secs(5) };

type Sink<E> = Arc<dyn Fn(&Incident<E>) + Send + Sync>;

/// Keeps children alive: starts them in order, starts them again when they fail, stops them in the reverse order, and
/// gives up when that happens too often.
///
/// The rules are those of Erlang's OTP: three strategies, three kinds of children, an intensity of restarts beyond which
/// the supervisor itself fails. Beyond OTP a child has a [`Backoff`](crate::Backoff), and nobody waits for a child that
/// is slow to start or to stop but those who come after it.
///
/// - **Start.** Each child is started when the one before has said that it is [ready](Life::ready). If one fails first,
///   the others are stopped and the supervisor fails; there is no retry, because what never worked is seldom mended by
///   waiting. A child that has to wait for something outside says that it is ready and then waits.
/// - **Restart.** A life that ends, by returning, an error, a panic, or a cancellation, is followed by another where the
///   child's [`Restart`] says so: after its backoff, alone or with its group, as the [`Strategy`] says. A life begins
///   when the one before has ended with all that it had spawned.
/// - **Escalation.** Each restart counts for as long as the window of [`intensity`](Self::intensity) is wide, its edge
///   included. One too many, and the supervisor stops its children and fails with the [`Escalation`].
/// - **Stop.** Children are stopped one after the other, last first. Each is dropped at its next yield, or has the time
///   that [`graceful`](ChildSpec::graceful) gives it. One that is not gone [`STOP_PATIENCE`] later is named, and the
///   next is stopped; the supervisor still does not return before it has ended.
///
/// It closes when no child is left, when a significant one ends, when it is told to, and when the code that runs it is
/// cancelled: it then stops its children in order before it ends. Supervisors nest, see [`ChildSpec::supervisor`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Backoff, Error, Life, Supervisor, child};
/// use std::time::Duration;
/// # async fn read_feed(_: u32) -> Result<(), Error> { Err(Error::msg("connection reset")) }
/// # async fn write_index() -> Result<(), Error> { std::future::pending().await }
///
/// let patient = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// let supervisor = Supervisor::one_for_one()
///     .intensity(3, Duration::from_secs(600))
///     .child(child("index").graceful(Duration::from_secs(5)).run(async |life: Life| {
///         life.ready();
///         write_index().await
///     }))
///     .child(child("feed").backoff(patient).run(async |life: Life| {
///         life.ready();
///         read_feed(life.restarts()).await
///     }));
/// # let supervisor = supervisor.on_incident(|_| {});
/// let escalation = supervisor.run().await.unwrap_err(); // the feed has failed four times
/// assert_eq!(escalation.last().restarts(), 3);
/// # Ok(()) }
/// ```
#[must_use = "a supervisor does nothing until it is `run`"]
pub struct Supervisor<E: Fault = Error> {
    rules: Rules,
    children: Vec<Supervised<E>>,
    stop: Option<Box<dyn Signal>>,
    retire: Option<Box<dyn Signal>>,
    sink: Option<Sink<E>>,
    /// Where the handles find the run that is on.
    seat: watch::Sender<Option<Arc<Run<E>>>>,
}

/// For an error type of your own, see [`Supervisor::new`].
impl Supervisor {
    /// A supervisor that starts a child again alone.
    pub fn one_for_one() -> Self {
        Self::new(Strategy::OneForOne)
    }

    /// A supervisor that starts all children again when one ends that is to be.
    pub fn one_for_all() -> Self {
        Self::new(Strategy::OneForAll)
    }

    /// A supervisor that starts a child again together with those that were started after it.
    pub fn rest_for_one() -> Self {
        Self::new(Strategy::RestForOne)
    }
}

impl<E: Fault> Supervisor<E> {
    /// A supervisor without children, with one restart in five seconds allowed. The error type is that of its children.
    pub fn new(strategy: Strategy) -> Self {
        let rules = Rules {
            strategy,
            intensity: Some(INTENSITY),
            significance: Significance::Any,
            keep_open: false,
            stop_together: false,
        };
        let seat = watch::Sender::new(None);
        Self { rules, children: Vec::new(), stop: None, retire: None, sink: None, seat }
    }

    /// Allows this many restarts within this time, and gives up at the next. A restart that is exactly as old as the
    /// window is wide still counts. With 0 restarts the first failure escalates.
    pub fn intensity(mut self, restarts: u32, within: Duration) -> Self {
        self.rules.intensity = Some(Intensity { restarts, within });
        self
    }

    /// Never gives up. Give such children a [`backoff`](ChildSpec::backoff).
    pub fn without_limit(mut self) -> Self {
        self.rules.intensity = None;
        self
    }

    /// Adds a child, to be started after those before it.
    ///
    /// # Panics
    ///
    /// When there is a child of this name.
    #[track_caller]
    pub fn child(mut self, child: Supervised<E>) -> Self {
        let is_taken = self.children.iter().any(|other| other.name() == child.name());
        assert!(!is_taken, "a supervisor cannot have two children that are called `{}`", child.name());
        self.children.push(child);
        self
    }

    /// Goes on when no child is left, for those that are [added](Children::add) later.
    pub fn keep_open(mut self) -> Self {
        self.rules.keep_open = true;
        self
    }

    /// Closes when the last of the [significant](ChildSpec::significant) children has ended by itself, instead of the
    /// first. Children that the supervisor stops, for whatever reason, have not ended by themselves.
    pub fn stop_with_all_significant(mut self) -> Self {
        self.rules.significance = Significance::All;
        self
    }

    /// Stops all children at the same time when it closes, instead of last first: for children that do not need each
    /// other, whose budgets would only add up.
    pub fn stop_together(mut self) -> Self {
        self.rules.stop_together = true;
        self
    }

    /// Stops the children in order and closes when `signal` ends, as in `stop_when(ballet::draining)`. The signal is
    /// made, by calling it, in the code that runs the supervisor. Where it is over at once, nobody is started.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Closing, Life, Supervisor, child};
    /// use std::time::Duration;
    ///
    /// let report = Supervisor::one_for_one()
    ///     .child(child("clock").run(async |life: Life| {
    ///         life.ready();
    ///         std::future::pending().await
    ///     }))
    ///     .stop_when(|| tokio::time::sleep(Duration::from_secs(60)))
    ///     .run()
    ///     .await?;
    /// assert!(matches!(report.closing(), Closing::Stopped));
    /// # Ok(()) }
    /// ```
    pub fn stop_when<C, F>(mut self, signal: C) -> Self
    where
        C: FnOnce() -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.stop = Some(Box::new(signal));
        self
    }

    /// Starts nobody any more when `signal` ends, and closes when those that live have ended by themselves: for
    /// children that finish what they have when the [stage drains](crate::draining). A signal that ends while the
    /// first children are being started lets none of the others begin, and the supervisor is never
    /// [ready](Children::ready).
    pub fn no_restart_after<C, F>(mut self, signal: C) -> Self
    where
        C: FnOnce() -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.retire = Some(Box::new(signal));
        self
    }

    /// Replaces the sink of incidents: every end of a child that is none it should have. Each reaches it once, from the
    /// task that runs the supervisor. The default writes a `tracing` error with the child's path.
    ///
    /// Where that task is itself dropped or cut off, nobody is left to call it: what fails while the children then end is
    /// an [unobserved failure](crate::observe) as in any other scope.
    pub fn on_incident(mut self, sink: impl Fn(&Incident<E>) + Send + Sync + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// A handle to the children, for as long as the supervisor runs. Handles of clones are the same: they reach the run
    /// that began last.
    #[must_use]
    pub fn children(&self) -> Children<E> {
        Children::new(self.seat.subscribe())
    }

    /// Runs the supervisor until it closes or gives up, and all its children have ended.
    ///
    /// # Errors
    ///
    /// [`Escalation`]: a child did not start, or there were too many restarts.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with its timer on, and where a signal of [`stop_when`](Self::stop_when) or
    /// [`no_restart_after`](Self::no_restart_after) panics: all children are cancelled then, and waited for. A panic of
    /// a child is an incident.
    ///
    /// # Cancel safety
    ///
    /// Cancelled by Ballet (its job, a scope or a timeout around it), it stops the children in order, within their
    /// budgets, and returns its report. Foreign code that drops the future leaves no time for that: all children are
    /// cancelled at once, and adopted by the nearest job or scope.
    ///
    /// # Cost
    ///
    /// A scope; for each life a job, one allocation more for what it runs, and a few small ones for watching it. An event
    /// of one child costs the logarithm of the number of children.
    #[track_caller]
    pub fn run(self) -> impl Future<Output = Result<Report<E>, Escalation<E>>> + Send {
        self.lead(Location::caller(), None)
    }

    /// Runs it, as a life of a child of another supervisor if one is given.
    async fn lead(
        self,
        place: &'static Location<'static>,
        life: Option<Life>,
    ) -> Result<Report<E>, Escalation<E>> {
        let path = current().path();
        let frame = Frame::open(Domain::Isolated, current().values(), place);
        let scope = Scope::new(Arc::clone(&frame));
        let (run, commands) = Run::new(self.rules);
        let _seated = Seated::new(self.seat, &run);
        let script = Script {
            children: self.children,
            stop: self.stop,
            retire: self.retire,
            sink: self.sink,
            life,
            origin: Origin::new(path.clone(), place),
            path,
        };
        let director = Director::new(scope, (Arc::clone(&run), commands), script);
        let body = async move {
            let _remark = remark(run as Arc<dyn Remark>);
            Ok(shield(director.direct()).await)
        };
        frame.run(body).await.unwrap_or_else(|failure| match failure.reason() {
            // Asked before it began.
            Some(reason) => Ok(Report::new(Closing::Cancelled(reason.clone()), History::new())),
            None => unreachable!("the body of a supervisor gives its verdict as a value"),
        })
    }
}

impl<E: Fault> Clone for Supervisor<E> {
    fn clone(&self) -> Self {
        Self {
            rules: self.rules,
            children: self.children.clone(),
            stop: self.stop.as_ref().map(|signal| signal.anew()),
            retire: self.retire.as_ref().map(|signal| signal.anew()),
            sink: self.sink.clone(),
            seat: self.seat.clone(),
        }
    }
}

impl<E: Fault> fmt::Debug for Supervisor<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("strategy", &self.rules.strategy)
            .field("intensity", &self.rules.intensity)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

/// A run that the handles can reach, for as long as it lasts.
struct Seated<E: Fault> {
    seat: watch::Sender<Option<Arc<Run<E>>>>,
    run: Arc<Run<E>>,
}

impl<E: Fault> Seated<E> {
    fn new(seat: watch::Sender<Option<Arc<Run<E>>>>, run: &Arc<Run<E>>) -> Self {
        seat.send_replace(Some(Arc::clone(run)));
        Self { seat, run: Arc::clone(run) }
    }
}

impl<E: Fault> Drop for Seated<E> {
    fn drop(&mut self) {
        self.seat.send_if_modified(|seated| {
            let is_ours = seated.as_ref().is_some_and(|run| Arc::ptr_eq(run, &self.run));
            if is_ours {
                *seated = None;
            }
            is_ours
        });
    }
}

/// Something to wait for, which each run of a supervisor makes anew.
trait Signal: Send {
    fn wait(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    fn anew(&self) -> Box<dyn Signal>;
}

impl<C, F> Signal for C
where
    C: FnOnce() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    fn wait(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let make = self.clone();
        Box::pin(async move { make().await })
    }

    fn anew(&self) -> Box<dyn Signal> {
        Box::new(self.clone())
    }
}
